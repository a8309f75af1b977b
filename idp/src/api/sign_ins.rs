//! `/people/{id}/identities`, `/sessions`, `/tokens`, `/consents`: how a person signs in, and ending one of them.

use super::people::Made;
use super::shape::{
    Answer, List, Part, Problems, created, done, id as parse_id, known_person, of, ok, read, refused, time, time_or,
};
use super::texts::{ClientKey, ForeignId, Label, Provider};
use super::tokens::TokenOut;
use crate::accounts::identities::{self, NewIdentity};
use crate::accounts::{people, sign_ins};
use crate::core::ids::{ApiTokenId, ClientId, IdentityId, PersonId, SessionId};
use crate::core::policy::Act;
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query};
use crate::login::Token;
use crate::storage::{consent, emails, sessions};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(list_identities, link_identity))
        .routes(routes!(unlink_identity))
        .routes(routes!(list_sessions, end_sessions))
        .routes(routes!(end_session))
        .routes(routes!(list_tokens))
        .routes(routes!(list_consents))
        .routes(routes!(withdraw_consent))
}

/// An identity of a person at a provider.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
struct IdentityOut {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Provider.
    provider: String,
    /// Stable id there.
    subject: String,
    /// What people read.
    label: String,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Last sign-in with it.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// Identities of a person at other providers, by provider.
#[utoipa::path(get, operation_id = "list_identities", path = "/people/{id}/identities", tag = "people", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<IdentityOut>), Problems))]
async fn list_identities(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Query(part): Query<Part>,
) -> Answer {
    actor.may(&Act::ReadAll).map_err(refused(&ctx))?;
    known_person(&deps, &ctx, &id).await?;
    let (after, limit): (Option<(String, IdentityId)>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = emails::identities_page(&mut &deps.db, &id, after.as_ref(), limit).await.map_err(read(&ctx))?;
    let shape = |i: emails::IdentityRow| IdentityOut {
        id: i.id.to_string(),
        provider: i.provider,
        subject: i.subject,
        label: i.label,
        created_at: time(i.created_at),
        last_used_at: time_or(i.last_used_at),
    };
    ok(List::page(page, |i| (i.provider.clone(), i.id.clone()), shape))
}

/// An identity to link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentity)]
struct NewIdentityIn {
    /// The provider, as the configuration of ODCM names it.
    provider: Provider,
    /// The stable id of the person there, byte by byte.
    subject: ForeignId,
    /// What people read, such as an address; the subject when absent.
    #[serde(default)]
    label: Option<Label>,
}

/// Link an identity: whoever proves it signs in as this person.
#[utoipa::path(post, operation_id = "link_identity", path = "/people/{id}/identities", tag = "people", params(("id" = String, Path, format = "uuid")), request_body = NewIdentityIn, responses((status = 201, body = Made), Problems))]
async fn link_identity(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Json(body): Json<NewIdentityIn>,
) -> Answer {
    let new =
        NewIdentity::parse(&body.provider, &body.subject, body.label.as_deref().unwrap_or_default()).map_err(refused(&ctx))?;
    let made = identities::link(&deps, &actor, &id, &new).await.map_err(of(&ctx))?;
    created(&format!("/people/{id}/identities"), Made { id: made.to_string() })
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
struct Ended {
    /// Sessions.
    sessions: u64,
}

/// Unlink an identity: sessions in which it was used end.
#[utoipa::path(delete, operation_id = "unlink_identity", path = "/people/{id}/identities/{identity}", tag = "people", params(("id" = String, Path, format = "uuid"), ("identity" = String, Path, format = "uuid")), responses((status = 200, body = Ended), Problems))]
async fn unlink_identity(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, identity)): Path<(PersonId, String)>,
) -> Answer {
    let identity: IdentityId = parse_id(&identity, "identity", &ctx)?;
    let sessions = identities::unlink(&deps, &actor, &id, &identity).await.map_err(of(&ctx))?;
    ok(Ended { sessions })
}

/// A live session of a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionOut {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// How the person proved who they are: `pwd` (RFC 8176), `fed` (another provider), `link` (a one-time link), oldest first.
    methods: Vec<&'static str>,
    /// Since when.
    #[schema(format = DateTime)]
    created_at: String,
    /// Last use, to the minute.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// Latest end.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Address of the last sign-in.
    address: Option<String>,
    /// What the browser says it is.
    user_agent: Option<String>,
}

