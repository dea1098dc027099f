use rusqlite::Connection;

use super::store;
use crate::directory::{CONTAINING, LIVE, MATCHING, USER_AT, WITH_BOTH_ENDS};
use crate::list::List;
use crate::{accounts, archive, profile_images, rank, sessions, trash};

/// What SQLite is going to do for a query, one step a line.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![None::<i64>; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3)).unwrap();
    steps.collect::<rusqlite::Result<_>>().unwrap()
}

async fn plans(queries: impl IntoIterator<Item = &'static str>) -> Vec<(&'static str, Vec<String>)> {
    let (store, _folder) = store();
    let queries: Vec<_> = queries.into_iter().collect();
    let read = move |connection: &Connection| {
        Ok(queries.into_iter().map(|sql| (sql, plan(connection, sql))).collect())
    };
    store.readers.page(read).await.unwrap()
}

fn statements(list: &List) -> [&'static str; 3] {
    [list.length, list.forward, list.backward]
}

#[tokio::test]
async fn point_look_ups_search_through_an_index_and_scan_nothing() {
    let queries = [
        accounts::LIVE_USER,
        accounts::CALLER,
        accounts::USERNAME_TAKEN,
        sessions::CREDENTIALS,
        sessions::SESSION,
        USER_AT,
    ]
    .into_iter()
    .chain([rank::BEFORE, rank::AFTER]);
    for (sql, plan) in plans(queries).await {
        assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN users")), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN sessions")), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn removals_are_found_in_order_in_the_index_of_their_store() {
    for (sql, plan) in plans([profile_images::DUE, profile_images::STORES]).await {
        let by_store =
            |step: &String| step.starts_with("SEARCH image_removals USING") && step.contains("(store");
        assert!(plan.iter().any(by_store), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN image_removals")), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
    let (_, due) = &plans([profile_images::DUE]).await[0];
    assert!(due.iter().any(|step| step.contains("image_removals_due (store=? AND (due_at,key)>")), "{due:?}");
}

#[tokio::test]
async fn pages_of_users_are_found_in_an_index_alone_and_read_by_rank() {
    let queries = statements(&LIVE).into_iter().chain(statements(&MATCHING)).chain(statements(&CONTAINING));
    for (sql, plan) in plans(queries).await {
        for step in &plan {
            let walks_index = *step == "SCAN users USING COVERING INDEX users_live";
            assert!(walks_index || !step.starts_with("SCAN users"), "{sql}: {plan:?}");
        }
        if sql.contains("LIMIT") {
            let by_rank = "SEARCH users USING INTEGER PRIMARY KEY (rowid=?)";
            assert!(plan.iter().any(|step| step == by_rank), "{sql}: {plan:?}");
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY")), "{sql}: {plan:?}");
        }
    }
}

#[tokio::test]
async fn names_with_both_ends_of_a_term_are_read_in_order_from_indexes_alone() {
    for (sql, plan) in plans([WITH_BOTH_ENDS]).await {
        assert!(
            plan.iter().any(|step| step == "SEARCH users USING COVERING INDEX users_live (rank=?)"),
            "{sql}: {plan:?}"
        );
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn pages_of_the_trash_and_of_accounts_are_read_in_order_from_an_index() {
    for (sql, plan) in
        plans(statements(&trash::ENTRIES).into_iter().chain([trash::EXPIRED, archive::ACCOUNTS])).await
    {
        for step in &plan {
            let walks_index = step.contains("USING COVERING INDEX sqlite_autoindex_trash_1");
            assert!(walks_index || !step.starts_with("SCAN trash"), "{sql}: {plan:?}");
            assert!(!step.starts_with("SCAN users"), "{sql}: {plan:?}");
            assert!(!step.contains("TEMP B-TREE FOR ORDER BY"), "{sql}: {plan:?}");
        }
    }
}
