//! Users: list, create, change, delete, and what a user is and may do.

mod about;
mod create;
mod identities;
mod update;
pub mod view;

use axum::{
    Router,
    extract::Path,
    routing::{get, put},
};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    paging, permissions,
    request::{Req, ok},
    server::App,
    state::{State, User},
};
pub use identities::providers;
pub use update::replace;

/// Routes of users.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/users", get(list).post(create::create))
        .route("/api/users/all", get(all))
        .route("/api/users/me", get(about::me))
        .route("/api/users/authentication", get(about::authentication))
        .route("/api/users/authentication/{id}", get(about::authentication_of))
        .route("/api/users/identity-metadata", get(identities::metadata))
        .route("/api/users/external-search", get(about::external_search))
        .route("/api/users/{id}", get(one).put(update::update).delete(delete))
        .route("/api/users/{id}/revoke-sessions", put(revoke_sessions))
        .route("/api/users/{id}/permissions", get(about::permissions))
        .route("/api/users/{id}/permissions/configuration", get(about::configuration))
        .route("/api/users/{id}/permissions/export", get(about::export))
        .route("/api/users/{id}/teams", get(about::teams_of))
        .route("/api/users/{id}/spaces", get(about::spaces_of))
}

/// A user by id, or 404.
///
/// # Errors
/// 404 that names the id.
pub fn find<'a>(state: &'a State, id: &str) -> Result<&'a User, ApiError> {
    state.user(id).ok_or_else(|| ApiError::not_found(id))
}

/// Only who holds `AdministerSystem` may change an account that holds it.
///
/// # Errors
/// 403 that names the permission.
pub fn guard_privileged(state: &State, actor: &User, target: &str) -> Result<(), ApiError> {
    let admin = |id: &str| permissions::system(state, id, "AdministerSystem");
    if admin(target) && !admin(&actor.id) { Err(ApiError::missing("AdministerSystem")) } else { Ok(()) }
}

/// Sorted by username, filtered by `filter`, `ids`, and in newer versions `isActive` and `isServiceAccount`.
fn filtered(req: &Req, state: &State) -> Vec<Value> {
    let part = req.query.get("filter").map(str::to_lowercase);
    let ids = req.query.list("ids");
    let newer = req.app.config.version.at_least(2024, 4);
    let flag = |name: &str| req.query.flag(name).filter(|_| newer);
    let (active, service) = (flag("isActive"), flag("isServiceAccount"));
    let contains = |text: &str, part: &str| text.to_lowercase().contains(part);
    let keep = |user: &&User| {
        let texts =
            || [user.username.as_str(), user.display_name.as_str(), user.email.as_deref().unwrap_or_default(), user.id.as_str()];
        part.as_ref().is_none_or(|part| texts().iter().any(|text| contains(text, part)))
            && ids.as_ref().is_none_or(|ids| ids.contains(&user.id))
            && active.is_none_or(|active| user.is_active == active)
            && service.is_none_or(|service| user.is_service == service)
    };
    let mut users = state.users.values().filter(keep).map(|user| view::listed(req, user)).collect::<Vec<_>>();
    paging::sort_by(&mut users, "Username");
    users
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "UserView")?;
    paging::page(&req, "User", "/api/users", "{?skip,take,ids,filter}", filtered(&req, &state))
}

async fn all(req: Req) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "UserView")?;
    ok(&Value::Array(filtered(&req, &state)))
}

async fn one(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    if req.user(&state)?.id != id {
        req.need(&state, "UserView")?;
    }
    ok(&view::full(&req, find(&state, &id)?))
}

async fn delete(req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    let actor = req.need(&state, "UserEdit")?.clone();
    let user = find(&state, &id)?.clone();
    guard_privileged(&state, &actor, &id)?;
    if actor.id == id {
        return Err(ApiError::invalid("You cannot delete your own account."));
    }
    state.users.remove(&id);
    state.api_keys.retain(|_, key| key.user_id != id);
    state.end_sessions(&id);
    state.external_groups.retain(|stored| stored.user_id != id);
    for team in state.teams.values_mut() {
        team.members.retain(|member| *member != id);
    }
    events::user_changed(&mut state, &Actor::of(&req, &actor), Some(&user), None);
    ok(&json!({}))
}

async fn revoke_sessions(req: Req, Path(id): Path<String>) -> ApiResult {
    let mut state = req.app.write();
    let own = req.user(&state)?.id == id;
    if !own && req.need(&state, "AdministerSystem").is_err() {
        req.need(&state, "UserEdit")?;
    }
    find(&state, &id)?;
    state.end_sessions(&id);
    ok(&json!({}))
}
