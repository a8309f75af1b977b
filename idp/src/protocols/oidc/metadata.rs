//! What ODCM says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2) and its public keys (RFC 7517 §5).

use super::{cors, path};
use crate::accounts::keys::{self, JWKS_MAX_AGE_S};
use crate::core::authorization::ResponseMode;
use crate::core::client::{AuthMethod, GrantType, STANDARD_SCOPES};
use crate::deps::Deps;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Claims that tokens or userinfo may carry.
const CLAIMS: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "sid",
    "at_hash",
    "name",
    "preferred_username",
    "email",
    "email_verified",
    "updated_at",
    "groups",
];

fn document(deps: &Deps) -> Value {
    let public = &deps.settings.public;
    let methods = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::None].map(AuthMethod::as_str);
    json!({
        "issuer": public.issuer(),
        "authorization_endpoint": public.link(path::AUTHORIZE),
        "token_endpoint": public.link(path::TOKEN),
        "userinfo_endpoint": public.link(path::USERINFO),
        "revocation_endpoint": public.link(path::REVOKE),
        "end_session_endpoint": public.link(path::LOGOUT),
        "jwks_uri": public.link(path::JWKS),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "scopes_supported": STANDARD_SCOPES,
        "claims_supported": CLAIMS,
        "claim_types_supported": ["normal"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": ["1"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

fn cached(document: Value) -> Response {
    let mut response = cors::open(Json(document).into_response());
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={JWKS_MAX_AGE_S}")) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// Discovery: one document for both standards.
pub(super) async fn discovery(State(deps): State<Deps>) -> Response {
    cached(document(&deps))
}

/// The key set: next, active and retired token keys. The fleet key is not in it.
pub(super) async fn jwks(State(deps): State<Deps>) -> Response {
    let ring = keys::ring(&deps).await;
    cached(json!({"keys": ring.published().collect::<Vec<_>>()}))
}
