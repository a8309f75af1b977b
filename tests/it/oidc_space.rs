//! Spaces and machines at the token endpoint, and what bad clients get.

use crate::oidc_world::{ORIGIN, SPACE_CALLBACK, World, claims, client_id, query, root, world};
use axum::http::StatusCode;
use odcm::accounts::groups::{self, NewGroup};
use odcm::accounts::{clients, grants, memberships};
use odcm::core::directory::{Span, Subject};
use odcm::core::text::DisplayName;
use odcm::run_tx;
use odcm::storage::groups::GroupKind;
use odcm::storage::{STATEMENTS, adoption, clients as client_rows, reports};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_space_gets_what_it_recorded_itself_and_no_group() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    world.link(true, false).await;
    let mut bob = world.bob().await;
    let to = bob.get(&World::authorize_space()).await.location().to_owned();
    assert!(to.starts_with(SPACE_CALLBACK), "{to}");
    assert_eq!(query(&to, "state").as_deref(), Some(r#"{"RedirectAfterLoginTo":"/"}"#));
    let code = query(&to, "code").unwrap();
    // Octopus rebuilds the redirect URI: any registered one will do (rules B8)
    let tokens = world.redeem_space(&code, "https://mars.example.com/api/users/authenticatedToken/GenericOidc").await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert!(tokens.json.as_object().unwrap().values().all(|v| v.is_string() || v.is_number()));
    let id = claims(tokens.text("id_token"));
    assert_eq!((&id["email"], &id["name"]), (&json!("bob@mars.example.com"), &json!("Bob of Mars")));
    assert_eq!((&id["preferred_username"], &id["aud"]), (&json!("bob.mars"), &json!("mars")));
    assert!(id.get("groups").is_none() && id.get("role").is_none() && id.get("nonce").is_none());
    assert_eq!(tokens.text("refresh_token"), "");
    assert_eq!(claims(tokens.text("access_token"))["aud"], json!(ORIGIN));
    let info = world.userinfo(tokens.text("access_token")).await;
    assert_eq!((&info.json["email"], info.json.get("groups")), (&json!("bob@mars.example.com"), None));
}

#[tokio::test]
async fn whoever_may_not_enter_gets_a_page_that_leads_back() {
    let world = world().await;
    world.space_secret().await;
    let mut bob = world.bob().await;
    let mut refused = Vec::new();
    refused.push(bob.get(&World::authorize_space()).await); // no grant
    world.grant().await;
    refused.push(bob.get(&World::authorize_space()).await); // no link
    world.link(false, false).await;
    refused.push(bob.get(&World::authorize_space()).await); // not active yet
    world.link(false, true).await;
    refused.push(bob.get(&World::authorize_space()).await); // disabled there
    for page in &refused {
        assert_eq!((page.status, page.location()), (StatusCode::FORBIDDEN, ""));
        assert!(page.text.contains("error=access_denied") && page.text.contains("error_description="), "{}", page.text);
        assert!(page.text.contains("Mars"), "{}", page.text);
    }
    assert!(refused[0].text.contains("no access") && refused[1].text.contains("prepared"));
    assert!(refused[2].text.contains("prepared") && refused[3].text.contains("disabled inside"));
    let silent = bob.get(&format!("{}&prompt=none", World::authorize_space())).await;
    assert_eq!(query(silent.location(), "error").as_deref(), Some("access_denied"));
    world.link(true, false).await;
    assert!(query(bob.get(&World::authorize_space()).await.location(), "code").is_some());
}

#[tokio::test]
async fn the_refusal_says_what_the_launcher_says() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    let mut bob = world.bob().await;
    let mut both = async |says: &str, says_not: &str| {
        for page in [bob.get("/").await, bob.get(&World::authorize_space()).await] {
            let text = page.text.to_lowercase();
            assert!(text.contains(says) && !text.contains(says_not), "{says}: {}", page.text);
        }
    };
    let (prepared, waiting) = ("being prepared", "waiting for an administrator");
    both(prepared, waiting).await;
    let decide = async |decision: Option<&str>| {
        let done: Result<(), odcm::storage::Error> = run_tx!(world.deps.db, "test.adoption", |tx| {
            adoption::put(tx, &world.space, &world.bob, "Users-7", "{}", world.deps.clock.now()).await?;
            if let Some(text) = decision {
                adoption::decide(tx, &world.space, &world.bob, text, "Ada", world.deps.clock.now()).await?;
            }
            Ok(())
        });
        done.unwrap();
    };
    decide(None).await;
    both(waiting, prepared).await;
    both("an administrator has to confirm that", prepared).await;
    // decided: now the agent does it
    decide(Some("{\"decision\":\"create_new\"}")).await;
    both(prepared, waiting).await;
}

