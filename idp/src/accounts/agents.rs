//! Agents: one-time enrolment codes, enrolment, revocation; and what administrators decide for them: adoption of existing
//! accounts (rules A6) and confirmed sweeps (rules A3).

use super::desk::record;
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::{AgentId, PersonId, SpaceId};
use crate::core::policy::{Act, Actor, Via};
use crate::core::time::Timestamp;
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::page::Page;
use crate::storage::{self, adoption, agents, bindings, documents, links, marks, reports, sections};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{AdoptionCandidate, AdoptionDecision, EnrolmentRequest, SweepCandidate};
use serde_json::json;
use std::collections::BTreeSet;

/// A one-time code, shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// The secret; only its SHA-256 is stored.
    pub code: String,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentCode").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Marks enrolment codes, so that scanners for leaked secrets can find them.
const CODE_PREFIX: &str = "odcm_enrol_";

/// SHA-256 of a code as stored.
#[must_use]
pub fn code_hash(code: &str) -> Vec<u8> {
    sha256(code.as_bytes()).to_vec()
}

async fn space_of(tx: &mut storage::Tx, space: &SpaceId) -> Result<agents::SpaceForPush> {
    Ok(agents::space(tx, space).await?.ok_or_else(|| Refusal::not_found("Space"))?)
}

/// Makes a one-time code that enrols an agent for one Space. Codes that were made before and not used are void.
///
/// # Errors
/// Refusal without [`Act::ManageSpace`]; storage errors.
pub async fn create_enrolment_code(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<EnrolmentCode> {
    actor.may(&Act::ManageSpace(space.clone()))?;
    let now = deps.clock.now();
    let code = format!("{CODE_PREFIX}{}", deps.entropy.secret());
    let hash = code_hash(&code);
    let expires_at = now.plus_secs(deps.settings.push.enrolment_code);
    run_tx!(deps.db, "agent.code", |tx| {
        let row = space_of(tx, space).await?;
        agents::drop_codes(tx, space).await?;
        agents::insert_code(tx, &hash, space, expires_at, now, &actor.name).await?;
        let change = Change::new("agent.code", "space", space.as_str(), row.name)
            .in_space(space)
            .after(json!({ "expires_at": expires_at.rfc3339() }));
        record(tx, deps, actor, now, &change).await?;
        Result::Ok(())
    })?;
    Ok(EnrolmentCode { code, expires_at })
}

/// A new agent.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The agent.
    pub agent: AgentId,
    /// Its Space.
    pub space: SpaceId,
    /// Name of the Space.
    pub space_name: String,
    /// Id of the deployment.
    pub deployment: String,
}

/// Whether an agent means the Space's own address: that of the Space is normalised, the agent's is as somebody typed it.
#[must_use]
pub fn same_address(space: &str, reported: &str) -> bool {
    let normal = |text: &str| url::Url::parse(text).map(|url| url.as_str().trim_end_matches('/').to_owned());
    match (normal(space), normal(reported)) {
        (Ok(space), Ok(reported)) => space == reported,
        _ => space == reported,
    }
}

/// What the alarm says when an agent reports another address than the Space has (rules B8).
#[must_use]
pub fn other_base_url(expected: &str, found: &str) -> serde_json::Value {
    json!({
        "code": "other_base_url",
        "message": "The agent reports another address of the Space than expected. Redirect URIs stay as they are: if people \
                    reach the Octopus server there, edit the Space; if not, see where the agent was enrolled.",
        "expected": expected, "found": found,
    })
}

/// Longest text in an enrolment request, in bytes.
const MAX_TEXT: usize = 512;
/// Most capabilities in an enrolment request.
const MAX_CAPABILITIES: usize = 64;

fn check(request: &EnrolmentRequest) -> Result<Vec<u8>> {
    let text = |field: &'static str, value: &str, min: usize| {
        if (min..=MAX_TEXT).contains(&value.len()) && !value.chars().any(char::is_control) {
            return Ok(());
        }
        let why = format!("`{field}` has {min} to {MAX_TEXT} printable characters.");
        Err(Refusal::invalid(field, "enrolment.invalid", why))
    };
    text("installation_id", &request.installation_id, 1)?;
    text("base_url", &request.base_url, 1)?;
    text("server_version", &request.server_version, 0)?;
    text("agent_version", &request.agent_version, 0)?;
    text("code", &request.code, 1)?;
    if request.capabilities.len() > MAX_CAPABILITIES {
        return Err(Refusal::invalid("capabilities", "enrolment.invalid", "There are at most 64 capabilities.").into());
    }
    request.capabilities.iter().try_for_each(|c| text("capabilities", c, 1))?;
    let key = BASE64.decode(&request.public_key).ok().filter(|key| key.len() == 32);
    Ok(key.ok_or_else(|| Refusal::invalid("public_key", "enrolment.invalid", "`public_key` is Base64 of 32 bytes (Ed25519)."))?)
}

