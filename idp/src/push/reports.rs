//! Reports: bindings, candidates, sweeps, drift, links, items, looks and alarms of a Space. A person or account that has
//! nothing to do with the Space is not taken from its agent (rules A10).

use super::connection::{Connection, End, Peer};
use super::{Result, closed, events, receive, sweeps};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::core::text::fold;
use crate::run_tx;
use crate::storage::bindings::{self, BindingRow};
use crate::storage::links::{self, LinkRow};
use crate::storage::reports::{self as table, ItemRow};
use crate::storage::sections::{self, SectionRow};
use crate::storage::{Tx, adoption, agents, documents};
use odcm_wire::latest::{
    AccessState, AccountLink, AdoptionCandidate, Body, Document, Drift, ItemResult, ItemState, Report, ReportKind, Section, Seen,
    TeamBinding,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Longest name of a thing in a Space.
pub(super) const MAX_NAME: usize = 300;
/// Items of a Space and section that are stored; the rest is logged.
const MAX_ITEMS: usize = 20_000;
/// Longest sentence.
const MAX_SENTENCE: usize = 1000;
/// Differences stored of one report; the rest is counted.
const MAX_DRIFT: usize = 100;
/// A spooled report is dated back at most this many milliseconds.
const MAX_AGE_MS: i64 = 30 * 86_400_000;

/// Whether the report was stored, and what it changed.
enum Done {
    Stored { marked: bool },
    NotCurrent,
}

pub(super) async fn receive(c: &mut Connection, report: Report) -> Result<ControlFlow<Option<End>>> {
    if report.what == ReportKind::Unknown {
        if !std::mem::replace(&mut c.unknown_logged, true) {
            tracing::warn!(space = %c.space, "the agent reports things that this version does not know; they are ignored");
        }
        return Ok(ControlFlow::Continue(()));
    }
    let done = store(&c.peer, &report).await?;
    match done {
        Done::NotCurrent => return receive::not_current(&c.peer),
        Done::Stored { marked } => {
            if marked {
                c.deps.wake.ring();
            }
            c.deps.live.ring(&c.space);
            c.watch.explain(&report.what);
            if let ReportKind::Seen { section: Section::Access, seen } = &report.what {
                c.saw(seen.digest).await?;
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

async fn store(c: &Peer, report: &Report) -> Result<Done> {
    let now = c.deps.clock.now();
    let at = Timestamp(report.at.clamp(now.plus_ms(-MAX_AGE_MS).0, now.0));
    run_tx!(c.deps.db, "push.report", |tx| {
        if !agents::is_current(tx, &c.agent, &c.space, c.epoch).await? {
            return Ok(Done::NotCurrent);
        }
        let mut marked = false;
        match &report.what {
            ReportKind::Bindings { bindings } => put_bindings(tx, c, bindings, now).await?,
            ReportKind::Candidates { candidates } => put_candidates(tx, c, candidates, now).await?,
            ReportKind::Sweeps { sweeps: list } => marked = sweeps::put(tx, c, list, now).await?,
            ReportKind::Links { links } => put_links(tx, c, links).await?,
            ReportKind::Items { items } => put_items(tx, c, items).await?,
            ReportKind::ClosedSpaces { spaces } => closed::put(tx, c, spaces).await?,
            ReportKind::Seen { section, seen } => put_seen(tx, c, *section, *seen).await?,
            ReportKind::Drift { items } => put_drift(tx, c, items, at).await?,
            ReportKind::Alarm(alarm) => {
                let detail = json!({ "code": cut(&alarm.code, 64), "message": cut(&alarm.message, MAX_SENTENCE) });
                tracing::warn!(space = %c.space, detail = %detail, "the agent raises an alarm");
                events::add(tx, &c.deps, &c.space, at, "alarm", &detail).await?;
                events::trim(tx, &c.space).await?;
            }
            ReportKind::Unknown => {}
        }
        Ok(Done::Stored { marked })
    })
}

/// The people whom this Space may talk about: those it was told of, those it is linked to.
pub(super) struct Known {
    links: BTreeMap<PersonId, LinkRow>,
    people: BTreeSet<PersonId>,
    /// People of whom the Space was told and who are not wanted there any more: an account may have been made before the
    /// revocation came. Read when somebody is named who is not among the others.
    gone: Option<BTreeSet<PersonId>>,
}

impl Known {
    pub(super) async fn load(tx: &mut Tx, c: &Peer) -> Result<Self> {
        let links = links::of_space(tx, &c.space, "", i64::MAX).await?;
        let links = links.into_iter().map(|l| (l.person_id.clone(), l)).collect();
        let state = sections::find(tx, &c.space, Section::Access.as_str()).await?.map(|row| row.state);
        Ok(Self { links, people: state.as_deref().map(people_of).unwrap_or_default(), gone: None })
    }

    /// The person, if this Space may talk about them.
    pub(super) async fn person(&mut self, tx: &mut Tx, c: &Peer, text: &str) -> Result<Option<PersonId>> {
        let Ok(id) = PersonId::parse(text) else { return Ok(Self::stranger(c)) };
        if self.people.contains(&id) || self.links.contains_key(&id) {
            return Ok(Some(id));
        }
        let gone = match &self.gone {
            Some(gone) => gone,
            None => self.gone.insert(gone_from(tx, c).await?),
        };
        Ok(if gone.contains(&id) { Some(id) } else { Self::stranger(c) })
    }

    fn stranger(c: &Peer) -> Option<PersonId> {
        tracing::warn!(space = %c.space, "the agent speaks of a person of another Space or of nobody; ignored");
        c.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "person")]);
        None
    }
}

/// Whom the stored deltas of the Space take away.
async fn gone_from(tx: &mut Tx, c: &Peer) -> Result<BTreeSet<PersonId>> {
    let name = Section::Access.as_str();
    let Some(head) = sections::find(tx, &c.space, name).await? else { return Ok(BTreeSet::new()) };
    let from = head.revision.saturating_sub(c.deps.settings.push.keep_documents);
    let rows = documents::deltas_after(tx, &c.space, name, head.epoch, from, c.deps.settings.push.keep_documents).await?;
    let gone = rows.iter().filter_map(|row| match serde_json::from_str::<Document>(&row.payload).ok()?.body {
        Body::AccessDelta { delta } => Some(delta.people_gone),
        _ => None,
    });
    Ok(gone.flatten().filter_map(|id| PersonId::parse(&id).ok()).collect())
}

fn people_of(state: &str) -> BTreeSet<PersonId> {
    let state: AccessState = serde_json::from_str(state).unwrap_or_default();
    state.people.keys().filter_map(|id| PersonId::parse(id).ok()).collect()
}

/// Stores links that are new or changed; the others cost nothing.
pub(super) async fn put_links(tx: &mut Tx, c: &Peer, list: &[AccountLink]) -> Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    let mut known = Known::load(tx, c).await?;
    let mut accounts = BTreeSet::new();
    for link in list {
        let Some(person) = known.person(tx, c, &link.person).await? else { continue };
        let texts = [&link.account, &link.username, &link.email, &link.display_name];
        if link.account.is_empty() || texts.into_iter().any(|t| t.len() > MAX_NAME || t.chars().any(char::is_control)) {
            tracing::warn!(space = %c.space, %person, "a link with an impossible name is ignored");
            continue;
        }
        if !accounts.insert(&link.account) {
            tracing::warn!(space = %c.space, account = %link.account, "two people share an account in one message; the second is ignored");
            continue;
        }
        let row = LinkRow {
            space_id: c.space.clone(),
            person_id: person.clone(),
            account_id: link.account.clone(),
            username: link.username.clone(),
            email: link.email.clone(),
            display_name: link.display_name.clone(),
            active: link.active,
            locally_disabled: link.locally_disabled,
            updated_at: c.deps.clock.now(),
        };
        let same = known.links.get(&person).is_some_and(|old| LinkRow { updated_at: row.updated_at, ..old.clone() } == row);
        if !same {
            links::put(tx, &row).await?;
        }
    }
    Ok(())
}

/// The items of an acknowledgement: the whole truth about the section, except for what earlier revocations left over.
pub(super) async fn replace_items(tx: &mut Tx, c: &Peer, head: &SectionRow, list: &[ItemResult]) -> Result<()> {
    let left_over = table::with_residual(tx, &c.space, &head.section).await?;
    if !left_over.is_empty() {
        // Whoever may enter again has nothing left over.
        let people = people_of(&head.state);
        for item in left_over {
            let person = item.strip_prefix("person/").and_then(|id| PersonId::parse(id).ok());
            if person.is_some_and(|id| people.contains(&id)) {
                table::remove_item(tx, &c.space, &head.section, &item).await?;
            }
        }
    }
    table::clear_items(tx, &c.space, &head.section).await?;
    put_bounded(tx, c, &head.section, list.iter()).await?;
    sections::count_failed(tx, &c.space, &head.section).await?;
    Ok(())
}

async fn put_items(tx: &mut Tx, c: &Peer, list: &[ItemResult]) -> Result<()> {
    let (settings, access): (Vec<_>, Vec<_>) = list.iter().partition(|item| item.item.starts_with("setting/"));
    for (section, items) in [(Section::Access, access), (Section::Authentication, settings)] {
        put_bounded(tx, c, section.as_str(), items.into_iter()).await?;
        sections::count_failed(tx, &c.space, section.as_str()).await?;
    }
    Ok(())
}

/// Stores items while there is room; those that are known already are always brought up to date.
async fn put_bounded(tx: &mut Tx, c: &Peer, section: &str, list: impl Iterator<Item = &ItemResult>) -> Result<()> {
    let mut known = table::item_names(tx, &c.space, section).await?;
    let mut refused = 0usize;
    for item in list {
        if !is_item_name(&item.item) {
            tracing::warn!(space = %c.space, "an item with an impossible name is ignored");
        } else if item.state == ItemState::Applied && item.residual.is_empty() {
            if known.remove(&item.item) {
                table::remove_item(tx, &c.space, section, &item.item).await?;
            }
        } else if known.len() >= MAX_ITEMS && !known.contains(&item.item) {
            refused += 1;
        } else {
            put_item(tx, c, section, item).await?;
            known.insert(item.item.clone());
        }
    }
    if refused > 0 {
        tracing::warn!(space = %c.space, section, refused, "the agent reports too many items; the rest is not stored");
        c.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "items")]);
    }
    Ok(())
}

