//! Does the steps of a stage: bounded concurrency, back-off of single items, intents stored before the first request.

use super::{Engine, Flow, Input};
use crate::entropy::{back_off, secret};
use crate::exec::{self, Done};
use crate::plan::{Step, View, link_account, member_item, new_link, person_item, team_item};
use crate::state::{Creating, Off};
use odcm_space_plugin::{Account, AdapterError};
use odcm_wire::latest::AccessState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// An item that failed and is tried again alone (rules B11).
#[derive(Clone, Debug)]
pub(super) struct Retry {
    pub attempts: u32,
    pub due: Duration,
    pub item: String,
    pub message: String,
}

/// A step that may be done now.
struct Job {
    step: Step,
    accounts: BTreeSet<String>,
    password: Option<String>,
}

/// When something urgent came, steps under way are waited for this long; then they are given up and planned anew. One
/// request that hangs must not keep others' removals waiting.
const GRACE: Duration = Duration::from_secs(3);
/// The longest `Retry-After` that a removal obeys.
const REMOVAL_WAIT: Duration = Duration::from_secs(10);

/// Key of an account's step among the retries.
pub(super) fn person_key(person: &str) -> String {
    format!("p/{person}")
}

/// Key of a membership's step among the retries.
pub(super) fn member_key(team: &str, account: &str) -> String {
    format!("m/{team}/{account}")
}

/// Name of a membership in reports: by the bound group that names the person, else any bound group, else the team.
pub(super) fn member_name(desired: &AccessState, view: &View, team: &str, person: &str) -> String {
    let groups = view.teams.get(team).map(|t| t.external_groups.as_slice()).unwrap_or_default();
    let mut known = groups.iter().filter_map(|g| desired.groups.get_key_value(&g.id.to_lowercase()));
    let first = known.clone().next();
    match known.find(|(_, group)| group.members.contains_key(person)).or(first) {
        Some((group, _)) => member_item(group, person),
        None => team_item(team),
    }
}

impl Engine {
    /// Does the steps of one stage, taking inputs meanwhile.
    pub(super) async fn perform(&mut self, desired: &AccessState, steps: Vec<Step>, inbox: &mut mpsc::Receiver<Input>) -> Flow {
        let mut jobs: VecDeque<Job> = steps.into_iter().filter_map(|step| self.admit(desired, step)).collect();
        if jobs.is_empty() {
            return Flow::Done;
        }
        // What is begun is stored before it is begun; without that only removals may go on.
        let result = self.state.save_records();
        self.stored(result);
        if !self.may_add() {
            jobs.retain(|job| matches!(job.step, Step::Deactivate { .. } | Step::Remove { .. }));
        }
        let mut running: JoinSet<Done> = JoinSet::new();
        let mut give_up: Option<tokio::time::Instant> = None;
        loop {
            if self.urgent && give_up.is_none() {
                give_up = Some(tokio::time::Instant::now() + GRACE);
            }
            while !self.urgent && running.len() < self.timing.at_once {
                let Some(job) = jobs.pop_front() else { break };
                running.spawn(exec::run(self.adapter.clone(), job.step, job.accounts, job.password));
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                input = inbox.recv(), if !self.inbox_closed => self.input(input),
                Some(done) = running.join_next() => match done {
                    Ok(done) => self.finished(desired, done),
                    Err(e) => tracing::error!(error = %e, "a step broke"),
                },
                () = tokio::time::sleep_until(give_up.unwrap_or_else(tokio::time::Instant::now)), if give_up.is_some() => {
                    // Their intents are stored, as before a crash; the next look shows what became of them.
                    tracing::warn!(steps = running.len(), "given up for something more urgent");
                    running.shutdown().await;
                    return Flow::Broken;
                }
            }
        }
        if jobs.is_empty() { Flow::Done } else { Flow::Broken }
    }

    /// Takes an input during a round.
    pub(super) fn input(&mut self, input: Option<Input>) {
        match input {
            Some(input) => self.receive(input),
            None => {
                self.inbox_closed = true;
                self.urgent = true;
            }
        }
    }

    fn waiting(&self, key: &str) -> bool {
        self.retries.get(key).is_some_and(|r| r.due > self.mono())
    }

