//! Status of the server and its node.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    paging,
    request::{Req, ok},
    server::App,
    time,
};

/// Routes of status.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/serverstatus", get(status))
        .route("/api/serverstatus/health", get(health))
        .route("/api/serverstatus/system-info", get(system_info))
        .route("/api/octopusservernodes", get(nodes))
        .route("/api/octopusservernodes/summary", get(summary))
        .route("/api/octopusservernodes/ping", get(ping))
        .route("/api/octopusservernodes/{id}", get(node))
}

async fn status(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    ok(&json!({
        "IsDatabaseEncrypted": true,
        "IsUpgradeAvailable": false,
        "MaximumAvailableVersion": null,
        "MaximumAvailableVersionCoveredByLicense": null,
        "MaintenanceExpires": null,
        "IsInMaintenanceMode": false,
        "IsMajorMinorUpgrade": false,
        "IsPotentialClone": false,
        "Links": {
            "Self": "/api/serverstatus",
            "Health": "/api/serverstatus/health",
            "SystemInfo": "/api/serverstatus/system-info",
        },
    }))
}

async fn health(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    ok(&json!({
        "IsOperatingNormally": true,
        "Description": "Octopus is operating normally",
        "IsEntireClusterReadOnly": false,
        "IsEntireClusterDrainingTasks": false,
        "IsCompliantWithLicense": true,
        "Links": {"Self": "/api/serverstatus/health"},
    }))
}

async fn system_info(req: Req) -> ApiResult {
    req.need(&req.app.read(), "AdministerSystem")?;
    ok(&json!({
        "Version": req.app.config.version.to_string(),
        "OSVersion": "stand-in",
        "ClrVersion": "stand-in",
        "ThreadCount": 8,
        "Uptime": "1 hour",
        "WorkingSetBytes": 100_000_000,
        "Links": {"Self": "/api/serverstatus/system-info"},
    }))
}

fn this_node(req: &Req) -> Value {
    let id = format!("OctopusServerNodes-{}", req.app.node_name());
    json!({
        "Id": id,
        "Name": req.app.node_name(),
        "MaxConcurrentTasks": 5,
        "IsInMaintenanceMode": false,
        "LastSeen": time::iso(req.app.now()),
        "Rank": "Leader",
        "Links": {"Self": format!("/api/octopusservernodes/{id}")},
    })
}

async fn nodes(req: Req) -> ApiResult {
    req.need(&req.app.read(), "AdministerSystem")?;
    paging::page(&req, "OctopusServerNode", "/api/octopusservernodes", "{/id}{?skip,ids,take,partialName}", vec![this_node(&req)])
}

async fn node(req: Req, Path(id): Path<String>) -> ApiResult {
    req.need(&req.app.read(), "AdministerSystem")?;
    let node = Some(this_node(&req)).filter(|node| node.get("Id") == Some(&json!(id)));
    ok(&node.ok_or_else(|| ApiError::not_found(&id))?)
}

async fn summary(req: Req) -> ApiResult {
    req.need(&req.app.read(), "AdministerSystem")?;
    let mut node = this_node(&req);
    if let Some(map) = node.as_object_mut() {
        map.insert("IsOffline".into(), json!(false));
        map.insert("RunningTaskCount".into(), json!(0));
    }
    ok(&json!({"Nodes": [node], "Links": {"Self": "/api/octopusservernodes/summary"}}))
}

/// For load balancers: anonymous.
async fn ping() -> &'static str {
    "OK"
}
