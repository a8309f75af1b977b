//! User roles: built-in ones and those that administrators make.

use axum::{Router, extract::Path, routing::get};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor, Subject},
    paging, permission_names, permissions,
    request::{Body, Req, created, ok},
    roundtrip,
    server::App,
    state::{State, User, UserRole, same},
};

/// Routes of roles and permission names.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/userroles", get(list).post(create))
        .route("/api/userroles/all", get(all))
        .route("/api/userroles/{id}", get(one).put(update).delete(delete))
        .route("/api/permissions/all", get(descriptions))
}

fn full(role: &UserRole) -> Value {
    let all = permission_names::descriptions();
    // Lists of sentences, as the Go client reads them.
    let describe = |names: &[String]| {
        let sentences = names.iter().filter_map(|name| all.get(name)?.get("Description").cloned());
        sentences.collect::<Vec<_>>()
    };
    let mut limits = role.space_permissions.iter().flat_map(|name| permission_names::restrictions(name)).collect::<Vec<_>>();
    limits.sort_unstable();
    limits.dedup();
    roundtrip::decorate(json!({
        "Id": role.id,
        "Name": role.name,
        "Description": role.description,
        "GrantedSpacePermissions": role.space_permissions,
        "GrantedSystemPermissions": role.system_permissions,
        "SpacePermissionDescriptions": describe(&role.space_permissions),
        "SystemPermissionDescriptions": describe(&role.system_permissions),
        "SupportedRestrictions": limits,
        "CanBeDeleted": role.can_be_deleted,
        "Links": {"Self": format!("/api/userroles/{}", role.id)},
    }))
}

fn sorted(req: &Req, state: &State) -> Vec<Value> {
    let mut roles = paging::select(req, state.user_roles.values().map(full).collect());
    paging::sort_by(&mut roles, "Name");
    roles
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "UserRoleView")?;
    paging::page(&req, "UserRole", "/api/userroles", "{/id}{?skip,ids,take,partialName}", sorted(&req, &state))
}

async fn all(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "UserRoleView")?;
    ok(&Value::Array(sorted(&req, &state)))
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a UserRole, ApiError> {
    state.user_roles.get(id).ok_or_else(|| ApiError::not_found(id))
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "UserRoleView")?;
    ok(&full(find(&state, &id)?))
}

async fn descriptions(req: Req) -> ApiResult {
    req.user(&req.app.read())?;
    ok(&permission_names::descriptions())
}

fn read(state: &State, body: &Body, role: &mut UserRole) -> Result<(), ApiError> {
    role.name = body.required("Name", 200)?;
    role.description = body.text("Description")?.unwrap_or_default();
    role.space_permissions = body.texts("GrantedSpacePermissions")?;
    role.system_permissions = body.texts("GrantedSystemPermissions")?;
    let unknown = |name: &&String, mut known: Box<dyn Iterator<Item = &'static str>>| !known.any(|one| one == name.as_str());
    let bad = role.space_permissions.iter().find(|name| unknown(name, Box::new(permission_names::in_spaces())));
    let bad = bad.or_else(|| role.system_permissions.iter().find(|name| unknown(name, Box::new(permission_names::in_system()))));
    if let Some(name) = bad {
        return Err(ApiError::invalid(format!("There is no permission '{name}' at this level.")));
    }
    if state.user_roles.values().any(|other| other.id != role.id && same(&other.name, &role.name)) {
        return Err(ApiError::invalid("A UserRole with this name already exists. Please choose a different name."));
    }
    Ok(())
}

/// An account cannot give more than it holds: what is added to a role reaches everybody who has that role.
fn guard(state: &State, actor: &User, before: &UserRole, after: &UserRole) -> Result<(), ApiError> {
    let given = || state.scoped_roles.values().filter(|scoped| scoped.user_role_id == before.id);
    let added = |list: &[String], old: &[String]| list.iter().filter(|name| !old.contains(name)).cloned().collect::<Vec<_>>();
    let system = added(&after.system_permissions, &before.system_permissions);
    let missing = system.into_iter().find(|name| given().next().is_some() && !permissions::system(state, &actor.id, name));
    let space = added(&after.space_permissions, &before.space_permissions);
    let uncovered = |name: &String| given().any(|scoped| !permissions::covers(state, &actor.id, name, scoped));
    let missing = missing.or_else(|| space.into_iter().find(uncovered));
    missing.map_or(Ok(()), |name| Err(ApiError::missing(&name)))
}

fn changed(state: &mut State, actor: &Actor, before: Option<&UserRole>, after: Option<&UserRole>) {
    let Some(role) = after.or(before) else { return };
    let subject = Subject { kind: "UserRole", name: &role.name, related: vec![role.id.clone()], space_id: None };
    events::changed(state, actor, subject, before.map(full).as_ref(), after.map(full).as_ref());
}

async fn create(req: Req, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "UserRoleEdit")?.clone();
    let mut role = UserRole { can_be_deleted: true, ..UserRole::default() };
    read(&state, &body, &mut role)?;
    role.id = state.next_id("UserRoles");
    changed(&mut state, &Actor::of(&req, &actor), None, Some(&role));
    let answer = full(&role);
    state.user_roles.insert(role.id.clone(), role);
    created(&answer)
}

async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "UserRoleEdit")?.clone();
    let old = find(&state, &id)?.clone();
    roundtrip::check(&req, &full(&old), &body.0)?;
    let mut role = old.clone();
    read(&state, &body, &mut role)?;
    guard(&state, &actor, &old, &role)?;
    changed(&mut state, &Actor::of(&req, &actor), Some(&old), Some(&role));
    let answer = full(&role);
    state.user_roles.insert(id, role);
    ok(&answer)
}

async fn delete(req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "UserRoleEdit")?.clone();
    let role = find(&state, &id)?.clone();
    if !role.can_be_deleted {
        return Err(ApiError::invalid(format!("The role '{}' cannot be deleted.", role.name)));
    }
    if state.scoped_roles.values().any(|scoped| scoped.user_role_id == id) {
        return Err(ApiError::invalid(format!("The role '{}' is still used by a team.", role.name)));
    }
    state.user_roles.remove(&id);
    changed(&mut state, &Actor::of(&req, &actor), Some(&role), None);
    ok(&json!({}))
}
