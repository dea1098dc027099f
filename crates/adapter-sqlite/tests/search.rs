//! A search finds exactly the names that contain the term, whatever stands in either.

use roster_adapter_sqlite::SqliteStore;
use roster_domain::entities::{Account, Page, User};
use roster_domain::ports::{AccountArchive, Accounts, Directory, Trash, UserQuery};
use roster_domain::values::{SearchTerm, Username};
use roster_domain_testkit::fixtures::{account, change, edit_username, page, search_term, trashed};
use tempfile::TempDir;

/// Names as an earlier system may have let them in, among them all that a search index could stumble over.
const NAMES: [&str; 30] = [
    "",
    " ",
    "a",
    "ab",
    "abc",
    "abcd",
    "xabcx",
    "ABC-upper",
    "a\0bc",
    "abc\0",
    "\0abc",
    "a\u{fffd}bc",
    "a\u{fffe}bc",
    "a\u{ffff}bc",
    "50% off",
    "50x off",
    "under_score",
    "underXscore",
    "star*star",
    "starstar",
    "quo\"te",
    "quote",
    "\"\"\"",
    "groß",
    "gross",
    "ὈΔΥΣΣΕΎΣ",
    "odysseus NEAR/2 (col:x) OR ^y",
    "e\u{301}lodie",
    "日本語の名前",
    "👩‍👩‍👧‍👦 family",
];

const TERMS: [&str; 46] = [
    "a",
    "b",
    "ab",
    "abc",
    "ABC",
    "bcd",
    "abcd",
    "abcde",
    "bc",
    "\0",
    "a\0b",
    "a\0",
    "\0bc",
    "a\u{fffd}b",
    "\u{fffd}bc",
    "a\u{fffe}b",
    "\u{ffff}",
    "a\u{ffff}bc",
    "%",
    "50%",
    "50% ",
    "%off",
    "_",
    "r_s",
    "r_score",
    "*",
    "r*s",
    "star*",
    "r*star",
    "\"",
    "o\"t",
    "\"\"\"",
    "quo\"",
    "ß",
    "groß",
    "GROSS",
    "ss",
    "σευς",
    "ΔΥΣΣ",
    "ς",
    "col:x",
    "NEAR/2 (",
    "^y",
    "É",
    "本語の",
    "👩‍👧",
];

fn store() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("roster.db")).expect("a store");
    (store, folder)
}

fn accounts() -> Vec<Account> {
    let named = |(number, name): (usize, &str)| {
        let mut account = account(name);
        account.user.email = roster_domain_testkit::fixtures::email(&format!("{number}@example.com"));
        account
    };
    NAMES.into_iter().enumerate().map(named).collect()
}

async fn search(store: &SqliteStore, term: &SearchTerm) -> Page<User> {
    Directory::list(store, &UserQuery { search: Some(term.clone()), page: page(1, 100) })
        .await
        .expect("a page")
}

#[tokio::test]
async fn a_search_finds_exactly_the_names_that_contain_the_term() {
    let (store, _folder) = store();
    let accounts = accounts();
    // From the last to the first, so that rows do not come in the order of their ids.
    for account in accounts.iter().rev() {
        // " " and "" are one name to the unique index.
        if account.user.username.as_str() != " " {
            store.write(std::slice::from_ref(account), &change()).await.unwrap();
        }
    }
    for text in TERMS {
        let Some(term) = SearchTerm::parse(text).unwrap() else { panic!("{text:?} is no term") };
        let expected: Vec<_> = accounts
            .iter()
            .map(|account| account.user.clone())
            .filter(|user| user.username.as_str() != " " && user.username.folded().contains(term.folded()))
            .collect();
        let found = search(&store, &term).await;
        assert_eq!((found.total, found.items), (expected.len() as u64, expected), "searching for {text:?}");
    }
}

