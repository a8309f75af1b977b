//! What the JSON API promises beside who may do what: versions, pages, strict input, problems, secrets shown once.

use crate::api_support::World;
use odcm::storage::{consent, reports};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn stale_versions_are_refused_and_change_nothing() {
    let world = World::new().await;
    let mut seen = 0;
    for op in world.operations().into_iter().filter(|op| op.parameter("If-Match")) {
        let example = world.example(&op).await;
        let path = format!("/api/v1{}{}", example.path, example.query);
        let auth = ("authorization", format!("Bearer {}", world.owner));
        let json_type = ("content-type", "application/json".to_owned());
        let body = example.body.clone().map(|b| b.to_string()).unwrap_or_default();
        let own = format!("/api/v1{}", example.path);
        let first = world.call("GET", &own, &world.owner, None).await;
        let tag = first.header("etag").to_owned();
        assert_eq!(tag, format!("\"{}\"", first.json["version"]), "{}", op.id);
        for (wrong, status) in
            [("\"999999\"", 412), ("\"0\"", 412), ("7", 400), ("W/\"1\"", 400), ("\"x\"", 400), ("\"1\", \"2\"", 400)]
        {
            let headers = [auth.clone(), json_type.clone(), ("if-match", wrong.to_owned())];
            let answer = world.send(&op.method, &path, &headers, body.clone()).await;
            assert_eq!(answer.status, status, "{} {wrong}: {}", op.id, answer.text);
        }
        let still = world.call("GET", &own, &world.owner, None).await;
        assert_eq!((still.header("etag"), &still.json), (tag.as_str(), &first.json), "{}", op.id);
        let headers = [auth.clone(), json_type.clone(), ("if-match", tag.clone())];
        let answer = world.send(&op.method, &path, &headers, body.clone()).await;
        assert_eq!(answer.status, example.status, "{}: {}", op.id, answer.text);
        if ["PATCH", "PUT"].contains(&op.method.as_str()) {
            let now = world.call("GET", &own, &world.owner, None).await;
            assert_eq!((now.header("etag"), &now.json), (answer.header("etag"), &answer.json), "{}", op.id);
            assert_ne!(answer.header("etag"), tag, "{}", op.id);
            let again = world.send(&op.method, &path, &headers, body).await;
            assert_eq!((again.status, again.json["code"].as_str()), (412, Some("stale")), "{}: {}", op.id, again.text);
        } else {
            assert_eq!(world.call("GET", &own, &world.owner, None).await.status, 404, "{}", op.id);
        }
        seen += 1;
    }
    assert!(seen >= 8, "only {seen}");
}

