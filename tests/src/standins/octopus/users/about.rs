//! What a user is and may do: `me`, `authentication`, `permissions`, `teams`, `spaces`.

use axum::{extract::Path, response::Response};
use serde_json::{Map, json};

use super::{find, view};
use crate::standins::octopus::{
    errors::{ApiError, ApiResult},
    permission_names, permissions as rights,
    request::{Req, csv, ok},
    root, spaces,
    state::State,
    team_membership, teams,
};

/// `GET /api/users/me`.
pub async fn me(req: Req) -> ApiResult {
    let state = req.app.read();
    ok(&view::full(&req, req.user(&state)?))
}

/// `GET /api/users/authentication`.
pub async fn authentication(req: Req) -> ApiResult {
    let id = req.user(&req.app.read())?.id.clone();
    authentication_of(req, Path(id)).await
}

/// `GET /api/users/authentication/{id}`.
pub async fn authentication_of(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    let own = req.user(&state)?.id == id;
    let editor = req.need(&state, "UserEdit").is_ok();
    find(&state, &id)?;
    let self_service =
        state.sections.get("authentication").and_then(|section| section.get("IsSelfServiceIdentityEditingEnabled")?.as_bool());
    ok(&json!({
        "AuthenticationProviders": root::authentication_providers(&req.app, &state),
        "CanCurrentUserEditIdentitiesForUser": editor || (own && self_service == Some(true)),
        "Links": {},
    }))
}

/// `GET /api/users/external-search`: there is no directory here.
pub async fn external_search(req: Req) -> ApiResult {
    req.need(&req.app.read(), "UserEdit")?;
    ok(&json!({"Results": []}))
}

fn own_or(req: &Req, state: &State, id: &str, permission: &str) -> Result<(), ApiError> {
    if req.user(state)?.id != id {
        req.need(state, permission)?;
    }
    find(state, id).map(drop)
}

/// `GET /api/users/{id}/teams`.
pub async fn teams_of(req: Req, Path(id): Path<String>) -> ApiResult {
    ok(&team_membership::shown(&req, &req.app.read(), &id)?)
}

/// `GET /api/users/{id}/spaces`.
pub async fn spaces_of(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    own_or(&req, &state, &id, "UserView")?;
    let roles = rights::roles_of(&state, &id);
    let sees = |space: &str| {
        roles
            .iter()
            .any(|(scoped, role)| !role.space_permissions.is_empty() && scoped.space_id.as_deref().is_none_or(|one| one == space))
    };
    let known = state.documents.get("spaces").into_iter().flatten().filter(|(space, _)| sees(space));
    ok(&known.map(|(_, space)| spaces::full(&state, space)).collect())
}

/// `GET /api/users/{id}/permissions`.
pub async fn permissions(req: Req, Path(id): Path<String>) -> ApiResult {
    let state = req.app.read();
    own_or(&req, &state, &id, "UserView")?;
    let own = req.user(&state)?.id == id;
    let mut in_spaces = Map::new();
    let mut system = Vec::new();
    for (scoped, role) in rights::roles_of(&state, &id) {
        system.extend(role.system_permissions.iter().cloned());
        if req.facts.space.is_some() && scoped.space_id.is_some() && scoped.space_id != req.facts.space {
            continue;
        }
        let limits = json!({
            "RestrictedToProjectIds": scoped.project_ids,
            "RestrictedToEnvironmentIds": scoped.environment_ids,
            "RestrictedToTenantIds": scoped.tenant_ids,
            "RestrictedToProjectGroupIds": scoped.project_group_ids,
            "SpaceId": scoped.space_id,
        });
        for permission in &role.space_permissions {
            let list = in_spaces.entry(permission.clone()).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(limits.clone()));
        }
    }
    system.sort_unstable();
    system.dedup();
    let memberships = rights::teams_of(&state, &id);
    let visible = memberships.iter().filter(|one| own || req.sees(&state, "TeamView", one.team.space_id.as_deref()));
    let teams = visible.map(|one| {
        json!({
            "Id": one.team.id,
            "Name": one.team.name,
            "SpaceId": one.team.space_id,
            "IsDirectlyAssigned": one.direct,
            "ExternalSecurityGroups": one.groups.iter().map(teams::group).collect::<Vec<_>>(),
        })
    });
    let teams = teams.collect::<Vec<_>>();
    ok(&json!({
        "Id": id,
        "IsPermissionsComplete": true,
        // False: the caller may not see all of them.
        "IsTeamsComplete": teams.len() == memberships.len(),
        "SpacePermissions": in_spaces,
        "SystemPermissions": system,
        "Teams": teams,
        "Links": {
            "Self": format!("/api/users/{id}/permissions"),
            "Export": format!("/api/users/{id}/permissions/export"),
        },
    }))
}

/// `GET /api/users/{id}/permissions/configuration`: what the permissions mean, by name.
pub async fn configuration(req: Req, Path(id): Path<String>) -> ApiResult {
    own_or(&req, &req.app.read(), &id, "UserView")?;
    ok(&permission_names::descriptions())
}

/// `GET /api/users/{id}/permissions/export`: one line per permission and place.
pub async fn export(req: Req, Path(id): Path<String>) -> Result<Response, ApiError> {
    let state = req.app.read();
    own_or(&req, &state, &id, "UserView")?;
    let mut lines = Vec::new();
    for (scoped, role) in rights::roles_of(&state, &id) {
        let space = scoped.space_id.as_deref().unwrap_or_default();
        lines.extend(role.system_permissions.iter().map(|name| vec![name.clone(), String::new(), String::new()]));
        let places = scoped.environment_ids.join(" ");
        lines.extend(role.space_permissions.iter().map(|name| vec![name.clone(), space.to_owned(), places.clone()]));
    }
    lines.sort();
    lines.dedup();
    Ok(csv(&["Permission", "Space", "Environments"], &lines))
}
