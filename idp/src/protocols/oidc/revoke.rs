//! Token revocation (RFC 7009): a refresh token takes its family with it, an access token goes alone. What is unknown is
//! answered as if it had worked (§2.2); what belongs to another client is refused (§2.1).

use super::client_auth::{authenticate, form};
use super::cors;
use super::error::{OauthError, no_store};
use super::rules::own_token;
use crate::accounts::keys;
use crate::core::Timestamp;
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::{self, tokens};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// `POST /oauth2/revoke`.
pub(super) async fn endpoint(State(deps): State<Deps>, headers: HeaderMap, body: Body) -> Response {
    cors::open(match answer(&deps, &headers, body).await {
        Ok(()) => no_store(StatusCode::OK.into_response()),
        Err(error) => error.into_response(),
    })
}

async fn answer(deps: &Deps, headers: &HeaderMap, body: Body) -> Result<(), OauthError> {
    let params = form(headers, body).await?;
    let client = authenticate(deps, headers, &params).await?.client;
    params.once(&["token", "token_type_hint"])?;
    let token = params.get("token").ok_or_else(|| OauthError::invalid_request("token is missing."))?;
    let (now, issuer) = (deps.clock.now(), deps.settings.public.issuer());
    let access = own_token::access(&*keys::ring(deps).await, issuer, token, now);
    let hash = sha256(token.as_bytes());
    let judged: storage::Result<bool> = run_tx!(deps.db, "token.revoke", |tx| {
        if let Some(access) = &access {
            if access.client_id != client.id {
                return Ok(false);
            }
            tokens::revoke_token(tx, &access.jti, Timestamp(access.exp.saturating_mul(1000))).await?;
            return Ok(true);
        }
        match tokens::find_refresh(tx, &hash).await? {
            Some(refresh) if refresh.client != client.id => Ok(false),
            Some(refresh) => {
                tokens::revoke_family(tx, &refresh.family, now).await?;
                Ok(true)
            }
            None => Ok(true),
        }
    });
    if judged? { Ok(()) } else { Err(OauthError::new("unauthorized_client", "This token was issued to another client.")) }
}
