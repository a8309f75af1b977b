//! Trouble on demand, for tests of clients.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::errors::ApiError;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answer this status with an error body.
    Status(u16),
    /// Answer 200 with something that is not JSON.
    Garbage,
    /// Answer 302 to this address.
    Redirect(String),
    /// Never answer.
    Hang,
    /// Answer properly, but late.
    Slow(Duration),
    /// Answer 429 with `Retry-After` in seconds.
    RateLimited(u32),
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    prefix: String,
    method: Option<String>,
    left: Option<u32>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    /// Adds a fault for paths that start with `prefix`, for one method or all, `times` times or for ever.
    pub fn add(&self, fault: Fault, prefix: &str, method: Option<&str>, times: Option<u32>) {
        let rule = Rule { fault, prefix: prefix.to_owned(), method: method.map(str::to_uppercase), left: times };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn next(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |rule: &&mut Rule| {
            path.starts_with(&rule.prefix) && rule.left != Some(0) && rule.method.as_deref().is_none_or(|known| known == method)
        };
        let rule = rules.iter_mut().find(fits)?;
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.fault.clone())
    }

    /// The answer that a fault gives instead of the proper one.
    pub async fn answer(&self, method: &str, path: &str) -> Option<Response> {
        match self.next(method, path)? {
            Fault::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some(ApiError::new(status, "An unexpected error occurred.").into_response())
            }
            Fault::Garbage => Some(Response::new(Body::from("<html><body>\u{fffd}{\"Items\":[ oops"))),
            Fault::Redirect(target) => {
                let mut response = StatusCode::FOUND.into_response();
                response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&target).ok()?);
                Some(response)
            }
            Fault::Hang => std::future::pending().await,
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                None
            }
            Fault::RateLimited(seconds) => {
                let mut response = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests.").into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Some(response)
            }
        }
    }
}