#[tokio::test]
async fn a_search_follows_renaming_deletion_restore_and_replacement() {
    let (store, _folder) = store();
    let [mut ann, bob] = ["annabel", "a\0nnabob"].map(account);
    store.write(&[ann.clone(), bob.clone()], &change()).await.unwrap();
    let found = async |text: &str| -> Vec<_> {
        let found = search(&store, &search_term(text)).await;
        found.items.into_iter().map(|user| user.id).collect()
    };
    assert_eq!(found("annab").await, [ann.user.id]);
    assert_eq!(found("nnab").await, [ann.user.id, bob.user.id]);

    store.edit(bob.user.id, &edit_username("robert"), &change()).await.unwrap();
    assert_eq!((found("nnabob").await, found("robert").await), (vec![], vec![bob.user.id]));

    store.put(ann.user.id, &trashed(), &change()).await.unwrap();
    assert_eq!(found("annab").await, []);
    store.restore(ann.user.id, &change()).await.unwrap();
    assert_eq!(found("annab").await, [ann.user.id]);

    ann.user.username = Username::from_store("Carola".to_owned());
    store.write(std::slice::from_ref(&ann), &change()).await.unwrap();
    assert_eq!((found("annab").await, found("carol").await), (vec![], vec![ann.user.id]));
}

#[tokio::test]
async fn every_page_of_a_search_is_found_from_either_end() {
    let (store, _folder) = store();
    let accounts: Vec<_> = (0..57).map(|number| account(&format!("member{number}"))).collect();
    store.write(&accounts, &change()).await.unwrap();
    let all: Vec<_> = accounts.iter().map(|account| account.user.id).collect();
    for term in [None, Some("m"), Some("member")] {
        for per_page in [1, 7, 10, 57, 58] {
            let mut covered = Vec::new();
            for number in 1..=57_u64.div_ceil(per_page) {
                let query = UserQuery { search: term.map(search_term), page: page(number, per_page) };
                let page = Directory::list(&store, &query).await.unwrap();
                assert_eq!(page.total, 57);
                covered.extend(page.items.into_iter().map(|user| user.id));
            }
            assert_eq!(covered, all, "{per_page} on a page of {term:?}");
        }
    }
}

#[tokio::test]
async fn a_long_term_is_found_exactly_however_many_names_have_its_ends_alone() {
    let (store, _folder) = store();
    let term = search_term("larkspur");
    let matches: Vec<_> = (0..3).map(|number| account(&format!("{number}larkspur"))).collect();
    store.write(&matches, &change()).await.unwrap();
    for number in 0..6 {
        let found = search(&store, &term).await;
        let expected = matches.iter().map(|account| account.user.clone()).collect::<Vec<_>>();
        assert_eq!((found.total, found.items), (3, expected), "beside {number},000 others");
        let others: Vec<_> = (0..1_000).map(|other| account(&format!("lark{number}spur{other}"))).collect();
        store.write(&others, &change()).await.unwrap();
    }
    let second = UserQuery { search: Some(term), page: page(2, 2) };
    let second = Directory::list(&store, &second).await.unwrap();
    assert_eq!((second.total, second.items), (3, vec![matches[2].user.clone()]));
}

#[tokio::test]
async fn a_name_that_is_empty_or_very_long_is_a_name_like_any_other() {
    let (store, _folder) = store();
    let long = "Ä".repeat(5000);
    for name in ["", long.as_str()] {
        let account = account(name);
        store.write(std::slice::from_ref(&account), &change()).await.unwrap();
        assert_eq!(store.read(None, 10).await.unwrap(), std::slice::from_ref(&account));
        let listed = Directory::list(&store, &UserQuery { search: None, page: page(1, 10) }).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&account.user));

        let id = account.user.id;
        store.put(id, &trashed(), &change()).await.unwrap();
        assert_eq!(store.restore(id, &change()).await.unwrap(), account.user);
        let edited = store.edit(id, &edit_username("short"), &change()).await.unwrap();
        assert_eq!(edited.username.as_str(), "short");
        store.put(id, &trashed(), &change()).await.unwrap();
        store.purge(id, &change()).await.unwrap();
    }
}

#[tokio::test]
async fn a_very_long_name_is_found_by_any_piece_of_what_is_searched_of_it() {
    let (store, _folder) = store();
    let name: String = (0..5000_u32).filter_map(|number| char::from_u32(0x4e00 + number)).collect();
    let account = account(&name);
    store.write(std::slice::from_ref(&account), &change()).await.unwrap();
    for start in [0, 100, Username::SEARCHED - 64] {
        let piece: String = name.chars().skip(start).take(64).collect();
        assert_eq!(search(&store, &search_term(&piece)).await.items, std::slice::from_ref(&account.user));
    }
}
