//! [`Accounts::create`](roster_domain::ports::Accounts::create) and what has to do with it.

use std::sync::Arc;

use roster_domain::entities::NewUser;
use roster_domain::ports::CreateError;
use roster_domain::values::{Epoch, Role};

use super::Stores;
use super::support::{ROUNDS, created, delete, import, listed, live, purge, race, stored};
use crate::fixtures::{account, at, change, change_at, email, new_admin, new_user, shown, username};

pub async fn a_user_is_created_as_it_was_given(stores: Stores) {
    let user = new_user("élodie");
    let change = change_at(at(5));
    stores.accounts.create(&user, &change).await.unwrap();

    assert_eq!(live(&stores, user.id).await, Some(shown(&user, at(5))));
    let account = stored(&stores, user.id).await.unwrap();
    assert_eq!(account.user, shown(&user, at(5)));
    assert_eq!(account.password_hash, user.password_hash);
    assert_eq!((account.epoch, account.sessions, account.trash), (Epoch::FIRST, Vec::new(), None));
}

pub async fn a_live_users_email_is_refused(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let other = NewUser { email: ann.email, ..new_user("bob") };
    assert!(matches!(stores.accounts.create(&other, &change()).await, Err(CreateError::EmailTaken)));
}

pub async fn a_live_users_username_is_refused(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let other = NewUser { username: ann.username, ..new_user("bob") };
    assert!(matches!(stores.accounts.create(&other, &change()).await, Err(CreateError::UsernameTaken)));
}

pub async fn names_are_compared_by_simple_case_folding(stores: Stores) {
    let named = |name: &str, text: &str| NewUser {
        email: email(&format!("{text}@example.com")),
        username: username(text),
        ..new_user(name)
    };
    let ann = named("ann", "νίκος.π");
    let bob = named("bob", "straße");
    for user in [&ann, &bob] {
        stores.accounts.create(user, &change()).await.unwrap();
    }
    for (taken, is) in [("ΝΊΚΟΣ.Π", &ann), ("νίκοσ.π", &ann), ("STRAẞE", &bob)] {
        let other = NewUser { username: username("other"), ..named("other", taken) };
        assert!(matches!(stores.accounts.create(&other, &change()).await, Err(CreateError::EmailTaken)));
        let other = NewUser { email: email("other@example.com"), ..named("other", taken) };
        assert!(matches!(stores.accounts.create(&other, &change()).await, Err(CreateError::UsernameTaken)));
        assert_eq!(stores.accounts.free_usernames(&[username(taken)]).await.unwrap(), []);
        let found = stores.sessions.credentials(&email(&format!("{taken}@example.com"))).await.unwrap();
        assert_eq!(found.map(|found| found.user_id), Some(is.id));
        // What is kept is what was given.
        assert_eq!(live(&stores, is.id).await.map(|user| user.username), Some(is.username.clone()));
    }
    stores.accounts.create(&named("carol", "strasse"), &change()).await.unwrap();
}

pub async fn of_two_taken_names_the_email_is_named(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let both_of_one = NewUser { id: new_user("x").id, ..ann.clone() };
    assert!(matches!(stores.accounts.create(&both_of_one, &change()).await, Err(CreateError::EmailTaken)));
    for (email_of, username_of) in [(&ann, &bob), (&bob, &ann)] {
        let one_of_each = NewUser {
            email: email_of.email.clone(),
            username: username_of.username.clone(),
            ..new_user("carol")
        };
        assert!(matches!(
            stores.accounts.create(&one_of_each, &change()).await,
            Err(CreateError::EmailTaken)
        ));
    }
}

pub async fn a_trashed_users_names_stay_taken(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    let same_email = NewUser { email: ann.email.clone(), ..new_user("bob") };
    assert!(matches!(stores.accounts.create(&same_email, &change()).await, Err(CreateError::EmailTaken)));
    let same_username = NewUser { username: ann.username.clone(), ..new_user("carol") };
    assert!(matches!(
        stores.accounts.create(&same_username, &change()).await,
        Err(CreateError::UsernameTaken)
    ));
    assert_eq!(stores.accounts.free_usernames(&[ann.username]).await.unwrap(), []);
}

pub async fn a_purged_users_names_are_free(stores: Stores) {
    let ann = created(&stores, "ann").await;
    purge(&stores, ann.id).await;
    assert_eq!(
        stores.accounts.free_usernames(std::slice::from_ref(&ann.username)).await.unwrap(),
        [ann.username]
    );
    let again = created(&stores, "ann").await;
    assert_eq!(live(&stores, again.id).await, Some(shown(&again, change().at)));
}

pub async fn a_refused_user_leaves_nothing_behind(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let email_taken = NewUser { email: ann.email.clone(), role: Role::Admin, ..new_user("bob") };
    let username_taken = NewUser { username: ann.username, role: Role::Admin, ..new_user("carol") };
    for refused in [email_taken, username_taken] {
        stores.accounts.create(&refused, &change()).await.unwrap_err();
        assert_eq!(stored(&stores, refused.id).await, None);
    }
    assert!(!stores.accounts.has_had_admin().await.unwrap());
    assert_eq!(listed(&stores, 1, 10).await.total, 1);
    created(&stores, "bob").await;
    created(&stores, "carol").await;
}

pub async fn free_usernames_are_told_in_the_order_given(stores: Stores) {
    import(&stores, &account("Mixed")).await;
    created(&stores, "ann").await;
    let candidates = ["zoe", "ann", "bob", "mixed", "amy"].map(username);
    let free = stores.accounts.free_usernames(&candidates).await.unwrap();
    assert_eq!(free, ["zoe", "bob", "amy"].map(username));
    assert_eq!(stores.accounts.free_usernames(&[]).await.unwrap(), []);
}

