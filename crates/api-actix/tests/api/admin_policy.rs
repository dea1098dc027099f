//! Who may sign up as an admin: `ADMIN_SIGNUP`.

use serde_json::{Value, json};

use crate::harness::{Call, Setup, TestApp, User, detail, forbidden, not_authenticated};

fn admin_sign_up(app: &TestApp, name: &str) -> Call {
    let body = json!({"email": format!("{name}@example.org"), "username": name, "password": "x"});
    app.post("/api/v1/auth/admin/signup").json(&body)
}

fn created() -> Value {
    json!({"message": "User account created successfully."})
}

async fn bootstrap() -> TestApp {
    Setup::new().set("ADMIN_SIGNUP", "bootstrap").start().await
}

/// Must be open to admins alone.
async fn is_for_admins(app: &TestApp, admin: &User, regular: &User, name: &str) {
    admin_sign_up(app, name).await.is(401, not_authenticated());
    admin_sign_up(app, name).bearer("garbage").await.is(401, not_authenticated());
    admin_sign_up(app, name).by(regular).await.is(403, forbidden());
    admin_sign_up(app, name).by(admin).await.is(201, created());
}

#[tokio::test]
async fn open_takes_anybody_and_makes_an_admin() {
    let app = TestApp::start().await;
    admin_sign_up(&app, "ann").await.is(201, created());
    admin_sign_up(&app, "bob").await.is(201, created());
    let root = app.admin().await;
    assert_eq!(app.get(&root.path()).by(&root).await.has(200).json()["role"], "admin");
    app.get("/api/v1/auth/users").by(&root).await.has(200);
}

#[tokio::test]
async fn bootstrap_takes_the_first_admin_and_from_then_on_admins_alone() {
    let app = bootstrap().await;
    let ann = app.sign_up("ann").await;
    let root = app.admin().await;
    is_for_admins(&app, &root, &ann, "boss").await;
}

#[tokio::test]
async fn bootstrap_takes_one_of_many_first_admins_at_once() {
    let app = bootstrap().await;
    let names: Vec<_> = (0..8).map(|number| format!("admin{number}")).collect();
    let calls = names.iter().map(|name| admin_sign_up(&app, name).into_future());
    let mut statuses: Vec<_> =
        futures_util::future::join_all(calls).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[401; 7]].concat());
}

#[tokio::test]
async fn bootstrap_stays_shut_over_a_restart() {
    let app = bootstrap().await;
    let root = app.admin().await;
    let app = app.restart().await;
    let ann = app.sign_up("ann").await;
    is_for_admins(&app, &root, &ann, "boss").await;
}

#[tokio::test]
async fn bootstrap_stays_shut_when_every_admin_is_gone() {
    let app = bootstrap().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    admin_sign_up(&app, "boss").by(&root).await.has(201);
    let boss = app.enter(&json!({"email": "boss@example.org", "username": "boss", "password": "x"})).await;
    app.trash(&boss, &[&root]).await;
    app.delete(&root.purge_path()).by(&boss).await.has(204);
    app.trash(&boss, &[&boss]).await;
    let app = app.crash_and_restart().await;
    admin_sign_up(&app, "heir").await.is(401, not_authenticated());
    admin_sign_up(&app, "heir").by(&ann).await.is(403, forbidden());
}

#[tokio::test]
async fn an_admin_from_the_open_days_shuts_bootstrap() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let app = app.restart_as(|setup| setup.set("ADMIN_SIGNUP", "bootstrap")).await;
    let ann = app.sign_up("ann").await;
    is_for_admins(&app, &root, &ann, "boss").await;
}

#[tokio::test]
async fn a_refused_first_admin_leaves_bootstrap_open() {
    let app = bootstrap().await;
    app.sign_up("ann").await;
    admin_sign_up(&app, "ann").await.is(409, detail("User already exists with this email"));
    admin_sign_up(&app, "").await.has(422);
    admin_sign_up(&app, "root").await.is(201, created());
}

#[tokio::test]
async fn closed_takes_admins_alone_from_the_first() {
    let app = Setup::new().set("ADMIN_SIGNUP", "closed").start().await;
    admin_sign_up(&app, "root").await.is(401, not_authenticated());
    let app = app.restart_as(|setup| setup.set("ADMIN_SIGNUP", "open")).await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let app = app.restart_as(|setup| setup.set("ADMIN_SIGNUP", "closed")).await;
    is_for_admins(&app, &root, &ann, "boss").await;
}

#[tokio::test]
async fn a_refused_stranger_learns_nothing_of_taken_names() {
    let app = Setup::new().set("ADMIN_SIGNUP", "closed").start().await;
    let ann = app.sign_up("ann").await;
    admin_sign_up(&app, "ann").await.is(401, not_authenticated());
    admin_sign_up(&app, "ann").by(&ann).await.is(403, forbidden());
}

#[tokio::test]
async fn a_regular_sign_up_is_open_under_every_policy() {
    for policy in ["open", "bootstrap", "closed"] {
        Setup::new().set("ADMIN_SIGNUP", policy).start().await.sign_up("ann").await;
    }
}

#[tokio::test]
async fn the_first_log_lines_tell_the_policy() {
    for policy in ["open", "bootstrap", "closed"] {
        let app = Setup::new().set("ADMIN_SIGNUP", policy).start().await;
        let told = app.logged(|log| {
            let line =
                log.lines.iter().find(|line| line.contains("ADMIN_SIGNUP") || line.contains("admin_sign"))?;
            line.contains(policy).then_some(())
        });
        assert!(told.await.is_some(), "{policy}: {:#?}", app.log().lines);
    }
}
