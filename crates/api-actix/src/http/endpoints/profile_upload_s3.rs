use actix_web::{HttpResponse, web};
use roster_domain::use_cases::UploadTarget;
use utoipa::ToSchema;

use super::profile_upload::{UploadedImage, upload};
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{Failures, TokenRefusals, UploadRefusals};

/// A profile image, as JPEG or PNG.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the form is read as it arrives")]
struct FileForm {
    /// At most 10 MiB. Its name ends in `.jpg`, `.jpeg`, `.jfif` or `.png`, or has no known extension.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Upload the caller's profile image to S3
///
/// As `/api/v1/profile-upload/` does, but to the bucket that the operator set.
#[utoipa::path(
    post,
    path = "/api/v1/profile-upload-s3/",
    tag = "images",
    security(("bearer" = [])),
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Stored", body = UploadedImage),
        TokenRefusals, UploadRefusals, Failures,
    ),
)]
pub(super) async fn profile_upload_s3(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let filename = upload(&call, payload, "file", UploadTarget::S3).await?;
    Ok(HttpResponse::Ok().json(UploadedImage { message: "Image uploaded successfully!", filename }))
}