#[tokio::test]
async fn a_revocation_holds_from_the_commit_on() {
    let world = world().await;
    world.space_secret().await;
    let grant = world.grant().await;
    world.link(true, false).await;
    let mut bob = world.bob().await;
    let code = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    let used = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    let tokens = world.redeem_space(&used, SPACE_CALLBACK).await;
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
    grants::revoke(&world.deps, &root(), &grant, None).await.unwrap();
    assert_eq!(world.redeem_space(&code, SPACE_CALLBACK).await.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get(&World::authorize_space()).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_account_disabled_inside_the_space_is_refused_at_redemption() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    world.link(true, false).await;
    let mut bob = world.bob().await;
    let code = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    world.link(true, true).await;
    assert_eq!(world.redeem_space(&code, SPACE_CALLBACK).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_of_another_client_is_worth_nothing_and_stays_good() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    world.link(true, false).await;
    let mut bob = world.bob().await;
    let code = world.code(&mut bob, "openid").await;
    assert_eq!(world.redeem_space(&code, SPACE_CALLBACK).await.error(), (400, "invalid_grant"));
    assert_eq!(world.redeem(&code).await.status, StatusCode::OK);
    // and showing it again is no reason to take anything from the client it was for
    let code = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    let tokens = world.redeem_space(&code, SPACE_CALLBACK).await;
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn time_alone_closes_refresh_and_userinfo() {
    let world = world().await;
    let new =
        NewGroup { name: DisplayName::parse("name", "Passengers").unwrap(), description: String::new(), kind: GroupKind::Local };
    let group = groups::create(&world.deps, &root(), new).await.unwrap();
    let until = world.deps.clock.now().plus_secs(30);
    let span = Span { from: None, until: Some(until) };
    memberships::add(&world.deps, &root(), &group, &Subject::Person(world.bob.clone()), span).await.unwrap();
    let edit = clients::EditClient { groups: Some([group].into()), ..clients::EditClient::default() };
    clients::edit(&world.deps, &root(), &client_id("app"), None, edit).await.unwrap();
    let mut bob = world.bob().await;
    let tokens = world.redeem(&world.code(&mut bob, "openid+offline_access").await).await;
    let code = world.code(&mut bob, "openid").await;
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
    // no job runs here: nothing was revoked yet when the span has ended
    world.deps.hand.advance_ms(30_000);
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(world.refresh(tokens.text("refresh_token")).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_dead_code_proves_the_secret_and_redeems_nothing() {
    let world = world().await;
    world.space_secret().await;
    let mars = client_id("mars");
    let proven = async || client_rows::secrets(&mut &world.deps.db, &mars).await.unwrap()[0].proven_at;
    let code = clients::probe_code(&world.deps, &mars).unwrap();
    let wrong = [("grant_type", "authorization_code"), ("code", &code), ("client_id", "mars"), ("client_secret", "wrong")];
    assert_eq!(world.post("/oauth2/token", None, &wrong).await.error(), (401, "invalid_client"));
    assert_eq!(proven().await, None);
    let elsewhere = clients::probe_code(&world.deps, &client_id("app")).unwrap();
    assert_eq!(world.redeem_space(&elsewhere, SPACE_CALLBACK).await.error(), (400, "invalid_grant"));
    assert_eq!(proven().await, None, "a probe of another client proves nothing");
    assert_eq!(world.redeem_space(&code, SPACE_CALLBACK).await.error(), (400, "invalid_grant"));
    assert_eq!(proven().await, Some(world.deps.clock.now()));
    let event = reports::newest_event(&mut &world.deps.db, &world.space, "probe").await.unwrap();
    assert!(event.is_some());
    world.deps.hand.advance_ms(600_000);
    world.redeem_space(&code, SPACE_CALLBACK).await;
    assert_ne!(proven().await, Some(world.deps.clock.now()), "too old");
}

#[tokio::test]
async fn a_machine_gets_a_token_for_itself_with_one_statement() {
    let world = world().await;
    let ask = async |scope: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_id", "machine"),
            ("client_secret", &world.machine_secret),
        ];
        world.post("/oauth2/token", None, &form).await
    };
    let ours = "FROM client c LEFT JOIN client_secret s ON";
    let count = || STATEMENTS.iter().filter(|s| s.sql.contains(ours)).map(|s| s.runs.load(Ordering::SeqCst)).sum::<u64>();
    let before = count();
    let tokens = ask("read").await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert!(count() > before);
    let token = claims(tokens.text("access_token"));
    assert_eq!(
        (&token["sub"], &token["client_id"], &token["aud"]),
        (&json!("machine"), &json!("machine"), &json!("https://api.example.com"))
    );
    assert_eq!((&token["scope"], tokens.text("id_token"), tokens.text("refresh_token")), (&json!("read"), "", ""));
    assert_eq!(ask("").await.text("scope"), "read write");
    assert_eq!(ask("read admin").await.error(), (400, "invalid_scope"));
    assert_eq!(ask("openid").await.error(), (400, "invalid_scope"));
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn token_errors_have_their_shape() {
    let world = world().await;
    let good = Some(("app", world.app_secret.as_str()));
    let grant = ("grant_type", "authorization_code");
    let long = "x".repeat(20_000);
    for (basic, form, expected) in [
        (None, vec![grant], (401, "invalid_client")),
        (Some(("app", "wrong")), vec![grant], (401, "invalid_client")),
        (Some(("nobody", "wrong")), vec![grant], (401, "invalid_client")),
        (Some(("mars", "")), vec![grant], (401, "invalid_client")),
        (None, vec![grant, ("client_id", "app"), ("client_secret", "wrong")], (401, "invalid_client")),
        // the secret may be in the body as well: then only the code is missing
        (None, vec![grant, ("client_id", "app"), ("client_secret", world.app_secret.as_str())], (400, "invalid_request")),
        (None, vec![grant, ("client_id", "app")], (401, "invalid_client")),
        (good, vec![grant, ("client_secret", "x")], (400, "invalid_request")),
        (good, vec![], (400, "invalid_request")),
        (good, vec![grant], (400, "invalid_request")),
        (good, vec![grant, grant], (400, "invalid_request")),
        (good, vec![("grant_type", "password")], (400, "unsupported_grant_type")),
        (good, vec![("grant_type", "client_credentials")], (400, "unauthorized_client")),
        (good, vec![("grant_type", "refresh_token")], (400, "invalid_request")),
        (good, vec![grant, ("code", long.as_str())], (400, "invalid_request")),
    ] {
        let reply = world.post("/oauth2/token", basic, &form).await;
        assert_eq!(reply.error(), expected, "{basic:?} {:.200}", format!("{form:?}"));
        assert!(!reply.text("error_description").is_empty());
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("www-authenticate").starts_with("Basic"), expected.0 == 401);
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert_eq!(reply.header("access-control-allow-credentials"), "");
    }
    let json = world.call("POST", "/oauth2/token", &[("content-type", "application/json")], "{}".into()).await;
    assert_eq!(json.error(), (400, "invalid_request"));
    let wrong = world.call("GET", "/oauth2/userinfo", &[], String::new()).await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (StatusCode::UNAUTHORIZED, r#"Bearer realm="odcm""#));
}

#[tokio::test]
async fn two_secrets_are_valid_while_one_replaces_the_other() {
    let world = world().await;
    let app = client_id("app");
    let valid = async |secret: &str| {
        let reply = world.post("/oauth2/token", Some(("app", secret)), &[("grant_type", "authorization_code")]).await;
        reply.error() == (400, "invalid_request")
    };
    let first = world.app_secret.clone();
    let second = clients::rotate_secret(&world.deps, &root(), &app, false).await.unwrap();
    assert!(valid(&first).await && valid(&second).await);
    let third = clients::rotate_secret(&world.deps, &root(), &app, false).await.unwrap();
    assert!(!valid(&first).await && valid(&second).await && valid(&third).await, "at most two");
    world.deps.hand.advance_ms(clients::SECRET_OVERLAP_S * 1000);
    assert!(!valid(&second).await && valid(&third).await);
    let fourth = clients::rotate_secret(&world.deps, &root(), &app, true).await.unwrap();
    assert!(!valid(&third).await && valid(&fourth).await);
}

#[tokio::test]
async fn discovery_says_what_there_is() {
    let world = world().await;
    let one = world.call("GET", "/.well-known/openid-configuration", &[], String::new()).await;
    let two = world.call("GET", "/.well-known/oauth-authorization-server", &[], String::new()).await;
    assert_eq!(one.json, two.json);
    assert_eq!(one.json["issuer"], json!(ORIGIN));
    assert_eq!(one.header("access-control-allow-origin"), "*");
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "end_session_endpoint",
    ] {
        let address = one.json[name].as_str().unwrap();
        let path = address.strip_prefix(ORIGIN).unwrap();
        assert!(!address.contains('?'), "Octopus adds its own");
        let reply = world.call("GET", path, &[], String::new()).await;
        assert_ne!(reply.status, StatusCode::NOT_FOUND, "{path}");
    }
    let set = world.call("GET", "/oauth2/jwks", &[], String::new()).await;
    for key in set.json["keys"].as_array().unwrap() {
        assert!(key.get("x5c").is_none() && key.get("d").is_none() && key["kid"].as_str().unwrap().len() == 43);
    }
    let pre = world.call("OPTIONS", "/oauth2/token", &[("origin", "https://spa.example.com")], String::new()).await;
    assert_eq!((pre.status, pre.header("access-control-allow-headers")), (StatusCode::NO_CONTENT, "Authorization, Content-Type"));
}
