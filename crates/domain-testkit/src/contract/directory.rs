//! [`Directory::list`](roster_domain::ports::Directory::list), without and with a search.

use roster_domain::entities::NewUser;
use roster_domain::ports::UserQuery;

use super::Stores;
use super::support::{created, delete, found, import, listed, purge, restore};
use crate::fixtures::{
    account, at, change, edit_username, email, new_user, page, search_term, shown, user_id, username,
};

pub async fn an_empty_store_lists_nobody(stores: Stores) {
    let page = listed(&stores, 1, 10).await;
    assert_eq!((page.total, page.items), (0, Vec::new()));
}

pub async fn users_are_listed_by_id_whatever_the_order_they_came_in(stores: Stores) {
    let mut users = Vec::new();
    for number in [5, 1, 4, 2, 300, 3] {
        let user = NewUser { id: user_id(number), ..new_user(&format!("user{number}")) };
        stores.accounts.create(&user, &change()).await.unwrap();
        users.push(shown(&user, at(0)));
    }
    let mut imported = account("imported");
    imported.user.id = user_id(100);
    import(&stores, &imported).await;
    users.push(imported.user);

    users.sort_by_key(|user| user.id);
    let page = listed(&stores, 1, 10).await;
    assert_eq!((page.total, page.items), (7, users));
}

pub async fn pages_cover_every_user_once(stores: Stores) {
    for number in [3, 9, 1, 7, 5, 2, 8, 4, 6, 0] {
        let user = NewUser { id: user_id(number), ..new_user(&format!("user{number}")) };
        stores.accounts.create(&user, &change()).await.unwrap();
    }
    let all: Vec<_> = (0..10).map(user_id).collect();
    for per_page in [1, 2, 3, 5, 9, 10, 11] {
        let mut covered = Vec::new();
        for number in 1..=10_u64.div_ceil(per_page) {
            let page = listed(&stores, number, per_page).await;
            assert_eq!(page.total, 10);
            assert!(page.items.len() as u64 <= per_page);
            covered.extend(page.items.into_iter().map(|user| user.id));
        }
        assert_eq!(covered, all, "{per_page} on a page");
    }
}

pub async fn a_page_behind_the_last_is_empty_and_tells_the_total(stores: Stores) {
    created(&stores, "ann").await;
    created(&stores, "bob").await;
    for number in [2, 3, 1_000_000, u64::from(u32::MAX), u64::MAX / 2, u64::MAX] {
        let all = listed(&stores, number, 10).await;
        assert_eq!((all.total, all.items), (2, Vec::new()), "page {number}");

        let query = UserQuery { search: Some(search_term("ann")), page: page(number, 10) };
        let found = stores.directory.list(&query).await.unwrap();
        assert_eq!((found.total, found.items), (1, Vec::new()), "page {number} of a search");
    }
}

pub async fn the_total_tells_of_what_was_just_written(stores: Stores) {
    let ann = created(&stores, "ann").await;
    assert_eq!(listed(&stores, 1, 1).await.total, 1);
    let bob = created(&stores, "bob").await;
    assert_eq!(listed(&stores, 1, 1).await.total, 2);
    delete(&stores, ann.id).await;
    assert_eq!(listed(&stores, 1, 1).await.total, 1);
    restore(&stores, ann.id).await;
    assert_eq!(listed(&stores, 1, 1).await.total, 2);
    purge(&stores, bob.id).await;
    assert_eq!(listed(&stores, 1, 1).await.total, 1);
    import(&stores, &account("carol")).await;
    assert_eq!(listed(&stores, 1, 1).await.total, 2);
}

pub async fn a_trashed_user_is_not_listed(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    delete(&stores, ann.id).await;
    assert_eq!(listed(&stores, 1, 10).await.items, [shown(&bob, at(0))]);
}

async fn with_names<const N: usize>(stores: &Stores, names: [&str; N]) {
    for name in names {
        let user = new_user(name);
        // Not every letter of a username may stand in an email.
        let email = email(&format!("{}@example.com", user.id));
        stores.accounts.create(&NewUser { email, ..user }, &change()).await.unwrap();
    }
}

