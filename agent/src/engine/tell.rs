//! What ODCM is told. Statements about the present (bindings, candidates, links, …) are told when they change and once on
//! each connection; what happened goes through the spool.

use super::Engine;
use crate::plan::Plan;
use crate::state::{Link, Off};
use odcm_wire::Digest;
use odcm_wire::latest::{
    AccountLink, AdoptionCandidate, FromAgent, ItemResult, ItemState, Projection, Report, ReportKind, Section, Seen, SeenPerson,
    SweepCandidate, TeamBinding,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of a list in one report: the server reads messages of a few megabytes.
const CHUNK: usize = 500;
/// Links in one acknowledgement; more go ahead of it in reports.
const LINKS: usize = 1000;
/// Candidates told at once; the others follow when these are decided.
const CANDIDATES: usize = 5000;
/// Longest sentence of an item.
const SENTENCE: usize = 500;

/// The present, and what ODCM was told of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// A round was concluded, so there is something to tell.
    pub known: bool,
    bindings: Vec<TeamBinding>,
    candidates: Vec<AdoptionCandidate>,
    sweeps: Vec<SweepCandidate>,
    pub items: BTreeMap<String, ItemResult>,
    pub seen: Option<Seen>,
    sent: Sent,
}

#[derive(Debug, Default)]
struct Sent {
    bindings: Option<Digest>,
    candidates: Option<Digest>,
    sweeps: Option<Digest>,
    items: BTreeMap<String, ItemResult>,
    links: BTreeMap<String, Digest>,
    seen: Option<Digest>,
}

impl Engine {
    /// Sends, if there is a connection.
    pub(super) fn send(&self, message: FromAgent) {
        if let Some(c) = &self.connection {
            // The link is gone: `Disconnected` follows.
            let _ = c.out.send(message);
        }
    }

    fn report(&self, what: ReportKind) {
        if let Some(c) = &self.connection {
            self.send(FromAgent::Report(Report { connection_epoch: c.epoch, at: self.now(), what }));
        }
    }

    /// A new connection: ODCM hears the whole present, and what happened meanwhile.
    pub(super) fn tell_everything(&mut self) {
        self.told.sent = Sent::default();
        self.spool_sent.clear();
        self.flush_spool();
        // Before the first look nothing is known of the items: the round that follows acknowledges then.
        if self.told.known && self.state.access.applied().is_some() && !self.state.access.pending() {
            self.acknowledge_access_again();
        }
        if self.state.authentication.applied().is_some() && !self.state.authentication.pending() {
            self.acknowledge_authentication(0);
        }
        self.publish();
    }

    /// Takes a finished plan as the present.
    pub(super) fn present(&mut self, plan: Plan, items: BTreeMap<String, ItemResult>) {
        self.told.known = true;
        self.told.bindings = plan.bindings;
        self.told.candidates = plan.candidates;
        self.told.candidates.truncate(CANDIDATES);
        for candidate in &mut self.told.candidates {
            candidate.api_keys = self.key_counts.get(&candidate.account).copied().flatten();
            let theirs = self.teams_of.get(&candidate.account).into_iter().flatten();
            let names = theirs.filter_map(|id| Some(self.view.as_ref()?.teams.get(id)?.name.clone()));
            candidate.teams.extend(names);
            candidate.teams.sort();
            candidate.teams.dedup();
        }
        self.told.sweeps = plan.sweeps;
        self.told.items = items;
        for message in self.told.items.values_mut().filter_map(|i| i.message.as_mut()) {
            if let Some((at, _)) = message.char_indices().nth(SENTENCE) {
                message.truncate(at);
            }
        }
        self.told.seen = self.projection().digest().ok().map(|digest| Seen { digest, at: self.seen_at });
    }

