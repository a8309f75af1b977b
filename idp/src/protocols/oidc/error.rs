//! Errors in the shape of RFC 6749 §5.2: always a code and a description (Octopus indexes the latter), never a secret.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::borrow::Cow;

/// An OAuth error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthError {
    /// Registered code.
    pub error: &'static str,
    /// A sentence for developers.
    pub description: Cow<'static, str>,
    /// Status at endpoints that answer directly.
    pub status: StatusCode,
}

impl OauthError {
    /// With status 400.
    pub fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { error, description: description.into(), status: StatusCode::BAD_REQUEST }
    }
    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", description)
    }
    /// `invalid_grant`: one sentence for every reason, so that nothing is learned from it.
    #[must_use]
    pub fn invalid_grant() -> Self {
        Self::new("invalid_grant", "The code or refresh token is unknown, expired, revoked, used before, or not for this client.")
    }
    /// `invalid_client`, with status 401.
    #[must_use]
    pub fn invalid_client() -> Self {
        let description = "The client is unknown, disabled, or did not prove itself the way it is registered to.".into();
        Self { error: "invalid_client", description, status: StatusCode::UNAUTHORIZED }
    }
    /// Something inside failed: `temporarily_unavailable` with status 503, cause in the log.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "an OAuth endpoint failed");
        let description = "ODCM cannot answer right now. Try again in a moment.".into();
        Self { error: "temporarily_unavailable", description, status: StatusCode::SERVICE_UNAVAILABLE }
    }
    /// The description within the characters that RFC 6749 allows.
    #[must_use]
    pub fn text(&self) -> String {
        let fit = |c: char| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' };
        self.description.chars().map(fit).take(300).collect()
    }
}

impl From<crate::storage::Error> for OauthError {
    fn from(error: crate::storage::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<crate::accounts::Error> for OauthError {
    fn from(error: crate::accounts::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<crate::crypto::CryptoError> for OauthError {
    fn from(error: crate::crypto::CryptoError) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let body = axum::Json(json!({"error": self.error, "error_description": self.text()}));
        let mut response = no_store((self.status, body).into_response());
        // RFC 9110 §15.5.2: a 401 names a way to authenticate, whichever was tried
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"odcm\""));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// Keeps an answer out of every cache (RFC 6749 §5.1).
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
