use actix_web::HttpResponse;
use roster_domain::ports::UserQuery;
use roster_domain::values::SearchTerm;

use crate::http::answers::{Page, User};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{CallerRefusals, Failures, QueryRefusals};

/// The most users of a page.
const MAX_PER_PAGE: u64 = 30;

/// List the active users
#[utoipa::path(
    get,
    path = "/api/v1/auth/users",
    tag = "users",
    security(("bearer" = [])),
    params(
        ("q" = Option<String>, Query, description = "A piece of the username, in any case", max_length = 64),
        ("page" = Option<usize>, Query, description = "From 1, which is the default", minimum = 1),
        ("per_page" = Option<usize>, Query, description = "10 by default", minimum = 1, maximum = 30),
    ),
    responses(
        (status = 200, description = "One page of them, oldest first", body = Page<User>),
        CallerRefusals, QueryRefusals, Failures,
    ),
)]
pub(in crate::http) async fn list_users(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let mut fields = call.query();
    let search = fields.optional_text("q", SearchTerm::parse);
    let page = fields.page::<MAX_PER_PAGE>();
    let (Ok(search), Ok(page)) = (search, page) else { return Err(Refusal::Invalid(fields.faults())) };
    let users = call.roster().list_users(caller, UserQuery { search, page }).await?;
    Ok(HttpResponse::Ok().json(Page::<User>::new(&users, page)))
}
