//! [`Trash`](roster_domain::ports::Trash): putting users there, listing them, bringing them back.

use std::sync::Arc;
use std::time::Duration;

use roster_domain::entities::TrashEntry;
use roster_domain::ports::{Caller, RestoreError, TrashError, Trashed};
use roster_domain::values::{Epoch, TrashEntryId};

use super::Stores;
use super::support::{ROUNDS, created, delete, live, logged_in, purge, race, restore, stored};
use super::support::{session_lives, with_image};
use crate::fixtures::{
    at, change, change_by, edit_username, new_admin, next_trash_entry_id, next_user_id, page, reason, shown,
    trashed, user_id,
};

pub async fn a_deletion_is_kept_with_who_when_and_why(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let admin = next_user_id();
    let put = Trashed { entry: next_trash_entry_id(), reason: reason("spam, \"twice\"\nand more") };
    stores.trash.put(ann.id, &put, &change_by(admin, at(5))).await.unwrap();

    let entry = TrashEntry {
        id: put.entry,
        user_id: ann.id,
        deleted_by: admin,
        deleted_at: at(5),
        reason: put.reason,
    };
    let listed = stores.trash.list(page(1, 10)).await.unwrap();
    assert_eq!((listed.total, listed.items), (1, vec![entry.clone()]));
    let account = stored(&stores, ann.id).await.unwrap();
    assert_eq!((account.user, account.trash), (shown(&ann, at(0)), Some(entry)));
    assert_eq!(live(&stores, ann.id).await, None);
}

pub async fn a_deletion_ends_the_sessions_and_raises_the_epoch(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let anns = logged_in(&stores.sessions, ann.id, 1).await;
    let bobs = logged_in(&stores.sessions, bob.id, 1).await;
    delete(&stores, ann.id).await;
    let account = stored(&stores, ann.id).await.unwrap();
    assert_eq!(account.sessions, []);
    assert!(account.epoch > Epoch::FIRST);

    restore(&stores, ann.id).await;
    assert!(!session_lives(&stores.sessions, ann.id, &anns).await);
    assert!(session_lives(&stores.sessions, bob.id, &bobs).await);
    assert_eq!(stored(&stores, bob.id).await.unwrap().epoch, Epoch::FIRST);
}

pub async fn a_user_in_the_trash_is_told_from_one_who_does_not_exist(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    let before = stored(&stores, ann.id).await;
    let again = stores.trash.put(ann.id, &trashed(), &change_by(ann.id, at(9))).await;
    assert!(matches!(again, Err(TrashError::AlreadyThere)));
    assert_eq!(stored(&stores, ann.id).await, before);
    let unknown = stores.trash.put(next_user_id(), &trashed(), &change_by(ann.id, at(9))).await;
    assert!(matches!(unknown, Err(TrashError::NotFound)));
    stores.trash.purge(ann.id, &change()).await.unwrap();
    let purged = stores.trash.put(ann.id, &trashed(), &change_by(ann.id, at(9))).await;
    assert!(matches!(purged, Err(TrashError::NotFound)));
}

pub async fn of_two_deletions_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        let deletions = (0..2).map(|_| {
            let trash = Arc::clone(&stores.trash);
            async move { trash.put(ann.id, &trashed(), &change_by(ann.id, at(5))).await }
        });
        let answers = race(deletions.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let is_refused = |answer: &Result<_, _>| matches!(answer, Err(TrashError::AlreadyThere));
        assert!(answers.iter().any(is_refused), "{answers:?}");
        assert_eq!(stores.trash.list(page(1, 1)).await.unwrap().total, round as u64 + 1);
    }
}

