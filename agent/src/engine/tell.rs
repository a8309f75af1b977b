//! What ODCM is told. Statements about the present (bindings, candidates, links, …) are told when they change and once on
//! each connection; what happened goes through the spool.

use super::Engine;
use crate::plan::Plan;
use crate::state::{Link, Off};
use odcm_wire::Digest;
use odcm_wire::latest::{
    AccountLink, Ack, AdoptionCandidate, FromAgent, InnerSpace, ItemResult, ItemState, Projection, Report, ReportKind, Section,
    Seen, SeenPerson, SweepCandidate, TeamBinding,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of a list in one report: the server reads messages of a few megabytes.
const CHUNK: usize = 500;
/// Bindings or sweeps told at once.
const LISTED: usize = 20_000;
/// Links in one acknowledgement; more go ahead of it in reports.
const LINKS: usize = 1000;
/// Candidates told at once; the others follow when these are decided.
const CANDIDATES: usize = 5000;
/// Items in one acknowledgement; more follow it in reports.
const ITEMS: usize = 2000;
/// Bytes of a list in one message: the server reads messages of four mebibytes.
const BYTES: usize = 1024 * 1024;
/// Names of teams or identities that are told of a candidate.
const NAMES: usize = 50;
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
    closed: Vec<InnerSpace>,
    pub items: BTreeMap<String, ItemResult>,
    pub seen: Option<Seen>,
    sent: Sent,
}

#[derive(Debug, Default)]
struct Sent {
    bindings: Option<Digest>,
    candidates: Option<Digest>,
    sweeps: Option<Digest>,
    closed: Option<Digest>,
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
        for candidate in &mut self.told.candidates {
            candidate.api_keys = self.key_counts.get(&candidate.account).copied().flatten();
            let theirs = self.teams_of.get(&candidate.account).into_iter().flatten();
            let names = theirs.filter_map(|id| Some(self.view.as_ref()?.teams.get(id)?.name.clone()));
            candidate.teams.extend(names);
            candidate.teams.sort();
            candidate.teams.dedup();
            candidate.teams.truncate(NAMES);
            candidate.identities.truncate(NAMES);
        }
        // Complete lists that replace the ones before cannot be parted: the others follow when these are dealt with.
        first_part(&mut self.told.candidates, CANDIDATES);
        first_part(&mut self.told.bindings, LISTED);
        self.told.sweeps = plan.sweeps;
        first_part(&mut self.told.sweeps, LISTED);
        self.told.closed = self.view.as_ref().map(|view| view.closed.clone()).unwrap_or_default();
        first_part(&mut self.told.closed, LISTED);
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
        // Before the bindings: those of a closed inner space still stand, although they are not among them.
        if changed(&mut told.sent.closed, &told.closed) {
            reports.push(ReportKind::ClosedSpaces { spaces: told.closed.clone() });
            // What stood there, and waited for a confirmation, may be gone when it opens again.
            told.sent.bindings = None;
            told.sent.sweeps = None;
        }
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
            reports.extend(parts(items, CHUNK).into_iter().map(|items| ReportKind::Items { items }));
        }
        reports.extend(parts(self.changed_links(), CHUNK).into_iter().map(|links| ReportKind::Links { links }));
        // After everything that may explain another picture.
        let told = &mut self.told;
        if let Some(seen) = told.seen.filter(|s| told.sent.seen != Some(s.digest)) {
            told.sent.seen = Some(seen.digest);
            reports.push(ReportKind::Seen { section: Section::Access, seen });
        }
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
        let ahead = links.drain(..links.len().saturating_sub(LINKS)).collect();
        for links in parts(ahead, CHUNK) {
            self.report(ReportKind::Links { links });
        }
        links
    }

    /// Sends an acknowledgement with as many of the items as a message holds; the others follow it in reports.
    pub(super) fn send_parted(&self, ack: Ack) {
        let mut items = parts(ack.items, ITEMS).into_iter();
        self.send(FromAgent::Ack(Ack { items: items.next().unwrap_or_default(), ..ack }));
        for items in items {
            self.report(ReportKind::Items { items });
        }
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

/// Parts a list into lists of at most `most` entries and about [`BYTES`] bytes; one entry alone may be longer.
fn parts<T: Serialize>(list: Vec<T>, most: usize) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = Vec::new();
    let mut room = 0usize;
    for entry in list {
        let bytes = serde_json::to_vec(&entry).map_or(BYTES, |text| text.len() + 1);
        match all.last_mut() {
            Some(last) if last.len() < most && bytes <= room => {
                room -= bytes;
                last.push(entry);
            }
            _ => {
                room = BYTES.saturating_sub(bytes);
                all.push(vec![entry]);
            }
        }
    }
    all
}

/// Keeps what one message holds.
fn first_part<T: Serialize>(list: &mut Vec<T>, most: usize) {
    let all = parts(std::mem::take(list), most);
    if all.len() > 1 {
        tracing::warn!(messages = all.len(), "a list is too long for one message: its beginning is told");
    }
    *list = all.into_iter().next().unwrap_or_default();
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

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn lists_are_parted_by_number_and_by_bytes_and_nothing_is_lost() {
        let short: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
        let all = parts(short.clone(), 500);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 1]);
        assert_eq!(all.concat(), short);
        let long: Vec<String> = (0..7).map(|n| n.to_string().repeat(300 * 1024)).collect();
        let all = parts(long.clone(), 500);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
        assert_eq!(all.concat(), long);
        assert_eq!(parts(vec!["x".repeat(2 * BYTES), "y".into()], 500).len(), 2, "too long alone");
        assert_eq!(parts(Vec::<String>::new(), 500).len(), 0);
    }
}