    /// Leaves out what waits, pauses or must not be begun; notes the intents of the rest.
    fn admit(&mut self, desired: &AccessState, step: Step) -> Option<Job> {
        let adds = !matches!(step, Step::Deactivate { .. } | Step::Remove { .. });
        if adds && !self.may_add() {
            return None;
        }
        let mut job = Job { step, accounts: BTreeSet::new(), password: None };
        match &mut job.step {
            Step::Deactivate { person, active, .. } => {
                if self.waiting(&person_key(person)) {
                    return None;
                }
                if let (true, Some(link)) = (*active, self.state.records.links.get_mut(person)) {
                    link.off = Off::ByUs;
                }
            }
            Step::Create { person, new, keep_username } => {
                if self.waiting(&person_key(person)) || self.paused(&person_item(person)) {
                    return None;
                }
                let creating = Creating {
                    username: new.username.clone(),
                    email: new.email.clone(),
                    keep_username: *keep_username,
                    missed: 0,
                };
                self.state.records.creating.insert(person.clone(), creating);
                if let Some(view) = &mut self.view {
                    view.complete = false;
                }
            }
            Step::Adopt { person, reset_password, .. } => {
                if self.waiting(&person_key(person)) {
                    return None;
                }
                if *reset_password {
                    // Without randomness there is no adoption: it is tried again later.
                    job.password = Some(secret(&*self.entropy).ok()?);
                }
            }
            Step::Update { person, .. } => {
                if self.waiting(&person_key(person)) || self.paused(&person_item(person)) {
                    return None;
                }
            }
            Step::Remove { team, accounts } => {
                let retries = &self.retries;
                let now = self.clock.monotonic();
                accounts.retain(|a| retries.get(&member_key(team, a)).is_none_or(|r| r.due <= now));
                if accounts.is_empty() {
                    return None;
                }
                if let Some(record) = self.state.records.teams.get_mut(team) {
                    record.unsure.extend(accounts.iter().cloned());
                }
            }
            Step::Add { team, people } => {
                let view = self.view.as_ref()?;
                for person in people.iter() {
                    let Some(link) = self.state.records.links.get(person).filter(|l| !l.missing) else { continue };
                    let name = member_name(desired, view, team, person);
                    if !self.waiting(&member_key(team, &link.account)) && !self.paused(&name) {
                        job.accounts.insert(link.account.clone());
                    }
                }
                if job.accounts.is_empty() {
                    return None;
                }
                if let Some(record) = self.state.records.teams.get_mut(team) {
                    record.added.extend(job.accounts.iter().cloned());
                    record.unsure.extend(job.accounts.iter().cloned());
                }
            }
        }
        Some(job)
    }

    /// Notes what a step read back and what failed.
    fn finished(&mut self, desired: &AccessState, done: Done) {
        let Done { step, accounts: tried, account, gone, team, cleaned, residual, administrator, failed, error, .. } = done;
        let Some(view) = self.view.as_mut() else { return };
        if let Some(team) = &team {
            view.teams.insert(team.id.clone(), team.clone());
        }
        let missing = gone || matches!(error, Some(AdapterError::NotFound(_)));
        if let (true, Step::Remove { team, .. } | Step::Add { team, .. }) = (missing, &step) {
            // Hidden until the list of all teams says that it is gone.
            view.teams.remove(team);
            view.hidden.insert(team.clone());
        }
        if let Some(account) = &account {
            view.accounts.insert(account.id.clone(), account.clone());
        }
        match step {
            Step::Deactivate { person, account: id, .. } => {
                if missing {
                    view.accounts.remove(&id);
                }
                self.read_back(&person, account.as_ref(), cleaned, &residual);
                self.outcome(person_key(&person), person_item(&person), error, true);
            }
            Step::Update { person, account: id, .. } => {
                if missing {
                    view.accounts.remove(&id);
                }
                self.read_back(&person, account.as_ref(), cleaned, &residual);
                self.outcome(person_key(&person), person_item(&person), error, false);
            }
            Step::Create { person, keep_username, .. } => {
                // When the answer is lost the account may be there: the intent stays until all accounts were read.
                let unknown = error.as_ref().is_some_and(|e| e.is_temporary() || matches!(e, AdapterError::NotHeld(_)));
                if !unknown {
                    self.state.records.creating.remove(&person);
                }
                if let Some(account) = &account {
                    self.link(desired, &person, account, keep_username);
                }
                self.outcome(person_key(&person), person_item(&person), error, false);
            }
            Step::Adopt { person, account: id, .. } => {
                if administrator {
                    view.administrators.insert(id);
                }
                if let (Some(account), None) = (&account, &error) {
                    tracing::info!(person, account = account.id, "account adopted");
                    self.link(desired, &person, account, true);
                    self.read_back(&person, None, true, &residual);
                }
                self.outcome(person_key(&person), person_item(&person), error, false);
            }
            Step::Remove { team, accounts } => {
                for account in &accounts {
                    let failure = error.clone().or_else(|| failed.get(account).cloned());
                    if failure.is_none()
                        && let Some(record) = self.state.records.teams.get_mut(&team)
                    {
                        record.added.remove(account);
                    }
                    self.member_outcome(desired, &team, account, failure, true);
                }
            }
            Step::Add { team, .. } => {
                for account in tried {
                    let failure = error.clone().or_else(|| failed.get(&account).cloned());
                    self.member_outcome(desired, &team, &account, failure, false);
                }
            }
        }
    }

