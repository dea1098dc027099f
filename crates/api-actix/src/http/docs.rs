//! Where the document is read: as JSON, and in Swagger UI to try it with.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use actix_web::body::{MessageBody, SizedStream};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use roster_domain::Error;
use utoipa_swagger_ui::Config;

use super::document::text;
use super::endpoint::MakeRoute;
use super::error::Refusal;

/// The paths, which the document itself doesn't have.
pub(super) const ROUTES: [(&str, MakeRoute); 3] = [
    ("/openapi.json", || web::to(document)),
    ("/docs/", || web::to(swagger_ui)),
    ("/docs/{file}", || web::to(swagger_ui)),
];

/// How many bytes of a file are answered at once.
const PIECE: usize = 16 * 1024;

/// Answers the document.
async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(text())
}

/// Answers a file of Swagger UI.
async fn swagger_ui(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        // A token outlives a reload, in the browser's own store.
        LazyLock::new(|| Arc::new(Config::from("../openapi.json").persist_authorization(true)));

    let file = utoipa_swagger_ui::serve(request.match_info().query("file"), Arc::clone(&CONFIG))
        .map_err(|error| Error::Internal(error.to_string().into()))?
        .ok_or(Refusal::UnknownPath)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, file.content_type));
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    Ok(response.body(in_pieces(file.bytes)))
}

/// A file piece by piece: what a client does not read of it is not copied for it either.
fn in_pieces(file: Cow<'static, [u8]>) -> impl MessageBody {
    let file = match file {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let length = file.len();
    let pieces = (0..length).step_by(PIECE).map(move |at| file.slice(at..length.min(at + PIECE)));
    SizedStream::new(length as u64, stream::iter(pieces.map(Ok::<_, Infallible>)))
}
