use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::ports::{AccessClaims, PurgeError};
use crate::values::UserId;

impl Roster {
    /// Deletes a user in the trash for good, for admins. Its names are free again.
    pub async fn purge_user(&self, claims: AccessClaims, id: UserId, request: Request) -> Result<(), Error> {
        let caller = self.admin(claims).await?;
        let change = self.change(Some(caller.id), request);
        self.ports.trash.purge(id, &change).await.map_err(|error| match error {
            PurgeError::NotInTrash => Error::NotInTrash,
            PurgeError::Unavailable(error) => {
                tracing::warn!(
                    event = "user perhaps purged", user = %id, by = %caller.id, %request,
                    "the store did not say whether it was"
                );
                Error::Unavailable(error)
            }
        })?;
        metrics::counter!("roster_users_purged_total").increment(1);
        tracing::info!(
            event = "user purged",
            user = %id,
            by = %caller.id,
            %request,
            "a user was deleted for good"
        );
        self.remove_images_at_once(id, None, request).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, NOW, REQUEST, World, image, unavailable};
    use super::*;
    use crate::ports::PendingRemoval;
    use crate::values::Role;

    #[tokio::test]
    async fn a_purge_takes_the_image_along() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_purge().withf(|id, _| *id == BEN).times(1).returning(|_, _| Ok(()));
        world
            .profile_images
            .expect_due()
            .returning(|_, _, _, _| Ok(vec![PendingRemoval { owner: BEN, image: image(1), due: NOW }]));
        world.images.expect_remove().withf(|key| *key == image(1).key).times(1).returning(|_| Ok(()));
        world.profile_images.expect_done().times(1).returning(|_| Ok(()));
        world.roster().purge_user(CLAIMS, BEN, REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn a_purge_stands_where_the_image_can_not_be_removed_yet() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_purge().returning(|_, _| Ok(()));
        world.profile_images.expect_due().returning(|_, _, _, _| Err(unavailable()));
        world.roster().purge_user(CLAIMS, BEN, REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn a_regular_user_purges_nobody() {
        let purged = World::with_caller(Role::Regular).roster().purge_user(CLAIMS, ANN, REQUEST).await;
        assert!(matches!(purged, Err(Error::Forbidden)));
    }
}
