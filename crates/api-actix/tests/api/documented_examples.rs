//! Every example of the documentation that clients were written by, in its order, with its bodies.

use serde_json::{Value, json};

use crate::harness::{TestApp, User, claims_of, detail, forbidden, jpeg, not_authenticated};

/// The documented sign-up.
fn example() -> Value {
    json!({"email": "example@mail.com", "password": "12dss3", "username": "asddsddss8"})
}

/// Sign-up and its refusals, for one of the two sign-ups.
async fn signs_up(app: &TestApp, path: &str, body: &Value) {
    let created = json!({"message": "User account created successfully."});
    app.post(path).json(body).await.is(201, created);
    let mut other_email = body.clone();
    other_email["email"] = json!("other@mail.com");
    let answer = app.post(path).json(&other_email).await.has(409).json();
    assert_eq!(answer["detail"]["message"], "User already exists with this username");
    let names = answer["detail"]["suggested_usernames"].as_array().unwrap();
    assert_eq!(names.len(), 5, "{answer}");
    let name = body["username"].as_str().unwrap();
    assert!(names.iter().all(|suggested| suggested.as_str().unwrap().starts_with(name)), "{answer}");
    app.post(path).json(body).await.is(409, detail("User already exists with this email"));
    app.post(path).json(&json!({"email": "example@mail.com"})).await.has(422);
}

/// Log-in and its refusal; returns who logged in.
async fn logs_in(app: &TestApp, body: &Value) -> User {
    let user = app.enter(body).await;
    for token in [&user.access, &user.refresh] {
        assert_eq!(claims_of(token)["user_id"], json!(user.id));
    }
    app.try_log_in(&user.email, "wrong").await.is(401, detail("Incorrect email or password"));
    user
}

/// A user as it is shown, with the time that is not known beforehand.
fn shown(user: &User, role: &str, created_at: &Value) -> Value {
    json!({
        "id": user.id, "email": user.email, "role": role, "username": user.username, "created_at": created_at,
        "updated_at": null, "is_deleted": false, "updated_by": null,
    })
}

/// The listing of users, its search, its pages and its refusals.
async fn lists(app: &TestApp, root: &User, regular: &User) {
    let path = "/api/v1/auth/users";
    let listed = app.get(path).by(root).await.has(200).json();
    let time = |number: usize| listed["data"][number]["created_at"].clone();
    let everybody = [shown(regular, "regular", &time(0)), shown(root, "admin", &time(1))];
    assert_eq!(listed, json!({"total": 2, "has_previous": null, "has_next": null, "data": everybody}));
    let answer = app.get("/api/v1/auth/users?q=sourabh").by(root).await;
    answer.is(200, json!({"total": 1, "has_previous": null, "has_next": null, "data": [everybody[1]]}));
    let answer = app.get("/api/v1/auth/users?per_page=1&page=1").by(root).await;
    answer.is(200, json!({"total": 2, "has_previous": null, "has_next": true, "data": [everybody[0]]}));
    app.get(path).await.is(401, not_authenticated());
    app.get(path).by(regular).await.is(403, forbidden());
}

/// Reading and editing one user.
async fn reads_and_edits(app: &TestApp, root: &User, regular: &User) {
    let read = app.get(&regular.path()).by(regular).await.has(200).json();
    assert_eq!(read, shown(regular, "regular", &read["created_at"]));
    app.get(&root.path()).by(regular).await.is(403, forbidden());
    app.get(&regular.path()).await.is(401, not_authenticated());
    let body = json!({"username": "test", "email": "test@1.dom"});
    let edited = app.put(&regular.path()).by(regular).json(&body).await.has(200).json();
    let mut expected = read;
    expected["username"] = json!("test");
    expected["email"] = json!("test@1.dom");
    expected["updated_at"] = edited["updated_at"].clone();
    expected["updated_by"] = json!(regular.id);
    assert_eq!(edited, expected);
    assert!(edited["updated_at"].is_string(), "{edited}");
    app.put(&root.path()).by(regular).json(&body).await.is(403, forbidden());
}

