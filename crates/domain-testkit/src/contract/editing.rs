//! [`Accounts::edit`](roster_domain::ports::Accounts::edit).

use std::sync::Arc;

use roster_domain::entities::{Edit, User};
use roster_domain::ports::EditError;

use super::Stores;
use super::support::{ROUNDS, created, delete, live, logged_in, purge, race, race_two, restore, stored};
use super::support::{session_lives, with_image};
use crate::fixtures::{
    at, change, change_by, edit_email, edit_username, email, new_admin, next_user_id, shown, trashed,
    username,
};

pub async fn an_edit_changes_what_it_names_and_tells_who_and_when(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let admin = next_user_id();

    let edited = stores.accounts.edit(ann.id, &edit_email("a@example.org"), &change_by(admin, at(5))).await;
    let expected = User {
        email: email("a@example.org"),
        updated_at: Some(at(5)),
        updated_by: Some(admin),
        ..shown(&ann, at(0))
    };
    assert_eq!(edited.unwrap(), expected);
    assert_eq!(live(&stores, ann.id).await, Some(expected.clone()));

    let edited = stores.accounts.edit(ann.id, &edit_username("anna"), &change_by(ann.id, at(6))).await;
    let expected =
        User { username: username("anna"), updated_at: Some(at(6)), updated_by: Some(ann.id), ..expected };
    assert_eq!(edited.unwrap(), expected);
    assert_eq!(live(&stores, ann.id).await, Some(expected));
}

pub async fn an_edit_leaves_sessions_hash_role_and_image_alone(stores: Stores) {
    let admin = new_admin("ann");
    stores.accounts.create(&admin, &change()).await.unwrap();
    let image = with_image(&stores, admin.id).await;
    let opened = logged_in(&stores.sessions, admin.id, 1).await;
    let before = stored(&stores, admin.id).await.unwrap();

    let both = Edit { email: Some(email("a@example.org")), username: Some(username("anna")) };
    let edited = stores.accounts.edit(admin.id, &both, &change_by(admin.id, at(5))).await.unwrap();
    assert_eq!((edited.role, edited.profile_image.clone()), (admin.role, Some(image.into())));
    let after = stored(&stores, admin.id).await.unwrap();
    assert_eq!(after.user, edited);
    assert_eq!((after.password_hash, after.epoch, after.trash), (before.password_hash, before.epoch, None));
    assert!(session_lives(&stores.sessions, admin.id, &opened).await);
}

pub async fn names_that_were_edited_away_are_free_and_the_new_ones_taken(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let both = Edit { email: Some(email("anna@example.com")), username: Some(username("anna")) };
    stores.accounts.edit(ann.id, &both, &change()).await.unwrap();
    let names = ["ann", "anna"].map(username);
    assert_eq!(stores.accounts.free_usernames(&names).await.unwrap(), [username("ann")]);
    created(&stores, "ann").await;
    let taken = crate::fixtures::new_user("anna");
    stores.accounts.create(&taken, &change()).await.unwrap_err();
    assert_eq!(
        stores.sessions.credentials(&email("anna@example.com")).await.unwrap().unwrap().user_id,
        ann.id
    );
}

pub async fn ones_own_names_are_no_conflict(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let own = Edit { email: Some(ann.email.clone()), username: Some(ann.username.clone()) };
    let edited = stores.accounts.edit(ann.id, &own, &change_by(ann.id, at(5))).await.unwrap();
    assert_eq!((edited.email, edited.username, edited.updated_at), (ann.email, ann.username, Some(at(5))));
}

pub async fn an_edit_to_another_users_names_is_refused_and_changes_nothing(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let to_email = stores.accounts.edit(ann.id, &edit_email("bob@example.com"), &change()).await;
    assert!(matches!(to_email, Err(EditError::EmailTaken)));
    let to_username = stores.accounts.edit(ann.id, &edit_username("bob"), &change()).await;
    assert!(matches!(to_username, Err(EditError::UsernameTaken)));
    let half = Edit { email: Some(email("free@example.com")), username: Some(bob.username) };
    assert!(matches!(stores.accounts.edit(ann.id, &half, &change()).await, Err(EditError::UsernameTaken)));

    assert_eq!(live(&stores, ann.id).await, Some(shown(&ann, at(0))));
    assert_eq!(stores.sessions.credentials(&email("free@example.com")).await.unwrap(), None);
    created(&stores, "free").await;
}

pub async fn of_two_taken_names_an_edit_names_the_email(stores: Stores) {
    let ann = created(&stores, "ann").await;
    created(&stores, "bob").await;
    created(&stores, "carol").await;
    for (email_of, username_of) in [("bob", "bob"), ("bob", "carol"), ("carol", "bob")] {
        let both = Edit {
            email: Some(email(&format!("{email_of}@example.com"))),
            username: Some(username(username_of)),
        };
        assert!(matches!(stores.accounts.edit(ann.id, &both, &change()).await, Err(EditError::EmailTaken)));
    }
}

pub async fn an_edit_to_a_trashed_users_names_is_refused(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    delete(&stores, bob.id).await;
    let to_email = stores.accounts.edit(ann.id, &edit_email("bob@example.com"), &change()).await;
    assert!(matches!(to_email, Err(EditError::EmailTaken)));
    let to_username = stores.accounts.edit(ann.id, &edit_username("bob"), &change()).await;
    assert!(matches!(to_username, Err(EditError::UsernameTaken)));

    stores.trash.purge(bob.id, &change()).await.unwrap();
    let both = Edit { email: Some(bob.email.clone()), username: Some(bob.username) };
    assert_eq!(stores.accounts.edit(ann.id, &both, &change()).await.unwrap().email, bob.email);
}

pub async fn a_user_who_is_not_live_is_not_edited(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    let edit = edit_username("anna");
    assert!(matches!(stores.accounts.edit(ann.id, &edit, &change()).await, Err(EditError::NotFound)));
    assert!(matches!(stores.accounts.edit(next_user_id(), &edit, &change()).await, Err(EditError::NotFound)));
    assert_eq!(restore(&stores, ann.id).await, shown(&ann, at(0)));
    purge(&stores, ann.id).await;
    assert!(matches!(stores.accounts.edit(ann.id, &edit, &change()).await, Err(EditError::NotFound)));
}

pub async fn of_two_edits_to_one_email_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let mut edits = Vec::new();
        for name in ["ann", "bob"] {
            let user = created(&stores, &format!("{name}{round}")).await.id;
            let (accounts, edit) =
                (Arc::clone(&stores.accounts), edit_email(&format!("one{round}@example.com")));
            edits.push(async move { accounts.edit(user, &edit, &change()).await });
        }
        let answers = race(edits).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let is_refused = |answer: &Result<_, _>| matches!(answer, Err(EditError::EmailTaken));
        assert!(answers.iter().any(is_refused), "{answers:?}");
    }
}

pub async fn an_edit_beside_a_deletion_comes_first_or_is_refused(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        let (accounts, trash) = (Arc::clone(&stores.accounts), Arc::clone(&stores.trash));
        let edit = edit_username(&format!("anna{round}"));
        let (edited, ()) = race_two(
            async move { accounts.edit(ann.id, &edit, &change_by(ann.id, at(5))).await },
            async move {
                trash.put(ann.id, &trashed(), &change_by(ann.id, at(5))).await.unwrap();
            },
        )
        .await;
        let restored = restore(&stores, ann.id).await;
        match edited {
            Ok(edited) => assert_eq!(restored, edited),
            Err(EditError::NotFound) => assert_eq!(restored, shown(&ann, at(0))),
            Err(error) => panic!("{error:?}"),
        }
    }
}
