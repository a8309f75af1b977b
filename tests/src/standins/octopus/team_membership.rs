//! Who is in which team, directly or through external groups.

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    events, permissions,
    permissions::Membership,
    request::{Body, Req, ok},
    server::App,
    state::same,
    users,
};

/// Routes of team memberships.
pub fn routes() -> Router<App> {
    Router::new().route("/api/teammembership", get(list)).route("/api/teammembership/previewteam", post(preview))
}

/// One membership; carries the names of both reply forms that clients know.
pub fn of_user(one: &Membership<'_>, user_id: &str) -> Value {
    json!({
        "Id": one.team.id,
        "Name": one.team.name,
        "UserId": user_id,
        "TeamId": one.team.id,
        "TeamName": one.team.name,
        "SpaceId": one.team.space_id,
        "IsDirectlyAssigned": one.direct,
        "ExternalSecurityGroups": one.groups,
    })
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    let user = req.query.get("userId").map(str::to_owned);
    let user = user.ok_or_else(|| ApiError::invalid("userId is required."))?;
    if req.user(&state)?.id != user {
        req.need(&state, "TeamView")?;
    }
    users::find(&state, &user)?;
    let teams = permissions::teams_of(&state, &user);
    let shown = teams.iter().filter(|one| events::in_scope(&req, one.team.space_id.as_deref()));
    ok(&shown.map(|one| of_user(one, &user)).collect())
}

/// The members that a team would have.
async fn preview(req: Req, body: Body) -> ApiResult {
    let state = req.app.read();
    req.need(&state, "TeamView")?;
    let direct = body.texts("MemberUserIds")?;
    let groups = body.0.get("ExternalSecurityGroups").and_then(Value::as_array).cloned().unwrap_or_default();
    let groups = groups.iter().filter_map(|group| group.get("Id")?.as_str()).collect::<Vec<_>>();
    let (id, name) = (body.text("Id")?, body.text("Name")?);
    let member = |user: &String| {
        let stored = state.external_groups.iter().filter(|stored| stored.user_id == *user).flat_map(|stored| &stored.groups);
        let through = stored.filter(|group| groups.iter().any(|known| same(known, group))).collect::<Vec<_>>();
        let directly = direct.contains(user);
        (directly || !through.is_empty()).then(|| {
            json!({"UserId": user, "TeamId": id, "TeamName": name, "IsDirectlyAssigned": directly, "ExternalSecurityGroups": through})
        })
    };
    ok(&state.users.keys().filter_map(member).collect())
}
