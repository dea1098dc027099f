//! [`AccountArchive`](roster_domain::ports::AccountArchive).

use std::sync::Arc;
use std::time::Duration;

use roster_domain::entities::{Account, MAX_SESSIONS, TrashEntry};
use roster_domain::ports::{ARRIVAL_GRACE, CreateError, Expired, ImportError};
use roster_domain::values::{
    Checksum, Epoch, ImageRef, OwnImage, ProfileImage, Role, Timestamp, UserId, Username,
};

use super::Stores;
use super::support::{created, delete, import, listed, live, logged_in, purge, race, restore, stored};
use super::support::{due_images, session_lives, with_image};
use crate::fixtures::{
    account, at, change, change_at, email, hash, image_of, new_user, next_trash_entry_id, next_user_id, page,
    reason, session, user_id, username,
};

/// An account in which every field is filled.
fn full_account(name: &str) -> Account {
    let mut full = account(name);
    full.user.role = Role::Admin;
    full.user.updated_at = Some(at(7));
    full.user.updated_by = Some(next_user_id());
    let checksum = Some(Checksum::of(name.as_bytes()));
    full.user.profile_image = Some(OwnImage { image: image_of(full.user.id), checksum }.into());
    full.epoch = Epoch::new(41);
    full.sessions = (0..MAX_SESSIONS as u64).map(|seconds| session(at(seconds))).collect();
    full
}

fn in_trash(mut account: Account) -> Account {
    account.sessions.clear();
    account.trash = Some(TrashEntry {
        id: next_trash_entry_id(),
        user_id: account.user.id,
        deleted_by: next_user_id(),
        deleted_at: at(8),
        reason: reason("spam"),
    });
    account
}

/// The image of an account that has one of ours.
fn stored_image(account: &Account) -> ImageRef {
    account.user.profile_image.as_ref().and_then(ProfileImage::stored).expect("an image of ours").clone()
}

async fn read_all(stores: &Stores) -> Vec<Account> {
    stores.archive.read(None, 1_000).await.unwrap()
}

pub async fn the_dearest_hash_of_imported_accounts_is_remembered(stores: Stores) {
    let costs = ["$2b$06$", "$2b$11$", "$2b$09$"].into_iter().zip(["ann", "ben", "cleo"]);
    let accounts: Vec<_> = costs
        .map(|(cost, name)| Account {
            password_hash: hash(&format!("{cost}{}", "x".repeat(53))),
            ..account(name)
        })
        .collect();
    stores.archive.write(&accounts, &change()).await.unwrap();
    stores.archive.write(&[account("dora")], &change()).await.unwrap();
    assert_eq!(stores.sessions.dearest_hash(4).await.unwrap(), 11);
}

pub async fn an_empty_store_has_no_accounts(stores: Stores) {
    assert_eq!(read_all(&stores).await, []);
    assert_eq!(stores.archive.read(Some(user_id(1)), 10).await.unwrap(), []);
    stores.archive.write(&[], &change()).await.unwrap();
    assert_eq!(read_all(&stores).await, []);
}

pub async fn an_image_whose_checksum_alone_differs_is_not_left_to_be_removed(stores: Stores) {
    let mut ann = full_account("ann");
    let image = stored_image(&ann);
    for checksum in [None, Some(Checksum::of(b"its content")), None] {
        ann.user.profile_image = Some(OwnImage { image: image.clone(), checksum }.into());
        stores.archive.write(std::slice::from_ref(&ann), &change()).await.unwrap();
        assert_eq!(read_all(&stores).await, [ann.clone()]);
    }
    assert_eq!(due_images(&stores, 100_000).await, []);
}

pub async fn an_account_is_read_as_it_was_written(stores: Stores) {
    let accounts = [account("ann"), full_account("bob"), in_trash(full_account("carol"))];
    stores.archive.write(&accounts, &change()).await.unwrap();
    assert_eq!(read_all(&stores).await, accounts);
}

pub async fn an_account_is_read_as_it_became(stores: Stores) {
    let ann = created(&stores, "ann").await;
    with_image(&stores, ann.id).await;
    let opened = [logged_in(&stores.sessions, ann.id, 1).await, logged_in(&stores.sessions, ann.id, 2).await];
    created(&stores, "bob").await;
    let read = read_all(&stores).await;
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].user.id, read[0].sessions.as_slice()), (ann.id, opened.as_slice()));
    assert_eq!(Some(read[0].user.clone()), live(&stores, ann.id).await);
}

