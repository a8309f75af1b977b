//! `/rights`: who administers what in ODCM.

use super::people::Made;
use super::shape::{Answer, List, Part, Problems, created, done, id as parse_id, instant, of, ok, read, refused, time, time_or};
use crate::accounts::rights as cases;
use crate::core::ids::{PersonId, RightId};
use crate::core::policy::{Act, Right, Role, Scope};
use crate::core::text::fold;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem, Query};
use crate::login::Token;
use crate::storage::rights;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, give)).routes(routes!(take))
}

/// A role.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Role)]
enum RoleName {
    /// Scope `all`: everything, people and rights included. A Space or group: what its administrator may.
    Owner,
    /// May read what is within the scope.
    Auditor,
    /// Runs Spaces.
    SpaceAdmin,
    /// Decides who is in groups.
    GroupAdmin,
}

/// Where it holds.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Scope)]
enum ScopeKind {
    /// Everywhere.
    All,
    /// One Space.
    Space,
    /// One group.
    Group,
}

/// A right of a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Right)]
struct RightOut {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Whose.
    #[schema(format = "uuid")]
    person: String,
    /// Their name.
    person_name: String,
    /// Role.
    role: RoleName,
    /// Scope.
    scope: ScopeKind,
    /// The Space or group.
    #[schema(format = "uuid")]
    scope_id: Option<String>,
    /// Until when.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Who gave it.
    created_by: String,
}

fn shape(row: rights::RightRow) -> RightOut {
    let role = match row.right.role {
        Role::Owner => RoleName::Owner,
        Role::Auditor => RoleName::Auditor,
        Role::SpaceAdmin => RoleName::SpaceAdmin,
        Role::GroupAdmin => RoleName::GroupAdmin,
    };
    let (scope, scope_id) = match &row.right.scope {
        Scope::All => (ScopeKind::All, None),
        Scope::Space(id) => (ScopeKind::Space, Some(id.to_string())),
        Scope::Group(id) => (ScopeKind::Group, Some(id.to_string())),
    };
    RightOut {
        id: row.id.to_string(),
        person: row.person.to_string(),
        person_name: row.person_name,
        role,
        scope,
        scope_id,
        until: time_or(row.until),
        created_at: time(row.created_at),
        created_by: row.created_by,
    }
}

/// All rights, by name of the person.
#[utoipa::path(get, operation_id = "list_rights", path = "/rights", tag = "rights", params(Part), responses((status = 200, body = List<RightOut>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(part): Query<Part>) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    let after: Option<(String, RightId)> = part.after(&ctx)?;
    let page = rights::page(&mut &deps.db, after.as_ref(), part.limit(&ctx)?).await.map_err(read(&ctx))?;
    ok(List::page(page, |r| (fold(&r.person_name), r.id.clone()), shape))
}

/// A right to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRight {
    /// To whom.
    #[schema(format = "uuid")]
    person: String,
    /// Role.
    role: RoleName,
    /// Scope.
    scope: ScopeKind,
    /// The Space or group; not for scope all.
    #[serde(default)]
    #[schema(format = "uuid")]
    scope_id: Option<String>,
    /// Until when.
    #[serde(default)]
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// Give a right.
#[utoipa::path(post, operation_id = "give_right", path = "/rights", tag = "rights", request_body = NewRight, responses((status = 201, body = Made), Problems))]
async fn give(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<NewRight>) -> Answer {
    let person: PersonId = parse_id(&body.person, "person", &ctx)?;
    let scope = match (body.scope, body.scope_id.as_deref()) {
        (ScopeKind::All, None) => Scope::All,
        (ScopeKind::Space, Some(id)) => Scope::Space(parse_id(id, "scope_id", &ctx)?),
        (ScopeKind::Group, Some(id)) => Scope::Group(parse_id(id, "scope_id", &ctx)?),
        _ => {
            let text = "scope_id names the Space or group; it is left out for scope all.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "scope.invalid", text).field("scope_id").of(&ctx));
        }
    };
    let role = match body.role {
        RoleName::Owner => Role::Owner,
        RoleName::Auditor => Role::Auditor,
        RoleName::SpaceAdmin => Role::SpaceAdmin,
        RoleName::GroupAdmin => Role::GroupAdmin,
    };
    let until = body.until.as_deref().map(|t| instant(t, "until", &ctx)).transpose()?;
    let id = cases::give(&deps, &actor, &person, &Right { role, scope }, until).await.map_err(of(&ctx))?;
    created("/rights", Made { id: id.to_string() })
}

/// Take a right away.
#[utoipa::path(delete, operation_id = "take_right", path = "/rights/{id}", tag = "rights", params(("id" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn take(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<RightId>) -> Answer {
    cases::take(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}
