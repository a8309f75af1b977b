//! Signing in through a provider that is set up while the program runs.

use crate::login_world::{World, world};
use crate::upstream_op::{FAULTS, Fault, Op};
use crate::visitor::{Answer, Visitor};
use axum::http::StatusCode;
use odcm::accounts::joining::{self, Verdict};
use odcm::accounts::{identities, people, providers};
use odcm::core::policy::Actor;
use odcm::core::provider::{ClientAuth, Creation, OidcSettings, Provider, Settings};
use serde_json::json;
use url::Url;

pub fn root() -> Actor {
    Actor::system("test")
}

pub fn provider(op: &Op, change: impl FnOnce(&mut Provider)) -> Provider {
    let mut provider = Provider {
        id: "okta".into(),
        name: "Solar Okta".into(),
        settings: Settings::Oidc(OidcSettings {
            issuer: op.issuer(),
            client_id: "odcm".into(),
            client_auth: ClientAuth::ClientSecretPost,
            scopes: ["profile".to_owned(), "email".to_owned()].into(),
            userinfo: true,
            ..OidcSettings::default()
        }),
        domains: ["solar.test".to_owned()].into(),
        creation: Creation::Nobody,
        authoritative: false,
        enabled: true,
        version: 1,
    };
    change(&mut provider);
    provider
}

pub async fn set_up(change: impl FnOnce(&mut Provider)) -> (World, Op) {
    let world = world().await;
    let op = Op::start(world.deps.clock.now().secs()).await;
    providers::create(&world.deps, &root(), &provider(&op, change), Some("s3cret")).await.unwrap();
    (world, op)
}

/// Presses the provider's button; gives where the browser is sent.
pub async fn depart(visitor: &mut Visitor, op: &Op) -> Url {
    let page = visitor.open("/protocol").await;
    assert!(page.text.contains("Solar Okta"), "{}", page.text);
    let away = visitor.submit(&page, "/provider", &[("provider", "okta")]).await;
    let to = Url::parse(away.location()).unwrap();
    let value = |name: &str| to.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
    op.set(|op| (op.nonce, op.challenge) = (value("nonce"), value("code_challenge")));
    to
}

fn state(to: &Url) -> String {
    to.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

pub async fn back(visitor: &mut Visitor, to: &Url, rest: &str) -> Answer {
    visitor.open(&format!("/login/callback/okta?state={}{rest}", state(to))).await
}

pub async fn sign_in(world: &World, op: &Op) -> Answer {
    let mut visitor = world.visitor();
    let to = depart(&mut visitor, op).await;
    let iss: String = url::form_urlencoded::byte_serialize(op.issuer().as_bytes()).collect();
    back(&mut visitor, &to, &format!("&code=good-code&iss={iss}")).await
}

#[tokio::test]
async fn whoever_the_provider_vouches_for_is_the_person_of_that_identity() {
    let (world, op) = set_up(|_| {}).await;
    let new = identities::NewIdentity::parse("okta", "00u1", "bob@solar.test").unwrap();
    identities::link(&world.deps, &root(), &world.bob, &new).await.unwrap();
    op.person(json!({ "sub": "00u1", "email": "bob@solar.test", "email_verified": true }));
    let mut bob = world.visitor();
    let to = depart(&mut bob, &op).await;
    let value = |name: &str| to.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap_or_default();
    assert_eq!(
        (value("response_type"), value("client_id"), value("code_challenge_method")),
        ("code".into(), "odcm".into(), "S256".into())
    );
    assert_eq!(
        (value("scope"), value("redirect_uri")),
        ("openid email profile".into(), "https://id.example.com/login/callback/okta".into())
    );
    let iss: String = url::form_urlencoded::byte_serialize(op.issuer().as_bytes()).collect();
    assert_eq!(back(&mut bob, &to, &format!("&code=good-code&iss={iss}")).await.text, "granted bob fed \"xyz\"");
    // an address in the provider's domain goes there, whoever it is
    let mut other = world.visitor();
    let page = other.open("/protocol").await;
    let away = other.submit(&page, "/identify", &[("name", "nobody@SOLAR.test")]).await;
    assert!(away.location().starts_with(&op.issuer()) && away.location().contains("login_hint=nobody%40SOLAR.test"));
    // the same address with another account there is somebody else
    op.person(json!({ "sub": "00u2", "email": "bob@solar.test", "email_verified": true }));
    assert!(sign_in(&world, &op).await.text.contains("no account here"));
}

#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    op.person(json!({ "sub": "eve", "email": "eve@solar.test", "email_verified": true, "preferred_username": "eve" }));
    for fault in FAULTS {
        op.set(|op| op.fault = fault);
        let answer = sign_in(&world, &op).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fault:?}: {}", answer.text);
        assert!(!answer.text.contains("granted"), "{fault:?}");
    }
    op.set(|op| op.fault = Fault::None);
    // an answer of another issuer, of none, an error, a wrong code
    for rest in ["&code=good-code&iss=https%3A%2F%2Fevil.example", "&code=good-code", "&error=access_denied", "&code=x", ""] {
        let mut visitor = world.visitor();
        let to = depart(&mut visitor, &op).await;
        assert_eq!(back(&mut visitor, &to, rest).await.status, StatusCode::FORBIDDEN, "{rest}");
    }
    assert_eq!(sign_in(&world, &op).await.text, "granted eve fed \"xyz\"");
}

