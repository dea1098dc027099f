//! Bodies of answers. Keys are in the order of the documented examples.

use std::collections::HashMap;
use std::fmt;

use roster_domain::entities;
use roster_domain::values::{ImageRef, StoreName, Timestamp, UserId, Username};
use roster_fastapi_body::Time;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Why a request was refused.
#[derive(Serialize)]
pub(super) struct Detail<T> {
    pub(super) detail: T,
}

/// Why a request was refused that may be repeated later.
#[derive(Serialize, ToSchema)]
pub(super) struct Limited {
    /// Why, for people.
    pub(super) detail: &'static str,
    /// The kind of refusal, for programs.
    #[schema(example = "rate_limited")]
    pub(super) code: &'static str,
}

/// A taken username, and free ones like it.
#[derive(Serialize, ToSchema)]
pub(super) struct NameTaken<'a> {
    /// Why, for people.
    message: &'a str,
    /// Usernames that nobody has.
    #[schema(min_items = 5, max_items = 5)]
    suggested_usernames: Vec<&'a str>,
}

impl<'a> NameTaken<'a> {
    pub(super) fn new(message: &'a str, suggestions: &'a [Username]) -> Self {
        Self { message, suggested_usernames: suggestions.iter().map(Username::as_str).collect() }
    }
}

/// A live user.
#[derive(Serialize, ToSchema)]
pub(super) struct User<'a> {
    /// The user's id.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    pub(super) id: Text<UserId>,
    /// To log in with.
    pub(super) email: &'a str,
    /// What the user may do.
    #[schema(value_type = RoleName)]
    pub(super) role: &'static str,
    /// Shown to others.
    pub(super) username: &'a str,
    /// When the user signed up, in UTC; `null` where nobody knows.
    #[schema(value_type = Option<String>, required, example = "2025-02-10T11:22:19.096000")]
    pub(super) created_at: Option<Time>,
    /// When the user was last edited, in UTC; `null` where nobody did.
    #[schema(value_type = Option<String>, required, example = "2025-02-10T11:22:19.096000")]
    pub(super) updated_at: Option<Time>,
    /// Always `false`: who is in the trash is not shown.
    pub(super) is_deleted: bool,
    /// The id of who last edited the user.
    #[schema(value_type = Option<String>, required)]
    pub(super) updated_by: Option<Text<UserId>>,
}

impl<'a> From<&'a entities::User> for User<'a> {
    fn from(user: &'a entities::User) -> Self {
        Self {
            id: Text(user.id),
            email: user.email.as_str(),
            role: user.role.as_str(),
            username: user.username.as_str(),
            created_at: user.created_at.map(time),
            updated_at: user.updated_at.map(time),
            is_deleted: false,
            updated_by: user.updated_by.map(Text),
        }
    }
}

/// What a user may do beyond their own account.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; `Role::as_str` is what is answered")]
pub(super) enum RoleName {
    Regular,
    Admin,
}

/// What clients are told of where an image lies: its address where its store has one, else its name.
pub(super) fn image_name(image: &ImageRef, addresses: &HashMap<StoreName, String>) -> String {
    match addresses.get(&image.store) {
        Some(address) => format!("{address}/{}", image.key.as_str()),
        None => image.key.file_name().to_owned(),
    }
}

/// What is answered as its text.
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time as clients are told it.
pub(super) const fn time(at: Timestamp) -> Time {
    Time::from_millis(at.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use roster_domain::values::{Email, ImageFormat, ImageKey, Role};

    fn user() -> entities::User {
        entities::User {
            id: "67a99413dc65a0145ee73981".parse().unwrap(),
            email: Email::from_store("a@b.com".to_owned()),
            username: Username::from_store("skdeues".to_owned()),
            role: Role::Regular,
            created_at: Some(Timestamp::from_millis(1_739_186_539_096)),
            updated_at: None,
            updated_by: None,
            profile_image: None,
        }
    }

    #[test]
    fn a_user_is_answered_as_documented() {
        assert_eq!(
            serde_json::to_string(&User::from(&user())).unwrap(),
            r#"{"id":"67a99413dc65a0145ee73981","email":"a@b.com","role":"regular","username":"skdeues","created_at":"2025-02-10T11:22:19.096000","updated_at":null,"is_deleted":false,"updated_by":null}"#
        );
    }

    #[test]
    fn an_image_is_told_by_its_address_where_its_store_has_one() {
        let key = ImageKey::new(user().id, [7; 16], ImageFormat::Png);
        let store = StoreName::new("s3://faces/a");
        let addresses = HashMap::from([(store.clone(), "https://cdn.example/a".to_owned())]);
        assert_eq!(
            image_name(&ImageRef { store, key: key.clone() }, &addresses),
            "https://cdn.example/a/67a99413dc65a0145ee73981/07070707070707070707070707070707.png"
        );
        let elsewhere = ImageRef { store: StoreName::new("s3://faces"), key };
        assert_eq!(image_name(&elsewhere, &addresses), "07070707070707070707070707070707.png");
    }
}
