//! The end of a round: what holds now is recorded, told and, for a new revision, acknowledged.

use super::round::{Round, steps};
use super::steps::{member_key, person_key};
use super::tell::applied;
use super::{Engine, Flow};
use crate::plan::{FIXED, Index, Plan, Scene, held_out_of_sight, member_item, person_item};
use odcm_wire::latest::{Ack, ItemResult, ItemState, Section};
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// `left` is the plan after the steps: empty but for what failed.
    pub(super) fn conclude(&mut self, round: Round, left: Plan, planned: &BTreeSet<String>) {
        self.base_line(&round);
        let keys = self.keys(&steps(&left));
        self.retries.retain(|key, _| keys.contains_key(key));
        let unfinished: BTreeSet<String> = keys.into_values().collect();
        self.report_drift(planned, &unfinished, true);

        let mut items = left.items.clone();
        for retry in self.retries.values() {
            let failed = ItemResult {
                item: retry.item.clone(),
                state: ItemState::Failed,
                message: Some(retry.message.clone()),
                residual: Vec::new(),
            };
            items.insert(retry.item.clone(), failed);
        }
        for item in unfinished.iter().filter(|item| self.paused(item)) {
            let message = "put right too often: additions pause".to_owned();
            let paused =
                ItemResult { item: item.clone(), state: ItemState::Failed, message: Some(message), residual: Vec::new() };
            items.entry(item.clone()).or_insert(paused);
        }
        let first = !self.told.known;
        self.present(left, items);

        let result = self.state.save_records();
        let stored = self.stored(result);
        self.boundary = Self::boundary(&round.held.state, self.now());
        self.was_shut = round.shut;
        self.enforced = Some(round.desired.clone());
        let is_new = self.state.access.applied().map(|h| h.digest) != Some(round.held.digest);
        if is_new && stored && self.may_add() {
            self.acknowledge_access(round);
        } else if is_new {
            self.settled(Flow::Broken);
        } else if first {
            self.acknowledge_access_again();
        }
        self.publish();
    }

    /// What the managed members of the filled teams are now: later differences are somebody's doing.
    fn base_line(&mut self, round: &Round) {
        let Some(view) = &self.view else { return };
        let scene = Scene { desired: &round.desired, view, policy: &self.policy, shut: round.shut };
        let managed: BTreeMap<String, BTreeSet<String>> = {
            let index = Index::new(&scene, &self.state.records);
            let of = |id: &str| -> Option<BTreeSet<String>> {
                let members = &index.filled(id)?.team.members;
                Some(members.iter().filter(|a| index.managed.contains_key(a.as_str())).cloned().collect())
            };
            self.state.records.teams.keys().filter_map(|id| Some((id.clone(), of(id)?))).collect()
        };
        for (id, held) in managed {
            if let Some(record) = self.state.records.teams.get_mut(&id) {
                record.held = held;
            }
        }
        for record in self.state.records.teams.values_mut() {
            record.unsure.clear();
        }
    }

    fn acknowledge_access(&mut self, round: Round) {
        let removals = self.removals(&round);
        let Round { held, .. } = round;
        let (epoch, revision) = (held.epoch, held.revision);
        self.state.access.mark_applied(held);
        let result = self.state.save_access();
        if !self.stored(result) {
            return;
        }
        let received = if self.state.access.pending() { self.received[0] } else { self.received[0].take() };
        let took_ms = received.map_or(0, |at| millis(self.mono().saturating_sub(at)));
        tracing::info!(epoch, revision, took_ms, "access applied");
        self.send_ack(removals, took_ms);
    }

    /// The last applied revision once more, for a server that may not have heard.
    pub(super) fn acknowledge_access_again(&mut self) {
        self.send_ack(Vec::new(), 0);
    }

    fn send_ack(&mut self, removals: Vec<ItemResult>, took_ms: u64) {
        let Some(connection_epoch) = self.connection.as_ref().map(|c| c.epoch) else { return };
        let Some((epoch, revision, doc_digest)) = self.state.access.applied().map(|h| (h.epoch, h.revision, h.digest)) else {
            return;
        };
        let mut items = self.told.items.clone();
        for removal in removals {
            items.entry(removal.item.clone()).or_insert(removal);
        }
        let links = self.links_for_ack();
        let seen = self.told.seen;
        self.items_told();
        self.send_parted(Ack {
            section: Section::Access,
            epoch,
            revision,
            doc_digest,
            connection_epoch,
            took_ms,
            items: items.into_values().collect(),
            links,
            seen,
        });
    }

    /// Every removal that the revision brought, with what it could not end (rules A9).
    fn removals(&self, round: &Round) -> Vec<ItemResult> {
        let Some(before) = self.state.access.applied() else { return self.left_over(round) };
        let delta = before.state.diff(&round.held.state);
        let mut results = Vec::new();
        for person in &delta.people_gone {
            let link = self.state.records.links.get(person);
            let residual = link.map(|l| l.residual.clone()).unwrap_or_default();
            if !self.retries.contains_key(&person_key(person)) {
                let item = ItemResult { residual, ..applied(person_item(person)) };
                results.push(match link.filter(|l| l.active) {
                    Some(l) => failed(item, ItemState::Failed, format!("the account {} is still active", l.username)),
                    None => item,
                });
            }
        }
        let ended = delta.members_gone.iter().map(|(group, people)| (group, people.iter().collect::<Vec<_>>()));
        let taken_back = delta.groups_gone.iter().filter_map(|group| {
            let people = before.state.groups.get(group)?.members.keys().collect();
            Some((group, people))
        });
        for (group, people) in ended.chain(taken_back) {
            for person in people {
                let item = applied(member_item(group, person));
                results.push(match self.failed_member(round, group, person) {
                    Some((state, message)) => failed(item, state, message),
                    None => item,
                });
            }
        }
        results
    }

    /// The first revision of a new agent: what losses of before its time left over.
    fn left_over(&self, round: &Round) -> Vec<ItemResult> {
        let links = self.state.records.links.iter();
        let lost = links.filter(|(person, link)| !round.desired.people.contains_key(*person) && !link.residual.is_empty());
        lost.filter(|(person, _)| !self.retries.contains_key(&person_key(person)))
            .map(|(person, link)| ItemResult { residual: link.residual.clone(), ..applied(person_item(person)) })
            .collect()
    }

    /// Why the person is still in a team because of the group: a removal failed, the agent must leave the team alone, or it
    /// cannot see it.
    fn failed_member(&self, round: &Round, group: &str, person: &str) -> Option<(ItemState, String)> {
        let scene = self.scene(round)?;
        if let Some(why) = held_out_of_sight(&scene, &self.state.records, group, person) {
            return Some((ItemState::Failed, why));
        }
        let account = &self.state.records.links.get(person)?.account;
        let index = Index::new(&scene, &self.state.records);
        let bound = scene
            .view
            .teams
            .values()
            .filter(|t| t.members.contains(account) && t.external_groups.iter().any(|g| g.id.eq_ignore_ascii_case(group)));
        // Another group of the team may still name the person.
        let mut unwanted = bound.filter(|t| index.bound.get(t.id.as_str()).is_none_or(|b| !b.wanted.contains(person)));
        unwanted.find_map(|team| {
            let retry = self.retries.get(&member_key(&team.id, account));
            let hands_off = index.bound.get(team.id.as_str()).and_then(|b| b.hands_off);
            let left = |why: &str| format!("still a member of team {}: {why}", team.name);
            match (retry, hands_off) {
                (Some(retry), _) => Some((ItemState::Failed, retry.message.clone())),
                (None, _) if !team.can_change_members => Some((ItemState::Failed, left(FIXED))),
                (None, Some(why)) => Some((ItemState::RefusedByPolicy, left(why))),
                (None, None) => None,
            }
        })
    }
}

fn failed(item: ItemResult, state: ItemState, message: String) -> ItemResult {
    ItemResult { state, message: Some(message), ..item }
}

/// Whole milliseconds.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
