use actix_web::{HttpResponse, web};
use roster_domain::use_cases::UploadTarget;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::image_name;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{Failures, TokenRefusals, UploadRefusals};
use crate::http::upload::receive;

/// A profile image, as JPEG or PNG.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the form is read as it arrives")]
pub(in crate::http) struct ImageForm {
    /// At most 10 MiB; its name ends in `.jpg`, `.jpeg` or `.png`.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    image: Vec<u8>,
}

/// Where the image is now.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct UploadedImage {
    pub(super) message: &'static str,
    /// The image's name, or its address.
    pub(super) filename: String,
}

/// Upload the caller's profile image
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
pub(in crate::http) async fn profile_upload(
    call: Call,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
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
    let upload = receive(call, payload, field).await?;
    if !upload.named_as_image {
        // Told last: a caller who is gone is told that first.
        call.roster().read_user(caller, caller.user_id).await?;
        return Err(Refusal::NotAnImageName);
    }
    let (file, request) = (upload.file, call.request());
    let image = call
        .run_to_end(|roster| async move { roster.upload_image(caller, target, file, request).await })
        .await?;
    Ok(image_name(&image, call.image_addresses()))
}