#[tokio::test]
async fn pages_visit_everything_once() {
    let world = World::new().await;
    for _ in 0..7 {
        world.person().await;
        world.group().await;
        world.space().await;
        world.client().await;
    }
    let owner = &world.owner;
    for (list, at_least) in [("people", 9), ("groups", 7), ("spaces", 7), ("clients", 7), ("audit", 25)] {
        let whole = world.call("GET", &format!("/api/v1/{list}?limit=200"), owner, None).await;
        let id = |v: &Value| v["id"].as_str().unwrap().to_owned();
        let all: Vec<String> = whole.json["items"].as_array().unwrap().iter().map(id).collect();
        assert!(all.len() >= at_least, "{list}: {}", all.len());
        assert_eq!(whole.json["next"], Value::Null);
        for limit in [1, 3, all.len()] {
            let (mut after, mut found) = (String::new(), Vec::new());
            loop {
                let page = world.call("GET", &format!("/api/v1/{list}?limit={limit}{after}"), owner, None).await;
                assert_eq!(page.status, 200, "{}", page.text);
                let items = page.json["items"].as_array().unwrap();
                assert!((1..=limit).contains(&items.len()), "{list}: a page of {}", items.len());
                found.extend(items.iter().map(id));
                match page.json["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(found, all, "{list} by {limit}");
            assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), all.len(), "{list}");
        }
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=-1", "limit"),
            ("limit=many", "limit"),
            ("after=zzz", "after"),
            ("after=%22", "after"),
            ("after=bnVsbA", "after"),
            ("nonsense=1", "nonsense"),
        ] {
            let answer = world.call("GET", &format!("/api/v1/{list}?{query}"), owner, None).await;
            assert_eq!(answer.status, 422, "{list} {query}: {}", answer.text);
            assert_eq!(answer.json["field"], field, "{list} {query}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn pages_of_lists_inside_objects_visit_everything_once() {
    let world = World::new().await;
    let owner = &world.owner;
    let (group, space, person) = (world.group().await, world.space().await, world.person().await);
    for n in 0..5 {
        let (member, inner) = (world.person().await, world.group().await);
        for path in [format!("groups/{group}/members/people/{member}"), format!("groups/{group}/members/groups/{inner}")] {
            assert_eq!(world.call("PUT", &format!("/api/v1/{path}"), owner, Some(json!({}))).await.status, 204);
        }
        for (kind, id) in [("person", member.to_string()), ("group", inner.to_string())] {
            let body = json!({"subject": {"kind": kind, "id": id}});
            assert_eq!(world.call("POST", &format!("/api/v1/spaces/{space}/grants"), owner, Some(body)).await.status, 201);
        }
        assert_eq!(world.call("PUT", &format!("/api/v1/spaces/{space}/groups/{inner}"), owner, None).await.status, 204);
        let body = json!({"address": format!("person-{n}@example.com")});
        assert_eq!(world.call("POST", &format!("/api/v1/people/{person}/emails"), owner, Some(body)).await.status, 201);
        let body = json!({"person": member, "role": "auditor", "scope": "all"});
        assert_eq!(world.call("POST", "/api/v1/rights", owner, Some(body)).await.status, 201);
        world.token(&world.owner_id, false).await;
        // two of one provider: the cursor tells them apart
        let body = json!({"provider": format!("provider-{}", n / 2), "subject": format!("subject-{n}")});
        assert_eq!(world.call("POST", &format!("/api/v1/people/{person}/identities"), owner, Some(body)).await.status, 201);
        let (client, scopes) = (world.client().await, ["openid".to_owned()]);
        consent::grant(&world.deps.db, &person, &client, &scopes, world.deps.clock.now()).await.unwrap();
        for section in ["access", "authentication"] {
            let item = reports::ItemRow {
                section: section.into(),
                item: format!("setting/{n}"),
                state: "failed".into(),
                message: None,
                residual: "[]".into(),
                updated_at: world.deps.clock.now(),
            };
            odcm::run_tx!(world.deps.db, "test.item", |tx| reports::put_item(tx, &space, &item).await).unwrap();
        }
    }
    for (list, at_least) in [
        (format!("people/{person}/identities"), 5),
        (format!("people/{person}/consents"), 5),
        (format!("spaces/{space}/items"), 10),
        (format!("groups/{group}/members"), 10),
        (format!("spaces/{space}/grants"), 10),
        (format!("spaces/{space}/groups"), 5),
        (format!("people/{person}/emails"), 6),
        ("rights".into(), 6),
        ("tokens".into(), 7),
        (format!("people/{}/tokens", world.owner_id), 7),
    ] {
        let whole = world.call("GET", &format!("/api/v1/{list}?limit=200"), owner, None).await;
        let all: Vec<String> = whole.json["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{list}: {}", whole.text))
            .iter()
            .map(Value::to_string)
            .collect();
        assert!(all.len() >= at_least && whole.json["next"].is_null(), "{list}: {}", all.len());
        for limit in [1, 3, all.len()] {
            let (mut after, mut found) = (String::new(), Vec::new());
            loop {
                let page = world.call("GET", &format!("/api/v1/{list}?limit={limit}{after}"), owner, None).await;
                assert_eq!(page.status, 200, "{list}: {}", page.text);
                let items = page.json["items"].as_array().unwrap();
                assert!((1..=limit).contains(&items.len()), "{list}: a page of {}", items.len());
                found.extend(items.iter().map(Value::to_string));
                match page.json["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(found, all, "{list} by {limit}");
        }
        for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("after=zzz", "after"), ("after=bnVsbA", "after")] {
            let answer = world.call("GET", &format!("/api/v1/{list}?{query}"), owner, None).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{list} {query}: {}", answer.text);
        }
    }
    for (list, q, count) in [(format!("groups/{group}/members"), "person", 5), (format!("spaces/{space}/grants"), "GROUP", 5)] {
        let found = world.call("GET", &format!("/api/v1/{list}?q={q}"), owner, None).await;
        assert_eq!(found.json["items"].as_array().map(Vec::len), Some(count), "{list}: {}", found.text);
    }
}

#[tokio::test]
async fn query_parameters_that_an_operation_does_not_have_are_refused() {
    let world = World::new().await;
    let mut seen = 0;
    for op in world.operations() {
        let example = world.example(&op).await;
        let with = |name: &str| {
            let sign = if example.query.is_empty() { '?' } else { '&' };
            format!("/api/v1{}{}{sign}{name}=1", example.path, example.query)
        };
        for name in ["no_such_parameter", "Limit"] {
            let answer = world.call(&op.method, &with(name), &world.owner, example.body.clone()).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &json!(name)), "{}: {}", op.id, answer.text);
        }
        let answer = world.run(&example, &world.owner).await;
        assert_eq!(answer.status, example.status, "{}: nothing was done before: {}", op.id, answer.text);
        seen += 1;
    }
    assert!(seen > 40, "only {seen}");
}