/// Whether an item has one of the documented names: `person/ID`, `member/GROUP/PERSON`, `team/TEAM`, `setting/NAME`. Only
/// the name of a group may hold a slash.
fn is_item_name(item: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.contains('/');
    let known = match item.split_once('/') {
        Some(("person" | "team" | "setting", name)) => plain(name),
        Some(("member", name)) => name.rsplit_once('/').is_some_and(|(group, person)| !group.is_empty() && plain(person)),
        _ => false,
    };
    known && item.chars().count() <= MAX_NAME && !item.chars().any(char::is_control)
}

async fn put_item(tx: &mut Tx, c: &Peer, section: &str, item: &ItemResult) -> Result<()> {
    let residual: Vec<_> = item.residual.iter().take(50).map(|r| cut(r, MAX_NAME)).collect();
    let row = ItemRow {
        section: section.into(),
        item: item.item.clone(),
        state: state_name(item.state).into(),
        message: item.message.as_deref().map(|m| cut(m, MAX_SENTENCE)),
        residual: json!(residual).to_string(),
        updated_at: c.deps.clock.now(),
    };
    table::put_item(tx, &c.space, &row).await?;
    Ok(())
}

/// The name of an item's state in the database.
fn state_name(state: ItemState) -> &'static str {
    match state {
        ItemState::Applied => "applied",
        ItemState::Failed => "failed",
        ItemState::NeedsDecision => "needs_decision",
        ItemState::LocallyDisabled => "locally_disabled",
        ItemState::RefusedByPolicy => "refused_by_policy",
        ItemState::Other => "other",
    }
}

