//! The authorization code flow of an application: requests, pages, tokens, userinfo, refresh, revocation, sign-out.

use crate::oidc_world::{BYE, CALLBACK, ORIGIN, World, claims, client_id, query, root, world};
use axum::http::StatusCode;
use odcm::accounts::clients::{EditClient, edit};
use odcm::accounts::{keys, people};
use odcm::core::keyset::Alg;
use odcm::crypto::jose::Typ;
use serde_json::json;

#[tokio::test]
async fn a_person_signs_in_to_an_application() {
    let world = world().await;
    let mut bob = world.visitor();
    let page = bob.open(&World::authorize("scope=openid+profile+email+groups+offline_access")).await;
    let back = world.sign_in(&mut bob, page).await;
    let to = back.location().to_owned();
    assert!(to.starts_with(CALLBACK), "{to} {}", back.text);
    assert_eq!(query(&to, "state").as_deref(), Some("xyz"));
    assert_eq!(query(&to, "iss").as_deref(), Some(ORIGIN), "RFC 9207");
    let tokens = world.redeem(&query(&to, "code").unwrap()).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert_eq!((tokens.header("cache-control"), tokens.header("access-control-allow-origin")), ("no-store", "*"));
    assert!(tokens.json.as_object().unwrap().values().all(|v| v.is_string() || v.is_number()), "flat");
    assert_eq!((tokens.text("token_type"), &tokens.json["expires_in"]), ("Bearer", &json!(300)));

    let ring = keys::ring(&world.deps).await;
    assert!(ring.verify(tokens.text("id_token"), Typ::Jwt).is_some());
    assert!(ring.verify(tokens.text("access_token"), Typ::AccessToken).is_some());
    let (id, access) = (claims(tokens.text("id_token")), claims(tokens.text("access_token")));
    let now = world.deps.clock.now().secs();
    for (name, expected) in [
        ("iss", json!(ORIGIN)),
        ("aud", json!("app")),
        ("nonce", json!("n-1")),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
        ("auth_time", json!(now)),
        ("amr", json!(["pwd"])),
        ("acr", json!("1")),
        ("email", json!("bob@example.com")),
        ("email_verified", json!(true)),
        ("name", json!("Bob Specialist")),
        ("preferred_username", json!("bob")),
        ("groups", json!([])),
    ] {
        assert_eq!(id[name], expected, "{name}");
    }
    assert!(id["sid"].is_string() && id["at_hash"].is_string());
    assert_ne!(id["sub"], json!(world.bob), "the subject is not the primary key");
    assert_eq!((&access["client_id"], &access["aud"], &access["sub"]), (&json!("app"), &json!(ORIGIN), &id["sub"]));
    let info = world.userinfo(tokens.text("access_token")).await;
    assert_eq!((&info.json["sub"], &info.json["email"]), (&id["sub"], &json!("bob@example.com")));

    // a second client needs no second sign-in, and the same session has one sid per client
    let again = world.redeem(&world.code(&mut bob, "openid").await).await;
    assert_eq!(claims(again.text("id_token"))["sid"], id["sid"]);
    assert_eq!(again.text("refresh_token"), "", "no refresh token without offline_access");
    assert!(claims(again.text("id_token")).get("email").is_none());
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_registered() {
    let world = world().await;
    let mut bob = world.bob().await;
    let good = World::authorize("scope=openid");
    let app = |enabled| EditClient { enabled: Some(enabled), ..EditClient::default() };
    for bad in [
        good.replace("client_id=app", "client_id=nobody"),
        good.replace("client_id=app", "client_id=app&client_id=app"),
        good.replace("client_id=app&", ""),
        good.replace("%2Fcb", "%2Fcb%2F"),
        good.replace("app.example.com", "evil.example.com"),
        format!("{good}&redirect_uri=https%3A%2F%2Fevil.example.com"),
        good.replace("redirect_uri=", "redirect="),
        format!("{good}&x={}", "a".repeat(20_000)),
    ] {
        let answer = bob.get(&bad).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, ""), "{bad:.200}");
        assert!(!answer.text.contains("evil.example.com"), "nothing of the request is repeated");
    }
    edit(&world.deps, &root(), &client_id("app"), None, app(false)).await.unwrap();
    assert_eq!(bob.get(&good).await.status, StatusCode::BAD_REQUEST, "disabled");
    edit(&world.deps, &root(), &client_id("app"), None, app(true)).await.unwrap();
    for (bad, error) in [
        (good.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
        (good.replace("S256", "plain"), "invalid_request"),
        (good.replace("code_challenge=", "x="), "invalid_request"),
        (format!("{good}&prompt=none+login"), "invalid_request"),
        (format!("{good}&request=x"), "request_not_supported"),
        (format!("{good}&request_uri=x"), "request_uri_not_supported"),
        (format!("{good}&scope=email"), "invalid_request"),
        (good.replace("scope=openid", "scope=nothing"), "invalid_scope"),
        (format!("{good}&response_mode=fragment"), "invalid_request"),
        (good.replace("state=xyz", "state=xyz&nonce=%07").replace("nonce=n-1", "x=1"), "invalid_request"),
    ] {
        let to = bob.get(&bad).await.location().to_owned();
        assert!(to.starts_with(CALLBACK), "{bad}");
        assert_eq!(query(&to, "error").as_deref(), Some(error), "{bad}");
        assert_eq!((query(&to, "state").as_deref(), query(&to, "iss").as_deref()), (Some("xyz"), Some(ORIGIN)));
        assert!(query(&to, "error_description").is_some() && query(&to, "code").is_none());
    }
    let to = bob.get(&format!("{good}&state=again")).await.location().to_owned();
    assert_eq!((query(&to, "error").as_deref(), query(&to, "state")), (Some("invalid_request"), None));
}

