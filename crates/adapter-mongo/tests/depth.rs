//! Pages far behind the first: of all users by the marks that a count leaves, of a search from its nearer end.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use roster_adapter_mongo::MongoStore;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Directory, Trash, UserQuery};
use roster_domain::values::UserId;
use roster_domain_testkit::fixtures::{account, at, change, change_by, page, search_term, trashed};

/// More than one step of a count.
const USERS: u64 = 21_000;

const PER_PAGE: u64 = 10;

async fn ids(store: &MongoStore, search: Option<&str>, number: u64) -> (u64, Vec<UserId>) {
    let query = UserQuery { search: search.map(search_term), page: page(number, PER_PAGE) };
    let page = Directory::list(store, &query).await.expect("users are listed");
    (page.total, page.items.iter().map(|user| user.id).collect())
}

/// Looks at pages all over the list.
async fn pages_hold(store: &MongoStore, search: Option<&str>, expected: &[UserId]) {
    let last = (expected.len() as u64).div_ceil(PER_PAGE);
    for number in [1, 2, 101, last / 2, last * 3 / 4, last - 30, last - 1, last, last + 1, last * 2] {
        let offset = usize::try_from((number - 1) * PER_PAGE)
            .expect("a page of the test is small")
            .min(expected.len());
        let end = (offset + 10).min(expected.len());
        let found = ids(store, search, number).await;
        assert_eq!(found, (expected.len() as u64, expected[offset..end].to_vec()), "{search:?} {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_the_depth_hold_what_stands_there_also_after_writes() {
    let database = support::Database::fresh().await;
    let store = database.connect().await;
    let mut accounts: Vec<Account> = (0..USERS).map(|number| account(&format!("user{number}"))).collect();
    store.write(&accounts, &change()).await.unwrap();
    accounts.sort_unstable_by_key(|account| account.user.id);
    let mut live: Vec<UserId> = accounts.iter().map(|account| account.user.id).collect();
    pages_hold(&store, None, &live).await;

    // Before the mark, at it, and behind it.
    for place in [20_500, 20_000, 19_999, 19_998, 7] {
        store.put(live[place], &trashed(), &change_by(live[0], at(1))).await.unwrap();
        live.remove(place);
    }
    pages_hold(&store, None, &live).await;
    // Counted anew.
    pages_hold(&database.connect().await, None, &live).await;

    let matches = |term: &str| -> Vec<UserId> {
        let found = accounts.iter().filter(|account| account.user.username.as_str().contains(term));
        found.map(|account| account.user.id).filter(|id| live.binary_search(id).is_ok()).collect()
    };
    for term in ["ser", "user1"] {
        pages_hold(&store, Some(term), &matches(term)).await;
    }
}