pub(super) async fn put_seen(tx: &mut Tx, c: &Peer, section: Section, seen: Seen) -> Result<()> {
    // A look of the future would hide all later ones.
    let at = Timestamp(seen.at.min(c.deps.clock.now().0));
    sections::seen(tx, &c.space, section.as_str(), &seen.digest.to_string(), at).await?;
    Ok(())
}

async fn put_bindings(tx: &mut Tx, c: &Peer, list: &[TeamBinding], now: Timestamp) -> Result<()> {
    let mut rows = Vec::with_capacity(list.len());
    for binding in list {
        if [&binding.team, &binding.team_name, &binding.group].into_iter().any(|t| t.is_empty() || t.len() > MAX_NAME) {
            tracing::warn!(space = %c.space, "a binding with an impossible name is ignored");
            continue;
        }
        let binding = TeamBinding { message: binding.message.as_deref().map(|m| cut(m, MAX_SENTENCE)), ..binding.clone() };
        rows.push(BindingRow {
            team_id: binding.team.clone(),
            group_key: fold(&binding.group),
            binding: json!(binding).to_string(),
            reported_at: now,
        });
    }
    closed::keep_hidden(tx, c, &mut rows).await?;
    bindings::replace(tx, &c.space, &rows).await?;
    Ok(())
}

