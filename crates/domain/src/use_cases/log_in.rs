use super::Roster;
use crate::Error;
use crate::entities::{Request, Session};
use crate::ports::{AccessClaims, Credentials, OpenSession, Rehash, Verdict};
use crate::values::{AccessToken, Email, Password, RefreshToken};

/// What a log-in gives.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// For the next half hour.
    pub access: AccessToken,
    /// For new access tokens.
    pub refresh: RefreshToken,
}

/// Somebody who knew a live user's email and password, and has no session yet.
#[derive(Debug)]
pub struct Known {
    credentials: Credentials,
    rehash: Option<Rehash>,
}

impl Roster {
    /// Starts a session for whoever knows a live user's email and password: [`check_password`](Self::check_password) and
    /// [`start_session`](Self::start_session).
    pub async fn log_in(
        &self,
        email: Email,
        password: Password,
        request: Request,
    ) -> Result<TokenPair, Error> {
        let known = self.check_password(email, password, request).await?;
        self.start_session(known, request).await
    }

    /// The first half of a log-in. It writes nothing: dropped, it waits no longer for its turn to hash.
    ///
    /// An unknown email, a wrong password and a trashed user cost the same time and give the same answer.
    pub async fn check_password(
        &self,
        email: Email,
        password: Password,
        request: Request,
    ) -> Result<Known, Error> {
        let credentials = self.ports.users.credentials(&email).await?;
        let hash = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
        let verdict = self.ports.hasher.verify(password, hash, request.asker(email)).await?;
        match (credentials, verdict) {
            (Some(credentials), Verdict::Match) => Ok(Known { credentials, rehash: None }),
            (Some(credentials), Verdict::MatchOutdated(new)) => {
                let rehash = Some(Rehash { old: credentials.password_hash.clone(), new });
                Ok(Known { credentials, rehash })
            }
            (credentials, _) => {
                let user = credentials.map(|credentials| tracing::field::display(credentials.user_id));
                let client = request.client.map(tracing::field::display);
                tracing::info!(event = "log-in failed", user, client, %request);
                Err(Error::BadCredentials)
            }
        }
    }

    /// The second half of a log-in.
    pub async fn start_session(&self, known: Known, request: Request) -> Result<TokenPair, Error> {
        let Known { credentials, rehash } = known;
        let (tokens, ids) = (&self.ports.tokens, &self.ports.ids);
        let change = self.change(Some(credentials.user_id), request);
        let session = ids.session_id();
        let claims =
            AccessClaims { user_id: credentials.user_id, session: Some(session), epoch: credentials.epoch };
        let pair = TokenPair {
            access: tokens.issue_access(&claims, ids.token_id(), change.at),
            refresh: tokens.issue_refresh(&claims, ids.token_id(), change.at),
        };
        let open = OpenSession {
            user_id: claims.user_id,
            epoch: claims.epoch,
            session: Session {
                id: session,
                refresh_token: tokens.fingerprint(&pair.refresh),
                started_at: change.at,
            },
            rehash,
        };
        let client = request.client.map(tracing::field::display);
        if self.ports.users.open_session(&open, &change).await? {
            tracing::info!(event = "logged in", user = %claims.user_id, client, %request);
            Ok(pair)
        } else {
            // Deleted since the password was checked.
            tracing::info!(event = "log-in failed", user = %claims.user_id, client, %request);
            Err(Error::BadCredentials)
        }
    }
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;

    use super::super::testing::{ANN, EPOCH, NOW, REQUEST, SESSION, World};
    use super::*;
    use crate::ports::HashError;
    use crate::values::{PasswordHash, TokenFingerprint};

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::new(text.to_owned())
    }

    fn world(known: bool, verdict: Verdict) -> World {
        let mut world = World::new();
        let credentials = Credentials { user_id: ANN, password_hash: hash("old"), epoch: EPOCH };
        world.users.expect_credentials().returning(move |_| Ok(known.then(|| credentials.clone())));
        world
            .hasher
            .expect_verify()
            .withf(move |_, stored, _| *stored == known.then(|| hash("old")))
            .times(1)
            .returning(move |_, _, _| Ok(verdict.clone()));
        world.tokens.expect_issue_access().returning(|_, _, _| AccessToken::new("access".to_owned()));
        world.tokens.expect_issue_refresh().returning(|_, _, _| RefreshToken::new("refresh".to_owned()));
        world.tokens.expect_fingerprint().returning(|_| TokenFingerprint::from_bytes([1; 32]));
        world
    }

    fn opened(rehash: Option<Rehash>) -> OpenSession {
        let session =
            Session { id: SESSION, refresh_token: TokenFingerprint::from_bytes([1; 32]), started_at: NOW };
        OpenSession { user_id: ANN, epoch: EPOCH, session, rehash }
    }

    async fn log_in(world: World) -> Result<TokenPair, Error> {
        let email = Email::parse("ann@example.com").unwrap();
        world.roster().log_in(email, Password::parse("secret".to_owned()).unwrap(), REQUEST).await
    }

    #[tokio::test]
    async fn the_right_password_starts_a_session() {
        let mut world = world(true, Verdict::Match);
        world.users.expect_open_session().withf(|open, _| *open == opened(None)).returning(|_, _| Ok(true));
        let pair = log_in(world).await.unwrap();
        assert_eq!((pair.access.expose(), pair.refresh.expose()), ("access", "refresh"));
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_email_are_one_refusal_at_the_cost_of_one_hash() {
        assert!(matches!(log_in(world(true, Verdict::Mismatch)).await, Err(Error::BadCredentials)));
        assert!(matches!(log_in(world(false, Verdict::Mismatch)).await, Err(Error::BadCredentials)));
    }

    #[tokio::test]
    async fn a_user_deleted_while_the_password_was_checked_does_not_log_in() {
        let mut world = world(true, Verdict::Match);
        world.users.expect_open_session().returning(|_, _| Ok(false));
        assert!(matches!(log_in(world).await, Err(Error::BadCredentials)));
    }

    #[tokio::test]
    async fn an_outdated_hash_is_replaced() {
        let mut world = world(true, Verdict::MatchOutdated(hash("new")));
        let rehash = Rehash { old: hash("old"), new: hash("new") };
        let expected = opened(Some(rehash));
        world.users.expect_open_session().withf(move |open, _| *open == expected).returning(|_, _| Ok(true));
        log_in(world).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_hash_queue_is_told_and_no_session_starts() {
        let mut world = World::new();
        world
            .users
            .expect_credentials()
            .with(eq(Email::parse("ann@example.com").unwrap()))
            .returning(|_| Ok(None));
        world.hasher.expect_verify().returning(|_, _, _| Err(HashError::Overloaded));
        assert!(matches!(log_in(world).await, Err(Error::Overloaded)));
    }
}
