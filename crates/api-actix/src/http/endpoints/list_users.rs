use actix_web::HttpResponse;
use roster_domain::ports::UserQuery;
use roster_domain::values::{PageNumber, PageRequest, PerPage, SearchTerm};
use roster_fastapi_body::{form, optional};

use crate::http::answers::User;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{PAGE, SEARCH, per_page};
use crate::http::page::Page;
use crate::http::refusals::{CallerRefusals, Failures, QueryRefusals};

/// The most users of a page.
const MAX_PER_PAGE: u64 = 30;

form! {
    /// Which users.
    struct UsersQuery {
        /// A piece of the username, in any case
        q: Option<Option<SearchTerm>> = optional(SEARCH),
        /// From 1, which is the default
        page: PageNumber = PAGE,
        /// 10 by default
        per_page: PerPage<MAX_PER_PAGE> = per_page::<MAX_PER_PAGE>(),
    }
}

/// Under this name the document has it.
type UserPage<'a> = Page<User<'a>>;

/// List the active users
///
/// For admins. Users in the trash are not in the list.
#[utoipa::path(
    get,
    path = "/api/v1/auth/users",
    tag = "users",
    security(("bearer" = [])),
    params(UsersQuery),
    responses(
        (status = 200, description = "One page of them, oldest first", body = UserPage),
        CallerRefusals, QueryRefusals, Failures,
    ),
)]
pub(super) async fn list_users(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let UsersQuery { q, page, per_page } = call.query()?;
    let (search, page) = (q.flatten(), PageRequest::new(page, per_page));
    let users = call.roster().list_users(caller, UserQuery { search, page }).await?;
    Ok(HttpResponse::Ok().json(UserPage::new(&users, page)))
}