pub async fn accounts_are_read_in_id_order_in_batches_the_trash_included(stores: Stores) {
    let mut all = Vec::new();
    for number in [4, 2, 6, 1, 5, 3, 300] {
        let mut one = account(&format!("user{number}"));
        one.user.id = user_id(number);
        import(&stores, &one).await;
        all.push(one.user.id);
    }
    delete(&stores, user_id(3)).await;
    delete(&stores, user_id(1)).await;
    all.sort_unstable();
    for limit in [1, 2, 3, 7, 8] {
        let mut covered: Vec<UserId> = Vec::new();
        loop {
            let batch = stores.archive.read(covered.last().copied(), limit).await.unwrap();
            assert!(batch.len() <= limit);
            if batch.is_empty() {
                break;
            }
            covered.extend(batch.into_iter().map(|account| account.user.id));
            assert!(covered.len() <= all.len(), "in batches of {limit}");
        }
        assert_eq!(covered, all, "in batches of {limit}");
    }
    let behind_an_id_that_nobody_has = stores.archive.read(Some(user_id(7)), 10).await.unwrap();
    assert_eq!(behind_an_id_that_nobody_has[0].user.id, user_id(300));
}

pub async fn a_batch_may_be_written_again(stores: Stores) {
    let accounts = [account("ann"), full_account("bob"), in_trash(full_account("carol"))];
    for _ in 0..3 {
        stores.archive.write(&accounts, &change()).await.unwrap();
        assert_eq!(read_all(&stores).await, accounts);
        assert_eq!(listed(&stores, 1, 10).await.total, 2);
        assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().total, 1);
    }
}

pub async fn many_long_names_are_written_in_one_batch(stores: Stores) {
    let long = |number: usize| {
        let mut account = account(&format!("user{number}"));
        // No piece of it stands in it twice, or its ends would be fewer.
        let digits: Vec<_> = (0..1_250).map(|digits| format!("{digits:04}")).collect();
        account.user.username = Username::from_store(format!("{}{number}", digits.concat()));
        account
    };
    let accounts: Vec<Account> = (0..60).map(long).collect();
    for _ in 0..2 {
        stores.archive.write(&accounts, &change()).await.unwrap();
        assert!(read_all(&stores).await == accounts);
    }
}

pub async fn an_account_that_is_there_is_replaced_whole(stores: Stores) {
    let before = full_account("ann");
    import(&stores, &before).await;
    let mut after = account("anna");
    after.user.id = before.user.id;
    import(&stores, &after).await;
    assert_eq!(read_all(&stores).await, std::slice::from_ref(&after));
    assert!(!session_lives(&stores.sessions, after.user.id, &before.sessions[0]).await);
    assert_eq!(stores.sessions.credentials(&email("ann@example.com")).await.unwrap(), None);
    created(&stores, "ann").await;

    let trashed = in_trash(after.clone());
    import(&stores, &trashed).await;
    assert_eq!(live(&stores, after.user.id).await, None);
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().items, [trashed.trash.unwrap()]);
    import(&stores, &after).await;
    assert_eq!(live(&stores, after.user.id).await, Some(after.user));
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().total, 0);
}

pub async fn the_image_of_an_account_that_is_replaced_is_left_to_be_removed(stores: Stores) {
    let mut ann = full_account("ann");
    import(&stores, &ann).await;
    let first = stored_image(&ann);
    let second = image_of(ann.user.id);
    ann.user.profile_image = Some(OwnImage::from(second.clone()).into());
    for _ in 0..2 {
        stores.archive.write(std::slice::from_ref(&ann), &change_at(at(50))).await.unwrap();
        assert_eq!(due_images(&stores, 49).await, []);
        assert_eq!(due_images(&stores, 50).await, std::slice::from_ref(&first));
    }
    ann.user.profile_image = None;
    stores.archive.write(&[in_trash(ann)], &change_at(at(60))).await.unwrap();
    assert_eq!(due_images(&stores, 59).await, std::slice::from_ref(&first));
    let mut both = [first, second];
    both.sort_unstable();
    let mut due = due_images(&stores, 60).await;
    due.sort_unstable();
    assert_eq!(due, both);
}

