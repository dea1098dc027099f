use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::ports::{AccessClaims, TrashError, Trashed};
use crate::values::{Reason, UserId};

impl Roster {
    /// Puts a user into the trash, for itself and for admins. All its tokens are dead from then on.
    pub async fn delete_user(
        &self,
        claims: AccessClaims,
        id: UserId,
        reason: Reason,
        request: Request,
    ) -> Result<(), Error> {
        let caller = self.admin_or_owner(claims, id).await?;
        let change = self.change(Some(caller.id), request);
        let trashed = Trashed { entry: self.ports.ids.trash_entry_id(), reason };
        self.ports.trash.put(id, &trashed, &change).await.map_err(|error| match error {
            TrashError::NotFound => Error::UserNotFound,
            TrashError::AlreadyThere => Error::AlreadyInTrash,
            TrashError::Unavailable(error) => {
                tracing::warn!(
                    event = "user perhaps deleted", user = %id, by = %caller.id, reason = trashed.reason.as_str(), %request,
                    "the store did not say whether it was"
                );
                Error::Unavailable(error)
            }
        })?;
        tracing::info!(
            event = "user deleted",
            user = %id,
            by = %caller.id,
            reason = trashed.reason.as_str(),
            %request,
            "a user was put into the trash"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, ENTRY, NOW, REQUEST, World};
    use super::*;
    use crate::values::Role;

    async fn delete(world: World, id: UserId) -> Result<(), Error> {
        world.roster().delete_user(CLAIMS, id, Reason::parse("bye").unwrap(), REQUEST).await
    }

    #[tokio::test]
    async fn a_user_deletes_their_own_account() {
        let mut world = World::with_caller(Role::Regular);
        world
            .trash
            .expect_put()
            .withf(|id, trashed, change| {
                *id == ANN && trashed.entry == ENTRY && change.actor == Some(ANN) && change.at == NOW
            })
            .times(1)
            .returning(|_, _, _| Ok(()));
        delete(world, ANN).await.unwrap();
    }

    #[tokio::test]
    async fn a_regular_user_deletes_nobody_else() {
        assert!(matches!(delete(World::with_caller(Role::Regular), BEN).await, Err(Error::Forbidden)));
    }

    #[tokio::test]
    async fn an_admin_is_told_of_an_unknown_user_and_of_one_in_the_trash() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_put().returning(|_, _, _| Err(TrashError::NotFound));
        assert!(matches!(delete(world, BEN).await, Err(Error::UserNotFound)));

        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_put().returning(|_, _, _| Err(TrashError::AlreadyThere));
        assert!(matches!(delete(world, BEN).await, Err(Error::AlreadyInTrash)));
    }
}
