//! Deployments: the permission check for an environment, a task that is done at once.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    paging,
    permissions::{self, Target},
    request::{Body, Req, created, ok},
    roundtrip,
    server::App,
    state::{Document, State, User},
    time,
};

/// Routes of deployments and tasks.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/deployments", get(list).post(create))
        .route("/api/deployments/{id}", get(one))
        .route("/api/tasks", get(tasks))
        .route("/api/tasks/{id}", get(task))
        .route("/api/projects/{id}/releases", get(releases))
        .route("/api/projects/{id}/releases/{version}", get(release_by_version))
        .route("/api/projects/{id}/channels", get(channels))
        .route("/api/projects/{id}/runbooks", get(runbooks))
}

async fn create(req: Req, body: Body) -> ApiResult {
    let (release, environment) = (body.required("ReleaseId", 100)?, body.required("EnvironmentId", 100)?);
    let mut state = req.app.write();
    let user = req.user(&state)?.clone();
    let space = req.space().to_owned();
    let deployment = deploy(&mut state, &Actor::of(&req, &user), &user, &space, &release, &environment)?;
    created(&Value::Object(deployment))
}

/// Deploys a release to an environment, if the user may.
///
/// # Errors
/// 400 for unknown ids, 403 that names `DeploymentCreate`.
pub fn deploy(
    state: &mut State,
    actor: &Actor,
    user: &User,
    space: &str,
    release: &str,
    environment: &str,
) -> Result<Document, ApiError> {
    let text = |document: &Document, name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let unknown = |field: &str, id: &str| ApiError::invalid(format!("{field}: '{id}' does not exist."));
    // Documents of another space do not exist here: the permission is asked for in this one only.
    let here = |collection: &str, id: &str| state.document(collection, id).filter(|found| text(found, "SpaceId") == space);
    let found = here("releases", release).ok_or_else(|| unknown("ReleaseId", release))?;
    let (project, version, channel) = (text(found, "ProjectId"), text(found, "Version"), text(found, "ChannelId"));
    let found = here("environments", environment).ok_or_else(|| unknown("EnvironmentId", environment))?;
    let environment_name = text(found, "Name");
    let project_name = here("projects", &project).map(|found| text(found, "Name")).unwrap_or_default();
    let target = Target { space, project: Some(&project), environment: Some(environment) };
    if !permissions::in_space(state, &user.id, "DeploymentCreate", target) {
        return Err(ApiError::missing("DeploymentCreate"));
    }
    let (id, task_id) = (state.next_id("Deployments"), state.next_id("ServerTasks"));
    let name = format!("Deploy to {environment_name}");
    let now = time::iso(actor.now);
    let task = json!({
        "Id": task_id, "Name": "Deploy", "Description": format!("Deploy {project_name} release {version} to {environment_name}"),
        "Arguments": {"DeploymentId": id}, "HasBeenPickedUpByProcessor": true, "ServerNode": "", "State": "Success", "Completed": "now", "QueueTime": now, "StartTime": now,
        "LastUpdatedTime": now, "CompletedTime": now, "Duration": "less than a second", "ErrorMessage": "",
        "IsCompleted": true, "FinishedSuccessfully": true, "HasPendingInterruptions": false, "CanRerun": false,
        "HasWarningsOrErrors": false, "ProjectId": project, "SpaceId": space, "Links": {"Self": format!("/api/tasks/{task_id}")},
    });
    let deployment = roundtrip::decorate(json!({
        "Id": id, "Name": name, "ReleaseId": release, "EnvironmentId": environment, "ProjectId": project, "TenantId": null,
        "ChannelId": channel, "TaskId": task_id, "Created": now, "DeployedBy": user.username, "DeployedById": user.id,
        "FailureEncountered": false, "SkipActions": [], "SpecificMachineIds": [], "SpaceId": space,
        "Links": {"Self": format!("/api/{space}/deployments/{id}"), "Task": format!("/api/tasks/{task_id}")},
    }));
    let related = vec![id.clone(), project, release.to_owned(), environment.to_owned(), task_id.clone(), channel];
    for (category, verb) in
        [("DeploymentQueued", "queued"), ("DeploymentStarted", "started"), ("DeploymentSucceeded", "succeeded")]
    {
        let message = format!("Deploy {project_name} release {version} to {environment_name} {verb}");
        // Somebody queues it; the rest is the server's work.
        let by = if category == "DeploymentQueued" { actor.clone() } else { Actor::system(actor.now) };
        events::record(state, &by, category, message, related.clone(), Some(space.to_owned()), vec![]);
    }
    let mut store = |collection: &str, id: &str, value: &Value| {
        let document = value.as_object().cloned().unwrap_or_default();
        state.documents.entry(collection.to_owned()).or_default().insert(id.to_owned(), document.clone());
        document
    };
    store("tasks", &task_id, &task);
    Ok(store("deployments", &id, &deployment))
}