pub async fn a_search_finds_every_name_that_contains_the_term(stores: Stores) {
    with_names(&stores, ["alexandra", "alexander", "sandra", "max", "ex"]).await;
    assert_eq!(found(&stores, "alexandra").await, ["alexandra"]);
    assert_eq!(found(&stores, "sand").await, ["sandra"]);
    assert_eq!(found(&stores, "and").await, ["alexandra", "alexander", "sandra"]);
    assert_eq!(found(&stores, "dra").await, ["alexandra", "sandra"]);
    assert_eq!(found(&stores, "lex").await, ["alexandra", "alexander"]);
    assert_eq!(found(&stores, "ex").await, ["alexandra", "alexander", "ex"]);
    assert_eq!(found(&stores, "x").await, ["alexandra", "alexander", "max", "ex"]);
    assert_eq!(found(&stores, "zzz").await, [""; 0]);
    assert_eq!(found(&stores, "alexandra1").await, [""; 0]);
}

pub async fn a_search_looks_for_the_pieces_of_a_term_together(stores: Stores) {
    with_names(&stores, ["abcd", "abc bcd", "bcdabc", "abcbcd"]).await;
    assert_eq!(found(&stores, "abcd").await, ["abcd"]);
    assert_eq!(found(&stores, "c b").await, ["abc bcd"]);
    assert_eq!(found(&stores, "abc bcd").await, ["abc bcd"]);
}

pub async fn a_search_is_literal(stores: Stores) {
    let names = [
        "plain",
        "100%",
        "a_b",
        "axb",
        "star*",
        "quo\"te",
        "it's",
        "back\\slash",
        "do.t",
        "(paren)",
        "[set]",
        "a-b",
        "a or b",
        "near^2",
        "{1:1}",
        "$where",
        "a+b",
        "que?ry",
        "pi|pe",
    ];
    with_names(&stores, names).await;
    for name in names {
        assert_eq!(found(&stores, name).await, [name]);
    }
    for (term, expected) in [
        ("%", "100%"),
        ("0%", "100%"),
        ("_", "a_b"),
        ("a_b", "a_b"),
        ("*", "star*"),
        ("ar*", "star*"),
        ("\"", "quo\"te"),
        ("\"te", "quo\"te"),
        ("'", "it's"),
        ("t's", "it's"),
        ("\\", "back\\slash"),
        ("\\sl", "back\\slash"),
        (".", "do.t"),
        ("o.t", "do.t"),
        ("(", "(paren)"),
        ("[s", "[set]"),
        ("-", "a-b"),
        (" or ", "a or b"),
        ("^2", "near^2"),
        ("{1:", "{1:1}"),
        ("$", "$where"),
        ("a+b", "a+b"),
        ("e?r", "que?ry"),
        ("|", "pi|pe"),
    ] {
        // A term is trimmed before it gets here: " or " is the word, which stands in one name alone.
        assert_eq!(found(&stores, term).await, [expected], "{term:?}");
    }
    for term in
        ["%%", "p%n", "p_ain", "pl*", "p.ain", "^plain", "plain$", "plain\"", "a%b", ".*", "NOT plain"]
    {
        assert_eq!(found(&stores, term).await, [""; 0], "{term:?}");
    }
}

pub async fn a_search_does_not_regard_case(stores: Stores) {
    with_names(&stores, ["ann", "straße", "élodie", "jürgen"]).await;
    import(&stores, &account("GROSSE")).await;
    assert_eq!(found(&stores, "ANN").await, ["ann"]);
    assert_eq!(found(&stores, "STRAẞE").await, ["straße"]);
    assert_eq!(found(&stores, "ß").await, ["straße"]);
    assert_eq!(found(&stores, "STRASSE").await, [""; 0]);
    assert_eq!(found(&stores, "große").await, [""; 0]);
    assert_eq!(found(&stores, "grosse").await, ["GROSSE"]);
    assert_eq!(found(&stores, "É").await, ["élodie"]);
    assert_eq!(found(&stores, "E\u{301}LO").await, ["élodie"]);
    assert_eq!(found(&stores, "JÜRGEN").await, ["jürgen"]);
    assert_eq!(found(&stores, "jurgen").await, [""; 0]);
}

