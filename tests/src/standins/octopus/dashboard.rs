//! The dashboard of a space: the newest deployment of each project to each environment.

use std::collections::BTreeMap;

use axum::{Router, routing::get};
use serde_json::{Value, json};

use super::{
    errors::ApiResult,
    permissions::{self, Target},
    request::{Req, ok},
    server::App,
    state::{Document, State},
};

/// Routes of the dashboard.
pub fn routes() -> Router<App> {
    Router::new().route("/api/dashboard", get(show))
}

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The documents of a collection that the caller may see in the space of the request.
fn visible<'a>(req: &'a Req, state: &'a State, user: &'a str, collection: &str, permission: &'a str) -> Vec<&'a Document> {
    let documents = state.documents.get(collection).into_iter().flat_map(|known| known.values());
    let project_of = |document: &'a Document| match text(document, "Id") {
        id if id.starts_with("Projects-") => Some(id),
        _ => Some(text(document, "ProjectId")).filter(|id| !id.is_empty()),
    };
    let environment_of = |document: &'a Document| match text(document, "Id") {
        id if id.starts_with("Environments-") => Some(id),
        _ => Some(text(document, "EnvironmentId")).filter(|id| !id.is_empty()),
    };
    let sees = |document: &&'a Document| {
        let target = Target { space: req.space(), project: project_of(document), environment: environment_of(document) };
        text(document, "SpaceId") == req.space() && permissions::in_space(state, user, permission, target)
    };
    documents.filter(sees).collect()
}

/// Some fields of each document.
fn fields(documents: &[&Document], names: &[&str]) -> Vec<Value> {
    let short = |document: &&Document| {
        names.iter().map(|&name| (name.to_owned(), document.get(name).cloned().unwrap_or(Value::Null))).collect::<Document>()
    };
    documents.iter().map(short).map(Value::Object).collect()
}

async fn show(req: Req) -> ApiResult {
    let state = req.app.read();
    let user = req.user(&state)?.id.clone();
    let wanted = req.query.get("projectId");
    let mut projects = visible(&req, &state, &user, "projects", "ProjectView");
    projects.retain(|project| wanted.is_none_or(|wanted| text(project, "Id") == wanted));
    let environments = visible(&req, &state, &user, "environments", "EnvironmentView");
    let groups = visible(&req, &state, &user, "projectgroups", "ProjectGroupView");
    let mut newest = BTreeMap::new();
    for deployment in visible(&req, &state, &user, "deployments", "DeploymentView") {
        let place = (text(deployment, "ProjectId"), text(deployment, "EnvironmentId"));
        let number = text(deployment, "Id").rsplit('-').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let known = newest.entry(place).or_insert((number, deployment));
        if number > known.0 {
            *known = (number, deployment);
        }
    }
    let item = |deployment: &Document| {
        let task = state.document("tasks", text(deployment, "TaskId")).cloned().unwrap_or_default();
        let release = state.document("releases", text(deployment, "ReleaseId"));
        json!({
            "Id": deployment.get("Id"), "DeploymentId": deployment.get("Id"), "ProjectId": deployment.get("ProjectId"),
            "EnvironmentId": deployment.get("EnvironmentId"), "ReleaseId": deployment.get("ReleaseId"),
            "ReleaseVersion": release.map(|release| text(release, "Version")), "TaskId": deployment.get("TaskId"),
            "TenantId": null, "ChannelId": deployment.get("ChannelId"), "Created": deployment.get("Created"),
            "QueueTime": task.get("QueueTime"), "StartTime": task.get("StartTime"), "CompletedTime": task.get("CompletedTime"),
            "State": task.get("State"), "Duration": task.get("Duration"), "ErrorMessage": "", "HasPendingInterruptions": false,
            "HasWarningsOrErrors": false, "IsCurrent": true, "IsPrevious": false, "IsCompleted": true,
            "Links": {"Self": deployment.get("Links").and_then(|links| links.get("Self"))},
        })
    };
    let shown = |project: &str| projects.iter().any(|known| text(known, "Id") == project);
    let items = newest.into_iter().filter(|((project, _), _)| shown(project)).map(|(_, (_, deployment))| item(deployment));
    ok(&json!({
        "Id": "dashboard",
        "Projects": fields(&projects, &["Id", "Name", "Slug", "ProjectGroupId", "TenantedDeploymentMode", "IsDisabled", "Links"]),
        "ProjectGroups": fields(&groups, &["Id", "Name", "EnvironmentIds", "Links"]),
        "Environments": fields(&environments, &["Id", "Name", "Links"]),
        "Tenants": [],
        "Items": items.collect::<Vec<_>>(),
        "PreviousItems": [],
        "ProjectLimit": null,
        "IsFiltered": wanted.is_some(),
        "Links": {"Self": format!("{}/dashboard", req.base())},
    }))
}
