//! Who is signed in, their teams, and what they may deploy.

use axum::{http::StatusCode, response::Response};
use minijinja::context;
use serde_json::Value;

use super::visitor::{Fields, Refusal, Visitor, page_for, sender, visitor};
use crate::standins::octopus::{deployments, errors::ApiError, events::Actor, permissions, request::Req, state::State};

/// `GET /app`.
pub async fn show(req: Req) -> Response {
    let state = req.app.read();
    match visitor(&req, &state) {
        Ok(visitor) => home(&req, &state, &visitor, None),
        Err(refusal) => refusal.answer(&req.app),
    }
}

/// `POST /app/deploy`: tries it, whatever the page showed.
pub async fn deploy(req: Req, fields: Fields) -> Response {
    let mut state = req.app.write();
    let visitor = match sender(&req, &state, &fields) {
        Ok(visitor) => visitor,
        Err(refusal) => return refusal.answer(&req.app),
    };
    let environment = fields.get("environment").unwrap_or_default();
    let actor = Actor::of(&req, &visitor.user);
    let result = deployments::deploy(&mut state, &actor, &visitor.user, "Spaces-1", "Releases-1", environment);
    let (good, text, status) = match result {
        Ok(made) => {
            let name = made.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
            (true, format!("{name}: done."), StatusCode::CREATED)
        }
        Err(ApiError { status, message, errors }) => (false, errors.into_iter().next().unwrap_or(message), status),
    };
    let mut response = home(&req, &state, &visitor, Some((good, text)));
    *response.status_mut() = status;
    response
}

/// Ids and names of the environments, in their order.
pub fn environments(state: &State) -> Vec<(String, String)> {
    let known = state.documents.get("environments").into_iter().flatten();
    let of_space = known.filter(|(_, document)| document.get("SpaceId").and_then(Value::as_str) == Some("Spaces-1"));
    let mut list = of_space
        .map(|(id, document)| {
            let order = document.get("SortOrder").and_then(Value::as_i64);
            let name = document.get("Name").and_then(Value::as_str).unwrap_or_default();
            (order, id.clone(), name.to_owned())
        })
        .collect::<Vec<_>>();
    list.sort();
    list.into_iter().map(|(_, id, name)| (id, name)).collect()
}

fn home(req: &Req, state: &State, visitor: &Visitor, notice: Option<(bool, String)>) -> Response {
    let user = &visitor.user;
    let may = |id: &str| permissions::can_deploy(state, user, "Projects-1", id);
    let environments =
        environments(state).into_iter().map(|(id, name)| context! { may => may(&id), id, name }).collect::<Vec<_>>();
    let teams = permissions::teams_of(state, &user.id);
    let teams = teams.iter().map(|one| {
        let groups = one.groups.iter().map(|group| group.id.clone()).collect::<Vec<_>>();
        context! { name => &one.team.name, direct => &one.direct, groups }
    });
    let values = context! {
        title => "Home",
        email => &user.email,
        environments,
        teams => teams.collect::<Vec<_>>(),
        notice => notice.map(|(good, text)| context! { good, text }),
    };
    page_for(&req.app, visitor, "home.html", values)
}

/// The visitor with a permission, or the refusal.
pub fn with(req: &Req, state: &State, permission: &str) -> Result<Visitor, Refusal> {
    let visitor = visitor(req, state)?;
    req.need(state, permission)?;
    Ok(visitor)
}
