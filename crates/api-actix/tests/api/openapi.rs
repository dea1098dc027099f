//! The document that describes the service to machines.

use std::path::Path;

use serde_json::Value;

use crate::harness::{TestApp, Who, operations};

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let committed: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let served = TestApp::start().await.get("/openapi.json").await.has(200).json();
    assert!(served == committed, "docs/openapi.json is stale");
}

#[tokio::test]
async fn every_operation_documents_its_refusals() {
    let app = TestApp::start().await;
    for operation in operations(&app).await {
        let responses = &operation.document["responses"];
        let documents = |status: &str| responses.get(status).is_some();
        let name = operation.name();
        if matches!(operation.path.as_str(), "/health" | "/health/live") {
            assert!(documents("200"), "{name}");
            continue;
        }
        assert!(documents("503"), "{name} does not document 503");
        // Where there is neither body nor query nothing can be invalid but the id, which is 400.
        let parameters = operation.document["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let has_query = parameters.iter().any(|parameter| parameter["in"] == "query");
        if has_query || operation.document.get("requestBody").is_some() {
            assert!(documents("422"), "{name} does not document 422");
        }
        assert!(["200", "201", "204"].into_iter().any(documents), "{name} documents no success");
        if operation.names_a_user() {
            assert!(documents("400"), "{name} does not document 400");
        }
        match operation.who {
            Who::OwnerOrAdmin | Who::Admin => assert!(documents("401") && documents("403"), "{name}"),
            Who::AnyUser | Who::ByPolicy => assert!(documents("401"), "{name}"),
            Who::Anyone => {}
        }
    }
}

#[tokio::test]
async fn every_secured_operation_says_how_it_is_secured() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.has(200).json();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(
        schemes.values().any(|scheme| scheme["type"] == "http" && scheme["scheme"] == "bearer"),
        "{schemes:?}"
    );
    for operation in operations(&app).await {
        let security = operation.document["security"].as_array().map_or(0, Vec::len);
        match operation.who {
            Who::Anyone => assert_eq!(security, 0, "{}", operation.name()),
            _ => assert_ne!(security, 0, "{}", operation.name()),
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_a_summary() {
    let app = TestApp::start().await;
    let mut names = Vec::new();
    for operation in operations(&app).await {
        let text = |field: &str| operation.document[field].as_str().unwrap_or_default().to_owned();
        assert!(!text("summary").is_empty(), "{} has no summary", operation.name());
        names.push(text("operationId"));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() == count && !names.contains(&String::new()), "{names:?}");
}
