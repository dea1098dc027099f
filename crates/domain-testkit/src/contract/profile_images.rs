//! [`ProfileImages`](roster_domain::ports::ProfileImages).

use std::sync::Arc;

use roster_domain::entities::User;
use roster_domain::ports::{PendingRemoval, RemoveImageError, SetImageError};
use roster_domain::values::{Checksum, ImageRef, OwnImage, StoreName};

use super::Stores;
use super::support::{
    ROUNDS, created, delete, import, live, logged_in, race, race_two, restore, session_lives, stored,
};
use super::support::{due_images, reserved, with_image};
use crate::fixtures::{
    account, at, change, change_at, change_by, file_store, image_of, next_user_id, original_image,
};

pub async fn a_reserved_image_becomes_the_users_and_is_not_due_any_more(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let opened = logged_in(&stores.sessions, ann.id, 0).await;
    let before = live(&stores, ann.id).await.unwrap();
    let image = reserved(&stores, ann.id, 600).await;
    stores.profile_images.set(ann.id, &image.clone().into(), &change_by(ann.id, at(5))).await.unwrap();
    let after = live(&stores, ann.id).await.unwrap();
    assert_eq!(after.profile_image, Some(image.into()));
    assert_eq!((after.email, after.username, after.role), (before.email, before.username, before.role));
    assert!(session_lives(&stores.sessions, ann.id, &opened).await);
    assert_eq!(due_images(&stores, 100_000).await, []);
}

pub async fn the_image_before_is_due_at_once(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let first = with_image(&stores, ann.id).await;
    let second = reserved(&stores, ann.id, 600).await;
    stores.profile_images.set(ann.id, &second.clone().into(), &change_by(ann.id, at(5))).await.unwrap();
    let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
    assert_eq!(due, [PendingRemoval { owner: ann.id, image: first, due: at(5) }]);
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(second.into()));
}

pub async fn an_image_keeps_the_name_of_its_store(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let name = StoreName::new("s3://bucket/a prefix/é");
    let image = ImageRef { store: name, ..image_of(ann.id) };
    stores.profile_images.reserve(ann.id, &image, at(600), &change()).await.unwrap();
    stores.profile_images.set(ann.id, &image.clone().into(), &change()).await.unwrap();
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(image.clone().into()));
    with_image(&stores, ann.id).await;
    assert_eq!(due_images(&stores, 5).await, [image]);
}

pub async fn an_image_keeps_its_checksum_until_another_takes_its_place(stores: Stores) {
    let ann = created(&stores, "ann").await;
    for content in [Some("first"), Some("second"), None] {
        let image = reserved(&stores, ann.id, 600).await;
        let own = OwnImage { image, checksum: content.map(|content| Checksum::of(content.as_bytes())) };
        stores.profile_images.set(ann.id, &own, &change()).await.unwrap();
        assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(own.clone().into()));
        delete(&stores, ann.id).await;
        assert_eq!(restore(&stores, ann.id).await.profile_image, Some(own.clone().into()));
        assert_eq!(stored(&stores, ann.id).await.unwrap().user.profile_image, Some(own.into()));
    }
    stores.profile_images.remove(ann.id, &change()).await.unwrap();
    assert_eq!(due_images(&stores, 100_000).await.len(), 3);
}

pub async fn one_key_in_two_stores_is_two_images(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let here = image_of(ann.id);
    let there = ImageRef { store: StoreName::new("s3://bucket"), key: here.key.clone() };
    for image in [&here, &there] {
        stores.profile_images.reserve(ann.id, image, at(10), &change()).await.unwrap();
    }
    stores.profile_images.set(ann.id, &here.clone().into(), &change()).await.unwrap();
    assert_eq!(due_images(&stores, 10).await, [there]);
}

pub async fn an_image_that_was_not_reserved_does_not_become_the_users(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let kept = with_image(&stores, ann.id).await;
    let refused = stores.profile_images.set(ann.id, &image_of(ann.id).into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(kept.into()));
    assert_eq!(due_images(&stores, 100_000).await, []);
}

pub async fn a_reservation_serves_once(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let image = with_image(&stores, ann.id).await;
    let again = stores.profile_images.set(ann.id, &image.clone().into(), &change()).await;
    assert!(matches!(again, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(image.into()));
    assert_eq!(due_images(&stores, 100_000).await, []);
}

pub async fn an_image_reserved_for_one_user_does_not_become_anothers(stores: Stores) {
    let (ann, bob) = (created(&stores, "ann").await, created(&stores, "bob").await);
    let anns = reserved(&stores, ann.id, 600).await;
    let refused = stores.profile_images.set(bob.id, &anns.clone().into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, bob.id).await.unwrap().profile_image, None);
    stores.profile_images.set(ann.id, &anns.clone().into(), &change()).await.unwrap();
}