pub async fn a_search_takes_letters_of_any_script_one_by_one(stores: Stores) {
    with_names(&stores, ["дмитрий", "李小龙", "🦀crab", "σίσυφος"]).await;
    assert_eq!(found(&stores, "МИТ").await, ["дмитрий"]);
    assert_eq!(found(&stores, "й").await, ["дмитрий"]);
    assert_eq!(found(&stores, "小").await, ["李小龙"]);
    assert_eq!(found(&stores, "小龙").await, ["李小龙"]);
    assert_eq!(found(&stores, "李小龙").await, ["李小龙"]);
    assert_eq!(found(&stores, "🦀").await, ["🦀crab"]);
    assert_eq!(found(&stores, "🦀cr").await, ["🦀crab"]);
    assert_eq!(found(&stores, "ΣΊΣΥΦΟΣ").await, ["σίσυφος"]);
}

pub async fn a_search_takes_the_longest_term(stores: Stores) {
    let (longest, other) = ("ab".repeat(32), "ba".repeat(32));
    with_names(&stores, [longest.as_str(), other.as_str()]).await;
    assert_eq!(found(&stores, &longest).await, [longest.as_str()]);
    assert_eq!(found(&stores, &longest[1..]).await, [longest.as_str(), other.as_str()]);
    let wide = "ß".repeat(64);
    with_names(&stores, [wide.as_str()]).await;
    assert_eq!(found(&stores, &wide).await, [wide.as_str()]);
}

pub async fn a_search_has_pages_of_its_own(stores: Stores) {
    for number in [4, 2, 5, 1, 3] {
        let found = NewUser { id: user_id(number), ..new_user(&format!("anna{number}")) };
        stores.accounts.create(&found, &change()).await.unwrap();
        created(&stores, &format!("bob{number}")).await;
    }
    for term in ["a", "an", "ann"] {
        let mut covered = Vec::new();
        for number in 1..=3 {
            let query = UserQuery { search: Some(search_term(term)), page: page(number, 2) };
            let page = stores.directory.list(&query).await.unwrap();
            assert_eq!(page.total, 5);
            covered.extend(page.items.into_iter().map(|user| user.id));
        }
        assert_eq!(covered, (1..=5).map(user_id).collect::<Vec<_>>(), "{term:?}");
    }
}

pub async fn a_search_does_not_look_into_emails(stores: Stores) {
    created(&stores, "ann").await;
    for term in ["example", "@", "com"] {
        assert_eq!(found(&stores, term).await, [""; 0]);
    }
}

pub async fn a_search_does_not_see_the_trash(stores: Stores) {
    let ann = created(&stores, "anna").await;
    created(&stores, "annika").await;
    delete(&stores, ann.id).await;
    for term in ["a", "an", "ann"] {
        assert_eq!(found(&stores, term).await, ["annika"]);
    }
    restore(&stores, ann.id).await;
    assert_eq!(found(&stores, "ann").await, ["anna", "annika"]);
    purge(&stores, ann.id).await;
    assert_eq!(found(&stores, "ann").await, ["annika"]);
}

pub async fn a_search_finds_a_renamed_user_by_the_new_name_alone(stores: Stores) {
    let ann = created(&stores, "annabel").await;
    stores.accounts.edit(ann.id, &edit_username("beatrix"), &change()).await.unwrap();
    for old in ["l", "nn", "ann", "annabel"] {
        assert_eq!(found(&stores, old).await, [""; 0], "{old:?}");
    }
    for new in ["x", "tr", "bea", "beatrix"] {
        assert_eq!(found(&stores, new).await, ["beatrix"], "{new:?}");
    }
}

pub async fn a_search_finds_an_account_that_was_imported_anew_by_the_new_name_alone(stores: Stores) {
    let mut imported = account("annabel");
    import(&stores, &imported).await;
    imported.user.username = username("beatrix");
    import(&stores, &imported).await;
    assert_eq!(found(&stores, "annabel").await, [""; 0]);
    assert_eq!(found(&stores, "beatrix").await, ["beatrix"]);
}
