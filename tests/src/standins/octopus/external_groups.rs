//! Which providers know groups.

use axum::{Router, routing::get};
use serde_json::{Value, json};

use super::{
    errors::ApiResult,
    request::{Req, ok},
    server::App,
    users,
};

/// Routes of external group providers.
pub fn routes() -> Router<App> {
    Router::new().route("/api/externalsecuritygroupproviders", get(list))
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "TeamView")?;
    let enabled = users::providers(&req.app).filter(|provider| provider.has_groups && provider.enabled(&state));
    let one = |provider: super::relying_party::Provider| json!({"Id": provider.section, "Name": provider.name, "IsRoleBased": true, "SupportsGroupLookup": false, "LookupUri": null});
    ok(&enabled.map(one).collect::<Value>())
}
