use std::collections::HashMap;

use roster_domain::entities::{Account, Change};
use roster_domain::ports::{AccountArchive, AccountSource};
use roster_domain::values::UserId;
use tokio::try_join;

use crate::error::TransferError;
use crate::images::{Compared, ImageMove, compare_images, copy_images, expected};
use crate::progress::{Phase, Progress};
use crate::transfer::{BATCH, Transfer};

/// What the copying came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Copied {
    /// How many accounts were written.
    pub written: u64,
    /// How many were there already, as they should be.
    pub there: u64,
}

/// What the comparison came to.
#[derive(Debug, Default)]
pub struct Equal {
    /// How many accounts are equal in both stores.
    pub accounts: u64,
    /// How many of them are in the trash.
    pub in_trash: u64,
    /// What was found of their images.
    pub images: Compared,
}

/// Looks through the target, and refuses it where somebody in it is not in the source.
pub(crate) async fn refuse_others(
    source: &dyn AccountSource,
    target: &dyn AccountArchive,
) -> Result<(), TransferError> {
    let (mut after, mut ours, mut read_to) = (None, Vec::new().into_iter().peekable(), None);
    loop {
        let batch = target.read(after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        after = Some(last.user.id);
        for theirs in batch.iter().map(|account| account.user.id) {
            // Both are in the order of ids.
            loop {
                match ours.peek() {
                    Some(id) if *id < theirs => drop(ours.next()),
                    Some(id) if *id == theirs => break,
                    Some(_) => return Err(TransferError::Stranger(theirs)),
                    None => {
                        let next = read(source, read_to).await?;
                        let Some(last) = next.last() else { return Err(TransferError::Stranger(theirs)) };
                        read_to = Some(last.user.id);
                        let ids: Vec<UserId> = next.iter().map(|account| account.user.id).collect();
                        ours = ids.into_iter().peekable();
                    }
                }
            }
        }
    }
}

/// Writes what is not in the target as it is in the source.
pub(crate) async fn copy(
    transfer: &Transfer,
    total: u64,
    progress: &mut dyn Progress,
) -> Result<Copied, TransferError> {
    let (source, change) = (transfer.source.as_ref(), transfer.change());
    progress.begin(Phase::Copy, total);
    let (mut copied, mut is_behind_all) = (Copied::default(), false);
    let (mut after, mut batch) = (None, read(source, None).await?);
    while let Some(last) = batch.last().map(|account| account.user.id) {
        // The next are read while these are written.
        let (written, next) = try_join!(
            copy_batch(transfer, &batch, after, &mut is_behind_all, &change),
            read(source, Some(last))
        )?;
        copied.written += written as u64;
        copied.there += (batch.len() - written) as u64;
        progress.advance(batch.len() as u64).map_err(TransferError::Progress)?;
        (after, batch) = (Some(last), next);
    }
    progress.end();
    Ok(copied)
}

/// Writes those of a batch, which begins behind `after`, that are not there as they should be, and answers how many. Who is in the
/// trash is written whatever is there, so that it has arrived at `change.at`: a service that starts on a copy must not purge at once.
async fn copy_batch(
    transfer: &Transfer,
    batch: &[Account],
    after: Option<UserId>,
    is_behind_all: &mut bool,
    change: &Change,
) -> Result<usize, TransferError> {
    let Transfer { target, images, .. } = transfer;
    let there =
        if *is_behind_all { HashMap::new() } else { by_id(target.archive.read(after, batch.len()).await?) };
    *is_behind_all |= there.is_empty();
    // Of everybody: an image may have been missing when its account was written.
    if let Some(images) = images {
        copy_images(images, batch).await?;
    }
    let moved = batch.iter().map(|account| expected(account, images.as_ref()));
    let (missing, there): (Vec<Account>, Vec<Account>) =
        moved.partition(|moved| there.get(&moved.user.id) != Some(moved));
    let written = missing.len();
    let in_trash = there.into_iter().filter(|account| account.trash.is_some());
    let to_write: Vec<Account> = missing.into_iter().chain(in_trash).collect();
    if !to_write.is_empty() {
        target.archive.write(&to_write, change).await?;
    }
    Ok(written)
}

async fn read(source: &dyn AccountSource, after: Option<UserId>) -> Result<Vec<Account>, TransferError> {
    Ok(source.read(after, BATCH).await?)
}

fn by_id(accounts: Vec<Account>) -> HashMap<UserId, Account> {
    accounts.into_iter().map(|account| (account.user.id, account)).collect()
}

/// Reads both again, and fails at the first difference.
pub(crate) async fn compare(
    transfer: &Transfer,
    total: u64,
    progress: &mut dyn Progress,
) -> Result<Equal, TransferError> {
    let Transfer { source, target, images, .. } = transfer;
    progress.begin(Phase::Comparison, total);
    let (mut equal, mut after) = (Equal::default(), None);
    loop {
        let theirs = async { Ok::<_, TransferError>(target.archive.read(after, BATCH).await?) };
        let (ours, theirs) = try_join!(read(source.as_ref(), after), theirs)?;
        if let Some(difference) = first_difference(&ours, &theirs, images.as_ref()) {
            return Err(difference);
        }
        let Some(last) = ours.last() else { break };
        after = Some(last.user.id);
        compare_images(images.as_ref(), &ours, &mut equal.images).await?;
        equal.accounts += ours.len() as u64;
        equal.in_trash += ours.iter().filter(|account| account.trash.is_some()).count() as u64;
        progress.advance(ours.len() as u64).map_err(TransferError::Progress)?;
    }
    progress.end();
    Ok(equal)
}

/// The first who is in one batch and not, or not the same, in the other.
fn first_difference(
    ours: &[Account],
    theirs: &[Account],
    images: Option<&ImageMove>,
) -> Option<TransferError> {
    let mut theirs = theirs.iter();
    for one in ours {
        match theirs.next() {
            Some(other) if expected(one, images) == *other => {}
            Some(other) if other.user.id < one.user.id => {
                return Some(TransferError::InTargetAlone(other.user.id));
            }
            _ => return Some(TransferError::Unequal(one.user.id)),
        }
    }
    theirs.next().map(|other| TransferError::InTargetAlone(other.user.id))
}

#[cfg(test)]
mod tests {
    use roster_domain::values::Role;
    use roster_domain_testkit::fixtures::account;

    use super::*;

    #[test]
    fn who_is_in_the_target_alone_is_told_apart_from_who_is_not_the_same() {
        let all: Vec<Account> = ["ann", "bob", "carol"].map(account).to_vec();
        let ids: Vec<UserId> = all.iter().map(|account| account.user.id).collect();
        let mut changed = all.clone();
        changed[1].user.role = Role::Admin;
        let all = all.as_slice();
        for (ours, theirs, difference) in [
            (all, all, None),
            (all, changed.as_slice(), Some(TransferError::Unequal(ids[1]))),
            (all, &all[..2], Some(TransferError::Unequal(ids[2]))),
            (all, &all[1..], Some(TransferError::Unequal(ids[0]))),
            (&all[..2], all, Some(TransferError::InTargetAlone(ids[2]))),
            (&all[1..], all, Some(TransferError::InTargetAlone(ids[0]))),
            (&all[..0], all, Some(TransferError::InTargetAlone(ids[0]))),
        ] {
            let found = first_difference(ours, theirs, None);
            assert_eq!(format!("{found:?}"), format!("{difference:?}"));
        }
    }
}
