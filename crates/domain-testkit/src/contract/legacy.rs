//! Accounts of an earlier system, whose values no client could give today, are like any other.

use roster_domain::entities::{Account, Edit, Page, User};
use roster_domain::ports::{CreateError, EditError, UserQuery};
use roster_domain::values::Username;

use super::Stores;
use super::support::{
    created, delete, due_images, found, import, listed, live, logged_in, purge, restore, stored,
};
use super::support::{session_lives, with_image};
use crate::fixtures::{
    account, at, change, change_by, edit_email, edit_username, email, file_store, new_user, original_image,
    page, search_term, username,
};

/// One account for each way in which an earlier system was laxer.
fn legacy_accounts() -> Vec<Account> {
    let mut without_times = account("without times");
    without_times.user.created_at = None;
    let mut odd_email = account("odd email");
    odd_email.user.email = email(" Not An Address \u{7}");
    let mut empty_email = account("empty email");
    empty_email.user.email = email("");
    let mut before_1970 = account("before 1970");
    before_1970.user.created_at = Some(roster_domain::values::Timestamp::from_millis(-1_234));
    let mut accounts = vec![without_times, odd_email, empty_email, before_1970];
    for (number, name) in
        ["", " spaced ", "MiXed", "nul\0 and \u{7}", "e\u{301}", &"Lo".repeat(2_500)].iter().enumerate()
    {
        let mut odd_name = account(name);
        odd_name.user.email = email(&format!("odd{number}@example.com"));
        accounts.push(odd_name);
    }
    accounts
}

async fn imported(stores: &Stores) -> Vec<Account> {
    let accounts = legacy_accounts();
    stores.archive.write(&accounts, &change()).await.unwrap();
    accounts
}

pub async fn a_legacy_account_is_read_as_it_was_written(stores: Stores) {
    let accounts = imported(&stores).await;
    assert_eq!(stores.archive.read(None, 100).await.unwrap(), accounts);
    stores.archive.write(&accounts, &change()).await.unwrap();
    assert_eq!(stores.archive.read(None, 100).await.unwrap(), accounts);
}

pub async fn a_legacy_account_is_listed_and_read(stores: Stores) {
    let accounts = imported(&stores).await;
    let users: Vec<User> = accounts.iter().map(|account| account.user.clone()).collect();
    assert_eq!(listed(&stores, 1, 100).await, Page { total: users.len() as u64, items: users });
    for account in &accounts {
        assert_eq!(live(&stores, account.user.id).await.as_ref(), Some(&account.user));
        let credentials = stores.sessions.credentials(&account.user.email).await.unwrap();
        assert_eq!(credentials.map(|found| found.user_id), Some(account.user.id));
    }
}

pub async fn a_legacy_account_is_searched(stores: Stores) {
    imported(&stores).await;
    assert_eq!(found(&stores, "mixed").await, ["MiXed"]);
    assert_eq!(found(&stores, "IX").await, ["MiXed"]);
    assert_eq!(found(&stores, "aced").await, [" spaced "]);
    assert_eq!(found(&stores, "é").await, ["e\u{301}"]);
    assert_eq!(found(&stores, "nul").await, ["nul\0 and \u{7}"]);
    for term in ["l\0", "l\0 a", "nd \u{7}", "\0", "\u{7}"] {
        assert_eq!(found(&stores, term).await, ["nul\0 and \u{7}"], "{term:?}");
    }
    for term in ["l", "ol", "lol", &"lo".repeat(32)] {
        let query = UserQuery { search: Some(search_term(term)), page: page(1, 100) };
        let found = stores.directory.list(&query).await.unwrap();
        assert!(found.items.iter().any(|user| user.username.as_str().len() == 5_000), "{term:?}");
    }
}

pub async fn a_long_legacy_name_is_found_by_any_piece_of_its_beginning(stores: Stores) {
    // No two pieces of it are the same.
    let pieces: Vec<_> = (0..1_250).map(|number| format!("{number:04}")).collect();
    let mut name = pieces.concat();
    name.push_str("the end");
    let mut long = account("long");
    long.user.username = Username::from_store(name.clone());
    import(&stores, &long).await;
    import(&stores, &account("other")).await;
    let last = Username::SEARCHED - 64;
    for start in [0, 1, 63, 128, last - 1, last] {
        for length in [4, 64] {
            let term = &name[start..start + length];
            assert_eq!(found(&stores, term).await, [name.as_str()], "{term:?} at {start}");
        }
    }
    let edit = edit_username("short");
    stores.accounts.edit(long.user.id, &edit, &change()).await.unwrap();
    assert_eq!(found(&stores, &name[..64]).await, [""; 0]);
    assert_eq!(found(&stores, "short").await, ["short"]);
}

pub async fn a_legacy_account_is_edited(stores: Stores) {
    for (number, account) in imported(&stores).await.into_iter().enumerate() {
        let id = account.user.id;
        let edit = edit_email(&format!("new{number}@example.com"));
        let edited = stores.accounts.edit(id, &edit, &change_by(id, at(5))).await.unwrap();
        let expected = User {
            email: edit.email.unwrap(),
            updated_at: Some(at(5)),
            updated_by: Some(id),
            ..account.user
        };
        assert_eq!(edited, expected);
        let edit = edit_username(&format!("new{number}"));
        let edited = stores.accounts.edit(id, &edit, &change_by(id, at(5))).await.unwrap();
        assert_eq!(edited, User { username: edit.username.unwrap(), ..expected });
        assert_eq!(live(&stores, id).await, Some(edited));
    }
}

