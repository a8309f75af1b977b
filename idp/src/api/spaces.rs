//! `/spaces`, their published groups and their bindings.

use super::groups::Confirmed;
use super::people::Made;
use super::shape::{
    Answer, List, Part, Problems, bounded, created, done, id as parse_id, known_space, missing, of, ok, read, refused, tagged,
    time,
};
use super::texts::{self, BaseUrl, Description, IfMatch, Name};
use crate::accounts::spaces as cases;
use crate::core::ids::{GroupId, SpaceId};
use crate::core::policy::{Act, Actor, Scope};
use crate::core::text::{DisplayName, Slug, fold};
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem, Query, etag};
use crate::login::Token;
use crate::storage::{bindings, spaces};
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, edit, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(published))
        .routes(routes!(publish, unpublish))
        .routes(routes!(list_bindings))
}

/// What a Space does without word from ODCM.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OfflinePolicy)]
enum Offline {
    /// Keep the last state.
    Keep,
    /// Shut managed accounts out.
    Shut,
}

impl From<spaces::OfflinePolicy> for Offline {
    fn from(policy: spaces::OfflinePolicy) -> Self {
        match policy {
            spaces::OfflinePolicy::Keep => Self::Keep,
            spaces::OfflinePolicy::Shut => Self::Shut,
        }
    }
}

impl From<Offline> for spaces::OfflinePolicy {
    fn from(policy: Offline) -> Self {
        match policy {
            Offline::Keep => Self::Keep,
            Offline::Shut => Self::Shut,
        }
    }
}

/// A Space: one Octopus server.
#[derive(Serialize, ToSchema)]
struct Space {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Short name.
    slug: String,
    /// Name.
    name: String,
    /// What it is for.
    description: String,
    /// Public URL.
    base_url: String,
    /// Id of its OAuth client.
    client_id: String,
    /// What it does without word from ODCM.
    offline_policy: Offline,
    /// API keys of people who lose it are deleted.
    revoke_api_keys: bool,
    /// InstallationId, once an agent is enrolled.
    installation_id: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// As in the ETag.
    version: i64,
}

impl From<spaces::Space> for Space {
    fn from(s: spaces::Space) -> Self {
        Self {
            id: s.id.to_string(),
            slug: s.slug,
            name: s.name,
            description: s.description,
            base_url: s.base_url,
            client_id: s.client_id.to_string(),
            offline_policy: s.offline_policy.into(),
            revoke_api_keys: s.revoke_api_keys,
            installation_id: s.installation_id,
            created_at: time(s.created_at),
            version: s.version,
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
    /// Part of the name, URL or description.
    #[param(max_length = 200)]
    #[serde(default)]
    q: Option<String>,
}

/// Spaces that you may read, by name.
#[utoipa::path(get, operation_id = "list_spaces", path = "/spaces", tag = "spaces", params(Filter), responses((status = 200, body = List<Space>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(filter): Query<Filter>) -> Answer {
    let part = Part { limit: filter.limit, after: filter.after };
    let q = bounded(filter.q, "q", 200, &ctx)?;
    let after: Option<(String, SpaceId)> = part.after(&ctx)?;
    let limit = part.limit(&ctx)?;
    if actor.may(&Act::ReadAll).is_err() {
        return ok(List::whole(own(&deps, &ctx, &actor, q.as_deref()).await?));
    }
    let page = spaces::page(&mut &deps.db, q.as_deref(), after.as_ref(), limit).await.map_err(read(&ctx))?;
    ok(List::page(page, |s| (fold(&s.name), s.id.clone()), Space::from))
}

/// The few Spaces that somebody with rights in single Spaces may read. No cursor: one over all Spaces would hold names that
/// they may not see.
async fn own(deps: &Deps, ctx: &Ctx, actor: &Actor, q: Option<&str>) -> Result<Vec<Space>, Problem> {
    let named = actor.rights.iter().filter_map(|right| match &right.scope {
        Scope::Space(id) => Some(id),
        Scope::All | Scope::Group(_) => None,
    });
    let readable: BTreeSet<&SpaceId> = named.filter(|id| actor.may(&Act::ReadSpace((*id).clone())).is_ok()).collect();
    let wanted = fold(q.unwrap_or_default().trim());
    let mut found = Vec::new();
    for id in readable {
        let space = spaces::find(&mut &deps.db, id).await.map_err(read(ctx))?;
        found.extend(space.filter(|s| [&s.name, &s.base_url, &s.description].iter().any(|t| fold(t).contains(&wanted))));
    }
    found.sort_by_key(|s| fold(&s.name));
    Ok(found.into_iter().map(Space::from).collect())
}

/// A Space to enlist.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSpace {
    /// Name.
    name: Name,
    /// Short name: never changes.
    slug: texts::Slug,
    /// Public URL.
    base_url: BaseUrl,
    /// What it is for.
    #[serde(default)]
    description: Option<Description>,
    /// What it does without word from ODCM.
    #[serde(default = "keep")]
    offline_policy: Offline,
    /// API keys of people who lose it are deleted.
    #[serde(default = "yes")]
    revoke_api_keys: bool,
}

