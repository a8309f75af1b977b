//! Roles of teams with their scopes.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    paging, permissions,
    request::{Body, Req, created, ok},
    roundtrip,
    scope::{List, Scope},
    server::App,
    state::{ScopedUserRole, State, User},
    teams,
};

/// Routes of scoped roles.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/scopeduserroles", get(list).post(create))
        .route("/api/scopeduserroles/{id}", get(one).put(update).delete(delete))
}

/// The whole resource.
pub fn full(scoped: &ScopedUserRole) -> Value {
    roundtrip::decorate(json!({
        "Id": scoped.id,
        "UserRoleId": scoped.user_role_id,
        "TeamId": scoped.team_id,
        "SpaceId": scoped.space_id,
        "ProjectIds": scoped.project_ids,
        "ProjectGroupIds": scoped.project_group_ids,
        "EnvironmentIds": scoped.environment_ids,
        "TenantIds": scoped.tenant_ids,
        "Links": {"Self": format!("/api/scopeduserroles/{}", scoped.id)},
    }))
}

/// `GET /api/teams/{id}/scopeduserroles`.
pub async fn of_team(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    let team = teams::find(&state, &id)?;
    req.need_at(&state, "TeamView", team.space_id.as_deref())?;
    let shown = |scoped: &&ScopedUserRole| scoped.team_id == id && sees(&req, &state, scoped);
    let roles = state.scoped_roles.values().filter(shown).map(full).collect();
    paging::page(&req, "ScopedUserRole", &format!("/api/teams/{id}/scopeduserroles"), "{?skip,take}", roles)
}

/// Whether the caller may see a role where it is given.
fn sees(req: &Req, state: &State, scoped: &ScopedUserRole) -> bool {
    req.sees(state, "TeamView", scoped.space_id.as_deref())
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "TeamView")?;
    let scope = Scope::of(&req, List::Roles);
    let omitted = req.app.switches().scoped_roles_omit_system;
    let listed = |space: Option<&str>| scope.holds(space) && !(omitted && space.is_none());
    let shown = |scoped: &&ScopedUserRole| listed(scoped.space_id.as_deref()) && sees(&req, &state, scoped);
    let roles = paging::select(&req, state.scoped_roles.values().filter(shown).map(full).collect());
    paging::page(&req, "ScopedUserRole", &format!("{}/scopeduserroles", req.base()), super::root::SCOPED_ROLES, roles)
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a ScopedUserRole, ApiError> {
    state.scoped_roles.get(id).ok_or_else(|| ApiError::not_found(id))
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.user(&state)?;
    let scoped = find(&state, &id)?;
    req.need_at(&state, "TeamView", scoped.space_id.as_deref())?;
    ok(&full(scoped))
}

fn read(req: &Req, state: &State, actor: &User, body: &Body, scoped: &mut ScopedUserRole) -> Result<(), ApiError> {
    scoped.user_role_id = body.required("UserRoleId", 200)?;
    scoped.team_id = body.required("TeamId", 200)?;
    scoped.space_id = body.text("SpaceId")?.filter(|space| !space.is_empty()).or_else(|| req.facts.space.clone());
    req.need_at(state, "TeamEdit", scoped.space_id.as_deref())?;
    scoped.project_ids = body.texts("ProjectIds")?;
    scoped.project_group_ids = body.texts("ProjectGroupIds")?;
    scoped.environment_ids = body.texts("EnvironmentIds")?;
    scoped.tenant_ids = body.texts("TenantIds")?;
    let unknown = |field: &str, id: &str| ApiError::invalid(format!("{field}: '{id}' does not exist."));
    let role = state.user_roles.get(&scoped.user_role_id).ok_or_else(|| unknown("UserRoleId", &scoped.user_role_id))?;
    let team = state.teams.get(&scoped.team_id).ok_or_else(|| unknown("TeamId", &scoped.team_id))?;
    if !team.can_change_roles {
        return Err(ApiError::invalid(format!("The roles of the team '{}' cannot be changed.", team.name)));
    }
    match &scoped.space_id {
        Some(space) => {
            state.document("spaces", space).ok_or_else(|| unknown("SpaceId", space))?;
            if role.space_permissions.is_empty() {
                return Err(ApiError::invalid("SpaceId: a role with system permissions only applies at system level."));
            }
            if team.space_id.as_ref().is_some_and(|own| own != space) {
                return Err(ApiError::invalid("SpaceId: the team belongs to another space."));
            }
        }
        None if team.space_id.is_some() || !role.space_permissions.is_empty() => {
            return Err(ApiError::invalid("SpaceId is required: the role has permissions that apply in a space."));
        }
        None => {}
    }
    for (collection, field, ids) in [
        ("projects", "ProjectIds", &scoped.project_ids),
        ("projectgroups", "ProjectGroupIds", &scoped.project_group_ids),
        ("environments", "EnvironmentIds", &scoped.environment_ids),
    ] {
        let here = |id: &&String| {
            let document = state.document(collection, id);
            document.is_some_and(|document| document.get("SpaceId").and_then(Value::as_str) == scoped.space_id.as_deref())
        };
        if let Some(id) = ids.iter().find(|id| !here(id)) {
            return Err(unknown(field, id));
        }
    }
    // An account cannot give more than it holds.
    let missing = role.system_permissions.iter().find(|permission| !permissions::system(state, &actor.id, permission));
    let uncovered = |permission: &&String| !permissions::covers(state, &actor.id, permission, scoped);
    let missing = missing.or_else(|| role.space_permissions.iter().find(uncovered));
    missing.map_or(Ok(()), |permission| Err(ApiError::missing(permission)))
}