pub async fn a_user_who_is_not_live_gets_no_image_and_the_reservation_stays(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let image = reserved(&stores, ann.id, 600).await;
    delete(&stores, ann.id).await;
    let refused = stores.profile_images.set(ann.id, &image.clone().into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::NotFound)));
    assert_eq!(restore(&stores, ann.id).await.profile_image, None);

    let nobody = next_user_id();
    let nobodys = reserved(&stores, nobody, 600).await;
    let refused = stores.profile_images.set(nobody, &nobodys.clone().into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::NotFound)));

    let mut due = due_images(&stores, 600).await;
    due.sort_unstable();
    let mut expected = [image, nobodys];
    expected.sort_unstable();
    assert_eq!(due, expected);
}

pub async fn a_reservation_is_due_when_its_time_has_come(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let early = reserved(&stores, ann.id, 10).await;
    let late = reserved(&stores, ann.id, 20).await;
    assert_eq!(due_images(&stores, 9).await, []);
    assert_eq!(due_images(&stores, 10).await, std::slice::from_ref(&early));
    let mut both = due_images(&stores, 20).await;
    both.sort_unstable();
    let mut expected = [early, late];
    expected.sort_unstable();
    assert_eq!(both, expected);
}

pub async fn an_image_that_is_being_removed_does_not_become_the_users(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let image = reserved(&stores, ann.id, 10).await;
    let due = stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap();
    assert_eq!(due, [PendingRemoval { owner: ann.id, image: image.clone(), due: at(10) }]);
    let refused = stores.profile_images.set(ann.id, &image.clone().into(), &change_at(at(10))).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, None);

    stores.profile_images.done(&due[0]).await.unwrap();
    let refused = stores.profile_images.set(ann.id, &image.clone().into(), &change_at(at(10))).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
}

pub async fn an_image_before_that_is_being_removed_does_not_become_the_users_again(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let first = with_image(&stores, ann.id).await;
    let second = with_image(&stores, ann.id).await;
    let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
    assert_eq!(due, [PendingRemoval { owner: ann.id, image: first.clone(), due: at(0) }]);
    let refused = stores.profile_images.set(ann.id, &first.clone().into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(second.into()));
}

pub async fn a_removal_is_due_to_everybody_until_it_is_done(stores: Stores) {
    let ann = created(&stores, "ann").await;
    reserved(&stores, ann.id, 10).await;
    let first = stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap();
    assert_eq!(first.len(), 1);
    for _ in 0..3 {
        assert_eq!(stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap(), first);
    }
    let readers = (0..4).map(|_| {
        let images = Arc::clone(&stores.profile_images);
        async move { images.due(&file_store(), at(10), None, 10).await.unwrap() }
    });
    assert_eq!(race(readers.collect()).await, vec![first.clone(); 4]);
    stores.profile_images.done(&first[0]).await.unwrap();
    assert_eq!(stores.profile_images.due(&file_store(), at(100_000), None, 10).await.unwrap(), []);
}

pub async fn a_removal_that_is_not_there_is_done_already(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let kept = with_image(&stores, ann.id).await;
    reserved(&stores, ann.id, 10).await;
    let due = stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap();
    stores.profile_images.done(&due[0]).await.unwrap();
    stores.profile_images.done(&due[0]).await.unwrap();
    let unknown = PendingRemoval { owner: next_user_id(), image: image_of(ann.id), due: at(10) };
    stores.profile_images.done(&unknown).await.unwrap();
    assert_eq!(live(&stores, ann.id).await.unwrap().profile_image, Some(kept.into()));
}

pub async fn a_removal_that_is_done_leaves_the_others(stores: Stores) {
    let ann = created(&stores, "ann").await;
    for _ in 0..3 {
        reserved(&stores, ann.id, 10).await;
    }
    let due = stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap();
    stores.profile_images.done(&due[1]).await.unwrap();
    let rest = stores.profile_images.due(&file_store(), at(10), None, 10).await.unwrap();
    assert_eq!(rest, [due[0].clone(), due[2].clone()]);
}

