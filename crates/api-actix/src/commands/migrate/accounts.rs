use std::collections::HashMap;

use roster_domain::entities::Account;
use roster_domain::ports::AccountArchive;
use roster_domain::values::UserId;

use super::images::{Compared, ImageMove, compare_images, copy_images, expected};
use super::opened::Opened;
use super::progress::Progress;
use super::{BATCH, stopped};
use crate::Failure;

/// What the copying came to.
pub(super) struct Copied {
    pub(super) written: u64,
    pub(super) there: u64,
}

/// What the comparison came to.
#[derive(Default)]
pub(super) struct Equal {
    pub(super) accounts: u64,
    pub(super) in_trash: u64,
    pub(super) images: Compared,
}

/// Looks through the target, and refuses it where somebody in it is not in the source.
pub(super) async fn refuse_others(
    source: &dyn AccountArchive,
    target: &dyn AccountArchive,
) -> Result<(), Failure> {
    let (mut after, mut ours, mut read_to) = (None, Vec::new().into_iter().peekable(), None);
    loop {
        let batch = target.read(after, BATCH).await.map_err(stopped)?;
        let Some(last) = batch.last() else { return Ok(()) };
        after = Some(last.user.id);
        for theirs in batch.iter().map(|account| account.user.id) {
            // Both are in the order of ids.
            loop {
                match ours.peek() {
                    Some(id) if *id < theirs => drop(ours.next()),
                    Some(id) if *id == theirs => break,
                    Some(_) => return Err(other(theirs)),
                    None => {
                        let next = source.read(read_to, BATCH).await.map_err(stopped)?;
                        let Some(last) = next.last() else { return Err(other(theirs)) };
                        read_to = Some(last.user.id);
                        let ids: Vec<UserId> = next.iter().map(|account| account.user.id).collect();
                        ours = ids.into_iter().peekable();
                    }
                }
            }
        }
    }
}

fn other(id: UserId) -> Failure {
    Failure::Migration(format!(
        "--to holds users who are not in --from, such as {id}: give an empty database; nothing was changed"
    ))
}

/// Writes what is not in the target as it is in the source.
pub(super) async fn copy(opened: &Opened, total: u64) -> Result<Copied, Failure> {
    let Opened { source, target, images, .. } = opened;
    let mut progress = Progress::start("copied", total);
    let (mut copied, mut after, mut is_behind_all) = (Copied { written: 0, there: 0 }, None, false);
    loop {
        let batch = source.archive.read(after, BATCH).await.map_err(stopped)?;
        let Some(last) = batch.last().map(|account| account.user.id) else { break };
        let count = batch.len();
        let there = if is_behind_all {
            HashMap::new()
        } else {
            by_id(target.archive.read(after, count).await.map_err(stopped)?)
        };
        is_behind_all |= there.is_empty();
        // Of everybody: an image may have been missing when its account was written.
        if let Some(images) = images {
            copy_images(images, &batch).await?;
        }
        let moved = batch.iter().map(|account| expected(account, images.as_ref()));
        let missing: Vec<Account> = moved.filter(|moved| there.get(&moved.user.id) != Some(moved)).collect();
        if !missing.is_empty() {
            target.archive.write(&missing).await.map_err(stopped)?;
        }
        copied.written += missing.len() as u64;
        copied.there += (count - missing.len()) as u64;
        progress.advance(count as u64)?;
        after = Some(last);
    }
    progress.finish();
    Ok(copied)
}

fn by_id(accounts: Vec<Account>) -> HashMap<UserId, Account> {
    accounts.into_iter().map(|account| (account.user.id, account)).collect()
}

/// Reads both again, and fails at the first difference.
pub(super) async fn compare(opened: &Opened, total: u64) -> Result<Equal, Failure> {
    let Opened { source, target, images, .. } = opened;
    let mut progress = Progress::start("compared", total);
    let (mut equal, mut after) = (Equal::default(), None);
    loop {
        let ours = source.archive.read(after, BATCH).await.map_err(stopped)?;
        let theirs = target.archive.read(after, BATCH).await.map_err(stopped)?;
        if let Some(id) = first_difference(&ours, &theirs, images.as_ref()) {
            return Err(Failure::Migration(format!(
                "user {id} is not the same in both: was one of them changed meanwhile? Run it again"
            )));
        }
        let Some(last) = ours.last() else { break };
        after = Some(last.user.id);
        compare_images(images.as_ref(), &ours, &mut equal.images).await?;
        equal.accounts += ours.len() as u64;
        equal.in_trash += ours.iter().filter(|account| account.trash.is_some()).count() as u64;
        progress.advance(ours.len() as u64)?;
    }
    progress.finish();
    Ok(equal)
}

/// The first who is in one batch and not, or not the same, in the other.
fn first_difference(ours: &[Account], theirs: &[Account], images: Option<&ImageMove>) -> Option<UserId> {
    let differs = |(one, other): &(&Account, &Account)| expected(one, images) != **other;
    let different = ours.iter().zip(theirs).find(differs);
    let different = different.map(|(one, other)| one.user.id.min(other.user.id));
    different.or_else(|| {
        let (longer, shared) =
            if ours.len() > theirs.len() { (ours, theirs.len()) } else { (theirs, ours.len()) };
        longer.get(shared).map(|account| account.user.id)
    })
}
