//! `/api/capabilities`: request names that clients ask for by name.

use axum::{Router, routing::get};
use serde_json::json;

use super::{
    errors::ApiResult,
    request::{Req, ok},
    server::App,
};

/// Routes of capabilities.
pub fn routes() -> Router<App> {
    Router::new().route("/api/capabilities", get(list))
}

async fn list(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    ok(&json!({"Capabilities": ["GetAllSpacesRequest", "GetAllEnvironmentsRequest", "GetAllProjectsRequest"]}))
}
