//! The HTTP interface: a route parses, calls one use case and answers.
//!
//! Each file imports only what stands further down here:
//!
//! - `routes`: serves the `table`, which is made of the `document` and the endpoints' handlers; `redirect` and `docs` answer
//!   what no endpoint does.
//! - `endpoints`: one file each, with its part of the `OpenAPI` document. `refusals` has the answers that they share there.
//! - `upload` reads a form's file, and `spool` writes it to a temporary one.
//! - `call`: what every endpoint asks of its request; `fields` has what forms are made of.
//! - `middleware`: around every request, with the `headers` of every response. `preflight`: what browsers
//!   ask before they call from elsewhere.
//! - `state` and `limits`: what all requests share, and how much each may send.
//! - `answers`, `page` and `error`: what the domain says, as clients are told it.
//! - `endpoint`: a path, and what may be done there. `client`: which address a request comes from.

mod answers;
mod call;
mod client;
mod docs;
mod document;
mod endpoint;
mod endpoints;
mod error;
mod fields;
mod headers;
mod limits;
mod middleware;
mod page;
mod preflight;
mod redirect;
mod refusals;
mod routes;
mod spool;
mod state;
mod table;
mod upload;

#[cfg(test)]
mod tests;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, Error, web};

use self::table::TABLE;

pub(crate) use self::document::text as document;
pub use self::limits::Limits;
pub(crate) use self::middleware::refuse;
pub use self::state::AppState;

/// The whole application, middleware included: what a server serves.
pub fn app(
    state: &web::Data<AppState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let has_cors = !state.cors_origins.is_empty();
    // The outermost is wrapped last: the id and the access log are of preflights too.
    App::new()
        .app_data(state.clone())
        .configure(routes::configure)
        .wrap(Condition::new(has_cors, cors(&state.cors_origins)))
        .wrap(Condition::new(has_cors, from_fn(preflight::refuse_in_json)))
        .wrap_fn(middleware::observe)
}

fn cors(origins: &[String]) -> Cors {
    let methods = TABLE.iter().flat_map(|endpoint| &endpoint.methods).map(|(method, _)| method.clone());
    let cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            // What tools that trace requests send with each.
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
            headers::REQUEST_ID,
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER, headers::REQUEST_ID])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
