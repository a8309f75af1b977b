//! The error body of the API: `{"ErrorMessage":…,"Errors":[…],…}`.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::request::json_response;

/// What a handler answers.
pub type ApiResult = Result<Response, ApiError>;

/// A refusal with its status and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// `ErrorMessage` of the body.
    pub message: String,
    /// `Errors` of the body, one sentence each.
    pub errors: Vec<String>,
}

const FORBIDDEN: &str = "You do not have permission to perform this action. Please contact your Octopus administrator.";

impl ApiError {
    /// Any status with a message and no list.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new() }
    }

    /// 400 with the standing first sentence and what is wrong.
    pub fn invalid(problem: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: "There was a problem with your request.".into(),
            errors: vec![problem.into()],
        }
    }

    /// 400 with a message of its own, as the sign-in pages give it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401; the cause is a sentence that tells nothing about accounts.
    pub fn unauthenticated(cause: Option<&str>) -> Self {
        let standing = "You must be logged in to request this resource. Please provide a valid API key or log in again.";
        Self::new(StatusCode::UNAUTHORIZED, cause.unwrap_or(standing))
    }

    /// 403 that names the permission.
    pub fn missing(permission: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, format!("{FORBIDDEN} Missing permission: {permission}"))
    }

    /// 403 without a permission: nobody may do this.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN)
    }

    /// 404 for a document that does not exist.
    pub fn not_found(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("The resource '{id}' was not found."))
    }

    /// 404 for an address that does not exist.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource was not found.")
    }

    /// 405.
    pub fn method(method: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("The HTTP method {method} is not supported by this resource."))
    }

    /// The body of this error.
    pub fn body(&self) -> Value {
        json!({
            "ErrorMessage": self.message,
            "Errors": self.errors,
            "FullException": null,
            "HelpText": null,
            "HelpLink": null,
            "ParsedHelpLinks": [],
            "Details": {},
        })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        json_response(self.status, &self.body())
    }
}
