//! What holds for every path.

use std::future::pending;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage};
use async_trait::async_trait;
use roster_domain::ports::{Asker, Clock, HashError, PasswordHasher, Verdict};
use roster_domain::values::{PasswordHash, Timestamp};
use serde_json::json;
use tokio::sync::{Notify, oneshot};
use url::Url;

use super::super::call::Call;
use super::super::middleware::Noted;
use super::super::table::TABLE;
use super::*;

#[actix_web::test]
async fn the_server_says_that_it_is_healthy() {
    let answer = World::new().call(get("/health")).await;
    assert_eq!(answer.told(), (200, &json!({ "status": "I am healthy" })));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[actix_web::test]
async fn every_path_answers_405_with_its_methods_to_any_other() {
    let world = World::new();
    for endpoint in TABLE.iter() {
        for method in [Method::PATCH, Method::OPTIONS, Method::CONNECT, Method::TRACE] {
            let request = TestRequest::with_uri(&endpoint.path.replace("{user_id}", "x")).method(method);
            let answer = world.call(request).await;
            assert_eq!(answer.told(), (405, &json!({ "detail": "Method Not Allowed" })), "{}", endpoint.path);
            assert_eq!(answer.header("allow"), endpoint.allow);
        }
    }
}

#[actix_web::test]
async fn every_path_with_the_other_ending_is_redirected_to_the_route() {
    let world = World::new();
    for endpoint in TABLE.iter() {
        let path = endpoint.path.replace("{user_id}", "x:y").replace("{file}", "index.html");
        let path = path.replace("{owner}", "x").replace("{name}", "y");
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        let answer = world.call(post(&format!("{other}?a=%20b"))).await;
        let location = answer.header("location");
        assert!(location.starts_with('.'), "{location} is relative");
        for prefix in ["", "/accounts", "/a/b"] {
            let asked = Url::parse(&format!("https://proxy.example{prefix}{other}?a=%20b")).unwrap();
            let expected = format!("https://proxy.example{prefix}{path}?a=%20b");
            assert_eq!((answer.status, asked.join(location).unwrap().as_str()), (307, expected.as_str()));
        }
        assert_eq!(answer.header("x-request-id").len(), 32);
    }
}

#[rstest::rstest]
#[case("/")]
#[case("//")]
#[case("/nothing")]
#[case("/health//")]
#[case("//evil.example/health/")]
#[case("/api/v1/auth/users//")]
#[case("/docs/nothing.html")]
#[actix_web::test]
async fn what_is_no_path_is_404(#[case] path: &str) {
    let answer = World::new().call(get(path)).await;
    assert_eq!(answer.told(), (404, &json!({ "detail": "Not Found" })));
}

#[actix_web::test]
async fn every_response_has_an_id_of_its_own_and_the_security_headers() {
    let world = World::new();
    let mut ids = Vec::new();
    for path in ["/health", "/nothing", "/api/v1/auth/users", "/api/v1/trash"] {
        let answer = world.call(get(path).insert_header(("x-request-id", "chosen by the client"))).await;
        let id = answer.header("x-request-id").to_owned();
        assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
        ids.push(id);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        let cached = if path.starts_with("/api/") { "no-store" } else { "" };
        assert_eq!(answer.header("cache-control"), cached, "{path}");
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[rstest::rstest]
#[case(&[])]
#[case(&["Basic {token}"])]
#[case(&["Bearer"])]
#[case(&["Bearer {token}x"])]
#[case(&["Bearer {token}", "Bearer {token}"])]
#[case(&["Bearer \u{e9}"])]
#[actix_web::test]
async fn what_is_no_bearer_token_is_401(#[case] credentials: &[&str]) {
    let world = World::new();
    let ann = world.user("ann").await;
    let mut request = get("/api/v1/auth/users");
    for credential in credentials {
        let credential = credential.replace("{token}", &ann.token);
        request = request.append_header(("Authorization", credential.as_bytes()));
    }
    let answer = world.call(request).await;
    assert_eq!(answer.told(), (401, &json!({ "detail": "Not a valid token " })));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[actix_web::test]
async fn the_scheme_may_be_written_in_any_case() {
    let world = World::new();
    let ann = world.user("ann").await;
    let request = get(&format!("/api/v1/auth/users/{}", ann.id));
    let request = request.insert_header(("Authorization", format!("bEARER {}", ann.token)));
    assert_eq!(world.call(request).await.status, 200);
}

#[actix_web::test]
async fn the_type_of_a_body_decides_whether_it_is_json() {
    let world = World::new();
    let login = |content_type: Option<&str>| {
        let request = post("/api/v1/auth/login").set_payload("{}");
        match content_type {
            Some(content_type) => request.insert_header(("Content-Type", content_type)),
            None => request,
        }
    };
    for json in [None, Some("application/json; charset=utf-8"), Some("Application/Merge-Patch+JSON")] {
        let answer = world.call(login(json)).await;
        assert_eq!((answer.status, &answer.body["detail"][0]["type"]), (422, &json!("missing")), "{json:?}");
    }
    for other in ["text/plain", "application/x-www-form-urlencoded", "jsonish"] {
        let answer = world.call(login(Some(other))).await;
        let kind = &answer.body["detail"][0]["type"];
        assert_eq!((answer.status, kind), (422, &json!("model_attributes_type")), "{other}");
    }
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_413() {
    let world = World::with_limits(Limits { body: 100, ..Limits::default() });
    let login = |length| post("/api/v1/auth/login").set_payload(" ".repeat(length));
    assert_eq!(world.call(login(100)).await.status, 422);
    let answer = world.call(login(101)).await;
    assert_eq!(answer.told(), (413, &json!({ "detail": "The request is too large" })));
}

#[rstest::rstest]
#[case(&["gzip"], 415)]
#[case(&["identity, br"], 415)]
#[case(&["identity", "deflate"], 415)]
#[case(&["x"], 415)]
#[case(&[" Identity"], 422)]
#[case(&[""], 422)]
#[actix_web::test]
async fn an_encoded_body_is_415_that_says_what_would_be_read(#[case] codings: &[&str], #[case] status: u16) {
    for path in ["/api/v1/auth/login", "/api/v1/profile-upload/"] {
        let world = World::new();
        let ann = world.user("ann").await;
        let mut request = ann.send(post(path)).set_payload("{}");
        for coding in codings {
            request = request.append_header(("Content-Encoding", *coding));
        }
        let answer = world.call(request).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(answer.header("accept-encoding"), if status == 415 { "identity" } else { "" });
    }
    let bodiless = get("/health").insert_header(("Content-Encoding", "gzip"));
    assert_eq!(World::new().call(bodiless).await.status, 200);
}

#[actix_web::test]
async fn a_panic_is_500_that_says_nothing() {
    struct BrokenClock;
    #[async_trait]
    impl Clock for BrokenClock {
        fn now(&self) -> Timestamp {
            panic!("the clock fell down");
        }

        async fn sleep(&self, _: Duration) {
            panic!("the clock fell down");
        }
    }
    let world = World::with_ports(|ports| ports.clock = Arc::new(BrokenClock));
    let read = get("/api/v1/auth/users").insert_header(("Authorization", "Bearer x"));
    let form = json!({ "email": "a@example.com", "username": "a", "password": "b" });
    let write = post("/api/v1/auth/signup").set_json(form);
    for request in [read, write] {
        let answer = world.call(request).await;
        assert_eq!(answer.told(), (500, &json!({ "detail": "Internal Server Error" })));
        assert_eq!(answer.header("x-request-id").len(), 32);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[actix_web::test]
async fn browsers_may_call_from_the_configured_origins_alone() {
    let origins = vec!["https://app.example".to_owned()];
    let world = World::with_state(|state| state.with_cors_origins(origins));
    let refused = |origin: &'static str| get("/api/v1/auth/users").insert_header(("Origin", origin));

    let answer = world.call(refused("https://app.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, "https://app.example"));
    let mut exposed: Vec<_> = answer.header("access-control-expose-headers").split(", ").collect();
    exposed.sort_unstable();
    assert_eq!(exposed, ["etag", "retry-after", "x-request-id"]);
    let answer = world.call(refused("https://evil.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, ""));

    let preflight = TestRequest::with_uri("/api/v1/auth/login")
        .method(Method::OPTIONS)
        .insert_header(("Origin", "https://app.example"))
        .insert_header(("Access-Control-Request-Method", "POST"))
        .insert_header(("Access-Control-Request-Headers", "content-type, authorization, if-none-match"));
    let answer = world.call(preflight).await;
    assert_eq!((answer.status, answer.header("x-request-id").len()), (200, 32));
    assert!(answer.header("access-control-allow-methods").contains("POST"));

    let preflight = TestRequest::with_uri("/api/v1/auth/login")
        .method(Method::OPTIONS)
        .insert_header(("Origin", "https://evil.example"))
        .insert_header(("Access-Control-Request-Method", "POST"));
    let answer = world.call(preflight).await;
    assert_eq!(answer.told(), (400, &json!({ "detail": "Origin is not allowed to make this request" })));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("x-request-id").len()), ("", 32));
}

#[actix_web::test]
async fn without_origins_no_browser_may_call() {
    let answer = World::new().call(get("/health").insert_header(("Origin", "https://app.example"))).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[actix_web::test]
async fn a_body_that_does_not_arrive_is_408() {
    let limits = Limits { body_deadline: Duration::from_millis(1), ..Limits::default() };
    let answer = World::with_limits(limits).call_and_stall(post("/api/v1/auth/login")).await;
    assert_eq!(answer.told(), (408, &json!({ "detail": "The request did not arrive in time" })));
}

#[actix_web::test]
async fn what_writes_runs_to_its_end_though_the_client_goes() {
    let world = World::new();
    let http = TestRequest::default().app_data(world.state.clone()).to_http_request();
    http.extensions_mut().insert(Noted { request: request(), caller: None });
    let call = Call::extract(&http).await.unwrap();

    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (done, was_done) = oneshot::channel();
    let (begins, may_go_on) = (Arc::clone(&began), Arc::clone(&go_on));
    let writing = call.run_to_end(|_| async move {
        begins.notify_one();
        may_go_on.notified().await;
        done.send(()).unwrap();
        Ok(())
    });
    tokio::select! {
        biased;
        _ = writing => panic!("it answered too early"),
        () = began.notified() => {}
    }
    go_on.notify_one();
    world.state.finish().await;
    was_done.await.unwrap();
}

#[actix_web::test]
async fn who_goes_before_the_password_is_hashed_waits_for_it_no_longer() {
    /// Hashes never, and tells when somebody begins to wait and when nobody does any more.
    struct StuckHasher {
        began: Notify,
        given_up: Notify,
    }
    struct Waiting<'a>(&'a StuckHasher);
    impl Drop for Waiting<'_> {
        fn drop(&mut self) {
            self.0.given_up.notify_one();
        }
    }
    impl StuckHasher {
        async fn wait<T>(&self) -> T {
            let _waiting = Waiting(self);
            self.began.notify_one();
            pending().await
        }
    }
    #[async_trait]
    impl PasswordHasher for StuckHasher {
        async fn hash(&self, _: Password, _: Asker) -> Result<PasswordHash, HashError> {
            self.wait().await
        }
        async fn verify(&self, _: Password, _: Option<PasswordHash>, _: Asker) -> Result<Verdict, HashError> {
            self.wait().await
        }
    }
    let hasher = Arc::new(StuckHasher { began: Notify::new(), given_up: Notify::new() });
    let world = World::with_ports(|ports| ports.hasher = Arc::clone(&hasher) as _);

    let form = json!({ "email": "ann@example.com", "username": "ann", "password": "secret" });
    for path in ["/api/v1/auth/login", "/api/v1/auth/signup", "/api/v1/auth/admin/signup"] {
        tokio::select! {
            biased;
            _ = world.call(post(path).set_json(&form)) => panic!("it answered too early"),
            () = hasher.began.notified() => {}
        }
        hasher.given_up.notified().await;
    }
}

#[actix_web::test]
async fn swagger_ui_may_load_its_own_files_and_nothing_else() {
    let world = World::new();
    let service = init_service(app(&world.state)).await;
    for file in ["", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        let request = get(&format!("/docs/{file}")).to_request();
        let response = try_call_service(&service, request).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{file}");
        let policy = response.headers().get("content-security-policy").unwrap().to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
    }
    assert_eq!(world.call(get("/openapi.json")).await.body["openapi"], "3.1.0");
}
