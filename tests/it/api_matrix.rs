//! Every operation of the OpenAPI document against every kind of caller.

use crate::api_support::{Answer, Operation, World};
use axum::http::StatusCode;
use odcm::core::policy::{Role, Scope};
use odcm::storage::audit;
use serde_json::{Value, json};

/// Operations that change nothing although they are not GET.
const READS: [&str; 1] = ["dry_run"];
/// Operations that ask somebody else and change nothing here.
const ASKS: [&str; 1] = ["examine_provider"];
/// What somebody without rights may ask: the answer holds only what is theirs.
const ANYBODY: [&str; 2] = ["list_spaces", "list_tokens"];

/// An answer has a status that the document announces, with the content type that it announces.
fn announced(op: &Operation, answer: &Answer) {
    let described = &op.value["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{}: {} is not in the document: {}", op.id, answer.status, answer.text);
    match described["content"].as_object() {
        Some(content) => {
            let media = answer.header("content-type").split(';').next().unwrap().to_owned();
            assert!(content.contains_key(&media), "{}: {} as {media}", op.id, answer.status);
        }
        None => assert_eq!(answer.text, "", "{}: {} has no body in the document", op.id, answer.status),
    }
}

async fn audit_lines(world: &World) -> usize {
    let filter = audit::Filter::default();
    odcm::accounts::audit::list(&world.deps, &crate::api_support::host(), &filter, None, 10_000).await.unwrap().items.len()
}

#[tokio::test]
async fn without_a_token_there_is_nothing() {
    let world = World::new().await;
    for op in world.operations() {
        let example = world.example(&op).await;
        let before = audit_lines(&world).await;
        let path = format!("/api/v1{}{}", example.path, example.query);
        let forms = [
            ("authorization", String::new()),
            ("authorization", "Bearer".into()),
            ("authorization", "Bearer odcm_wrong".into()),
            ("authorization", format!("Basic {}", world.owner)),
            ("authorization", format!("Bearer {}x", world.owner)),
            ("cookie", format!("__Host-odcm-session={}", world.owner)),
            ("x-api-key", world.owner.clone()),
        ];
        for form in forms {
            let headers = [form, ("content-type", "application/json".to_owned())];
            let body = example.body.clone().map(|b| b.to_string()).unwrap_or_default();
            let answer = world.send(&op.method, &path, &headers, body).await;
            assert_eq!(answer.status, 401, "{} with {:?}: {}", op.id, headers[0], answer.text);
            announced(&op, &answer);
        }
        assert_eq!(audit_lines(&world).await, before, "{} did something", op.id);
    }
}

#[tokio::test]
async fn a_read_only_token_changes_nothing() {
    let world = World::new().await;
    for op in world.operations() {
        let example = world.example(&op).await;
        let before = audit_lines(&world).await;
        let answer = world.run(&example, &world.reader).await;
        announced(&op, &answer);
        if op.method == "GET" || READS.contains(&op.id.as_str()) {
            assert_eq!(answer.status, example.status, "{}: {}", op.id, answer.text);
        } else {
            assert_eq!(answer.status, 403, "{}: {}", op.id, answer.text);
            assert_eq!(answer.json["code"], "token.read_only", "{}", op.id);
        }
        assert_eq!(audit_lines(&world).await, before, "{} did something", op.id);
    }
}

#[tokio::test]
async fn somebody_without_rights_sees_and_changes_nothing() {
    let world = World::new().await;
    for op in world.operations() {
        let example = world.example(&op).await;
        let before = audit_lines(&world).await;
        let answer = world.run(&example, &world.nobody).await;
        announced(&op, &answer);
        if ANYBODY.contains(&op.id.as_str()) {
            assert_eq!(answer.status, 200, "{}", op.id);
            let items = answer.json["items"].as_array().unwrap();
            let mine = if op.id == "list_tokens" { 1 } else { 0 };
            assert_eq!((items.len(), &answer.json["next"]), (mine, &Value::Null), "{}: {}", op.id, answer.text);
        } else {
            assert!(matches!(answer.status, 403 | 404), "{}: {} {}", op.id, answer.status, answer.text);
        }
        assert_eq!(audit_lines(&world).await, before, "{} did something", op.id);
    }
}

