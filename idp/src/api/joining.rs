//! Whose identities are: invitations, identities that wait for a decision, and people who turn out to be one.

use super::shape::{Answer, List, Part, Problems, created, done, id as parse_id, missing, of, ok};
use super::texts;
use crate::accounts::joining::{self, Verdict};
use crate::accounts::merging;
use crate::core::ids::PersonId;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query};
use crate::login::Token;
use crate::storage::identity_requests::RequestRow;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(join))
        .routes(routes!(split))
        .routes(routes!(invite))
        .routes(routes!(requests))
        .routes(routes!(settle))
}

/// An invitation to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
struct NewInvitation {
    /// The provider.
    provider: texts::Provider,
    /// The organisation inside the provider that must vouch: an Entra tenant id, a Workspace domain.
    #[serde(default)]
    tenant: Option<texts::ForeignId>,
}

/// A link, shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = InvitationLink)]
struct InvitationLink {
    /// The address to hand over.
    url: String,
    /// End of its life (RFC 3339).
    expires_at: String,
}

/// Make a link with which a person joins an identity of their own. Earlier links of the person become useless.
#[utoipa::path(post, operation_id = "create_invitation", path = "/people/{id}/invitation", tag = "providers", params(("id" = String, Path, format = "uuid")), request_body = NewInvitation, responses((status = 201, body = InvitationLink), Problems))]
async fn invite(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<String>,
    Json(body): Json<NewInvitation>,
) -> Answer {
    let id = parse_id::<PersonId>(&id, "id", &ctx)?;
    let link = joining::invite(&deps, &actor, &id, &body.provider, body.tenant.as_deref()).await.map_err(of(&ctx))?;
    created(&format!("/people/{id}"), InvitationLink { url: link.url, expires_at: link.expires_at.rfc3339() })
}

/// Who goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PersonToJoin)]
struct ToJoin {
    /// The other person.
    gone: texts::ObjectId,
}

/// Two people who are one now.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonJoin)]
struct Joined {
    /// Id, with which it can be undone.
    id: String,
}

/// Join another person into this one: identities, addresses, memberships and grants go over, the other is disabled. `POST
/// /dry-run` (`join_people`) tells who gains and loses what.
#[utoipa::path(post, operation_id = "join_people", path = "/people/{id}/join", tag = "people", params(("id" = String, Path, format = "uuid")), request_body = ToJoin, responses((status = 201, body = Joined), Problems))]
async fn join(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Json(body): Json<ToJoin>,
) -> Answer {
    let gone = PersonId::parse(&body.gone).map_err(|_| missing(&ctx, "person").field("gone"))?;
    let join = merging::join(&deps, &actor, &id, &gone).await.map_err(of(&ctx))?;
    created(&format!("/people/{id}"), Joined { id: join })
}

/// Take two people apart again: what was moved goes back.
#[utoipa::path(post, operation_id = "split_people", path = "/person-joins/{id}/undo", tag = "people", params(("id" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn split(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<String>) -> Answer {
    merging::undo(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}

/// An identity that waits for a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityRequest)]
struct Waiting {
    /// Id.
    id: String,
    /// Provider.
    provider: String,
    /// Stable id there.
    subject: String,
    /// What people read.
    label: String,
    /// Name, as the provider says it.
    name: Option<String>,
    /// Address, as the provider says it.
    email: Option<String>,
    /// Organisation inside the provider.
    tenant: Option<String>,
    /// Whom it was meant for.
    person_id: Option<String>,
    /// Since when it waits (RFC 3339).
    created_at: String,
    /// The last attempt (RFC 3339).
    seen_at: String,
}

fn waiting(row: RequestRow) -> Waiting {
    let said = row.said.0;
    Waiting {
        id: row.id,
        provider: row.provider,
        subject: row.subject,
        label: row.label,
        name: said.name,
        email: said.email,
        tenant: said.tenant,
        person_id: row.person_id.map(|id| id.to_string()),
        created_at: row.created_at.rfc3339(),
        seen_at: row.seen_at.rfc3339(),
    }
}

/// Identities that wait for a decision, oldest first.
#[utoipa::path(get, operation_id = "list_identity_requests", path = "/identity-requests", tag = "providers", params(Part), responses((status = 200, body = List<Waiting>), Problems))]
async fn requests(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(part): Query<Part>) -> Answer {
    let after: Option<String> = part.after(&ctx)?;
    let limit = part.limit(&ctx)?;
    let page = joining::requests(&deps, &actor, after.as_deref().unwrap_or_default(), limit).await.map_err(of(&ctx))?;
    ok(List::page(page, |row| row.id.clone(), waiting))
}

/// What is decided.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = IdentityDecision)]
enum Decision {
    /// It is this person's.
    Join {
        /// The person.
        person_id: texts::ObjectId,
    },
    /// It is nobody's.
    Refuse {},
}

/// Decide about an identity that waits.
#[utoipa::path(post, operation_id = "decide_identity_request", path = "/identity-requests/{id}/decision", tag = "providers", params(("id" = String, Path, format = "uuid")), request_body = Decision, responses((status = 204), Problems))]
async fn settle(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<String>,
    Json(body): Json<Decision>,
) -> Answer {
    let verdict = match body {
        Decision::Refuse {} => Verdict::Refuse,
        Decision::Join { person_id } => {
            Verdict::Join(PersonId::parse(&person_id).map_err(|_| missing(&ctx, "person").field("person_id"))?)
        }
    };
    joining::settle(&deps, &actor, &id, &verdict).await.map_err(of(&ctx))?;
    done()
}