pub async fn removals_are_read_in_batches_that_cover_each_once(stores: Stores) {
    let (ann, bob) = (created(&stores, "ann").await, created(&stores, "bob").await);
    let mut reserved_images = Vec::new();
    for number in 0..6 {
        // Due in another order than they were reserved in.
        reserved_images.push(reserved(&stores, [ann.id, bob.id][number % 2], 10 - number as u64).await);
    }
    for _ in 0..2 {
        let user = created(&stores, &format!("gone{}", reserved_images.len())).await.id;
        reserved_images.push(with_image(&stores, user).await);
        super::support::purge(&stores, user).await;
    }
    reserved_images.sort_unstable();
    let whole = stores.profile_images.due(&file_store(), at(10), None, 100).await.unwrap();
    for limit in [1, 2, 3, 8, 9] {
        let mut covered: Vec<PendingRemoval> = Vec::new();
        loop {
            let batch = stores
                .profile_images
                .due(&file_store(), at(10), covered.last().cloned(), limit)
                .await
                .unwrap();
            assert!(batch.len() <= limit);
            if batch.is_empty() {
                break;
            }
            covered.extend(batch);
            assert!(covered.len() <= whole.len(), "in batches of {limit}");
        }
        assert_eq!(covered, whole, "in batches of {limit}");
    }
    let mut images: Vec<_> = whole.into_iter().map(|removal| removal.image).collect();
    images.sort_unstable();
    assert_eq!(images, reserved_images);
}

pub async fn removals_are_read_on_behind_one_that_is_done(stores: Stores) {
    let ann = created(&stores, "ann").await;
    for _ in 0..5 {
        reserved(&stores, ann.id, 10).await;
    }
    let whole = stores.profile_images.due(&file_store(), at(10), None, 100).await.unwrap();
    let first = stores.profile_images.due(&file_store(), at(10), None, 2).await.unwrap();
    for removal in &first {
        stores.profile_images.done(removal).await.unwrap();
    }
    let rest = stores.profile_images.due(&file_store(), at(10), first.last().cloned(), 100).await.unwrap();
    assert_eq!(rest, whole[2..]);
    let behind_the_last =
        stores.profile_images.due(&file_store(), at(10), whole.last().cloned(), 100).await.unwrap();
    assert_eq!(behind_the_last, []);
}

pub async fn only_removals_from_the_store_that_is_asked_for_are_due(stores: Stores) {
    let ann = created(&stores, "ann").await;
    assert_eq!(stores.profile_images.stores().await.unwrap(), []);
    let here = image_of(ann.id);
    let there = ImageRef { store: StoreName::new("s3://bucket"), ..image_of(ann.id) };
    for image in [&here, &there] {
        stores.profile_images.reserve(ann.id, image, at(10), &change()).await.unwrap();
    }
    let mut names = stores.profile_images.stores().await.unwrap();
    names.sort_unstable();
    assert_eq!(names, [here.store.clone(), there.store.clone()]);

    assert_eq!(stores.profile_images.due(&StoreName::new("other"), at(10), None, 10).await.unwrap(), []);
    let due = stores.profile_images.due(&there.store, at(10), None, 10).await.unwrap();
    assert_eq!(due, [PendingRemoval { owner: ann.id, image: there.clone(), due: at(10) }]);
    // Nobody was handed the other, so it may become the user's yet.
    stores.profile_images.set(ann.id, &here.clone().into(), &change_at(at(10))).await.unwrap();
    assert_eq!(stores.profile_images.stores().await.unwrap(), [there.store]);
    stores.profile_images.done(&due[0]).await.unwrap();
    assert_eq!(stores.profile_images.stores().await.unwrap(), []);
}

pub async fn an_image_that_is_taken_away_is_no_users_and_due_at_once(stores: Stores) {
    let (ann, bob) = (created(&stores, "ann").await, created(&stores, "bob").await);
    let (image, bobs) = (with_image(&stores, ann.id).await, with_image(&stores, bob.id).await);
    let before = live(&stores, ann.id).await.unwrap();
    stores.profile_images.remove(ann.id, &change_by(ann.id, at(5))).await.unwrap();
    assert_eq!(live(&stores, ann.id).await, Some(User { profile_image: None, ..before }));
    let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
    assert_eq!(due, [PendingRemoval { owner: ann.id, image: image.clone(), due: at(5) }]);
    let refused = stores.profile_images.set(ann.id, &image.clone().into(), &change()).await;
    assert!(matches!(refused, Err(SetImageError::ReservationLost)));
    assert_eq!(live(&stores, bob.id).await.unwrap().profile_image, Some(bobs.into()));
}

pub async fn an_original_that_is_taken_away_is_no_users_and_never_due(stores: Stores) {
    let mut ann = account("ann");
    ann.user.profile_image = Some(original_image("ann_16adcd34.jpg").into());
    let id = ann.user.id;
    import(&stores, &ann).await;
    stores.profile_images.remove(id, &change()).await.unwrap();
    assert_eq!(live(&stores, id).await.unwrap().profile_image, None);
    assert_eq!(stored(&stores, id).await.unwrap().user.profile_image, None);

    // Nor does it come back behind an image that took its place.
    import(&stores, &ann).await;
    let image = with_image(&stores, id).await;
    stores.profile_images.remove(id, &change()).await.unwrap();
    assert_eq!(live(&stores, id).await.unwrap().profile_image, None);
    assert_eq!(due_images(&stores, 100_000).await, [image]);
}