    fn link(&mut self, desired: &AccessState, person: &str, account: &Account, keep_username: bool) {
        let Some(view) = &self.view else { return };
        let scene = crate::plan::Scene { desired, view, policy: &self.policy, shut: false };
        link_account(&scene, &mut self.state.records, person, new_link(account, keep_username));
    }

    fn read_back(&mut self, person: &str, account: Option<&Account>, cleaned: bool, residual: &[String]) {
        let Some(link) = self.state.records.links.get_mut(person) else { return };
        if let Some(account) = account {
            link.username.clone_from(&account.username);
            link.email.clone_from(&account.email);
            link.display_name.clone_from(&account.display_name);
            link.active = account.active;
            if account.active && link.granted {
                link.off = Off::No;
            }
        }
        if cleaned {
            link.cleanup = false;
            link.residual = residual.to_vec();
        }
    }

    fn member_outcome(&mut self, desired: &AccessState, team: &str, account: &str, error: Option<AdapterError>, removal: bool) {
        let person = self.state.records.person_of(account).unwrap_or_default().to_owned();
        let name = self.view.as_ref().map(|view| member_name(desired, view, team, &person)).unwrap_or_default();
        self.outcome(member_key(team, account), name, error, removal);
    }

    fn outcome(&mut self, key: String, item: String, error: Option<AdapterError>, removal: bool) {
        let Some(error) = error else {
            self.retries.remove(&key);
            return;
        };
        let attempts = self.retries.get(&key).map_or(0, |r| r.attempts + 1);
        let mut wait = back_off(&*self.entropy, attempts, self.timing.retry_first, self.timing.retry_most);
        if let AdapterError::Unavailable { retry_after_ms: Some(ms), .. } = &error {
            let longest = if removal { REMOVAL_WAIT } else { self.timing.retry_most };
            wait = wait.max(Duration::from_millis(*ms).min(longest));
        }
        tracing::warn!(item, attempts, %error, "an item failed; it is tried again alone");
        self.retries.insert(key, Retry { attempts, due: self.mono() + wait, item, message: error.to_string() });
    }

    /// Keys of all steps, to forget retries of what is no longer to be done.
    pub(super) fn keys(&self, steps: &[&Step]) -> BTreeMap<String, String> {
        let mut keys = BTreeMap::new();
        let (Some(view), Some(held)) = (&self.view, &self.state.access.accepted) else { return keys };
        let name = |team: &str, person: &str| member_name(&held.state, view, team, person);
        let managed = self.state.records.managed();
        for step in steps {
            match step {
                Step::Deactivate { person, .. }
                | Step::Create { person, .. }
                | Step::Adopt { person, .. }
                | Step::Update { person, .. } => {
                    keys.insert(person_key(person), person_item(person));
                }
                Step::Remove { team, accounts } => {
                    for account in accounts {
                        let person = managed.get(account.as_str()).copied().unwrap_or_default();
                        keys.insert(member_key(team, account), name(team, person));
                    }
                }
                Step::Add { team, people } => {
                    for person in people {
                        let account = self.state.records.links.get(person).map_or("", |l| l.account.as_str());
                        keys.insert(member_key(team, account), name(team, person));
                    }
                }
            }
        }
        keys
    }
}