pub async fn there_has_been_no_admin_in_an_empty_store(stores: Stores) {
    assert!(!stores.accounts.has_had_admin().await.unwrap());
    created(&stores, "ann").await;
    assert!(!stores.accounts.has_had_admin().await.unwrap());
    stores.accounts.create(&new_admin("bob"), &change()).await.unwrap();
    assert!(stores.accounts.has_had_admin().await.unwrap());
}

pub async fn the_first_admin_is_created_once(stores: Stores) {
    let first = new_admin("ann");
    stores.accounts.create_first_admin(&first, &change()).await.unwrap();
    assert_eq!(live(&stores, first.id).await, Some(shown(&first, change().at)));
    assert!(stores.accounts.has_had_admin().await.unwrap());
    let second = stores.accounts.create_first_admin(&new_admin("bob"), &change()).await;
    assert!(matches!(second, Err(CreateError::AdminExists)));
}

pub async fn a_first_admin_is_refused_for_the_admin_before_the_names(stores: Stores) {
    let first = new_admin("ann");
    stores.accounts.create(&first, &change()).await.unwrap();
    let same_names = NewUser { id: new_user("x").id, ..first };
    let refused = stores.accounts.create_first_admin(&same_names, &change()).await;
    assert!(matches!(refused, Err(CreateError::AdminExists)));
}

pub async fn a_first_admins_names_are_checked_too(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let same_email = NewUser { email: ann.email.clone(), ..new_admin("bob") };
    let refused = stores.accounts.create_first_admin(&same_email, &change()).await;
    assert!(matches!(refused, Err(CreateError::EmailTaken)));
    let same_username = NewUser { username: ann.username, ..new_admin("bob") };
    let refused = stores.accounts.create_first_admin(&same_username, &change()).await;
    assert!(matches!(refused, Err(CreateError::UsernameTaken)));

    assert!(!stores.accounts.has_had_admin().await.unwrap());
    stores.accounts.create_first_admin(&new_admin("bob"), &change()).await.unwrap();
}

pub async fn an_admin_who_was_purged_has_been_there(stores: Stores) {
    let admin = new_admin("ann");
    stores.accounts.create_first_admin(&admin, &change()).await.unwrap();
    delete(&stores, admin.id).await;
    assert!(stores.accounts.has_had_admin().await.unwrap());
    stores.trash.purge(admin.id, &change()).await.unwrap();
    assert!(stores.accounts.has_had_admin().await.unwrap());
    let second = stores.accounts.create_first_admin(&new_admin("bob"), &change()).await;
    assert!(matches!(second, Err(CreateError::AdminExists)));
}

pub async fn an_imported_admin_has_been_there(stores: Stores) {
    let mut admin = account("ann");
    import(&stores, &admin).await;
    assert!(!stores.accounts.has_had_admin().await.unwrap());
    admin.user.role = Role::Admin;
    import(&stores, &admin).await;
    assert!(stores.accounts.has_had_admin().await.unwrap());
    purge(&stores, admin.user.id).await;
    let second = stores.accounts.create_first_admin(&new_admin("bob"), &change()).await;
    assert!(matches!(second, Err(CreateError::AdminExists)));
}

pub async fn of_two_equal_sign_ups_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        one_of_equal_sign_ups_succeeds(&stores, &format!("ann{round}"), 2).await;
    }
}

pub async fn of_sixteen_equal_sign_ups_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS / 4 {
        one_of_equal_sign_ups_succeeds(&stores, &format!("ann{round}"), 16).await;
    }
}

async fn one_of_equal_sign_ups_succeeds(stores: &Stores, name: &str, contestants: usize) {
    let before = listed(stores, 1, 1).await.total;
    let sign_ups = (0..contestants).map(|_| {
        let (accounts, user) = (Arc::clone(&stores.accounts), new_user(name));
        async move { accounts.create(&user, &change()).await }
    });
    let answers = race(sign_ups.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| matches!(answer, Err(CreateError::EmailTaken))).count();
    assert_eq!(refused, contestants - 1, "{answers:?}");
    assert_eq!(listed(stores, 1, 1).await.total, before + 1);
}

pub async fn of_two_sign_ups_with_one_username_exactly_one_succeeds(stores: Stores) {
    for round in 0..ROUNDS {
        let sign_ups = (0..2).map(|contestant| {
            let email = new_user(&format!("mail{round}of{contestant}")).email;
            let user = NewUser { email, ..new_user(&format!("ann{round}")) };
            let accounts = Arc::clone(&stores.accounts);
            async move { accounts.create(&user, &change()).await }
        });
        let answers = race(sign_ups.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        let is_refused = |answer: &Result<_, _>| matches!(answer, Err(CreateError::UsernameTaken));
        assert!(answers.iter().any(is_refused), "{answers:?}");
    }
}

pub async fn of_two_first_admins_exactly_one_succeeds(stores: Stores) {
    // An admin is the first once only, so this race is run by many at once.
    let sign_ups = (0..16).map(|contestant| {
        let (accounts, user) = (Arc::clone(&stores.accounts), new_admin(&format!("ann{contestant}")));
        async move { accounts.create_first_admin(&user, &change()).await }
    });
    let answers = race(sign_ups.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|answer| matches!(answer, Err(CreateError::AdminExists))).count();
    assert_eq!(refused, 15, "{answers:?}");
    assert_eq!(listed(&stores, 1, 10).await.total, 1);
}