pub async fn a_legacy_account_logs_in_and_gets_an_image(stores: Stores) {
    for account in imported(&stores).await {
        let opened = logged_in(&stores.sessions, account.user.id, 5).await;
        assert!(session_lives(&stores.sessions, account.user.id, &opened).await);
        let image = with_image(&stores, account.user.id).await;
        assert_eq!(live(&stores, account.user.id).await.unwrap().profile_image, Some(image.into()));
    }
}

pub async fn a_legacy_account_is_deleted_restored_and_purged(stores: Stores) {
    for account in imported(&stores).await {
        delete(&stores, account.user.id).await;
        assert_eq!(live(&stores, account.user.id).await, None);
        assert_eq!(stored(&stores, account.user.id).await.unwrap().user, account.user);
        assert_eq!(restore(&stores, account.user.id).await, account.user);
        purge(&stores, account.user.id).await;
        assert_eq!(stored(&stores, account.user.id).await, None);
        // Its names are free again.
        import(&stores, &Account { user: User { id: new_user("x").id, ..account.user }, ..account }).await;
    }
}

/// Accounts whose images are the FastAPI service's, whatever it kept of them.
fn accounts_with_originals() -> Vec<Account> {
    let texts = [
        "me_16adcd34debb4cc9b907e74be4cc65c3.jpg",
        "https://bucket.s3.eu-north-1.amazonaws.com/me.jpg_16adcd34-debb-4cc9-b907-e74be4cc65c3.jpg",
        "",
        "../../etc/passwd",
        "$email",
        "nul\0 and é",
        &"long".repeat(1_250),
    ];
    let with_image = |(number, text): (usize, &&str)| {
        let mut account = account(&format!("user{number}"));
        account.user.profile_image = Some(original_image(text).into());
        account
    };
    texts.iter().enumerate().map(with_image).collect()
}

pub async fn an_original_image_is_kept_as_it_was(stores: Stores) {
    let accounts = accounts_with_originals();
    for _ in 0..2 {
        stores.archive.write(&accounts, &change()).await.unwrap();
        assert_eq!(stores.archive.read(None, 100).await.unwrap(), accounts);
    }
    let users: Vec<User> = accounts.into_iter().map(|account| account.user).collect();
    assert_eq!(listed(&stores, 1, 100).await.items, users);
    for user in users {
        assert_eq!(live(&stores, user.id).await.as_ref(), Some(&user));
        let edited = stores.accounts.edit(user.id, &edit_email("a@example.com"), &change()).await.unwrap();
        assert_eq!(edited.profile_image, user.profile_image);
        delete(&stores, user.id).await;
        assert_eq!(restore(&stores, user.id).await, edited);
        purge(&stores, user.id).await;
    }
    assert_eq!(due_images(&stores, 100_000).await, [], "an original is never removed");
}

pub async fn an_image_takes_an_originals_place_and_an_import_puts_it_back(stores: Stores) {
    for account in accounts_with_originals() {
        import(&stores, &account).await;
        let id = account.user.id;
        let image = with_image(&stores, id).await;
        let shown = User { profile_image: Some(image.clone().into()), ..account.user.clone() };
        assert_eq!(live(&stores, id).await.as_ref(), Some(&shown));
        assert_eq!(stored(&stores, id).await.map(|account| account.user), Some(shown));
        assert_eq!(due_images(&stores, 100_000).await, [], "an original is never removed");

        import(&stores, &account).await;
        assert_eq!(stored(&stores, id).await.as_ref(), Some(&account));
        let mut without = account;
        without.user.profile_image = None;
        import(&stores, &without).await;
        assert_eq!(live(&stores, id).await, Some(without.user));
        purge(&stores, id).await;
        for removal in stores.profile_images.due(&file_store(), at(100_000), None, 10).await.unwrap() {
            assert_eq!(removal.image, image);
            stores.profile_images.done(&removal).await.unwrap();
        }
    }
}

pub async fn a_legacy_name_in_mixed_case_is_taken_in_lower_case(stores: Stores) {
    let mut mixed = account("MiXed");
    mixed.user.email = email("MiXed@Example.COM");
    import(&stores, &mixed).await;
    assert_eq!(stores.accounts.free_usernames(&[username("mixed")]).await.unwrap(), []);
    let refused = stores.accounts.create(&new_user("mixed"), &change()).await;
    assert!(matches!(refused, Err(CreateError::EmailTaken)));
    let ann = created(&stores, "ann").await;
    let refused = stores.accounts.edit(ann.id, &edit_username("mixed"), &change()).await;
    assert!(matches!(refused, Err(EditError::UsernameTaken)));
    let refused = stores.accounts.edit(ann.id, &edit_email("mixed@example.com"), &change()).await;
    assert!(matches!(refused, Err(EditError::EmailTaken)));
}

pub async fn a_legacy_user_may_edit_its_names_to_their_lower_case(stores: Stores) {
    let mut mixed = account("MiXed");
    mixed.user.email = email("MiXed@Example.COM");
    import(&stores, &mixed).await;
    let lower = Edit { email: Some(email("mixed@example.com")), username: Some(username("mixed")) };
    let edited = stores.accounts.edit(mixed.user.id, &lower, &change()).await.unwrap();
    assert_eq!((Some(edited.email), Some(edited.username)), (lower.email, lower.username));
}

pub async fn two_legacy_accounts_whose_names_differ_in_case_alone_conflict(stores: Stores) {
    import(&stores, &account("Ann")).await;
    let mut same_username = account("other");
    same_username.user.username = Username::from_store("aNN".to_owned());
    stores.archive.write(&[same_username], &change()).await.unwrap_err();
    let mut same_email = account("another");
    same_email.user.email = email("aNN@EXAMPLE.com");
    stores.archive.write(&[same_email], &change()).await.unwrap_err();
    assert_eq!(listed(&stores, 1, 10).await.total, 1);
}