pub async fn many_are_deleted_each_as_one_is(stores: Stores) {
    let (ann, bob) = (created(&stores, "ann").await, created(&stores, "bob").await);
    let opened = logged_in(&stores.sessions, ann.id, 1).await;
    let image = with_image(&stores, ann.id).await;
    let batch = [(ann.id, next_trash_entry_id()), (bob.id, next_trash_entry_id())];
    let admin = next_user_id();
    let put = stores.trash.put_many(&batch, &reason("spam"), &change_by(admin, at(5))).await.unwrap();
    assert_eq!(put, [ann.id, bob.id]);

    let entry = |place: usize| TrashEntry {
        id: batch[place].1,
        user_id: batch[place].0,
        deleted_by: admin,
        deleted_at: at(5),
        reason: reason("spam"),
    };
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().items, [entry(0), entry(1)]);
    assert!(stored(&stores, ann.id).await.unwrap().epoch > Epoch::FIRST);
    assert_eq!(restore(&stores, ann.id).await.profile_image, Some(image.into()));
    assert!(!session_lives(&stores.sessions, ann.id, &opened).await);
}

pub async fn of_many_those_deleted_now_are_returned_in_the_order_given(stores: Stores) {
    let mut users = Vec::new();
    for number in 0..6 {
        users.push(created(&stores, &format!("user{number}")).await.id);
    }
    delete(&stores, users[2]).await;
    purge(&stores, users[4]).await;
    let before = stored(&stores, users[2]).await;
    let asked = [users[5], users[2], next_user_id(), users[0], users[4], users[3]];
    let batch = asked.map(|user| (user, next_trash_entry_id()));
    let put = stores.trash.put_many(&batch, &reason("spam"), &change_by(users[1], at(5))).await.unwrap();
    assert_eq!(put, [users[5], users[0], users[3]]);
    assert_eq!(stored(&stores, users[2]).await, before);
    assert!(live(&stores, users[1]).await.is_some());
    let none = stores.trash.put_many(&[], &reason("spam"), &change_by(users[1], at(5))).await.unwrap();
    assert_eq!(none, []);
}

pub async fn a_thousand_are_deleted_at_once(stores: Stores) {
    let accounts: Vec<_> =
        (0..1_000).map(|number| crate::fixtures::account(&format!("user{number}"))).collect();
    stores.archive.write(&accounts, &change()).await.unwrap();
    let batch: Vec<_> = accounts.iter().map(|account| (account.user.id, next_trash_entry_id())).collect();
    let put =
        stores.trash.put_many(&batch, &reason("spam"), &change_by(next_user_id(), at(5))).await.unwrap();
    assert_eq!(put, accounts.iter().map(|account| account.user.id).collect::<Vec<_>>());
    assert_eq!(stores.trash.list(page(1, 1)).await.unwrap().total, 1_000);
}

pub async fn of_many_deletions_at_once_each_user_is_deleted_by_exactly_one(stores: Stores) {
    for round in 0..ROUNDS / 4 {
        let mut users = Vec::new();
        for number in 0..8 {
            users.push(created(&stores, &format!("user{round}of{number}")).await.id);
        }
        let deletions =
            (0..3).map(|contestant| {
                let trash = Arc::clone(&stores.trash);
                let mut batch: Vec<_> = users.iter().map(|user| (*user, next_trash_entry_id())).collect();
                batch.rotate_left(contestant * 3);
                async move {
                    trash.put_many(&batch, &reason("spam"), &change_by(user_id(1), at(5))).await.unwrap()
                }
            });
        let mut put = race(deletions.collect()).await.concat();
        put.sort_unstable();
        assert_eq!(put, users);
    }
}

pub async fn the_trash_is_listed_by_the_entries_ids(stores: Stores) {
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().total, 0);
    let mut entries = Vec::new();
    // Neither the users' ids nor the times are in the order of the entries' ids.
    for number in [4_u8, 1, 3, 0, 2] {
        let user = created(&stores, &format!("user{number}")).await.id;
        let put = Trashed { entry: TrashEntryId::from_bytes([number; 12]), reason: reason("spam") };
        stores.trash.put(user, &put, &change_by(user, at(u64::from(number * 7 % 5)))).await.unwrap();
        entries.push((put.entry, user));
    }
    created(&stores, "live").await;
    entries.sort_unstable();
    for per_page in [1, 2, 5, 20] {
        let mut covered = Vec::new();
        for number in 1..=5_u64.div_ceil(per_page) {
            let page = stores.trash.list(page(number, per_page)).await.unwrap();
            assert_eq!(page.total, 5);
            covered.extend(page.items.iter().map(|entry| (entry.id, entry.user_id)));
        }
        assert_eq!(covered, entries, "{per_page} on a page");
    }
    for number in [6, u64::from(u32::MAX), u64::MAX] {
        let behind = stores.trash.list(page(number, 20)).await.unwrap();
        assert_eq!((behind.total, behind.items), (5, Vec::new()), "page {number}");
    }
}

