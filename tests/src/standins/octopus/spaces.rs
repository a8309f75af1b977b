//! Inner spaces: one, the default one, plus those that are made.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    paging,
    request::{Body, Req, created, ok},
    roundtrip,
    server::App,
    state::{Document, State, Team, same},
};

/// Routes of inner spaces.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/spaces", get(list).post(create))
        .route("/api/spaces/all", get(all))
        .route("/api/spaces/{id}", get(one).put(update).delete(delete))
}

/// A new space with the fields that all have.
pub fn new(id: &str, name: &str, is_default: bool) -> Document {
    let value = roundtrip::decorate(json!({
        "Id": id,
        "Name": name,
        "Slug": name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"),
        "Description": null,
        "IsDefault": is_default,
        "IsPrivate": false,
        "TaskQueueStopped": false,
        "SpaceManagersTeams": [format!("teams-spacemanagers-{id}")],
        "SpaceManagersTeamMembers": [],
        "Icon": null,
        "ExtensionSettings": [],
        "Links": {"Self": format!("/api/spaces/{id}"), "SpaceHome": format!("/api/{id}"), "Web": "/app"},
    }));
    value.as_object().cloned().unwrap_or_default()
}

/// The team of a space's managers with its role.
pub fn managers(state: &mut State, space: &str) {
    let id = format!("teams-spacemanagers-{space}");
    let team = Team {
        id: id.clone(),
        name: "Space Managers".into(),
        description: "Users in this team manage the space".into(),
        space_id: Some(space.to_owned()),
        can_change_members: true,
        ..Team::default()
    };
    state.teams.insert(id.clone(), team);
    let scoped = super::state::ScopedUserRole {
        id: state.next_id("ScopedUserRoles"),
        user_role_id: "userroles-spacemanager".into(),
        team_id: id,
        space_id: Some(space.to_owned()),
        ..Default::default()
    };
    state.scoped_roles.insert(scoped.id.clone(), scoped);
}

fn sorted(req: &Req, state: &State) -> Vec<Value> {
    let spaces = state.documents.get("spaces").into_iter().flatten().map(|(_, space)| Value::Object(space.clone()));
    let mut spaces = paging::select(req, spaces.collect());
    paging::sort_by(&mut spaces, "Name");
    spaces
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    paging::page(&req, "Space", "/api/spaces", "{/id}{?name,skip,ids,take,partialName}", sorted(&req, &state))
}

async fn all(req: Req) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    ok(&Value::Array(sorted(&req, &state)))
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Document, ApiError> {
    state.document("spaces", id).ok_or_else(|| ApiError::not_found(id))
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    ok(&Value::Object(find(&state, &id)?.clone()))
}

fn check_name(state: &State, own: &str, name: &str) -> Result<(), ApiError> {
    let others = state.documents.get("spaces").into_iter().flatten().filter(|(id, _)| *id != own);
    let mut names = others.filter_map(|(_, space)| space.get("Name")?.as_str());
    if names.any(|other| same(other, name)) {
        return Err(ApiError::invalid("A Space with this name already exists. Please choose a different name."));
    }
    Ok(())
}

fn changed(state: &mut State, actor: &Actor, before: Option<&Document>, after: Option<&Document>) {
    let (before, after) = (before.cloned().map(Value::Object), after.cloned().map(Value::Object));
    let text = |name: &str| {
        after.as_ref().or(before.as_ref()).and_then(|space| space.get(name)?.as_str()).unwrap_or_default().to_owned()
    };
    let (id, name) = (text("Id"), text("Name"));
    let subject = Subject { kind: "Space", name: &name, related: vec![id], space_id: None };
    events::changed(state, actor, subject, before.as_ref(), after.as_ref());
}

async fn create(req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "SpaceCreate")?.clone();
    let name = body.required("Name", 20)?;
    check_name(&state, "", &name)?;
    let members = body.texts("SpaceManagersTeamMembers")?;
    if members.is_empty() && body.texts("SpaceManagersTeams")?.is_empty() {
        return Err(ApiError::invalid("At least one team or user must be provided as a space manager."));
    }
    let id = state.next_id("Spaces");
    let mut space = new(&id, &name, false);
    space.insert("Description".into(), json!(body.text("Description")?));
    space.insert("SpaceManagersTeamMembers".into(), json!(members));
    managers(&mut state, &id);
    if let Some(team) = state.teams.get_mut(&format!("teams-spacemanagers-{id}")) {
        team.members = members;
    }
    changed(&mut state, &Actor::of(&req, &actor), None, Some(&space));
    state.documents.entry("spaces".into()).or_default().insert(id, space.clone());
    created(&Value::Object(space))
}

async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "SpaceEdit")?.clone();
    let old = find(&state, &id)?.clone();
    roundtrip::check(&req, &Value::Object(old.clone()), &body.0)?;
    let name = body.required("Name", 20)?;
    check_name(&state, &id, &name)?;
    let mut space = old.clone();
    space.insert("Name".into(), json!(name));
    space.insert("Description".into(), json!(body.text("Description")?));
    space.insert("TaskQueueStopped".into(), json!(body.flag("TaskQueueStopped")?.unwrap_or(false)));
    changed(&mut state, &Actor::of(&req, &actor), Some(&old), Some(&space));
    state.documents.entry("spaces".into()).or_default().insert(id, space.clone());
    ok(&Value::Object(space))
}

async fn delete(req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "SpaceDelete")?.clone();
    let space = find(&state, &id)?.clone();
    if space.get("TaskQueueStopped") != Some(&json!(true)) {
        return Err(ApiError::invalid("The task queue of the space must be stopped before it can be deleted."));
    }
    if space.get("IsDefault") == Some(&json!(true)) {
        return Err(ApiError::invalid("The default space cannot be deleted here."));
    }
    let in_space = |owner: &Option<String>| owner.as_deref() == Some(id.as_str());
    state.documents.entry("spaces".into()).or_default().remove(&id);
    state.teams.retain(|_, team| !in_space(&team.space_id));
    state.scoped_roles.retain(|_, scoped| !in_space(&scoped.space_id));
    changed(&mut state, &Actor::of(&req, &actor), Some(&space), None);
    ok(&json!({}))
}