/// Enrols an agent with a one-time code. The Space's former agent is revoked; a Space that turns out to be another
/// installation than before forgets the accounts, teams and documents of the former one.
///
/// # Errors
/// One refusal for a code that is unknown, used or expired; refusals for malformed fields, a key that is known, and an
/// installation that is enrolled as another Space (the code stays usable then); storage errors.
pub async fn enrol(deps: &Deps, request: &EnrolmentRequest, address: &str, request_id: Option<&str>) -> Result<Enrolled> {
    let public_key = check(request)?;
    let now = deps.clock.now();
    let hash = code_hash(&request.code);
    let id = AgentId::from_uuid(deps.entropy.id(now));
    let capabilities = serde_json::to_string(&request.capabilities).map_err(|e| Error::Internal(e.to_string()))?;
    let actor = Actor {
        person: None,
        name: "enrolment code".into(),
        via: Via::Agent,
        credential: None,
        rights: Vec::new(),
        address: Some(address.into()),
        request_id: request_id.map(str::to_owned),
    };
    let enrolled = run_tx!(deps.db, "agent.enrol", |tx| {
        let space = agents::take_code(tx, &hash, now).await?;
        let space = space.ok_or_else(|| {
            Refusal::forbidden("enrolment.code", "This code is unknown, was used before or has expired. Ask for a new one.")
        })?;
        let row = space_of(tx, &space).await?;
        if agents::space_of_installation(tx, &request.installation_id, &space).await?.is_some() {
            let why = "This Octopus server is enrolled as another Space already.";
            return Err(Refusal::conflict("enrolment.installation", why).into());
        }
        if !same_address(&row.base_url, &request.base_url) {
            let detail = other_base_url(&row.base_url, &request.base_url);
            reports::add_event(tx, &deps.entropy, &space, now, now, "alarm", &detail).await?;
        }
        let former = agents::revoke(tx, &space, now).await?;
        if row.installation_id.as_ref().is_some_and(|known| *known != request.installation_id) {
            links::forget_space(tx, &space).await?;
            adoption::forget_space(tx, &space).await?;
            bindings::replace(tx, &space, &[]).await?;
        }
        // Documents name the installation, and the new agent has none of them.
        documents::forget_space(tx, &space).await?;
        sections::forget_acks(tx, &space).await?;
        reports::forget_items(tx, &space).await?;
        agents::set_installation(tx, &space, &request.installation_id).await?;
        let agent = agents::AgentRow {
            id: id.clone(),
            space_id: space.clone(),
            public_key: public_key.clone(),
            installation_id: request.installation_id.clone(),
            base_url: request.base_url.clone(),
            connection_epoch: 0,
            wire_floor: 0,
            server_version: request.server_version.clone(),
            agent_version: request.agent_version.clone(),
            capabilities: capabilities.clone(),
            created_at: now,
            node: None,
            connected_at: None,
            last_seen_at: None,
            revoked_at: None,
        };
        match agents::insert(tx, &agent).await {
            Err(storage::Error::Unique(_)) => {
                return Err(Refusal::conflict("enrolment.key", "This key belongs to an agent already. Make a new one.").into());
            }
            other => other?,
        }
        let mut change = Change::new("agent.enrol", "agent", id.as_str(), row.name.clone()).in_space(&space);
        change.before = former.map(|former| json!({ "agent": former.as_str() }));
        change.after = Some(json!({
            "installation_id": request.installation_id, "base_url": request.base_url, "server_version": request.server_version,
        }));
        record(tx, deps, &actor, now, &change).await?;
        marks::mark(tx, &BTreeSet::from([space.clone()]), now).await?;
        let (deployment, _) = agents::deployment(tx).await?;
        Ok::<_, Error>(Enrolled { agent: id.clone(), space, space_name: row.name, deployment })
    })?;
    deps.wake.ring();
    deps.agents.ring();
    deps.live.ring(&enrolled.space);
    Ok(enrolled)
}