#[tokio::test]
async fn prompts_and_ages() {
    let world = world().await;
    let silent = World::authorize("scope=openid&prompt=none");
    let error = |to: &str| query(to, "error");
    assert_eq!(error(world.visitor().get(&silent).await.location()).as_deref(), Some("login_required"));
    let mut bob = world.bob().await;
    let first = world.redeem(&query(bob.get(&silent).await.location(), "code").unwrap()).await;
    world.deps.hand.advance_ms(61_000);
    assert_eq!(error(bob.get(&format!("{silent}&max_age=60")).await.location()).as_deref(), Some("login_required"));
    assert!(query(bob.get(&format!("{silent}&max_age=61")).await.location(), "code").is_some());
    for more in ["prompt=login", "prompt=select_account", "max_age=60"] {
        let answer = bob.get(&World::authorize(&format!("scope=openid&{more}"))).await;
        assert!(answer.location().starts_with("/login/"), "{more}: {}", answer.location());
    }
    let hint = first.text("id_token");
    assert!(query(bob.get(&format!("{silent}&id_token_hint={hint}")).await.location(), "code").is_some());
    let stranger = first.text("access_token");
    let refused = bob.get(&format!("{silent}&id_token_hint={stranger}")).await;
    assert_eq!(error(refused.location()).as_deref(), Some("login_required"), "an access token is no hint");
    // prompt=login: the ID token proves the new sign-in
    let page = bob.open(&World::authorize("scope=openid&prompt=login&login_hint=bob")).await;
    let back = if page.text.contains("/identify\"") {
        world.sign_in(&mut bob, page).await
    } else {
        bob.submit(&page, "/password", &[("password", "correct horse battery")]).await
    };
    let tokens = world.redeem(&query(back.location(), "code").expect(&back.text)).await;
    assert_eq!(claims(tokens.text("id_token"))["auth_time"], json!(world.deps.clock.now().secs()));
}

