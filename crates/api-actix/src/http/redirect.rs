use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse};

use super::error::Refusal;
use super::table;

/// Answers what no route has: 307 where a slash at its end is all that keeps a route from having it, else 404.
pub(super) async fn unknown_path(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    // What routes are compared with is decoded; the client is sent where it meant to go, in its own spelling.
    if !table::exists(&with_slash_toggled(request.match_info().as_str())) {
        return Err(Refusal::UnknownPath);
    }
    let mut target = sibling(request.uri().path());
    if let Some(query) = request.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    Ok(HttpResponse::TemporaryRedirect().insert_header((LOCATION, target)).finish())
}

/// The path with its last slash toggled, relative to itself (RFC 9110, 10.2.2): a proxy may have taken a prefix away, of
/// which only the client knows.
fn sibling(path: &str) -> String {
    let (up, down) = if path.ends_with('/') { ("../", "") } else { ("./", "/") };
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("{up}{name}{down}")
}

fn with_slash_toggled(path: &str) -> String {
    path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned)
}
