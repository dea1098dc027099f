//! The table of all that is served, as the document and the handlers of the endpoints have it.

use std::sync::LazyLock;

use actix_web::http::Method;
use utoipa::openapi::PathItem;

use super::docs;
use super::document::DOCUMENT;
use super::endpoint::Endpoint;
use super::endpoints::HANDLERS;

/// Every path that is served.
pub(super) static TABLE: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let documented = DOCUMENT.paths.paths.iter().map(|(path, item)| documented(path, item));
    let docs = docs::ROUTES.map(|(path, route)| Endpoint::new(path, [(Method::GET, route)]));
    documented.chain(docs).collect()
});

/// What the document has at that path. An operation's id is its handler's name.
fn documented(path: &str, item: &PathItem) -> Endpoint {
    let operations = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let methods = operations.into_iter().filter_map(|(method, operation)| {
        let id = operation.as_ref()?.operation_id.as_deref()?;
        let (_, route) = HANDLERS.iter().find(|(name, _)| *name == id)?;
        Some((method, *route))
    });
    Endpoint::new(path, methods)
}

/// Whether something is served at this path.
pub(super) fn exists(path: &str) -> bool {
    TABLE.iter().any(|endpoint| endpoint.has(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_operation_of_the_document_is_served_and_the_other_way_round() {
        let document = serde_json::to_value(&*DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        let served = TABLE
            .iter()
            .filter(|endpoint| endpoint.path != "/openapi.json" && !endpoint.path.starts_with("/docs/"))
            .flat_map(|endpoint| {
                endpoint.methods.iter().map(|(method, _)| format!("{method} {}", endpoint.path))
            })
            .filter(|operation| !operation.starts_with("HEAD "));
        assert_eq!(operations.collect::<BTreeSet<_>>(), served.collect());
    }

    #[test]
    fn every_file_of_an_endpoint_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/endpoints");
        let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
        let names = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
        let served = HANDLERS.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(
            names.filter(|name| name != "mod").collect::<BTreeSet<_>>(),
            served.collect(),
            "add it to the list in endpoints/mod.rs"
        );
    }

    #[test]
    fn the_allow_header_names_every_method() {
        let user = TABLE.iter().find(|endpoint| endpoint.path == "/api/v1/auth/users/{user_id}").unwrap();
        assert_eq!(user.allow, "GET, HEAD, PUT, DELETE");
    }

    #[test]
    fn a_path_is_known_as_it_is_and_not_otherwise() {
        assert!(exists("/api/v1/trash/"));
        assert!(exists("/api/v1/auth/users/67a99413dc65a0145ee73981"));
        assert!(!exists("/api/v1/trash"));
        assert!(!exists("/api/v1/auth/users/"));
        assert!(!exists("//evil.example/health"));
    }
}
