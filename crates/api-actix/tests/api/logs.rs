//! What the log tells, and what it never does.

use serde_json::json;

use crate::harness::{Forge, Setup, TestApp, User, jpeg, sign_up_body};

/// Does a bit of everything, and returns what no log may hold.
async fn busy_run(app: &TestApp) -> Vec<String> {
    let [root, ann, bob] = [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await];
    let typo = "a password with a typo";
    app.try_log_in(&ann.email, typo).await.has(401);
    app.try_log_in("nobody@example.org", typo).await.has(401);
    app.post("/api/v1/auth/login")
        .json_text(r#"{"email": "cut@example.org", "password": "cut in the mid"#)
        .await
        .has(422);
    app.sign_up_call(&json!({"email": ann.email, "username": "x", "password": typo})).await.has(409);
    app.sign_up_call(&json!({"email": "mail.example.org", "username": "x", "password": typo})).await.has(422);
    let renewed =
        app.refresh(&ann.refresh).await.has(200).json()["access_token"].as_str().unwrap().to_owned();
    let forged = Forge::copy(&ann.access).key("another").sign();
    app.get(&ann.path()).bearer(&forged).await.has(401);
    app.refresh(&forged).await.has(401);
    app.get(&bob.path()).by(&ann).await.has(403);
    app.put(&ann.path()).by(&ann).json(&json!({"email": "moved@example.org"})).await.has(200);
    app.put(&ann.path()).by(&ann).json(&json!({"email": bob.email})).await.has(409);
    app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.jpg", &jpeg()).await.has(200);
    app.post("/api/v1/profile-upload-s3/").by(&ann).file("file", "me.jpg", &jpeg()).await.has(503);
    app.get("/api/v1/auth/users?q=ann%40example.org").by(&root).await.has(200);
    app.get("/api/v1/auth/users?q=ann%40example.org&page=none").by(&root).await.has(422);
    app.get("/api/v1/auth/users/ann@example.org").by(&ann).await.has(400);
    app.get(&format!("/ann@example.org/{}?access_token={}", ann.refresh, ann.access)).await.has(404);
    app.put(&ann.path()).by(&ann).json(&json!({"password": typo.repeat(100)})).await.has(422);
    app.sign_up_call(&json!({"email": "cut@example.org", "username": typo, "password": 5})).await.has(422);
    outage(app, &ann).await;
    app.trash(&root, &[&ann, &bob]).await;
    app.get(&ann.path()).by(&ann).await.has(401);
    app.put(&bob.restore_path()).by(&root).await.has(200);
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    let secrets_of =
        |user: &User| [&user.email, &user.password, &user.access, &user.refresh].map(Clone::clone);
    let mut secrets: Vec<String> = [&root, &ann, &bob].into_iter().flat_map(secrets_of).collect();
    secrets.extend([renewed, forged]);
    // A token's last part is its secret; logging the rest would still be a mistake, and the whole is above.
    secrets.extend(
        [
            "moved@example.org",
            "nobody@example.org",
            "cut@example.org",
            "mail.example.org",
            // As it stands in a query.
            "ann%40",
            "cut in the mid",
            "the password of cut",
            typo,
        ]
        .map(str::to_owned),
    );
    secrets.push(app.log_in(&bob.email, &bob.password).await.refresh);
    secrets
}

/// The stores go, are asked for this and that, and come back.
async fn outage(app: &TestApp, ann: &User) {
    let data = app.folder().join("data");
    let (images, database, elsewhere) =
        (data.join("images"), data.join("roster.db"), app.folder().join("elsewhere"));
    std::fs::rename(&images, &elsewhere).unwrap();
    app.post("/api/v1/profile-upload/").by(ann).file("image", "me.jpg", &jpeg()).await.has(503);
    app.get("/health/ready").await.has(503);
    std::fs::rename(&elsewhere, &images).unwrap();
    // A MongoDB goes in tests of its own.
    if database.exists() {
        std::fs::rename(&database, &elsewhere).unwrap();
        app.try_log_in("moved@example.org", &ann.password).await.has(503);
        app.sign_up_call(&sign_up_body("cut")).await.has(503);
        app.put(&ann.path()).by(ann).json(&json!({"email": "cut@example.org"})).await.has(503);
        std::fs::rename(&elsewhere, &database).unwrap();
    }
}

#[tokio::test]
async fn no_password_hash_token_key_or_address_is_ever_logged() {
    let keys = [
        ("SECRET_KEY_PREVIOUS", "what signed before, of 32 letters"),
        ("AWS_ACCESS_KEY_ID", "the id of a key"),
        ("AWS_SECRET_ACCESS_KEY", "the secret of a key"),
        ("AWS_SESSION_TOKEN", "what belongs to a key"),
    ];
    for level in ["info", "trace"] {
        for format in ["json", "text"] {
            let setup = Setup::new().set("LOG_LEVEL", level).set("LOG_FORMAT", format);
            let setup = setup.set("METRICS_ADDRESS", "127.0.0.1:0").set("S3_BUCKET", "images");
            // Nobody answers there.
            let setup = setup.set("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");
            let app = keys.iter().fold(setup, |setup, (name, key)| setup.set(name, key)).start().await;
            let mut secrets = busy_run(&app).await;
            let signatures = secrets.iter().filter_map(|secret| Some(secret.rsplit_once('.')?.1.to_owned()));
            let signatures: Vec<_> = signatures.filter(|signature| signature.len() > 20).collect();
            secrets.extend(signatures);
            secrets.extend(["$2b$", "$bcrypt", crate::harness::SECRET_KEY].map(str::to_owned));
            secrets.extend(keys.map(|(_, key)| key.to_owned()));
            // The log is read to its end, so that nothing comes after.
            let mut app = app;
            app.signal(rustix::process::Signal::TERM);
            app.ended().await;
            for line in &app.log().lines {
                for secret in &secrets {
                    assert!(!line.contains(secret), "{level} {format}: {secret:?} in {line}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_client_may_repeat_is_told_once() {
    let mut app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.jpg", &jpeg()).await.has(200);
    for image in app.images() {
        std::fs::remove_file(image).unwrap();
    }
    let image = format!("/api/v1/auth/users/{}/profile-image", ann.id);
    for _ in 0..3 {
        app.get(&image).by(&ann).await.has(404);
        app.post("/api/v1/profile-upload-s3/").by(&ann).file("file", "me.jpg", &jpeg()).await.has(503);
    }
    app.signal(rustix::process::Signal::TERM);
    app.ended().await;
    let lines = |event: &str| app.log().events().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let [missing] = lines("image missing").try_into().unwrap();
    assert_eq!(missing["level"], "ERROR");
    assert!(missing["error"].as_str().unwrap().contains(&ann.id), "{missing}");
    let [refused] = lines("requests are refused").try_into().unwrap();
    assert_eq!(
        (&refused["level"], &refused["cause"]),
        (&json!("WARN"), &json!("image store not configured"))
    );
}

#[tokio::test]
async fn a_request_is_called_as_its_client_calls_it_where_that_is_a_name() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let log_in = serde_json::json!({"email": ann.email, "password": ann.password});
    let call = |name: &str| app.post("/api/v1/auth/login").header("X-Request-ID", name).json(&log_in);
    let longest = "n".repeat(128);
    for name in ["0f8fad5b-d9cb-469f-a165-70867728950e", "Root=1-67891233-abcdef012345678912345678", &longest]
    {
        assert_eq!(call(name).await.has(200).header("x-request-id"), Some(name));
        for event in ["logged in", "answered"] {
            tells(&app, &[name, event]).await;
        }
    }
    let too_long = "n".repeat(129);
    for name in ["", "two words", "caf\u{e9}", &too_long] {
        let answer = call(name).await.has(200);
        let own = answer.header("x-request-id").unwrap();
        assert!(own.len() == 32 && own.bytes().all(|digit| digit.is_ascii_hexdigit()), "{own}");
    }
    let answer = call("one").header("X-Request-ID", "two").await.has(200);
    assert_eq!(answer.header("x-request-id").unwrap().len(), 32);
}

#[tokio::test]
async fn every_line_has_a_message_and_a_time_has_three_digits_behind_its_point() {
    let mut app = Setup::new().set("LOG_LEVEL", "debug").start().await;
    busy_run(&app).await;
    app.signal(rustix::process::Signal::TERM);
    app.ended().await;
    let mut answered = 0;
    for line in app.log().events() {
        assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        if line["event"] == "answered" {
            answered += 1;
            assert!(line["request"].is_string(), "{line}");
            let took = line["duration_ms"].to_string();
            let digits = took.split_once('.').map_or(0, |(_, digits)| digits.len());
            assert!(digits <= 3, "{line}");
        }
    }
    assert!(answered > 20, "{answered}");
}

/// Waits until one line of the log holds all of these.
async fn tells(app: &TestApp, what: &[&str]) {
    let told = app.logged(|log| {
        let has_all = |line: &&String| what.iter().all(|piece| line.contains(piece));
        log.lines.iter().find(has_all).map(drop)
    });
    assert!(told.await.is_some(), "no line with {what:?} in {:#?}", app.log().lines);
}

#[tokio::test]
async fn who_logged_in_failed_was_refused_or_changed_whom_is_logged_under_the_requests_id() {
    let app = TestApp::start().await;
    let [root, ann, bob] = [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await];
    let id = |answer: &crate::harness::Answer| answer.header("x-request-id").unwrap().to_owned();
    let request = id(&app.try_log_in(&ann.email, &ann.password).await.has(200));
    tells(&app, &[&request, &ann.id]).await;
    let request = id(&app.try_log_in(&ann.email, "wrong").await.has(401));
    tells(&app, &[&request]).await;
    let request = id(&app.get(&bob.path()).by(&ann).await.has(403));
    tells(&app, &[&request, &ann.id]).await;
    let request = id(&app.put(&ann.path()).by(&root).json(&json!({"username": "anna"})).await.has(200));
    tells(&app, &[&request, &root.id, &ann.id]).await;
    let request = id(&app.delete(&format!("{}?reason=spamming", ann.path())).by(&root).await.has(204));
    tells(&app, &[&request, &root.id, &ann.id, "spamming"]).await;
    let line = app.log().events().find(|line| line["event"] == "user deleted").unwrap();
    assert_eq!(line["reason"], "spamming");
    let request = id(&app.put(&ann.restore_path()).by(&root).await.has(200));
    tells(&app, &[&request, &root.id, &ann.id]).await;
    app.trash(&root, &[&ann]).await;
    let request = id(&app.delete(&ann.purge_path()).by(&root).await.has(204));
    tells(&app, &[&request, &root.id, &ann.id]).await;
}

#[tokio::test]
async fn a_line_break_in_what_a_client_sends_makes_no_line_of_its_own() {
    for format in ["json", "text"] {
        let app = Setup::new().set("LOG_FORMAT", format).start().await;
        let ann = app.sign_up("ann").await;
        app.delete(&format!("{}?reason=a%0AFORGED%20LINE%0D%1B%5B31m", ann.path())).by(&ann).await.has(204);
        tells(&app, &["FORGED LINE"]).await;
        let log = app.log();
        assert!(
            !log.lines.iter().any(|line| line.starts_with("FORGED") || line.contains('\u{1b}')),
            "{:#?}",
            log.lines
        );
    }
}
