//! The answers that endpoints share, as the document has them: why a request is refused, and what failed.

#![expect(dead_code, reason = "stands in the OpenAPI document alone")]

use roster_fastapi_body::Fault;
use serde::Serialize;
use utoipa::{IntoResponses, OpenApi, ToSchema};

use super::answers::{Limited, NameTaken};

/// Their bodies, for the document.
#[derive(OpenApi)]
#[openapi(components(schemas(Refused, Invalid, Limited, Taken)))]
pub(super) struct Bodies;

/// Why a request was refused.
#[derive(ToSchema)]
pub(super) struct Refused {
    /// Why, for people.
    detail: String,
}

/// Everything that is wrong with a request.
#[derive(ToSchema)]
pub(super) struct Invalid {
    /// One thing each.
    detail: Vec<Fault>,
}

/// Which of its names another user has.
#[derive(ToSchema)]
pub(super) struct Taken<'a> {
    /// Which, for people, and what else is free.
    detail: TakenName<'a>,
}

/// A sentence, and for a username also free ones like it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum TakenName<'a> {
    /// Another user has the email.
    Email(String),
    /// Another user has the username.
    Username(NameTaken<'a>),
}

/// Of what only a caller with a valid token may do.
#[derive(IntoResponses)]
pub(super) enum TokenRefusals {
    /// The token is missing, not valid or has ended.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "How a caller shows who they are: `Bearer`")))]
    NotAuthenticated(Refused),
}

/// Of what only some callers may do.
#[derive(IntoResponses)]
pub(super) enum CallerRefusals {
    /// The token is missing, not valid or has ended.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "How a caller shows who they are: `Bearer`")))]
    NotAuthenticated(Refused),
    /// The caller may not do this.
    #[response(status = 403)]
    Forbidden(Refused),
}

/// Of what is given for a secret.
#[derive(IntoResponses)]
pub(super) enum CredentialRefusals {
    /// The credentials are not right.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "How a caller shows who they are: `Bearer`")))]
    WrongCredentials(Refused),
}

/// Of a JSON body.
#[derive(IntoResponses)]
pub(super) enum BodyRefusals {
    /// The body could not be read.
    #[response(status = 400)]
    Unreadable(Refused),
    /// The body did not arrive in time.
    #[response(status = 408)]
    TooSlow(Refused),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(Refused),
    /// The body has a `Content-Encoding`.
    #[response(status = 415, headers(("Accept-Encoding" = String, description = "What a body may have: `identity`")))]
    Encoded(Refused),
    /// The body is not as described.
    #[response(status = 422)]
    Invalid(Invalid),
}

/// Of a query.
#[derive(IntoResponses)]
pub(super) enum QueryRefusals {
    /// The query is not as described.
    #[response(status = 422)]
    Invalid(Invalid),
}

/// Of an upload.
#[derive(IntoResponses)]
pub(super) enum UploadRefusals {
    /// The form could not be read, or the file is not a JPEG or PNG image, or not named as one.
    #[response(status = 400)]
    NotAnImage(Refused),
    /// The file did not arrive in time.
    #[response(status = 408)]
    TooSlow(Refused),
    /// The file is too large.
    #[response(status = 413)]
    TooLarge(Refused),
    /// The form has a `Content-Encoding`.
    #[response(status = 415, headers(("Accept-Encoding" = String, description = "What a body may have: `identity`")))]
    Encoded(Refused),
    /// The form has no such file.
    #[response(status = 422)]
    Invalid(Invalid),
    /// The caller's other uploads take too much room. `Retry-After` says when to try again.
    #[response(status = 429)]
    TooMany(Limited),
}

/// Of an id.
#[derive(IntoResponses)]
pub(super) enum IdRefusals {
    /// The id is not an id, or the body could not be read.
    #[response(status = 400)]
    NotAnId(Refused),
}

/// Of many ids.
#[derive(IntoResponses)]
pub(super) enum IdsRefusals {
    /// There are no ids, or not all of them are ids, or the body could not be read.
    #[response(status = 400)]
    NotIds(Refused),
}

/// Of a deletion.
#[derive(IntoResponses)]
pub(super) enum DeletionRefusals {
    /// The id is not an id, or the user is in the trash already.
    #[response(status = 400)]
    NotDeletable(Refused),
}

/// Of what is done with a user in the trash.
#[derive(IntoResponses)]
pub(super) enum TrashRefusals {
    /// The id is not an id, or the user is not in the trash.
    #[response(status = 400)]
    NotInTrash(Refused),
}

/// Of an unknown user.
#[derive(IntoResponses)]
pub(super) enum UnknownUser {
    /// There is no such user.
    #[response(status = 404)]
    UserNotFound(Refused),
}

/// Of an image that is not there.
#[derive(IntoResponses)]
pub(super) enum UnknownImage {
    /// There is no such user, or the user has no image.
    #[response(status = 404)]
    NoImage(Refused),
}

/// Of an address where no image is.
#[derive(IntoResponses)]
pub(super) enum UnknownAddress {
    /// There is no such image, or images are not public.
    #[response(status = 404)]
    NoImage(Refused),
}

/// Of a sign-up with another user's names.
#[derive(IntoResponses)]
pub(super) enum SignUpConflicts {
    /// Another user has the email or the username.
    #[response(status = 409)]
    Taken(Taken<'static>),
}

/// Of an edit to another user's names.
#[derive(IntoResponses)]
pub(super) enum EditConflicts {
    /// Another user has the email or the username.
    #[response(status = 409)]
    Taken(Refused),
}

/// Of what may be asked only so often.
#[derive(IntoResponses)]
pub(super) enum LimitRefusals {
    /// Too many of this client, or for this account.
    #[response(status = 429, headers(("Retry-After" = u64, description = "In how many seconds to try again")))]
    TooMany(Limited),
}

/// Of anything.
#[derive(IntoResponses)]
pub(super) enum Failures {
    /// A bug.
    #[response(status = 500)]
    Bug(Refused),
    /// A store is out of reach, or too much waits.
    #[response(status = 503, headers(("Retry-After" = u64, description = "In how many seconds to try again")))]
    Unavailable(Refused),
}
