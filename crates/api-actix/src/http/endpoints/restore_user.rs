use std::collections::HashMap;

use actix_web::HttpResponse;
use roster_domain::entities;
use roster_domain::values::{ProfileImage, StoreName, UserId};
use roster_fastapi_body::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::{RoleName, Text, User, image_name};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, TrashRefusals, UnknownUser};

/// A user who came back from the trash.
#[derive(Serialize, ToSchema)]
struct RestoredUser<'a> {
    /// The user's id.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    id: Text<UserId>,
    /// To log in with.
    email: &'a str,
    /// What the user may do.
    #[schema(value_type = RoleName)]
    role: &'static str,
    /// Shown to others.
    username: &'a str,
    /// When the user signed up, in UTC; `null` where nobody knows.
    #[schema(value_type = Option<String>, required, example = "2025-02-10T11:22:19.096000")]
    created_at: Option<Time>,
    /// When the user was last edited, in UTC; `null` where nobody did.
    #[schema(value_type = Option<String>, required, example = "2025-02-10T11:22:19.096000")]
    updated_at: Option<Time>,
    /// Always `false`: who is in the trash is not shown.
    is_deleted: bool,
    /// The id of who last edited the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    updated_by: Option<Text<UserId>>,
    /// The image's name or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    profile_image: Option<String>,
}

impl<'a> RestoredUser<'a> {
    fn new(user: &'a entities::User, addresses: &HashMap<StoreName, String>) -> Self {
        let User { id, email, role, username, created_at, updated_at, is_deleted, updated_by } = user.into();
        let profile_image = user.profile_image.as_ref().map(|image| match image {
            ProfileImage::Stored(own) => image_name(&own.image, addresses),
            ProfileImage::Original(image) => image.as_str().to_owned(),
        });
        Self { id, email, role, username, created_at, updated_at, is_deleted, updated_by, profile_image }
    }
}

/// Bring a user back from the trash
///
/// For admins. Everything is as it was, but the user has to log in anew.
#[utoipa::path(
    put,
    path = "/api/v1/trash/restore/{user_id}",
    tag = "trash",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    responses(
        (status = 200, description = "The user", body = RestoredUser),
        CallerRefusals, TrashRefusals, UnknownUser, Failures,
    ),
)]
pub(super) async fn restore_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let (user, request) = (call.user_id()?, call.request());
    let user =
        call.run_to_end(|roster| async move { roster.restore_user(caller, user, request).await }).await?;
    Ok(HttpResponse::Ok().json(RestoredUser::new(&user, call.image_addresses())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roster_domain::values::{Email, ImageFormat, ImageKey, ImageRef, OriginalImage, Role, Username};

    #[test]
    fn a_restored_user_has_image_and_editor_only_where_there_are_some() {
        let mut user = entities::User {
            id: "67a99413dc65a0145ee73981".parse().unwrap(),
            email: Email::from_store("a@b.com".to_owned()),
            username: Username::from_store("skdeues".to_owned()),
            role: Role::Regular,
            created_at: None,
            updated_at: None,
            updated_by: None,
            profile_image: None,
        };
        let answer = serde_json::to_value(RestoredUser::new(&user, &HashMap::new())).unwrap();
        assert_eq!((answer.get("updated_by"), answer.get("profile_image")), (None, None));

        let key = ImageKey::new(user.id, [7; 16], ImageFormat::Png);
        user.updated_by = Some(user.id);
        user.profile_image = Some(ImageRef { store: StoreName::new("file"), key }.into());
        let answer = serde_json::to_value(RestoredUser::new(&user, &HashMap::new())).unwrap();
        assert_eq!(answer["updated_by"], "67a99413dc65a0145ee73981");
        assert_eq!(answer["profile_image"], "07070707070707070707070707070707.png");

        user.profile_image = Some(OriginalImage::from_store("me_16adcd34.jpg".to_owned()).into());
        let answer = serde_json::to_value(RestoredUser::new(&user, &HashMap::new())).unwrap();
        assert_eq!(answer["profile_image"], "me_16adcd34.jpg");
    }
}
