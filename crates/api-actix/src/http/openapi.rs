//! The `OpenAPI` document, what its parts share, and Swagger UI to try it with.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use actix_web::body::{MessageBody, SizedStream};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use roster_domain::Error;
use roster_fastapi_body::Fault;
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::Config;

use super::answers::{Limited, NameTaken};
use super::endpoints::{
    admin_sign_up, bulk_delete, delete_profile_image, delete_user, edit_user, health, list_trash, list_users,
    live, log_in, profile_upload, profile_upload_s3, purge_user, read_profile_image, read_public_image,
    read_user, ready, refresh, restore_user, sign_up,
};
use super::error::Refusal;

/// How many bytes of a file are answered at once.
const PIECE: usize = 16 * 1024;

/// The whole document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Roster",
        description = "User accounts: sign-up, log-in, tokens, roles, profile images, and a trash from which an account \
                       can come back.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    // Relative to the document, so that it holds behind a proxy's prefix too.
    servers((url = ".")),
    paths(
        health::health,
        live::live,
        ready::ready,
        sign_up::sign_up,
        admin_sign_up::admin_sign_up,
        log_in::log_in,
        refresh::refresh,
        list_users::list_users,
        read_user::read_user,
        edit_user::edit_user,
        delete_user::delete_user,
        list_trash::list_trash,
        bulk_delete::bulk_delete,
        restore_user::restore_user,
        purge_user::purge_user,
        profile_upload::profile_upload,
        profile_upload_s3::profile_upload_s3,
        read_profile_image::read_profile_image,
        read_public_image::read_public_image,
        delete_profile_image::delete_profile_image,
    ),
    components(schemas(Refused, Invalid, Limited, Taken)),
    modifiers(&Bearer),
)]
struct Document;

/// The scheme by which callers show who they are.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The document as JSON, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // A document made of plain maps and texts always has a JSON form.
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
});

/// The document as JSON.
pub(crate) fn text() -> &'static str {
    &DOCUMENT
}

/// Answers the document.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(DOCUMENT.as_str())
}

/// Answers a file of Swagger UI.
pub(super) async fn swagger_ui(request: HttpRequest) -> Result<HttpResponse, Refusal> {
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

/// Why a request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) struct Refused {
    /// Why, for people.
    detail: String,
}

/// Everything that is wrong with a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) struct Invalid {
    /// One thing each.
    detail: Vec<Fault>,
}

/// Which of its names another user has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) struct Taken<'a> {
    /// Which, for people, and what else is free.
    detail: TakenName<'a>,
}

/// A sentence, and for a username also free ones like it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
enum TakenName<'a> {
    /// Another user has the email.
    Email(String),
    /// Another user has the username.
    Username(NameTaken<'a>),
}

/// Of what only a caller with a valid token may do.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum TokenRefusals {
    /// The token is missing, not valid or has ended.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "How a caller shows who they are: `Bearer`")))]
    NotAuthenticated(Refused),
}

/// Of what only some callers may do.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
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
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum CredentialRefusals {
    /// The credentials are not right.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "How a caller shows who they are: `Bearer`")))]
    WrongCredentials(Refused),
}

/// Of a JSON body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
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
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum QueryRefusals {
    /// The query is not as described.
    #[response(status = 422)]
    Invalid(Invalid),
}

/// Of an upload.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
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
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum IdRefusals {
    /// The id is not an id, or the body could not be read.
    #[response(status = 400)]
    NotAnId(Refused),
}

/// Of many ids.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum IdsRefusals {
    /// There are no ids, or not all of them are ids, or the body could not be read.
    #[response(status = 400)]
    NotIds(Refused),
}

/// Of a deletion.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum DeletionRefusals {
    /// The id is not an id, or the user is in the trash already.
    #[response(status = 400)]
    NotDeletable(Refused),
}

/// Of what is done with a user in the trash.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum TrashRefusals {
    /// The id is not an id, or the user is not in the trash.
    #[response(status = 400)]
    NotInTrash(Refused),
}

/// Of an unknown user.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum UnknownUser {
    /// There is no such user.
    #[response(status = 404)]
    UserNotFound(Refused),
}