#[tokio::test]
async fn a_client_shows_its_groups_and_is_not_opened_by_accident() {
    let world = World::new().await;
    let (owner, client, group, other) = (&world.owner, world.client().await, world.group().await, world.group().await);
    let path = format!("/api/v1/clients/{client}");
    let change = async |query: &str, body: Value| world.call("PATCH", &format!("{path}{query}"), owner, Some(body)).await;
    assert_eq!(world.call("GET", &path, owner, None).await.json["groups"], json!([]));
    let two = change("", json!({"groups": [group, other]})).await;
    let mut both = [group.to_string(), other.to_string()];
    both.sort();
    assert_eq!((two.status, &two.json["groups"]), (200, &json!(both)), "{}", two.text);
    assert_eq!(change("", json!({"name": "Other"})).await.json["groups"], json!(both), "what is not named stays");
    let listed = world.call("GET", "/api/v1/clients?q=OTHER", owner, None).await;
    assert_eq!(listed.json["items"][0]["groups"], json!(both), "{}", listed.text);
    let refused = change("", json!({"groups": []})).await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &json!("client.opens")), "{}", refused.text);
    assert_eq!(world.call("GET", &path, owner, None).await.json["groups"], json!(both));
    assert_eq!(change("", json!({"groups": [other]})).await.json["groups"], json!([other]));
    let opened = change("?confirmed=true", json!({"groups": []})).await;
    assert_eq!((opened.status, &opened.json["groups"]), (200, &json!([])), "{}", opened.text);
}

#[tokio::test]
async fn filters_narrow_lists() {
    let world = World::new().await;
    let person = world.person().await;
    let one = world.call("GET", &format!("/api/v1/people/{person}"), &world.owner, None).await;
    let name = one.json["username"].as_str().unwrap().to_uppercase();
    let count = async |query: &str| {
        let list = world.call("GET", &format!("/api/v1/{query}"), &world.owner, None).await;
        list.json["items"].as_array().unwrap_or_else(|| panic!("{query}: {}", list.text)).len()
    };
    assert_eq!(count(&format!("people?q={name}")).await, 1);
    assert_eq!(count("people?q=%25").await, 0, "a wildcard is a plain character");
    assert_eq!(count("people?active=false").await, 0);
    world.call("POST", &format!("/api/v1/people/{person}/disable"), &world.owner, Some(json!({}))).await;
    assert_eq!(count("people?active=false").await, 1);
    assert_eq!(count("audit?action=person.disable").await, 1);
    assert_eq!(count(&format!("audit?action=person.&object_id={person}")).await, 2);
    assert_eq!(count("audit?until=2020-01-01T00:00:00Z").await, 0);
}

