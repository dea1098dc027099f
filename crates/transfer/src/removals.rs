use std::time::Duration;

use futures_util::{TryStreamExt as _, stream};
use roster_domain::ports::{ProfileImages, Unavailable};
use roster_domain::values::{StoreName, Timestamp};

use crate::transfer::{BATCH, Transfer};

/// How many removals are written at once: each is a write of its own, which waits for a disk.
const AT_ONCE: usize = 32;

/// Later than anything is due.
const CENTURY: Duration = Duration::from_hours(24 * 36_525);

/// Carries over which images are still to be removed, and answers how many. Not those of a store whose images are moved: what
/// nobody has is not moved, and stays behind with all the rest.
pub(crate) async fn carry_over(transfer: &Transfer) -> Result<u64, Unavailable> {
    let Transfer { source, target, images, .. } = transfer;
    let change = transfer.change();
    let later = change.at.plus(CENTURY);
    // What an earlier run carried over, and images that an account had there before it was written anew: in no other place
    // than the one that images are moved to is any of them the target's own.
    for store in target.profile_images.stores().await? {
        if images.as_ref().is_none_or(|images| images.to.name() != store) {
            forget(target.profile_images.as_ref(), &store, later).await?;
        }
    }
    let (mut carried, mut after) = (0, None);
    loop {
        let removals = source.removals(after, BATCH).await?;
        let to_carry = removals
            .iter()
            .filter(|removal| images.as_ref().is_none_or(|images| images.from.name() != removal.image.store));
        carried += to_carry.clone().count() as u64;
        stream::iter(to_carry.map(Ok))
            .try_for_each_concurrent(AT_ONCE, |removal| {
                target.profile_images.reserve(removal.owner, &removal.image, removal.due, &change)
            })
            .await?;
        let Some(last) = removals.last() else { return Ok(carried) };
        after = Some(last.clone());
    }
}

/// Forgets all removals from that store.
async fn forget(images: &dyn ProfileImages, store: &StoreName, later: Timestamp) -> Result<(), Unavailable> {
    loop {
        let due = images.due(store, later, None, BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        stream::iter(due.iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |removal| images.done(removal))
            .await?;
    }
}
