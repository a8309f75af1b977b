//! When to look at what.

use super::steps::person_key;
use super::{Engine, Flow, Input};
use crate::entropy::back_off;
use crate::observe::{self, Look};
use odcm_space_plugin::{AdapterError, Capability};
use odcm_wire::latest::{AccessState, Millis, Offline};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest waiting time before an unreachable Space is tried again.
const LOOK_MOST: Duration = Duration::from_secs(30);

impl Engine {
    /// Whether the accepted state shall be shut now (rules B4).
    pub(super) fn shut(&self) -> bool {
        let lease =
            |h: &crate::state::track::Held<AccessState>| h.offline == Offline::Shut && self.now() >= self.lease(h.valid_until);
        self.state.access.accepted.as_ref().is_some_and(lease)
    }

    /// How long until something is to be done.
    pub(super) fn until_due(&self) -> Duration {
        let access = if self.state.access.accepted.is_some() { self.until_access() } else { None };
        access.into_iter().chain(self.until_sign_in()).min().unwrap_or(Duration::from_secs(3600))
    }

    pub(super) fn access_due(&self) -> bool {
        self.state.access.accepted.is_some() && self.until_access() == Some(Duration::ZERO)
    }

    fn until_access(&self) -> Option<Duration> {
        let now = self.mono();
        let not_before = self.look_after.map_or(Duration::ZERO, |at| at.saturating_sub(now));
        let at_once = self.look_at_all || self.state.access.pending() || self.shut() != self.was_shut;
        let soonest = if at_once {
            Duration::ZERO
        } else {
            let mut at = self.next_tick.min(self.next_full);
            if let Some(retry) = self.retries.values().map(|r| r.due).min() {
                at = at.min(retry);
            }
            let mut soonest = at.saturating_sub(now);
            if let Some(boundary) = self.boundary.into_iter().chain(self.lease_end()).min() {
                let left = u64::try_from(boundary.saturating_sub(self.now())).unwrap_or(0);
                soonest = soonest.min(Duration::from_millis(left));
            }
            soonest
        };
        Some(soonest.max(not_before))
    }

    /// The end of the lease, when something happens then.
    fn lease_end(&self) -> Option<Millis> {
        let held = self.state.access.accepted.as_ref().filter(|h| h.offline == Offline::Shut)?;
        Some(self.lease(held.valid_until)).filter(|end| *end > self.now())
    }

    /// Chooses what to look at before `desired` is planned; `None` when nothing new has to be known.
    pub(super) fn choose_look(&self, desired: &AccessState) -> Option<Look> {
        let now = self.mono();
        let cursor = || self.state.records.cursor.clone();
        let (Some(view), Some(enforced)) = (&self.view, &self.enforced) else {
            return Some(Look::Full { cursor: cursor() });
        };
        if self.look_at_all {
            return Some(Look::Full { cursor: cursor() });
        }
        // A new document first, however overdue the other looks are.
        if self.state.access.pending() || self.boundary.is_some_and(|b| b <= self.now()) {
            return Some(self.touched(view, enforced, desired));
        }
        if now >= self.next_full {
            return Some(Look::Full { cursor: cursor() });
        }
        if now >= self.next_tick {
            // An account whose creation was begun may be there under an id that no event named.
            if !self.state.records.creating.is_empty() {
                return Some(Look::Full { cursor: cursor() });
            }
            let events = self.description.as_ref().is_some_and(|d| d.capabilities.contains(&Capability::EventCursor));
            return Some(Look::Tick { cursor: cursor(), events });
        }
        let creating = !self.state.records.creating.is_empty();
        creating.then(|| Look::Touched { accounts: BTreeSet::new(), teams: BTreeSet::new(), all_accounts: true })
    }

    /// What the difference between the enforced and the desired state touches: it is read anew, so that what is
    /// acknowledged is what the Space shows and not what it showed at the last look.
    fn touched(&self, view: &crate::plan::View, enforced: &AccessState, desired: &AccessState) -> Look {
        let delta = enforced.diff(desired);
        let groups: BTreeSet<String> = delta
            .groups_gone
            .iter()
            .chain(delta.members_gone.keys())
            .chain(delta.groups.keys())
            .chain(delta.members.keys())
            .map(|g| g.to_lowercase())
            .collect();
        let names = |team: &odcm_space_plugin::Team| team.external_groups.iter().any(|g| groups.contains(&g.id.to_lowercase()));
        let links = &self.state.records.links;
        let new = |p: &String| !links.contains_key(p);
        let waits = |p: &String| new(p) && self.retries.contains_key(&person_key(p));
        Look::Touched {
            accounts: delta
                .people_gone
                .iter()
                .chain(delta.people.keys())
                .filter_map(|p| Some(links.get(p)?.account.clone()))
                .collect(),
            teams: view.teams.values().filter(|t| names(t)).map(|t| t.id.clone()).collect(),
            all_accounts: delta.people.keys().any(new)
                || desired.people.keys().any(waits)
                || !self.state.records.creating.is_empty(),
        }
    }

