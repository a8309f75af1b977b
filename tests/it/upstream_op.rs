//! An OpenID provider that can be made to lie, over a real socket: discovery, keys, token endpoint, userinfo. There is no
//! authorization page: the tests are the browser and bring the code back themselves.

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use odcm::crypto::hash::{b64, sha256};
use odcm::crypto::jose::{Alg, Signer, Typ, generate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    OtherIssuer,
    OtherAudience,
    TwoAudiences,
    OtherParty,
    OtherNonce,
    NoNonce,
    Expired,
    NoEnd,
    Future,
    Kept,
    NobodyAtAll,
    UnknownKey,
    Unsigned,
    Symmetric,
    NoToken,
    Broken,
    Endless,
    Redirects,
    OtherUserinfo,
}

/// Every fault that a sign-in must not survive.
pub const FAULTS: [Fault; 19] = [
    Fault::OtherIssuer,
    Fault::OtherAudience,
    Fault::TwoAudiences,
    Fault::OtherParty,
    Fault::OtherNonce,
    Fault::NoNonce,
    Fault::Expired,
    Fault::NoEnd,
    Fault::Future,
    Fault::Kept,
    Fault::NobodyAtAll,
    Fault::UnknownKey,
    Fault::Unsigned,
    Fault::Symmetric,
    Fault::NoToken,
    Fault::Broken,
    Fault::Endless,
    Fault::Redirects,
    Fault::OtherUserinfo,
];

pub struct Inner {
    pub fault: Fault,
    /// What the list of groups does wrong.
    pub graph_fault: Option<Fault>,
    /// Claims of whoever signs in next.
    pub claims: Map<String, Value>,
    /// Nonce and challenge of the sign-in under way.
    pub nonce: String,
    pub challenge: String,
    signer: Signer,
    other: Signer,
    /// Keys that are published.
    published: Vec<Value>,
    /// How often the keys were read.
    pub key_reads: usize,
    issuer: String,
    now: i64,
}

/// The provider.
#[derive(Clone)]
pub struct Op(pub Arc<Mutex<Inner>>);

impl Op {
    /// Starts one whose clock says `now`, in seconds.
    pub async fn start(now: i64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let key = || Signer::from_pkcs8(Alg::Es256, &generate(Alg::Es256).unwrap()).unwrap();
        let (signer, other) = (key(), key());
        let published = vec![serde_json::to_value(signer.jwk()).unwrap()];
        let op = Self(Arc::new(Mutex::new(Inner {
            fault: Fault::None,
            graph_fault: None,
            claims: Map::new(),
            nonce: String::new(),
            challenge: String::new(),
            signer,
            other,
            published,
            key_reads: 0,
            issuer,
            now,
        })));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/v1.0/me/getMemberObjects", post(graph))
            .route("/v1.0/next", get(graph_next))
            .with_state(op.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        op
    }

    pub fn issuer(&self) -> String {
        self.0.lock().unwrap().issuer.clone()
    }

    pub fn set(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.lock().unwrap());
    }

