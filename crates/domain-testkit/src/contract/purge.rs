//! [`Trash::purge`](roster_domain::ports::Trash::purge) and
//! [`Trash::purge_expired`](roster_domain::ports::Trash::purge_expired).

use std::sync::Arc;

use roster_domain::ports::{Expired, PurgeError, RestoreError};
use roster_domain::values::UserId;

use super::Stores;
use super::support::{ROUNDS, created, delete, listed, live, purge, race, race_two, stored};
use super::support::{due_images, reserved, with_image};
use crate::fixtures::{at, change, change_at, change_by, file_store, next_user_id, page, shown, trashed};

async fn deleted_at(stores: &Stores, name: &str, seconds: u64) -> UserId {
    let user = created(stores, name).await.id;
    stores.trash.put(user, &trashed(), &change_by(user, at(seconds))).await.unwrap();
    user
}

pub async fn a_purged_user_is_gone(stores: Stores) {
    let ann = created(&stores, "ann").await;
    with_image(&stores, ann.id).await;
    purge(&stores, ann.id).await;
    assert_eq!(live(&stores, ann.id).await, None);
    assert_eq!(stored(&stores, ann.id).await, None);
    assert_eq!(stores.sessions.state(ann.id, None).await.unwrap(), None);
    assert_eq!(stores.sessions.credentials(&ann.email).await.unwrap(), None);
    assert_eq!(stores.trash.list(page(1, 10)).await.unwrap().total, 0);
    assert_eq!(listed(&stores, 1, 10).await.total, 0);
    assert_eq!(stores.archive.read(None, 10).await.unwrap(), []);
}

pub async fn only_a_user_in_the_trash_is_purged(stores: Stores) {
    let ann = created(&stores, "ann").await;
    assert!(matches!(stores.trash.purge(ann.id, &change()).await, Err(PurgeError::NotInTrash)));
    assert_eq!(live(&stores, ann.id).await, Some(shown(&ann, at(0))));
    assert!(matches!(stores.trash.purge(next_user_id(), &change()).await, Err(PurgeError::NotInTrash)));
    with_image(&stores, ann.id).await;
    purge(&stores, ann.id).await;
    assert!(matches!(stores.trash.purge(ann.id, &change()).await, Err(PurgeError::NotInTrash)));
}

pub async fn a_purged_users_image_is_due_at_once(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let image = with_image(&stores, ann.id).await;
    delete(&stores, ann.id).await;
    assert_eq!(due_images(&stores, 5).await, []);
    stores.trash.purge(ann.id, &change_at(at(5))).await.unwrap();
    let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].owner, &due[0].image), (ann.id, &image));
}

pub async fn a_purged_users_image_is_due_also_where_the_names_are_anothers_since(stores: Stores) {
    let mut images = Vec::new();
    for _ in 0..3 {
        let ann = created(&stores, "ann").await;
        images.push(with_image(&stores, ann.id).await);
        purge(&stores, ann.id).await;
    }
    created(&stores, "ann").await;
    let mut due = due_images(&stores, 5).await;
    due.sort_unstable();
    images.sort_unstable();
    assert_eq!(due, images);
}

pub async fn of_a_restore_and_a_purge_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        delete(&stores, ann.id).await;
        let (restoring, purging) = (Arc::clone(&stores.trash), Arc::clone(&stores.trash));
        let answers = race_two(async move { restoring.restore(ann.id, &change()).await }, async move {
            purging.purge(ann.id, &change()).await
        })
        .await;
        match answers {
            (Ok(_), Err(PurgeError::NotInTrash)) => {
                assert_eq!(live(&stores, ann.id).await, Some(shown(&ann, at(0))));
            }
            (Err(RestoreError::NotFound), Ok(())) => assert_eq!(stored(&stores, ann.id).await, None),
            answers => panic!("{answers:?}"),
        }
    }
}

pub async fn of_two_purges_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let user = deleted_at(&stores, &format!("ann{round}"), 0).await;
        let purges = (0..2).map(|_| {
            let trash = Arc::clone(&stores.trash);
            async move { trash.purge(user, &change()).await }
        });
        let answers = race(purges.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let is_refused = |answer: &Result<_, _>| matches!(answer, Err(PurgeError::NotInTrash));
        assert!(answers.iter().any(is_refused), "{answers:?}");
    }
}

