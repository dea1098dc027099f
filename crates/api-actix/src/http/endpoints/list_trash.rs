use actix_web::HttpResponse;
use roster_domain::values::{PageNumber, PageRequest, PerPage};
use roster_fastapi_body::form;

use crate::http::answers::TrashEntry;
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
