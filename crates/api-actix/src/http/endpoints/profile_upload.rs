use actix_web::{HttpResponse, web};
use roster_domain::Error;
use roster_domain::use_cases::UploadTarget;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::image_name;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{Failures, TokenRefusals, UploadRefusals};
use crate::http::upload::{Upload, not_a_file, receive};

/// A profile image, as JPEG or PNG.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the form is read as it arrives")]
struct ImageForm {
    /// At most 10 MiB. Its name ends in `.jpg`, `.jpeg`, `.jfif` or `.png`, or has no known extension.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    image: Vec<u8>,
}

/// Where the image is now.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadedImage {
    /// That it was stored.
    pub(super) message: &'static str,
    /// The image's name, or its address.
    pub(super) filename: String,
}

/// Upload the caller's profile image
///
/// What is stored is a new JPEG or PNG of the picture: upright, at most 1024 pixels a side, without metadata.
#[utoipa::path(
    post,
    path = "/api/v1/profile-upload/",
    tag = "images",
    security(("bearer" = [])),
    request_body(content = ImageForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Stored", body = UploadedImage),
        TokenRefusals, UploadRefusals, Failures,
    ),
)]
pub(super) async fn profile_upload(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let filename = upload(&call, payload, "image", UploadTarget::Default).await?;
    Ok(HttpResponse::Ok().json(UploadedImage { message: "File uploaded successfully!", filename }))
}

/// Makes the file in that field the caller's profile image, in that store, and answers its name or address.
pub(super) async fn upload(
    call: &Call,
    payload: web::Payload,
    field: &'static str,
    target: UploadTarget,
) -> Result<String, Refusal> {
    let caller = call.caller()?;
    call.roster().admit_upload(caller, target).await?;
    let Upload { file, has_name } = receive(call, payload, field, call.spool_share(caller.user_id)).await?;
    let request = call.request();
    let uploaded = call
        .run_to_end(|roster| async move { roster.upload_image(caller, target, file, request).await })
        .await;
    match uploaded {
        Ok(image) => Ok(image_name(&image, call.image_addresses())),
        // Some call an image nothing, and text is never called anything.
        Err(Refusal::Domain(Error::UnknownImageFormat)) if !has_name => Err(not_a_file(field)),
        Err(refusal) => Err(refusal),
    }
}
