//! What the document says of texts is what the code holds to: every text of every body, by its own pattern and length.

use crate::api_support::World;
use regex::Regex;
use serde_json::{Value, json};

/// A schema with references followed and `null` left out.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(target) = schema["$ref"].as_str() {
        return resolved(document, document.pointer(target.trim_start_matches('#')).unwrap());
    }
    for kind in ["oneOf", "anyOf", "allOf"] {
        let list = schema[kind].as_array().into_iter().flatten().filter(|s| s["type"] != "null").collect::<Vec<_>>();
        if let [only] = list.as_slice() {
            return resolved(document, only);
        }
    }
    schema
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|l| l.iter().any(|t| t == kind))
}

/// Every text below a schema, with its path.
fn texts<'a>(document: &'a Value, schema: &'a Value, path: &str, out: &mut Vec<(String, &'a Value)>) {
    let schema = resolved(document, schema);
    if is(schema, "string") {
        out.push((path.to_owned(), schema));
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        texts(document, inner, &path, out);
    }
    if schema["items"].is_object() {
        texts(document, &schema["items"], &format!("{path}[0]"), out);
    }
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        texts(document, variant, path, out);
    }
}

fn held(schema: &Value, text: &str) -> bool {
    let count = u64::try_from(text.chars().count()).unwrap();
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    (schema["minLength"].as_u64().unwrap_or(0)..=most).contains(&count)
        && schema["pattern"].as_str().is_none_or(|p| Regex::new(p).unwrap().is_match(text))
}

/// Puts a text where the path says, with the objects and lists on the way.
fn put(body: &mut Value, path: &str, text: &str) {
    match path.split_once('.') {
        Some((head, rest)) => {
            if !body[head].is_object() {
                body[head] = if head == "external" { json!({"provider": "entra", "external_id": "x"}) } else { json!({}) };
            }
            put(&mut body[head], rest, text);
        }
        None => match path.strip_suffix("[0]") {
            Some(name) => body[name] = json!([text]),
            None => body[path] = json!(text),
        },
    }
}

#[tokio::test]
async fn every_text_of_a_body_is_described_and_held_to() {
    let world = World::new().await;
    let (mut seen, mut tried) = (0, 0);
    for op in world.operations() {
        let schema = &op.value["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_object() {
            continue;
        }
        let mut found = Vec::new();
        texts(&world.document, schema, "", &mut found);
        for (path, schema) in found {
            seen += 1;
            assert!(
                schema["enum"].is_array() || schema["pattern"].is_string(),
                "{} {path}: the document does not say what this text may be: {schema}",
                op.id
            );
            // bodies with a tag say what is wrong, but not where
            let tagged = ["dry_run", "decide_adoption", "decide_identity_request"].contains(&op.id.as_str())
                || path.contains("settings.")
                || path.contains("creation.");
            if schema["enum"].is_array() || tagged {
                continue;
            }
            // lists of ids are read as ids, which name the list
            let named = |field: &str| field == path || path.strip_suffix("[0]") == Some(field);
            let long = "x".repeat(usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap() + 1);
            for wrong in ["a\u{7}b", "a\u{0}b", "\u{85}", " a", "", "a\u{202e}b", "ab\n", "\u{e9}", "\"", "*", &long] {
                let example = world.example(&op).await;
                let mut body = example.body.clone().unwrap();
                put(&mut body, &path, wrong);
                let url = format!("/api/v1{}{}", example.path, example.query);
                let answer = world.call(&op.method, &url, &world.owner, Some(body.clone())).await;
                let what = format!("{} {path} {wrong:?}: {} {}", op.id, answer.status, answer.text);
                if held(schema, wrong) {
                    // what a pattern cannot say may still be refused, by name
                    let field = answer.json["field"].as_str().unwrap_or(&path);
                    assert!(answer.status < 300 || ([409, 422].contains(&answer.status) && named(field)), "{what}");
                    continue;
                }
                tried += 1;
                assert_eq!(answer.status, 422, "{what}");
                assert!(named(answer.json["field"].as_str().unwrap_or_default()), "{what}");
                let detail = answer.json["detail"].as_str().unwrap();
                // an id is asked for as such
                if wrong.contains('\u{7}') && schema["format"].is_null() && !detail.contains("an id") {
                    assert!(detail.contains("control character U+0007"), "{what}");
                    assert!(detail.contains(path.trim_end_matches("[0]")), "{what}");
                }
            }
        }
    }
    assert!(seen > 40 && tried > 150, "only {seen} texts, {tried} wrong ones");
}

#[tokio::test]
async fn parameters_are_described_as_they_are_read() {
    let world = World::new().await;
    let mut tags = 0;
    for op in world.operations() {
        for p in op.value["parameters"].as_array().into_iter().flatten() {
            let what = format!("{}: {p}", op.id);
            assert!(!is(&p["schema"], "null") && p["schema"]["oneOf"].is_null(), "a parameter is left out, never null: {what}");
            if is(&p["schema"], "string") {
                assert!(p["schema"]["pattern"].is_string() || p["schema"]["enum"].is_array(), "{what}");
            }
            if p["name"] == "If-Match" {
                tags += 1;
                assert_eq!((&p["required"], &p["in"]), (&json!(false), &json!("header")), "{what}");
                for tag in ["*", "\"1\"", "\"999999999999999999\"", "1", "\"-1\"", "\"+1\"", "W/\"1\"", "\"\"", "null"] {
                    let example = world.example(&op).await;
                    let path = format!("/api/v1{}{}", example.path, example.query);
                    let body = example.body.as_ref().map(Value::to_string).unwrap_or_default();
                    let headers = [
                        ("authorization", format!("Bearer {}", world.owner)),
                        ("content-type", "application/json".into()),
                        ("if-match", tag.into()),
                    ];
                    let answer = world.send(&op.method, &path, &headers, body).await;
                    let read = answer.json["code"] != "if_match.invalid";
                    assert_eq!(held(&p["schema"], tag), read, "{} {tag}: {}", op.id, answer.text);
                }
            }
        }
    }
    assert!(tags >= 8, "only {tags}");
}

#[tokio::test]
async fn control_characters_in_queries_and_cursors_are_refused_by_name() {
    let world = World::new().await;
    for (query, field) in [
        ("people?q=a%00b", "q"),
        ("people?q=a%0Ab", "q"),
        ("groups?q=%7F", "q"),
        ("audit?action=a%00", "action"),
        ("audit?object_id=%00", "object_id"),
        // ["\u0000","01890a5d-ac96-774b-bcce-b302099a8057"]
        ("people?after=WyJcdTAwMDAiLCIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTciXQ", "after"),
    ] {
        let answer = world.call("GET", &format!("/api/v1/{query}"), &world.owner, None).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{query}: {}", answer.text);
    }
}
