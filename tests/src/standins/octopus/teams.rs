//! Teams: direct members and external groups.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    paging, permissions,
    request::{Body, Req, created, member, ok},
    roundtrip,
    scope::{List, Scope},
    scoped_roles,
    server::App,
    state::{ExternalGroup, State, Team, User, same},
};

/// Routes of teams.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/teams", get(list).post(create))
        .route("/api/teams/all", get(all))
        .route("/api/teams/{id}", get(one).put(update).delete(delete))
        .route("/api/teams/{id}/scopeduserroles", get(scoped_roles::of_team))
}

/// An external group as the API shows it.
pub fn group(group: &ExternalGroup) -> Value {
    json!({"Id": group.id, "DisplayName": group.display_name, "DisplayIdAndName": group.display_id_and_name})
}

/// The fields that changes are compared by.
pub fn core(team: &Team) -> Value {
    json!({
        "Id": team.id,
        "Name": team.name,
        "Description": team.description,
        "MemberUserIds": team.members,
        "ExternalSecurityGroups": team.external_groups.iter().map(group).collect::<Vec<_>>(),
        "SpaceId": team.space_id,
    })
}

/// The whole resource.
pub fn full(app: &App, team: &Team) -> Value {
    let mut resource = core(team);
    let elsewhere = team.space_id.as_ref().filter(|space| *space != "Spaces-1" && app.switches().teams_by_space_address);
    let path = elsewhere.map_or_else(|| format!("/api/teams/{}", team.id), |space| format!("/api/{space}/teams/{}", team.id));
    let slug = team.name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let more = json!({
        "CanBeDeleted": team.can_be_deleted,
        "CanBeRenamed": team.can_be_renamed,
        "CanChangeRoles": team.can_change_roles,
        "CanChangeMembers": team.can_change_members,
        "Slug": slug,
        "Links": {"Self": path, "ScopedUserRoles": format!("{path}/scopeduserroles{{?skip,take}}")},
    });
    if let (Some(resource), Value::Object(more)) = (resource.as_object_mut(), more) {
        resource.extend(more);
    }
    roundtrip::decorate_items(&mut resource, "ExternalSecurityGroups");
    roundtrip::decorate(resource)
}

/// A team by id, or 404.
///
/// # Errors
/// 404 that names the id.
pub fn find<'a>(state: &'a State, id: &str) -> Result<&'a Team, ApiError> {
    state.teams.get(id).ok_or_else(|| ApiError::not_found(id))
}

fn listed(req: &Req, state: &State, scope: &Scope) -> Vec<Value> {
    let shown = |team: &&Team| {
        let space = team.space_id.as_deref();
        scope.holds(space) && req.sees(state, "TeamView", space)
    };
    let teams = state.teams.values().filter(shown);
    let mut teams = paging::select(req, teams.map(|team| full(&req.app, team)).collect());
    paging::sort_by(&mut teams, "Name");
    teams
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "TeamView")?;
    let teams = listed(&req, &state, &Scope::of(&req, List::Teams));
    paging::page(&req, "Team", &format!("{}/teams", req.base()), super::root::TEAMS, teams)
}

async fn all(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "TeamView")?;
    // The Go client asks without flags and finds system teams here.
    let flags = req.query.list("spaces").is_some() || req.query.flag("includeSystem").is_some();
    let everything = !flags && req.facts.space.is_none();
    let scope = if everything { Scope::everything() } else { Scope::of(&req, List::Teams) };
    ok(&Value::Array(listed(&req, &state, &scope)))
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    let team = at_address(&req, find(&state, &id)?)?;
    req.need_at(&state, "TeamView", team.space_id.as_deref())?;
    ok(&full(&req.app, team))
}

/// Refuses a team of another space than the address names.
fn at_address<'a>(req: &Req, team: &'a Team) -> Result<&'a Team, ApiError> {
    let hidden = match (&team.space_id, &req.facts.space) {
        (Some(own), Some(address)) => own != address,
        (Some(own), None) => own != "Spaces-1" && req.app.switches().teams_by_space_address,
        (None, _) => false,
    };
    if hidden { Err(ApiError::not_found(&team.id)) } else { Ok(team) }
}

/// Reads the fields of a body into a team. A list that is absent is empty: bodies are typed.
fn read(req: &Req, state: &State, body: &Body, team: &mut Team) -> Result<(), ApiError> {
    team.name = body.required("Name", 200)?;
    team.description = body.text("Description")?.unwrap_or_default();
    team.members = body.texts("MemberUserIds")?;
    if req.app.switches().unknown_members_dropped {
        team.members.retain(|id| state.user(id).is_some());
    }
    if let Some(unknown) = team.members.iter().find(|id| state.user(id).is_none()) {
        return Err(ApiError::invalid(format!("MemberUserIds: there is no user '{unknown}'.")));
    }
    let mut seen = std::collections::BTreeSet::new();
    team.members.retain(|id| seen.insert(id.clone()));
    team.external_groups = match body.field("ExternalSecurityGroups") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(read_group).collect::<Result<_, _>>()?,
        Some(_) => return Err(ApiError::invalid("The field ExternalSecurityGroups must be a list.")),
    };
    let twin = |other: &&Team| other.id != team.id && other.space_id == team.space_id && same(&other.name, &team.name);
    if state.teams.values().any(|other| twin(&other)) {
        return Err(ApiError::invalid("A Team with this name already exists. Please choose a different name."));
    }
    Ok(())
}