pub async fn those_from_before_the_cutoff_are_purged_oldest_first(stores: Stores) {
    let third = deleted_at(&stores, "third", 30).await;
    let first = deleted_at(&stores, "first", 10).await;
    let at_cutoff = deleted_at(&stores, "cutoff", 50).await;
    let second = deleted_at(&stores, "second", 20).await;
    let later = deleted_at(&stores, "later", 60).await;
    let live_one = created(&stores, "live").await;

    assert_eq!(stores.trash.purge_expired(at(50), 2, &change()).await.unwrap(), [first, second]);
    assert_eq!(stores.trash.list(page(1, 1)).await.unwrap().total, 3);
    assert_eq!(stores.trash.purge_expired(at(50), 2, &change()).await.unwrap(), [third]);
    assert_eq!(stores.trash.purge_expired(at(50), 2, &change()).await.unwrap(), []);
    for kept in [at_cutoff, later, live_one.id] {
        assert!(stored(&stores, kept).await.is_some());
    }
    for purged in [first, second, third] {
        assert_eq!(stored(&stores, purged).await, None);
    }
}

pub async fn those_from_before_the_cutoff_are_counted_as_they_are_purged(stores: Stores) {
    assert_eq!(stores.trash.expired(at(50), at(100)).await.unwrap(), Expired::default());
    for (name, seconds) in [("first", 10), ("second", 49), ("cutoff", 50), ("later", 60)] {
        deleted_at(&stores, name, seconds).await;
    }
    created(&stores, "live").await;
    let two = Expired { due: 2, spared: 0, spared_until: None };
    assert_eq!(stores.trash.expired(at(50), at(100)).await.unwrap(), two);
    assert_eq!(stores.trash.purge_expired(at(50), 10, &change_at(at(100))).await.unwrap().len(), 2);
    assert_eq!(stores.trash.expired(at(50), at(100)).await.unwrap(), Expired::default());
}

pub async fn who_was_restored_does_not_expire(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    super::support::restore(&stores, ann.id).await;
    assert_eq!(stores.trash.purge_expired(at(1_000), 10, &change()).await.unwrap(), []);
    stores.trash.put(ann.id, &trashed(), &change_by(ann.id, at(2_000))).await.unwrap();
    assert_eq!(stores.trash.purge_expired(at(1_000), 10, &change()).await.unwrap(), []);
}

pub async fn what_expires_is_purged_whole(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let image = with_image(&stores, ann.id).await;
    delete(&stores, ann.id).await;
    let purged = stores.trash.purge_expired(at(5), 10, &change_at(at(9))).await.unwrap();
    assert_eq!(purged, [ann.id]);
    assert_eq!(due_images(&stores, 9).await, [image]);
    created(&stores, "ann").await;
}

pub async fn of_several_purges_of_the_expired_each_user_is_returned_by_exactly_one(stores: Stores) {
    for round in 0..ROUNDS / 4 {
        let mut users = Vec::new();
        for number in 0..12 {
            users.push(deleted_at(&stores, &format!("user{round}of{number}"), number).await);
        }
        let purges = (0..4).map(|_| {
            let trash = Arc::clone(&stores.trash);
            async move {
                let mut purged = Vec::new();
                loop {
                    let batch = trash.purge_expired(at(100), 5, &change()).await.unwrap();
                    assert!(batch.len() <= 5);
                    if batch.is_empty() {
                        return purged;
                    }
                    purged.extend(batch);
                    assert!(purged.len() <= 12, "a user is returned again");
                }
            }
        });
        let mut returned = race(purges.collect()).await.concat();
        returned.sort_unstable();
        assert_eq!(returned, users);
    }
}

pub async fn of_a_restore_and_a_purge_of_the_expired_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let user = deleted_at(&stores, &format!("ann{round}"), 0).await;
        let (restoring, purging) = (Arc::clone(&stores.trash), Arc::clone(&stores.trash));
        let (restored, purged) =
            race_two(async move { restoring.restore(user, &change()).await }, async move {
                purging.purge_expired(at(5), 10, &change()).await.unwrap()
            })
            .await;
        assert_eq!(restored.is_ok(), purged.is_empty(), "{restored:?}, {purged:?}");
        assert_eq!(live(&stores, user).await.is_some(), restored.is_ok());
    }
}

pub async fn an_image_set_beside_a_deletion_and_purge_is_left_to_removals(stores: Stores) {
    for round in 0..ROUNDS {
        let user = created(&stores, &format!("ann{round}")).await.id;
        let image = reserved(&stores, user, 600).await;
        let (images, trash, set) =
            (Arc::clone(&stores.profile_images), Arc::clone(&stores.trash), image.clone());
        race_two(async move { images.set(user, &set.clone().into(), &change()).await.ok() }, async move {
            trash.put(user, &trashed(), &change_by(user, at(0))).await.unwrap();
            trash.purge(user, &change()).await.unwrap();
        })
        .await;
        let due = stores.profile_images.due(&file_store(), at(600), None, 10).await.unwrap();
        assert_eq!(due.iter().map(|removal| &removal.image).collect::<Vec<_>>(), [&image]);
        stores.profile_images.done(&due[0]).await.unwrap();
    }
}
