//! The OpenAPI document itself.

use crate::api_support::World;
use serde_json::Value;
use std::collections::BTreeSet;

fn walk<'a>(value: &'a Value, see: &mut dyn FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            see(key, value);
            walk(value, see);
        }),
        Value::Array(list) => list.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_holds_together() {
    let world = World::new().await;
    let document = &world.document;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(document["security"][0]["bearer"], Value::Array(vec![]));
    let mut refs = 0;
    walk(document, &mut |key, value| {
        if key == "$ref" {
            let target = value.as_str().unwrap();
            assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target} leads nowhere");
            refs += 1;
        }
    });
    assert!(refs > 50, "only {refs} references");

    let mut ids = BTreeSet::new();
    for op in world.operations() {
        assert!(ids.insert(op.id.clone()), "operationId {} twice", op.id);
        assert!(op.value["summary"].as_str().is_some_and(|s| s.len() > 5), "{} has no summary", op.id);
        let responses = op.value["responses"].as_object().unwrap();
        for status in ["401", "403", "429", "503"] {
            let content = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(content, "#/components/schemas/Problem", "{} does not document {status}", op.id);
        }
        assert!(responses.keys().any(|s| s.starts_with('2')), "{} has no success", op.id);
        let parameters = op.value["parameters"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<&str> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
        let wanted: BTreeSet<&str> =
            op.path.split('/').filter_map(|p| p.strip_prefix('{')).map(|p| p.trim_end_matches('}')).collect();
        assert_eq!(named, wanted, "{}", op.id);
        let distinct: BTreeSet<String> = parameters.iter().map(|p| format!("{}{}", p["in"], p["name"])).collect();
        assert_eq!(distinct.len(), parameters.len(), "{} names a parameter twice", op.id);
        for p in &parameters {
            assert!(p["in"] != "path" || p["required"] == true, "{}: {p}", op.id);
        }
        // changing or deleting something that has a version can be guarded by that version
        let versioned = op.path.ends_with("{id}")
            && ["people", "groups", "spaces", "grants", "clients"].iter().any(|n| op.path.starts_with(&format!("/{n}/")));
        if versioned && op.method != "GET" {
            assert!(op.parameter("If-Match"), "{} takes no If-Match", op.id);
        }
    }
}

#[tokio::test]
async fn every_operation_of_the_document_is_a_route_and_says_so_without_a_token() {
    let world = World::new().await;
    let answer = world.call("GET", "/api/v1/openapi.json", "", None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    for op in world.operations() {
        let example = world.example(&op).await;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let known = world.document["paths"][&op.path][method.to_lowercase()].is_object();
            let answer = world.call(method, &format!("/api/v1{}", example.path), "", None).await;
            assert_eq!(answer.status, if known { 401 } else { 405 }, "{method} {}", op.path);
            if !known {
                assert!(!answer.header("allow").is_empty(), "{method} {}", op.path);
            }
        }
    }
}

#[tokio::test]
async fn what_belongs_to_something_unknown_is_not_an_empty_list() {
    let world = World::new().await;
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    let mut asked = 0;
    for op in world.operations().into_iter().filter(|op| op.method == "GET" && op.path.contains("{id}")) {
        let path = op.path.replace("{id}", unknown);
        if path.contains('{') {
            continue;
        }
        let answer = world.call("GET", &format!("/api/v1{path}"), &world.owner, None).await;
        assert_eq!(answer.status, 404, "{}: {}", op.id, answer.text);
        asked += 1;
    }
    assert!(asked > 15, "only {asked}");
}