fn changed(state: &mut State, actor: &Actor, before: Option<&ScopedUserRole>, after: Option<&ScopedUserRole>) {
    let Some(scoped) = after.or(before) else { return };
    let role = state.user_roles.get(&scoped.user_role_id).map(|role| role.name.clone()).unwrap_or_default();
    let related = vec![scoped.id.clone(), scoped.team_id.clone(), scoped.user_role_id.clone()];
    let subject = Subject { kind: "ScopedUserRole", name: &role, related, space_id: scoped.space_id.clone() };
    events::changed(state, actor, subject, before.map(full).as_ref(), after.map(full).as_ref());
}

/// Gives a role as a body says, with all checks; answers the resource.
///
/// # Errors
/// 400, 401 or 403 as the API answers them.
pub fn make(req: &Req, state: &mut State, body: &Body) -> Result<Value, ApiError> {
    let actor = req.user(state)?.clone();
    let mut scoped = ScopedUserRole::default();
    read(req, state, &actor, body, &mut scoped)?;
    scoped.id = state.next_id("ScopedUserRoles");
    changed(state, &Actor::of(req, &actor), None, Some(&scoped));
    let answer = full(&scoped);
    state.scoped_roles.insert(scoped.id.clone(), scoped);
    Ok(answer)
}

async fn create(req: Req, body: Body) -> ApiResult {
    created(&make(&req, &mut req.app.write(), &body)?)
}

async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    req.user(&state)?;
    let old = find(&state, &id)?.clone();
    let actor = req.need_at(&state, "TeamEdit", old.space_id.as_deref())?.clone();
    roundtrip::check(&req, &full(&old), &body.0)?;
    let mut scoped = old.clone();
    read(&req, &state, &actor, &body, &mut scoped)?;
    changed(&mut state, &Actor::of(&req, &actor), Some(&old), Some(&scoped));
    let answer = full(&scoped);
    state.scoped_roles.insert(id, scoped);
    ok(&answer)
}

/// Takes a role away, with all checks.
///
/// # Errors
/// 400, 401, 403 or 404 as the API answers them.
pub fn remove(req: &Req, state: &mut State, id: &str) -> Result<(), ApiError> {
    req.user(state)?;
    let old = find(state, id)?.clone();
    let actor = req.need_at(state, "TeamEdit", old.space_id.as_deref())?.clone();
    if state.teams.get(&old.team_id).is_some_and(|team| !team.can_change_roles) {
        return Err(ApiError::invalid("The roles of this team cannot be changed."));
    }
    state.scoped_roles.remove(id);
    changed(state, &Actor::of(req, &actor), Some(&old), None);
    Ok(())
}

async fn delete(req: Req, Path(id): Path<String>) -> ApiResult {
    remove(&req, &mut req.app.write(), &id)?;
    ok(&json!({}))
}