    /// Tells what changed.
    pub(super) fn publish(&mut self) {
        if self.connection.is_none() || !self.told.known {
            return;
        }
        let mut reports = Vec::new();
        let told = &mut self.told;
        if changed(&mut told.sent.bindings, &told.bindings) {
            reports.push(ReportKind::Bindings { bindings: told.bindings.clone() });
        }
        if changed(&mut told.sent.candidates, &told.candidates) {
            reports.push(ReportKind::Candidates { candidates: told.candidates.clone() });
        }
        if changed(&mut told.sent.sweeps, &told.sweeps) {
            reports.push(ReportKind::Sweeps { sweeps: told.sweeps.clone() });
        }
        let mut items: Vec<ItemResult> =
            told.items.values().filter(|i| told.sent.items.get(&i.item) != Some(i)).cloned().collect();
        items.extend(told.sent.items.keys().filter(|i| !told.items.contains_key(*i)).map(|i| applied(i.clone())));
        if !items.is_empty() {
            told.sent.items.clone_from(&told.items);
            reports.extend(items.chunks(CHUNK).map(|c| ReportKind::Items { items: c.to_vec() }));
        }
        if let Some(seen) = told.seen.filter(|s| told.sent.seen != Some(s.digest)) {
            told.sent.seen = Some(seen.digest);
            reports.push(ReportKind::Seen { section: Section::Access, seen });
        }
        reports.extend(self.changed_links().chunks(CHUNK).map(|c| ReportKind::Links { links: c.to_vec() }));
        for report in reports {
            self.report(report);
        }
    }

    /// A look at everything is told even when nothing changed: its time counts.
    pub(super) fn look_again(&mut self) {
        self.told.sent.seen = None;
    }

    /// Links that ODCM was not told on this connection; they count as told then.
    pub(super) fn changed_links(&mut self) -> Vec<AccountLink> {
        let mut changed_links = Vec::new();
        self.told.sent.links.retain(|person, _| self.state.records.links.contains_key(person));
        for (person, link) in &self.state.records.links {
            let link = wire_link(person, link);
            let mut before = self.told.sent.links.get(person).copied();
            if changed(&mut before, &link) {
                if let Some(digest) = before {
                    self.told.sent.links.insert(person.clone(), digest);
                }
                changed_links.push(link);
            }
        }
        changed_links
    }

    /// The changed links for an acknowledgement; of very many the first go ahead in reports.
    pub(super) fn links_for_ack(&mut self) -> Vec<AccountLink> {
        let mut links = self.changed_links();
        let ahead: Vec<AccountLink> = links.drain(..links.len().saturating_sub(LINKS)).collect();
        for chunk in ahead.chunks(CHUNK) {
            self.report(ReportKind::Links { links: chunk.to_vec() });
        }
        links
    }

    /// Items count as told: they are in an acknowledgement.
    pub(super) fn items_told(&mut self) {
        self.told.sent.items.clone_from(&self.told.items);
        self.told.sent.seen = self.told.seen.map(|s| s.digest);
    }

    /// What can be read in the Space of what ODCM governs there.
    fn projection(&self) -> Projection {
        let Some(view) = &self.view else { return Projection::default() };
        let mut projection = Projection::default();
        for (person, link) in &self.state.records.links {
            if let Some(a) = view.accounts.get(&link.account) {
                projection.people.insert(
                    person.clone(),
                    SeenPerson {
                        username: a.username.clone(),
                        email: a.email.clone(),
                        display_name: a.display_name.clone(),
                        active: a.active,
                    },
                );
            }
        }
        let managed = self.state.records.managed();
        for id in self.state.records.teams.keys() {
            if let Some(team) = view.teams.get(id) {
                let members: BTreeSet<String> =
                    team.members.iter().filter_map(|a| managed.get(a.as_str()).map(|p| (*p).to_owned())).collect();
                projection.teams.insert(id.clone(), members);
            }
        }
        projection
    }
}

/// An item that is as it should be.
pub(super) fn applied(item: String) -> ItemResult {
    ItemResult { item, state: ItemState::Applied, message: None, residual: Vec::new() }
}

fn wire_link(person: &str, link: &Link) -> AccountLink {
    AccountLink {
        person: person.to_owned(),
        account: link.account.clone(),
        username: link.username.clone(),
        email: link.email.clone(),
        display_name: link.display_name.clone(),
        active: link.active,
        locally_disabled: link.off == Off::Local || link.missing,
    }
}

/// Whether `value` is another than the one whose digest is in `sent`, which then becomes its.
fn changed<T: Serialize>(sent: &mut Option<Digest>, value: &T) -> bool {
    let digest = serde_json::to_vec(value).ok().map(|bytes| Digest::of(&bytes));
    let other = *sent != digest;
    *sent = digest;
    other
}
