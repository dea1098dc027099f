//! Usernames, passwords and reasons.

use rstest::rstest;
use serde_json::{Value, json};

use super::{SIGN_UP, missing, sign_up, sign_up_with, too_long, too_short};
use crate::harness::{TestApp, detail, encode};

#[tokio::test]
async fn a_username_has_1_to_64_code_points() {
    let app = TestApp::start().await;
    let place = ["body", "username"];
    let call = |name: &str| app.post(SIGN_UP).json(&sign_up_with("username", json!(name)));
    call("").await.has_faults(&[too_short(&place, "")]);
    call(" \t ").await.has_faults(&[too_short(&place, " \t ")]);
    let long = "ü".repeat(65);
    call(&long).await.has_faults(&[too_long(&place, 64, &long)]);
    call(&"ü".repeat(64)).await.has(201);
}

#[rstest]
#[case("a\u{0}b")]
#[case("a\nb")]
#[case("a\u{7f}b")]
#[case("a\u{85}b")]
#[tokio::test]
async fn a_username_with_a_control_character_is_a_value_error(#[case] name: &str) {
    let answer = sign_up(sign_up_with("username", json!(name))).await;
    assert_eq!(answer.faults(), [("value_error".to_owned(), "body.username".to_owned())]);
}

#[tokio::test]
async fn a_password_has_1_to_1024_code_points() {
    let app = TestApp::start().await;
    let place = ["body", "password"];
    let call = |password: &str| app.post(SIGN_UP).json(&sign_up_with("password", json!(password)));
    call("").await.has_faults(&[too_short(&place, "**********")]);
    call(&"p".repeat(1025)).await.has_faults(&[too_long(&place, 1024, "**********")]);
    call(&"ü".repeat(1024)).await.has(201);
}

#[tokio::test]
async fn a_password_is_taken_whole_and_as_it_is() {
    let app = TestApp::start().await;
    let long = format!("{}end", "x".repeat(72));
    let passwords = ["  spaces around  ", "Ünïcödé 🔑", "with\u{0}zero", "e", long.as_str()];
    for (number, password) in passwords.into_iter().enumerate() {
        let email = format!("user{number}@example.org");
        let body = json!({"email": email, "username": format!("user{number}"), "password": password});
        app.post(SIGN_UP).json(&body).await.has(201);
        app.try_log_in(&email, password).await.has(200);
        for other in [
            password.trim_matches(' '),
            &password.to_lowercase(),
            "\u{e9}",
            "with",
            &long[..72],
            &format!("{password} "),
        ] {
            if other != password {
                app.try_log_in(&email, other).await.is(401, detail("Incorrect email or password"));
            }
        }
    }
}

#[tokio::test]
async fn a_delete_needs_a_reason_of_1_to_1000_code_points() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let place = ["query", "reason"];
    let call = |query: &str| app.delete(&format!("{}{query}", ann.path())).by(&ann);
    call("").await.has_faults(&[missing(&place, Value::Null)]);
    call("?reason=").await.has_faults(&[too_short(&place, "")]);
    call("?reason=%20%20").await.has_faults(&[too_short(&place, "  ")]);
    let long = "ü".repeat(1001);
    call(&format!("?reason={}", encode(&long))).await.has_faults(&[too_long(&place, 1000, &long)]);
    call(&format!("?reason={}", encode(&"ü".repeat(1000)))).await.has(204);
}

#[tokio::test]
async fn a_bulk_delete_needs_a_reason_of_1_to_1000_code_points() {
    let app = TestApp::start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let place = ["body", "reason"];
    let call = |reason: &str| {
        app.post("/api/v1/trash/bulk-delete").by(&root).json(&json!({"ids": [ann.id], "reason": reason}))
    };
    call("").await.has_faults(&[too_short(&place, "")]);
    let long = "ü".repeat(1001);
    call(&long).await.has_faults(&[too_long(&place, 1000, &long)]);
    call(&"ü".repeat(1000)).await.has(200);
}