async fn put_candidates(tx: &mut Tx, c: &Peer, list: &[AdoptionCandidate], now: Timestamp) -> Result<()> {
    let mut known = Known::load(tx, c).await?;
    let mut named = BTreeSet::new();
    for candidate in list {
        let Some(person) = known.person(tx, c, &candidate.person).await? else { continue };
        let text = json!(candidate).to_string();
        if candidate.account.is_empty() || candidate.account.len() > MAX_NAME || text.len() > 16 * 1024 {
            tracing::warn!(space = %c.space, %person, "an adoption candidate of impossible size is ignored");
            continue;
        }
        adoption::put(tx, &c.space, &person, &candidate.account, &text, now).await?;
        // Whoever waits for a decision has no account: a link of an earlier agent would forbid the decision.
        if known.links.contains_key(&person) {
            links::remove(tx, &c.space, &person).await?;
        }
        named.insert((person, candidate.account.clone()));
    }
    for old in adoption::of_space(tx, &c.space).await? {
        if !named.contains(&(old.person_id.clone(), old.account_id.clone())) {
            adoption::remove(tx, &c.space, &old.person_id, &old.account_id).await?;
        }
    }
    Ok(())
}

async fn put_drift(tx: &mut Tx, c: &Peer, list: &[Drift], at: Timestamp) -> Result<()> {
    for drift in list.iter().take(MAX_DRIFT) {
        let detail = json!({
            "item": cut(&drift.item, MAX_NAME),
            "found": cut(&drift.found, MAX_SENTENCE),
            "by": drift.by.as_deref().map(|by| cut(by, MAX_NAME)),
            "action": drift.action,
        });
        events::add(tx, &c.deps, &c.space, at, "drift", &detail).await?;
    }
    if list.len() > MAX_DRIFT {
        let detail =
            json!({ "item": "", "found": format!("and {} more differences", list.len() - MAX_DRIFT), "action": "other" });
        events::add(tx, &c.deps, &c.space, at, "drift", &detail).await?;
    }
    events::trim(tx, &c.space).await
}

/// A stranger's text, bounded and without control characters.
fn cut(text: &str, max: usize) -> String {
    text.chars().filter(|ch| !ch.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_names_are_items() {
        for good in ["person/p1", "member/g1/p1", "member/cn=a/b/p1", "team/Teams-1", "setting/authentication"] {
            assert!(is_item_name(good), "{good}");
        }
        let long = format!("person/{}", "x".repeat(300));
        for bad in
            ["", "person", "person/", "person/a/b", "member/p1", "member//p1", "member/g1/", "shares/x", "team/a\nb", "x", &long]
        {
            assert!(!is_item_name(bad), "{bad}");
        }
    }
}
