//! Who is in which team, directly or through external groups.

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    errors::{ApiError, ApiResult},
    permissions::{self, Membership},
    request::{Body, Req, ok},
    scope::{List, Scope},
    server::App,
    state::{State, same},
    teams, users,
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
        "ExternalSecurityGroups": one.groups.iter().map(teams::group).collect::<Vec<_>>(),
    })
}

/// The teams of a user that a request asks for and its caller may see: one's own, or those with `TeamView`.
///
/// # Errors
/// 401, 403 or 404 as the API answers them.
pub fn shown(req: &Req, state: &State, user: &str) -> Result<Value, ApiError> {
    let own = req.user(state)?.id == user;
    if !own {
        req.need_somewhere(state, "TeamView")?;
    }
    users::find(state, user)?;
    let scope = Scope::of(req, List::Memberships);
    let teams = permissions::teams_of(state, user);
    let shown = teams.iter().filter(|one| {
        let space = one.team.space_id.as_deref();
        scope.holds(space) && (own || req.sees(state, "TeamView", space))
    });
    Ok(shown.map(|one| of_user(one, user)).collect())
}

async fn list(req: Req) -> ApiResult {
    let state = req.app.read();
    let user = req.query.get("userId").map(str::to_owned);
    let user = user.ok_or_else(|| ApiError::invalid("userId is required."))?;
    ok(&shown(&req, &state, &user)?)
}

/// The members that a team would have.
async fn preview(req: Req, body: Body) -> ApiResult {
    let state = req.app.read();
    req.need_somewhere(&state, "TeamView")?;
    let direct = body.texts("MemberUserIds")?;
    let groups = body.field("ExternalSecurityGroups").and_then(Value::as_array).cloned().unwrap_or_default();
    let groups = groups.iter().map(teams::read_group).collect::<Result<Vec<_>, _>>()?;
    let (id, name) = (body.text("Id")?, body.text("Name")?);
    let member = |user: &String| {
        let stored = state.external_groups.iter().filter(|stored| stored.user_id == *user).flat_map(|stored| &stored.groups);
        let stored = stored.collect::<Vec<_>>();
        let through = groups.iter().filter(|group| stored.iter().any(|known| same(known, &group.id))).map(teams::group);
        let through = through.collect::<Vec<_>>();
        let directly = direct.contains(user);
        (directly || !through.is_empty()).then(|| {
            json!({"UserId": user, "TeamId": id, "TeamName": name, "IsDirectlyAssigned": directly, "ExternalSecurityGroups": through})
        })
    };
    ok(&state.users.keys().filter_map(member).collect())
}