#[tokio::test]
async fn an_owner_may_do_everything() {
    let world = World::new().await;
    for op in world.operations() {
        let example = world.example(&op).await;
        let before = audit_lines(&world).await;
        let answer = world.run(&example, &world.owner).await;
        assert_eq!(answer.status, example.status, "{}: {}", op.id, answer.text);
        announced(&op, &answer);
        let wrote = audit_lines(&world).await > before;
        // enables who is enabled: nothing happened, so nothing is written
        let idle = op.id == "enable_person";
        let change =
            op.method != "GET" && !READS.contains(&op.id.as_str()) && !ASKS.contains(&op.id.as_str()) && answer.status < 300;
        assert_eq!(wrote, change && !idle, "{}: every change leaves a line in the audit, and nothing else does", op.id);
        if answer.status == 201 && !answer.header("location").is_empty() {
            let there = world.call("GET", answer.header("location"), &world.owner, None).await;
            assert_eq!(there.status, 200, "{}: {}", op.id, answer.header("location"));
        }
    }
}

#[tokio::test]
async fn rights_of_one_object_end_at_it() {
    let world = World::new().await;
    let (mine, other) = (world.space().await, world.space().await);
    let (group, foreign) = (world.group().await, world.group().await);
    let person = world.person().await;
    world.right(&person, Role::SpaceAdmin, Scope::Space(mine.clone())).await;
    world.right(&person, Role::GroupAdmin, Scope::Group(group.clone())).await;
    let token = world.token(&person, true).await;
    let somebody = world.person().await;
    let list = world.call("GET", "/api/v1/spaces?limit=1", &token, None).await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1, "{}", list.text);
    assert_eq!(list.json["items"][0]["id"], mine.to_string());
    assert_eq!(list.json["next"], Value::Null, "a cursor would hold the name of another Space");
    let grant = json!({"subject": {"kind": "person", "id": somebody}});
    let member = |g: &dyn std::fmt::Display| format!("/api/v1/groups/{g}/members/people/{somebody}");
    for (method, path, body, status) in [
        ("GET", format!("/api/v1/spaces/{mine}"), None, 200),
        ("GET", format!("/api/v1/spaces/{other}"), None, 404),
        ("POST", format!("/api/v1/spaces/{mine}/grants"), Some(grant.clone()), 201),
        ("POST", format!("/api/v1/spaces/{other}/grants"), Some(grant), 404),
        ("GET", format!("/api/v1/spaces/{other}/grants"), None, 404),
        ("GET", format!("/api/v1/spaces/{other}/status"), None, 404),
        ("POST", format!("/api/v1/spaces/{other}/enrolment-codes"), None, 404),
        ("DELETE", format!("/api/v1/spaces/{mine}?confirmed=true"), None, 403),
        ("PUT", member(&group), Some(json!({})), 204),
        ("PUT", member(&foreign), Some(json!({})), 404),
        ("DELETE", member(&foreign), None, 404),
        ("GET", format!("/api/v1/groups/{foreign}/members"), None, 404),
        ("DELETE", format!("/api/v1/groups/{group}?confirmed=true"), None, 403),
        ("GET", "/api/v1/people".into(), None, 403),
        ("GET", "/api/v1/audit".into(), None, 403),
        ("POST", "/api/v1/rights".into(), Some(json!({"person": person, "role": "owner", "scope": "all"})), 403),
    ] {
        let answer = world.call(method, &path, &token, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_revocation_and_its_person() {
    let world = World::new().await;
    let person = world.person().await;
    let (first, id) = world.token_with_id(&person, true).await;
    let second = world.token(&person, true).await;
    let ask = async |token: &str| world.call("GET", "/api/v1/tokens", token, None).await.status;
    assert_eq!((ask(&first).await, ask(&second).await), (200, 200));
    assert_eq!(world.call("DELETE", &format!("/api/v1/tokens/{id}"), &first, None).await.status, 204);
    assert_eq!((ask(&first).await, ask(&second).await), (401, 200));
    let disable = format!("/api/v1/people/{person}/disable");
    assert_eq!(world.call("POST", &disable, &world.owner, Some(json!({}))).await.status, 204);
    assert_eq!(ask(&second).await, 401);
    assert_eq!(ask(&world.owner).await, 200);
    world.deps.hand.advance_ms(86_401_000);
    assert_eq!(ask(&world.owner).await, StatusCode::UNAUTHORIZED.as_u16());
}
