//! Grants: who may enter a Space, and when.

use super::people::Made;
use super::shape::{
    Answer, Holds, List, Problems, Search, SubjectRef, When, created, done, known_space, missing, of, ok, read, refused, tagged,
    time,
};
use super::texts::IfMatch;
use crate::accounts::grants as cases;
use crate::core::ids::{GrantId, SpaceId};
use crate::core::policy::Act;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query, etag};
use crate::login::Token;
use crate::storage::grants;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(find, change, revoke))
}

/// Entry to a Space for a person or for everybody in a group.
#[derive(Serialize, ToSchema)]
struct Grant {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// The Space.
    #[schema(format = "uuid")]
    space: String,
    /// Its name.
    space_name: String,
    /// Who may enter.
    subject: SubjectRef,
    /// Their name.
    subject_name: String,
    /// When it holds.
    #[serde(flatten)]
    when: Holds,
    /// Since when it is stored.
    #[schema(format = DateTime)]
    created_at: String,
    /// Who gave it.
    created_by: String,
    /// As in the ETag.
    version: i64,
}

impl From<grants::GrantRow> for Grant {
    fn from(row: grants::GrantRow) -> Self {
        Self {
            id: row.grant.id.to_string(),
            space: row.grant.space.to_string(),
            space_name: row.space_name,
            subject: SubjectRef::from(&row.grant.subject),
            subject_name: row.subject_name,
            when: row.grant.span.into(),
            created_at: time(row.created_at),
            created_by: row.created_by,
            version: row.version,
        }
    }
}

/// Grants of a Space, those to people after those to groups, by name.
#[utoipa::path(get, operation_id = "list_grants", path = "/spaces/{id}/grants", tag = "grants", params(("id" = String, Path, format = "uuid"), Search), responses((status = 200, body = List<Grant>), Problems))]
async fn list(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(search): Query<Search>,
) -> Answer {
    actor.may(&Act::ReadSpace(id.clone())).map_err(refused(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let (part, q) = search.parts(&ctx)?;
    let (after, limit) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = grants::page_of_space(&mut &deps.db, &id, q.as_deref(), after.as_ref(), limit).await.map_err(read(&ctx))?;
    ok(List::page(page, grants::GrantRow::cursor, Grant::from))
}

/// A new grant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    /// Who may enter.
    subject: SubjectRef,
    /// When.
    #[serde(default)]
    when: When,
}

/// Grant a Space.
#[utoipa::path(post, operation_id = "add_grant", path = "/spaces/{id}/grants", tag = "grants", params(("id" = String, Path, format = "uuid")), request_body = NewGrant, responses((status = 201, body = Made), Problems))]
async fn add(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Json(body): Json<NewGrant>,
) -> Answer {
    let (subject, span) = (body.subject.subject("subject", &ctx)?, body.when.span("when.", &ctx)?);
    let grant = cases::add(&deps, &actor, &id, &subject, span).await.map_err(of(&ctx))?;
    created(&format!("/grants/{grant}"), Made { id: grant.to_string() })
}

/// One grant.
#[utoipa::path(get, operation_id = "get_grant", path = "/grants/{id}", tag = "grants", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Grant), Problems))]
async fn find(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<GrantId>) -> Answer {
    let row = grants::find(&mut &deps.db, &id).await.map_err(read(&ctx))?;
    // who may not read the Space may not learn that the grant exists
    let row = row.filter(|r| actor.may(&Act::ReadSpace(r.grant.space.clone())).is_ok()).ok_or_else(|| missing(&ctx, "grant"))?;
    tagged(row.version, Grant::from(row))
}

/// Change when a grant holds.
#[utoipa::path(patch, operation_id = "change_grant", path = "/grants/{id}", tag = "grants", params(("id" = String, Path, format = "uuid"), IfMatch), request_body = When, responses((status = 200, body = Grant), Problems))]
async fn change(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<GrantId>,
    headers: HeaderMap,
    Json(body): Json<When>,
) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    let span = body.span("", &ctx)?;
    let row = cases::change_span(&deps, &actor, &id, version, span).await.map_err(of(&ctx))?;
    tagged(row.version, Grant::from(row))
}

/// Take a grant back: refused from the commit on.
#[utoipa::path(delete, operation_id = "revoke_grant", path = "/grants/{id}", tag = "grants", params(("id" = String, Path, format = "uuid"), IfMatch), responses((status = 204), Problems))]
async fn revoke(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<GrantId>, headers: HeaderMap) -> Answer {
    let version = etag::if_match(&headers).map_err(|p| p.of(&ctx))?;
    cases::revoke(&deps, &actor, &id, version).await.map_err(of(&ctx))?;
    done()
}