pub async fn an_imported_account_works_like_any_other(stores: Stores) {
    let imported = full_account("ann");
    import(&stores, &imported).await;
    let id = imported.user.id;
    assert_eq!(live(&stores, id).await.as_ref(), Some(&imported.user));
    let found = stores.sessions.credentials(&imported.user.email).await.unwrap().unwrap();
    assert_eq!((found.user_id, found.epoch), (id, Epoch::new(41)));
    assert_eq!(found.password_hash, hash("hash of ann"));
    assert!(session_lives(&stores.sessions, id, &imported.sessions[0]).await);

    let open =
        roster_domain::ports::OpenSession { epoch: Epoch::new(41), ..crate::fixtures::open_session(id) };
    assert!(stores.sessions.open(&open, &change()).await.unwrap());
    assert!(!session_lives(&stores.sessions, id, &imported.sessions[0]).await);
    assert!(session_lives(&stores.sessions, id, &imported.sessions[1]).await);

    delete(&stores, id).await;
    assert!(stored(&stores, id).await.unwrap().epoch > Epoch::new(41));
    assert_eq!(restore(&stores, id).await, imported.user);
    purge(&stores, id).await;
    assert_eq!(due_images(&stores, 10).await, [stored_image(&imported)]);
}

pub async fn an_account_imported_into_the_trash_is_restored_or_purged(stores: Stores) {
    let (ann, bob) = (in_trash(full_account("ann")), in_trash(full_account("bob")));
    stores.archive.write(&[ann.clone(), bob.clone()], &change()).await.unwrap();
    assert_eq!(restore(&stores, ann.user.id).await, ann.user);
    let later = at(0).plus(ARRIVAL_GRACE);
    assert_eq!(stores.trash.purge_expired(at(9), 10, &change_at(later)).await.unwrap(), [bob.user.id]);
    let due = stores.profile_images.due(&stored_image(&bob).store, later, None, 10).await.unwrap();
    assert_eq!(due.into_iter().map(|due| due.image).collect::<Vec<_>>(), [stored_image(&bob)]);
}

/// What is told of the trash that is from before `at(9)`, and who of it is purged, at that time.
async fn expired_at(stores: &Stores, now: Timestamp) -> (Expired, Vec<UserId>) {
    let expired = stores.trash.expired(at(9), now).await.unwrap();
    (expired, stores.trash.purge_expired(at(9), 10, &change_at(now)).await.unwrap())
}

pub async fn who_is_imported_into_the_trash_is_spared_for_a_day_however_old_the_entry_is(stores: Stores) {
    let (ann, bob) = (in_trash(account("ann")), in_trash(account("bob")));
    let (first, second) = (at(1_000_000), at(1_000_060));
    stores.archive.write(std::slice::from_ref(&ann), &change_at(first)).await.unwrap();
    stores.archive.write(std::slice::from_ref(&bob), &change_at(second)).await.unwrap();
    let spared = |count, since: Timestamp| Expired {
        due: 0,
        spared: count,
        spared_until: Some(since.plus(ARRIVAL_GRACE)),
    };
    let moment = Duration::from_millis(1);
    for now in [second, first.plus(ARRIVAL_GRACE).minus(moment)] {
        assert_eq!(expired_at(&stores, now).await, (spared(2, first), Vec::new()));
    }
    let one_is_due = Expired { due: 1, ..spared(1, second) };
    assert_eq!(expired_at(&stores, first.plus(ARRIVAL_GRACE)).await, (one_is_due, vec![ann.user.id]));
    let all_are_due = Expired { due: 1, spared: 0, spared_until: None };
    assert_eq!(expired_at(&stores, second.plus(ARRIVAL_GRACE)).await, (all_are_due, vec![bob.user.id]));
    assert_eq!(expired_at(&stores, second.plus(ARRIVAL_GRACE)).await, (Expired::default(), Vec::new()));
}

pub async fn who_is_imported_into_the_trash_again_has_arrived_there_again(stores: Stores) {
    let ann = in_trash(account("ann"));
    for now in [at(1_000), at(2_000)] {
        stores.archive.write(std::slice::from_ref(&ann), &change_at(now)).await.unwrap();
    }
    assert_eq!(expired_at(&stores, at(1_000).plus(ARRIVAL_GRACE)).await.1, []);
    assert_eq!(expired_at(&stores, at(2_000).plus(ARRIVAL_GRACE)).await.1, [ann.user.id]);
}

