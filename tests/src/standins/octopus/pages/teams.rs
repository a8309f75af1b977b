//! For administrators: teams, their members, external groups and roles.

use axum::{
    extract::Path,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::context;
use serde_json::{Value, json};

use super::{
    home::{environments, with},
    problem,
    sign_in::text,
    visitor::{Fields, page_for, sender},
};
use crate::standins::octopus::{
    errors::ApiError,
    request::{Body, Req},
    scoped_roles,
    state::{ExternalGroup, State, Team},
    teams,
};

/// `GET /app/teams`.
pub async fn list(req: Req) -> Response {
    let state = req.app.read();
    let visitor = match with(&req, &state, "TeamEdit") {
        Ok(visitor) => visitor,
        Err(refusal) => return refusal.answer(&req.app),
    };
    let mut known = state.teams.values().collect::<Vec<_>>();
    known.sort_by_key(|team| team.name.to_lowercase());
    let rows = known.into_iter().map(|team| row(&state, team)).collect::<Vec<_>>();
    page_for(&req.app, &visitor, "teams.html", context! { title => "Teams", rows })
}

fn row(state: &State, team: &Team) -> minijinja::Value {
    let names = team.members.iter().filter_map(|id| state.user(id)).map(|user| user.display_name.clone());
    context! {
        id => &team.id,
        name => &team.name,
        members => names.collect::<Vec<_>>(),
        groups => team.external_groups.iter().map(shown).collect::<Vec<_>>(),
    }
}

fn shown(group: &ExternalGroup) -> String {
    match (group.display_name.as_str(), group.display_id_and_name) {
        ("", _) => group.id.clone(),
        (name, false) => name.to_owned(),
        (name, true) => format!("{name} ({})", group.id),
    }
}

/// `GET /app/teams/{id}`.
pub async fn show(req: Req, Path(id): Path<String>) -> Response {
    let state = req.app.read();
    let visitor = match with(&req, &state, "TeamEdit") {
        Ok(visitor) => visitor,
        Err(refusal) => return refusal.answer(&req.app),
    };
    let team = match teams::find(&state, &id) {
        Ok(team) => team,
        Err(error) => return problem(&req.app, &error),
    };
    let mut people = state.users.values().collect::<Vec<_>>();
    people.sort_by_key(|user| user.display_name.to_lowercase());
    let people = people.into_iter().map(|user| {
        context! { id => &user.id, name => &user.display_name, username => &user.username, active => &user.is_active, member => team.members.contains(&user.id) }
    });
    let groups = team.external_groups.iter().map(|group| context! { id => &group.id, name => &group.display_name });
    let known = environments(&state);
    let name_of = |id: &String| known.iter().find(|(one, _)| one == id).map_or_else(|| id.clone(), |(_, name)| name.clone());
    let roles = state.scoped_roles.values().filter(|scoped| scoped.team_id == team.id).map(|scoped| {
        let role = state.user_roles.get(&scoped.user_role_id).map(|role| role.name.clone());
        let places = scoped.environment_ids.iter().map(name_of).collect::<Vec<_>>();
        context! { id => &scoped.id, name => role, space => &scoped.space_id, environments => places }
    });
    let mut choices = state.user_roles.values().filter(|role| !role.space_permissions.is_empty()).collect::<Vec<_>>();
    choices.sort_by_key(|role| role.name.clone());
    let values = context! {
        title => &team.name,
        team => context! { id => &team.id, name => &team.name, description => &team.description, members => &team.can_change_members, roles => &team.can_change_roles },
        people => people.collect::<Vec<_>>(),
        groups => groups.collect::<Vec<_>>(),
        roles => roles.collect::<Vec<_>>(),
        choices => choices.iter().map(|role| context! { id => &role.id, name => &role.name }).collect::<Vec<_>>(),
        environments => known.iter().map(|(id, name)| context! { id, name }).collect::<Vec<_>>(),
    };
    page_for(&req.app, &visitor, "team.html", values)
}

/// Changes something for the sender of a form and goes to a page.
fn change(req: &Req, fields: &Fields, change: impl FnOnce(&mut State) -> Result<String, ApiError>) -> Response {
    let mut state = req.app.write();
    if let Err(refusal) = sender(req, &state, fields) {
        return refusal.answer(&req.app);
    }
    match change(&mut state) {
        Ok(place) => Redirect::to(&place).into_response(),
        Err(error) => problem(&req.app, &error),
    }
}

/// Writes a team back with one field changed.
fn put(req: &Req, state: &mut State, id: &str, field: &str, value: Value) -> Result<String, ApiError> {
    let mut body = teams::full(&req.app, teams::find(state, id)?).as_object().cloned().unwrap_or_default();
    body.insert(field.to_owned(), value);
    teams::replace(req, state, id, &Body(body))?;
    Ok(format!("/app/teams/{id}"))
}

/// `POST /app/teams`: a new system team.
pub async fn create(req: Req, fields: Fields) -> Response {
    change(&req, &fields, |state| {
        let body = json!({"Name": fields.get("name")});
        let made = teams::make(&req, state, &Body(body.as_object().cloned().unwrap_or_default()))?;
        Ok(format!("/app/teams/{}", text(made.get("Id"))))
    })
}

/// `POST /app/teams/{id}`: the members that are ticked.
pub async fn members(req: Req, Path(id): Path<String>, fields: Fields) -> Response {
    let ticked = json!(fields.all("member"));
    change(&req, &fields, |state| put(&req, state, &id, "MemberUserIds", ticked))
}

/// `POST /app/teams/{id}/groups`: adds the group of `group` and `name`, or removes the one of `remove`.
pub async fn groups(req: Req, Path(id): Path<String>, fields: Fields) -> Response {
    change(&req, &fields, |state| {
        let resource = teams::full(&req.app, teams::find(state, &id)?);
        let mut list = resource.get("ExternalSecurityGroups").and_then(Value::as_array).cloned().unwrap_or_default();
        match (fields.get("remove"), fields.get("group")) {
            (Some(gone), _) => list.retain(|group| text(group.get("Id")) != gone),
            (None, Some(group)) if list.iter().any(|known| text(known.get("Id")) == group) => {
                return Err(ApiError::invalid("The group is already there."));
            }
            (None, Some(group)) => {
                let name = fields.get("name").unwrap_or_default();
                list.push(json!({"Id": group, "DisplayName": name, "DisplayIdAndName": true}));
            }
            (None, None) => return Err(ApiError::invalid("The id of the group is required.")),
        }
        put(&req, state, &id, "ExternalSecurityGroups", Value::Array(list))
    })
}

/// `POST /app/teams/{id}/roles`: gives a role, limited to the ticked environments, or removes the one of `remove`.
pub async fn roles(req: Req, Path(id): Path<String>, fields: Fields) -> Response {
    change(&req, &fields, |state| {
        if let Some(gone) = fields.get("remove") {
            scoped_roles::remove(&req, state, gone)?;
        } else {
            let body = json!({
                "TeamId": id,
                "UserRoleId": fields.get("role"),
                "SpaceId": "Spaces-1",
                "EnvironmentIds": fields.all("environment"),
            });
            scoped_roles::make(&req, state, &Body(body.as_object().cloned().unwrap_or_default()))?;
        }
        Ok(format!("/app/teams/{id}"))
    })
}
