//! [`AccountSource`](roster_domain::ports::AccountSource).

use std::sync::Arc;

use roster_domain::entities::{Account, TrashEntry};
use roster_domain::ports::{ARRIVAL_GRACE, AccountSource, Expired, PendingRemoval};
use roster_domain::values::{ImageRef, StoreName};

use super::Sourced;
use super::support::{created, delete, import, logged_in, purge, reserved, with_image};
use crate::fixtures::{account, at, change, image_of, new_admin, next_trash_entry_id, next_user_id, reason};

async fn open(sourced: &Sourced) -> Arc<dyn AccountSource> {
    (sourced.open)().await.expect("somebody is in it")
}

pub async fn a_source_has_all_accounts_in_id_order_in_batches(sourced: Sourced) {
    assert!((sourced.open)().await.is_none(), "nobody is in it");
    let stores = &sourced.stores;
    let ann = created(stores, "ann").await;
    with_image(stores, ann.id).await;
    logged_in(&stores.sessions, ann.id, 1).await;
    for name in ["bob", "carol", "dave", "eve"] {
        let user = created(stores, name).await;
        if name == "carol" {
            delete(stores, user.id).await;
        }
    }
    let purged = created(stores, "frank").await;
    with_image(stores, purged.id).await;
    purge(stores, purged.id).await;
    let all = stores.archive.read(None, 100).await.unwrap();
    let source = open(&sourced).await;
    assert_eq!((all.len(), source.count().await.unwrap()), (5, 5));
    for limit in [1, 2, 5, 6] {
        let mut read: Vec<Account> = Vec::new();
        loop {
            let batch = source.read(read.last().map(|last| last.user.id), limit).await.unwrap();
            assert!(batch.len() <= limit);
            if batch.is_empty() {
                break;
            }
            read.extend(batch);
        }
        assert_eq!(read, all, "in batches of {limit}");
    }
    assert_eq!(source.read(None, 0).await.unwrap(), []);
}

pub async fn a_source_has_all_removals_in_batches_and_begins_none(sourced: Sourced) {
    let stores = &sourced.stores;
    let ann = created(stores, "ann").await;
    let mut all: Vec<ImageRef> = Vec::new();
    for seconds in [5, 100_000] {
        all.push(reserved(stores, ann.id, seconds).await);
        let owner = next_user_id();
        let elsewhere = ImageRef { store: StoreName::new("s3://faces"), ..image_of(owner) };
        stores.profile_images.reserve(owner, &elsewhere, at(seconds), &change()).await.unwrap();
        all.push(elsewhere);
    }
    let gone = created(stores, "gone").await;
    all.push(with_image(stores, gone.id).await);
    purge(stores, gone.id).await;
    let source = open(&sourced).await;
    for limit in [1, 2, 5, 6] {
        let mut read: Vec<PendingRemoval> = Vec::new();
        loop {
            let batch = source.removals(read.last().cloned(), limit).await.unwrap();
            assert!(batch.len() <= limit);
            if batch.is_empty() {
                break;
            }
            read.extend(batch);
            assert!(read.len() <= all.len(), "in batches of {limit}");
        }
        let mut images: Vec<ImageRef> = read.iter().map(|removal| removal.image.clone()).collect();
        images.sort_unstable();
        all.sort_unstable();
        assert_eq!(images, all, "in batches of {limit}");
        let of_ann: Vec<_> = read.iter().filter(|removal| removal.owner == ann.id).collect();
        assert_eq!(of_ann.len(), 2);
        assert!(of_ann.iter().any(|removal| removal.due == at(5)));
    }
    // As free as before to become its owner's.
    let image = all.iter().find(|image| image.key.as_str().starts_with(&ann.id.to_string())).unwrap();
    stores.profile_images.set(ann.id, &image.clone().into(), &change()).await.unwrap();
}

pub async fn a_source_tells_of_an_admin_who_has_gone(sourced: Sourced) {
    let stores = &sourced.stores;
    created(stores, "ann").await;
    assert!(!open(&sourced).await.has_had_admin().await.unwrap());
    let admin = new_admin("boss");
    stores.accounts.create(&admin, &change()).await.unwrap();
    purge(stores, admin.id).await;
    assert!(open(&sourced).await.has_had_admin().await.unwrap());
}

pub async fn a_source_counts_who_is_past_the_retention(sourced: Sourced) {
    let stores = &sourced.stores;
    for name in ["ann", "bob"] {
        let user = created(stores, name).await;
        delete(stores, user.id).await;
    }
    created(stores, "carol").await;
    let mut arrived = account("dave");
    arrived.trash = Some(TrashEntry {
        id: next_trash_entry_id(),
        user_id: arrived.user.id,
        deleted_by: next_user_id(),
        deleted_at: at(0),
        reason: reason("spam"),
    });
    import(stores, &arrived).await;
    let source = open(&sourced).await;
    let expired = Expired { due: 2, spared: 1, spared_until: Some(at(0).plus(ARRIVAL_GRACE)) };
    assert_eq!(source.expired(at(1), at(100)).await.unwrap(), expired);
    assert_eq!(source.expired(at(0), at(100)).await.unwrap(), Expired::default());
}
