//! What pages show of the push channel: who is connected, what is applied, what is left to decide, what went wrong.

use super::Result;
use super::agents::parse;
use crate::core::ids::{AgentId, GroupId, PersonId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::core::time::Timestamp;
use crate::deps::Deps;
use crate::storage::agents::AgentRow;
use crate::storage::page::Page;
use crate::storage::{agents, channel, groups, people, reports, sections};
use odcm_wire::latest::TeamBinding;
use std::collections::BTreeMap;

/// How a Space is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct SpaceStatus {
    /// The Space.
    pub space: SpaceId,
    /// Its agent; `None`: nobody stands beside it.
    pub agent: Option<AgentStatus>,
    /// Sections, by name: `access`, `authentication`.
    pub sections: BTreeMap<String, SectionStatus>,
    /// A change is marked and not numbered yet.
    pub marked: bool,
    /// Until when an unused enrolment code lives.
    pub open_code: Option<Timestamp>,
    /// Candidates and sweeps that wait for a decision.
    pub undecided: i64,
    /// Items that failed, in all sections.
    pub failed_items: i64,
    /// The client secret.
    pub secret: SecretStatus,
}

impl SpaceStatus {
    /// Whether everything that is wanted is acknowledged.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        !self.marked && self.sections.values().all(|s| !s.pending)
    }
}

/// An agent as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentStatus {
    /// Id.
    pub id: AgentId,
    /// Connected to some node right now.
    pub connected: bool,
    /// Connected since, or offline since; `None`: it has never connected.
    pub since: Option<Timestamp>,
    /// Version of the Space's server.
    pub server_version: String,
    /// Version of the agent.
    pub agent_version: String,
    /// What the server can do.
    pub capabilities: Vec<String>,
    /// InstallationId.
    pub installation_id: String,
    /// Address of the Space as the agent reported it at enrolment.
    pub base_url: String,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
}

/// A section as people see it: "applied, revision `applied`, in `applied_ms` ms".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionStatus {
    /// Newest revision.
    pub revision: i64,
    /// Newest acknowledged revision; 0: none.
    pub applied: i64,
    /// `applied` is not `revision` yet.
    pub pending: bool,
    /// Something is taken away and not acknowledged yet.
    pub removals_pending: bool,
    /// When the newest change was committed.
    pub committed_at: Timestamp,
    /// When the newest acknowledgement was stored.
    pub applied_at: Option<Timestamp>,
    /// Milliseconds between those two for the acknowledged revision.
    pub applied_ms: Option<i64>,
    /// Items that failed.
    pub failed_items: i64,
    /// When the agent last looked at the Space.
    pub seen_at: Option<Timestamp>,
}

/// The client secret of a Space (rules B6, B9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretStatus {
    /// Generation that is asked for.
    pub wanted: i64,
    /// Newest generation that the agent made; 0: none.
    pub made: i64,
    /// When the Space last authenticated with it: the proof that it is in place.
    pub proven_at: Option<Timestamp>,
}

/// The status of one Space.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn status(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<SpaceStatus> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let db = &mut &deps.db;
    let now = deps.clock.now();
    // Marks before sections: a change that is numbered in between then shows as pending, never as applied.
    let figures = channel::figures(db, space).await?.unwrap_or_default();
    let rows = sections::of_space(db, space).await?;
    let open_code = agents::open_code(db, space, now).await?;
    let agent = agents::active(db, space).await?.map(|row| agent_status(deps, row)).transpose()?;
    let sections: BTreeMap<_, _> = rows.into_iter().map(|row| (row.section.clone(), section_status(&row))).collect();
    Ok(SpaceStatus {
        space: space.clone(),
        agent,
        marked: figures.marked,
        open_code,
        undecided: figures.undecided,
        failed_items: sections.values().map(|s| s.failed_items).sum(),
        secret: SecretStatus { wanted: figures.secret_wanted, made: figures.secret_made, proven_at: figures.proven_at },
        sections,
    })
}

fn agent_status(deps: &Deps, row: AgentRow) -> Result<AgentStatus> {
    // A node that died cannot say that its agents are gone.
    let beat = i64::try_from(deps.settings.push.heartbeat_ms).unwrap_or(i64::MAX);
    let fresh = row.last_seen_at.is_some_and(|at| deps.clock.now().since(at) <= beat.saturating_mul(3));
    let connected = row.connected_at.is_some() && fresh;
    Ok(AgentStatus {
        id: row.id,
        connected,
        since: if connected { row.connected_at } else { row.last_seen_at },
        server_version: row.server_version,
        agent_version: row.agent_version,
        capabilities: parse("capabilities", &row.capabilities)?,
        installation_id: row.installation_id,
        base_url: row.base_url,
        enrolled_at: row.created_at,
    })
}

