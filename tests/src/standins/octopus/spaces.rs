//! Inner spaces: one, the default one, plus those that are made.

use axum::{
    Router,
    extract::Path,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    documents::slug_of,
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    kinds::kind,
    paging,
    permissions::{self, Target},
    request::{Body, Req, created, ok},
    roundtrip,
    server::App,
    state::{Document, ScopedUserRole, State, Team, same},
};

/// Routes of inner spaces.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/spaces", get(list).post(create))
        .route("/api/spaces/all", get(all))
        .route("/api/spaces/{id}", get(one).put(update).delete(delete))
        // Of `/api/spaces/{id}/…` the front has taken the space away.
        .route("/api/logo", get(logo))
        .route("/api/search", get(search))
}

/// A new space with the fields that all have.
pub fn new(id: &str, name: &str, is_default: bool) -> Document {
    let value = roundtrip::decorate(json!({
        "Id": id,
        "Name": name,
        "Slug": slug_of(name),
        "Description": null,
        "IsDefault": is_default,
        "IsPrivate": false,
        "TaskQueueStopped": false,
        "SpaceManagersTeams": [format!("teams-spacemanagers-{id}")],
        "SpaceManagersTeamMembers": [],
        "Icon": null,
        "ExtensionSettings": [],
        "Links": links(id),
    }));
    value.as_object().cloned().unwrap_or_default()
}

/// The links of a space. Clients cut `Web` at `/app#/`.
pub fn links(id: &str) -> Value {
    json!({
        "Self": format!("/api/spaces/{id}"),
        "SpaceHome": format!("/api/{id}"),
        "Web": format!("/app#/{id}"),
        "Logo": format!("/api/spaces/{id}/logo"),
        "Search": format!("/api/spaces/{id}/search{{?keyword}}"),
    })
}

const MANAGER: &str = "userroles-spacemanager";

fn own_team(space: &str) -> String {
    format!("teams-spacemanagers-{space}")
}

/// A space as the API shows it: its managers are those of the team and of the roles.
pub fn full(state: &State, space: &Document) -> Value {
    let id = space.get("Id").and_then(Value::as_str).unwrap_or_default();
    let own = own_team(id);
    let given = state.scoped_roles.values().filter(|scoped| is_manager(scoped, id) && scoped.team_id != own);
    let teams = std::iter::once(own.clone()).chain(given.map(|scoped| scoped.team_id.clone())).collect::<Vec<_>>();
    let members = state.teams.get(&own).map(|team| team.members.clone()).unwrap_or_default();
    let mut space = space.clone();
    space.insert("SpaceManagersTeams".into(), json!(teams));
    space.insert("SpaceManagersTeamMembers".into(), json!(members));
    Value::Object(space)
}

fn is_manager(scoped: &ScopedUserRole, space: &str) -> bool {
    scoped.user_role_id == MANAGER && scoped.space_id.as_deref() == Some(space)
}

/// Makes exactly these teams (and the space's own) and these people its managers.
fn set_managers(state: &mut State, space: &str, teams: &[String], members: Vec<String>) -> Result<(), ApiError> {
    if let Some(unknown) = teams.iter().find(|id| !state.teams.contains_key(*id)) {
        return Err(ApiError::invalid(format!("SpaceManagersTeams: there is no team '{unknown}'.")));
    }
    if let Some(unknown) = members.iter().find(|id| state.user(id).is_none()) {
        return Err(ApiError::invalid(format!("SpaceManagersTeamMembers: there is no user '{unknown}'.")));
    }
    let own = own_team(space);
    state.scoped_roles.retain(|_, scoped| !is_manager(scoped, space) || scoped.team_id == own || teams.contains(&scoped.team_id));
    for team in teams {
        if !state.scoped_roles.values().any(|scoped| is_manager(scoped, space) && scoped.team_id == *team) {
            give_manager(state, space, team);
        }
    }
    if let Some(team) = state.teams.get_mut(&own) {
        team.members = members;
        let mut seen = std::collections::BTreeSet::new();
        team.members.retain(|id| seen.insert(id.clone()));
    }
    Ok(())
}

fn give_manager(state: &mut State, space: &str, team: &str) {
    let scoped = ScopedUserRole {
        id: state.next_id("ScopedUserRoles"),
        user_role_id: MANAGER.into(),
        team_id: team.to_owned(),
        space_id: Some(space.to_owned()),
        ..Default::default()
    };
    state.scoped_roles.insert(scoped.id.clone(), scoped);
}

/// The team of a space's managers with its role.
pub fn managers(state: &mut State, space: &str) {
    let id = own_team(space);
    let team = Team {
        id: id.clone(),
        name: "Space Managers".into(),
        description: "Users in this team manage the space".into(),
        space_id: Some(space.to_owned()),
        can_change_members: true,
        ..Team::default()
    };
    state.teams.insert(id.clone(), team);
    give_manager(state, space, &id);
}

fn sorted(req: &Req, state: &State) -> Vec<Value> {
    let spaces = state.documents.get("spaces").into_iter().flatten().map(|(_, space)| full(state, space));
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
    ok(&full(&state, find(&state, &id)?))
}