/// Deleting one user, refreshing, and the trash.
async fn deletes_and_restores(app: &TestApp, root: &User, regular: &User) {
    app.delete(&format!("{}?reason=testing", root.path())).by(regular).await.is(403, forbidden());
    app.delete(&format!("{}?reason=testing", regular.path())).by(root).await.has(204);
    let body = app.refresh(&root.refresh).await.has(200).json();
    assert!(app.takes(body["access_token"].as_str().unwrap(), &root.id).await);
    let listed = app.get("/api/v1/trash/?per_page=20").by(root).await.has(200).json();
    let entry = &listed["data"][0];
    let expected = json!({
        "id": entry["id"], "user_id": regular.id, "deleted_by": root.id, "deleted_at": entry["deleted_at"],
    });
    assert_eq!(listed, json!({"total": 1, "has_previous": null, "has_next": null, "data": [expected]}));
    let payload = json!({"ids": [regular.id], "reason": "because I am admin"});
    let answer = app.post("/api/v1/trash/bulk-delete").by(root).json(&payload).await;
    answer.is(200, json!({"alredy_deleted_user": [regular.id], "deleted_now": []}));
    let restored = app.put(&regular.restore_path()).by(root).await.has(200).json();
    let expected = json!({
        "email": "test@1.dom", "username": "test", "created_at": restored["created_at"], "role": "regular",
        "is_deleted": false, "updated_at": restored["updated_at"], "updated_by": regular.id, "id": regular.id,
    });
    assert_eq!(restored, expected);
    let answer = app.post("/api/v1/trash/bulk-delete").by(root).json(&payload).await;
    answer.is(200, json!({"alredy_deleted_user": [], "deleted_now": [regular.id]}));
    let answer = app.delete(&regular.purge_path()).by(root).await.has(204);
    assert_eq!(answer.text(), "");
}

/// Both uploads.
async fn uploads(app: &TestApp, root: &User) -> String {
    let answer = app.post("/api/v1/profile-upload-s3/").by(root).file("file", "image.jpg", &jpeg()).await;
    answer.is(503, detail("Service Unavailable"));
    let answer =
        app.post("/api/v1/profile-upload/").by(root).file("image", "image.jpg", &jpeg()).await.has(200);
    let name = answer.json()["filename"].as_str().unwrap().to_owned();
    answer.is(200, json!({"message": "File uploaded successfully!", "filename": name}));
    name
}

#[tokio::test]
async fn the_documented_examples_work_in_their_order_and_all_is_there_after_a_restart() {
    let app = TestApp::start().await;
    app.get("/health").await.is(200, json!({"status": "I am healthy"}));
    signs_up(&app, "/api/v1/auth/signup", &example()).await;
    let admin = json!({"email": "test@mail.com", "password": "test", "username": "sourabh"});
    signs_up(&app, "/api/v1/auth/admin/signup", &admin).await;
    let [regular, root] = [logs_in(&app, &example()).await, logs_in(&app, &admin).await];
    lists(&app, &root, &regular).await;
    reads_and_edits(&app, &root, &regular).await;
    deletes_and_restores(&app, &root, &regular).await;
    let image = uploads(&app, &root).await;
    let stored = std::fs::read(app.image(&root.id, &image)).unwrap();

    let bob = app.sign_up("bob").await;
    let gone = app.sign_up("gone").await;
    app.trash(&root, &[&gone]).await;
    let pages = ["/api/v1/auth/users", "/api/v1/trash/"];
    let mut before = Vec::new();
    for page in pages {
        before.push(app.get(page).by(&root).await.has(200).json());
    }

    let app = app.restart().await;
    for (page, before) in pages.into_iter().zip(before) {
        app.get(page).by(&root).await.is(200, before);
    }
    assert!(app.takes(&bob.access, &bob.id).await);
    app.refresh(&bob.refresh).await.has(200);
    app.log_in(&bob.email, &bob.password).await;
    assert_eq!(std::fs::read(app.image(&root.id, &image)).unwrap(), stored);
    app.put(&gone.restore_path()).by(&root).await.has(200);
    let example = json!({"email": "example@mail.com", "password": "12dss3", "username": "asddsddss8"});
    app.sign_up_call(&example).await.has(201);
}
