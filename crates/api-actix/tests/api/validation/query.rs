//! Queries.

use serde_json::{Value, json};

use super::too_long;
use crate::harness::{Answer, TestApp, User, encode};

fn page_fault(kind: &str, field: &str, msg: &str, input: &str, ctx: Option<Value>) -> Value {
    let mut fault = json!({"type": kind, "loc": ["query", field], "msg": msg, "input": input});
    if let Some(ctx) = ctx {
        fault["ctx"] = ctx;
    }
    fault
}

fn unparsable(field: &str, input: &str) -> Value {
    let msg = "Input should be a valid integer, unable to parse string as an integer";
    page_fault("int_parsing", field, msg, input, None)
}

fn below_one(field: &str, input: &str) -> Value {
    let msg = "Input should be greater than or equal to 1";
    page_fault("greater_than_equal", field, msg, input, Some(json!({"ge": 1})))
}

fn above(field: &str, max: u64, input: &str) -> Value {
    let msg = format!("Input should be less than or equal to {max}");
    page_fault("less_than_equal", field, &msg, input, Some(json!({"le": max})))
}

async fn both_lists(app: &TestApp, root: &User, query: &str) -> [Answer; 2] {
    [
        app.get(&format!("/api/v1/auth/users?{query}")).by(root).await,
        app.get(&format!("/api/v1/trash/?{query}")).by(root).await,
    ]
}

#[tokio::test]
async fn a_page_is_a_positive_number() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for field in ["page", "per_page"] {
        for input in ["0", "-1"] {
            for answer in both_lists(&app, &root, &format!("{field}={input}")).await {
                answer.has_faults(&[below_one(field, input)]);
            }
        }
        for input in ["abc", "", "1.5", "0x10", "1e3", "١", "1;DROP TABLE users", "[$gt]"] {
            for answer in both_lists(&app, &root, &format!("{field}={}", encode(input))).await {
                answer.has_faults(&[unparsable(field, input)]);
            }
        }
    }
}

#[tokio::test]
async fn a_page_holds_30_users_or_20_trash_entries_at_most() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    app.get("/api/v1/auth/users?per_page=30").by(&root).await.has(200);
    app.get("/api/v1/auth/users?per_page=31").by(&root).await.has_faults(&[above("per_page", 30, "31")]);
    app.get("/api/v1/trash/?per_page=20").by(&root).await.has(200);
    app.get("/api/v1/trash/?per_page=21").by(&root).await.has_faults(&[above("per_page", 20, "21")]);
}

#[tokio::test]
async fn all_faults_of_a_query_are_told_at_once() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let long = "q".repeat(65);
    let answer = app.get(&format!("/api/v1/auth/users?per_page=99&page=x&q={long}")).by(&root).await;
    answer.has_faults(&[
        too_long(&["query", "q"], 64, &long),
        unparsable("page", "x"),
        above("per_page", 30, "99"),
    ]);
}

#[tokio::test]
async fn a_search_has_64_code_points_at_most() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let path = |q: &str| format!("/api/v1/auth/users?q={}", encode(q));
    app.get(&path(&"ü".repeat(64))).by(&root).await.has(200);
    let long = "ü".repeat(65);
    app.get(&path(&long)).by(&root).await.has_faults(&[too_long(&["query", "q"], 64, &long)]);
}

#[tokio::test]
async fn a_page_beyond_all_counting_is_empty_or_refused_but_never_an_error_of_ours() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for page in
        ["9223372036854775807", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"]
    {
        for answer in both_lists(&app, &root, &format!("page={page}&per_page=20")).await {
            assert!(matches!(answer.status, 200 | 422), "{answer:?}");
        }
    }
}
