use std::collections::HashMap;

use roster_domain::entities::{Account, Change};
use roster_domain::ports::{AccountArchive, AccountSource, ImportError};
use roster_domain::values::UserId;
use tokio::try_join;

use super::images::{Compared, ImageMove, compare_images, copy_images, expected};
use super::opened::{BATCH, Opened};
use super::progress::Progress;
use super::stopped::stopped;
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
    source: &dyn AccountSource,
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
                        let next = read(source, read_to).await?;
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
    let source = opened.source.accounts.as_ref();
    let change = opened.change();
    let mut progress = Progress::start("copied", total);
    let (mut copied, mut is_behind_all) = (Copied { written: 0, there: 0 }, false);
    let (mut after, mut batch) = (None, read(source, None).await?);
    while let Some(last) = batch.last().map(|account| account.user.id) {
        // The next are read while these are written.
        let (written, next) = try_join!(
            copy_batch(opened, &batch, after, &mut is_behind_all, &change),
            read(source, Some(last))
        )?;
        copied.written += written as u64;
        copied.there += (batch.len() - written) as u64;
        progress.advance(batch.len() as u64)?;
        (after, batch) = (Some(last), next);
    }
    progress.finish();
    Ok(copied)
}

/// Writes those of a batch, which begins behind `after`, that are not there as they should be, and answers how many. Who is in the
/// trash is written whatever is there, so that it has arrived at `change.at`: a service that starts on a copy must not purge at once.
async fn copy_batch(
    opened: &Opened,
    batch: &[Account],
    after: Option<UserId>,
    is_behind_all: &mut bool,
    change: &Change,
) -> Result<usize, Failure> {
    let Opened { target, images, .. } = opened;
    let there = if *is_behind_all {
        HashMap::new()
    } else {
        by_id(target.archive.read(after, batch.len()).await.map_err(stopped)?)
    };
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
        target.archive.write(&to_write, change).await.map_err(unwritten)?;
    }
    Ok(written)
}

async fn read(source: &dyn AccountSource, after: Option<UserId>) -> Result<Vec<Account>, Failure> {
    source.read(after, BATCH).await.map_err(stopped)
}

fn unwritten(error: ImportError) -> Failure {
    match error {
        ImportError::Unavailable(error) => stopped(error),
        ImportError::NameTaken { .. } => Failure::Migration(format!(
            "--to: {error}. Is one of them renamed since an earlier run? Then give an empty database. Else rename one of \
             them in --from"
        )),
    }
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
        let theirs = async { target.archive.read(after, BATCH).await.map_err(stopped) };
        let (ours, theirs) = try_join!(read(source.accounts.as_ref(), after), theirs)?;
        if let Some(difference) = first_difference(&ours, &theirs, images.as_ref()) {
            return Err(Failure::Migration(difference.to_string()));
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

/// Who is not the same in both.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Difference {
    /// Another run refuses a target with somebody who is not in the source.
    #[error(
        "user {0} is in --to and not in --from: did a service on one of them change it meanwhile? Stop that, and give an \
         empty database"
    )]
    InTargetAlone(UserId),
    /// Another run writes what differs anew.
    #[error(
        "user {0} is not the same in both: if a service on one of them changed it meanwhile, stop that and run this again"
    )]
    Unequal(UserId),
}

/// The first who is in one batch and not, or not the same, in the other.
fn first_difference(ours: &[Account], theirs: &[Account], images: Option<&ImageMove>) -> Option<Difference> {
    let mut theirs = theirs.iter();
    for one in ours {
        match theirs.next() {
            Some(other) if expected(one, images) == *other => {}
            Some(other) if other.user.id < one.user.id => {
                return Some(Difference::InTargetAlone(other.user.id));
            }
            _ => return Some(Difference::Unequal(one.user.id)),
        }
    }
    theirs.next().map(|other| Difference::InTargetAlone(other.user.id))
}

#[cfg(test)]
mod tests {
    use roster_domain::values::Role;
    use roster_domain_testkit::fixtures::account;

    use super::*;

    #[test]
    fn another_run_is_advised_where_it_writes_what_differs_and_not_where_it_is_refused() {
        let all: Vec<Account> = ["ann", "bob", "carol"].map(account).to_vec();
        let ids: Vec<UserId> = all.iter().map(|account| account.user.id).collect();
        let mut changed = all.clone();
        changed[1].user.role = Role::Admin;
        let all = all.as_slice();
        for (ours, theirs, difference) in [
            (all, all, None),
            (all, changed.as_slice(), Some(Difference::Unequal(ids[1]))),
            (all, &all[..2], Some(Difference::Unequal(ids[2]))),
            (all, &all[1..], Some(Difference::Unequal(ids[0]))),
            (&all[..2], all, Some(Difference::InTargetAlone(ids[2]))),
            (&all[1..], all, Some(Difference::InTargetAlone(ids[0]))),
            (&all[..0], all, Some(Difference::InTargetAlone(ids[0]))),
        ] {
            let found = first_difference(ours, theirs, None);
            assert_eq!(found, difference);
            let advised = found.is_some_and(|difference| difference.to_string().contains("run this again"));
            assert_eq!(advised, matches!(difference, Some(Difference::Unequal(_))));
        }
    }
}
