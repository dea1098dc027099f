use reqwest::Method;
use serde_json::{Value, json};

use super::{Call, TestApp, jpeg};

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Anyone,
    /// Anyone or admins, as `ADMIN_SIGNUP` says.
    ByPolicy,
    AnyUser,
    /// The user whom the path names, and admins.
    OwnerOrAdmin,
    Admin,
}

/// Every operation that there is, and who may use it. One that stands in the served document and not here fails the tests.
const OPERATIONS: &[(&str, &str, Who)] = &[
    ("GET", "/health", Who::Anyone),
    ("GET", "/health/live", Who::Anyone),
    ("GET", "/health/ready", Who::Anyone),
    ("POST", "/api/v1/auth/signup", Who::Anyone),
    ("POST", "/api/v1/auth/admin/signup", Who::ByPolicy),
    ("POST", "/api/v1/auth/login", Who::Anyone),
    ("POST", "/api/v1/refresh/", Who::Anyone),
    ("GET", "/api/v1/auth/users", Who::Admin),
    ("GET", "/api/v1/auth/users/{user_id}", Who::OwnerOrAdmin),
    ("PUT", "/api/v1/auth/users/{user_id}", Who::OwnerOrAdmin),
    ("DELETE", "/api/v1/auth/users/{user_id}", Who::OwnerOrAdmin),
    ("GET", "/api/v1/auth/users/{user_id}/profile-image", Who::OwnerOrAdmin),
    ("DELETE", "/api/v1/auth/users/{user_id}/profile-image", Who::OwnerOrAdmin),
    ("GET", "/api/v1/profile-images/{owner}/{name}", Who::Anyone),
    ("GET", "/api/v1/trash/", Who::Admin),
    ("POST", "/api/v1/trash/bulk-delete", Who::Admin),
    ("PUT", "/api/v1/trash/restore/{user_id}", Who::Admin),
    ("DELETE", "/api/v1/trash/permanent/delete/{user_id}", Who::Admin),
    ("POST", "/api/v1/profile-upload/", Who::AnyUser),
    ("POST", "/api/v1/profile-upload-s3/", Who::AnyUser),
];

/// An operation of the served document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) who: Who,
    /// What the document says of it.
    pub(crate) document: Value,
}

/// All operations, as the served document has them.
pub(crate) async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = app.get("/openapi.json").await.has(200).json();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("a document has paths") {
        for (method, operation) in item.as_object().expect("a path has operations") {
            let method = method.to_uppercase();
            let known = OPERATIONS.iter().find(|known| known.0 == method && known.1 == path);
            let Some((_, _, who)) = known else {
                panic!(
                    "{method} {path} is new: say in OPERATIONS who may use it, and how it is called below"
                );
            };
            found.push(Operation {
                method: method.parse().expect("a method"),
                path: path.clone(),
                who: *who,
                document: operation.clone(),
            });
        }
    }
    assert_eq!(found.len(), OPERATIONS.len(), "an operation is not documented; these are: {found:?}");
    found
}

impl Operation {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether its path names a user.
    pub(crate) fn names_a_user(&self) -> bool {
        self.path.contains("{user_id}")
    }

    /// The path, with this for the id of the user or of the image's owner.
    pub(crate) fn path_of(&self, user_id: &str) -> String {
        let path = self.path.replace("{user_id}", user_id).replace("{owner}", user_id);
        path.replace("{name}", "0123456789abcdef0123456789abcdef.png")
    }

    /// A request that is right in every respect but, perhaps, the caller and whom it names.
    pub(crate) fn call(&self, app: &TestApp, user_id: &str) -> Call {
        let path = self.path_of(user_id);
        let call = |path: &str| app.call(self.method.clone(), path);
        let sign_up = json!({"email": "new@example.org", "username": "new", "password": "new"});
        match (self.method.as_str(), self.path.as_str()) {
            ("POST", "/api/v1/auth/signup" | "/api/v1/auth/admin/signup") => call(&path).json(&sign_up),
            ("POST", "/api/v1/auth/login") => {
                call(&path).json(&json!({"email": "a@example.org", "password": "x"}))
            }
            ("POST", "/api/v1/refresh/") => call(&path).json(&json!({"refresh_token": "x"})),
            ("PUT", "/api/v1/auth/users/{user_id}") => call(&path).json(&json!({"username": "renamed"})),
            ("DELETE", "/api/v1/auth/users/{user_id}") => call(&format!("{path}?reason=test")),
            ("POST", "/api/v1/trash/bulk-delete") => {
                call(&path).json(&json!({"ids": [user_id], "reason": "test"}))
            }
            ("POST", "/api/v1/profile-upload/") => call(&path).file("image", "me.jpg", &jpeg()),
            ("POST", "/api/v1/profile-upload-s3/") => call(&path).file("file", "me.jpg", &jpeg()),
            _ => call(&path),
        }
    }
}