/// Reads an external group.
///
/// # Errors
/// 400 that names the field.
pub fn read_group(item: &Value) -> Result<ExternalGroup, ApiError> {
    let text = |name: &str| member(item, name).and_then(Value::as_str).map(str::to_owned);
    let id = text("Id").filter(|id| !id.trim().is_empty());
    Ok(ExternalGroup {
        id: id.ok_or_else(|| ApiError::invalid("ExternalSecurityGroups: Id is required."))?,
        display_name: text("DisplayName").unwrap_or_default(),
        display_id_and_name: member(item, "DisplayIdAndName").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// An account cannot give more than it holds: who changes the people of a team needs every system permission that the
/// team's roles give.
fn guard_privileged(state: &State, actor: &User, before: &Team, after: &Team) -> Result<(), ApiError> {
    let people_changed = before.members != after.members || before.external_groups != after.external_groups;
    let roles = state.scoped_roles.values().filter(|scoped| scoped.team_id == before.id);
    let mut permissions =
        roles.filter_map(|scoped| state.user_roles.get(&scoped.user_role_id)).flat_map(|role| &role.system_permissions);
    let missing = permissions.find(|permission| people_changed && !permissions::system(state, &actor.id, permission));
    missing.map_or(Ok(()), |permission| Err(ApiError::missing(permission)))
}

/// Makes a team of a body, with all checks; answers the resource.
///
/// # Errors
/// 400, 401 or 403 as the API answers them.
pub fn make(req: &Req, state: &mut State, body: &Body) -> Result<Value, ApiError> {
    req.user(state)?;
    let asked = body.text("SpaceId")?.filter(|space| !space.is_empty());
    let actor = req.need_at(state, "TeamCreate", asked.as_deref().or(req.facts.space.as_deref()))?.clone();
    if let Some(space) = &asked {
        let unknown = || ApiError::invalid(format!("SpaceId: there is no space '{space}'."));
        state.document("spaces", space).ok_or_else(unknown)?;
    }
    let mut team = Team {
        space_id: asked.or_else(|| req.facts.space.clone()),
        can_be_deleted: true,
        can_be_renamed: true,
        can_change_roles: true,
        can_change_members: true,
        ..Team::default()
    };
    read(req, state, body, &mut team)?;
    team.id = state.next_id("Teams");
    events::team_changed(state, &Actor::of(req, &actor), None, Some(&team));
    let answer = full(&req.app, &team);
    state.teams.insert(team.id.clone(), team);
    Ok(answer)
}

async fn create(req: Req, body: Body) -> ApiResult {
    created(&make(&req, &mut req.app.write(), &body)?)
}

/// Replaces a team by a body, with all checks; answers the resource.
///
/// # Errors
/// 400, 401, 403 or 404 as the API answers them.
pub fn replace(req: &Req, state: &mut State, id: &str, body: &Body) -> Result<Value, ApiError> {
    req.user(state)?;
    let old = at_address(req, find(state, id)?)?.clone();
    let actor = req.need_at(state, "TeamEdit", old.space_id.as_deref())?.clone();
    roundtrip::check(req, &full(&req.app, &old), &body.0)?;
    if body.required("Id", 64)? != id {
        return Err(ApiError::invalid(format!("Id must be '{id}', as in the address.")));
    }
    if body.text("SpaceId")?.filter(|space| !space.is_empty()) != old.space_id {
        return Err(ApiError::invalid("SpaceId: a team cannot be moved to another space."));
    }
    let mut team = old.clone();
    read(req, state, body, &mut team)?;
    let people = (&old.members, &old.external_groups) != (&team.members, &team.external_groups);
    if people && !old.can_change_members {
        return Err(ApiError::invalid(format!("The members of the team '{}' cannot be changed.", old.name)));
    }
    if !old.can_be_renamed && team.name != old.name {
        return Err(ApiError::invalid(format!("The team '{}' cannot be renamed.", old.name)));
    }
    guard_privileged(state, &actor, &old, &team)?;
    events::team_changed(state, &Actor::of(req, &actor), Some(&old), Some(&team));
    let answer = full(&req.app, &team);
    state.teams.insert(id.to_owned(), team);
    Ok(answer)
}

async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    ok(&replace(&req, &mut req.app.write(), &id, &body)?)
}

async fn delete(req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    req.user(&state)?;
    let team = at_address(&req, find(&state, &id)?)?.clone();
    let actor = req.need_at(&state, "TeamDelete", team.space_id.as_deref())?.clone();
    if !team.can_be_deleted {
        return Err(ApiError::invalid(format!("The team '{}' cannot be deleted.", team.name)));
    }
    state.teams.remove(&id);
    state.scoped_roles.retain(|_, scoped| scoped.team_id != id);
    events::team_changed(&mut state, &Actor::of(&req, &actor), Some(&team), None);
    ok(&json!({}))
}
