//! What a 422 says, to the letter.

mod body;
mod email;
mod query;
mod secrets;
mod texts;
mod types;

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

pub(super) const SIGN_UP: &str = "/api/v1/auth/signup";

/// A sign-up that would succeed but for this one field.
pub(super) fn sign_up_with(field: &str, value: Value) -> Value {
    let mut body = json!({"email": "ann@example.org", "username": "ann", "password": "a password"});
    body[field] = value;
    body
}

pub(super) async fn sign_up(body: Value) -> Answer {
    TestApp::start().await.post(SIGN_UP).json(&body).await
}

pub(super) fn missing(loc: &[&str], input: impl Into<Value>) -> Value {
    let input = input.into();
    json!({"type": "missing", "loc": loc, "msg": "Field required", "input": input})
}

pub(super) fn no_string(field: &str, input: impl Into<Value>) -> Value {
    let input = input.into();
    json!({"type": "string_type", "loc": ["body", field], "msg": "Input should be a valid string", "input": input})
}

pub(super) fn too_short(loc: &[&str], input: &str) -> Value {
    json!({
        "type": "string_too_short", "loc": loc, "msg": "String should have at least 1 character",
        "input": input, "ctx": {"min_length": 1},
    })
}

pub(super) fn too_long(loc: &[&str], max: usize, input: &str) -> Value {
    json!({
        "type": "string_too_long", "loc": loc, "msg": format!("String should have at most {max} characters"),
        "input": input, "ctx": {"max_length": max},
    })
}

pub(super) fn bad_email(input: &str, reason: &str) -> Value {
    json!({
        "type": "value_error", "loc": ["body", "email"],
        "msg": format!("value is not a valid email address: {reason}"),
        "input": input, "ctx": {"reason": reason},
    })
}
