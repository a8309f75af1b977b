//! Bad days on demand, and counters.

use super::FakeSpace;
use crate::adapter::{AdapterError, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Faults {
    latency: Duration,
    planned: Vec<Planned>,
    calls: BTreeMap<&'static str, u64>,
    /// Calls that never answer, by method.
    hangs: BTreeMap<String, u32>,
    /// Ids that lists leave out.
    hidden: BTreeSet<String>,
}

/// How long a call hangs: longer than any test waits.
const HANGS: Duration = Duration::from_secs(86_400);

struct Planned {
    operation: Option<String>,
    done: bool,
    left: u32,
    error: AdapterError,
}

impl FakeSpace {
    /// Each call takes this long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.faults().latency = latency;
    }

    /// The next `calls` adapter calls fail with `error` and change nothing.
    pub fn fail_next(&self, calls: u32, error: AdapterError) {
        self.faults().planned.push(Planned { operation: None, done: false, left: calls, error });
    }

    /// The next `calls` calls of one method of [`SpaceAdapter`](crate::SpaceAdapter), such as `change_members`, fail.
    pub fn fail_next_of(&self, operation: &str, calls: u32, error: AdapterError) {
        self.faults().planned.push(Planned { operation: Some(operation.into()), done: false, left: calls, error });
    }

    /// The next `calls` calls of one writing method do their work, but their answer is lost on the way.
    pub fn lose_answers_of(&self, operation: &str, calls: u32, error: AdapterError) {
        self.faults().planned.push(Planned { operation: Some(operation.into()), done: true, left: calls, error });
    }

    /// The next `calls` calls of one method of [`SpaceAdapter`](crate::SpaceAdapter) hang for a day and then do nothing.
    pub fn hang_next_of(&self, operation: &str, calls: u32) {
        self.faults().hangs.insert(operation.into(), calls);
    }

    /// From now on lists leave these accounts and teams out, although they exist.
    pub fn hide_from_lists(&self, ids: &[&str]) {
        self.faults().hidden = ids.iter().map(|id| (*id).to_owned()).collect();
    }

    pub(super) fn hidden(&self) -> BTreeSet<String> {
        self.faults().hidden.clone()
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        let mut faults = self.faults();
        faults.planned.clear();
        faults.hangs.clear();
        faults.hidden.clear();
    }

    /// How often a method of [`SpaceAdapter`](crate::SpaceAdapter) was called, failures included.
    #[must_use]
    pub fn calls_of(&self, operation: &str) -> u64 {
        self.faults().calls.get(operation).copied().unwrap_or_default()
    }

    /// All adapter calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.faults().calls.values().sum()
    }

    /// Sets all counters to zero.
    pub fn reset_calls(&self) {
        self.faults().calls.clear();
    }

    /// The start of every adapter call.
    pub(super) async fn enter(&self, operation: &'static str) -> Result<()> {
        let (latency, failure) = self.faults().enter(operation);
        if latency == HANGS {
            tokio::time::sleep(latency).await;
            return Err(AdapterError::Unavailable { message: "no answer".into(), retry_after_ms: None });
        }
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        failure.map_or(Ok(()), Err)
    }

    /// The end of a writing adapter call.
    pub(super) fn leave<T>(&self, operation: &'static str, outcome: Result<T>) -> Result<T> {
        self.faults().take(operation, true).map_or(outcome, Err)
    }
}

impl Faults {
    fn enter(&mut self, operation: &'static str) -> (Duration, Option<AdapterError>) {
        *self.calls.entry(operation).or_default() += 1;
        if let Some(left) = self.hangs.get_mut(operation).filter(|left| **left > 0) {
            *left -= 1;
            return (HANGS, None);
        }
        (self.latency, self.take(operation, false))
    }

    fn take(&mut self, operation: &'static str, done: bool) -> Option<AdapterError> {
        let fits = |planned: &&mut Planned| {
            planned.done == done && planned.operation.as_deref().is_none_or(|wanted| wanted == operation)
        };
        let failure = self.planned.iter_mut().find(fits).map(|planned| {
            planned.left = planned.left.saturating_sub(1);
            planned.error.clone()
        });
        self.planned.retain(|planned| planned.left > 0);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{AccountChange, NewAccount, SpaceAdapter};

    fn down() -> AdapterError {
        AdapterError::Unavailable { message: "down".into(), retry_after_ms: Some(5) }
    }

    fn bob() -> NewAccount {
        NewAccount { username: "bob".into(), email: "bob@x.example".into(), display_name: "Bob".into() }
    }

    #[tokio::test]
    async fn planned_failures_come_once_and_calls_are_counted() {
        let space = FakeSpace::new("mars");
        space.fail_next(1, down());
        space.fail_next_of("teams", 2, AdapterError::Denied("no".into()));
        assert_eq!(space.accounts().await, Err(down()));
        assert!(space.accounts().await.is_ok());
        assert!(space.teams().await.is_err() && space.teams().await.is_err() && space.teams().await.is_ok());
        assert_eq!((space.calls_of("accounts"), space.calls_of("teams"), space.calls()), (2, 3, 5));
        space.fail_next(100, down());
        space.heal();
        assert!(space.describe().await.is_ok());
        space.reset_calls();
        assert_eq!(space.calls(), 0);
    }

    #[tokio::test]
    async fn a_failed_call_changes_nothing_and_a_lost_answer_does() {
        let space = FakeSpace::new("mars");
        space.fail_next_of("create_account", 1, down());
        assert_eq!(space.create_account(&bob()).await, Err(down()));
        assert_eq!(space.find_account("bob"), None);
        space.lose_answers_of("create_account", 1, down());
        assert_eq!(space.create_account(&bob()).await, Err(down()));
        let id = space.find_account("bob").unwrap().id;
        let off = AccountChange { active: Some(false), ..AccountChange::default() };
        assert!(!space.change_account(&id, &off).await.unwrap().active);
    }

    #[tokio::test]
    async fn latency_is_real_and_clones_are_the_same_space() {
        let space = FakeSpace::new("mars");
        space.clone().set_latency(Duration::from_millis(20));
        let started = tokio::time::Instant::now();
        space.describe().await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn probes_show_what_the_server_would_send() {
        let space = FakeSpace::new("mars");
        assert!(space.probe_sign_in("dead").await.is_err(), "disabled");
        space.set_local_provider(true, "https://odcm.example", "mars");
        space.set_local_client_secret(Some("s3cret"));
        let (sender, receiver) = std::sync::mpsc::channel();
        space.on_probe(move |probe| sender.send(probe.clone()).unwrap());
        space.probe_sign_in("dead").await.unwrap();
        let seen = receiver.recv().unwrap();
        assert_eq!((seen.code.as_str(), seen.client_secret.as_deref()), ("dead", Some("s3cret")));
        assert_eq!(space.probes(), [seen]);
    }
}
