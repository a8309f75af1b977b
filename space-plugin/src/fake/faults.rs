//! Bad days on demand, and counters.

use super::FakeSpace;
use crate::adapter::{AdapterError, Result};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Faults {
    latency: Duration,
    planned: Vec<Planned>,
    calls: BTreeMap<&'static str, u64>,
}

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

    /// Forgets all planned failures.
    pub fn heal(&self) {
        self.faults().planned.clear();
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
