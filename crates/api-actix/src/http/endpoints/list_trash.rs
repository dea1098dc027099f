use actix_web::HttpResponse;
use roster_domain::entities;
use roster_domain::values::{PageNumber, PageRequest, PerPage, TrashEntryId, UserId};
use roster_fastapi_body::{Time, form};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::{Text, time};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{PAGE, per_page};
use crate::http::page::Page;
use crate::http::refusals::{CallerRefusals, Failures, QueryRefusals};

/// The most entries of a page.
const MAX_PER_PAGE: u64 = 20;

form! {
    /// Which page of the trash.
    struct TrashQuery {
        /// From 1, which is the default
        page: PageNumber = PAGE,
        /// 10 by default
        per_page: PerPage<MAX_PER_PAGE> = per_page::<MAX_PER_PAGE>(),
    }
}

/// A user's stay in the trash.
#[derive(Serialize, ToSchema)]
struct TrashEntry {
    /// The entry's id.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    id: Text<TrashEntryId>,
    /// The id of the user in the trash.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    user_id: Text<UserId>,
    /// The id of who put the user there.
    #[schema(value_type = String, pattern = "^[0-9a-f]{24}$")]
    deleted_by: Text<UserId>,
    /// When, in UTC.
    #[schema(value_type = String, example = "2025-02-14T17:10:37.046000")]
    deleted_at: Time,
}

impl From<&entities::TrashEntry> for TrashEntry {
    fn from(entry: &entities::TrashEntry) -> Self {
        Self {
            id: Text(entry.id),
            user_id: Text(entry.user_id),
            deleted_by: Text(entry.deleted_by),
            deleted_at: time(entry.deleted_at),
        }
    }
}

/// Under this name the document has it.
type TrashEntryPage = Page<TrashEntry>;

/// List the trash
///
/// For admins.
#[utoipa::path(
    get,
    path = "/api/v1/trash/",
    tag = "trash",
    security(("bearer" = [])),
    params(TrashQuery),
    responses(
        (status = 200, description = "One page of it, oldest deletion first", body = TrashEntryPage),
        CallerRefusals, QueryRefusals, Failures,
    ),
)]
pub(super) async fn list_trash(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let TrashQuery { page, per_page } = call.query()?;
    let page = PageRequest::new(page, per_page);
    let entries = call.roster().list_trash(caller, page).await?;
    Ok(HttpResponse::Ok().json(TrashEntryPage::new(&entries, page)))
}