fn section_status(row: &sections::SectionRow) -> SectionStatus {
    let pending = (row.acked_epoch, row.acked_revision) != (row.epoch, row.revision);
    SectionStatus {
        revision: row.revision,
        applied: if row.acked_epoch == row.epoch { row.acked_revision } else { 0 },
        pending,
        removals_pending: row.has_removals && pending,
        committed_at: row.committed_at,
        applied_at: row.acked_at,
        applied_ms: row.acked_ms,
        failed_items: row.failed_items,
        seen_at: row.seen_at,
    }
}

/// One line per Space for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// An agent is enrolled.
    pub enrolled: bool,
    /// It is connected.
    pub connected: bool,
    /// Connected or offline since.
    pub since: Option<Timestamp>,
    /// Something is not acknowledged yet.
    pub pending: bool,
    /// Newest acknowledged revision of section access.
    pub applied: i64,
    /// Milliseconds it took.
    pub applied_ms: Option<i64>,
    /// Failed items.
    pub failed_items: i64,
    /// Candidates and sweeps that wait for a decision.
    pub undecided: i64,
}

/// The overview of all Spaces that the actor may read.
///
/// # Errors
/// Storage errors.
pub async fn overview(deps: &Deps, actor: &Actor) -> Result<BTreeMap<SpaceId, Overview>> {
    let stale = stale(deps);
    let rows = channel::overview(&mut &deps.db).await?;
    let visible = rows.into_iter().filter(|row| actor.may(&Act::ReadSpace(row.space_id.clone())).is_ok());
    Ok(visible
        .map(|row| {
            let connected = row.connected_at.is_some() && row.last_seen_at.is_some_and(|at| at >= stale);
            let overview = Overview {
                enrolled: row.enrolled,
                connected,
                since: if connected { row.connected_at } else { row.last_seen_at },
                pending: row.pending,
                applied: row.applied.unwrap_or(0),
                applied_ms: row.applied_ms,
                failed_items: row.failed_items,
                undecided: row.undecided,
            };
            (row.space_id, overview)
        })
        .collect())
}

/// A team that names a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// As the agent reported it.
    pub binding: TeamBinding,
    /// Name of the group in ODCM, if it is one.
    pub group_name: Option<String>,
    /// When it was last reported.
    pub reported_at: Timestamp,
}

/// The team bindings of a Space.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn bindings(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<Vec<Binding>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    channel::bindings_named(&mut &deps.db, space).await?.into_iter().map(binding).collect()
}

/// A page of the team bindings of a Space; `after` is the (team, folded group id) of the last one seen.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn bindings_page(
    deps: &Deps,
    actor: &Actor,
    space: &SpaceId,
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Page<Binding>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let page = channel::bindings_page(&mut &deps.db, space, after, limit).await?;
    Ok(Page { more: page.more, items: page.items.into_iter().map(binding).collect::<Result<_>>()? })
}

fn binding((text, reported_at, group_name): (String, Timestamp, Option<String>)) -> Result<Binding> {
    Ok(Binding { binding: parse("binding", &text)?, group_name, reported_at })
}

/// The fleet at a glance: counts over all Spaces, and id, name and address of at most `most` of them, first those that
/// are offline, have failed items or something to decide.
///
/// # Errors
/// Refusal without [`Act::ReadAll`]; storage errors.
pub async fn fleet(deps: &Deps, actor: &Actor, most: i64) -> Result<(channel::Totals, Vec<(SpaceId, String, String)>)> {
    actor.may(&Act::ReadAll)?;
    let (db, stale) = (&mut &deps.db, stale(deps));
    Ok((channel::totals(db, stale).await?, channel::foremost(db, stale, most).await?))
}

/// An agent that was last seen before this instant is offline: a node that died cannot say that its agents are gone.
fn stale(deps: &Deps) -> Timestamp {
    let beat = i64::try_from(deps.settings.push.heartbeat_ms).unwrap_or(i64::MAX);
    deps.clock.now().plus_ms(beat.saturating_mul(-3))
}