    /// Linked accounts and known teams, as far as they were there at the last look.
    fn expected(&self) -> observe::Expected {
        let records = &self.state.records;
        let accounts = records.links.values().filter(|link| !link.missing).map(|link| link.account.clone()).collect();
        // Of a team of an earlier agent nobody knows where it is.
        let inherited = records.inherited.teams.keys().map(|id| (id.clone(), None));
        let known = records.teams.iter().map(|(id, record)| (id.clone(), record.inner_space.clone()));
        let teams = inherited.chain(known).collect();
        observe::Expected { accounts, teams }
    }

    /// Looks, taking inputs meanwhile. `None` when that failed or something more urgent came.
    pub(super) async fn look(&mut self, what: Look, inbox: &mut mpsc::Receiver<Input>) -> Option<()> {
        let full = matches!(what, Look::Full { .. });
        let tick = full || matches!(what, Look::Tick { .. });
        let began = self.now();
        let seen = self.listen(observe::look(self.adapter.clone(), what, self.expected()), inbox).await?;
        let mut sight = match seen {
            Ok(sight) => sight,
            Err(e) => {
                self.cannot_look(&e);
                return None;
            }
        };
        self.look_failures = 0;
        self.look_after = None;
        if let Some(description) = sight.description.take() {
            if description.installation_id != self.state.enrolment.installation_id {
                return self.other_installation(&description.installation_id);
            }
            self.description = Some(description);
        }
        sight.enter(self.view.get_or_insert_default());
        self.who.append(&mut sight.by);
        if let Some(cursor) = sight.cursor.take() {
            self.state.records.cursor = Some(cursor);
        }
        let now = self.mono();
        if tick {
            self.next_tick = now + self.timing.tick;
            self.seen_at = began;
            // The events do not reach back far enough: look at everything, soon.
            self.look_at_all = sight.gap && !full;
        }
        if full {
            while self.next_full <= now {
                self.next_full += self.timing.full;
            }
            self.look_again();
        }
        Some(())
    }

    /// Awaits `work`, taking inputs meanwhile; gives `work` up when something urgent comes.
    pub(super) async fn listen<T>(&mut self, work: impl Future<Output = T>, inbox: &mut mpsc::Receiver<Input>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                input = inbox.recv(), if !self.inbox_closed => {
                    self.input(input);
                    if self.urgent {
                        return None;
                    }
                }
                result = &mut work => return Some(result),
            }
        }
    }

    fn cannot_look(&mut self, error: &AdapterError) {
        let mut wait = back_off(&*self.entropy, self.look_failures, self.timing.retry_first, LOOK_MOST);
        if let AdapterError::Unavailable { retry_after_ms: Some(ms), .. } = error {
            wait = wait.max(Duration::from_millis(*ms).min(LOOK_MOST));
        }
        self.look_failures = self.look_failures.saturating_add(1);
        self.look_after = Some(self.mono() + wait);
        let code = if matches!(error, AdapterError::Denied(_)) { "space_denied" } else { "space_unreachable" };
        self.alarm(code, error.to_string());
    }

    /// Asks whether the enrolled server still answers, before a round writes anything (rules B5). `None` when another one
    /// does, none does, or something more urgent came.
    pub(super) async fn same_installation(&mut self, inbox: &mut mpsc::Receiver<Input>) -> Option<()> {
        let space = self.adapter.clone();
        match self.listen(async move { space.installation_id().await }, inbox).await? {
            Ok(found) if found == self.state.enrolment.installation_id => {
                self.look_after = None;
                Some(())
            }
            Ok(found) => self.other_installation(&found),
            Err(e) => {
                self.cannot_look(&e);
                None
            }
        }
    }

    /// Another server answers under the Space's address: nothing is applied there (rules B5).
    pub(super) fn other_installation(&mut self, found: &str) -> Option<()> {
        self.view = None;
        self.description = None;
        self.look_at_all = true;
        self.look_after = Some(self.mono() + self.timing.tick);
        let enrolled = self.state.enrolment.installation_id.clone();
        self.alarm("other_installation", format!("the server says it is installation {found}, enrolled was {enrolled}"));
        None
    }

    /// The next instant after now at which an entry begins or ends to hold.
    pub(super) fn boundary(state: &AccessState, now: Millis) -> Option<Millis> {
        let people = state.people.values().map(|p| p.interval);
        let members = state.groups.values().flat_map(|g| g.members.values().copied());
        people.chain(members).flat_map(|i| [i.from, i.until]).flatten().filter(|at| *at > now).min()
    }

    /// What holds of `state` now; the same allocation when every entry does.
    pub(super) fn at(state: &Arc<AccessState>, now: Millis) -> Arc<AccessState> {
        let all = state.people.values().all(|p| p.interval.holds(now))
            && state.groups.values().all(|g| g.members.values().all(|i| i.holds(now)));
        if all { state.clone() } else { Arc::new(state.at(now)) }
    }

    /// A finished round leaves no reason for another one at once.
    pub(super) fn settled(&mut self, flow: Flow) {
        if flow == Flow::Broken && !self.urgent && self.look_after.is_none() {
            // While ODCM refuses the agent there is nothing to hurry for.
            let wait = if self.state.floor.refused.is_some() { self.timing.tick } else { self.timing.retry_first };
            self.look_after = Some(self.mono() + wait);
        }
    }
}