fn keep() -> Offline {
    Offline::Keep
}

fn yes() -> bool {
    true
}

/// Enlist a Space.
#[utoipa::path(post, operation_id = "enlist_space", path = "/spaces", tag = "spaces", request_body = NewSpace, responses((status = 201, body = Made), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<NewSpace>) -> Answer {
    let new = cases::NewSpace {
        name: DisplayName::parse("name", &body.name).map_err(refused(&ctx))?,
        slug: Slug::parse(&body.slug).map_err(refused(&ctx))?,
        base_url: body.base_url.into(),
        description: body.description.map(String::from).unwrap_or_default(),
        offline_policy: body.offline_policy.into(),
        revoke_api_keys: body.revoke_api_keys,
    };
    let id = cases::enlist(&deps, &actor, new).await.map_err(of(&ctx))?;
    created(&format!("/spaces/{id}"), Made { id: id.to_string() })
}

/// One Space.
#[utoipa::path(get, operation_id = "get_space", path = "/spaces/{id}", tag = "spaces", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Space), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<SpaceId>) -> Answer {
    actor.may(&Act::ReadSpace(id.clone())).map_err(refused(&ctx))?;
    let space = spaces::find(&mut &deps.db, &id).await.map_err(read(&ctx))?.ok_or_else(|| missing(&ctx, "Space"))?;
    tagged(space.version, Space::from(space))
}

/// What to change; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditSpace {
    /// Name.
    #[serde(default)]
    name: Option<Name>,
    /// Public URL.
    #[serde(default)]
    base_url: Option<BaseUrl>,
    /// What it is for.
    #[serde(default)]
    description: Option<Description>,
    /// What it does without word from ODCM.
    #[serde(default)]
    offline_policy: Option<Offline>,
    /// API keys of people who lose it are deleted.
    #[serde(default)]
    revoke_api_keys: Option<bool>,
}

/// Change a Space.
#[utoipa::path(patch, operation_id = "change_space", path = "/spaces/{id}", tag = "spaces", params(("id" = String, Path, format = "uuid"), IfMatch), request_body = EditSpace, responses((status = 200, body = Space), Problems))]
async fn edit(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    headers: HeaderMap,
    Json(body): Json<EditSpace>,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let edit = cases::EditSpace {
        name: body.name.as_deref().map(|t| DisplayName::parse("name", t)).transpose().map_err(refused(&ctx))?,
        base_url: body.base_url.map(String::from),
        description: body.description.map(String::from),
        offline_policy: body.offline_policy.map(Into::into),
        revoke_api_keys: body.revoke_api_keys,
    };
    let space = cases::edit(&deps, &actor, &id, version, edit).await.map_err(of(&ctx))?;
    tagged(space.version, Space::from(space))
}

