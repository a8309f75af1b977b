//! RFC 9457 problem documents: the one error shape of the JSON API, and what error pages are made from. Internal text goes
//! to the log; the client gets the code, the sentence and the request id.

use crate::accounts;
use crate::core::Refusal;
use crate::core::refusal::RefusalKind;
use crate::storage;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Begins every problem type URI; the code follows.
pub const TYPE_PREFIX: &str = "urn:odcm:problem:";

/// A problem document.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// URI of the kind of problem: `urn:odcm:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'static str,
    /// HTTP status.
    #[serde(serialize_with = "as_number")]
    pub status: StatusCode,
    /// A sentence: what is wrong and what would be right.
    pub detail: String,
    /// Stable code for programs.
    pub code: &'static str,
    /// The input field to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where to find it in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Seconds after which trying again makes sense; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// Challenge of a 401 (RFC 9110 §11.6.1).
    #[serde(skip)]
    pub challenge: Option<&'static str>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with a status, a stable code and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            code,
            field: None,
            request_id: None,
            retry_after_s: None,
            challenge: None,
        }
    }
    /// Names the input field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
    /// Adds the id of the request.
    #[must_use]
    pub fn of(mut self, ctx: &super::Ctx) -> Self {
        self.request_id = Some(ctx.request_id.clone());
        self
    }
    /// 401 for a caller without a valid bearer token (RFC 6750 §3).
    #[must_use]
    pub fn bearer() -> Self {
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Send a valid API token: `Authorization: Bearer …`. It may be missing, unknown, expired or revoked.",
        );
        problem.challenge = Some("Bearer realm=\"odcm\"");
        problem
    }
    /// 500; `cause` goes to the log.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong inside. It has been logged.")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Stale => StatusCode::PRECONDITION_FAILED,
            RefusalKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        };
        let mut problem = Self::new(status, refusal.code, refusal.message);
        problem.field = refusal.field.map(str::to_owned);
        problem.retry_after_s = refusal.retry_after_s;
        problem
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(_) | storage::Error::Busy(_) => {
                tracing::error!(cause = %error, "the database did not answer");
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The service is busy or restarting. Try again in a few seconds.",
                );
                problem.retry_after_s = Some(5);
                problem
            }
            other => Self::internal(&other),
        }
    }
}

impl From<accounts::Error> for Problem {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::Refused(refusal) => refusal.into(),
            accounts::Error::Storage(error) => error.into(),
            accounts::Error::Internal(cause) => Self::internal(&cause),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry, challenge) = (self.status, self.retry_after_s, self.challenge);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
