//! The "executions API" by which today's official clients deploy and release: names instead of ids, several
//! environments at once (`…/deployments/create/untenanted/v1`, `…/releases/create/v1`).

use axum::{Router, http::StatusCode, routing::post};
use serde_json::{Value, json};

use super::{
    deployments, documents,
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    permissions::{self, Target},
    request::{Body, Req, json_response},
    server::App,
    state::{Document, State, same},
    time,
};

/// Routes of the executions API.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/deployments/create/untenanted/v1", post(deploy))
        .route("/api/deployments/create/tenanted/v1", post(deploy_tenanted))
        .route("/api/releases/create/v1", post(release))
}

fn text(document: &Document, name: &str) -> String {
    document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Finds a document of a space by id, name or slug.
fn find<'a>(state: &'a State, space: &str, collection: &str, wanted: &str) -> Option<&'a Document> {
    let mut here = state.documents.get(collection)?.values().filter(|document| text(document, "SpaceId") == space);
    here.find(|document| ["Id", "Name", "Slug"].iter().any(|field| same(&text(document, field), wanted)))
}

/// The space of the address has to be that of the body, which names it twice (clients send both).
fn check_space(req: &Req, state: &State, body: &Body) -> Result<String, ApiError> {
    let space = req.space().to_owned();
    let name = state.document("spaces", &space).map(|document| text(document, "Name")).unwrap_or_default();
    let own = |given: &str| same(given, &space) || same(given, &name);
    for field in ["SpaceId", "SpaceIdOrName", "SpaceName"] {
        if let Some(given) = body.text(field)?.filter(|given| !given.is_empty() && !own(given)) {
            return Err(ApiError::invalid(format!("{field}: '{given}' is not the space of the address, {space}.")));
        }
    }
    Ok(space)
}

fn project<'a>(state: &'a State, space: &str, body: &Body) -> Result<&'a Document, ApiError> {
    let name = body.required("ProjectName", 200)?;
    find(state, space, "projects", &name).ok_or_else(|| ApiError::invalid(format!("ProjectName: '{name}' does not exist.")))
}

async fn deploy(req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let user = req.user(&state)?.clone();
    let space = check_space(&req, &state, &body)?;
    let (version, names) = (body.required("ReleaseVersion", 350)?, body.texts("EnvironmentNames")?);
    let project = text(project(&state, &space, &body)?, "Id");
    if names.is_empty() {
        return Err(ApiError::invalid("EnvironmentNames: at least one environment is required."));
    }
    let mut releases = state.documents.get("releases").into_iter().flat_map(|known| known.values());
    let release = releases.find(|release| text(release, "ProjectId") == project && same(&text(release, "Version"), &version));
    let release = release.ok_or_else(|| ApiError::invalid(format!("ReleaseVersion: '{version}' does not exist.")))?;
    let release = text(release, "Id");
    let environment = |name: &String| {
        let found = find(&state, &space, "environments", name).map(|document| text(document, "Id"));
        found.ok_or_else(|| ApiError::invalid(format!("EnvironmentNames: '{name}' does not exist.")))
    };
    let environments = names.iter().map(environment).collect::<Result<Vec<_>, _>>()?;
    // All or nothing: nobody gets half of what they asked for.
    let may = |id: &String| {
        let target = Target { space: &space, project: Some(&project), environment: Some(id) };
        permissions::in_space(&state, &user.id, "DeploymentCreate", target)
    };
    if !environments.iter().all(may) {
        return Err(ApiError::missing("DeploymentCreate"));
    }
    let actor = Actor::of(&req, &user);
    let mut tasks = Vec::new();
    for environment in &environments {
        let made = deployments::deploy(&mut state, &actor, &user, &space, &release, environment)?;
        tasks.push(json!({"DeploymentId": made.get("Id"), "ServerTaskId": made.get("TaskId")}));
    }
    Ok(json_response(StatusCode::CREATED, &json!({"DeploymentServerTasks": tasks})))
}

/// There are no tenants here.
async fn deploy_tenanted(req: Req, body: Body) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    check_space(&req, &state, &body)?;
    let (tenants, tags) = (body.texts("Tenants")?, body.texts("TenantTags")?);
    let named = tenants.first().or(tags.first()).map_or_else(String::new, |name| format!(": '{name}' does not exist"));
    Err(ApiError::invalid(format!("Tenants{named}.")))
}

/// Makes a release of a project; without a version the next one, without a channel the default one.
async fn release(req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let user = req.user(&state)?.clone();
    let space = check_space(&req, &state, &body)?;
    let project = text(project(&state, &space, &body)?, "Id");
    let target = Target { space: &space, project: Some(&project), environment: None };
    if !permissions::in_space(&state, &user.id, "ReleaseCreate", target) {
        return Err(ApiError::missing("ReleaseCreate"));
    }
    let of_project = |collection: &str| {
        let known = state.documents.get(collection).into_iter().flat_map(|known| known.values());
        known.filter(|document| text(document, "ProjectId") == project).cloned().collect::<Vec<_>>()
    };
    let (releases, channels) = (of_project("releases"), of_project("channels"));
    let channel = match body.text("ChannelName")?.filter(|name| !name.is_empty()) {
        None => channels.iter().find(|channel| channel.get("IsDefault") == Some(&json!(true))).map(|channel| text(channel, "Id")),
        Some(name) => {
            let found = channels.iter().find(|channel| same(&text(channel, "Name"), &name) || same(&text(channel, "Id"), &name));
            Some(text(found.ok_or_else(|| ApiError::invalid(format!("ChannelName: '{name}' does not exist.")))?, "Id"))
        }
    };
    let version = match body.optional("ReleaseVersion", 350)?.filter(|version| !version.is_empty()) {
        Some(version) => version,
        None => format!("0.0.{}", releases.len() + 1),
    };
    let twin = releases.iter().find(|release| same(&text(release, "Version"), &version));
    if let Some(twin) = twin {
        if body.flag("IgnoreIfAlreadyExists")? == Some(true) {
            return Ok(answer(twin, StatusCode::OK));
        }
        return Err(ApiError::invalid(format!(
            "Release '{version}' already exists for this project. Please use a different version."
        )));
    }
    let notes = body.text("ReleaseNotes")?.unwrap_or_default();
    let id = state.next_id("Releases");
    let actor = Actor::of(&req, &user);
    let made = documents::release(&space, &id, &project, &version, channel.as_deref(), &notes, &time::iso(actor.now));
    let subject = Subject { kind: "Release", name: &version, related: vec![id.clone(), project], space_id: Some(space) };
    events::changed(&mut state, &actor, subject, None, Some(&Value::Object(made.clone())));
    let answer = answer(&made, StatusCode::CREATED);
    state.documents.entry("releases".into()).or_default().insert(id, made);
    Ok(answer)
}

fn answer(release: &Document, status: StatusCode) -> axum::response::Response {
    json_response(status, &json!({"ReleaseId": release.get("Id"), "ReleaseVersion": release.get("Version")}))
}
