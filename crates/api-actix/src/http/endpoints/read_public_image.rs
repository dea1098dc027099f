use actix_web::HttpResponse;
use roster_domain::Error;
use roster_domain::values::ImageKey;

use super::read_profile_image::{ImageFile, answer, known};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{Failures, UnknownAddress};

/// Read an image in S3 by its address, where images are public
///
/// Without a token. The operator's setting `PUBLIC_IMAGES` says whether images are public.
#[utoipa::path(
    get,
    path = "/api/v1/profile-images/{owner}/{name}",
    tag = "images",
    params(
        ("owner" = String, Path, description = "The id of the user whose image it is", pattern = "^[0-9a-f]{24}$"),
        ("name" = String, Path, description = "The image's name", pattern = "^[0-9a-f]{32}[.](jpg|png)$"),
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
            headers(("ETag" = String, description = "Names the image's content")),
        ),
        (status = 304, description = "The caller has it already", headers(("ETag" = String, description = "Names the image's content"))),
        UnknownAddress, Failures,
    ),
)]
pub(super) async fn read_public_image(call: Call) -> Result<HttpResponse, Refusal> {
    let path = call.http().match_info();
    let key = format!("{}/{}", path.query("owner"), path.query("name"));
    let key = ImageKey::parse(&key).map_err(|_| Error::NoImage)?;
    let reading = call.roster().read_public_image(&key, &known(call.http())).await?;
    answer(&call, reading)
}