#[tokio::test]
async fn consent_is_asked_once_and_a_no_is_told() {
    let world = world().await;
    let id = client_id("app");
    let mut settings = odcm::accounts::clients::view(&world.deps, &root(), &id).await.unwrap().0.settings;
    settings.first_party = false;
    let change = EditClient { settings: Some(settings), ..EditClient::default() };
    edit(&world.deps, &root(), &id, None, change).await.unwrap();
    let mut bob = world.bob().await;
    let silent = bob.get(&World::authorize("scope=openid+email&prompt=none")).await;
    assert_eq!(query(silent.location(), "error").as_deref(), Some("consent_required"));
    let page = bob.open(&World::authorize("scope=openid+email")).await;
    assert!(page.text.contains("APP"), "{}", page.text);
    let back = bob.submit(&page, "/consent", &[("decision", "deny")]).await;
    assert_eq!(query(back.location(), "error").as_deref(), Some("access_denied"), "{} {}", back.location(), back.text);
    let page = bob.open(&World::authorize("scope=openid+email")).await;
    let back = bob.submit(&page, "/consent", &[("decision", "allow")]).await;
    assert!(query(back.location(), "code").is_some(), "{} {}", back.location(), back.text);
    let silent = bob.get(&World::authorize("scope=openid+email&prompt=none")).await;
    assert!(query(silent.location(), "code").is_some(), "remembered");
    let more = bob.get(&World::authorize("scope=openid+email+groups&prompt=none")).await;
    assert_eq!(query(more.location(), "error").as_deref(), Some("consent_required"), "for what was asked only");
    let again = bob.get(&World::authorize("scope=openid+email&prompt=consent")).await;
    assert!(again.location().starts_with("/login/"), "asked again");
}

