//! The `OpenAPI` document: what it says of the API as a whole, and the parts that the endpoints bring.

use std::sync::LazyLock;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::endpoints::Endpoints;
use super::refusals::Bodies;

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
    modifiers(&Bearer),
)]
struct Whole;

/// The scheme by which callers show who they are.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The whole document, made once.
pub(super) static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let mut document = Whole::openapi();
    document.merge(Bodies::openapi());
    document.merge(Endpoints::openapi());
    document
});

/// The same as JSON.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    // A document made of plain maps and texts always has a JSON form.
    DOCUMENT.to_pretty_json().unwrap_or_default() + "\n"
});

/// The document as JSON.
pub(crate) fn text() -> &'static str {
    &TEXT
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn served_document() -> Value {
        serde_json::from_str(text()).unwrap()
    }

    #[test]
    fn the_committed_openapi_document_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, text()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(committed == text(), "docs/openapi.json is stale: run this test with UPDATE_OPENAPI=1");
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