/// An item that is not simply applied, or whose revocation left something over (residual access, rules A9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Section.
    pub section: String,
    /// Name: `person/ID`, `member/GROUP/PERSON`, `team/TEAM`, `setting/NAME`.
    pub item: String,
    /// The person it is about, with their name, if it is about one whom ODCM knows.
    pub person: Option<(PersonId, String)>,
    /// `applied`, `failed`, `needs_decision`, `locally_disabled`, `refused_by_policy`, `closed`, `other`.
    pub state: String,
    /// A sentence for people.
    pub message: Option<String>,
    /// What could not be ended.
    pub residual: Vec<String>,
    /// When it was reported.
    pub at: Timestamp,
}

/// The section under which inner spaces that are closed to the agent's key stand among the items.
pub const CLOSED_SPACES: &str = "inner_spaces";

/// Items of a Space that deserve a look, at most a thousand.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn items(deps: &Deps, actor: &Actor, space: &SpaceId) -> Result<Vec<Item>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let rows = reports::items(&mut &deps.db, space, 1000).await?;
    named(deps, rows).await
}

/// A page of the items of a Space that deserve a look, those after (section, item) of the last one seen.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn items_page(
    deps: &Deps,
    actor: &Actor,
    space: &SpaceId,
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Page<Item>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let page = reports::items_page(&mut &deps.db, space, after, limit).await?;
    Ok(Page { items: named(deps, page.items).await?, more: page.more })
}

async fn named(deps: &Deps, rows: Vec<reports::ItemRow>) -> Result<Vec<Item>> {
    let mut names = Names::default();
    let mut found = Vec::new();
    for row in rows {
        let About { person, .. } = names.about(deps, &row.item).await?;
        let residual = parse("residual", &row.residual)?;
        let (section, item, state, message, at) = (row.section, row.item, row.state, row.message, row.updated_at);
        found.push(Item { section, item, person, state, message, residual, at });
    }
    Ok(found)
}

/// Whom and what an item of a report is about, as far as ODCM knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The person and their name.
    pub person: Option<(PersonId, String)>,
    /// The group and its name.
    pub group: Option<(GroupId, String)>,
}

/// Looks names up, each once.
#[derive(Debug, Default)]
pub struct Names {
    people: BTreeMap<PersonId, Option<String>>,
    groups: BTreeMap<GroupId, Option<String>>,
}

impl Names {
    /// Reads `person/ID` and `member/GROUP/PERSON`; other items are about nobody.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn about(&mut self, deps: &Deps, item: &str) -> Result<About> {
        let (group, person) = match item.split('/').collect::<Vec<_>>().as_slice() {
            ["person", person] => (None, PersonId::parse(person).ok()),
            ["member", group, person] => (GroupId::parse(group).ok(), PersonId::parse(person).ok()),
            _ => (None, None),
        };
        let mut about = About::default();
        if let Some(id) = person {
            if !self.people.contains_key(&id) {
                let found = people::find(&mut &deps.db, &id).await?.map(|p| p.display_name);
                self.people.insert(id.clone(), found);
            }
            about.person = self.people.get(&id).cloned().flatten().map(|name| (id, name));
        }
        if let Some(id) = group {
            if !self.groups.contains_key(&id) {
                let found = groups::find(&mut &deps.db, &id).await?.map(|g| g.name);
                self.groups.insert(id.clone(), found);
            }
            about.group = self.groups.get(&id).cloned().flatten().map(|name| (id, name));
        }
        Ok(about)
    }
}

/// What agents saw, or ODCM saw of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Id, in order of time of storing.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// `drift`, `alarm`, `probe` or `agent`.
    pub kind: String,
    /// `drift`: item, found, by, action; `alarm`: code, message and more.
    pub detail: serde_json::Value,
}

/// The newest events of a Space.
///
/// # Errors
/// Refusal without [`Act::ReadSpace`]; storage errors.
pub async fn events(deps: &Deps, actor: &Actor, space: &SpaceId, limit: i64) -> Result<Vec<Event>> {
    events_before(deps, actor, space, None, limit).await
}

/// The newest events of a Space that were stored before the event `before`.
///
/// # Errors
/// As [`events`].
pub async fn events_before(deps: &Deps, actor: &Actor, space: &SpaceId, before: Option<&str>, limit: i64) -> Result<Vec<Event>> {
    actor.may(&Act::ReadSpace(space.clone()))?;
    let rows = reports::events(&mut &deps.db, space, before, limit.clamp(1, 500)).await?;
    rows.into_iter()
        .map(|row| Ok(Event { id: row.id, at: row.at, kind: row.kind, detail: parse("event", &row.detail)? }))
        .collect()
}
