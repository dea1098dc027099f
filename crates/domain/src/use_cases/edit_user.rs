use super::Roster;
use crate::Error;
use crate::entities::{Edit, Request, User};
use crate::ports::{AccessClaims, EditError};
use crate::values::UserId;

impl Roster {
    /// Changes a live user's email or username, for itself and for admins.
    pub async fn edit_user(
        &self,
        claims: AccessClaims,
        id: UserId,
        edit: Edit,
        request: Request,
    ) -> Result<User, Error> {
        let caller = self.admin_or_owner(claims, id).await?;
        let change = self.change(Some(caller.id), request);
        let user = self.ports.accounts.edit(id, &edit, &change).await.map_err(|error| match error {
            EditError::NotFound => Error::UserNotFound,
            EditError::EmailTaken => Error::EmailTaken,
            EditError::UsernameTaken => Error::UsernameTaken { suggestions: Vec::new() },
            EditError::Unavailable(error) => Error::Unavailable(error),
        })?;
        tracing::info!(event = "user edited", user = %id, by = %caller.id, %request, "a user was edited");
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, NOW, REQUEST, World, user};
    use super::*;
    use crate::values::{Role, Username};

    fn edit() -> Edit {
        Edit { email: None, username: Some(Username::parse("anna").unwrap()) }
    }

    #[tokio::test]
    async fn an_edit_is_the_callers_and_of_now() {
        let mut world = World::with_caller(Role::Admin);
        world
            .accounts
            .expect_edit()
            .withf(|id, asked, change| {
                *id == BEN && *asked == edit() && change.actor == Some(ANN) && change.at == NOW
            })
            .times(1)
            .returning(|id, _, _| Ok(user(id, Role::Regular)));
        assert_eq!(world.roster().edit_user(CLAIMS, BEN, edit(), REQUEST).await.unwrap().id, BEN);
    }

    #[tokio::test]
    async fn a_regular_user_edits_nobody_else() {
        let edited = World::with_caller(Role::Regular).roster().edit_user(CLAIMS, BEN, edit(), REQUEST).await;
        assert!(matches!(edited, Err(Error::Forbidden)));
    }

    #[tokio::test]
    async fn a_taken_username_is_told_without_suggestions() {
        let mut world = World::with_caller(Role::Regular);
        world.accounts.expect_edit().returning(|_, _, _| Err(EditError::UsernameTaken));
        let edited = world.roster().edit_user(CLAIMS, ANN, edit(), REQUEST).await;
        assert!(matches!(edited, Err(Error::UsernameTaken { suggestions }) if suggestions.is_empty()));
    }
}
