use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::ports::{AccessClaims, RemoveImageError};
use crate::values::{ProfileImage, UserId};

impl Roster {
    /// Takes a user's profile image away, for itself and for admins. One of ours is removed from its store; one that the FastAPI
    /// service stored stays where it is, and is no user's any more.
    pub async fn delete_image(
        &self,
        claims: AccessClaims,
        id: UserId,
        request: Request,
    ) -> Result<(), Error> {
        let before = self.read_user(claims, id).await?.profile_image;
        let change = self.change(Some(claims.user_id), request);
        self.ports.profile_images.remove(id, &change).await.map_err(|error| match error {
            RemoveImageError::NotFound => Error::UserNotFound,
            RemoveImageError::NoImage => Error::NoImage,
            RemoveImageError::Unavailable(error) => Error::Unavailable(error),
        })?;
        tracing::info!(
            event = "image deleted",
            user = %id,
            by = %claims.user_id,
            %request,
            "a profile image was deleted"
        );
        if let Some(before) = before.as_ref().and_then(ProfileImage::stored) {
            self.remove_images_at_once(id, Some(&before.store), request).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, EPOCH, NOW, REQUEST, World, image, unavailable, user};
    use super::*;
    use crate::entities::User;
    use crate::ports::{CallerAnswer, PendingRemoval};
    use crate::values::Role;

    fn world_with_image() -> World {
        let mut world = World::new();
        world.accounts.expect_caller().returning(|_, _| {
            let caller = User { profile_image: Some(image(1).into()), ..user(ANN, Role::Regular) };
            Ok(CallerAnswer { caller: Some(caller), epoch: EPOCH, session_lives: true, named: None })
        });
        world
            .profile_images
            .expect_remove()
            .withf(|id, change| *id == ANN && change.actor == Some(ANN))
            .times(1)
            .returning(|_, _| Ok(()));
        world
    }

    #[tokio::test]
    async fn the_image_goes_at_once() {
        let mut world = world_with_image();
        let left = PendingRemoval { owner: ANN, image: image(1), due: NOW };
        world.profile_images.expect_due().times(1).returning(move |_, _, _, _| Ok(vec![left.clone()]));
        world.images.expect_remove().withf(|key| *key == image(1).key).times(1).returning(|_| Ok(()));
        world.profile_images.expect_done().times(1).returning(|_| Ok(()));
        world.roster().delete_image(CLAIMS, ANN, REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn the_deletion_stands_where_the_image_can_not_be_removed_yet() {
        let mut world = world_with_image();
        world.profile_images.expect_due().returning(|_, _, _, _| Err(unavailable()));
        world.roster().delete_image(CLAIMS, ANN, REQUEST).await.unwrap();
    }

    #[tokio::test]
    async fn a_user_without_an_image_is_told_from_nobody() {
        let mut world = World::with_caller(Role::Admin);
        world.profile_images.expect_remove().returning(|_, _| Err(RemoveImageError::NoImage));
        let roster = world.roster();
        assert!(matches!(roster.delete_image(CLAIMS, BEN, REQUEST).await, Err(Error::NoImage)));
        let nobody = roster.delete_image(CLAIMS, UserId::from_bytes([8; 12]), REQUEST).await;
        assert!(matches!(nobody, Err(Error::UserNotFound)));
    }

    #[tokio::test]
    async fn a_regular_user_is_refused_anothers_image() {
        let deleted = World::with_caller(Role::Regular).roster().delete_image(CLAIMS, BEN, REQUEST).await;
        assert!(matches!(deleted, Err(Error::Forbidden)));
    }
}
