//! Sign-up, log-in, refresh.

use serde_json::json;

use super::*;

const SIGN_UP: &str = "/api/v1/auth/signup";
const ADMIN_SIGN_UP: &str = "/api/v1/auth/admin/signup";

fn form(email: &str, username: &str) -> Value {
    json!({ "email": email, "username": username, "password": "secret" })
}

#[actix_web::test]
async fn a_sign_up_is_answered_as_documented() {
    let world = World::new();
    for (path, name) in [(SIGN_UP, "ann"), (ADMIN_SIGN_UP, "ben")] {
        let answer = world.call(post(path).set_json(form(&format!("{name}@example.com"), name))).await;
        assert_eq!(answer.told(), (201, &json!({ "message": "User account created successfully." })));
    }
}

#[actix_web::test]
async fn of_two_taken_names_the_email_is_told_and_a_taken_username_comes_with_five_free_ones() {
    let world = World::new();
    world.user("ann").await;
    let both = world.call(post(SIGN_UP).set_json(form("ANN@example.com", "Ann"))).await;
    assert_eq!(both.told(), (409, &json!({ "detail": "User already exists with this email" })));

    let username = world.call(post(SIGN_UP).set_json(form("other@example.com", "ann"))).await;
    assert_eq!(username.status, 409);
    assert_eq!(username.body["detail"]["message"], "User already exists with this username");
    assert_eq!(username.body["detail"]["suggested_usernames"].as_array().unwrap().len(), 5);
}

#[actix_web::test]
async fn a_closed_admin_sign_up_asks_for_a_token_before_it_looks_at_the_body() {
    let world = World::with_admin_sign_up(AdminSignUp::Closed);
    let user = world.user("ann").await;

    let answer = world.call(post(ADMIN_SIGN_UP).set_json(json!({}))).await;
    assert_eq!(answer.told(), (401, &json!({ "detail": "Not a valid token " })));
    assert_eq!(answer.header("www-authenticate"), "Bearer");

    assert_eq!(world.call(user.send(post(ADMIN_SIGN_UP).set_json(json!({})))).await.status, 422);
    let answer = world.call(user.send(post(ADMIN_SIGN_UP).set_json(form("b@example.com", "ben")))).await;
    assert_eq!(answer.told(), (403, &json!({ "detail": "You don't have access to perform this action" })));
}

#[actix_web::test]
async fn a_log_in_gives_two_tokens_and_the_refresh_token_gives_another_access_token() {
    let world = World::new();
    world.user("ann").await;
    let login = json!({ "email": "ann@example.com", "password": "secret" });
    let tokens = world.call(post("/api/v1/auth/login").set_json(login)).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.body.as_object().unwrap().len(), 2);

    let refresh = json!({ "refresh_token": tokens.body["refresh_token"] });
    let fresh = world.call(post("/api/v1/refresh/").set_json(refresh)).await;
    assert_eq!((fresh.status, fresh.body.as_object().unwrap().len()), (200, 1));
    assert_ne!(fresh.body["access_token"], tokens.body["access_token"]);

    let wrong_kind = json!({ "refresh_token": tokens.body["access_token"] });
    let refused = world.call(post("/api/v1/refresh/").set_json(wrong_kind)).await;
    assert_eq!(refused.told(), (401, &json!({ "detail": "Not a valid refresh token" })));
}

#[actix_web::test]
async fn wrong_credentials_are_told_alike() {
    let world = World::new();
    world.user("ann").await;
    for (email, password) in [("ann@example.com", "wrong"), ("nobody@example.com", "secret")] {
        let login = json!({ "email": email, "password": password });
        let answer = world.call(post("/api/v1/auth/login").set_json(login)).await;
        assert_eq!(answer.told(), (401, &json!({ "detail": "Incorrect email or password" })));
    }
}
