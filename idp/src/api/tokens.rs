//! `/tokens`: API tokens of the caller; those of others are listed below `/people/{id}`. A token makes no tokens: people make
//! theirs signed in, the host makes them with
//! `odcm admin token`.

use super::shape::{Answer, List, Part, Problems, done, of, ok, read, time, time_or};
use crate::accounts::api_tokens as cases;
use crate::core::Refusal;
use crate::core::ids::{ApiTokenId, PersonId};
use crate::core::policy::Actor;
use crate::deps::Deps;
use crate::http::{Ctx, Path, Problem, Query};
use crate::login::Token;
use crate::storage::api_tokens;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(revoke))
}

/// An API token.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub(super) struct TokenOut {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// What it is for.
    name: String,
    /// It may change things.
    write: bool,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Until when.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Last use, to the minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<api_tokens::ApiToken> for TokenOut {
    fn from(t: api_tokens::ApiToken) -> Self {
        Self {
            id: t.id.to_string(),
            name: t.name,
            write: t.scopes.0.write,
            created_at: time(t.created_at),
            expires_at: time(t.expires_at),
            last_used_at: time_or(t.last_used_at),
            revoked_at: time_or(t.revoked_at),
        }
    }
}

fn person<'a>(actor: &'a Actor, ctx: &Ctx) -> Result<&'a PersonId, Problem> {
    actor.person.as_ref().ok_or_else(|| Problem::from(Refusal::not_found("person")).of(ctx))
}

/// Your API tokens, newest first.
#[utoipa::path(get, operation_id = "list_tokens", path = "/tokens", tag = "tokens", params(Part), responses((status = 200, body = List<TokenOut>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Query(part): Query<Part>) -> Answer {
    let (after, limit): (Option<ApiTokenId>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let own = person(&actor, &ctx)?;
    let page = api_tokens::page_of_person(&mut &deps.db, own, after.as_ref(), limit).await.map_err(read(&ctx))?;
    ok(List::page(page, |t| t.id.clone(), TokenOut::from))
}

/// Revoke a token: one of yours, or of somebody over whom you have the right.
#[utoipa::path(delete, operation_id = "revoke_token", path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn revoke(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<ApiTokenId>) -> Answer {
    cases::revoke(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}
