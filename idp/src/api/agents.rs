//! Agents of Spaces: status, enrolment codes, revocation, adoption and sweep decisions.

use super::shape::{Answer, List, Part, Problems, done, known_space, of, ok, time, time_or};
use super::texts::{ObjectId, SpaceKey};
use crate::accounts::{agent_status, agents};
use crate::core::ids::{PersonId, SpaceId};
use crate::deps::Deps;
use crate::http::{Ctx, Json, Path, Query};
use crate::login::Token;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use odcm_wire::latest::AdoptionDecision;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(enrolment_code))
        .routes(routes!(revoke))
        .routes(routes!(adoptions))
        .routes(routes!(decide))
        .routes(routes!(sweeps))
        .routes(routes!(confirm))
}

/// Where a section stands.
#[derive(Serialize, ToSchema)]
struct SectionStatus {
    /// Newest revision.
    revision: i64,
    /// Newest acknowledged revision; 0: none.
    applied: i64,
    /// Something is not acknowledged yet.
    pending: bool,
    /// Something is taken away and not acknowledged yet.
    removals_pending: bool,
    /// When the newest acknowledgement was stored.
    #[schema(format = DateTime)]
    applied_at: Option<String>,
    /// Milliseconds from the commit of that change to its stored acknowledgement.
    applied_ms: Option<i64>,
    /// Items that failed.
    failed_items: i64,
    /// When the agent last looked at the Space.
    #[schema(format = DateTime)]
    seen_at: Option<String>,
}

/// The agent beside a Space.
#[derive(Serialize, ToSchema)]
struct AgentStatus {
    /// Id.
    #[schema(format = "uuid")]
    id: String,
    /// Connected right now.
    connected: bool,
    /// Connected since, or offline since.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Version of the Space's server.
    server_version: String,
    /// Version of the agent.
    agent_version: String,
    /// What the server can do.
    capabilities: Vec<String>,
    /// InstallationId of the server.
    installation_id: String,
    /// Address of the server as the agent reported it at enrolment.
    base_url: String,
    /// When it was enrolled.
    #[schema(format = DateTime)]
    enrolled_at: String,
}

/// Where a Space stands.
#[derive(Serialize, ToSchema)]
struct SpaceStatus {
    /// Its agent; null: none is enrolled.
    agent: Option<AgentStatus>,
    /// Sections by name.
    sections: BTreeMap<String, SectionStatus>,
    /// A change is marked and not numbered yet.
    marked: bool,
    /// Decisions that wait.
    undecided: i64,
    /// Items that failed.
    failed_items: i64,
    /// Until when an unused enrolment code lives.
    #[schema(format = DateTime)]
    open_code_until: Option<String>,
    /// Generation of the client secret that is asked for.
    secret_wanted: i64,
    /// Newest generation that the agent made; 0: none.
    secret_made: i64,
    /// When the Space last proved its client secret.
    #[schema(format = DateTime)]
    secret_proven_at: Option<String>,
}

