use actix_web::HttpResponse;

use crate::http::answers::{Page, TrashEntry};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{CallerRefusals, Failures, QueryRefusals};

/// The most entries of a page.
const MAX_PER_PAGE: u64 = 20;

/// List the trash
#[utoipa::path(
    get,
    path = "/api/v1/trash/",
    tag = "trash",
    security(("bearer" = [])),
    params(
        ("page" = Option<usize>, Query, description = "From 1, which is the default", minimum = 1),
        ("per_page" = Option<usize>, Query, description = "10 by default", minimum = 1, maximum = 20),
    ),
    responses(
        (status = 200, description = "One page of it, oldest deletion first", body = Page<TrashEntry>),
        CallerRefusals, QueryRefusals, Failures,
    ),
)]
pub(in crate::http) async fn list_trash(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let mut fields = call.query();
    let Ok(page) = fields.page::<MAX_PER_PAGE>() else { return Err(Refusal::Invalid(fields.faults())) };
    let entries = call.roster().list_trash(caller, page).await?;
    Ok(HttpResponse::Ok().json(Page::<TrashEntry>::new(&entries, page)))
}
