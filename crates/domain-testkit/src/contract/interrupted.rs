//! What the batches of [`Trash`](roster_domain::ports::Trash) tell where the store fails in their middle.

use std::collections::BTreeSet;

use roster_domain::ports::Interrupted;
use roster_domain::values::UserId;

use super::support::{created, stored};
use super::{Failing, Stores};
use crate::fixtures::{at, change_at, change_by, next_trash_entry_id, next_user_id, page, reason, trashed};

/// More than any adapter writes at the same time.
const MANY: usize = 50;
const STUCK: usize = 20;

async fn many(stores: &Stores) -> Vec<UserId> {
    let mut users = Vec::new();
    for number in 0..MANY {
        users.push(created(stores, &format!("user{number}")).await.id);
    }
    users
}

/// Checks that it says of each user what became of it, as far as that can be said, and returns those that were changed.
async fn is_told(
    stores: &Stores,
    users: &[UserId],
    interrupted: Interrupted,
    is_changed: impl AsyncFn(&Stores, UserId) -> bool,
) -> BTreeSet<UserId> {
    let Interrupted { done, in_doubt, unavailable } = interrupted;
    assert!(!unavailable.to_string().is_empty());
    let in_order: Vec<UserId> = users.iter().filter(|user| done.contains(user)).copied().collect();
    assert_eq!(done, in_order, "each once, in the order of the batch");
    let mut changed = BTreeSet::new();
    for user in users {
        let (is_done, is_in_doubt) = (done.contains(user), in_doubt.contains(user));
        assert!(!(is_done && is_in_doubt), "{user} is in both lists");
        let is_changed = is_changed(stores, *user).await;
        assert!(is_in_doubt || is_changed == is_done, "{user}: done {is_done}, changed {is_changed}");
        changed.extend(is_changed.then_some(*user));
    }
    assert!(!changed.contains(&users[STUCK]), "what the store refuses is not done");
    changed
}

pub async fn deletions_that_the_store_ends_early_are_told_user_by_user(failing: Failing) {
    let (stores, users) = (&failing.stores, many(&failing.stores).await);
    (failing.refuse)(users[STUCK]).await;
    let batch: Vec<_> = users.iter().map(|user| (*user, next_trash_entry_id())).collect();
    let by = change_by(next_user_id(), at(5));
    let interrupted = stores.trash.put_many(&batch, &reason("spam"), &by).await.unwrap_err();
    let is_in_trash = async |stores: &Stores, user| {
        let account = stored(stores, user).await.expect("nobody goes");
        account.trash.is_some_and(|entry| entry.deleted_at == at(5) && entry.reason == reason("spam"))
    };
    let deleted = is_told(stores, &users, interrupted, is_in_trash).await;
    assert_eq!(stores.trash.list(page(1, 1)).await.unwrap().total, deleted.len() as u64);
    // The others are deleted as if nothing had been.
    let others: Vec<_> = batch.iter().filter(|(user, _)| *user != users[STUCK]).copied().collect();
    let rest = stores.trash.put_many(&others, &reason("spam"), &by).await.unwrap();
    assert_eq!(rest.len(), others.len() - deleted.len());
}

pub async fn purges_that_the_store_ends_early_are_told_user_by_user(failing: Failing) {
    let (stores, users) = (&failing.stores, many(&failing.stores).await);
    for (user, seconds) in users.iter().zip(0..) {
        stores.trash.put(*user, &trashed(), &change_by(*user, at(seconds))).await.unwrap();
    }
    (failing.refuse)(users[STUCK]).await;
    let purged = stores.trash.purge_expired(at(100), MANY, &change_at(at(200))).await;
    let is_gone = async |stores: &Stores, user| stored(stores, user).await.is_none();
    let gone = is_told(stores, &users, purged.unwrap_err(), is_gone).await;
    let left = stores.trash.list(page(1, 100)).await.unwrap();
    assert_eq!(left.total, (MANY - gone.len()) as u64);
}
