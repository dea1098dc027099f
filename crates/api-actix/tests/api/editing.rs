//! Editing users.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{TestApp, User, detail};

async fn shown(app: &TestApp, user: &User, by: &User) -> Value {
    app.get(&user.path()).by(by).await.has(200).json()
}

#[tokio::test]
async fn an_edit_answers_the_user_as_it_is_then_and_tells_who_edited() {
    let app = TestApp::start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let before = shown(&app, &ann, &ann).await;
    for (editor, body) in [
        (&ann, json!({"username": "anna", "email": "anna@example.org"})),
        (&root, json!({"username": "annette"})),
        (&root, json!({"email": "annette@example.org", "username": null})),
    ] {
        let answer = app.put(&ann.path()).by(editor).json(&body).await.has(200).json();
        assert_eq!(answer, shown(&app, &ann, &root).await);
        assert_eq!(answer["updated_by"], json!(editor.id));
        assert!(answer["updated_at"].as_str() >= before["created_at"].as_str(), "{answer}");
        for (name, value) in body.as_object().unwrap() {
            assert!(value.is_null() || answer[name] == *value, "{name} in {answer}");
        }
        for name in ["id", "role", "created_at", "is_deleted"] {
            assert_eq!(answer[name], before[name], "{name}");
        }
        assert_eq!(answer.as_object().unwrap().len(), 8, "{answer}");
    }
    let after = shown(&app, &ann, &root).await;
    assert_eq!((&after["username"], &after["email"]), (&json!("annette"), &json!("annette@example.org")));
}

#[tokio::test]
async fn an_edit_is_taken_at_the_next_log_in_and_ends_no_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.put(&ann.path()).by(&ann).json(&json!({"email": "new@example.org"})).await.has(200);
    assert!(app.takes(&ann.access, &ann.id).await);
    app.try_log_in("new@example.org", &ann.password).await.has(200);
    app.try_log_in(&ann.email, &ann.password).await.has(401);
}

#[tokio::test]
async fn names_are_normalised_in_an_edit_as_at_sign_up() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let body = json!({"username": "  AME\u{301}LIE ", "email": " A@XN--BCHER-KVA.de "});
    let answer = app.put(&ann.path()).by(&ann).json(&body).await.has(200).json();
    assert_eq!((&answer["username"], &answer["email"]), (&json!("amélie"), &json!("a@bücher.de")));
}

#[tokio::test]
async fn what_another_user_has_is_a_conflict_and_nothing_changes() {
    let app = TestApp::start().await;
    let [root, ann, bob] = [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await];
    let before = shown(&app, &ann, &ann).await;
    for in_the_trash in [false, true] {
        if in_the_trash {
            app.trash(&root, &[&bob]).await;
        }
        for (body, what) in [
            (json!({"email": "BOB@example.org"}), "email"),
            (json!({"username": "Bob"}), "username"),
            (json!({"username": "bob", "email": "bob@example.org"}), "email"),
            (json!({"username": "bob", "email": "free@example.org"}), "username"),
        ] {
            let answer = app.put(&ann.path()).by(&ann).json(&body).await;
            answer.is(409, detail(format!("User already exists with this {what}")));
        }
    }
    assert_eq!(shown(&app, &ann, &ann).await, before);
}

#[tokio::test]
async fn what_a_user_has_already_is_no_conflict() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for body in [
        json!({"username": "ANN"}),
        json!({"email": "Ann@example.org"}),
        json!({"username": "ann", "email": "ann@example.org"}),
    ] {
        app.put(&ann.path()).by(&ann).json(&body).await.has(200);
    }
}

#[tokio::test]
async fn names_that_were_given_up_are_free() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let body = json!({"username": "anna", "email": "anna@example.org"});
    app.put(&ann.path()).by(&ann).json(&body).await.has(200);
    app.sign_up("ann").await;
}

#[tokio::test]
async fn of_many_users_who_want_one_name_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let mut users = Vec::new();
    for number in 0..8 {
        users.push(app.sign_up(&format!("user{number}")).await);
    }
    let body = json!({"username": "king"});
    let edits = users.iter().map(|user| app.put(&user.path()).by(user).json(&body).into_future());
    let mut statuses: Vec<_> = join_all(edits).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[409; 7]].concat());
}

#[tokio::test]
async fn a_body_that_names_role_id_or_deletion_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let before = shown(&app, &ann, &ann).await;
    let body = json!({
        "username": "anna", "role": "admin", "is_deleted": true, "_id": "67a9940edc65a0145ee73980",
        "id": "67a9940edc65a0145ee73980", "created_at": "2000-01-01T00:00:00", "password": "other",
        "$set": {"role": "admin"}, "updated_by": "67a9940edc65a0145ee73980",
    });
    let after = app.put(&ann.path()).by(&ann).json(&body).await.has(200).json();
    for name in ["id", "role", "is_deleted", "created_at", "email"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(after["updated_by"], json!(ann.id));
    app.get("/api/v1/auth/users").by(&ann).await.has(403);
    app.try_log_in(&ann.email, &ann.password).await.has(200);
}