/// Have the agent make a new client secret for the Space. The one before stays valid for a week.
#[utoipa::path(post, operation_id = "rotate_space_secret", path = "/spaces/{id}/secrets", tag = "spaces", params(("id" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn rotate_secret(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<SpaceId>) -> Answer {
    cases::rotate_secret(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}

/// Remove a Space from ODCM. Accounts and teams there stay as they are.
#[utoipa::path(delete, operation_id = "remove_space", path = "/spaces/{id}", tag = "spaces", params(("id" = String, Path, format = "uuid"), Confirmed, IfMatch), responses((status = 204), Problems))]
async fn delete(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(query): Query<Confirmed>,
    headers: HeaderMap,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    cases::remove(&deps, &actor, &id, version, query.confirmed).await.map_err(of(&ctx))?;
    done()
}

/// A group by id and name.
#[derive(Serialize, ToSchema)]
struct GroupRef {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Name.
    name: String,
}

/// Groups published to a Space without granting entry.
#[utoipa::path(get, operation_id = "list_published_groups", path = "/spaces/{id}/groups", tag = "spaces", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<GroupRef>), Problems))]
async fn published(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    actor.may(&Act::ReadSpace(id.clone())).map_err(refused(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let after: Option<(String, GroupId)> = part.after(&ctx)?;
    let page = spaces::published_page(&mut &deps.db, &id, after.as_ref(), part.limit(&ctx)?).await.map_err(read(&ctx))?;
    ok(List::page(page, |(id, name)| (fold(name), id.clone()), |(id, name)| GroupRef { id: id.to_string(), name }))
}

/// Publish a group to a Space.
#[utoipa::path(put, operation_id = "publish_group", path = "/spaces/{id}/groups/{group}", tag = "spaces", params(("id" = String, Path, format = "uuid"), ("group" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn publish(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path((id, group)): Path<(SpaceId, String)>) -> Answer {
    let group: GroupId = parse_id(&group, "group", &ctx)?;
    cases::publish(&deps, &actor, &id, &group).await.map_err(of(&ctx))?;
    done()
}

/// Take a published group back.
#[utoipa::path(delete, operation_id = "unpublish_group", path = "/spaces/{id}/groups/{group}", tag = "spaces", params(("id" = String, Path, format = "uuid"), ("group" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn unpublish(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, group)): Path<(SpaceId, String)>,
) -> Answer {
    let group: GroupId = parse_id(&group, "group", &ctx)?;
    cases::unpublish(&deps, &actor, &id, &group).await.map_err(of(&ctx))?;
    done()
}

/// A team of the Space that names a group of ODCM, as the agent reported it.
#[derive(Serialize, ToSchema)]
struct Binding {
    /// Team id in the Space.
    team: String,
    /// Group id as the Space wrote it.
    group: String,
    /// Name, inner space, flags and notes of the team.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
    /// When it was last reported.
    #[schema(format = DateTime)]
    reported_at: String,
}

/// Which groups stand in which teams of a Space.
#[utoipa::path(get, operation_id = "list_bindings", path = "/spaces/{id}/bindings", tag = "spaces", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<Binding>), Problems))]
async fn list_bindings(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    actor.may(&Act::ReadSpace(id.clone())).map_err(refused(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let after: Option<(String, String)> = part.after(&ctx)?;
    let page = bindings::page(&mut &deps.db, &id, after.as_ref(), part.limit(&ctx)?).await.map_err(read(&ctx))?;
    let shape = |b: bindings::BindingRow| Binding {
        team: b.team_id,
        group: b.group_key,
        detail: serde_json::from_str(&b.binding).unwrap_or_default(),
        reported_at: time(b.reported_at),
    };
    ok(List::page(page, |b| (b.team_id.clone(), b.group_key.clone()), shape))
}
