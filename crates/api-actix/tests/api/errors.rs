//! What holds for every answer, and for requests that fit no route.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use url::Url;

use crate::harness::{Answer, Setup, TestApp, detail, operations, raw};

#[tokio::test]
async fn health_is_answered_to_anybody() {
    TestApp::start().await.get("/health").await.is(200, json!({"status": "I am healthy"}));
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/nothing",
        "/api/v1",
        "/api/v1/auth/users/a/b",
        "/health/x",
        "/api/v2/auth/login",
        "/%00",
        "/../etc",
    ] {
        app.get(path).await.is(404, detail("Not Found"));
        app.post(path).json(&json!({})).await.is(404, detail("Not Found"));
    }
}

#[tokio::test]
async fn the_wrong_method_is_405_with_the_right_ones_on_every_route() {
    let app = TestApp::start().await;
    let mut routes = BTreeMap::<String, Vec<Method>>::new();
    for operation in operations(&app).await {
        routes.entry(operation.path).or_default().push(operation.method);
    }
    for (path, mut right) in routes {
        right.sort_by_key(ToString::to_string);
        let path = path.replace("{user_id}", "67a9940edc65a0145ee73980");
        for wrong in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            if right.contains(&wrong) {
                continue;
            }
            let answer = app.call(wrong, &path).await.is(405, detail("Method Not Allowed"));
            let allow = answer.header("allow").unwrap_or_else(|| panic!("{path}: no Allow"));
            let mut allowed: Vec<_> =
                allow.split(',').map(str::trim).filter(|&method| method != "HEAD").collect();
            allowed.sort_unstable();
            let right: Vec<_> = right.iter().map(Method::as_str).collect();
            assert_eq!(allowed, right, "{path}: Allow is {allow}");
        }
    }
}

#[tokio::test]
async fn a_path_that_differs_by_its_last_slash_is_sent_to_the_route_with_its_query() {
    let app = TestApp::start().await;
    for operation in operations(&app).await {
        let route = operation.path_of("67a9940edc65a0145ee73980");
        let other = match route.strip_suffix('/') {
            Some(without) => without.to_owned(),
            None => format!("{route}/"),
        };
        for query in ["", "?page=2&q=a%20b"] {
            let answer = app.call(operation.method.clone(), &format!("{other}{query}")).await.has(307);
            let location = answer.header("location").unwrap();
            // As a client resolves it that knows it under a proxy's prefix, and one that knows it without.
            for prefix in ["", "/accounts"] {
                let asked = Url::parse(&format!("https://proxy.example{prefix}{other}{query}")).unwrap();
                let expected = format!("https://proxy.example{prefix}{route}{query}");
                assert_eq!(asked.join(location).unwrap().as_str(), expected, "{other}{query}: {location}");
            }
        }
    }
}

#[tokio::test]
async fn a_json_body_over_64_kibibytes_is_413_and_nothing_happens() {
    let app = TestApp::start().await;
    let padded = |length: usize| {
        let body = r#"{"email": "ann@example.org", "username": "ann", "password": "x"}"#;
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    app.post("/api/v1/auth/signup").json_text(padded((64 << 10) + 1)).await.refuses(413);
    app.post("/api/v1/auth/signup").json_text(padded(64 << 10)).await.has(201);
}

#[tokio::test]
async fn a_body_whose_chunks_grow_over_64_kibibytes_is_413() {
    let app = TestApp::start().await;
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let request = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(17)
    );
    let answer = raw(app.address(), request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_service_lives_on() {
    let app = TestApp::start().await;
    for request in [
        "GET\r\n\r\n",
        "GET /health HTTP/9.9\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "\u{16}\u{3}\u{1}",
    ] {
        let request = format!("{request}\r\n\r\n");
        let answer = raw(app.address(), request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        assert!(answer.contains("\r\nx-request-id: "), "{request:?}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{request:?}: {answer}");
        assert!(answer.ends_with('}') && answer.contains("\r\n\r\n{\"detail\":\""), "{request:?}: {answer}");
    }
    app.get("/health").await.has(200);
}

#[tokio::test]
async fn a_preflight_allows_every_header_that_the_document_names() {
    let app = Setup::new().set("CORS_ORIGINS", "https://app.example.org").start().await;
    let mut headers = 0;
    for operation in operations(&app).await {
        let parameters = operation.document["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "header") {
            headers += 1;
            let name = parameter["name"].as_str().unwrap();
            let answer = app
                .call(Method::OPTIONS, &operation.path_of("67a9940edc65a0145ee73980"))
                .header("origin", "https://app.example.org")
                .header("access-control-request-method", operation.method.as_str())
                .header("access-control-request-headers", name.to_lowercase())
                .await;
            assert!(matches!(answer.status, 200 | 204), "{} with {name}: {answer:?}", operation.name());
        }
    }
    assert!(headers > 0, "If-None-Match is one");
}

#[tokio::test]
async fn head_is_answered_as_get_is_but_without_the_body() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let mut compared = 0;
    for operation in operations(&app).await {
        let path = operation.path_of(&root.id);
        let [get, head] = [Method::GET, Method::HEAD].map(|method| app.call(method, &path).by(&root));
        let (get, head) = (get.await, head.await);
        if operation.method != Method::GET {
            continue;
        }
        compared += 1;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        // Each has an id and a second of its own.
        let headers = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            headers.remove("date");
            headers
        };
        assert_eq!(headers(&head), headers(&get), "{path}");
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
    }
    assert!(compared > 5, "{compared}");
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own_that_the_log_knows() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for path in ["/health", "/health", "/nothing", "/api/v1/auth/users", "/api/v1/trash"] {
        ids.push(app.get(path).await.header("x-request-id").unwrap().to_owned());
    }
    let mut different = ids.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
    let denied = &ids[3];
    let logged = app.logged(|log| log.lines.iter().any(|line| line.contains(denied)).then_some(())).await;
    assert!(logged.is_some(), "the log does not know {denied}");
}

#[tokio::test]
async fn without_origins_configured_no_browser_may_call_from_elsewhere() {
    let app = TestApp::start().await;
    let answer = app.get("/health").header("origin", "https://app.example.org").await.has(200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_browser_may_call_from_a_configured_origin_and_from_no_other() {
    let origins = "https://app.example.org,http://localhost:3000";
    let app = Setup::new().set("CORS_ORIGINS", origins).start().await;
    for origin in origins.split(',') {
        let answer = app.get("/health").header("origin", origin).await.has(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        let answer = app.get("/api/v1/auth/users").header("origin", origin).await.has(401);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "errors can be read as well");
    }
    for origin in
        ["https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org"]
    {
        let answer = app.get("/health").header("origin", origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
    app.get("/health").await.has(200);
}

#[tokio::test]
async fn a_preflight_names_the_methods_and_headers_that_clients_need() {
    const HEADERS: [&str; 5] =
        ["authorization", "content-type", "if-none-match", "traceparent", "x-request-id"];
    let app = Setup::new().set("CORS_ORIGINS", "https://app.example.org").start().await;
    let preflight = |origin: &str, method: &str| {
        app.call(Method::OPTIONS, "/api/v1/auth/users/67a9940edc65a0145ee73980")
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", HEADERS.join(", "))
    };
    for method in ["GET", "PUT", "DELETE", "POST"] {
        let answer = preflight("https://app.example.org", method).await;
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.org"));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.contains(method), "{methods}");
        let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(HEADERS.iter().all(|header| headers.contains(header)), "{headers}");
    }
    let answer = preflight("https://evil.example", "PUT").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
