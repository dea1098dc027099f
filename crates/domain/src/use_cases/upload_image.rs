use std::sync::Arc;
use std::time::Duration;

use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::ports::{AccessClaims, ImageStore, SetImageError, Spool, Unavailable};
use crate::values::{ImageKey, ImageRef, OwnImage, ProfileImage};

/// How long an image may take from its reservation to its commit. Past that it is removed, so it is far more than any
/// store's deadline.
const RESERVATION: Duration = Duration::from_mins(15);

/// Which store an image goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadTarget {
    /// The one that is configured for profile images.
    Default,
    /// The S3 one.
    S3,
}

impl Roster {
    /// Whether that caller may upload an image there: to be asked before any of it is read.
    ///
    /// # Errors
    /// [`Error::NotAuthenticated`] for a caller who is gone or whose session has ended; [`Error::NoImageStore`].
    pub async fn admit_upload(&self, claims: AccessClaims, target: UploadTarget) -> Result<(), Error> {
        self.caller(claims, None).await?;
        self.upload_store(target).map(drop)
    }

    fn upload_store(&self, target: UploadTarget) -> Result<&Arc<dyn ImageStore>, Error> {
        match target {
            UploadTarget::Default => Ok(&self.ports.images),
            UploadTarget::S3 => self.ports.s3_images.as_ref().ok_or(Error::NoImageStore),
        }
    }

    /// Makes a clean image of an uploaded file the caller's profile image; the one before goes.
    ///
    /// First the promise to remove it is kept, then the image, then the user's reference, which takes the promise back: a
    /// crash between any two leaves nothing that is not removed in time.
    pub async fn upload_image(
        &self,
        claims: AccessClaims,
        target: UploadTarget,
        file: Spool,
        request: Request,
    ) -> Result<ImageRef, Error> {
        let (caller, _) = self.caller(claims, None).await?;
        let store = self.upload_store(target)?;
        let processed = self.ports.processor.process(caller.id, file).await?;

        let key = ImageKey::new(caller.id, self.ports.ids.image_name(), processed.format);
        let image = ImageRef { store: store.name(), key };
        let change = self.change(Some(caller.id), request);
        self.ports.profile_images.reserve(caller.id, &image, change.at.plus(RESERVATION), &change).await?;
        store.put(&image.key, processed.image).await?;
        let own = OwnImage { image, checksum: Some(processed.checksum) };
        self.ports.profile_images.set(caller.id, &own, &change).await.map_err(|error| match error {
            SetImageError::NotFound => Error::NotAuthenticated,
            lost @ SetImageError::ReservationLost => Unavailable::new("image reservation", lost).into(),
            SetImageError::Unavailable(error) => Error::Unavailable(error),
        })?;
        tracing::info!(event = "image uploaded", user = %caller.id, %request, "a profile image was uploaded");
        if let Some(before) = caller.profile_image.as_ref().and_then(ProfileImage::stored) {
            self.remove_images_at_once(caller.id, Some(&before.store), request).await;
        }
        Ok(own.image)
    }
}

#[cfg(test)]
mod tests {
    use mockall::Sequence;

    use super::super::testing::{ANN, CLAIMS, EPOCH, NOW, REQUEST, World, image, spool, unavailable, user};
    use super::*;
    use crate::entities::User;
    use crate::ports::{CallerAnswer, NoRoom, PendingRemoval, ProcessError, ProcessedImage};
    use crate::values::{Checksum, ImageFormat, Role};

    /// What is made of an upload: 7 bytes.
    fn clean() -> ProcessedImage {
        let image = Spool::new(|_, _| Ok(0), 7);
        ProcessedImage { image, format: ImageFormat::Png, checksum: Checksum::of(b"picture") }
    }

    async fn upload(world: World, target: UploadTarget) -> Result<ImageRef, Error> {
        world.roster().upload_image(CLAIMS, target, spool(), REQUEST).await
    }