pub async fn a_user_comes_back_as_it_was(stores: Stores) {
    let admin = new_admin("ann");
    stores.accounts.create(&admin, &change()).await.unwrap();
    with_image(&stores, admin.id).await;
    let edit = edit_username("anna");
    let edited = stores.accounts.edit(admin.id, &edit, &change_by(next_user_id(), at(3))).await.unwrap();
    let before = stored(&stores, admin.id).await.unwrap();
    delete(&stores, admin.id).await;

    let restored = stores.trash.restore(admin.id, &change_by(next_user_id(), at(9))).await.unwrap();
    assert_eq!(restored, edited);
    assert_eq!(live(&stores, admin.id).await, Some(edited));
    let after = stored(&stores, admin.id).await.unwrap();
    assert_eq!((after.user, after.password_hash, after.trash), (before.user, before.password_hash, None));
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().total, 0);
    assert_eq!(stores.sessions.credentials(&admin.email).await.unwrap().unwrap().user_id, admin.id);
}

pub async fn a_restore_keeps_the_raised_epoch(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let mut last = Epoch::FIRST;
    for _ in 0..3 {
        delete(&stores, ann.id).await;
        let raised = stored(&stores, ann.id).await.unwrap().epoch;
        assert!(raised > last);
        restore(&stores, ann.id).await;
        assert_eq!(stored(&stores, ann.id).await.unwrap().epoch, raised);
        let answer = stores.accounts.caller(Caller { user_id: ann.id, session: None }, None).await.unwrap();
        assert_eq!(answer.epoch, raised);
        assert_eq!(stores.sessions.state(ann.id, None).await.unwrap().unwrap().epoch, raised);
        assert_eq!(stores.sessions.credentials(&ann.email).await.unwrap().unwrap().epoch, raised);
        last = raised;
    }
}

pub async fn a_live_user_is_not_restored_nor_is_an_unknown_one(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let live = stores.trash.restore(ann.id, &change()).await;
    assert!(matches!(live, Err(RestoreError::NotInTrash)));
    let unknown = stores.trash.restore(next_user_id(), &change()).await;
    assert!(matches!(unknown, Err(RestoreError::NotFound)));
    with_image(&stores, ann.id).await;
    purge(&stores, ann.id).await;
    let purged = stores.trash.restore(ann.id, &change()).await;
    assert!(matches!(purged, Err(RestoreError::NotFound)));
}

pub async fn of_two_restores_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        delete(&stores, ann.id).await;
        let restores = (0..2).map(|_| {
            let trash = Arc::clone(&stores.trash);
            async move { trash.restore(ann.id, &change()).await }
        });
        let answers = race(restores.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let is_refused = |answer: &Result<_, _>| matches!(answer, Err(RestoreError::NotInTrash));
        assert!(answers.iter().any(is_refused), "{answers:?}");
    }
}

pub async fn a_deletion_that_is_given_up_happens_whole_or_not_at_all(stores: Stores) {
    for (round, microseconds) in [0, 1, 20, 100, 500, 1_000, 2_000, 5_000].into_iter().enumerate() {
        let ann = created(&stores, &format!("ann{round}")).await;
        let opened = logged_in(&stores.sessions, ann.id, 1).await;
        let (put, by) = (trashed(), change_by(ann.id, at(5)));
        let deletion = stores.trash.put(ann.id, &put, &by);
        let answer = tokio::time::timeout(Duration::from_micros(microseconds), deletion).await;
        let account = stored(&stores, ann.id).await.unwrap();
        if account.trash.is_some() {
            assert!(account.sessions.is_empty() && account.epoch > Epoch::FIRST);
        } else {
            assert!(answer.is_err(), "what was answered has happened");
            assert_eq!((account.sessions, account.epoch), (vec![opened], Epoch::FIRST));
        }
    }
}
