use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use roster_domain::entities::Change;
use roster_domain::ports::{PendingRemoval, ProfileImages, RemoveImageError, SetImageError, Unavailable};
use roster_domain::values::{ImageRef, OwnImage, ProfileImage, StoreName, Timestamp, UserId};

use super::MemoryStore;

#[async_trait]
impl ProfileImages for MemoryStore {
    async fn set(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let mut state = self.lock();
        if state.live(user).is_none() {
            return Err(SetImageError::NotFound);
        }
        if !state.removals.get(&image.image).is_some_and(|removal| removal.owner == user && !removal.returned)
        {
            return Err(SetImageError::ReservationLost);
        }
        state.removals.remove(&image.image);
        let account = state.live_mut(user).ok_or(SetImageError::NotFound)?;
        let before = account.user.profile_image.replace(image.clone().into());
        if let Some(ProfileImage::Stored(before)) = before {
            state.leave_to_removals(user, before.image, change.at);
        }
        Ok(())
    }

    async fn remove(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let mut state = self.lock();
        let account = state.live_mut(user).ok_or(RemoveImageError::NotFound)?;
        let before = account.user.profile_image.take().ok_or(RemoveImageError::NoImage)?;
        if let ProfileImage::Stored(before) = before {
            state.leave_to_removals(user, before.image, change.at);
        }
        Ok(())
    }

    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        _change: &Change,
    ) -> Result<(), Unavailable> {
        self.lock().leave_to_removals(owner, image.clone(), due);
        Ok(())
    }

    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.image));
        let mut state = self.lock();
        let due = state
            .removals
            .range_mut((from, Bound::Unbounded))
            .filter(|(image, removal)| image.store == *store && removal.due <= now);
        let returned = due.take(limit).map(|(image, removal)| {
            removal.returned = true;
            PendingRemoval { owner: removal.owner, image: image.clone(), due: removal.due }
        });
        Ok(returned.collect())
    }

    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable> {
        let stores: BTreeSet<_> = self.lock().removals.keys().map(|image| image.store.clone()).collect();
        Ok(stores.into_iter().collect())
    }

    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable> {
        self.lock().removals.remove(&removal.image);
        Ok(())
    }
}
