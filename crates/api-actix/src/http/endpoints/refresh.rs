use actix_web::{HttpResponse, web};
use roster_domain::values::RefreshToken;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{BodyRefusals, CredentialRefusals, Failures};
use crate::http::validation::{BodyFields, Problem};

/// Whose access token has ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the body is read field by field")]
pub(in crate::http) struct RefreshForm {
    refresh_token: String,
}

/// A new access token.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct FreshToken<'a> {
    /// For the next half hour.
    access_token: &'a str,
}

/// Exchange a refresh token for a new access token
#[utoipa::path(
    post,
    path = "/api/v1/refresh/",
    tag = "tokens",
    request_body = RefreshForm,
    responses(
        (status = 200, description = "Refreshed", body = FreshToken),
        CredentialRefusals, BodyRefusals, Failures,
    ),
)]
pub(in crate::http) async fn refresh(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let body = call.body(payload).await?;
    let mut fields = BodyFields::new(&body);
    let token = fields.text("refresh_token", |text| Ok::<_, Problem>(RefreshToken::new(text.to_owned())));
    let Ok(token) = token else { return Err(Refusal::Invalid(fields.faults())) };
    let access = call.roster().refresh(token, call.request()).await?;
    Ok(HttpResponse::Ok().json(FreshToken { access_token: access.expose() }))
}
