//! The endpoints, one file each: what is read, which use case is called, what is answered, and its part of the `OpenAPI`
//! document, from which the table of routes takes method and path. A file's handler is called as the file is.

mod admin_sign_up;
mod bulk_delete;
mod delete_profile_image;
mod delete_user;
mod edit_user;
mod health;
mod list_trash;
mod list_users;
mod live;
mod log_in;
mod profile_upload;
mod profile_upload_s3;
mod purge_user;
mod read_profile_image;
mod read_public_image;
mod read_user;
mod ready;
mod refresh;
mod restore_user;
mod sign_up;

use actix_web::web;
use utoipa::OpenApi;

use super::endpoint::MakeRoute;

/// Takes up all endpoints: their parts of the document, and their handlers by name.
macro_rules! endpoints {
    ($($name:ident),+ $(,)?) => {
        /// The endpoints' parts of the document.
        #[derive(OpenApi)]
        #[openapi(paths($($name::$name),+))]
        pub(super) struct Endpoints;

        /// The handlers by their names, which are the ids of their operations in the document.
        pub(super) const HANDLERS: &[(&str, MakeRoute)] = &[$((stringify!($name), || web::to($name::$name))),+];
    };
}

endpoints! {
    admin_sign_up,
    bulk_delete,
    delete_profile_image,
    delete_user,
    edit_user,
    health,
    list_trash,
    list_users,
    live,
    log_in,
    profile_upload,
    profile_upload_s3,
    purge_user,
    read_profile_image,
    read_public_image,
    read_user,
    ready,
    refresh,
    restore_user,
    sign_up,
}
