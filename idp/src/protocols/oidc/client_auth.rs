//! From an HTTP request to an authenticated client, in one statement.

use super::error::OauthError;
use super::rules::client_authentication::{check, shown};
use super::rules::parameters::{MAX_BYTES, Params};
use crate::core::client::Client;
use crate::deps::Deps;
use crate::storage::clients;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};

/// Reads a form body, bounded.
///
/// # Errors
/// `invalid_request` when it is too long, broken, or no form.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<Params, OauthError> {
    Params::parse(&form_bytes(headers, body).await?)
}

/// The address that asks by GET what a form asks by POST.
///
/// # Errors
/// As [`form`], and when the address becomes too long.
pub(super) async fn as_address(path: &str, headers: &HeaderMap, body: Body) -> Result<String, OauthError> {
    let bytes = form_bytes(headers, body).await?;
    Params::parse(&bytes)?;
    // written anew, so that nothing but a query can come of it
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(url::form_urlencoded::parse(&bytes)).finish();
    let address = format!("{path}?{query}");
    if address.len() > MAX_BYTES {
        return Err(OauthError::invalid_request("The request is longer than 16 KiB."));
    }
    Ok(address)
}

async fn form_bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, OauthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let form = kind.split(';').next().unwrap_or_default().trim();
    let bytes = to_bytes(body, MAX_BYTES).await;
    let bytes = bytes.map_err(|_| OauthError::invalid_request("The body is longer than 16 KiB, or broke off."))?;
    if !bytes.is_empty() && !form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OauthError::invalid_request("The body must be application/x-www-form-urlencoded."));
    }
    Ok(bytes)
}

/// A client that proved itself.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    pub(super) client: Client,
    /// SHA-256 of the secret that it showed.
    pub(super) secret: Option<Vec<u8>>,
}

/// Authenticates the client of a request.
///
/// # Errors
/// `invalid_client`, `invalid_request`.
pub(super) async fn authenticate(deps: &Deps, headers: &HeaderMap, params: &Params) -> Result<Proven, OauthError> {
    params.once(&["client_id", "client_secret"])?;
    let authorization = match headers.get(header::AUTHORIZATION) {
        Some(value) => Some(value.to_str().map_err(|_| OauthError::invalid_client())?),
        None => None,
    };
    let shown = shown(authorization, params)?;
    let stored = clients::with_secrets(&mut &deps.db, &shown.client, deps.clock.now()).await?;
    let secret = check(&shown, stored.as_ref());
    match (secret, stored) {
        (Ok(secret), Some((client, _))) => Ok(Proven { client, secret }),
        (refused, _) => {
            deps.metrics.count("odcm_client_authentications_total", &[("result", "refused")]);
            tracing::info!(client = %shown.client, "a client did not prove itself");
            Err(refused.err().unwrap_or_else(OauthError::invalid_client))
        }
    }
}
