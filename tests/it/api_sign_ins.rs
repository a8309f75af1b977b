//! What programs learn of people and Spaces beyond the lists: reasons, sign-ins, keys, reports of agents.

use crate::api_support::{World, host};
use odcm::accounts::identities::{self, NewIdentity};
use odcm::storage::{consent, reports};
use serde_json::{Value, json};

#[tokio::test]
async fn a_person_says_why_they_are_disabled() {
    let world = World::new().await;
    let person = world.person().await;
    let path = format!("/api/v1/people/{person}");
    let ask = async || world.call("GET", &path, &world.owner, None).await;
    assert_eq!(ask().await.json["disabled"], json!([]));
    for reason in ["manual", "provider:entra"] {
        world.call("POST", &format!("{path}/disable"), &world.owner, Some(json!({"reason": reason}))).await;
    }
    let answer = ask().await;
    let reasons: Vec<_> = answer.json["disabled"].as_array().unwrap().iter().map(|r| r["reason"].clone()).collect();
    assert_eq!((reasons, &answer.json["active"]), (vec![json!("manual"), json!("provider:entra")], &json!(false)));
    let renamed = world.call("PATCH", &path, &world.owner, Some(json!({"display_name": "Renamed"}))).await;
    assert_eq!(renamed.json["disabled"], answer.json["disabled"]);
    for reason in answer.json["disabled"].as_array().unwrap() {
        let body = json!({"reason": reason["reason"]});
        assert_eq!(world.call("POST", &format!("{path}/enable"), &world.owner, Some(body)).await.status, 204);
    }
    assert_eq!(ask().await.json["active"], true);
}

#[tokio::test]
async fn identities_sessions_tokens_and_consents_of_a_person() {
    let world = World::new().await;
    let person = world.person().await;
    let at = |what: &str| format!("/api/v1/people/{person}/{what}");
    let items = async |what: &str| world.call("GET", &at(what), &world.owner, None).await.json["items"].clone();
    // identities
    let body = json!({"provider": "entra", "subject": "S-1", "label": "p@contoso.com"});
    let made = world.call("POST", &at("identities"), &world.owner, Some(body.clone())).await;
    assert_eq!(made.status, 201);
    let listed = items("identities").await;
    assert_eq!(
        (&listed[0]["id"], &listed[0]["subject"], &listed[0]["last_used_at"]),
        (&json!(made.id()), &json!("S-1"), &Value::Null)
    );
    let again = world.call("POST", &at("identities"), &world.owner, Some(body.clone())).await;
    assert_eq!((again.status, &again.json["code"]), (409, &json!("identity.exists")));
    let other = world.person().await;
    let path = format!("/api/v1/people/{other}/identities");
    let taken = world.call("POST", &path, &world.owner, Some(body)).await;
    assert_eq!((taken.status, &taken.json["code"], &taken.json["field"]), (409, &json!("identity.taken"), &json!("subject")));
    for (field, value) in [("provider", "En tra"), ("provider", "local"), ("subject", ""), ("subject", " x"), ("label", "a\u{1}")]
    {
        let mut wrong = json!({"provider": "entra", "subject": "S-2"});
        wrong[field] = json!(value);
        let answer = world.call("POST", &at("identities"), &world.owner, Some(wrong)).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{}", answer.text);
    }
    // sessions
    let (first, second) = (world.session(&person).await, world.session(&person).await);
    let listed = items("sessions").await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["methods"], &listed[0]["address"]), (&json!(["pwd"]), &json!("192.0.2.7")));
    let end = world.call("DELETE", &at(&format!("sessions/{first}")), &world.owner, None).await;
    assert_eq!(end.status, 204, "{}", end.text);
    assert_eq!(items("sessions").await.as_array().unwrap().iter().map(|s| s["id"].clone()).collect::<Vec<_>>(), [json!(second)]);
    assert_eq!(world.call("DELETE", &at(&format!("sessions/{first}")), &world.owner, None).await.status, 404);
    // tokens: found in the list, revoked by their id
    let (secret, id) = world.token_with_id(&person, true).await;
    assert_eq!(items("tokens").await[0]["id"], json!(id));
    assert_eq!(world.call("DELETE", &format!("/api/v1/tokens/{id}"), &world.owner, None).await.status, 204);
    assert!(items("tokens").await[0]["revoked_at"].is_string());
    assert_eq!(world.call("GET", "/api/v1/tokens", &secret, None).await.status, 401);
    // consents
    let client = world.client().await;
    consent::grant(&world.deps.db, &person, &client, &["openid".to_owned()], world.deps.clock.now()).await.unwrap();
    assert_eq!(items("consents").await[0]["scopes"], json!(["openid"]));
    assert_eq!(world.call("DELETE", &at(&format!("consents/{client}")), &world.owner, None).await.status, 204);
    assert_eq!(items("consents").await, json!([]));
    // one's own are there without any right, those of others are not
    let mine = world.token(&person, true).await;
    assert_eq!(world.call("GET", &at("sessions"), &mine, None).await.status, 200);
    assert_eq!(world.call("GET", &at("identities"), &mine, None).await.status, 403, "the directory is for administrators");
    assert_eq!(world.call("GET", &format!("/api/v1/people/{other}/sessions"), &mine, None).await.status, 403);
    // an identity that goes takes the sessions with it in which it was used
    let new = NewIdentity::parse("okta", "x", "").unwrap();
    let id = identities::link(&world.deps, &host(), &person, &new).await.unwrap();
    let gone = world.call("DELETE", &at(&format!("identities/{id}")), &world.owner, None).await;
    assert_eq!((gone.status, &gone.json["sessions"]), (200, &json!(0)), "the session rests on a password");
}