/// Revokes the active agent of a Space at once: its connection ends and its key is refused from now on. Unused enrolment
/// codes are void as well. What stands in the Space stays.
///
/// # Errors
/// Refusal without [`Act::ManageSpace`], or when there is no agent; storage errors.
pub async fn revoke(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<AgentId> {
    actor.may(&Act::ManageSpace(space.clone()))?;
    let now = deps.clock.now();
    let id = run_tx!(deps.db, "agent.revoke", |tx| {
        let row = space_of(tx, space).await?;
        agents::drop_codes(tx, space).await?;
        let id = agents::revoke(tx, space, now)
            .await?
            .ok_or_else(|| Refusal::conflict("agent.none", "No agent is enrolled for this Space."))?;
        let change = Change::new("agent.revoke", "agent", id.as_str(), row.name).in_space(space);
        record(tx, deps, actor, now, &change).await?;
        Result::Ok(id)
    })?;
    deps.agents.ring();
    deps.live.ring(space);
    Ok(id)
}

/// The accounts that may be one person's, and what was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The person.
    pub person: PersonId,
    /// Name of the person, as the Space is told.
    pub person_name: String,
    /// Candidates, as the agent reported them.
    pub candidates: Vec<AdoptionCandidate>,
    /// The decision, once there is one.
    pub decision: Option<AdoptionDecision>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// When the agent last reported a candidate.
    pub reported_at: Timestamp,
    /// The Space has acknowledged an account for the person: nothing is left to do.
    pub done: bool,
}

/// The list of adoptions of a Space: undecided first.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn adoptions(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<Vec<Adoption>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let mut list = by_person(adoption::of_space_named(&mut &deps.db, space).await?)?;
    list.sort_by_key(|a| (a.decision.is_some(), a.done));
    Ok(list)
}

/// A page of the people of whom a Space may have accounts, in order of id after `after`; with `open` only those about whom
/// something is undecided.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn adoptions_page(
    deps: &Deps,
    actor: &Actor,
    space: &SpaceId,
    open: bool,
    after: Option<&PersonId>,
    limit: i64,
) -> Result<Page<Adoption>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let after = after.map(ToString::to_string).unwrap_or_default();
    Ok(Page::cut(by_person(adoption::page_named(&mut &deps.db, space, open, &after, limit + 1).await?)?, limit))
}

/// Puts the candidates of each person together; the rows are in order of person.
fn by_person(rows: Vec<(adoption::CandidateRow, String, bool)>) -> Result<Vec<Adoption>> {
    let mut list: Vec<Adoption> = Vec::new();
    for (row, person_name, linked) in rows {
        let candidate = parse::<AdoptionCandidate>("candidate", &row.candidate)?;
        if let Some(last) = list.last_mut().filter(|last| last.person == row.person_id) {
            last.candidates.push(candidate);
            last.reported_at = last.reported_at.max(row.reported_at);
            continue;
        }
        let decision = row.decision.as_deref().map(|text| parse::<AdoptionDecision>("decision", text)).transpose()?;
        list.push(Adoption {
            person: row.person_id,
            person_name,
            candidates: vec![candidate],
            decision,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            reported_at: row.reported_at,
            done: linked,
        });
    }
    Ok(list)
}