#[tokio::test]
async fn unknown_and_wrong_fields_are_refused_by_name() {
    let world = World::new().await;
    let mut bodies = 0;
    for op in world.operations() {
        let example = world.example(&op).await;
        let path = format!("/api/v1{}{}", example.path, example.query);
        let Some(body) = example.body else { continue };
        bodies += 1;
        let mut more = body.clone();
        more["no_such_field"] = json!(1);
        let answer = world.call(&op.method, &path, &world.owner, Some(more)).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!("no_such_field")), "{}: {}", op.id, answer.text);
        assert!(answer.json["detail"].as_str().unwrap().contains("no_such_field"), "{}", answer.text);
        for (name, _) in body.as_object().unwrap() {
            let mut wrong = body.clone();
            wrong[name] = json!({"a": [1]});
            let answer = world.call(&op.method, &path, &world.owner, Some(wrong)).await;
            assert_eq!(answer.status, 422, "{} {name}: {}", op.id, answer.text);
            let tagged = ["decision", "change"].contains(&name.as_str())
                || op.id == "dry_run"
                || ["decide_adoption", "decide_identity_request"].contains(&op.id.as_str());
            if !tagged {
                let field = answer.json["field"].as_str().unwrap_or_default();
                assert!(field == name || field.starts_with(&format!("{name}.")), "{} {name}: {}", op.id, answer.text);
            }
        }
        let auth = ("authorization", format!("Bearer {}", world.owner));
        let as_json = ("content-type", "application/json".to_owned());
        for (headers, text, status) in [
            (vec![auth.clone()], body.to_string(), 415),
            (vec![auth.clone(), ("content-type", "text/plain".into())], body.to_string(), 415),
            (vec![auth.clone(), as_json.clone()], "{".into(), 400),
            (vec![auth.clone(), as_json.clone()], "[".repeat(100_000), 422),
            (vec![auth.clone(), as_json.clone()], "[]".into(), 422),
            (vec![auth, as_json], format!("{{\"a\":\"{}\"}}", "x".repeat(300_000)), 413),
        ] {
            let answer = world.send(&op.method, &path, &headers, text).await;
            assert_eq!(answer.status, status, "{}: {}", op.id, answer.text);
        }
    }
    assert!(bodies >= 17, "only {bodies}");
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused_by_name() {
    let world = World::new().await;
    let owner = &world.owner;
    let (grant, ..) = world.grant().await;
    let long = "x".repeat(1000);
    for (method, path, body, field) in [
        ("POST", "people".to_owned(), json!({"username": "a b", "display_name": "A", "email": "a@example.com"}), "username"),
        ("POST", "people".into(), json!({"username": "ab", "display_name": "", "email": "a@example.com"}), "display_name"),
        (
            "POST",
            "people".into(),
            json!({"username": "ab", "display_name": "A\u{202e}", "email": "a@example.com"}),
            "display_name",
        ),
        ("POST", "people".into(), json!({"username": "ab", "display_name": "A", "email": "nobody"}), "email"),
        ("POST", "groups".into(), json!({"name": "A", "description": long}), "description"),
        ("POST", "groups".into(), json!({"name": long}), "name"),
        ("POST", "spaces".into(), json!({"name": "A", "slug": "A!", "base_url": "https://a.example.com"}), "slug"),
        ("POST", "spaces".into(), json!({"name": "A", "slug": "a", "base_url": "ftp://a.example.com"}), "base_url"),
        (
            "POST",
            "spaces".into(),
            json!({"name": "A", "slug": "a", "base_url": "https://a.example.com", "offline_policy": "maybe"}),
            "offline_policy",
        ),
        ("PATCH", format!("grants/{grant}"), json!({"from": "tomorrow"}), "from"),
        ("PATCH", format!("grants/{grant}"), json!({"until": "2026-11-22T13:00:00+01:00"}), "until"),
        ("PATCH", format!("grants/{grant}"), json!({"from": "2030-01-01T00:00:00Z", "until": "2029-01-01T00:00:00Z"}), "until"),
        ("POST", "clients".into(), json!({"name": "A", "kind": "space", "redirect_uris": []}), "kind"),
        ("POST", "clients".into(), json!({"id": "a b", "name": "A", "kind": "public"}), "id"),
        (
            "POST",
            "clients".into(),
            json!({"name": "A", "kind": "public", "redirect_uris": ["http://evil.example.com"]}),
            "redirect_uris",
        ),
        (
            "POST",
            "clients".into(),
            json!({"name": "A", "kind": "public", "redirect_uris": ["https://a.example.com"], "groups": ["x"]}),
            "groups",
        ),
        ("POST", "rights".into(), json!({"person": "x", "role": "auditor", "scope": "all"}), "person"),
        ("POST", "rights".into(), json!({"person": world.owner_id, "role": "auditor", "scope": "space"}), "scope_id"),
    ] {
        let answer = world.call(method, &format!("/api/v1/{path}"), owner, Some(body.clone())).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{method} {path} {body}: {}", answer.text);
    }
}

#[tokio::test]
async fn addresses_and_methods_that_do_not_exist_are_problems_even_for_browsers() {
    let world = World::new().await;
    for (method, path, status) in [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/", 404),
        ("GET", "/api/v2/people", 404),
        ("GET", "/api/v1/people/not-an-id", 404),
        ("GET", "/api/v1/people/01890A5D-AC96-774B-BCCE-B302099A8057", 404),
        ("GET", "/api/v1/people/01890a5d-ac96-774b-bcce-b302099a8057", 404),
        ("DELETE", "/api/v1/people", 405),
        ("PURGE", "/api/v1/people", 405),
        ("POST", "/api/v1/openapi.json", 405),
    ] {
        for accept in ["application/json", "text/html", "*/*"] {
            let headers = [("authorization", format!("Bearer {}", world.owner)), ("accept", accept.to_owned())];
            let answer = world.send(method, path, &headers, String::new()).await;
            assert_eq!(answer.status, status, "{method} {path} {accept}: {}", answer.text);
        }
    }
    let headers = [
        ("authorization", format!("Bearer {}", world.owner)),
        ("accept", "text/html".into()),
        ("content-type", "application/json".into()),
    ];
    assert_eq!(world.send("POST", "/api/v1/groups", &headers, "{}".into()).await.status, 422);
    assert_eq!(world.send("GET", "/api/v1/groups?limit=x", &headers, String::new()).await.status, 422);
}

