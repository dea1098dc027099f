//! The endpoints, one file each: what is read, which use case is called, what is answered, and its part of the
//! `OpenAPI` document.

pub(super) mod admin_sign_up;
pub(super) mod bulk_delete;
pub(super) mod delete_profile_image;
pub(super) mod delete_user;
pub(super) mod edit_user;
pub(super) mod health;
pub(super) mod list_trash;
pub(super) mod list_users;
pub(super) mod live;
pub(super) mod log_in;
pub(super) mod profile_upload;
pub(super) mod profile_upload_s3;
pub(super) mod purge_user;
pub(super) mod read_profile_image;
pub(super) mod read_public_image;
pub(super) mod read_user;
pub(super) mod ready;
pub(super) mod refresh;
pub(super) mod restore_user;
pub(super) mod sign_up;