pub async fn who_is_restored_and_deleted_again_has_not_arrived_from_elsewhere(stores: Stores) {
    let ann = in_trash(account("ann"));
    import(&stores, &ann).await;
    restore(&stores, ann.user.id).await;
    delete(&stores, ann.user.id).await;
    let expired = Expired { due: 1, spared: 0, spared_until: None };
    assert_eq!(expired_at(&stores, at(100)).await, (expired, vec![ann.user.id]));
}

pub async fn an_account_whose_names_another_has_is_refused(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    delete(&stores, bob.id).await;
    let before = read_all(&stores).await;
    for taken in [&ann, &bob] {
        let mut same_email = account("carol");
        same_email.user.email = taken.email.clone();
        let mut same_username = account("carol");
        same_username.user.username = taken.username.clone();
        for refused in [same_email, same_username] {
            let why = stores.archive.write(std::slice::from_ref(&refused), &change()).await;
            assert!(
                matches!(why, Err(ImportError::NameTaken { user }) if user == refused.user.id),
                "{why:?}"
            );
        }
    }
    assert_eq!(read_all(&stores).await, before);
}

pub async fn of_a_refused_batch_each_account_is_written_whole_or_not_at_all(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let mut taken = full_account("taken");
    taken.user.username = ann.username;
    let batch = [full_account("bob"), taken.clone(), in_trash(full_account("carol"))];
    let why = stores.archive.write(&batch, &change()).await;
    assert!(matches!(why, Err(ImportError::NameTaken { user }) if user == taken.user.id), "{why:?}");
    assert_eq!(stored(&stores, taken.user.id).await, None);
    for account in [&batch[0], &batch[2]] {
        let kept = stored(&stores, account.user.id).await;
        assert!(kept.is_none() || kept.as_ref() == Some(account));
    }
}

pub async fn two_accounts_of_one_name_in_a_batch_are_refused(stores: Stores) {
    let (ann, mut twin) = (account("ann"), account("twin"));
    twin.user.username = username("ann");
    let why = stores.archive.write(&[ann.clone(), twin.clone()], &change()).await;
    assert!(matches!(why, Err(ImportError::NameTaken { .. })), "{why:?}");
    let both = [stored(&stores, ann.user.id).await, stored(&stores, twin.user.id).await];
    assert!(both.iter().flatten().count() <= 1);
}

pub async fn imported_names_are_taken(stores: Stores) {
    stores.archive.write(&[account("ann"), in_trash(account("bob"))], &change()).await.unwrap();
    for name in ["ann", "bob"] {
        let refused = stores.accounts.create(&new_user(name), &change()).await;
        assert!(matches!(refused, Err(CreateError::EmailTaken)));
    }
    let names = ["ann", "bob", "carol"].map(username);
    assert_eq!(stores.accounts.free_usernames(&names).await.unwrap(), [username("carol")]);
}

pub async fn of_an_import_and_a_sign_up_with_one_name_exactly_one_succeeds(stores: Stores) {
    for round in 0..super::support::ROUNDS {
        let name = format!("ann{round}");
        let (archive, imported) = (Arc::clone(&stores.archive), account(&name));
        let (accounts, user) = (Arc::clone(&stores.accounts), new_user(&name));
        let (written, signed_up) = super::support::race_two(
            async move { archive.write(&[imported], &change()).await.is_ok() },
            async move { accounts.create(&user, &change()).await.is_ok() },
        )
        .await;
        assert!(written != signed_up, "{written}, {signed_up}");
    }
}

pub async fn a_batch_that_is_written_twice_at_once_is_written_once(stores: Stores) {
    let batch: Vec<Account> = (0..20).map(|number| full_account(&format!("user{number}"))).collect();
    let writes = (0..2).map(|_| {
        let (archive, batch) = (Arc::clone(&stores.archive), batch.clone());
        async move { archive.write(&batch, &change()).await.unwrap() }
    });
    race(writes.collect()).await;
    assert_eq!(read_all(&stores).await, batch);
}
