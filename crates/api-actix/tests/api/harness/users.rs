use serde_json::{Value, json};

use super::tokens::claims_of;
use super::{Answer, Call, TestApp};

/// The two tokens of a log-in.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Somebody who signed up and logged in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl User {
    /// The path of this user.
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/auth/users/{}", self.id)
    }

    /// The path of this user's soft delete.
    pub(crate) fn delete_path(&self) -> String {
        format!("{}?reason=test", self.path())
    }

    pub(crate) fn restore_path(&self) -> String {
        format!("/api/v1/trash/restore/{}", self.id)
    }

    pub(crate) fn purge_path(&self) -> String {
        format!("/api/v1/trash/permanent/delete/{}", self.id)
    }
}

/// What a sign-up with this name sends.
pub(crate) fn sign_up_body(name: &str) -> Value {
    json!({
        "email": format!("{name}@example.org"),
        "username": name,
        "password": format!("the password of {name}"),
    })
}

impl TestApp {
    /// A request to sign up.
    pub(crate) fn sign_up_call(&self, body: &Value) -> Call {
        self.post("/api/v1/auth/signup").json(body)
    }

    /// Signs up a regular user with this name and logs in.
    pub(crate) async fn sign_up(&self, name: &str) -> User {
        self.sign_up_call(&sign_up_body(name)).await.has(201);
        self.enter(&sign_up_body(name)).await
    }

    /// Signs up an admin called `root` and logs in.
    pub(crate) async fn admin(&self) -> User {
        self.admin_called("root").await
    }

    pub(crate) async fn admin_called(&self, name: &str) -> User {
        self.post("/api/v1/auth/admin/signup").json(&sign_up_body(name)).await.has(201);
        self.enter(&sign_up_body(name)).await
    }

    /// Logs in who signed up with this body.
    pub(crate) async fn enter(&self, body: &Value) -> User {
        let text = |field: &str| body[field].as_str().expect("a text").to_owned();
        let (email, password) = (text("email"), text("password"));
        let tokens = self.log_in(&email, &password).await;
        let id = claims_of(&tokens.access)["user_id"].as_str().expect("a token names its user").to_owned();
        User {
            id,
            username: text("username"),
            email,
            password,
            access: tokens.access,
            refresh: tokens.refresh,
        }
    }

    /// Logs in, which must succeed.
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Tokens {
        let answer = self.try_log_in(email, password).await.has(200);
        let body = answer.json();
        let token = |name: &str| body[name].as_str().expect("a token").to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token") }
    }

    pub(crate) async fn try_log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/api/v1/auth/login").json(&json!({"email": email, "password": password})).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/v1/refresh/").json(&json!({"refresh_token": token})).await
    }

    /// Whether an access token of this user is taken.
    pub(crate) async fn takes(&self, token: &str, user_id: &str) -> bool {
        let answer = self.get(&format!("/api/v1/auth/users/{user_id}")).bearer(token).await;
        match answer.status {
            200 => true,
            401 => false,
            other => panic!("{other}: {}", answer.text()),
        }
    }

    /// Puts users into the trash, as this admin.
    pub(crate) async fn trash(&self, admin: &User, users: &[&User]) {
        for user in users {
            self.delete(&user.delete_path()).by(admin).await.has(204);
        }
    }
}
