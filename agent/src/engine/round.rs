//! One round: look, settle, plan, do, conclude.

use super::{Engine, Flow, Input};
use crate::plan::{Plan, Scene, Step, plan, settle};
use crate::state::track::Held;
use odcm_wire::latest::AccessState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a round works on. Newer documents wait for the next one.
pub(super) struct Round {
    pub held: Held<AccessState>,
    pub desired: Arc<AccessState>,
    pub shut: bool,
}

impl Engine {
    /// Does what is due.
    pub(super) async fn work(&mut self, inbox: &mut mpsc::Receiver<Input>) {
        self.urgent = false;
        if self.unsaved {
            self.save_again();
        }
        if self.access_due() {
            let flow = self.access_round(inbox).await;
            self.settled(flow);
        }
        // Nothing of the sign-in is as urgent as somebody's removal.
        if !self.urgent && self.state.floor.refused.is_none() && self.until_sign_in().is_some_and(|d| d.is_zero()) {
            self.sign_in_round(inbox).await;
        }
    }

    fn save_again(&mut self) {
        let state = &mut self.state;
        let mut results = vec![state.save_records(), state.save_floor(), state.save_sign_in()];
        if state.access.accepted.is_some() {
            results.push(state.save_access());
        }
        if state.authentication.accepted.is_some() {
            results.push(state.save_authentication());
        }
        if results.iter().all(Result::is_ok) {
            tracing::info!("the state can be stored again");
            self.unsaved = false;
        }
    }

    async fn access_round(&mut self, inbox: &mut mpsc::Receiver<Input>) -> Flow {
        let Some(held) = self.state.access.accepted.clone() else { return Flow::Done };
        let desired = Self::at(&held.state, self.now());
        let round = Round { held, desired, shut: self.shut() };
        if self.same_installation(inbox).await.is_none() {
            return Flow::Broken;
        }
        self.try_touched_again(&round);
        if self.remove_first(&round, inbox).await == Flow::Broken {
            return Flow::Broken;
        }
        if let Some(what) = self.choose_look(&round.desired)
            && self.look(what, inbox).await.is_none()
        {
            return Flow::Broken;
        }
        let Some(first) = self.settle_and_plan(&round) else { return Flow::Broken };
        let planned = self.items_of(&first);
        let mut flow = self.perform(&round.desired, first.removals, inbox).await;
        for steps in [first.accounts, first.members] {
            if flow == Flow::Done && !self.urgent {
                flow = self.perform(&round.desired, steps, inbox).await;
            } else if !steps.is_empty() {
                flow = Flow::Broken;
            }
        }
        let Some(left) = self.plan_now(&round) else { return Flow::Broken };
        if flow == Flow::Broken {
            let left = self.items_of(&left);
            self.report_drift(&planned, &left, false);
            let result = self.state.save_records();
            self.stored(result);
            return flow;
        }
        self.count_keys(&left, inbox).await;
        self.conclude(round, left, &planned);
        Flow::Done
    }

    /// A new document that takes something away does so on the last picture, before anything is read: every write reads
    /// its own document just before, and what the picture missed is found by the look that follows.
    async fn remove_first(&mut self, round: &Round, inbox: &mut mpsc::Receiver<Input>) -> Flow {
        let loses = self.enforced.as_ref().is_some_and(|before| before.diff(&round.desired).has_removals());
        if self.look_at_all || !loses {
            return Flow::Done;
        }
        match self.settle_and_plan(round) {
            Some(plan) => self.perform(&round.desired, plan.removals, inbox).await,
            None => Flow::Done,
        }
    }

    /// A newer document tries at once what it touches, however often that failed before.
    fn try_touched_again(&mut self, round: &Round) {
        let Some(enforced) = &self.enforced else { return };
        let delta = enforced.diff(&round.desired);
        let people: BTreeSet<&String> = delta
            .people_gone
            .iter()
            .chain(delta.people.keys())
            .chain(delta.members.values().flat_map(BTreeMap::keys))
            .chain(delta.members_gone.values().flatten())
            .chain(delta.groups_gone.iter().filter_map(|g| enforced.groups.get(g)).flat_map(|g| g.members.keys()))
            .collect();
        let now = self.clock.monotonic();
        for person in people {
            let account = self.state.records.links.get(person).map(|l| format!("/{}", l.account));
            let key = super::steps::person_key(person);
            for (name, retry) in &mut self.retries {
                if *name == key || account.as_ref().is_some_and(|a| name.starts_with("m/") && name.ends_with(a)) {
                    retry.due = now;
                }
            }
        }
    }

    pub(super) fn scene<'a>(&'a self, round: &'a Round) -> Option<Scene<'a>> {
        let view = self.view.as_ref()?;
        Some(Scene { desired: &round.desired, view, policy: &self.policy, shut: round.shut })
    }

    fn settle_and_plan(&mut self, round: &Round) -> Option<Plan> {
        let view = self.view.as_ref()?;
        let scene = Scene { desired: &round.desired, view, policy: &self.policy, shut: round.shut };
        for noticed in settle(&scene, &mut self.state.records) {
            self.noticed.insert(noticed.item.clone(), noticed);
        }
        Some(plan(&scene, &self.state.records))
    }

    fn plan_now(&self, round: &Round) -> Option<Plan> {
        Some(plan(&self.scene(round)?, &self.state.records))
    }

    /// Names of the items that the steps are about.
    pub(super) fn items_of(&self, plan: &Plan) -> BTreeSet<String> {
        self.keys(&steps(plan)).into_values().collect()
    }

    /// Counts the API keys of accounts that wait for a decision and asks for their teams, once each: the list shows it
    /// (rules A6).
    async fn count_keys(&mut self, plan: &Plan, inbox: &mut mpsc::Receiver<Input>) {
        let wanted: BTreeSet<String> = plan.candidates.iter().map(|c| c.account.clone()).collect();
        self.key_counts.retain(|account, _| wanted.contains(account));
        self.teams_of.retain(|account, _| wanted.contains(account));
        for account in &wanted {
            if self.teams_of.contains_key(account) {
                continue;
            }
            let (space, id) = (self.adapter.clone(), account.clone());
            match self.listen(async move { space.teams_of(&id).await }, inbox).await {
                Some(Ok(teams)) => self.teams_of.insert(account.clone(), teams),
                Some(Err(e)) if e.is_temporary() => None,
                Some(Err(_)) => self.teams_of.insert(account.clone(), BTreeSet::new()),
                None => return,
            };
        }
        for account in wanted {
            if self.key_counts.contains_key(&account) {
                continue;
            }
            let space = self.adapter.clone();
            let id = account.clone();
            match self.listen(async move { space.api_keys(&id).await }, inbox).await {
                Some(Ok(keys)) => self.key_counts.insert(account, u32::try_from(keys.len()).ok()),
                Some(Err(e)) if e.is_temporary() => None,
                Some(Err(_)) => self.key_counts.insert(account, None),
                None => return,
            };
        }
    }
}

/// All steps of a plan.
pub(super) fn steps(plan: &Plan) -> Vec<&Step> {
    plan.removals.iter().chain(&plan.accounts).chain(&plan.members).collect()
}
