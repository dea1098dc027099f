use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, HeaderValue, IF_NONE_MATCH, TryIntoHeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::TryStreamExt;
use roster_domain::Error;
use roster_domain::use_cases::{ImageReading, ImageVersion, KnownVersions};
use roster_telemetry::failures;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, IdRefusals, UnknownImage};

/// Only the reader's own cache may keep it, and asks before each use: who may read it, or which it is, may have changed. It
/// can't be `no-store` as all else is, since then nobody would have an image to ask about with `If-None-Match`.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The image itself.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) struct ImageFile(Vec<u8>);

/// Read a user's profile image
///
/// For the user and for admins.
#[utoipa::path(
    get,
    path = "/api/v1/auth/users/{user_id}/profile-image",
    tag = "images",
    security(("bearer" = [])),
    params(
        ("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag`s of the images that the caller has"),
    ),
    responses(
        (
            status = 200,
            description = "The image",
            content(
                (ImageFile = "image/jpeg"),
                (ImageFile = "image/png"),
            ),
            headers(("ETag" = String, description = "Names the image's content; absent where another service stored it")),
        ),
        (status = 304, description = "The caller has it already", headers(("ETag" = String, description = "Names the image's content"))),
        CallerRefusals, IdRefusals, UnknownImage, Failures,
    ),
)]
pub(super) async fn read_profile_image(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let user = call.user_id()?;
    let reading = call.roster().read_image(caller, user, &known(call.http())).await?;
    answer(&call, reading)
}

/// The image, or that the caller has it.
pub(super) fn answer(call: &Call, reading: ImageReading) -> Result<HttpResponse, Refusal> {
    let request = call.request();
    let content = match reading {
        ImageReading::Known(version) => return Ok(about(HttpResponse::NotModified(), version)?.finish()),
        ImageReading::Content(content) => content,
    };
    // What is missing then is not made up for: the client sees the connection end before the image does.
    let state = call.state();
    let tell = move |error: &_| failures::tell_of_broken_image(&state.outages, error, request);
    let chunks = content.chunks.inspect_err(tell);
    let mut answer = about(HttpResponse::Ok(), content.version)?;
    answer.insert_header((CONTENT_TYPE, HeaderValue::from_static(content.format.media_type())));
    Ok(match content.length {
        Some(length) => answer.body(SizedStream::new(length, chunks)),
        None => answer.body(BodyStream::new(chunks)),
    })
}

/// An answer about an image of that version.
fn about(
    mut answer: HttpResponseBuilder,
    version: Option<ImageVersion>,
) -> Result<HttpResponseBuilder, Error> {
    if let Some(version) = version {
        let tag = EntityTag::new_strong(version.as_str().to_owned());
        let tag = tag.try_into_value().map_err(|error| Error::Internal(error.into()))?;
        answer.insert_header((ETAG, tag));
    }
    answer.insert_header((CACHE_CONTROL, PRIVATE));
    Ok(answer)
}

/// What the request says that the caller has. Tags are compared weakly (RFC 9110, 13.1.2), so their names are enough; what is
/// no tag names nothing.
pub(super) fn known(request: &HttpRequest) -> KnownVersions {
    let values = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut names = Vec::new();
    for item in values.flat_map(|value| value.split(',')).map(str::trim) {
        if item == "*" {
            return KnownVersions::Any;
        }
        // No tag of ours has a comma.
        names.extend(item.parse().ok().map(|tag: EntityTag| tag.tag().to_owned()));
    }
    KnownVersions::Named(names)
}