/// Where a Space stands: connected, revision, applied in how many milliseconds.
#[utoipa::path(get, operation_id = "get_space_status", path = "/spaces/{id}/status", tag = "agents", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = SpaceStatus), Problems))]
async fn status(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<SpaceId>) -> Answer {
    let s = agent_status::status(&deps, &actor, &id).await.map_err(of(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let section = |s: agent_status::SectionStatus| SectionStatus {
        revision: s.revision,
        applied: s.applied,
        pending: s.pending,
        removals_pending: s.removals_pending,
        applied_at: time_or(s.applied_at),
        applied_ms: s.applied_ms,
        failed_items: s.failed_items,
        seen_at: time_or(s.seen_at),
    };
    ok(SpaceStatus {
        agent: s.agent.map(|a| AgentStatus {
            id: a.id.to_string(),
            connected: a.connected,
            since: time_or(a.since),
            server_version: a.server_version,
            agent_version: a.agent_version,
            capabilities: a.capabilities,
            installation_id: a.installation_id,
            base_url: a.base_url,
            enrolled_at: time(a.enrolled_at),
        }),
        sections: s.sections.into_iter().map(|(name, s)| (name, section(s))).collect(),
        marked: s.marked,
        undecided: s.undecided,
        failed_items: s.failed_items,
        open_code_until: time_or(s.open_code),
        secret_wanted: s.secret.wanted,
        secret_made: s.secret.made,
        secret_proven_at: time_or(s.secret.proven_at),
    })
}

/// A one-time code: shown once.
#[derive(Serialize, ToSchema)]
struct EnrolmentCode {
    /// The code.
    code: String,
    /// Until when it works.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Make a one-time code with which an agent enrols.
#[utoipa::path(post, operation_id = "create_enrolment_code", path = "/spaces/{id}/enrolment-codes", tag = "agents", params(("id" = String, Path, format = "uuid")), responses((status = 201, body = EnrolmentCode), Problems))]
async fn enrolment_code(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<SpaceId>) -> Answer {
    let code = agents::create_enrolment_code(&deps, &actor, &id).await.map_err(of(&ctx))?;
    let body = EnrolmentCode { code: code.code, expires_at: time(code.expires_at) };
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

/// Revoke the agent of a Space at once.
#[utoipa::path(delete, operation_id = "revoke_agent", path = "/spaces/{id}/agent", tag = "agents", params(("id" = String, Path, format = "uuid")), responses((status = 204), Problems))]
async fn revoke(State(deps): State<Deps>, ctx: Ctx, Token(actor): Token, Path(id): Path<SpaceId>) -> Answer {
    agents::revoke(&deps, &actor, &id).await.map_err(of(&ctx))?;
    done()
}

/// A person for whom the Space has accounts that may be theirs.
#[derive(Serialize, ToSchema)]
struct Adoption {
    /// The person.
    #[schema(format = "uuid")]
    person: String,
    /// Name of the person.
    person_name: String,
    /// The accounts: names, what matched, password, API keys, identities, teams.
    #[schema(value_type = Vec<Object>)]
    candidates: serde_json::Value,
    /// The decision, once there is one.
    #[schema(value_type = Option<Object>)]
    decision: serde_json::Value,
    /// Who decided.
    decided_by: Option<String>,
    /// Nothing is left to do.
    done: bool,
}

/// Accounts of a Space that may be somebody's: nobody is matched silently.
#[utoipa::path(get, operation_id = "list_adoptions", path = "/spaces/{id}/adoptions", tag = "agents", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<Adoption>), Problems))]
async fn adoptions(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    let (after, limit): (Option<PersonId>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let page = agents::adoptions_page(&deps, &actor, &id, false, after.as_ref(), limit).await.map_err(of(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let shape = |a: agents::Adoption| Adoption {
        person: a.person.to_string(),
        person_name: a.person_name,
        candidates: serde_json::to_value(&a.candidates).unwrap_or_default(),
        decision: serde_json::to_value(&a.decision).unwrap_or_default(),
        decided_by: a.decided_by,
        done: a.done,
    };
    ok(List::page(page, |a| a.person.clone(), shape))
}

/// What to do about the accounts.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = AdoptionDecision)]
enum Decision {
    /// The account is this person's.
    Adopt {
        /// Id of the account, such as `Users-21`.
        account: SpaceKey,
        /// Replace a local password by a random one.
        #[serde(default = "yes")]
        reset_password: bool,
        /// Remove sign-ins of other providers.
        #[serde(default = "yes")]
        remove_foreign_identities: bool,
        /// Delete its API keys.
        #[serde(default = "yes")]
        revoke_api_keys: bool,
    },
    /// None of them is: create an account.
    CreateNew {},
}

fn yes() -> bool {
    true
}

/// Decide about the accounts of a person.
#[utoipa::path(post, operation_id = "decide_adoption", path = "/spaces/{id}/adoptions/{person}", tag = "agents", params(("id" = String, Path, format = "uuid"), ("person" = String, Path, format = "uuid")), request_body = Decision, responses((status = 204), Problems))]
async fn decide(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, person)): Path<(SpaceId, PersonId)>,
    Json(body): Json<Decision>,
) -> Answer {
    let decision = match body {
        Decision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys } => {
            AdoptionDecision::Adopt { account: account.into(), reset_password, remove_foreign_identities, revoke_api_keys }
        }
        Decision::CreateNew {} => AdoptionDecision::CreateNew,
    };
    agents::decide_adoption(&deps, &actor, &id, &person, &decision).await.map_err(of(&ctx))?;
    done()
}

/// Managed accounts in a newly bound team that no bound group names.
#[derive(Serialize, ToSchema)]
struct Sweep {
    /// Team id.
    team: String,
    /// Team name.
    team_name: String,
    /// People whose accounts would leave the team.
    people: Vec<String>,
    /// Who confirmed it.
    confirmed_by: Option<String>,
}

/// Teams that wait for a one-time confirmation.
#[utoipa::path(get, operation_id = "list_sweeps", path = "/spaces/{id}/sweeps", tag = "agents", params(("id" = String, Path, format = "uuid"), Part), responses((status = 200, body = List<Sweep>), Problems))]
async fn sweeps(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path(id): Path<SpaceId>,
    Query(part): Query<Part>,
) -> Answer {
    let (after, limit): (Option<String>, _) = (part.after(&ctx)?, part.limit(&ctx)?);
    let after = after.unwrap_or_default();
    let page = agents::sweeps_page(&deps, &actor, &id, &after, limit).await.map_err(of(&ctx))?;
    known_space(&deps, &ctx, &id).await?;
    let shape = |s: agents::Sweep| Sweep {
        team: s.candidate.team,
        team_name: s.candidate.team_name,
        people: s.candidate.people,
        confirmed_by: s.confirmed_by,
    };
    ok(List::page(page, |s| s.candidate.team.clone(), shape))
}

/// The people that you saw in the list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SweepConfirmation)]
struct Seen {
    /// Person ids.
    #[schema(max_items = 5000)]
    people: BTreeSet<ObjectId>,
}

/// Confirm that these accounts leave the team.
#[utoipa::path(post, operation_id = "confirm_sweep", path = "/spaces/{id}/sweeps/{team}", tag = "agents", params(("id" = String, Path, format = "uuid"), ("team" = inline(SpaceKey), Path)), request_body = Seen, responses((status = 204), Problems))]
async fn confirm(
    State(deps): State<Deps>,
    ctx: Ctx,
    Token(actor): Token,
    Path((id, team)): Path<(SpaceId, String)>,
    Json(body): Json<Seen>,
) -> Answer {
    let people = body.people.into_iter().map(String::from).collect();
    agents::confirm_sweep(&deps, &actor, &id, &team, &people).await.map_err(of(&ctx))?;
    done()
}
