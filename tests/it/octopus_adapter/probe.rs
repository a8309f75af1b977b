//! The probe: the stand-in redeems a dead code with its own secret, and a token endpoint sees it.

use super::hands::Hands;
use super::strict;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use odcm_space_plugin::{AdapterError, AuthenticationSetUp, SpaceAdapter};
use odcm_tests::standins::octopus::Version;
use odcm_wire::latest::AuthenticationState;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Requests = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// A provider that knows no code; answers its issuer and the token requests it saw.
async fn provider() -> (String, Requests) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let seen = Requests::default();
    let discovery: Value = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
    });
    let token = |State(seen): State<Requests>, Form(form): Form<BTreeMap<String, String>>| async move {
        seen.lock().unwrap().push(form);
        (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant", "error_description": "dead"})))
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
        .route("/token", post(token))
        .with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (issuer, seen)
}

fn set_up(issuer: &str, secret: &str) -> AuthenticationSetUp {
    let state = AuthenticationState {
        issuer: issuer.into(),
        client_id: "space-mars".into(),
        display_name: "ODCM".into(),
        secret_generation: 1,
    };
    AuthenticationSetUp { state, client_secret: Some(secret.into()) }
}

#[tokio::test]
async fn the_server_proves_its_secret() {
    for (version, settings) in [(Version::OLDEST, "Okta"), (Version::new(2025, 4, 1), "GenericOidc")] {
        let (issuer, seen) = provider().await;
        let hands = Hands::start(version, strict()).await;
        hands.adapter.set_authentication(&set_up(&issuer, "s3cret-one")).await.unwrap();
        hands.adapter.probe_sign_in("DEAD+/= code").await.unwrap();
        hands.adapter.set_authentication(&set_up(&issuer, "s3cret-two")).await.unwrap();
        hands.adapter.probe_sign_in("second").await.unwrap();
        let requests = seen.lock().unwrap().clone();
        assert_eq!(requests.len(), 2, "{requests:?}");
        for (request, code, secret) in [(&requests[0], "DEAD+/= code", "s3cret-one"), (&requests[1], "second", "s3cret-two")] {
            assert_eq!(request["grant_type"], "authorization_code");
            assert_eq!((request["code"].as_str(), request["client_secret"].as_str()), (code, secret));
            assert_eq!(request["client_id"], "space-mars");
            assert_eq!(request["redirect_uri"], format!("{}/api/users/authenticatedToken/{settings}", hands.standin.url()));
            assert!(request["code_verifier"].len() >= 43);
        }
        assert!(hands.standin.snapshot().sessions.len() == 1, "the probe signs nobody in");
    }
}

#[tokio::test]
async fn the_key_is_not_part_of_the_probe() {
    let (issuer, _) = provider().await;
    let hands = Hands::start(Version::OLDEST, strict()).await;
    hands.adapter.set_authentication(&set_up(&issuer, "s3cret")).await.unwrap();
    hands.adapter.probe_sign_in("dead").await.unwrap();
    let seen = hands.standin.seen();
    let part = seen.iter().filter(|seen| seen.path.contains("authenticate/") || seen.path.contains("authenticatedToken"));
    let callers: Vec<_> = part.map(|seen| seen.user_id.clone()).collect();
    assert_eq!(callers, [None, None]);
}

#[tokio::test]
async fn a_probe_of_a_disabled_provider_says_so() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let error = hands.adapter.probe_sign_in("dead").await.unwrap_err();
    assert!(matches!(&error, AdapterError::Invalid(text) if text.contains("disabled")), "{error:?}");
}

/// A provider that cannot be reached: the server cannot start a sign-in, which is no success.
#[tokio::test]
async fn a_probe_with_an_unreachable_issuer_fails() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    hands.adapter.set_authentication(&set_up("http://127.0.0.1:9", "s3cret")).await.unwrap();
    let error = hands.adapter.probe_sign_in("dead").await.unwrap_err();
    assert!(matches!(error, AdapterError::Invalid(_) | AdapterError::Unavailable { .. }), "{error:?}");
}
