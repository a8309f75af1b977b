//! Documents of the whole server that clients look at and that never change here: features, licence, maintenance,
//! extensions, time zones.

use axum::{Router, routing::get};
use serde_json::{Value, json};

use super::{
    errors::ApiResult,
    request::{Req, ok},
    server::App,
};

/// Routes of these documents; all are read-only.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/featuresconfiguration", get(|req| show(req, Some("ConfigureServer"), features())))
        .route("/api/maintenanceconfiguration", get(|req| show(req, None, maintenance())))
        .route("/api/licenses/licenses-current", get(|req| show(req, Some("ConfigureServer"), licence())))
        .route("/api/licenses/licenses-current-status", get(|req| show(req, None, licence_status())))
        .route("/api/serverstatus/extensions", get(|req| show(req, None, json!([]))))
        .route("/api/serverstatus/timezones", get(|req| show(req, None, timezones())))
        .route("/api/configuration/feature-toggles", get(|req| show(req, None, json!({"FeatureToggles": []}))))
}

async fn show(req: Req, permission: Option<&'static str>, document: Value) -> ApiResult {
    let state = req.app.read();
    match permission {
        Some(permission) => req.need(&state, permission)?,
        None => req.user(&state)?,
    };
    ok(&document)
}

fn features() -> Value {
    json!({
        "Id": "features", "IsCommunityActionTemplatesEnabled": false, "IsBuiltInWorkerEnabled": true,
        "IsHelpSidebarEnabled": true, "Links": {"Self": "/api/featuresconfiguration"},
    })
}

fn maintenance() -> Value {
    json!({"Id": "maintenance", "IsInMaintenanceMode": false, "Links": {"Self": "/api/maintenanceconfiguration"}})
}

fn licence() -> Value {
    json!({
        "Id": "licenses-current", "LicenseText": "", "SerialNumber": "STAND-IN",
        "Links": {"Self": "/api/licenses/licenses-current"},
    })
}

fn licence_status() -> Value {
    json!({
        "Id": "licenses-current-status", "IsCompliant": true, "ComplianceSummary": "You are currently in compliance.",
        "EffectiveExpiryDate": null, "DaysToEffectiveExpiryDate": null, "IsClusteringAllowed": true, "Messages": [],
        "PermissionsMode": "Restricted", "Limits": [], "Links": {"Self": "/api/licenses/licenses-current-status"},
    })
}

fn timezones() -> Value {
    json!([{"Id": "UTC", "Name": "(UTC) Coordinated Universal Time", "IsLocal": true}])
}
