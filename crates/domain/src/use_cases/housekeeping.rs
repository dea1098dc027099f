use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Roster;
use crate::entities::Request;
use crate::ports::{Expired, ImageStore, Interrupted, PendingRemoval};
use crate::values::{StoreName, UserId};
use crate::{Chain, Error};

/// How many users [`Roster::purge_expired_trash`] purges at a time.
pub const PURGE_BATCH: usize = 100;

/// How many removals are read at a time.
const REMOVAL_BATCH: usize = 100;

/// After how many failures a store is left alone until the next run: where it does not answer, every further image would
/// wait as long.
const REMOVAL_FAILURES: usize = 10;

/// How long who has released an image waits for its removal.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How far [`Roster::remove_images`] has come, over any number of runs.
#[derive(Debug, Default)]
pub struct RemovalProgress {
    /// Behind which removal the next run begins, for each store that the last one has left alone: images that can't be
    /// removed must not keep all the others for ever.
    left_at: HashMap<StoreName, PendingRemoval>,
    removed: u64,
}

impl RemovalProgress {
    /// How many images were removed, also by runs that failed.
    #[must_use]
    pub const fn removed(&self) -> u64 {
        self.removed
    }
}

impl Roster {
    /// How many have been in the trash for longer than the retention, and when they are purged: to be told before they are.
    pub async fn expired_trash(&self) -> Result<Expired, Error> {
        let now = self.ports.clock.now();
        Ok(self.ports.trash.expired(now.minus(self.rules.trash_retention), now).await?)
    }

    /// Purges one batch of the users who have been in the trash for longer than the retention, and returns how many. Where
    /// it is not 0 there may be more.
    pub async fn purge_expired_trash(&self, request: Request) -> Result<usize, Error> {
        let change = self.change(None, request);
        let cutoff = change.at.minus(self.rules.trash_retention);
        let tell = |purged: &[UserId]| {
            metrics::counter!("roster_users_purged_total").increment(purged.len() as u64);
            for user in purged {
                tracing::info!(
                    event = "user purged",
                    %user,
                    by = "retention",
                    %request,
                    "a user was deleted for good: too long in the trash"
                );
            }
        };
        match self.ports.trash.purge_expired(cutoff, PURGE_BATCH, &change).await {
            Ok(purged) => {
                tell(&purged);
                Ok(purged.len())
            }
            Err(Interrupted { done, in_doubt, unavailable }) => {
                tell(&done);
                for user in in_doubt {
                    tracing::warn!(
                        event = "user perhaps purged", %user, by = "retention", %request,
                        "the store did not say whether it was"
                    );
                }
                // The next batch begins at what failed, and tells.
                if done.is_empty() { Err(unavailable.into()) } else { Ok(done.len()) }
            }
        }
    }