#[tokio::test]
async fn secrets_appear_once_and_are_nowhere_in_the_clear() {
    let world = World::new().await;
    let owner = &world.owner;
    let space = world.space().await;
    let client = world.client().await;
    let person = world.person().await;
    let new = json!({"username": "fresh", "display_name": "Fresh", "email": "fresh@example.com", "password_link": true});
    let app = json!({"name": "App", "kind": "confidential", "redirect_uris": ["https://app.example.com/cb"]});
    let mut secrets = Vec::new();
    for (path, body, pointer) in [
        ("people".to_owned(), Some(new), "/password_link/url"),
        (format!("people/{person}/password-link"), None, "/url"),
        ("clients".into(), Some(app), "/secret"),
        (format!("clients/{client}/secrets"), Some(json!({})), "/secret"),
        (format!("spaces/{space}/enrolment-codes"), None, "/code"),
    ] {
        let answer = world.call("POST", &format!("/api/v1/{path}"), owner, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let secret = answer.json.pointer(pointer).unwrap().as_str().unwrap();
        let secret = secret.rsplit('/').next().unwrap().to_owned();
        assert!(secret.len() > 20, "{path}: {secret}");
        secrets.push(secret);
    }
    secrets.extend([world.owner.clone(), world.reader.clone()]);
    assert_eq!(secrets.iter().collect::<BTreeSet<_>>().len(), secrets.len());
    for path in [
        "audit?limit=200".to_owned(),
        "people?limit=200".into(),
        "clients?limit=200".into(),
        "tokens".into(),
        format!("clients/{client}"),
        format!("people/{person}"),
        format!("spaces/{space}"),
        format!("spaces/{space}/status"),
    ] {
        let answer = world.call("GET", &format!("/api/v1/{path}"), owner, None).await;
        assert_eq!(answer.status, 200, "{path}");
        for secret in &secrets {
            assert!(!answer.text.contains(secret), "{path} shows {secret}");
        }
    }
    // nor at rest
    for file in std::fs::read_dir(world.deps.folder.path()).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(file.path()).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "{:?} holds {secret}", file.path());
        }
    }
}

#[tokio::test]
async fn the_dry_run_and_the_explanation_say_what_then_happens() {
    let world = World::new().await;
    let owner = &world.owner;
    let (group, person) = world.member().await;
    let space = world.space().await;
    let ask = format!("/api/v1/explain?person={person}&space={space}");
    let before = world.call("GET", &ask, owner, None).await;
    assert_eq!((before.status, &before.json["may_enter"]), (200, &json!(false)), "{}", before.text);
    let subject = json!({"kind": "group", "id": group});
    let change = json!({"change": "add_grant", "space": space, "subject": subject});
    let plan = world.call("POST", "/api/v1/dry-run", owner, Some(change)).await;
    let entry: Vec<&Value> = plan.json["effects"].as_array().unwrap().iter().filter(|e| e["group"].is_null()).collect();
    assert_eq!(entry.len(), 1, "{}", plan.text);
    assert_eq!((&entry[0]["person"], &entry[0]["turn"]), (&json!(person), &json!("gains")), "{}", plan.text);
    assert_eq!(world.call("GET", &ask, owner, None).await.json["may_enter"], false, "a dry run changes nothing");
    let made = world.call("POST", &format!("/api/v1/spaces/{space}/grants"), owner, Some(json!({"subject": subject}))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let after = world.call("GET", &ask, owner, None).await;
    assert_eq!(after.json["may_enter"], true, "{}", after.text);
    assert!(!after.json["sentences"].as_array().unwrap().is_empty());
    let access = world.call("GET", &format!("/api/v1/people/{person}/access"), owner, None).await;
    assert_eq!(access.json["spaces"][0]["id"], json!(space), "{}", access.text);
    let twice = world.call("POST", &format!("/api/v1/spaces/{space}/grants"), owner, Some(json!({"subject": subject}))).await;
    assert_eq!(twice.status, 409, "{}", twice.text);
    let gone = world.call("DELETE", &format!("/api/v1/grants/{}", made.id()), owner, None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(world.call("GET", &ask, owner, None).await.json["may_enter"], false);
}
