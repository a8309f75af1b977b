//! `/groups/{id}/members`: assertions of membership.

use super::shape::{
    Answer, Holds, List, Problems, Search, SubjectRef, When, done, id as parse_id, known_group, of, ok, read, refused, time,
};
use crate::accounts::memberships as cases;
use crate::core::Refusal;
use crate::core::directory::Subject;
use crate::core::ids::GroupId;
use crate::core::policy::Act;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem, Query};
use crate::login::Token;
use crate::storage::memberships;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, remove))
}

/// One assertion that somebody is in a group.
#[derive(Serialize, ToSchema)]
struct Member {
    /// Who.
    member: SubjectRef,
    /// Their name.
    name: String,
    /// Who says so: `manual`, `directory:…`, `rule:…`.
    source: String,
    /// When it holds.
    #[serde(flatten)]
    when: Holds,
    /// Since when it is stored.
    #[schema(format = DateTime)]
    created_at: String,
    /// Who added it.
    created_by: String,
}

/// Direct members of a group, people after groups, by name. Somebody may be in it by several sources.
#[utoipa::path(get, operation_id = "list_members", path = "/groups/{id}/members", tag = "groups", params(("id" = String, Path, format = "uuid"), Search), responses((status = 200, body = List<Member>), Problems))]
async fn list(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<GroupId>,
    Query(search): Query<Search>,
) -> Answer {
    actor.may(&Act::ReadGroup(id.clone())).map_err(refused(&ctx))?;
    known_group(&deps, &ctx, &id).await?;
    let (part, q) = search.parts(&ctx)?;
    let (after, limit) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = memberships::page_of_group(&mut &deps.db, &id, q.as_deref(), after.as_ref(), limit).await.map_err(read(&ctx))?;
    let shape = |m: memberships::Membership| Member {
        member: SubjectRef::from(&m.assertion.member),
        name: m.name,
        source: m.assertion.source,
        when: m.assertion.span.into(),
        created_at: time(m.created_at),
        created_by: m.created_by,
    };
    ok(List::page(page, memberships::Membership::cursor, shape))
}

fn subject(kind: &str, id: &str, ctx: &Ctx) -> Result<Subject, Problem> {
    match kind {
        "people" => Ok(Subject::Person(parse_id(id, "member", ctx)?)),
        "groups" => Ok(Subject::Group(parse_id(id, "member", ctx)?)),
        _ => Err(Problem::from(Refusal::not_found("member")).of(ctx)),
    }
}

/// Put somebody into a group, or change when that holds.
#[utoipa::path(put, operation_id = "put_member", path = "/groups/{id}/members/{kind}/{member}", tag = "groups", params(("id" = String, Path, format = "uuid"), ("kind" = String, Path, pattern = "^(people|groups)$"), ("member" = String, Path, format = "uuid")), request_body = When, responses((status = 204), Problems))]
async fn put(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, kind, member)): Path<(GroupId, String, String)>,
    Json(body): Json<When>,
) -> Answer {
    let member = subject(&kind, &member, &ctx)?;
    let span = body.span("", &ctx)?;
    // the right is asked before anything is looked at
    actor.may(&Act::ManageMembers(id.clone())).map_err(refused(&ctx))?;
    let there = memberships::find(&mut &deps.db, &id, &member, "manual").await.map_err(read(&ctx))?;
    if there.is_some() {
        cases::change_span(&deps, &actor, &id, &member, span).await.map_err(of(&ctx))?;
    } else {
        cases::add(&deps, &actor, &id, &member, span).await.map_err(of(&ctx))?;
    }
    done()
}

/// Take somebody out of a group (the manual assertion).
#[utoipa::path(delete, operation_id = "remove_member", path = "/groups/{id}/members/{kind}/{member}", tag = "groups", params(("id" = String, Path, format = "uuid"), ("kind" = String, Path, pattern = "^(people|groups)$"), ("member" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn remove(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, kind, member)): Path<(GroupId, String, String)>,
) -> Answer {
    let member = subject(&kind, &member, &ctx)?;
    cases::remove(&deps, &actor, &id, &member).await.map_err(of(&ctx))?;
    done()
}
