//! `POST /api/users`.

use serde_json::Value;

use super::{identities, view};
use crate::standins::octopus::{
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    request::{Body, Req, created},
    secrets,
    state::{State, User, same},
};

const WEAK: &str =
    "The password was too weak. Please try including a mix of numbers, uppercase and lowercase letters, and special characters.";
const RESERVED: [&str; 3] = ["system", "guest", "users-system"];

/// Creates a user: 201.
pub async fn create(req: Req, body: Body) -> ApiResult {
    let (username, display_name) = (body.required("Username", 64)?, body.required("DisplayName", 64)?);
    let email = body.optional("EmailAddress", 256)?;
    let is_service = body.flag("IsService")?.unwrap_or(false);
    let is_active = body.flag("IsActive")?.unwrap_or(true) || !req.app.switches().post_inactive_user_allowed;
    let given = body.field("Identities").filter(|value| !value.is_null());
    let identities = given.map_or(Ok(Vec::new()), |value| identities::read(&req.app, value))?;
    let password = read_password(&req, &body, is_service)?;
    let now = req.app.now();
    let mut state = req.app.write();
    let actor = req.need(&state, "UserEdit")?.clone();
    if RESERVED.iter().any(|name| same(name, &username)) {
        return Err(ApiError::invalid("Username is reserved and can't be used to create new users."));
    }
    check_username(&state, "", &username)?;
    identities::check_unique(&state, "", &identities)?;
    let user = User {
        id: state.next_id("Users"),
        username,
        display_name,
        email,
        is_active,
        is_service,
        password,
        identities,
        created: now,
        modified: now,
        modified_by: actor.username.clone(),
    };
    events::user_changed(&mut state, &Actor::of(&req, &actor), None, Some(&user));
    let answer = view::full(&req, &user);
    state.users.insert(user.id.clone(), user);
    created(&answer)
}

/// Refuses a name that another user has, whatever its case.
///
/// # Errors
/// 400.
pub fn check_username(state: &State, own_id: &str, username: &str) -> Result<(), ApiError> {
    if state.users.values().any(|user| user.id != own_id && same(&user.username, username)) {
        return Err(ApiError::invalid("A User with this name already exists. Please choose a different name."));
    }
    Ok(())
}

/// The hash of the body's password; `None` when absent or null.
///
/// # Errors
/// 400 with the server's texts.
pub fn read_password(req: &Req, body: &Body, is_service: bool) -> Result<Option<String>, ApiError> {
    let Some(password) = body.text("Password")?.filter(|password| !password.is_empty()) else { return Ok(None) };
    if is_service {
        return Err(ApiError::invalid("Passwords cannot be set for service user accounts."));
    }
    if !secrets::strong(&password) {
        return Err(ApiError::invalid(WEAK));
    }
    Ok(Some(secrets::hash_password(&req.app.config.entropy, &password)))
}

/// Whether a body names a field at all (null counts).
pub fn names(body: &Body, field: &str) -> Option<Value> {
    body.field(field).cloned()
}
