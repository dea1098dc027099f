//! Logging in, and when a log-in ends.

use serde_json::json;

use crate::harness::{TestApp, Tokens, detail, not_authenticated};

const BAD_CREDENTIALS: &str = "Incorrect email or password";

#[tokio::test]
async fn a_log_in_gives_two_tokens_and_nothing_else() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let body = app.try_log_in(&ann.email, &ann.password).await.has(200).json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "refresh_token"]);
}

#[tokio::test]
async fn an_unknown_email_a_wrong_password_and_a_trashed_user_get_one_answer() {
    let app = TestApp::start().await;
    let [root, ann, bob] = [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await];
    app.trash(&root, &[&bob]).await;
    let answers = [
        app.try_log_in("nobody@example.org", &ann.password).await,
        app.try_log_in(&ann.email, &bob.password).await,
        app.try_log_in(&bob.email, &bob.password).await,
        app.try_log_in(&bob.email, "wrong").await,
    ];
    let headers = |answer: &crate::harness::Answer| {
        let mut headers = answer.headers.clone();
        // These differ from one answer to the next of any kind.
        for name in ["date", "x-request-id"] {
            headers.remove(name);
        }
        headers
    };
    let first = headers(&answers[0]);
    for answer in answers {
        assert_eq!(headers(&answer), first);
        answer.is(401, detail(BAD_CREDENTIALS));
    }
}

#[tokio::test]
async fn an_email_is_taken_at_log_in_in_every_spelling_of_it() {
    let app = TestApp::start().await;
    let body = json!({"email": "Ännchen@bücher.de", "username": "ann", "password": "x"});
    app.sign_up_call(&body).await.has(201);
    for email in [
        "ännchen@bücher.de",
        "ÄNNCHEN@BÜCHER.DE",
        " ännchen@xn--bcher-kva.de ",
        "a\u{308}nnchen@bu\u{308}cher.de",
    ] {
        app.try_log_in(email, "x").await.has(200);
    }
}

#[tokio::test]
async fn a_username_is_no_email_at_log_in() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let answer = app.try_log_in(&ann.username, &ann.password).await;
    assert!(matches!(answer.status, 401 | 422), "{answer:?}");
}

#[tokio::test]
async fn passwords_that_differ_past_byte_72_are_two_passwords() {
    let app = TestApp::start().await;
    let shared = "x".repeat(72);
    for (name, password, other) in [
        ("ann", format!("{shared}1"), format!("{shared}2")),
        ("bob", format!("{shared}1"), shared.clone()),
        ("carl", shared.clone(), format!("{shared}1")),
        ("dora", "é".repeat(36) + "a", "é".repeat(36) + "b"),
    ] {
        let email = format!("{name}@example.org");
        let body = json!({"email": email, "username": name, "password": password});
        app.sign_up_call(&body).await.has(201);
        app.try_log_in(&email, &password).await.has(200);
        app.try_log_in(&email, &other).await.is(401, detail(BAD_CREDENTIALS));
    }
}

#[tokio::test]
async fn sixteen_log_ins_live_side_by_side_and_the_17th_ends_the_first() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let mut tokens = vec![Tokens { access: ann.access.clone(), refresh: ann.refresh.clone() }];
    while tokens.len() < 16 {
        tokens.push(app.log_in(&ann.email, &ann.password).await);
    }
    let renewed =
        app.refresh(&ann.refresh).await.has(200).json()["access_token"].as_str().unwrap().to_owned();
    for token in &tokens {
        assert!(app.takes(&token.access, &ann.id).await);
    }
    let last = app.log_in(&ann.email, &ann.password).await;
    for dead in [&ann.access, &renewed] {
        app.get(&ann.path()).bearer(dead).await.is(401, not_authenticated());
    }
    app.refresh(&ann.refresh).await.is(401, detail("Not a valid refresh token"));
    for token in tokens[1..].iter().chain([&last]) {
        assert!(app.takes(&token.access, &ann.id).await);
        app.refresh(&token.refresh).await.has(200);
    }
}

#[tokio::test]
async fn many_log_ins_at_once_leave_sixteen_sessions() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let log_ins = (0..24).map(|_| app.log_in(&ann.email, &ann.password));
    let tokens = futures_util::future::join_all(log_ins).await;
    let mut alive = 0;
    for token in &tokens {
        let lives = app.takes(&token.access, &ann.id).await;
        assert_eq!(app.refresh(&token.refresh).await.status, if lives { 200 } else { 401 });
        alive += usize::from(lives);
    }
    assert_eq!(alive, 16);
}

#[tokio::test]
async fn the_log_ins_of_one_user_end_none_of_another() {
    let app = TestApp::start().await;
    let [ann, bob] = [app.sign_up("ann").await, app.sign_up("bob").await];
    for _ in 0..17 {
        app.log_in(&bob.email, &bob.password).await;
    }
    assert!(app.takes(&ann.access, &ann.id).await);
}

#[tokio::test]
async fn all_tokens_die_with_a_deletion_and_stay_dead_after_the_restore() {
    let app = TestApp::start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let other = app.log_in(&ann.email, &ann.password).await;
    let all_are_dead = async || {
        for token in [&ann.access, &other.access] {
            app.get(&ann.path()).bearer(token).await.is(401, not_authenticated());
        }
        for token in [&ann.refresh, &other.refresh] {
            app.refresh(token).await.is(401, detail("Not a valid refresh token"));
        }
    };
    app.trash(&root, &[&ann]).await;
    all_are_dead().await;
    app.put(&ann.restore_path()).by(&root).await.has(200);
    all_are_dead().await;
    let new = app.log_in(&ann.email, &ann.password).await;
    assert!(app.takes(&new.access, &ann.id).await);
    all_are_dead().await;
}

#[tokio::test]
async fn all_tokens_die_with_a_bulk_deletion_as_well() {
    let app = TestApp::start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let body = json!({"ids": [ann.id], "reason": "test"});
    app.post("/api/v1/trash/bulk-delete").by(&root).json(&body).await.has(200);
    app.get(&ann.path()).by(&ann).await.is(401, not_authenticated());
    app.put(&ann.restore_path()).by(&root).await.has(200);
    app.get(&ann.path()).by(&ann).await.is(401, not_authenticated());
}
