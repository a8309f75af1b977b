//! The way back: `/api/users/authenticatedToken/{settings}?code&state`.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use crate::standins::octopus::{
    auth,
    errors::{ApiError, ApiResult},
    pages,
    request::Req,
    secrets,
    server::App,
    sessions::{self, add_cookie},
    time, users,
};

use super::{
    Provider,
    authorize::{self, LoginState, authenticate},
    claims::{self, Claims},
    discovery::Discovery,
    jws::{self, Problem},
    matching, token,
};

/// Routes of the relying party.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/users/authenticate/{settings}", post(authenticate))
        .route("/api/users/authenticate/{settings}", post(authenticate))
        .route("/api/users/authenticatedToken/{settings}", get(returned))
}

const BLOB_LIFE_MS: i64 = 5 * 60_000;

/// Browsers get the refusal as a page, programs as JSON.
async fn returned(req: Req, Path(settings): Path<String>) -> Response {
    match sign_in(&req, &settings).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(provider = settings, cause = error.message, "a sign-in failed");
            let accept = req.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if accept.contains("text/html") { pages::problem(&req.app, &error) } else { error.into_response() }
        }
    }
}

async fn sign_in(req: &Req, settings: &str) -> ApiResult {
    let app = &req.app;
    let provider = authorize::provider(app, settings)?;
    let raw_state = req.query.get("state").unwrap_or_default().to_owned();
    let unreadable = |_| ApiError::refused("User login failed: the state cannot be read.");
    let state = serde_json::from_str::<LoginState>(&raw_state).map_err(unreadable)?;
    // The stored verifier works once; it goes, and with it all that are older than five minutes.
    let verifier = take_verifier(app, &provider, &state.request_id).ok_or_else(|| {
        let lenient = app.switches().expired_sign_in_is_400;
        let status = if lenient { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
        ApiError::new(status, "Your session has expired. Please try signing in again.")
    })?;
    let code = req.query.get("code");
    let code = code.ok_or_else(|| ApiError::refused("Login failed. Please see the Octopus Server logs for more details."))?;
    let issuer = provider.text(&app.read(), "Issuer").unwrap_or_default();
    let discovery = app.relying_party.discovery(&issuer).await.map_err(ApiError::refused)?;
    let redirect_uri = rebuilt_redirect_uri(req);
    let id_token = token::redeem(app, &provider, &discovery, code, &redirect_uri, &verifier).await.map_err(ApiError::refused)?;
    // Only now is the state compared with the browser's cookie.
    check_state(req, &raw_state)?;
    let claims = verified(app, &provider, &discovery, &id_token)
        .await
        .map_err(|error| ApiError::refused(format!("User login failed: {error}")))?;
    finish(req, &provider, &claims, &state)
}

fn take_verifier(app: &App, provider: &Provider, request_id: &str) -> Option<String> {
    let now = app.now();
    let mut state = app.write();
    let pending = state.logins.get(request_id).filter(|pending| pending.provider == provider.settings)?.clone();
    state.logins.retain(|id, pending| id != request_id && now - pending.created <= BLOB_LIFE_MS);
    Some(pending.verifier)
}

/// `{scheme}://{Host}{path}`: a virtual directory in the authorization request would be lost here.
fn rebuilt_redirect_uri(req: &Req) -> String {
    let scheme = if req.app.public_url.starts_with("https:") { "https" } else { "http" };
    format!("{scheme}://{}{}", req.facts.host, req.facts.path)
}

fn check_state(req: &Req, raw_state: &str) -> Result<(), ApiError> {
    let cookie = auth::cookie(&req.headers, "s").ok_or_else(|| {
        ApiError::refused(
            "User login failed: Missing State Hash Cookie. Your browser may have lost or refused the cookie that protects the sign-in.",
        )
    })?;
    if secrets::equal(cookie, &authorize::state_hash(raw_state)) {
        return Ok(());
    }
    Err(ApiError::refused("User login failed: Tampered State. The state looks like it has been tampered with."))
}

/// Checks signature and claims; a bad signature or unknown key has the keys read once more.
async fn verified(app: &App, provider: &Provider, discovery: &Discovery, id_token: &str) -> Result<Claims, String> {
    let keys = app.relying_party.keys(discovery, false).await?;
    let claims = match jws::verify(id_token, &keys) {
        Ok(claims) => claims,
        Err(Problem::Other(error)) => return Err(error),
        Err(Problem::Signature(_)) => {
            let keys = app.relying_party.keys(discovery, true).await?;
            jws::verify(id_token, &keys).map_err(|(Problem::Signature(error) | Problem::Other(error))| error)?
        }
    };
    let client_id = provider.text(&app.read(), "ClientId").unwrap_or_default();
    claims.check(&discovery.issuer, &client_id, app.now())?;
    Ok(claims)
}

fn finish(req: &Req, provider: &Provider, claims: &Claims, login: &LoginState) -> ApiResult {
    let app = &req.app;
    let now = app.now();
    let mut state = app.write();
    let who = claims::candidate(provider, &state, claims).map_err(ApiError::refused)?;
    let id = matching::enter(&mut state, provider, &who, now).map_err(ApiError::refused)?;
    sessions::may_enter(users::find(&state, &id)?)?;
    let opened = sessions::open(app, &mut state, &id, false);
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    let place = HeaderValue::from_str(&login.redirect_after_login_to)
        .map_err(|_| ApiError::refused("User login failed: the target is not an address."))?;
    headers.insert(header::LOCATION, place);
    if let Ok(expires) = HeaderValue::from_str(&time::http_date(now + 365 * 86_400_000)) {
        headers.insert(header::EXPIRES, expires);
    }
    for name in ["s", "n"] {
        add_cookie(headers, &format!("{name}=; Path=/; Max-Age=0; SameSite=Lax"));
    }
    sessions::set_cookies(app, &state, headers, &opened, login.using_secure_connection);
    Ok(response)
}
