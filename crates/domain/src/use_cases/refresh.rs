use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::values::{AccessToken, RefreshToken};

impl Roster {
    /// Makes a new access token for the holder of a refresh token whose session has not ended.
    pub async fn refresh(&self, token: RefreshToken, request: Request) -> Result<AccessToken, Error> {
        let tokens = &self.ports.tokens;
        let now = self.ports.clock.now();
        let claims = tokens.read_refresh(&token, now).map_err(|_| Error::BadRefreshToken)?;
        let state = self.ports.sessions.state(claims.user_id, claims.session).await?;
        let lives = state.is_some_and(|state| {
            // A token of an earlier system names no session: its epoch alone decides.
            let session_lives =
                claims.session.is_none() || state.refresh_token == Some(tokens.fingerprint(&token));
            session_lives && state.epoch == claims.epoch
        });
        if !lives {
            tracing::info!(
                event = "refresh refused",
                user = %claims.user_id,
                %request,
                "a refresh token was refused"
            );
            return Err(Error::BadRefreshToken);
        }
        tracing::info!(
            event = "token refreshed",
            user = %claims.user_id,
            %request,
            "an access token was refreshed"
        );
        Ok(self.access_token(&claims, now))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::testing::{ANN, CLAIMS, EPOCH, REQUEST, World};
    use super::*;
    use crate::ports::{InvalidToken, RefreshClaims, SessionState};
    use crate::values::{Epoch, TokenFingerprint};

    const KEPT: TokenFingerprint = TokenFingerprint::from_bytes([1; 32]);
    const ORIGINAL: RefreshClaims = RefreshClaims { user_id: ANN, session: None, epoch: Epoch::FIRST };

    async fn refresh(claims: RefreshClaims, state: Option<SessionState>) -> Result<AccessToken, Error> {
        let mut world = World::new();
        world.tokens.expect_read_refresh().returning(move |_, _| Ok(claims));
        world.tokens.expect_fingerprint().return_const(KEPT);
        world.sessions.expect_state().returning(move |_, _| Ok(state));
        world
            .tokens
            .expect_issue_access()
            .withf(move |issued, _, _| *issued == claims)
            .returning(|_, _, _| AccessToken::new("access".to_owned()));
        world.roster().refresh(RefreshToken::new("refresh".to_owned()), REQUEST).await
    }

    #[rstest]
    #[case::of_a_live_session(CLAIMS, EPOCH, Some(KEPT))]
    #[case::of_an_earlier_system(ORIGINAL, Epoch::FIRST, None)]
    #[tokio::test]
    async fn a_token_gives_a_new_access_token(
        #[case] claims: RefreshClaims,
        #[case] epoch: Epoch,
        #[case] refresh_token: Option<TokenFingerprint>,
    ) {
        assert_eq!(
            refresh(claims, Some(SessionState { epoch, refresh_token })).await.unwrap().expose(),
            "access"
        );
    }

    #[rstest]
    #[case::whose_user_is_gone(CLAIMS, None)]
    #[case::whose_session_has_ended(CLAIMS, Some(SessionState { epoch: EPOCH, refresh_token: None }))]
    #[case::that_is_not_the_sessions(CLAIMS, Some(SessionState {
        epoch: EPOCH,
        refresh_token: Some(TokenFingerprint::from_bytes([2; 32])),
    }))]
    #[case::from_before_a_deletion(CLAIMS, Some(SessionState { epoch: EPOCH.next(), refresh_token: Some(KEPT) }))]
    #[case::of_an_earlier_system_from_before_a_deletion(ORIGINAL, Some(SessionState {
        epoch: Epoch::new(1),
        refresh_token: None,
    }))]
    #[tokio::test]
    async fn a_token_is_refused(#[case] claims: RefreshClaims, #[case] state: Option<SessionState>) {
        assert!(matches!(refresh(claims, state).await, Err(Error::BadRefreshToken)));
    }

    #[tokio::test]
    async fn what_is_no_refresh_token_is_refused_without_asking_the_store() {
        let mut world = World::new();
        world.tokens.expect_read_refresh().returning(|_, _| Err(InvalidToken));
        let refreshed = world.roster().refresh(RefreshToken::new("forged".to_owned()), REQUEST).await;
        assert!(matches!(refreshed, Err(Error::BadRefreshToken)));
    }
}
