use super::Roster;
use crate::Error;
use crate::entities::{Request, User};
use crate::ports::{AccessClaims, RestoreError};
use crate::values::UserId;

impl Roster {
    /// Brings a user back from the trash, for admins. Tokens from before the deletion stay dead.
    pub async fn restore_user(
        &self,
        claims: AccessClaims,
        id: UserId,
        request: Request,
    ) -> Result<User, Error> {
        let caller = self.admin(claims).await?;
        let change = self.change(Some(caller.id), request);
        let user = self.ports.trash.restore(id, &change).await.map_err(|error| match error {
            RestoreError::NotFound => Error::UserNotFound,
            RestoreError::NotInTrash => Error::NotInTrash,
            RestoreError::Unavailable(error) => Error::Unavailable(error),
        })?;
        tracing::info!(
            event = "user restored",
            user = %id,
            by = %caller.id,
            %request,
            "a user came back from the trash"
        );
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, REQUEST, World, user};
    use super::*;
    use crate::values::Role;

    #[tokio::test]
    async fn an_admin_restores_whom_the_trash_holds() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_restore().returning(|id, _| Ok(user(id, Role::Regular)));
        assert_eq!(world.roster().restore_user(CLAIMS, BEN, REQUEST).await.unwrap().id, BEN);
    }

    #[tokio::test]
    async fn a_live_user_is_told_from_an_unknown_one() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_restore().returning(|_, _| Err(RestoreError::NotInTrash));
        assert!(matches!(world.roster().restore_user(CLAIMS, BEN, REQUEST).await, Err(Error::NotInTrash)));

        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_restore().returning(|_, _| Err(RestoreError::NotFound));
        assert!(matches!(world.roster().restore_user(CLAIMS, BEN, REQUEST).await, Err(Error::UserNotFound)));
    }

    #[tokio::test]
    async fn a_regular_user_restores_nobody() {
        let restored = World::with_caller(Role::Regular).roster().restore_user(CLAIMS, ANN, REQUEST).await;
        assert!(matches!(restored, Err(Error::Forbidden)));
    }
}
