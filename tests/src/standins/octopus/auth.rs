//! Who calls: API keys, cookie sessions, anti-forgery tokens.

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::{
    errors::ApiError,
    request::Query,
    secrets,
    server::App,
    state::{State, User},
};

/// How a caller was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Not at all.
    Nobody,
    /// By this API key.
    ApiKey(String),
    /// By the session with this fingerprint.
    Session(String),
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: Option<String>,
    /// How.
    pub via: Via,
    /// Why there is no user although credentials came.
    pub refusal: Option<String>,
    /// Whether `PUT`s must carry every field.
    pub strict: bool,
}

impl Caller {
    fn nobody(refusal: Option<&str>) -> Self {
        Self { user_id: None, via: Via::Nobody, refusal: refusal.map(str::to_owned), strict: false }
    }
}

const BAD_KEY: &str = "The API key you provided was not valid. Please double-check your API key and try again. \
                       For instructions on finding your API key, please visit: https://oc.to/ApiKey";

/// Name of the session cookie.
pub fn session_cookie(state: &State) -> String {
    format!("OctopusIdentificationToken_{}", state.installation_id)
}

/// Name of the anti-forgery cookie.
pub fn csrf_cookie(state: &State) -> String {
    format!("Octopus-Csrf-Token_{}", state.installation_id)
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

/// Finds the caller: an API key goes before a cookie.
pub fn resolve(app: &App, headers: &HeaderMap, query: &Query) -> Caller {
    let key = header_text(headers, "X-Octopus-ApiKey")
        .or_else(|| header_text(headers, "X-NuGet-ApiKey"))
        .or_else(|| query.get("apikey"));
    if let Some(key) = key {
        return by_key(app, key);
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Caller::nobody(Some("The access token you provided was not valid."));
    }
    by_cookie(app, headers)
}

fn by_key(app: &App, key: &str) -> Caller {
    let now = app.now();
    let state = app.read();
    let fingerprint = secrets::fingerprint(key);
    let Some(known) = state.api_keys.values().find(|known| secrets::equal(&known.fingerprint, &fingerprint)) else {
        return Caller::nobody(Some(BAD_KEY));
    };
    // A disabled user's keys do not work: 401, as for a wrong key.
    let user = state.user(&known.user_id).filter(|user| user.is_active);
    let (Some(user), true) = (user, known.expires.is_none_or(|end| end > now)) else {
        return Caller::nobody(Some(BAD_KEY));
    };
    Caller {
        user_id: Some(user.id.clone()),
        via: Via::ApiKey(known.id.clone()),
        refusal: None,
        strict: is_strict(app, user, Some(key)),
    }
}

fn by_cookie(app: &App, headers: &HeaderMap) -> Caller {
    let now = app.now();
    let switches = app.switches();
    let mut state = app.read();
    let Some(token) = cookie(headers, &session_cookie(&state)) else { return Caller::nobody(None) };
    let fingerprint = secrets::fingerprint(token);
    let (idle, longest) = super::sessions::limits(&state);
    let Some(session) = state.sessions.get(&fingerprint) else { return Caller::nobody(None) };
    let idle = if session.remember { longest } else { idle };
    if now - session.used > idle || now - session.created > longest {
        state.sessions.remove(&fingerprint);
        return Caller::nobody(None);
    }
    let Some(user) = state.user(&session.user_id).filter(|user| user.is_active || !switches.disable_ends_sessions) else {
        return Caller::nobody(None);
    };
    let caller = Caller {
        user_id: Some(user.id.clone()),
        via: Via::Session(fingerprint.clone()),
        refusal: None,
        strict: is_strict(app, user, None),
    };
    if let Some(session) = state.sessions.get_mut(&fingerprint) {
        session.used = now;
    }
    caller
}

fn is_strict(app: &App, user: &User, key: Option<&str>) -> bool {
    let held = app.switches().strict_roundtrip;
    held.contains("*") || held.contains(&user.id) || held.contains(&user.username) || key.is_some_and(|key| held.contains(key))
}

/// Demands the anti-forgery token of cookie sessions on unsafe methods.
///
/// # Errors
/// 400 with the server's text (403 by an assumption).
pub fn check_csrf(app: &App, caller: &Caller, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let Via::Session(fingerprint) = &caller.via else { return Ok(()) };
    if method.is_safe() {
        return Ok(());
    }
    let state = app.read();
    let sent = header_text(headers, "X-Octopus-Csrf-Token").unwrap_or_default();
    let session = state.sessions.get(fingerprint);
    if session.is_some_and(|session| secrets::equal(&session.csrf, sent)) {
        return Ok(());
    }
    let status = if app.switches().csrf_refusal_is_403 { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    Err(ApiError::new(status, "A required anti-forgery token was not supplied or was invalid."))
}
