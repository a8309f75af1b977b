//! `PUT /api/users/{id}`: the whole resource; `IsActive:false` disables.

use axum::extract::Path;
use serde_json::Value;

use super::{create, find, guard_privileged, identities, view};
use crate::standins::octopus::{
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    request::{Body, Req, ok},
    roundtrip,
    state::State,
};

/// Changes a user.
pub async fn update(req: Req, Path(id): Path<String>, body: Body) -> ApiResult {
    ok(&replace(&req, &mut req.app.write(), &id, &body)?)
}

/// Replaces a user by a body, with all checks; answers the resource.
///
/// # Errors
/// 400, 401, 403 or 404 as the API answers them.
pub fn replace(req: &Req, state: &mut State, id: &str, body: &Body) -> Result<Value, ApiError> {
    let caller = req.user(state)?.clone();
    let actor = req.need(state, "UserEdit")?.clone();
    guard_privileged(state, &caller, id)?;
    let old = find(state, id)?.clone();
    roundtrip::check(req, &view::full(req, &old), &body.0)?;
    if body.required("Id", 64)? != id {
        return Err(ApiError::invalid(format!("Id must be '{id}', as in the address.")));
    }
    let mut user = old.clone();
    user.username = body.required("Username", 64)?;
    user.display_name = body.required("DisplayName", 64)?;
    user.email = body.optional("EmailAddress", 256)?;
    user.is_active = body.flag("IsActive")?.ok_or_else(|| ApiError::invalid("IsActive is required."))?;
    if actor.id == id && !user.is_active {
        return Err(ApiError::invalid("You cannot disable your own account."));
    }
    create::check_username(state, id, &user.username)?;
    match create::names(body, "Identities") {
        None | Some(Value::Null) if !req.app.switches().put_without_identities_clears => {}
        None | Some(Value::Null) => user.identities.clear(),
        Some(value) => {
            user.identities = identities::read(&req.app, &value)?;
            identities::check_unique(state, id, &user.identities)?;
            identities::keep_hidden(&req.app, &old, &mut user.identities);
        }
    }
    let switches = req.app.switches();
    let password = create::read_password(req, body, old.is_service)?;
    if let Some(password) = password {
        user.password = Some(password);
        if switches.password_change_ends_sessions {
            state.end_sessions(id);
        }
    }
    if !user.is_active && switches.disable_ends_sessions {
        state.end_sessions(id);
    }
    user.modified = req.app.now();
    user.modified_by.clone_from(&actor.username);
    events::user_changed(state, &Actor::of(req, &actor), Some(&old), Some(&user));
    let answer = view::full(req, &user);
    state.users.insert(id.to_owned(), user);
    Ok(answer)
}
