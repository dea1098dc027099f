//! What every test needs: a running Roster, users of it, and requests to it.

mod app;
mod folder;
mod http;
mod operations;
mod pictures;
mod server;
mod tokens;
mod users;

pub(crate) use app::{Setup, TestApp};
pub(crate) use folder::mode;
pub(crate) use http::{Answer, Call, encode, multipart, raw};
pub(crate) use operations::{Who, operations};
pub(crate) use pictures::{jpeg, jpeg_of, noise, png};
pub(crate) use server::refused_start;
pub(crate) use tokens::{Forge, SECRET_KEY, claims_of, now};
pub(crate) use users::{Tokens, User, sign_up_body};

use std::time::Duration;

use serde_json::{Value, json};

/// How long anything may take that is only waited for: far more than it needs, so that a slow machine fails nothing.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until the answer is yes; for what gives no sign of its own when it happens.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let polled = async move {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let what = what.to_owned();
    async move {
        let held = tokio::time::timeout(PATIENCE, polled).await;
        assert!(held.is_ok(), "{caller}: waited in vain until {what}");
    }
}

/// The body of an error.
pub(crate) fn detail(text: impl Into<Value>) -> Value {
    json!({ "detail": text.into() })
}

/// What a request without a valid token is answered.
pub(crate) fn not_authenticated() -> Value {
    detail("Not a valid token ")
}

/// What a caller without the right is answered.
pub(crate) fn forbidden() -> Value {
    detail("You don't have access to perform this action")
}
