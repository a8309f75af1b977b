//! A tiny OpenID provider for tests of relying parties: signs RS256 with a key made at its start, lets
//! everybody in as whom the test says, and checks what a client sends.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a test may set.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Claims of the next id_tokens, over the standing ones (`iss`, `aud`, `iat`, `exp`).
    pub claims: Map<String, Value>,
    /// Fields of the token response, over the standing ones.
    pub token_response: Map<String, Value>,
    /// Header fields of the id_token, over the standing ones.
    pub header: Map<String, Value>,
    /// Whether the signature is spoilt.
    pub spoil_signature: bool,
    /// Time of the id_token, Unix seconds.
    pub now: i64,
}

struct Inner {
    issuer: String,
    behaviour: Behaviour,
    key: Arc<RsaKeyPair>,
    kid: String,
    published: Vec<Value>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    seen: Vec<(String, BTreeMap<String, String>)>,
    counter: u64,
}

/// A running provider.
pub struct FakeOp {
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

type Shared = State<Arc<Mutex<Inner>>>;

impl FakeOp {
    /// Starts a provider on a free loopback port; `host` is the name in its issuer, such as `op.localhost`.
    ///
    /// # Errors
    /// The port or the key.
    pub async fn start(host: &str, now: i64) -> Result<Self, String> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let key = first_key()?;
        let mut inner = Inner {
            issuer: format!("http://{host}:{port}"),
            behaviour: Behaviour { now, ..Behaviour::default() },
            kid: "key-1".into(),
            published: Vec::new(),
            key,
            codes: BTreeMap::new(),
            seen: Vec::new(),
            counter: 0,
        };
        inner.publish();
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(inner.clone());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inner, task })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.lock().issuer.clone()
    }

    /// Changes what the provider does.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.lock().behaviour);
    }

    /// Signs with a new key from now on and publishes only that.
    ///
    /// # Errors
    /// The key.
    pub fn rotate(&self, kid: &str) -> Result<(), String> {
        let key = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| error.to_string())?);
        let mut inner = self.lock();
        inner.key = key;
        kid.clone_into(&mut inner.kid);
        inner.publish();
        Ok(())
    }

    /// What clients sent: path and parameters.
    #[must_use]
    pub fn seen(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.lock().seen.clone()
    }
}

impl Drop for FakeOp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn publish(&mut self) {
        let (n, e) = numbers(self.key.public_key().as_ref()).unwrap_or_default();
        self.published = vec![json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e})];
    }

    fn sign(&self, client_id: &str) -> Option<String> {
        let now = self.behaviour.now;
        let mut header = Map::from_iter([("alg".to_owned(), json!("RS256")), ("kid".to_owned(), json!(self.kid))]);
        header.extend(self.behaviour.header.clone());
        let claims = json!({"iss": self.issuer, "aud": client_id, "iat": now, "exp": now + 300});
        let mut claims = claims.as_object().cloned()?;
        claims.extend(self.behaviour.claims.clone());
        let encode = |map: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        if self.behaviour.spoil_signature {
            signature.reverse();
        }
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The key that providers start with: made once per process, since making one takes long.
fn first_key() -> Result<Arc<RsaKeyPair>, String> {
    static KEY: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key.clone());
    }
    let made = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| error.to_string())?);
    Ok(KEY.get_or_init(|| made).clone())
}

/// Modulus and exponent, base64url, of a DER `RSAPublicKey` (RFC 8017 A.1.1).
fn numbers(der: &[u8]) -> Option<(String, String)> {
    let (sequence, _) = element(der)?;
    let (n, rest) = element(sequence)?;
    let (e, _) = element(rest)?;
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number.strip_prefix(&[0]).unwrap_or(number));
    Some((encode(n), encode(e)))
}

/// Content of the first DER element and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(*der.get(1)?);
    let (start, length) = if first < 128 {
        (2, first)
    } else {
        let end = 2 + (first & 127);
        (end, der.get(2..end)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    Some((der.get(start..start + length)?, der.get(start + length..)?))
}

fn lock(shared: &Arc<Mutex<Inner>>) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn discovery(State(shared): Shared) -> Json<Value> {
    let mut inner = lock(&shared);
    inner.seen.push(("/.well-known/openid-configuration".into(), BTreeMap::new()));
    let issuer = &inner.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
    }))
}

async fn jwks(State(shared): Shared) -> Json<Value> {
    let mut inner = lock(&shared);
    inner.seen.push(("/jwks".into(), BTreeMap::new()));
    Json(json!({"keys": inner.published}))
}

/// Everybody is let in at once.
async fn authorize(State(shared): Shared, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let mut inner = lock(&shared);
    inner.seen.push(("/authorize".into(), query.clone()));
    let (Some(target), Some(state)) = (query.get("redirect_uri"), query.get("state")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(mut target) = url::Url::parse(target) else { return StatusCode::BAD_REQUEST.into_response() };
    inner.counter += 1;
    let code = format!("code-{}", inner.counter);
    target.query_pairs_mut().append_pair("code", &code).append_pair("state", state);
    inner.codes.insert(code, query);
    Redirect::to(target.as_str()).into_response()
}

async fn token(State(shared): Shared, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let mut inner = lock(&shared);
    inner.seen.push(("/token".into(), form.clone()));
    let refuse = |error: &str| {
        let body = json!({"error": error, "error_description": "refused by the test"});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let Some(begun) = inner.codes.remove(text("code")) else { return refuse("invalid_grant") };
    let began = |name: &str| begun.get(name).map(String::as_str).unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text("code_verifier").as_bytes()).as_ref());
    if began("code_challenge") != challenge
        || began("code_challenge_method") != "S256"
        || began("redirect_uri") != text("redirect_uri")
    {
        return refuse("invalid_grant");
    }
    if text("client_id") != began("client_id") || text("client_secret") != "s3cret" {
        return refuse("invalid_client");
    }
    let Some(id_token) = inner.sign(text("client_id")) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut body = Map::from_iter([
        ("id_token".to_owned(), json!(id_token)),
        ("access_token".to_owned(), json!("opaque")),
        ("token_type".to_owned(), json!("Bearer")),
        ("expires_in".to_owned(), json!(300)),
    ]);
    body.extend(inner.behaviour.token_response.clone());
    Json(Value::Object(body)).into_response()
}