    /// A token that says that somebody signed out, changed as the test wants.
    pub fn logout_token(&self, change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let op = self.0.lock().unwrap();
        let mut claims = json!({
            "iss": op.issuer, "aud": "odcm", "iat": op.now, "exp": op.now + 120, "jti": "j1", "sub": op.claims["sub"],
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        change(claims.as_object_mut().unwrap());
        op.signer.sign(Typ::Jwt, &claims).unwrap()
    }

    /// Makes a new key, and publishes it beside the old one.
    pub fn rotate(&self) {
        self.set(|op| {
            std::mem::swap(&mut op.signer, &mut op.other);
            op.published.push(serde_json::to_value(op.signer.jwk()).unwrap());
        });
    }

    /// Who signs in next.
    pub fn person(&self, claims: Value) {
        self.set(|op| op.claims = claims.as_object().unwrap().clone());
    }
}

async fn discovery(State(op): State<Op>) -> Json<Value> {
    let issuer = op.issuer();
    let of = |path: &str| format!("{issuer}/{path}");
    Json(json!({
        "issuer": issuer, "authorization_endpoint": of("authorize"), "token_endpoint": of("token"), "jwks_uri": of("jwks"),
        "userinfo_endpoint": of("userinfo"), "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(State(op): State<Op>) -> Json<Value> {
    let mut op = op.0.lock().unwrap();
    op.key_reads += 1;
    Json(json!({ "keys": op.published }))
}

async fn token(State(op): State<Op>, headers: HeaderMap, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let op = op.0.lock().unwrap();
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    match op.fault {
        Fault::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Endless => return "x".repeat(1 << 20).into_response(),
        Fault::Redirects => return (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response(),
        _ => {}
    }
    // strict, so that the tests show what we send
    let basic = headers.get("authorization").and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("Basic "));
    if !basic && form.get("client_secret").map(String::as_str) != Some("s3cret") {
        return refuse("invalid_client");
    }
    let proven = form.get("code_verifier").is_some_and(|v| b64(sha256(v.as_bytes())) == op.challenge);
    if form.get("code").map(String::as_str) != Some("good-code") || !proven || !form.contains_key("redirect_uri") {
        return refuse("invalid_grant");
    }
    let mut claims = json!({
        "iss": op.issuer, "aud": "odcm", "exp": op.now + 300, "iat": op.now, "nonce": op.nonce,
    });
    let map = claims.as_object_mut().unwrap();
    map.extend(op.claims.clone());
    let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
    match op.fault {
        Fault::OtherIssuer => put("iss", json!("https://evil.example")),
        Fault::OtherAudience => put("aud", json!("other")),
        Fault::TwoAudiences => put("aud", json!(["odcm", "other"])),
        Fault::OtherParty => put("azp", json!("other")),
        Fault::OtherNonce => put("nonce", json!("x")),
        Fault::NoNonce => drop(map.remove("nonce")),
        Fault::Expired => put("exp", json!(op.now - 300)),
        Fault::NoEnd => drop(map.remove("exp")),
        Fault::Future => put("iat", json!(op.now + 3600)),
        Fault::Kept => put("iat", json!(op.now - 3600)),
        Fault::NobodyAtAll => drop(map.remove("sub")),
        _ => {}
    }
    let signer = if op.fault == Fault::UnknownKey { &op.other } else { &op.signer };
    let signed = signer.sign(Typ::Jwt, &claims).unwrap();
    let payload = signed.split('.').nth(1).unwrap();
    let token = match op.fault {
        Fault::Unsigned => format!("{}.{payload}.", b64(r#"{"alg":"none"}"#)),
        Fault::Symmetric => format!("{}.{payload}.AAAA", b64(r#"{"alg":"HS256","typ":"JWT"}"#)),
        _ => signed,
    };
    let mut answer = json!({ "access_token": "at", "token_type": "Bearer" });
    if op.fault != Fault::NoToken {
        answer["id_token"] = json!(token);
    }
    Json(answer).into_response()
}

/// Groups that do not fit into a token, on two pages; the second is somewhere else if the fault says so.
async fn graph(State(op): State<Op>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let op = op.0.lock().unwrap();
    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some("Bearer at") || body["securityEnabledOnly"] != true {
        return StatusCode::FORBIDDEN.into_response();
    }
    let next = match op.graph_fault.unwrap_or_default() {
        Fault::Redirects => "https://evil.example/next".to_owned(),
        Fault::Endless => format!("{}/v1.0/next?again", op.issuer),
        _ => format!("{}/v1.0/next", op.issuer),
    };
    Json(json!({ "value": ["g-dev"], "@odata.nextLink": next })).into_response()
}

async fn graph_next(State(op): State<Op>, axum::extract::RawQuery(query): axum::extract::RawQuery) -> Json<Value> {
    let again = query.is_some().then(|| format!("{}/v1.0/next?again", op.issuer()));
    Json(json!({ "value": ["g-ops"], "@odata.nextLink": again }))
}

async fn userinfo(State(op): State<Op>, headers: HeaderMap) -> Response {
    let op = op.0.lock().unwrap();
    if headers.get("authorization").and_then(|v| v.to_str().ok()) != Some("Bearer at") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let sub = if op.fault == Fault::OtherUserinfo { json!("mallory") } else { op.claims["sub"].clone() };
    Json(json!({ "sub": sub, "groups": ["dev"] })).into_response()
}