/// Live sessions of a person, newest use first, at most 100.
#[utoipa::path(get, operation_id = "list_sessions", path = "/people/{id}/sessions", tag = "people", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = List<SessionOut>), Problems))]
async fn list_sessions(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<PersonId>) -> Answer {
    let rows = sign_ins::sessions(&deps, &actor, &id).await.map_err(of(&ctx))?;
    known_person(&deps, &ctx, &id).await?;
    let shape = |s: sessions::Listed| SessionOut {
        id: s.id.to_string(),
        methods: s.authentications.0.iter().map(|a| a.method.amr()).collect(),
        created_at: time(s.created_at),
        last_seen_at: time(s.last_seen_at),
        expires_at: time(s.expires_at),
        address: s.address,
        user_agent: s.user_agent,
    };
    ok(List::whole(rows.into_iter().map(shape).collect()))
}

/// End all sessions of a person, with everything that applications hold on their behalf.
#[utoipa::path(delete, operation_id = "end_sessions", path = "/people/{id}/sessions", tag = "people", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = Ended), Problems))]
async fn end_sessions(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<PersonId>) -> Answer {
    let sessions = people::end_sessions(&deps, &actor, &id).await.map_err(of(&ctx))?;
    ok(Ended { sessions })
}

/// End one session of a person; what applications hold with `offline_access` stays.
#[utoipa::path(delete, operation_id = "end_session", path = "/people/{id}/sessions/{session}", tag = "people", params(("id" = String, Path, format = "uuid"), ("session" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn end_session(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, session)): Path<(PersonId, String)>,
) -> Answer {
    let session: SessionId = parse_id(&session, "session", &ctx)?;
    sign_ins::end_session(&deps, &actor, &id, &session).await.map_err(of(&ctx))?;
    done()
}

/// API tokens of a person, newest first, revoked and expired ones included. `DELETE /tokens/{id}` revokes one.
#[utoipa::path(get, operation_id = "list_tokens_of_person", path = "/people/{id}/tokens", tag = "people", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<TokenOut>), Problems))]
async fn list_tokens(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Query(part): Query<Part>,
) -> Answer {
    let (after, limit): (Option<ApiTokenId>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = sign_ins::tokens_page(&deps, &actor, &id, after.as_ref(), limit).await.map_err(of(&ctx))?;
    known_person(&deps, &ctx, &id).await?;
    ok(List::page(page, |t| t.id.clone(), TokenOut::from))
}

/// What a person allowed an application.
#[derive(Serialize, ToSchema)]
#[schema(as = Consent)]
struct ConsentOut {
    /// Id of the client.
    client: String,
    /// Its name.
    client_name: String,
    /// What it may have.
    scopes: Vec<String>,
    /// When it was last agreed to.
    #[schema(format = DateTime)]
    granted_at: String,
}

/// What a person allowed applications, by id of the application.
#[utoipa::path(get, operation_id = "list_consents", path = "/people/{id}/consents", tag = "people", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<ConsentOut>), Problems))]
async fn list_consents(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<PersonId>,
    Query(part): Query<Part>,
) -> Answer {
    let (after, limit): (Option<String>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = sign_ins::consents_page(&deps, &actor, &id, &after.unwrap_or_default(), limit).await.map_err(of(&ctx))?;
    known_person(&deps, &ctx, &id).await?;
    let shape = |c: consent::Agreed| ConsentOut {
        client: c.client_id.to_string(),
        client_name: c.client_name,
        scopes: c.scope.split(' ').map(str::to_owned).collect(),
        granted_at: time(c.granted_at),
    };
    ok(List::page(page, |c| c.client_id.to_string(), shape))
}

/// Withdraw what a person allowed an application: its codes and refresh tokens for the person end, and it asks again.
#[utoipa::path(delete, operation_id = "withdraw_consent", path = "/people/{id}/consents/{client}", tag = "people", params(("id" = String, Path, format = "uuid"), ("client" = inline(ClientKey), Path)), responses((status = 204), Problems))]
async fn withdraw_consent(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, client)): Path<(PersonId, ClientId)>,
) -> Answer {
    sign_ins::withdraw(&deps, &actor, &id, &client).await.map_err(of(&ctx))?;
    done()
}