    /// Removes the images that are to be removed, and counts them in the progress. A store that fails too often is left alone;
    /// the next run with the same progress tries the others there first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where an image could not be removed; those in other stores are removed all the same, and the
    /// rest stay due.
    pub async fn remove_images(&self, progress: &mut RemovalProgress, request: Request) -> Result<(), Error> {
        let mut failure = None;
        for store in self.image_stores() {
            let failed = self.remove_images_from(store, progress, request).await?;
            failure = failure.or(failed);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Removes what a change has just released, where that can be done at once: that owner's, from that store or from any.
    /// The change stands whatever becomes of this: the job removes what is left, and tells why it can't. Nobody waits for
    /// others' images, nor long for a store that does not answer.
    pub(super) async fn remove_images_at_once(
        &self,
        owner: UserId,
        from: Option<&StoreName>,
        request: Request,
    ) {
        let removal = pin!(self.remove_images_of(owner, from, request));
        match select(removal, self.ports.clock.sleep(AT_ONCE)).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(error), _)) => {
                tracing::debug!(
                    event = "image removal put off",
                    error = %Chain(&error),
                    %request,
                    "an image could not be removed; it is tried again"
                );
            }
            Either::Right(_) => tracing::debug!(event = "image removal put off", %request, "it takes long"),
        }
    }

    /// The stores that images are to be removed from and that are not configured (any more). What is to be removed there stays
    /// so until they are; nobody looks at it meanwhile.
    pub async fn removals_out_of_reach(&self) -> Result<Vec<StoreName>, Error> {
        let stores = self.ports.profile_images.stores().await?;
        Ok(stores.into_iter().filter(|store| self.image_store(store).is_none()).collect())
    }

    /// Removes what is due in one store, from where the last run left off to the end and then from the beginning. Returns
    /// one failure, if there was any.
    async fn remove_images_from(
        &self,
        store: &dyn ImageStore,
        progress: &mut RemovalProgress,
        request: Request,
    ) -> Result<Option<Error>, Error> {
        let (name, now) = (store.name(), self.ports.clock.now());
        let mut after = progress.left_at.remove(&name);
        let (mut from_beginning, mut failures) = (after.is_none(), Vec::new());
        loop {
            let due = self.ports.profile_images.due(&name, now, after, REMOVAL_BATCH).await?;
            for removal in &due {
                match self.remove_image(store, removal, request).await {
                    Ok(()) => progress.removed += 1,
                    Err(error) => failures.push(error),
                }
                if failures.len() >= REMOVAL_FAILURES {
                    progress.left_at.insert(name, removal.clone());
                    return Ok(failures.pop());
                }
            }
            let is_end = due.len() < REMOVAL_BATCH;
            if is_end && from_beginning {
                return Ok(failures.pop());
            }
            from_beginning |= is_end;
            after = due.into_iter().next_back().filter(|_| !is_end);
        }
    }

    /// Removes what that owner has released, as far as it is among the first that are due. `due` has to return it before:
    /// only then it can't become anybody's image any more.
    async fn remove_images_of(
        &self,
        owner: UserId,
        from: Option<&StoreName>,
        request: Request,
    ) -> Result<(), Error> {
        for store in self.image_stores().filter(|store| from.is_none_or(|from| store.name() == *from)) {
            let now = self.ports.clock.now();
            let due = self.ports.profile_images.due(&store.name(), now, None, REMOVAL_BATCH).await?;
            for removal in due.iter().filter(|removal| removal.owner == owner) {
                self.remove_image(store, removal, request).await?;
            }
        }
        Ok(())
    }

    async fn remove_image(
        &self,
        store: &dyn ImageStore,
        removal: &PendingRemoval,
        request: Request,
    ) -> Result<(), Error> {
        store.remove(&removal.image.key).await?;
        self.ports.profile_images.done(removal).await?;
        metrics::counter!("roster_images_removed_total").increment(1);
        tracing::info!(
            event = "image removed",
            user = %removal.owner,
            %request,
            "an image that no user has was removed"
        );
        Ok(())
    }

    /// Those that are configured. One that serves both kinds of uploads stands here once.
    pub(super) fn image_stores(&self) -> impl Iterator<Item = &dyn ImageStore> {
        let images = self.ports.images.as_ref();
        let s3 = self.ports.s3_images.as_deref().filter(|s3| s3.name() != images.name());
        [Some(images), s3].into_iter().flatten()
    }

    pub(super) fn image_store(&self, name: &StoreName) -> Option<&dyn ImageStore> {
        self.image_stores().find(|store| store.name() == *name)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::super::testing::{ANN, BEN, NOW, REQUEST, World, image, unavailable};
    use super::*;
    use crate::ports::{Spool, StoredImage, Unavailable};
    use crate::values::{ImageKey, OriginalImage};

    fn removal(name: u8) -> PendingRemoval {
        PendingRemoval { owner: ANN, image: image(name), due: NOW }
    }

    #[tokio::test]
    async fn what_is_older_than_the_retention_is_purged() {
        let mut world = World::new();
        world
            .trash
            .expect_purge_expired()
            .withf(|cutoff, _, change| {
                *cutoff == NOW.minus(Duration::from_hours(30 * 24)) && change.actor.is_none()
            })
            .times(1)
            .returning(|_, _, _| Ok(vec![ANN, BEN]));
        assert_eq!(world.roster().purge_expired_trash(REQUEST).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn what_is_older_than_the_retention_is_counted_as_it_is_purged() {
        let mut world = World::new();
        let expired = Expired { due: 2, spared: 1, spared_until: Some(NOW.plus(Duration::from_hours(1))) };
        world
            .trash
            .expect_expired()
            .withf(|cutoff, now| *cutoff == NOW.minus(Duration::from_hours(30 * 24)) && *now == NOW)
            .times(1)
            .returning(move |_, _| Ok(expired));
        assert_eq!(world.roster().expired_trash().await.unwrap(), expired);
    }

    #[tokio::test]
    async fn those_who_were_purged_before_a_failure_count_and_a_failure_alone_is_one() {
        for (done, purged) in [(vec![ANN, BEN], Some(2)), (Vec::new(), None)] {
            let mut world = World::new();
            world.trash.expect_purge_expired().returning(move |_, _, _| {
                Err(Interrupted { done: done.clone(), in_doubt: Vec::new(), unavailable: unavailable() })
            });
            assert_eq!(world.roster().purge_expired_trash(REQUEST).await.ok(), purged);
        }
    }

    #[tokio::test]
    async fn an_image_is_removed_before_its_removal_is_forgotten() {
        let mut order = mockall::Sequence::new();
        let mut world = World::new();
        world
            .profile_images
            .expect_due()
            .withf(|store, now, after, _| store.as_str() == "file" && *now == NOW && after.is_none())
            .times(1)
            .returning(|_, _, _, _| Ok(vec![removal(1)]));
        world.images.expect_remove().times(1).in_sequence(&mut order).returning(|_| Ok(()));
        world
            .profile_images
            .expect_done()
            .withf(|done| *done == removal(1))
            .times(1)
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        let mut progress = RemovalProgress::default();
        world.roster().remove_images(&mut progress, REQUEST).await.unwrap();
        assert_eq!(progress.removed(), 1);
    }

    #[tokio::test]
    async fn an_image_that_can_not_be_removed_stays_due_is_told_and_holds_up_no_other() {
        let mut world = World::new();
        world.profile_images.expect_due().returning(|_, _, _, _| Ok(vec![removal(1), removal(2)]));
        world.images.expect_remove().withf(|key| *key == image(1).key).returning(|_| Err(unavailable()));
        world.images.expect_remove().withf(|key| *key == image(2).key).times(1).returning(|_| Ok(()));
        world.profile_images.expect_done().withf(|done| *done == removal(2)).times(1).returning(|_| Ok(()));
        let mut progress = RemovalProgress::default();
        assert!(matches!(
            world.roster().remove_images(&mut progress, REQUEST).await,
            Err(Error::Unavailable(_))
        ));
        assert_eq!(progress.removed(), 1);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_left_alone_until_the_next_run() {
        let mut world = World::new();
        let all: Vec<_> = (0..100).map(removal).collect();
        world.profile_images.expect_due().times(1).returning(move |_, _, _, _| Ok(all.clone()));
        world.images.expect_remove().times(REMOVAL_FAILURES).returning(|_| Err(unavailable()));
        assert!(matches!(
            world.roster().remove_images(&mut RemovalProgress::default(), REQUEST).await,
            Err(Error::Unavailable(_))
        ));
    }

    #[tokio::test]
    async fn images_that_can_not_be_removed_keep_those_behind_them_no_longer_than_until_the_next_run() {
        const STUCK: u8 = 10;
        let mut world = World::new();
        world.profile_images.expect_due().returning(|_, _, after, _| {
            let first = after.map_or(0, |after| (0..12).find(|name| removal(*name) == after).unwrap() + 1);
            Ok((first..12).map(removal).collect())
        });
        let is_stuck = |key: &ImageKey| (0..STUCK).any(|name| *key == image(name).key);
        world.images.expect_remove().withf(is_stuck).times(20).returning(|_| Err(unavailable()));
        world.images.expect_remove().withf(move |key| !is_stuck(key)).times(2).returning(|_| Ok(()));
        world.profile_images.expect_done().times(2).returning(|_| Ok(()));
        let (roster, mut progress) = (world.roster(), RemovalProgress::default());
        // The second run is told of those, too: it has come round to them.
        for _ in 0..2 {
            assert!(matches!(roster.remove_images(&mut progress, REQUEST).await, Err(Error::Unavailable(_))));
        }
    }

    #[tokio::test]
    async fn who_releases_an_image_does_not_wait_for_others() {
        let mut world = World::new();
        let others = (1..9).map(|name| PendingRemoval { owner: BEN, ..removal(name) });
        let all: Vec<_> = others.chain([removal(9)]).collect();
        world.profile_images.expect_due().times(1).returning(move |_, _, _, _| Ok(all.clone()));
        world.images.expect_remove().withf(|key| *key == image(9).key).times(1).returning(|_| Ok(()));
        world.profile_images.expect_done().withf(|done| *done == removal(9)).times(1).returning(|_| Ok(()));
        world.roster().remove_images_at_once(ANN, None, REQUEST).await;
    }

    /// A store that never answers.
    struct Hanging;

    #[async_trait]
    impl ImageStore for Hanging {
        fn name(&self) -> StoreName {
            StoreName::new("file")
        }
        async fn put(&self, _: &ImageKey, _: Spool) -> Result<(), Unavailable> {
            pending().await
        }
        async fn open(&self, _: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
            pending().await
        }
        async fn open_original(&self, _: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
            pending().await
        }
        async fn remove(&self, _: &ImageKey) -> Result<(), Unavailable> {
            pending().await
        }
    }

    #[tokio::test]
    async fn who_releases_an_image_does_not_wait_for_a_store_that_does_not_answer() {
        let mut world = World::new();
        world.profile_images.expect_due().times(1).returning(|_, _, _, _| Ok(vec![removal(1)]));
        let mut roster = world.roster();
        roster.ports.images = Arc::new(Hanging);
        roster.remove_images_at_once(ANN, None, REQUEST).await;
    }

    #[tokio::test]
    async fn behind_a_whole_batch_there_may_be_more() {
        let mut world = World::new();
        let all: Vec<_> = (0..100).map(removal).collect();
        let last = all[99].clone();
        world
            .profile_images
            .expect_due()
            .withf(|_, _, after, _| after.is_none())
            .times(1)
            .returning(move |_, _, _, _| Ok(all.clone()));
        world
            .profile_images
            .expect_due()
            .withf(move |_, _, after, _| *after == Some(last.clone()))
            .times(1)
            .returning(|_, _, _, _| Ok(vec![removal(100)]));
        world.images.expect_remove().times(101).returning(|_| Ok(()));
        world.profile_images.expect_done().times(101).returning(|_| Ok(()));
        let mut progress = RemovalProgress::default();
        world.roster().remove_images(&mut progress, REQUEST).await.unwrap();
        assert_eq!(progress.removed(), 101);
    }

    #[tokio::test]
    async fn a_store_that_is_not_configured_is_told_of_and_not_asked_for() {
        let mut world = World::new();
        let stores = || Ok(vec![StoreName::new("file"), StoreName::new("s3://gone")]);
        world.profile_images.expect_stores().returning(stores);
        world
            .profile_images
            .expect_due()
            .withf(|store, _, _, _| store.as_str() == "file")
            .times(1)
            .returning(|_, _, _, _| Ok(Vec::new()));
        let roster = world.roster();
        assert_eq!(roster.removals_out_of_reach().await.unwrap(), [StoreName::new("s3://gone")]);
        let mut progress = RemovalProgress::default();
        roster.remove_images(&mut progress, REQUEST).await.unwrap();
        assert_eq!(progress.removed(), 0);
    }
}
