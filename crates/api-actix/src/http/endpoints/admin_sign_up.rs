use actix_web::{HttpResponse, web};

use super::sign_up::{Message, SignUpForm, create};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{BodyRefusals, CallerRefusals, Failures, LimitRefusals, SignUpConflicts};

/// Create an admin
///
/// Whether it takes an admin's token is the operator's setting `ADMIN_SIGNUP`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/admin/signup",
    tag = "accounts",
    security((), ("bearer" = [])),
    request_body = SignUpForm,
    responses(
        (status = 201, description = "Created", body = Message),
        CallerRefusals, SignUpConflicts, BodyRefusals, LimitRefusals, Failures,
    ),
)]
pub(super) async fn admin_sign_up(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let caller = call.roster().admin_sign_up_caller(call.token().as_ref())?;
    if let Some(claims) = caller {
        call.note_caller(claims);
    }
    let form: SignUpForm = call.body(payload).await?;
    let prepared = call.roster().prepare_admin_sign_up(caller, form.into(), call.request()).await?;
    create(&call, prepared).await
}
