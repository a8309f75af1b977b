//! `/tokens`: API tokens of the caller.

use super::shape::{Answer, List, Problems, created, done, of, ok, read, time, time_or};
use crate::accounts::api_tokens as cases;
use crate::core::Refusal;
use crate::core::ids::{ApiTokenId, PersonId};
use crate::core::policy::{Actor, TokenScopes};
use crate::core::text::DisplayName;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Problem};
use crate::login::Token;
use crate::storage::api_tokens;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// An API token.
#[derive(Serialize, ToSchema)]
struct TokenOut {
    /// Id.
    #[schema(format = Uuid)]
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
}

fn person<'a>(actor: &'a Actor, ctx: &Ctx) -> Result<&'a PersonId, Problem> {
    actor.person.as_ref().ok_or_else(|| Problem::from(Refusal::not_found("person")).of(ctx))
}

/// Your API tokens.
#[utoipa::path(get, path = "/tokens", tag = "tokens", responses((status = 200, body = List<TokenOut>), Problems))]
async fn list(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token) -> Answer {
    let rows = api_tokens::of_person(&mut &deps.db, person(&actor, &ctx)?).await.map_err(read(&ctx))?;
    let shape = |t: api_tokens::ApiToken| TokenOut {
        id: t.id.to_string(),
        name: t.name,
        write: t.scopes.0.write,
        created_at: time(t.created_at),
        expires_at: time(t.expires_at),
        last_used_at: time_or(t.last_used_at),
    };
    ok(List::whole(rows.into_iter().map(shape).collect()))
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// It may change things.
    #[serde(default)]
    write: bool,
    /// Days it lives.
    #[serde(default = "month")]
    #[schema(minimum = 1, maximum = 366)]
    days: i64,
}

fn month() -> i64 {
    30
}

/// A token that was made: shown once.
#[derive(Serialize, ToSchema)]
struct FreshToken {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// The token.
    secret: String,
    /// Until when.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Make a token for yourself; it never may more than the token that makes it.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewToken, responses((status = 201, body = FreshToken), Problems))]
async fn create(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Json(body): Json<NewToken>) -> Answer {
    if !(1..=366).contains(&body.days) {
        let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "days.invalid", "A token lives 1 to 366 days.").field("days").of(&ctx));
    }
    let name = DisplayName::parse("name", &body.name).map_err(|r| Problem::from(r).of(&ctx))?;
    let (owner, scopes) = (person(&actor, &ctx)?.clone(), TokenScopes { write: body.write });
    let made = cases::create(&deps, &actor, &owner, &name, scopes, body.days * 86_400).await.map_err(of(&ctx))?;
    created("/tokens", FreshToken { id: made.id.to_string(), secret: made.secret, expires_at: time(made.expires_at) })
}

/// Revoke a token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path, format = Uuid)), responses((status = 204), Problems))]
async fn revoke(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<ApiTokenId>) -> Answer {
    cases::revoke(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}