/// Of an image that is not there.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum UnknownImage {
    /// There is no such user, or the user has no image.
    #[response(status = 404)]
    NoImage(Refused),
}

/// Of an address where no image is.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum UnknownAddress {
    /// There is no such image, or images are not public.
    #[response(status = 404)]
    NoImage(Refused),
}

/// Of a sign-up with another user's names.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum SignUpConflicts {
    /// Another user has the email or the username.
    #[response(status = 409)]
    Taken(Taken<'static>),
}

/// Of an edit to another user's names.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum EditConflicts {
    /// Another user has the email or the username.
    #[response(status = 409)]
    Taken(Refused),
}

/// Of what may be asked only so often.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum LimitRefusals {
    /// Too many of this client, or for this account.
    #[response(status = 429, headers(("Retry-After" = u64, description = "In how many seconds to try again")))]
    TooMany(Limited),
}

/// Of anything.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone")]
pub(super) enum Failures {
    /// A bug.
    #[response(status = 500)]
    Bug(Refused),
    /// A store is out of reach, or too much waits.
    #[response(status = 503, headers(("Retry-After" = u64, description = "In how many seconds to try again")))]
    Unavailable(Refused),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::ENDPOINTS;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn served_document() -> Value {
        serde_json::from_str(&DOCUMENT).unwrap()
    }

    #[test]
    fn the_committed_openapi_document_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, DOCUMENT.as_str()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(committed == *DOCUMENT, "docs/openapi.json is stale: run this test with UPDATE_OPENAPI=1");
    }

    #[test]
    fn every_route_is_in_the_document_and_the_other_way_round() {
        let document = served_document();
        let documented: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let served: BTreeSet<String> = ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.path != "/openapi.json" && !endpoint.path.starts_with("/docs/"))
            .flat_map(|endpoint| {
                endpoint.methods.iter().map(|(method, _)| format!("{method} {}", endpoint.path))
            })
            .collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_operation_with_a_bearer_tells_that_it_may_answer_401() {
        for (path, item) in served_document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation.get("security").is_some() {
                    assert!(operation["responses"].get("401").is_some(), "{method} {path}");
                }
            }
        }
    }

    /// The members of an object; none where it is not there.
    fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    #[test]
    fn every_operation_and_every_field_is_described() {
        let document = served_document();
        let mut missing = Vec::new();
        let mut look = |value: &Value, field: &str, place: String| {
            if value[field].as_str().is_none_or(|text| text.trim().is_empty()) {
                missing.push(format!("{place}: {field}"));
            }
        };
        for (path, item) in members(&document["paths"]) {
            for (method, operation) in members(item) {
                let name = format!("{method} {path}");
                look(operation, "summary", name.clone());
                look(operation, "description", name.clone());
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    look(parameter, "description", format!("{name} {}", parameter["name"]));
                }
                for (status, response) in members(&operation["responses"]) {
                    look(response, "description", format!("{name} {status}"));
                    for (header, about) in members(&response["headers"]) {
                        look(about, "description", format!("{name} {status} {header}"));
                    }
                }
            }
        }
        for (name, schema) in members(&document["components"]["schemas"]) {
            look(schema, "description", name.clone());
            for (property, about) in members(&schema["properties"]) {
                look(about, "description", format!("{name}.{property}"));
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn a_list_names_the_schema_of_its_items() {
        fn lists<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("items"));
                    object.values().for_each(|value| lists(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| lists(value, found)),
                _ => {}
            }
        }
        let document = served_document();
        let mut found = Vec::new();
        lists(&document, &mut found);
        assert!(found.iter().any(|items| items["$ref"] == "#/components/schemas/User"), "{found:?}");
        for items in found {
            assert!(items.get("properties").is_none(), "{items}");
        }
    }

    #[test]
    fn what_is_sent_has_examples() {
        let document = served_document();
        for form in ["SignUpForm", "LogInForm", "EditForm"] {
            for (field, about) in members(&document["components"]["schemas"][form]["properties"]) {
                assert!(about["examples"][0].is_string(), "{form}.{field}");
            }
        }
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(object) => {
                    if let Some(Value::String(reference)) = object.get("$ref") {
                        found.insert(reference.clone());
                    }
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = served_document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} is missing");
        }
    }
}
