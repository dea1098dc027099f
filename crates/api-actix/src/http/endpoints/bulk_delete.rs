use actix_web::{HttpResponse, web};
use roster_domain::values::{Reason, UserId};
use roster_fastapi_body::{form, list};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::Text;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{ID, REASON};
use crate::http::refusals::{BodyRefusals, CallerRefusals, Failures, IdsRefusals};

/// The most ids of one deletion.
const MAX_IDS: usize = 1000;

form! {
    /// Who is to be deleted, and why.
    struct BulkDeletionForm {
        /// Ids of users.
        ids: Vec<Option<UserId>> = list(ID, MAX_IDS).at_least(1),
        /// Why, for the log.
        reason: Reason = REASON,
    }
}

/// A user's id.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9a-f]{24}$")]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
struct Id(String);

/// What became of each id.
#[derive(Serialize, ToSchema)]
struct BulkDeletion {
    /// In the trash before, unknown, or mentioned before.
    #[schema(value_type = Vec<Id>)]
    alredy_deleted_user: Vec<Text<UserId>>,
    /// In the trash from now on.
    #[schema(value_type = Vec<Id>)]
    deleted_now: Vec<Text<UserId>>,
}

/// Put many users into the trash
///
/// For admins. Each id is dealt with by itself, in the order in which they are given.
#[utoipa::path(
    post,
    path = "/api/v1/trash/bulk-delete",
    tag = "trash",
    security(("bearer" = [])),
    request_body = BulkDeletionForm,
    responses(
        (status = 200, description = "What became of each", body = BulkDeletion),
        CallerRefusals, BodyRefusals, IdsRefusals, Failures,
    ),
)]
pub(super) async fn bulk_delete(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let BulkDeletionForm { ids, reason } = call.body(payload).await?;
    let ids = ids.into_iter().collect::<Option<Vec<_>>>().ok_or(Refusal::NotAnId)?;

    let (none, request) = (ids.is_empty(), call.request());
    let done = call
        .run_to_end(|roster| async move { roster.bulk_delete(caller, ids, reason, request).await })
        .await?;
    if none {
        // Told last: who may not delete is told that first.
        return Err(Refusal::NoIds);
    }
    Ok(HttpResponse::Ok().json(BulkDeletion {
        alredy_deleted_user: done.already_deleted.into_iter().map(Text).collect(),
        deleted_now: done.deleted_now.into_iter().map(Text).collect(),
    }))
}