/// Documents of a collection that name their project and environment, as far as the caller may see them.
fn readable(req: &Req, state: &State, collection: &str, permission: &str) -> Result<Vec<Value>, ApiError> {
    let user = req.user(state)?;
    if !permissions::in_space(state, &user.id, permission, Target { space: req.space(), ..Target::default() }) {
        return Err(ApiError::missing(permission));
    }
    let sees = |document: &&Document| {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let target = Target { space: req.space(), project: text("ProjectId"), environment: text("EnvironmentId") };
        text("SpaceId") == Some(req.space()) && permissions::in_space(state, &user.id, permission, target)
    };
    let documents = state.documents.get(collection).into_iter().flat_map(|documents| documents.values());
    let items = documents.filter(sees).map(|document| Value::Object(document.clone())).collect();
    Ok(paging::select(req, items))
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    let items = readable(&req, &state, "deployments", "DeploymentView")?;
    let wanted = |item: &Value, query: &str, field: &str| {
        req.query.list(query).is_none_or(|ids| ids.iter().any(|id| item.get(field) == Some(&json!(id))))
    };
    let fields =
        [("projects", "ProjectId"), ("environments", "EnvironmentId"), ("tenants", "TenantId"), ("channels", "ChannelId")];
    let state_of = |item: &Value| {
        let task = item.get("TaskId").and_then(Value::as_str).and_then(|id| state.document("tasks", id));
        task.and_then(|task| task.get("State")).cloned()
    };
    let in_state = |item: &Value| req.query.get("taskState").is_none_or(|wanted| state_of(item) == Some(json!(wanted)));
    let items = items.into_iter().filter(|item| fields.iter().all(|(query, field)| wanted(item, query, field)) && in_state(item));
    paging::page(&req, "Deployment", &format!("{}/deployments", req.base()), super::root::DEPLOYMENTS, items.collect())
}

fn by_id(items: Vec<Value>, id: &str) -> ApiResult {
    let found = items.into_iter().find(|item| item.get("Id") == Some(&json!(id)));
    ok(&found.ok_or_else(|| ApiError::not_found(id))?)
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    by_id(readable(&req, &req.app.read(), "deployments", "DeploymentView")?, &id)
}

async fn tasks(req: Req) -> ApiResult {
    let items = readable(&req, &req.app.read(), "tasks", "TaskView")?;
    let wanted = |item: &Value, query: &str, field: &str| {
        req.query.list(query).is_none_or(|ids| ids.iter().any(|id| item.get(field) == Some(&json!(id))))
    };
    let items = items.into_iter().filter(|item| wanted(item, "name", "Name") && wanted(item, "states", "State"));
    paging::page(&req, "Task", &format!("{}/tasks", req.base()), super::root::TASKS, items.collect())
}

async fn task(req: Req, Path(id): Path<String>) -> ApiResult {
    by_id(readable(&req, &req.app.read(), "tasks", "TaskView")?, &id)
}

/// What a project has of a collection, newest first, as far as the caller may see it.
fn of_project(req: &Req, id: &str, collection: &str, permission: &str, item_type: &str) -> ApiResult {
    let state = req.app.read();
    let mut items = readable(req, &state, collection, permission)?;
    let project = state.document("projects", id);
    project.filter(|project| project.get("SpaceId") == Some(&json!(req.space()))).ok_or_else(|| ApiError::not_found(id))?;
    items.retain(|item| item.get("ProjectId") == Some(&json!(id)));
    items.reverse();
    paging::page(req, item_type, &format!("{}/projects/{id}/{collection}", req.base()), "{?skip,take}", items)
}

async fn releases(req: Req, Path(id): Path<String>) -> ApiResult {
    of_project(&req, &id, "releases", "ReleaseView", "Release")
}

async fn channels(req: Req, Path(id): Path<String>) -> ApiResult {
    of_project(&req, &id, "channels", "ProcessView", "Channel")
}

async fn runbooks(req: Req, Path(id): Path<String>) -> ApiResult {
    of_project(&req, &id, "runbooks", "RunbookView", "Runbook")
}

/// `GET /api/projects/{id}/releases/{version}`.
async fn release_by_version(req: Req, Path((id, version)): Path<(String, String)>) -> ApiResult {
    let items = readable(&req, &req.app.read(), "releases", "ReleaseView")?;
    let fits = |item: &&Value| item.get("ProjectId") == Some(&json!(id)) && item.get("Version") == Some(&json!(version));
    ok(items.iter().find(fits).ok_or_else(|| ApiError::not_found(&version))?)
}
