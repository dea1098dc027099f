//! Who may do what, for every operation of the served document.

use crate::harness::{Forge, TestApp, Who, detail, forbidden, jpeg, not_authenticated, operations};
use serde_json::json;

/// An id of the right form that no user has.
const NOBODY: &str = "00000000000000000000abcd";

#[tokio::test]
async fn without_a_token_every_operation_but_the_open_ones_answers_401() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for operation in operations(&app).await {
        let answer = operation.call(&app, &ann.id).await;
        if matches!(operation.who, Who::Anyone | Who::ByPolicy) {
            assert_ne!(answer.json(), not_authenticated(), "{}", operation.name());
        } else {
            answer.is(401, not_authenticated());
        }
    }
}

#[tokio::test]
async fn what_is_no_bearer_token_is_answered_401_by_every_secured_operation() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let headers = [
        "Bearer garbage".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        ann.access.clone(),
        format!("Basic {}", ann.access),
        format!("Bearer {} {}", ann.access, ann.access),
        format!("Bearer {}", ann.refresh),
        String::new(),
    ];
    for operation in operations(&app).await {
        if matches!(operation.who, Who::Anyone | Who::ByPolicy) {
            continue;
        }
        for header in &headers {
            operation.call(&app, &ann.id).header("authorization", header).await.is(401, not_authenticated());
        }
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_is_answered_401() {
    let app = TestApp::start().await;
    let call = app.get("/api/v1/auth/users").header("authorization", b"Bearer \xFF\xFE");
    call.await.is(401, not_authenticated());
}

#[tokio::test]
async fn the_scheme_of_the_authorization_header_is_taken_in_any_case() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.get(&ann.path()).header("authorization", format!("bearer {}", ann.access)).await.has(200);
}

#[tokio::test]
async fn a_regular_user_gets_403_for_another_id_whether_or_not_it_is_somebodys() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let [ann, bob, carl] = [app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("carl").await];
    app.trash(&root, &[&carl]).await;
    for operation in operations(&app).await {
        if !operation.names_a_user() {
            continue;
        }
        for id in [&bob.id, &root.id, &carl.id, NOBODY] {
            operation.call(&app, id).by(&ann).await.is(403, forbidden());
        }
    }
    for user in [&bob, &root] {
        app.get(&user.path()).by(&root).await.has(200);
    }
}

#[tokio::test]
async fn a_regular_user_gets_403_from_every_operation_of_admins() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for operation in operations(&app).await {
        if operation.who == Who::Admin {
            operation.call(&app, &ann.id).by(&ann).await.is(403, forbidden());
        }
    }
    app.get(&ann.path()).by(&ann).await.has(200);
}

#[tokio::test]
async fn the_owner_and_an_admin_may_use_the_operations_of_owners() {
    for by_the_owner in [true, false] {
        let app = TestApp::start().await;
        let [root, ann] = [app.admin().await, app.sign_up("ann").await];
        let caller = if by_the_owner { &ann } else { &root };
        app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.jpg", &jpeg()).await.has(200);
        let mut owners: Vec<_> = operations(&app).await;
        owners.retain(|operation| operation.who == Who::OwnerOrAdmin);
        // What deletes comes last, and the user after what is the user's.
        owners.sort_by_key(|operation| {
            let deletes = operation.method == reqwest::Method::DELETE;
            (deletes, deletes && operation.path.ends_with("{user_id}"))
        });
        for operation in owners {
            let answer = operation.call(&app, &ann.id).by(caller).await;
            assert!(matches!(answer.status, 200 | 204), "{}: {}", operation.name(), answer.text());
        }
    }
}

#[tokio::test]
async fn rights_come_from_the_store_and_never_from_the_token() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let boastful = Forge::copy(&ann.access).claim("role", "admin").claim("is_admin", true).sign();
    app.get("/api/v1/auth/users").bearer(&boastful).await.is(403, forbidden());
}

