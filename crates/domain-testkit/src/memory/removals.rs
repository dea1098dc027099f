use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use roster_domain::entities::Change;
use roster_domain::ports::{ImageRemovals, PendingRemoval, Unavailable};
use roster_domain::values::{ImageRef, StoreName, Timestamp, UserId};

use super::MemoryStore;

#[async_trait]
impl ImageRemovals for MemoryStore {
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
