//! `/groups`.

use super::people::Made;
use super::shape::{Answer, List, Part, Problems, bounded, created, done, missing, of, ok, read, refused, tagged, time};
use super::texts::{Description, ForeignId, IfMatch, Name, Provider};
use crate::accounts::groups as cases;
use crate::core::ids::GroupId;
use crate::core::policy::Act;
use crate::core::text::{DisplayName, fold};
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query, etag};
use crate::login::Token;
use crate::storage::groups;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(find, edit, delete))
}

/// A group.
#[derive(Serialize, ToSchema)]
struct Group {
    /// Id: what a Space's team names as external group.
    #[schema(format = "uuid")]
    id: String,
    /// Name.
    name: String,
    /// What it is for.
    description: String,
    /// From a directory: provider and id there; null for a group of ODCM.
    external: Option<External>,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Last change.
    #[schema(format = DateTime)]
    updated_at: String,
    /// As in the ETag.
    version: i64,
}

/// Where a group comes from.
#[derive(Clone, Serialize, ToSchema)]
struct External {
    /// Provider.
    provider: String,
    /// Stable id there.
    external_id: String,
}

/// Where a new group comes from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewExternal {
    /// Provider.
    provider: Provider,
    /// Stable id there.
    external_id: ForeignId,
}

impl From<groups::Group> for Group {
    fn from(g: groups::Group) -> Self {
        let external = match g.kind {
            groups::GroupKind::Local => None,
            groups::GroupKind::External { provider, external_id } => Some(External { provider, external_id }),
        };
        Self {
            id: g.id.to_string(),
            name: g.name,
            description: g.description,
            external,
            created_at: time(g.created_at),
            updated_at: time(g.updated_at),
            version: g.version,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 512)]
    #[serde(default)]
    after: Option<String>,
    /// Part of the name.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
}

/// Groups, by name.
#[utoipa::path(get, operation_id = "list_groups", path = "/groups", tag = "groups", params(Filter), responses((status = 200, body = List<Group>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(filter): Query<Filter>) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    let part = Part { limit: filter.limit, after: filter.after };
    let q = bounded(filter.q, "q", 200, &ctx)?;
    let after: Option<(String, GroupId)> = part.after(&ctx)?;
    let page = groups::page(&mut &deps.db, q.as_deref(), after.as_ref(), part.limit(&ctx)?).await.map_err(read(&ctx))?;
    ok(List::page(page, |g| (fold(&g.name), g.id.clone()), Group::from))
}

/// A new group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    /// Name.
    name: Name,
    /// What it is for.
    #[serde(default)]
    description: Option<Description>,
    /// A node for a group of a directory.
    #[serde(default)]
    external: Option<NewExternal>,
}

/// Create a group.
#[utoipa::path(post, operation_id = "create_group", path = "/groups", tag = "groups", request_body = NewGroup, responses((status = 201, body = Made), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<NewGroup>) -> Answer {
    let kind = match body.external {
        None => groups::GroupKind::Local,
        Some(e) => groups::GroupKind::External { provider: e.provider.into(), external_id: e.external_id.into() },
    };
    let name = DisplayName::parse("name", &body.name).map_err(refused(&ctx))?;
    let description = body.description.map(String::from).unwrap_or_default();
    let id = cases::create(&deps, &actor, cases::NewGroup { name, description, kind }).await.map_err(of(&ctx))?;
    created(&format!("/groups/{id}"), Made { id: id.to_string() })
}

/// One group.
#[utoipa::path(get, operation_id = "get_group", path = "/groups/{id}", tag = "groups", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Group), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<GroupId>) -> Answer {
    actor.may(&Act::ReadGroup(id.clone())).map_err(refused(&ctx))?;
    let group = groups::find(&mut &deps.db, &id).await.map_err(read(&ctx))?.ok_or_else(|| missing(&ctx, "group"))?;
    tagged(group.version, Group::from(group))
}

/// What to change; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditGroup {
    /// Name.
    #[serde(default)]
    name: Option<Name>,
    /// What it is for.
    #[serde(default)]
    description: Option<Description>,
}

/// Change a group.
#[utoipa::path(patch, operation_id = "change_group", path = "/groups/{id}", tag = "groups", params(("id" = String, Path, format = "uuid"), IfMatch), request_body = EditGroup, responses((status = 200, body = Group), Problems))]
async fn edit(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<GroupId>,
    headers: HeaderMap,
    Json(body): Json<EditGroup>,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let name = body.name.as_deref().map(|t| DisplayName::parse("name", t)).transpose().map_err(refused(&ctx))?;
    let edit = cases::EditGroup { name, description: body.description.map(String::from) };
    let group = cases::edit(&deps, &actor, &id, version, edit).await.map_err(of(&ctx))?;
    tagged(group.version, Group::from(group))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    /// You know what it takes away (`POST /dry-run` tells).
    #[serde(default)]
    pub(super) confirmed: bool,
}

/// Delete a group, with its members, grants and publications.
#[utoipa::path(delete, operation_id = "delete_group", path = "/groups/{id}", tag = "groups", params(("id" = String, Path, format = "uuid"), Confirmed, IfMatch), responses((status = 204), Problems))]
async fn delete(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<GroupId>,
    Query(query): Query<Confirmed>,
    headers: HeaderMap,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    cases::delete(&deps, &actor, &id, version, query.confirmed).await.map_err(of(&ctx))?;
    done()
}
