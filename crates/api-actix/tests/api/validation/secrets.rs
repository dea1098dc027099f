//! No secret comes back, whatever its name.

use serde_json::json;

use super::SIGN_UP;
use crate::harness::TestApp;

#[tokio::test]
async fn no_secret_is_ever_echoed() {
    const SECRET: &str = "hunter22";
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let bodies = [
        json!({"password": SECRET}),
        json!({"password": [SECRET]}),
        json!({"password": {"$gt": SECRET}}),
        json!({"email": "x", "username": "", "password": SECRET}),
        json!({"password": SECRET.repeat(1000)}),
        json!({"refresh_token": {"nested": SECRET}}),
        json!({"refresh_token": [SECRET]}),
        json!({"refresh_token": SECRET, "password": SECRET}),
        json!([{"password": SECRET}]),
        json!(SECRET),
        // Under other names, and wherever an object stands.
        json!({"Email": "ann@example.org", "Password": SECRET}),
        json!({"refreshToken": SECRET, "PASSWORD": SECRET, "pass": SECRET}),
        json!({"email": {"Password": SECRET}, "username": [{"pwd": SECRET}], "ids": {"refreshToken": SECRET}}),
        json!({"ids": [{"Password": SECRET}, [{"email": {"password ": SECRET}}]], "reason": {"reason": {"x": SECRET}}}),
        json!([{"Password": SECRET}]),
    ];
    for path in [SIGN_UP, "/api/v1/auth/admin/signup", "/api/v1/auth/login", "/api/v1/refresh/"] {
        for body in &bodies {
            let answer = app.post(path).json(body).await;
            assert!(!answer.text().contains(SECRET), "{path} {body}: {}", answer.text());
        }
    }
    for body in &bodies {
        for call in [app.put(&ann.path()), app.post("/api/v1/trash/bulk-delete")] {
            let answer = call.by(&ann).json(body).await;
            assert!(!answer.text().contains(SECRET), "{body}: {}", answer.text());
        }
    }
}