fn check_name(state: &State, own: &str, name: &str) -> Result<(), ApiError> {
    let others = state.documents.get("spaces").into_iter().flatten().filter(|(id, _)| *id != own);
    let mut names = others.filter_map(|(_, space)| space.get("Name")?.as_str());
    if names.any(|other| same(other, name)) {
        return Err(ApiError::invalid("A Space with this name already exists. Please choose a different name."));
    }
    Ok(())
}

fn changed(state: &mut State, actor: &Actor, before: Option<Value>, after: Option<Value>) {
    let text = |name: &str| {
        after.as_ref().or(before.as_ref()).and_then(|space| space.get(name)?.as_str()).unwrap_or_default().to_owned()
    };
    let (id, name) = (text("Id"), text("Name"));
    let subject = Subject { kind: "Space", name: &name, related: vec![id], space_id: None };
    events::changed(state, actor, subject, before.as_ref(), after.as_ref());
}

/// Longest name of a space: clients allow 50 characters today, and allowed 20 before.
fn longest_name(req: &Req) -> usize {
    if req.app.config.version.at_least(2025, 1) { 50 } else { 20 }
}

/// Takes over what a body says of a space.
fn read(body: &Body, name: &str, space: &mut Document) -> Result<(), ApiError> {
    let slug = body.optional("Slug", 50)?.filter(|slug| !slug.is_empty());
    let known = space.get("Slug").and_then(Value::as_str).unwrap_or_default().to_owned();
    space.insert("Name".into(), json!(name));
    space.insert("Slug".into(), json!(slug.unwrap_or(known)));
    space.insert("Description".into(), json!(body.text("Description")?));
    space.insert("IsPrivate".into(), json!(body.flag("IsPrivate")?.unwrap_or(false)));
    space.insert("TaskQueueStopped".into(), json!(body.flag("TaskQueueStopped")?.unwrap_or(false)));
    Ok(())
}

async fn create(req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "SpaceCreate")?.clone();
    let name = body.required("Name", longest_name(&req))?;
    check_name(&state, "", &name)?;
    let (teams, members) = (body.texts("SpaceManagersTeams")?, body.texts("SpaceManagersTeamMembers")?);
    if members.is_empty() && teams.is_empty() {
        return Err(ApiError::invalid("At least one team or user must be provided as a space manager."));
    }
    let mut draft = state.clone();
    let id = draft.next_id("Spaces");
    let mut space = new(&id, &name, false);
    read(&body, &name, &mut space)?;
    managers(&mut draft, &id);
    set_managers(&mut draft, &id, &teams, members)?;
    let answer = full(&draft, &space);
    changed(&mut draft, &Actor::of(&req, &actor), None, Some(answer.clone()));
    draft.documents.entry("spaces".into()).or_default().insert(id, space);
    *state = draft;
    created(&answer)
}

async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "SpaceEdit")?.clone();
    let old = find(&state, &id)?.clone();
    let before = full(&state, &old);
    roundtrip::check(&req, &before, &body.0)?;
    let name = body.required("Name", longest_name(&req))?;
    check_name(&state, &id, &name)?;
    let mut space = old;
    read(&body, &name, &mut space)?;
    let (teams, members) = (body.texts("SpaceManagersTeams")?, body.texts("SpaceManagersTeamMembers")?);
    set_managers(&mut state, &id, &teams, members)?;
    let answer = full(&state, &space);
    changed(&mut state, &Actor::of(&req, &actor), Some(before), Some(answer.clone()));
    state.documents.entry("spaces".into()).or_default().insert(id, space);
    ok(&answer)
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
    let before = full(&state, &space);
    state.documents.entry("spaces".into()).or_default().remove(&id);
    state.teams.retain(|_, team| !in_space(&team.space_id));
    state.scoped_roles.retain(|_, scoped| !in_space(&scoped.space_id));
    changed(&mut state, &Actor::of(&req, &actor), Some(before), None);
    ok(&json!({}))
}

/// A picture that every space has as long as nobody gives it another.
async fn logo(req: Req) -> Result<Response, ApiError> {
    let state = req.app.read();
    req.user(&state)?;
    req.facts.space.as_deref().ok_or_else(ApiError::no_route)?;
    let picture =
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="#0d80d8"/></svg>"##;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

/// Documents of a space whose name has a part, as far as the caller may see them.
async fn search(req: Req) -> ApiResult {
    let state = req.app.read();
    let user = req.user(&state)?;
    let id = req.facts.space.as_deref().ok_or_else(ApiError::no_route)?;
    let part = req.query.get("keyword").unwrap_or_default().to_lowercase();
    let text = |document: &Document, name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut hits = Vec::new();
    for kind in ["projects", "environments"].into_iter().filter_map(kind) {
        let permission = format!("{}View", kind.permission);
        for (own, document) in state.documents.get(kind.collection).into_iter().flatten() {
            let project = Some(own.as_str()).filter(|_| kind.collection == "projects");
            let environment = Some(own.as_str()).filter(|_| kind.collection == "environments");
            let target = Target { space: id, project, environment };
            let fits = text(document, "SpaceId") == id && text(document, "Name").to_lowercase().contains(&part);
            if fits && permissions::in_space(&state, &user.id, &permission, target) {
                hits.push(json!({"Id": own, "Name": document.get("Name"), "Type": kind.word}));
            }
        }
    }
    ok(&Value::Array(hits))
}
