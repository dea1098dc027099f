//! Deleting many users at once.

use serde_json::{Value, json};

use crate::harness::{Call, TestApp, User, detail, not_authenticated};

const NOBODY: &str = "00000000000000000000abcd";

fn bulk(app: &TestApp, root: &User, ids: &[&str]) -> Call {
    app.post("/api/v1/trash/bulk-delete").by(root).json(&json!({"ids": ids, "reason": "because I am admin"}))
}

fn outcome(already: &[&str], now: &[&str]) -> Value {
    json!({"alredy_deleted_user": already, "deleted_now": now})
}

async fn cast() -> (TestApp, User, [User; 3]) {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let users = [app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("carl").await];
    (app, root, users)
}

#[tokio::test]
async fn each_id_stands_where_it_belongs_in_the_order_in_which_it_was_named() {
    let (app, root, [ann, bob, carl]) = cast().await;
    app.trash(&root, &[&bob]).await;
    let ids = [carl.id.as_str(), NOBODY, &ann.id, &bob.id];
    bulk(&app, &root, &ids).await.is(200, outcome(&[NOBODY, &bob.id], &[&carl.id, &ann.id]));
    bulk(&app, &root, &ids).await.is(200, outcome(&ids, &[]));
}

#[tokio::test]
async fn the_second_mention_of_an_id_is_of_somebody_already_deleted() {
    let (app, root, [ann, bob, _]) = cast().await;
    let ids = [ann.id.as_str(), &bob.id, &ann.id, NOBODY, NOBODY, &ann.id];
    bulk(&app, &root, &ids).await.is(200, outcome(&[&ann.id, NOBODY, NOBODY, &ann.id], &[&ann.id, &bob.id]));
}

#[tokio::test]
async fn each_deleted_user_has_an_entry_in_the_trash_in_that_order() {
    let (app, root, [ann, bob, carl]) = cast().await;
    bulk(&app, &root, &[&carl.id, &ann.id, &bob.id]).await.has(200);
    let page = app.get("/api/v1/trash/").by(&root).await.has(200).json();
    let entries = page["data"].as_array().unwrap();
    let users: Vec<_> = entries.iter().map(|entry| entry["user_id"].as_str().unwrap()).collect();
    assert_eq!(users, [&carl.id, &ann.id, &bob.id]);
    assert!(entries.iter().all(|entry| entry["deleted_by"] == json!(root.id)), "{page}");
    app.get(&ann.path()).by(&ann).await.is(401, not_authenticated());
    app.put(&ann.restore_path()).by(&root).await.has(200);
}

#[tokio::test]
async fn with_a_malformed_id_nobody_is_deleted() {
    let (app, root, [ann, ..]) = cast().await;
    for bad in ["x", "", "67A9940EDC65A0145EE73980", "\u{0}"] {
        bulk(&app, &root, &[&ann.id, bad]).await.is(400, detail("Not a valid ObjectId"));
    }
    app.get(&ann.path()).by(&ann).await.has(200);
}

#[tokio::test]
async fn no_ids_are_400() {
    let (app, root, _) = cast().await;
    bulk(&app, &root, &[]).await.refuses(400);
}

#[tokio::test]
async fn the_admin_who_deletes_may_be_among_the_deleted() {
    let (app, root, [ann, ..]) = cast().await;
    bulk(&app, &root, &[&root.id, &ann.id]).await.is(200, outcome(&[], &[&root.id, &ann.id]));
    app.get("/api/v1/trash/").by(&root).await.is(401, not_authenticated());
}

#[tokio::test]
async fn of_bulk_deletions_at_once_each_user_is_deleted_by_one() {
    let (app, root, [ann, bob, carl]) = cast().await;
    let ids = [ann.id.as_str(), &bob.id, &carl.id];
    let calls = (0..8).map(|_| bulk(&app, &root, &ids).into_future());
    let mut deleted = Vec::new();
    for answer in futures_util::future::join_all(calls).await {
        let body = answer.has(200).json();
        let [already, now] =
            ["alredy_deleted_user", "deleted_now"].map(|name| body[name].as_array().unwrap().clone());
        assert_eq!(already.len() + now.len(), 3, "{body}");
        deleted.extend(now.into_iter().map(|id| id.as_str().unwrap().to_owned()));
    }
    deleted.sort_unstable();
    let mut expected = ids.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(deleted, expected);
    assert_eq!(app.get("/api/v1/trash/").by(&root).await.json()["total"], 3);
}

#[tokio::test]
async fn a_thousand_ids_are_taken() {
    let (app, root, [ann, bob, _]) = cast().await;
    let mut ids: Vec<String> = (0..998).map(|number| format!("{number:024x}")).collect();
    let unknown = ids.clone();
    ids.insert(0, ann.id.clone());
    ids.push(bob.id.clone());
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let unknown: Vec<_> = unknown.iter().map(String::as_str).collect();
    bulk(&app, &root, &ids).await.is(200, outcome(&unknown, &[&ann.id, &bob.id]));
}