/// Decides whose account it is (rules A6). A decision may be changed until the Space has acknowledged an account.
///
/// # Errors
/// Refusal without [`Act::ManageSpace`], for an account that is not among the person's candidates or belongs to somebody
/// else, or when an account is linked already; storage errors.
pub async fn decide_adoption(
    deps: &Deps,
    actor: &Actor,
    space: &SpaceId,
    person: &PersonId,
    decision: &AdoptionDecision,
) -> Result<()> {
    actor.may(&Act::ManageSpace(space.clone()))?;
    let now = deps.clock.now();
    let text = serde_json::to_string(decision).map_err(|e| Error::Internal(e.to_string()))?;
    run_tx!(deps.db, "adoption.decide", |tx| {
        let row = space_of(tx, space).await?;
        let candidates = adoption::of_person(tx, space, person).await?;
        let Some(first) = candidates.first() else { return Err(Refusal::not_found("adoption").into()) };
        if let Some(link) = links::find(tx, space, person).await? {
            let why = format!("The Space has already linked this person to {}.", link.account_id);
            return Err(Refusal::conflict("adoption.done", why).into());
        }
        if let AdoptionDecision::Adopt { account, .. } = decision {
            let unknown =
                || Refusal::invalid("account", "adoption.unknown_account", "This account is not among the person's candidates.");
            candidates.iter().find(|c| c.account_id == *account).ok_or_else(unknown)?;
            let mut taken = links::holder(tx, space, account).await?.is_some_and(|other| other != *person);
            for (other, text) in adoption::decisions(tx, space).await? {
                let theirs = parse::<AdoptionDecision>("decision", &text)?;
                taken |= other != *person && matches!(theirs, AdoptionDecision::Adopt { account: a, .. } if a == *account);
            }
            if taken {
                return Err(Refusal::conflict("adoption.taken", "This account was given to somebody else.").into());
            }
        }
        let before = first.decision.as_deref().map(|d| parse::<serde_json::Value>("decision", d)).transpose()?;
        adoption::decide(tx, space, person, &text, &actor.name, now).await?;
        let mut change = Change::new("adoption.decide", "person", person.as_str(), row.name).in_space(space);
        change.before = before;
        change.after = Some(parse::<serde_json::Value>("decision", &text)?);
        record(tx, deps, actor, now, &change).await?;
        marks::mark(tx, &BTreeSet::from([space.clone()]), now).await?;
        Ok::<_, Error>(())
    })?;
    deps.wake.ring();
    deps.live.ring(space);
    Ok(())
}

/// Managed accounts in a newly bound team that no bound group names (rules A3).
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Team and people.
    pub candidate: SweepCandidate,
    /// Who confirmed the removal.
    pub confirmed_by: Option<String>,
    /// When.
    pub confirmed_at: Option<Timestamp>,
    /// When the agent last reported it.
    pub reported_at: Timestamp,
}

/// The sweeps of a Space.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn sweeps(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<Vec<Sweep>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    adoption::sweeps(&mut &deps.db, space).await?.into_iter().map(sweep).collect()
}

fn sweep(row: adoption::SweepRow) -> Result<Sweep> {
    let candidate = parse::<SweepCandidate>("sweep", &row.sweep)?;
    let (confirmed_by, confirmed_at, reported_at) = (row.confirmed_by, row.confirmed_at, row.reported_at);
    Ok(Sweep { candidate, confirmed_by, confirmed_at, reported_at })
}

/// A page of the sweeps of a Space, in order of team; `after` is the team of the last one seen, empty for the first page.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn sweeps_page(deps: &Deps, actor: &Actor, space: &SpaceId, after: &str, limit: i64) -> Result<Page<Sweep>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let page = adoption::sweeps_page(&mut &deps.db, space, after, limit).await?;
    Ok(Page { more: page.more, items: page.items.into_iter().map(sweep).collect::<Result<_>>()? })
}

/// Confirms, once, that accounts which no bound group names are removed from a team. `people` is the list that the
/// administrator saw: another list in the meantime is refused as stale.
///
/// # Errors
/// Refusal without [`Act::ManageSpace`], for an unknown team, a changed list or a repeated confirmation; storage errors.
pub async fn confirm_sweep(deps: &Deps, actor: &Actor, space: &SpaceId, team: &str, people: &BTreeSet<String>) -> Result<()> {
    actor.may(&Act::ManageSpace(space.clone()))?;
    let now = deps.clock.now();
    run_tx!(deps.db, "sweep.confirm", |tx| {
        let row = space_of(tx, space).await?;
        let known = adoption::sweeps(tx, space).await?.into_iter().find(|s| s.team_id == team);
        let Some(known) = known else { return Err(Refusal::not_found("sweep").into()) };
        let candidate = parse::<SweepCandidate>("sweep", &known.sweep)?;
        if candidate.people.iter().cloned().collect::<BTreeSet<_>>() != *people {
            return Err(Refusal::stale().into());
        }
        if !adoption::confirm_sweep(tx, space, team, &actor.name, now).await? {
            return Err(Refusal::conflict("sweep.confirmed", "This was confirmed before.").into());
        }
        let change = Change::new("sweep.confirm", "team", team, format!("{}: {}", row.name, candidate.team_name))
            .in_space(space)
            .after(json!({ "people": candidate.people }));
        record(tx, deps, actor, now, &change).await?;
        marks::mark_removals(tx, &BTreeSet::from([space.clone()]), now).await?;
        Ok::<_, Error>(())
    })?;
    deps.wake.ring();
    deps.live.ring(space);
    Ok(())
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Internal(format!("stored {what} cannot be read: {e}")))
}
