//! What is of another type than it should be.

use rstest::rstest;
use serde_json::{Value, json};

use super::{SIGN_UP, missing, no_string, sign_up_with};
use crate::harness::TestApp;

/// What a fault shows of a value: of objects nothing, as no field in them is one of the endpoint's.
fn shown(value: &Value) -> Value {
    if value.is_object() { json!({}) } else { value.clone() }
}

#[rstest]
#[case(json!(5))]
#[case(json!(null))]
#[case(json!(true))]
#[case(json!(1.5))]
#[case(json!([]))]
#[case(json!(["ann@example.org"]))]
#[case(json!({"$ne": null}))]
#[case(json!({"$gt": ""}))]
#[case(json!({"$regex": ".*"}))]
#[tokio::test]
async fn what_is_no_string_where_a_string_belongs_is_refused(#[case] value: Value) {
    let app = TestApp::start().await;
    let secret = json!("**********");
    for path in [SIGN_UP, "/api/v1/auth/admin/signup"] {
        for field in ["email", "username"] {
            let answer = app.post(path).json(&sign_up_with(field, value.clone())).await;
            answer.has_faults(&[no_string(field, shown(&value))]);
        }
        let answer = app.post(path).json(&sign_up_with("password", value.clone())).await;
        answer.has_faults(&[no_string("password", secret.clone())]);
    }
    let log_in = json!({"email": value, "password": value});
    let faults = [no_string("email", shown(&value)), no_string("password", secret.clone())];
    app.post("/api/v1/auth/login").json(&log_in).await.has_faults(&faults);
    let refresh = json!({"refresh_token": value});
    app.post("/api/v1/refresh/").json(&refresh).await.has_faults(&[no_string("refresh_token", secret)]);
}

#[tokio::test]
async fn an_operator_in_a_bulk_delete_or_an_edit_is_refused() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let call = |body: Value| app.post("/api/v1/trash/bulk-delete").by(&root).json(&body);
    let list = |input: Value| json!({"type": "list_type", "loc": ["body", "ids"], "msg": "Input should be a valid list", "input": input});
    for ids in [json!({"$ne": null}), json!("67a9940edc65a0145ee73980"), json!(null), json!(5)] {
        call(json!({"ids": &ids, "reason": "test"})).await.has_faults(&[list(shown(&ids))]);
    }
    let element = json!({
        "type": "string_type", "loc": ["body", "ids", 1], "msg": "Input should be a valid string", "input": {},
    });
    call(json!({"ids": ["67a9940edc65a0145ee73980", {"$gt": ""}], "reason": "test"}))
        .await
        .has_faults(&[element]);
    call(json!({"ids": [], "reason": {"$gt": ""}})).await.has_faults(&[no_string("reason", json!({}))]);
    call(json!({}))
        .await
        .has_faults(&[missing(&["body", "ids"], json!({})), missing(&["body", "reason"], json!({}))]);
    let edit = json!({"username": {"$gt": ""}, "email": {"$ne": 1}});
    let answer = app.put(&root.path()).by(&root).json(&edit).await;
    let faults: Vec<_> = answer.json()["detail"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.contains(&no_string("username", json!({}))), "{faults:?}");
    assert!(faults.contains(&no_string("email", json!({}))), "{faults:?}");
    app.get(&root.path()).by(&root).await.has(200);
}

#[tokio::test]
async fn more_than_1000_ids_are_too_long() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let ids: Vec<_> = (0..1001).map(|number| format!("{number:024x}")).collect();
    let call = |ids: &[String]| {
        app.post("/api/v1/trash/bulk-delete").by(&root).json(&json!({"ids": ids, "reason": "test"}))
    };
    let answer = call(&ids).await;
    assert_eq!(answer.faults(), [("too_long".to_owned(), "body.ids".to_owned())]);
    let fault = answer.json()["detail"][0].clone();
    assert_eq!(fault["msg"], "List should have at most 1000 items after validation, not 1001");
    assert_eq!(fault["ctx"], json!({"field_type": "List", "max_length": 1000, "actual_length": 1001}));
    call(&ids[1..]).await.is(200, json!({"alredy_deleted_user": ids[1..], "deleted_now": []}));
}
