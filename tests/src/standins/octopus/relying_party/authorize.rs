//! The way out: state, PKCE, the address that the browser is sent to.

use axum::{extract::Path, http::HeaderMap, response::Response};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::standins::octopus::{
    errors::{ApiError, ApiResult},
    request::{Body, Req, member, ok},
    secrets,
    server::App,
    sessions::add_cookie,
    state::PendingLogin,
    time, users,
};

use super::Provider;

/// What travels through the provider and must come back letter by letter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoginState {
    /// Names the stored verifier.
    pub request_id: String,
    /// Where the person wants to go.
    pub redirect_after_login_to: String,
    /// Whether cookies are for https only.
    pub using_secure_connection: bool,
}

/// A sign-in that has begun.
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    cookie: String,
}

impl Begun {
    /// Sets the cookie that ties the state to the browser.
    pub fn set_cookies(&self, headers: &mut HeaderMap) {
        add_cookie(headers, &self.cookie);
    }
}

/// The provider by its settings name, enabled.
///
/// # Errors
/// 404 for a name that this version does not know, 400 for a disabled provider.
pub fn provider(app: &App, settings: &str) -> Result<Provider, ApiError> {
    let provider = users::providers(app).find(|provider| provider.settings == settings).ok_or_else(ApiError::no_route)?;
    if provider.enabled(&app.read()) { Ok(provider) } else { Err(ApiError::refused("This authentication provider is disabled.")) }
}

/// The value of the cookie `s` for a state.
pub fn state_hash(state: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("OctoState{state}").as_bytes());
    STANDARD.encode(digest.as_ref())
}

/// Whether an address stays on this server.
pub fn is_local(target: &str) -> bool {
    let mut letters = target.chars();
    letters.next() == Some('/') && !matches!(letters.next(), Some('/' | '\\')) && !target.contains(char::is_control)
}

/// Begins a sign-in; `api_abs_url` is the address of this server as the browser knows it.
///
/// # Errors
/// 400 with the server's texts.
pub async fn begin(app: &App, provider: &Provider, api_abs_url: &str, target: &str, secure: bool) -> Result<Begun, ApiError> {
    let (issuer, client_id, has_secret, scopes) = {
        let state = app.read();
        let trusted =
            state.sections.get("authentication").and_then(|section| section.get("TrustedRedirectUrls")?.as_array().cloned());
        let trusted = trusted.unwrap_or_default().iter().any(|url| url.as_str().is_some_and(|url| target.starts_with(url)));
        if !is_local(target) && !trusted {
            return Err(ApiError::refused("Request not allowed, due to potential Open Redirection attack"));
        }
        let scopes = provider.value(&state, "Scopes").and_then(|list| list.as_array().cloned());
        let scopes = scopes.map(|list| list.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect::<Vec<_>>());
        let groups = if provider.has_groups { vec!["groups".to_owned()] } else { vec![] };
        let standing = || ["openid", "profile", "email"].map(str::to_owned).into_iter().chain(groups).collect();
        let secret = provider.text(&state, "ClientSecret").is_some();
        (provider.text(&state, "Issuer"), provider.text(&state, "ClientId"), secret, scopes.unwrap_or_else(standing))
    };
    let failed = |cause: &str| {
        tracing::warn!(provider = %provider.name, cause, "a sign-in cannot begin");
        ApiError::refused("Login failed. Please see the Octopus Server logs for more details.")
    };
    let (Some(issuer), Some(client_id)) = (issuer, client_id) else { return Err(failed("issuer or client id is missing")) };
    if !has_secret {
        return Err(failed("without a client secret the real server uses the hybrid flow, which this one does not have"));
    }
    let discovery = app.relying_party.discovery(&issuer).await.map_err(|error| failed(&error))?;
    let verifier = secrets::token(&app.config.entropy);
    let request_id = secrets::uuid(&app.config.entropy);
    let state = LoginState {
        request_id: request_id.clone(),
        redirect_after_login_to: target.to_owned(),
        using_secure_connection: secure,
    };
    let state = serde_json::to_string(&state).map_err(|error| failed(&error.to_string()))?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    // Put together as text, like the real server: only the state is encoded.
    let url = format!(
        "{}?client_id={client_id}&scope={}&response_type=code&redirect_uri={}/api/users/authenticatedToken/{}&state={}\
         &code_challenge={}&code_challenge_method=S256",
        discovery.authorization_endpoint,
        scopes.join("%20"),
        api_abs_url.trim_matches('/'),
        provider.settings,
        url::form_urlencoded::byte_serialize(state.as_bytes()).collect::<String>().replace('+', "%20"),
        URL_SAFE_NO_PAD.encode(digest.as_ref()),
    );
    let now = app.now();
    let pending = PendingLogin { provider: provider.settings.to_owned(), verifier, created: now };
    app.write().logins.insert(request_id, pending);
    let only_https = if secure { "; Secure" } else { "" };
    let cookie = format!(
        "s={}; Path=/; HttpOnly; SameSite=Lax{only_https}; Expires={}",
        state_hash(&state),
        time::http_date(now + 20 * 60_000)
    );
    Ok(Begun { url, cookie })
}

/// `POST /users/authenticate/{settings}`.
pub async fn authenticate(req: Req, Path(settings): Path<String>, body: Body) -> ApiResult {
    let provider = provider(&req.app, &settings)?;
    let api_abs_url = body.required("ApiAbsUrl", 2000)?;
    let wanted = body.field("State");
    let target = wanted.and_then(|state| member(state, "RedirectAfterLoginTo")?.as_str()).or_else(|| req.query.get("returnUrl"));
    let secure = wanted.and_then(|state| member(state, "UsingSecureConnection")?.as_bool()).unwrap_or(false);
    let begun = begin(&req.app, &provider, &api_abs_url, target.unwrap_or("/"), secure).await?;
    let mut response: Response = ok(&json!({"ExternalAuthenticationUrl": begun.url}))?;
    begun.set_cookies(response.headers_mut());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_are_local() {
        assert!(is_local("/") && is_local("/app#/x?y=1"));
        for bad in ["", "app", "//evil", "/\\evil", "https://evil", "/\r\nSet-Cookie: x"] {
            assert!(!is_local(bad), "{bad:?}");
        }
    }
}
