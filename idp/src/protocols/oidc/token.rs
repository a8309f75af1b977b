//! The token endpoint (RFC 6749 §3.2): authenticate the client, then one file per grant type.

use super::client_auth::{authenticate, form};
use super::error::{OauthError, no_store};
use super::rules::grant_type;
use super::{code_grant, cors, credentials_grant, refresh_grant};
use crate::core::client::GrantType;
use crate::deps::Deps;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// Parameters that are read; each may be sent once.
const KNOWN: [&str; 6] = ["grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"];

/// `POST /oauth2/token`.
pub(super) async fn endpoint(State(deps): State<Deps>, headers: HeaderMap, body: Body) -> Response {
    cors::open(match answer(&deps, &headers, body).await {
        Ok(body) => no_store(Json(body).into_response()),
        Err(error) => error.into_response(),
    })
}

async fn answer(deps: &Deps, headers: &HeaderMap, body: Body) -> Result<Value, OauthError> {
    let params = form(headers, body).await?;
    let proven = authenticate(deps, headers, &params).await?;
    params.once(&KNOWN)?;
    let grant = grant_type::of(&params, &proven.client)?;
    let answered = match grant {
        GrantType::AuthorizationCode => code_grant::answer(deps, &proven, &params).await,
        GrantType::RefreshToken => refresh_grant::answer(deps, &proven.client, &params).await,
        GrantType::ClientCredentials => credentials_grant::answer(deps, &proven.client, &params).await,
    };
    match &answered {
        // Counted and logged, not audited row by row.
        Ok(_) => {
            deps.metrics.count("odcm_tokens_total", &[("grant", grant.as_str())]);
            tracing::info!(client = %proven.client.id, grant = grant.as_str(), "tokens issued");
        }
        Err(error) => {
            deps.metrics.count("odcm_token_refusals_total", &[("grant", grant.as_str())]);
            tracing::info!(client = %proven.client.id, grant = grant.as_str(), error = error.error, "a token request was refused");
        }
    }
    answered
}
