//! For administrators: the users.

use axum::{
    extract::Path,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::context;
use serde_json::json;

use super::{
    home::with,
    visitor::{Fields, page_for, sender},
};
use crate::standins::octopus::{
    permissions,
    request::{Body, Req},
    state::{State, User},
    users::{self, view},
};

/// `GET /app/users`.
pub async fn list(req: Req) -> Response {
    let state = req.app.read();
    let visitor = match with(&req, &state, "UserView") {
        Ok(visitor) => visitor,
        Err(refusal) => return refusal.answer(&req.app),
    };
    let mut people = state.users.values().collect::<Vec<_>>();
    people.sort_by_key(|user| user.username.to_lowercase());
    let rows = people.into_iter().map(|user| row(&state, user)).collect::<Vec<_>>();
    page_for(&req.app, &visitor, "users.html", context! { title => "Users", rows })
}

fn row(state: &State, user: &User) -> minijinja::Value {
    let identities = user.identities.iter().map(|identity| {
        let address = identity.claim("email").unwrap_or("no e-mail address");
        format!("{}: {address}", identity.provider)
    });
    let teams = permissions::teams_of(state, &user.id).into_iter().filter(|one| one.team.id != "teams-everyone");
    context! {
        id => &user.id,
        username => &user.username,
        display_name => &user.display_name,
        email => &user.email,
        active => &user.is_active,
        service => &user.is_service,
        has_password => user.password.is_some(),
        keys => state.api_keys.values().filter(|key| key.user_id == user.id).count(),
        identities => identities.collect::<Vec<_>>(),
        teams => teams.map(|one| one.team.name.clone()).collect::<Vec<_>>(),
    }
}

/// `POST /app/users/{id}`: switches an account on or off.
pub async fn activate(req: Req, Path(id): Path<String>, fields: Fields) -> Response {
    let mut state = req.app.write();
    if let Err(refusal) = sender(&req, &state, &fields) {
        return refusal.answer(&req.app);
    }
    let wanted = fields.get("active") == Some("yes");
    let changed = users::find(&state, &id).map(|user| view::full(&req, user)).and_then(|mut resource| {
        if let Some(map) = resource.as_object_mut() {
            map.insert("IsActive".into(), json!(wanted));
        }
        users::replace(&req, &mut state, &id, &Body(resource.as_object().cloned().unwrap_or_default()))
    });
    match changed {
        Ok(_) => Redirect::to("/app/users").into_response(),
        Err(error) => super::problem(&req.app, &error),
    }
}
