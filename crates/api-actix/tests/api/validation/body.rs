//! Bodies as a whole: of sign-ups, edits and uploads.

use rstest::rstest;
use serde_json::{Value, json};

use super::{SIGN_UP, bad_email, missing, no_string, sign_up, sign_up_with, too_short};
use crate::harness::{TestApp, detail, jpeg};

#[tokio::test]
async fn an_empty_object_misses_every_field_in_order() {
    sign_up(json!({})).await.has_faults(&[
        missing(&["body", "email"], json!({})),
        missing(&["body", "username"], json!({})),
        missing(&["body", "password"], json!({})),
    ]);
}

#[tokio::test]
async fn both_sign_ups_log_in_and_refresh_tell_what_is_missing_alike() {
    let app = TestApp::start().await;
    let of =
        |fields: &[&str]| fields.iter().map(|field| missing(&["body", field], json!({}))).collect::<Vec<_>>();
    for (path, fields) in [
        ("/api/v1/auth/admin/signup", &["email", "username", "password"][..]),
        ("/api/v1/auth/login", &["email", "password"]),
        ("/api/v1/refresh/", &["refresh_token"]),
    ] {
        app.post(path).json(&json!({})).await.has_faults(&of(fields));
    }
}

#[tokio::test]
async fn all_faults_are_told_at_once_in_the_order_of_the_fields_whatever_order_they_came_in() {
    let app = TestApp::start().await;
    let body = r#"{"password": 1, "username": [], "email": "no address"}"#;
    app.post(SIGN_UP).json_text(body).await.has_faults(&[
        bad_email("no address", "An email address must have an @-sign."),
        no_string("username", json!([])),
        no_string("password", json!("**********")),
    ]);
}

#[tokio::test]
async fn a_missing_field_shows_the_body_it_is_missing_from_but_not_its_password() {
    let body = json!({"username": "ann", "password": "hunter22"});
    let shown = json!({"username": "ann", "password": "**********"});
    sign_up(body).await.has_faults(&[missing(&["body", "email"], shown)]);
}

#[tokio::test]
async fn a_large_input_is_not_shown_so_that_the_answer_is_small() {
    let app = TestApp::start().await;
    // Each number is four times as long where it is shown.
    let body = format!("{{\"email\": [{}1]}}", "1e15,".repeat(10_000));
    let answer = app.post(SIGN_UP).json_text(body).await;
    assert!(answer.body.len() < 16 * 1024, "{}", answer.body.len());
    answer.has_faults(&[
        no_string("email", Value::Null),
        missing(&["body", "username"], Value::Null),
        missing(&["body", "password"], Value::Null),
    ]);
}

#[tokio::test]
async fn no_body_misses_the_body() {
    let app = TestApp::start().await;
    for path in [SIGN_UP, "/api/v1/auth/login", "/api/v1/refresh/"] {
        app.post(path).await.has_faults(&[missing(&["body"], Value::Null)]);
        app.post(path)
            .header("content-type", "application/json")
            .await
            .has_faults(&[missing(&["body"], Value::Null)]);
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_the_body_is_skipped() {
    let app = TestApp::start().await;
    let body = format!("\u{feff}{}", sign_up_with("username", json!("ann")));
    app.post(SIGN_UP).json_text(body).await.has(201);
}

#[rstest]
#[case("{")]
#[case("{\"email\": }")]
#[case("{\"email\": \"a\",}")]
#[case("{'email': 'a'}")]
#[case("nonsense")]
#[case("{} {}")]
#[case("{\"password\": \"hunter22\"")]
#[tokio::test]
async fn broken_json_is_one_fault(#[case] body: &str) {
    let answer = TestApp::start().await.post(SIGN_UP).json_text(body).await.has(422);
    let faults = answer.json()["detail"].clone();
    assert_eq!(faults.as_array().map(Vec::len), Some(1), "{faults}");
    assert_eq!(
        (&faults[0]["type"], &faults[0]["msg"]),
        (&json!("json_invalid"), &json!("JSON decode error"))
    );
    assert_eq!(faults[0]["loc"][0], "body", "{faults}");
    assert!(!answer.text().contains("hunter22"), "{faults}");
}

#[tokio::test]
async fn a_body_that_is_no_utf_8_is_a_client_error() {
    let app = TestApp::start().await;
    let answer = app.post(SIGN_UP).json_text(&b"{\"email\": \"\xFF\xFE\"}"[..]).await;
    assert!(matches!(answer.status, 400 | 422), "{answer:?}");
}

#[tokio::test]
async fn json_nested_without_end_is_refused_and_the_service_lives_on() {
    let app = TestApp::start().await;
    for body in ["[".repeat(60_000), format!("{{\"email\": {}", "{\"a\":".repeat(12_000))] {
        app.post(SIGN_UP).json_text(body).await.has(422);
    }
    app.get("/health").await.has(200);
}

#[rstest]
#[case(json!([]))]
#[case(json!(["hunter22"]))]
#[case(json!("hunter22"))]
#[case(json!(5))]
#[case(json!(true))]
#[tokio::test]
async fn what_is_no_object_is_told_so_without_being_shown(#[case] body: Value) {
    sign_up(body).await.has_faults(&[json!({
        "type": "model_attributes_type",
        "loc": ["body"],
        "msg": "Input should be a valid dictionary or object to extract fields from",
        "input": null,
    })]);
}

#[tokio::test]
async fn a_field_that_nobody_asked_for_is_ignored() {
    sign_up(sign_up_with("favourite_colour", json!({"$where": "1"}))).await.has(201);
}

#[tokio::test]
async fn a_lone_surrogate_is_refused() {
    let app = TestApp::start().await;
    let body = r#"{"email": "ann@example.org", "username": "\ud800", "password": "x"}"#;
    app.post(SIGN_UP).json_text(body).await.has(422);
}

#[tokio::test]
async fn an_edit_of_nothing_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for body in [
        json!({}),
        json!({"username": null}),
        json!({"username": null, "email": null}),
        json!({"role": "admin"}),
    ] {
        let answer = app.put(&ann.path()).by(&ann).json(&body).await;
        assert_eq!(answer.faults().len(), 1, "{}", answer.text());
        assert_eq!(answer.faults()[0].0, "value_error", "{}", answer.text());
    }
}

#[tokio::test]
async fn an_edit_to_something_empty_or_wrong_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let call = |body: Value| app.put(&ann.path()).by(&ann).json(&body);
    call(json!({"username": ""})).await.has_faults(&[too_short(&["body", "username"], "")]);
    call(json!({"username": "b", "email": "x"}))
        .await
        .has_faults(&[bad_email("x", "An email address must have an @-sign.")]);
    assert_eq!(
        call(json!({"email": ""})).await.faults(),
        [("value_error".to_owned(), "body.email".to_owned())]
    );
    let shown = app.get(&ann.path()).by(&ann).await.has(200).json();
    assert_eq!((&shown["username"], &shown["updated_at"]), (&json!("ann"), &Value::Null));
}

#[tokio::test]
async fn an_upload_without_its_field_misses_it() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let fault = [missing(&["body", "image"], Value::Null)];
    let upload = || app.post("/api/v1/profile-upload/").by(&ann);
    upload().file("other", "me.jpg", &jpeg()).await.has_faults(&fault);
    upload().await.has_faults(&fault);
    // Without an S3 nothing is read.
    app.post("/api/v1/profile-upload-s3/").by(&ann).await.is(503, detail("Service Unavailable"));
}