#[tokio::test]
async fn keys_are_read_again_when_they_change_and_not_for_every_invention() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    op.person(json!({ "sub": "eve", "email": "eve@solar.test", "email_verified": true, "preferred_username": "eve" }));
    assert_eq!(sign_in(&world, &op).await.text, "granted eve fed \"xyz\"");
    op.rotate();
    world.deps.hand.advance_ms(31_000);
    op.set(|op| drop(op.claims.insert("iat".into(), json!(world.deps.clock.now().secs()))));
    assert_eq!(sign_in(&world, &op).await.text, "granted eve fed \"xyz\"");
    let reads = op.0.lock().unwrap().key_reads;
    op.set(|op| op.fault = Fault::UnknownKey);
    op.set(|op| drop(op.claims.insert("sub".into(), json!("x"))));
    for _ in 0..5 {
        assert_eq!(sign_in(&world, &op).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(op.0.lock().unwrap().key_reads, reads, "the keys were read a moment ago");
}

#[tokio::test]
async fn people_come_in_as_the_administrator_said() {
    let (world, op) = set_up(|p| p.creation = Creation::Domains { domains: ["solar.test".to_owned()].into() }).await;
    op.person(
        json!({ "sub": "1", "email": "new@solar.test", "email_verified": true, "preferred_username": "newbie", "name": "New" }),
    );
    assert_eq!(sign_in(&world, &op).await.text, "granted newbie fed \"xyz\"");
    for (sub, email, verified) in [("2", "x@solar.test", false), ("3", "x@elsewhere.test", true)] {
        op.person(json!({ "sub": sub, "email": email, "email_verified": verified, "preferred_username": "x" }));
        assert!(sign_in(&world, &op).await.text.contains("no account here"), "{email} {verified}");
    }
    // somebody has that name: an administrator decides, and then it is theirs
    op.person(json!({ "sub": "4", "email": "bob2@solar.test", "email_verified": true, "preferred_username": "bob" }));
    for _ in 0..2 {
        assert!(sign_in(&world, &op).await.text.contains("administrator must now decide"));
    }
    let waiting = joining::requests(&world.deps, &root(), "", 10).await.unwrap();
    assert_eq!(waiting.items.len(), 1, "one request for each identity");
    joining::settle(&world.deps, &root(), &waiting.items[0].id, &Verdict::Join(world.bob.clone())).await.unwrap();
    assert_eq!(sign_in(&world, &op).await.text, "granted bob fed \"xyz\"");
    people::disable(&world.deps, &root(), &world.bob, "manual").await.unwrap();
    assert!(sign_in(&world, &op).await.text.contains("no account here"), "disabled reads like unknown");
}

#[tokio::test]
async fn a_provider_that_is_changed_or_removed_counts_at_once() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    op.person(json!({ "sub": "eve", "email": "eve@solar.test", "email_verified": true, "preferred_username": "eve" }));
    let mut visitor = world.visitor();
    let to = depart(&mut visitor, &op).await;
    providers::update(&world.deps, &root(), &provider(&op, |p| p.enabled = false), None, None).await.unwrap();
    let iss: String = url::form_urlencoded::byte_serialize(op.issuer().as_bytes()).collect();
    let late = back(&mut visitor, &to, &format!("&code=good-code&iss={iss}")).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(!world.visitor().open("/protocol").await.text.contains("Solar Okta"));
}

#[tokio::test]
async fn a_provider_inside_the_network_is_asked_only_if_that_is_allowed() {
    let (world, _) = set_up(|_| {}).await;
    for issuer in
        ["http://10.1.2.3", "https://169.254.169.254", "https://[fd00::1]", "http://id.example.com", "file:///etc/passwd"]
    {
        let url = Url::parse(&format!("{issuer}/.well-known/openid-configuration")).unwrap();
        let refused = world.deps.http.get(&url, None, 1000).await.unwrap_err();
        assert!(matches!(refused, odcm::net::Error::Forbidden(_)), "{issuer}: {refused}");
    }
}