#[tokio::test]
async fn keys_are_listed_and_rotated() {
    let world = World::new().await;
    let list = async || world.call("GET", "/api/v1/keys", &world.owner, None).await.json["items"].as_array().unwrap().clone();
    let count = |keys: &[Value], state: &str| keys.iter().filter(|k| k["alg"] == "RS256" && k["state"] == state).count();
    let before = list().await;
    assert_eq!((count(&before, "active"), count(&before, "next")), (1, 0));
    assert!(before.iter().any(|k| k["purpose"] == "documents" && k["alg"] == "EdDSA"), "{before:?}");
    let made = world.call("POST", "/api/v1/keys", &world.owner, Some(json!({"alg": "RS256"}))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let after = list().await;
    assert!(after.iter().any(|k| k["kid"] == made.json["kid"] && k["state"] == "next"), "{after:?}");
    let again = world.call("POST", "/api/v1/keys", &world.owner, Some(json!({"alg": "RS256"}))).await;
    assert_eq!((again.status, &again.json["code"]), (409, &json!("key.rotating")));
    let fleet = world.call("POST", "/api/v1/keys", &world.owner, Some(json!({"alg": "EdDSA"}))).await;
    assert_eq!(fleet.status, 201, "{}", fleet.text);
    let rolled = list().await;
    assert!(rolled.iter().any(|k| k["kid"] == fleet.json["kid"] && k["purpose"] == "documents" && k["state"] == "next"));
    let unknown = world.call("POST", "/api/v1/keys", &world.owner, Some(json!({"alg": "HS256"}))).await;
    assert_eq!(unknown.status, 422, "{}", unknown.text);
    assert!(!serde_json::to_string(&after).unwrap().contains("\"d\""));
}

#[tokio::test]
async fn items_and_events_of_a_space() {
    let world = World::new().await;
    let (space, person) = (world.space().await, world.person().await);
    let now = world.deps.clock.now();
    let item = reports::ItemRow {
        section: "access".into(),
        item: format!("person/{person}"),
        state: "applied".into(),
        message: None,
        residual: r#"["1 API key","password"]"#.into(),
        updated_at: now,
    };
    odcm::run_tx!(world.deps.db, "test.reports", |tx| {
        reports::put_item(tx, &space, &item).await?;
        for n in 0..5 {
            reports::add_event(tx, &world.deps.entropy, &space, now, now, "drift", &json!({"item": format!("team/{n}")})).await?;
        }
        Ok::<_, odcm::storage::Error>(())
    })
    .unwrap();
    let items = world.call("GET", &format!("/api/v1/spaces/{space}/items"), &world.reader, None).await;
    assert_eq!(items.json["items"][0]["residual"], json!(["1 API key", "password"]), "{}", items.text);
    assert_eq!(items.json["items"][0]["person"], json!(person));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.call("GET", &format!("/api/v1/spaces/{space}/events?limit=2{after}"), &world.reader, None).await;
        assert_eq!(page.status, 200, "{}", page.text);
        seen.extend(page.json["items"].as_array().unwrap().iter().map(|e| e["detail"]["item"].as_str().unwrap().to_owned()));
        match page.json["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["team/4", "team/3", "team/2", "team/1", "team/0"], "newest first, each once");
    let wrong = world.call("GET", &format!("/api/v1/spaces/{space}/events?nonsense=1"), &world.reader, None).await;
    assert_eq!(wrong.status, 422);
    // the history of a Space is there for whoever may read the Space
    let history = world.call("GET", &format!("/api/v1/audit?space={space}"), &world.reader, None).await;
    assert_eq!(history.json["items"][0]["action"], "space.enlist", "{}", history.text);
}

#[tokio::test]
async fn external_groups_name_their_directory() {
    let world = World::new().await;
    let create = async |n: u32, provider: &str, id: &str| {
        let body = json!({"name": format!("G{n}"), "external": {"provider": provider, "external_id": id}});
        world.call("POST", "/api/v1/groups", &world.owner, Some(body)).await
    };
    let made = create(1, "entra", "0b9f-A").await;
    assert_eq!(made.status, 201);
    let group = world.call("GET", &format!("/api/v1/groups/{}", made.id()), &world.owner, None).await;
    assert_eq!(group.json["external"], json!({"provider": "entra", "external_id": "0b9f-A"}));
    assert_eq!(create(2, "entra", "0b9f-A").await.json["code"], "group.external_taken");
    for (provider, id, field) in
        [("En tra", "x", "external.provider"), ("entra", " x", "external.external_id"), ("entra", "", "external.external_id")]
    {
        let answer = create(3, provider, id).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{}", answer.text);
    }
    // nobody is put into it by hand
    let path = format!("/api/v1/groups/{}/members/people/{}", made.id(), world.person().await);
    assert_eq!(world.call("PUT", &path, &world.owner, Some(json!({}))).await.status, 409);
}