#[tokio::test]
async fn codes_are_for_one_client_once_in_time_with_their_verifier() {
    let world = world().await;
    let mut bob = world.bob().await;
    let app = Some(("app", world.app_secret.as_str()));
    let code = world.code(&mut bob, "openid").await;
    // another client cannot spend it, and does not spoil it
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("client_id", "machine"),
        ("client_secret", &world.machine_secret),
    ];
    assert_eq!(world.post("/oauth2/token", None, &form).await.error(), (400, "unauthorized_client"));
    assert_eq!(world.redeem(&code).await.status, StatusCode::OK);
    let wrong = "a".repeat(43);
    for (redirect, verifier, error) in [
        (CALLBACK, Some(wrong.as_str()), "invalid_grant"),
        (CALLBACK, None, "invalid_request"),
        ("https://app.example.com/cb/", Some(crate::oidc_world::VERIFIER), "invalid_grant"),
        ("", Some(crate::oidc_world::VERIFIER), "invalid_request"),
    ] {
        let code = world.code(&mut bob, "openid").await;
        let mut form = vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect)];
        form.extend(verifier.map(|v| ("code_verifier", v)));
        let refused = world.post("/oauth2/token", app, &form).await;
        assert_eq!(refused.error(), (400, error), "{redirect} {verifier:?}");
        assert!(!refused.text("error_description").is_empty());
        assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"), "one attempt only");
    }
    let code = world.code(&mut bob, "openid").await;
    world.deps.hand.advance_ms(60_000);
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"), "expired");
    assert_eq!(world.redeem("nonsense").await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_replayed_code_revokes_what_was_issued_for_it() {
    let world = world().await;
    let mut bob = world.bob().await;
    let code = world.code(&mut bob, "openid+offline_access").await;
    let tokens = world.redeem(&code).await;
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));
    let dead = world.userinfo(tokens.text("access_token")).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);
    assert!(dead.header("www-authenticate").contains("invalid_token"));
    assert_eq!(world.refresh(tokens.text("refresh_token")).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_ends_with_the_session() {
    let world = world().await;
    let mut bob = world.bob().await;
    let most = world.deps.settings.sign_in.session_max * 1000;
    // kept in use until shortly before its end
    let step = world.deps.settings.sign_in.session_idle * 1000 - 60_000;
    let mut left = most - 20_000;
    while left > 0 {
        world.deps.hand.advance_ms(left.min(step));
        left -= step;
        assert_eq!(bob.get("/account").await.status, StatusCode::OK);
    }
    let (good, late) = (world.code(&mut bob, "openid").await, world.code(&mut bob, "openid").await);
    assert_eq!(world.redeem(&good).await.status, StatusCode::OK);
    world.deps.hand.advance_ms(21_000);
    assert_eq!(world.redeem(&late).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_client_that_is_disabled_during_the_sign_in_gets_no_code() {
    let world = world().await;
    let mut bob = world.visitor();
    let page = bob.open(&World::authorize("scope=openid")).await;
    let off = EditClient { enabled: Some(false), ..EditClient::default() };
    edit(&world.deps, &root(), &client_id("app"), None, off).await.unwrap();
    let back = world.sign_in(&mut bob, page).await;
    assert!(!back.location().starts_with(CALLBACK), "{}", back.location());
}

#[tokio::test]
async fn eight_at_once_redeem_a_code_once() {
    let world = world().await;
    let mut bob = world.bob().await;
    let code = world.code(&mut bob, "openid").await;
    let answers = futures_util::future::join_all((0..8).map(|_| world.redeem(&code))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::OK).count(), 1);
    assert!(answers.iter().all(|a| a.status == StatusCode::OK || a.error() == (400, "invalid_grant")), "{answers:?}");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_kills_the_family() {
    let world = world().await;
    let mut bob = world.bob().await;
    let first = world.redeem(&world.code(&mut bob, "openid+email+offline_access").await).await;
    world.deps.hand.advance_ms(1000);
    let second = world.refresh(first.text("refresh_token")).await;
    assert_eq!(second.status, StatusCode::OK, "{second:?}");
    assert_ne!(second.text("refresh_token"), first.text("refresh_token"));
    let (old, new) = (claims(first.text("id_token")), claims(second.text("id_token")));
    assert_eq!((&new["sub"], &new["auth_time"], &new["aud"]), (&old["sub"], &old["auth_time"], &old["aud"]));
    assert!(new.get("nonce").is_none());
    let form = [("grant_type", "refresh_token"), ("refresh_token", second.text("refresh_token")), ("scope", "openid groups")];
    assert_eq!(world.post("/oauth2/token", Some(("app", &world.app_secret)), &form).await.error(), (400, "invalid_scope"));
    assert_eq!(world.refresh(first.text("refresh_token")).await.error(), (400, "invalid_grant"), "used before");
    assert_eq!(world.refresh(second.text("refresh_token")).await.error(), (400, "invalid_grant"), "the family is dead");
    assert_eq!(world.userinfo(second.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_disabled_person_gets_nothing_more() {
    let world = world().await;
    let mut bob = world.bob().await;
    let tokens = world.redeem(&world.code(&mut bob, "openid+offline_access").await).await;
    let code = world.code(&mut bob, "openid").await;
    people::disable(&world.deps, &root(), &world.bob, "manual").await.unwrap();
    assert_eq!(world.redeem(&code).await.error(), (400, "invalid_grant"));
    assert_eq!(world.refresh(tokens.text("refresh_token")).await.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    let silent = bob.get(&World::authorize("scope=openid&prompt=none")).await;
    assert_eq!(query(silent.location(), "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn revocation() {
    let world = world().await;
    let mut bob = world.bob().await;
    let app = Some(("app", world.app_secret.as_str()));
    let tokens = world.redeem(&world.code(&mut bob, "openid+offline_access").await).await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    for token in [access, refresh] {
        let form = [("token", token), ("client_id", "machine"), ("client_secret", &world.machine_secret)];
        assert_eq!(world.post("/oauth2/revoke", None, &form).await.error(), (400, "unauthorized_client"));
    }
    assert_eq!(world.post("/oauth2/revoke", None, &[("token", access)]).await.error(), (401, "invalid_client"));
    assert_eq!(world.post("/oauth2/revoke", app, &[("token", "unknown")]).await.status, StatusCode::OK);
    assert_eq!(world.userinfo(access).await.status, StatusCode::OK);
    assert_eq!(world.post("/oauth2/revoke", app, &[("token", access)]).await.status, StatusCode::OK);
    assert_eq!(world.userinfo(access).await.status, StatusCode::UNAUTHORIZED);
    let next = world.refresh(refresh).await;
    assert_eq!(world.post("/oauth2/revoke", app, &[("token", next.text("refresh_token"))]).await.status, StatusCode::OK);
    assert_eq!(world.refresh(next.text("refresh_token")).await.error(), (400, "invalid_grant"));
    assert_eq!(world.userinfo(next.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_from_an_application() {
    let world = world().await;
    let mut bob = world.bob().await;
    let tokens = world.redeem(&world.code(&mut bob, "openid").await).await;
    let hint = tokens.text("id_token").to_owned();
    let bye: String = url::form_urlencoded::byte_serialize(BYE.as_bytes()).collect();
    let evil =
        bob.get(&format!("/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri=https%3A%2F%2Fevil.example.com")).await;
    assert_eq!(evil.status, StatusCode::BAD_REQUEST);
    let other = bob.get(&format!("/oauth2/logout?id_token_hint={hint}&client_id=machine")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    // without a hint the person is asked
    let mut second = world.bob().await;
    let page = second.get(&format!("/oauth2/logout?client_id=app&post_logout_redirect_uri={bye}&state=s")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let fields = [("client_id", "app"), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let done = second.submit(&page, "/confirm", &fields).await;
    assert_eq!(done.location(), format!("{BYE}?state=s"));
    // with one the session ends at once, and what was issued under it
    let done = bob.get(&format!("/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={bye}&state=s")).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, format!("{BYE}?state=s").as_str()));
    assert_eq!(world.userinfo(tokens.text("access_token")).await.status, StatusCode::UNAUTHORIZED);
    let silent = bob.get(&World::authorize("scope=openid&prompt=none")).await;
    assert_eq!(query(silent.location(), "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn keys_rotate_without_a_moment_in_which_a_token_cannot_be_checked() {
    let world = world().await;
    let mut bob = world.bob().await;
    let kids = async || {
        let set = world.call("GET", "/oauth2/jwks", &[], String::new()).await;
        assert_eq!(set.header("cache-control"), "public, max-age=300");
        set.json["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let kid = |token: &str| {
        let header: serde_json::Value =
            serde_json::from_slice(&odcm::crypto::hash::unb64(token.split('.').next().unwrap()).unwrap()).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    let before = world.redeem(&world.code(&mut bob, "openid").await).await;
    let old = kid(before.text("id_token"));
    assert_eq!(kids().await.len(), 2, "RS256 and ES256; the fleet key is not published");
    let new = keys::rotate(&world.deps, &root(), Alg::Rs256).await.unwrap();
    assert!(keys::rotate(&world.deps, &root(), Alg::Rs256).await.is_err(), "one rotation at a time");
    assert!(kids().await.contains(&new), "published at once");
    let during = world.redeem(&world.code(&mut bob, "openid").await).await;
    assert_eq!(kid(during.text("id_token")), old, "but it does not sign yet");
    world.deps.hand.advance_ms(keys::LEAD_S * 1000);
    let after = world.redeem(&world.code(&mut bob, "openid").await).await;
    assert_eq!(kid(after.text("id_token")), new);
    assert!(kids().await.contains(&old), "what it signed may still be checked");
    world.deps.hand.advance_ms(world.deps.settings.tokens.key_overlap * 1000 + 31_000);
    assert!(!kids().await.contains(&old), "and then it goes");
}