pub async fn who_has_no_image_is_told_from_who_is_not_live(stores: Stores) {
    let (ann, bob) = (created(&stores, "ann").await, created(&stores, "bob").await);
    let bobs = with_image(&stores, bob.id).await;
    delete(&stores, bob.id).await;
    let none = stores.profile_images.remove(ann.id, &change()).await;
    assert!(matches!(none, Err(RemoveImageError::NoImage)));
    for id in [bob.id, next_user_id()] {
        let refused = stores.profile_images.remove(id, &change()).await;
        assert!(matches!(refused, Err(RemoveImageError::NotFound)));
    }
    assert_eq!(restore(&stores, bob.id).await.profile_image, Some(bobs.into()));
    assert_eq!(due_images(&stores, 100_000).await, []);
}

pub async fn of_two_who_take_an_image_away_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let user = created(&stores, &format!("ann{round}")).await.id;
        let image = with_image(&stores, user).await;
        let takers = (0..2).map(|_| {
            let images = Arc::clone(&stores.profile_images);
            async move { images.remove(user, &change()).await }
        });
        let answers = race(takers.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
        assert_eq!(due, [PendingRemoval { owner: user, image, due: at(0) }]);
        stores.profile_images.done(&due[0]).await.unwrap();
    }
}

pub async fn an_image_taken_away_beside_a_new_one_leaves_none_behind(stores: Stores) {
    for round in 0..ROUNDS {
        let user = created(&stores, &format!("ann{round}")).await.id;
        let (first, second) = (with_image(&stores, user).await, reserved(&stores, user, 600).await);
        let (setting, taking, wanted) =
            (Arc::clone(&stores.profile_images), Arc::clone(&stores.profile_images), second.clone());
        let (set, taken) =
            race_two(async move { setting.set(user, &wanted.clone().into(), &change()).await }, async move {
                taking.remove(user, &change()).await
            })
            .await;
        assert!(set.is_ok() && taken.is_ok(), "{set:?}, {taken:?}");
        let shown = live(&stores, user).await.unwrap().profile_image;
        let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
        let mut images: Vec<_> = due.iter().map(|removal| removal.image.clone()).collect();
        images.sort_unstable();
        let mut both = [first.clone(), second.clone()];
        both.sort_unstable();
        match shown {
            None => assert_eq!(images, both),
            Some(image) => assert_eq!((image, images), (second.into(), vec![first])),
        }
        for removal in &due {
            stores.profile_images.done(removal).await.unwrap();
        }
    }
}

pub async fn of_setting_an_image_and_removing_it_exactly_one_happens(stores: Stores) {
    for round in 0..ROUNDS {
        let user = created(&stores, &format!("ann{round}")).await.id;
        let image = reserved(&stores, user, 10).await;
        let (setting, removing, wanted) =
            (Arc::clone(&stores.profile_images), Arc::clone(&stores.profile_images), image.clone());
        let (set, due) = race_two(
            async move { setting.set(user, &wanted.clone().into(), &change_at(at(10))).await },
            async move { removing.due(&file_store(), at(10), None, 10).await.unwrap() },
        )
        .await;
        let shown = live(&stores, user).await.unwrap().profile_image;
        match set {
            Ok(()) => assert_eq!((due, shown), (Vec::new(), Some(image.into()))),
            Err(SetImageError::ReservationLost) => {
                assert_eq!((due.len(), shown), (1, None));
                stores.profile_images.done(&due[0]).await.unwrap();
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

pub async fn of_two_images_set_at_once_one_stays_and_the_other_is_due(stores: Stores) {
    for round in 0..ROUNDS {
        let user = created(&stores, &format!("ann{round}")).await.id;
        let images = [reserved(&stores, user, 600).await, reserved(&stores, user, 600).await];
        let uploads = images.iter().cloned().map(|image| {
            let images = Arc::clone(&stores.profile_images);
            async move { images.set(user, &image.clone().into(), &change()).await.unwrap() }
        });
        race(uploads.collect()).await;
        let shown = live(&stores, user).await.unwrap().profile_image;
        let shown = shown.and_then(|image| image.stored().cloned()).expect("an image");
        let due = stores.profile_images.due(&file_store(), at(5), None, 10).await.unwrap();
        let mut both = [shown, due[0].image.clone()];
        both.sort_unstable();
        let mut expected = images;
        expected.sort_unstable();
        assert_eq!((due.len(), both), (1, expected));
        stores.profile_images.done(&due[0]).await.unwrap();
    }
}