    #[tokio::test]
    async fn the_removal_is_promised_before_the_image_is_stored_and_the_image_is_stored_before_it_is_the_users()
     {
        let mut order = Sequence::new();
        let mut world = World::with_caller(Role::Regular);
        world
            .processor
            .expect_process()
            .withf(|owner, _| *owner == ANN)
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _| Ok(clean()));
        world
            .profile_images
            .expect_reserve()
            .withf(|owner, reserved, due, _| *owner == ANN && *reserved == image(4) && *due > NOW)
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _, _, _| Ok(()));
        world
            .images
            .expect_put()
            .withf(|key, stored| *key == image(4).key && stored.length() == 7)
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _| Ok(()));
        world
            .profile_images
            .expect_set()
            .withf(|owner, set, _| {
                let checksum = Some(Checksum::of(b"picture"));
                *owner == ANN && *set == OwnImage { image: image(4), checksum }
            })
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _, _| Ok(()));
        assert_eq!(upload(world, UploadTarget::Default).await.unwrap(), image(4));
    }

    #[tokio::test]
    async fn the_image_before_goes_at_once() {
        let mut world = World::new();
        world.accounts.expect_caller().returning(|_, _| {
            let caller = User { profile_image: Some(image(1).into()), ..user(ANN, Role::Regular) };
            Ok(CallerAnswer { caller: Some(caller), epoch: EPOCH, session_lives: true, named: None })
        });
        world.processor.expect_process().returning(|_, _| Ok(clean()));
        world.profile_images.expect_reserve().returning(|_, _, _, _| Ok(()));
        world.images.expect_put().returning(|_, _| Ok(()));
        world.profile_images.expect_set().returning(|_, _, _| Ok(()));
        let left = PendingRemoval { owner: ANN, image: image(1), due: NOW };
        world.profile_images.expect_due().times(1).returning(move |_, _, _, _| Ok(vec![left.clone()]));
        world.images.expect_remove().withf(|key| *key == image(1).key).times(1).returning(|_| Ok(()));
        world.profile_images.expect_done().times(1).returning(|_| Ok(()));
        upload(world, UploadTarget::Default).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_is_gone_or_asks_for_a_store_that_is_not_there_is_not_admitted() {
        let admit = |world: World, target| async move { world.roster().admit_upload(CLAIMS, target).await };
        admit(World::with_caller(Role::Regular), UploadTarget::Default).await.unwrap();
        let no_store = admit(World::with_caller(Role::Regular), UploadTarget::S3).await;
        assert!(matches!(no_store, Err(Error::NoImageStore)));
        for target in [UploadTarget::Default, UploadTarget::S3] {
            let mut world = World::new();
            let gone = || CallerAnswer { caller: None, epoch: EPOCH, session_lives: true, named: None };
            world.accounts.expect_caller().returning(move |_, _| Ok(gone()));
            assert!(matches!(admit(world, target).await, Err(Error::NotAuthenticated)));
        }
    }

    #[tokio::test]
    async fn a_file_that_has_no_room_is_the_users_fault_or_load() {
        for (no_room, is_own) in [(NoRoom::ForUser, true), (NoRoom::ForAll, false)] {
            let mut world = World::with_caller(Role::Regular);
            world.processor.expect_process().returning(move |_, _| Err(no_room.into()));
            let error = upload(world, UploadTarget::Default).await.unwrap_err();
            assert_eq!(matches!(error, Error::RateLimited { .. }), is_own, "{error:?}");
            assert_eq!(matches!(error, Error::Overloaded), !is_own, "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_refused_file_is_neither_promised_nor_stored() {
        let mut world = World::with_caller(Role::Regular);
        world.processor.expect_process().returning(|_, _| Err(ProcessError::Damaged));
        assert!(matches!(upload(world, UploadTarget::Default).await, Err(Error::DamagedImage)));
    }

    #[tokio::test]
    async fn a_file_that_waited_too_long_for_others_is_load_and_no_outage() {
        let mut world = World::with_caller(Role::Regular);
        world.processor.expect_process().returning(|_, _| Err(ProcessError::Overloaded));
        assert!(matches!(upload(world, UploadTarget::Default).await, Err(Error::Overloaded)));
    }

    #[tokio::test]
    async fn a_reservation_that_ran_out_is_told_by_its_own_name() {
        let mut world = World::with_caller(Role::Regular);
        world.processor.expect_process().returning(|_, _| Ok(clean()));
        world.profile_images.expect_reserve().returning(|_, _, _, _| Ok(()));
        world.images.expect_put().returning(|_, _| Ok(()));
        world.profile_images.expect_set().returning(|_, _, _| Err(SetImageError::ReservationLost));
        let Err(Error::Unavailable(error)) = upload(world, UploadTarget::Default).await else {
            panic!("not unavailable")
        };
        assert_eq!(error.store, "image reservation");
    }

    #[tokio::test]
    async fn an_image_that_is_not_stored_does_not_become_the_users() {
        let mut world = World::with_caller(Role::Regular);
        world.processor.expect_process().returning(|_, _| Ok(clean()));
        world.profile_images.expect_reserve().returning(|_, _, _, _| Ok(()));
        world.images.expect_put().returning(|_, _| Err(unavailable()));
        assert!(matches!(upload(world, UploadTarget::Default).await, Err(Error::Unavailable(_))));
    }

    #[tokio::test]
    async fn without_an_s3_store_none_is_uploaded_to() {
        assert!(matches!(
            upload(World::with_caller(Role::Regular), UploadTarget::S3).await,
            Err(Error::NoImageStore)
        ));
    }
}
