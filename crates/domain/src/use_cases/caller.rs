use super::Roster;
use crate::Error;
use crate::entities::User;
use crate::ports::{AccessClaims, Caller};
use crate::values::{AccessToken, Role, UserId};

impl Roster {
    /// What the caller's token says, checked by itself; no store is asked.
    ///
    /// # Errors
    /// [`Error::NotAuthenticated`] without a token, or with one that is not valid.
    pub fn authenticate(&self, token: Option<&AccessToken>) -> Result<AccessClaims, Error> {
        let token = token.ok_or(Error::NotAuthenticated)?;
        self.ports.tokens.read_access(token, self.ports.clock.now()).map_err(|_| Error::NotAuthenticated)
    }

    /// The caller, if live and if the token still counts, and whom the request names, if live.
    pub(super) async fn caller(
        &self,
        claims: AccessClaims,
        named: Option<UserId>,
    ) -> Result<(User, Option<User>), Error> {
        let caller = Caller { user_id: claims.user_id, session: claims.session };
        let answer = self.ports.accounts.caller(caller, named).await?;
        match answer.caller {
            Some(user) if answer.session_lives && answer.epoch == claims.epoch => Ok((user, answer.named)),
            _ => Err(Error::NotAuthenticated),
        }
    }

    /// The caller, who must be an admin.
    pub(super) async fn admin(&self, claims: AccessClaims) -> Result<User, Error> {
        let (caller, _) = self.caller(claims, None).await?;
        if caller.role == Role::Admin { Ok(caller) } else { Err(Error::Forbidden) }
    }

    /// The caller, who must be an admin or `owner`.
    pub(super) async fn admin_or_owner(&self, claims: AccessClaims, owner: UserId) -> Result<User, Error> {
        let (caller, _) = self.caller(claims, None).await?;
        if may_touch(&caller, owner) { Ok(caller) } else { Err(Error::Forbidden) }
    }
}

/// Whether the caller may see and change that user.
pub(super) fn may_touch(caller: &User, owner: UserId) -> bool {
    caller.id == owner || caller.role == Role::Admin
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::testing::{ANN, CLAIMS, EPOCH, World, user};
    use super::*;
    use crate::ports::{CallerAnswer, InvalidToken};
    use crate::values::Epoch;

    #[rstest]
    #[case::gone_or_in_the_trash(None, EPOCH, true)]
    #[case::whose_session_has_ended(Some(Role::Admin), EPOCH, false)]
    #[case::whose_tokens_were_all_ended(Some(Role::Admin), Epoch::new(4), true)]
    #[tokio::test]
    async fn a_caller_is_not_authenticated(
        #[case] role: Option<Role>,
        #[case] epoch: Epoch,
        #[case] session_lives: bool,
    ) {
        let mut world = World::new();
        world.accounts.expect_caller().returning(move |_, _| {
            Ok(CallerAnswer { caller: role.map(|role| user(ANN, role)), epoch, session_lives, named: None })
        });
        assert!(matches!(world.roster().admin(CLAIMS).await, Err(Error::NotAuthenticated)));
    }

    #[test]
    fn without_a_token_or_with_an_invalid_one_nobody_is_authenticated() {
        let mut world = World::new();
        world.tokens.expect_read_access().returning(|_, _| Err(InvalidToken));
        let roster = world.roster();
        assert!(matches!(roster.authenticate(None), Err(Error::NotAuthenticated)));
        let token = AccessToken::new("forged".to_owned());
        assert!(matches!(roster.authenticate(Some(&token)), Err(Error::NotAuthenticated)));
    }
}