#[tokio::test]
async fn a_token_of_nobody_is_answered_401_by_every_secured_operation() {
    let app = TestApp::start().await;
    let token = Forge::access(NOBODY).sign();
    for operation in operations(&app).await {
        if !matches!(operation.who, Who::Anyone | Who::ByPolicy) {
            operation.call(&app, NOBODY).bearer(&token).await.is(401, not_authenticated());
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_before_the_body_is_looked_at() {
    let app = TestApp::start().await;
    app.put("/api/v1/auth/users/x").bearer("garbage").json(&json!({})).await.is(401, not_authenticated());
    app.post("/api/v1/trash/bulk-delete").json_text("{").await.is(401, not_authenticated());
    app.get("/api/v1/auth/users?page=0").await.is(401, not_authenticated());
}

#[tokio::test]
async fn a_fault_of_the_body_or_query_is_told_before_a_malformed_id() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.put("/api/v1/auth/users/x").by(&ann).json(&json!({})).await.has(422);
    app.delete("/api/v1/auth/users/x").by(&ann).await.has(422);
    app.post("/api/v1/trash/bulk-delete").by(&ann).json(&json!({"ids": ["x"]})).await.has(422);
}

#[tokio::test]
async fn a_fault_of_the_request_is_told_before_a_caller_who_is_gone() {
    let app = TestApp::start().await;
    let gone = Forge::access(NOBODY).sign();
    app.get("/api/v1/auth/users?page=0").bearer(&gone).await.has(422);
    app.get("/api/v1/auth/users/x").bearer(&gone).await.is(400, detail("Not a valid ObjectId"));
}

#[tokio::test]
async fn a_malformed_id_is_told_before_the_missing_right() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    for operation in operations(&app).await {
        if operation.names_a_user() {
            operation.call(&app, "x").by(&ann).await.is(400, detail("Not a valid ObjectId"));
        }
    }
    app.post("/api/v1/trash/bulk-delete")
        .by(&ann)
        .json(&json!({"ids": ["x"], "reason": "test"}))
        .await
        .is(400, detail("Not a valid ObjectId"));
}

#[tokio::test]
async fn a_fault_of_the_request_is_told_before_the_missing_right() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.get("/api/v1/auth/users?per_page=31").by(&ann).await.has(422);
    app.get("/api/v1/trash/?page=0").by(&ann).await.has(422);
}

#[tokio::test]
async fn what_is_no_object_id_is_answered_400_with_the_documented_words() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let long = "a".repeat(3000);
    let ids = [
        "1",
        "67a9940edc65a0145ee7398",
        "67a9940edc65a0145ee739800",
        "67A9940EDC65A0145EE73980",
        "zza9940edc65a0145ee73980",
        "%00",
        "%FF",
        "%7B%22$ne%22:1%7D",
        "%C3%A9",
        &long,
    ];
    for id in ids {
        let answer = app.get(&format!("/api/v1/auth/users/{id}")).by(&root).await;
        answer.is(400, detail("Not a valid ObjectId"));
    }
}

#[tokio::test]
async fn nobody_of_that_id_is_404_for_an_admin() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for operation in operations(&app).await {
        if operation.who == Who::OwnerOrAdmin {
            operation.call(&app, NOBODY).by(&root).await.is(404, detail("User not found"));
        }
    }
}

#[tokio::test]
async fn profiles_and_tokens_are_not_to_be_stored_by_anybody() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let no_store = |answer: crate::harness::Answer| {
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{answer:?}");
    };
    no_store(app.try_log_in(&root.email, &root.password).await.has(200));
    no_store(app.refresh(&root.refresh).await.has(200));
    no_store(app.get(&root.path()).by(&root).await.has(200));
    no_store(app.get("/api/v1/auth/users").by(&root).await.has(200));
    no_store(app.get("/api/v1/trash/").by(&root).await.has(200));
    no_store(app.put(&root.path()).by(&root).json(&json!({"username": "boss"})).await.has(200));
}
