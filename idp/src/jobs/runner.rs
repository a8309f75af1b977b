//! The worker: leases what is due, runs it, notes how it ended.

use crate::core::Timestamp;
use crate::core::ids::JobId;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::jobs::{self, JobRow};
use crate::storage::{self, Tx};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A job that takes longer than this is thought dead and may be run by somebody else.
const LEASE_MS: i64 = 5 * 60_000;
/// A run is ended after this time, before its lease.
const PATIENCE: Duration = Duration::from_secs(4 * 60);
/// A job that runs once fails for good after so many attempts.
const ATTEMPTS: i64 = 10;
/// Longest pause between looks at the table.
const POLL: Duration = Duration::from_secs(10);
/// Longest pause between two attempts, in milliseconds.
const MAX_BACK_OFF_MS: i64 = 15 * 60_000;

/// A kind of job.
#[async_trait]
pub trait Job: Send + Sync {
    /// Its name in the table.
    fn kind(&self) -> &'static str;
    /// Seconds between runs, for a job that always runs; `None` for one that is enqueued.
    fn every_s(&self) -> Option<i64> {
        None
    }
    /// Runs it once. May be called twice for one row.
    ///
    /// # Errors
    /// A sentence for the log; the job is tried again later.
    async fn run(&self, deps: &Deps, payload: &str) -> Result<(), String>;
}

/// Enqueues a job in the transaction that makes it necessary, unless one of its kind and key waits already.
///
/// # Errors
/// Any storage error.
pub async fn enqueue(tx: &mut Tx, deps: &Deps, kind: &str, key: &str, payload: &str, run_at: Timestamp) -> storage::Result<bool> {
    let id = JobId::from_uuid(deps.entropy.id(deps.clock.now()));
    jobs::enqueue(tx, &id, kind, key, payload, run_at).await
}

/// The worker of this node.
#[derive(Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    deps: Deps,
    kinds: Vec<Arc<dyn Job>>,
    holder: String,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Runner {
    /// A worker that runs nothing by itself: see [`Runner::run_due`].
    #[must_use]
    pub fn new(deps: Deps, kinds: Vec<Arc<dyn Job>>) -> Self {
        let holder = deps.entropy.id(deps.clock.now()).hyphenated().to_string();
        Self(Arc::new(Inner { deps, kinds, holder, stop: watch::Sender::new(false), task: Mutex::default() }))
    }

    /// A worker that runs until [`Runner::shutdown`].
    #[must_use]
    pub fn start(deps: Deps, kinds: Vec<Arc<dyn Job>>) -> Self {
        let runner = Self::new(deps, kinds);
        let task = tokio::spawn(runner.clone().always(runner.0.stop.subscribe()));
        *runner.0.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        runner
    }

    /// Stops after the job that is running.
    pub async fn shutdown(&self) {
        self.0.stop.send_replace(true);
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the worker ended badly");
        }
    }

    /// Runs everything that is due now; gives how many jobs ran.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn run_due(&self) -> storage::Result<usize> {
        self.plant().await?;
        let mut ran = 0;
        while !*self.0.stop.borrow() {
            let Some(job) = jobs::lease(&self.0.deps.db, &self.0.holder, self.0.deps.clock.now(), LEASE_MS).await? else { break };
            self.run(&job).await?;
            ran += 1;
        }
        Ok(ran)
    }

    /// Jobs that always run have one row each.
    async fn plant(&self) -> storage::Result<()> {
        let deps = &self.0.deps;
        let now = deps.clock.now();
        for job in self.0.kinds.iter().filter(|j| j.every_s().is_some()) {
            run_tx!(deps.db, "job.plant", |tx| enqueue(tx, deps, job.kind(), "", "{}", now).await)?;
        }
        Ok(())
    }

    async fn run(&self, job: &JobRow) -> storage::Result<()> {
        let deps = &self.0.deps;
        let kind = self.0.kinds.iter().find(|k| k.kind() == job.kind);
        let outcome = match kind {
            Some(kind) => tokio::time::timeout(PATIENCE, kind.run(deps, &job.payload))
                .await
                .unwrap_or_else(|_| Err("it took too long and was ended".into())),
            None => Err("this version does not know this kind of job".into()),
        };
        let every = kind.and_then(|k| k.every_s());
        let now = deps.clock.now();
        let held = match (&outcome, every) {
            (Ok(()), None) => jobs::done(&deps.db, job).await?,
            (Ok(()), Some(seconds)) => jobs::again(&deps.db, job, now.plus_secs(seconds), 0, None).await?,
            (Err(error), None) if job.attempts + 1 >= ATTEMPTS => jobs::failed(&deps.db, job, error, now).await?,
            (Err(error), _) => {
                let attempts = job.attempts + 1;
                jobs::again(&deps.db, job, now.plus_ms(back_off_ms(attempts)), attempts, Some(error)).await?
            }
        };
        if let Err(error) = outcome {
            tracing::error!(kind = job.kind, key = job.dedup_key, attempts = job.attempts + 1, error, "a job failed");
            deps.metrics.count("odcm_job_failures_total", &[]);
        }
        if !held {
            tracing::warn!(kind = job.kind, key = job.dedup_key, "a job lost its lease while it ran; somebody else runs it");
        }
        Ok(())
    }

    async fn always(self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.run_due().await {
                tracing::error!(%error, "jobs cannot be looked at; trying again");
            }
            let pause = match jobs::next_due(&self.0.deps.db).await {
                Ok(Some(due)) => {
                    let left = u64::try_from(due.since(self.0.deps.clock.now())).unwrap_or_default();
                    Duration::from_millis(left.max(100)).min(POLL)
                }
                Ok(None) | Err(_) => POLL,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// 2 s, 4 s, 8 s … up to a quarter of an hour.
fn back_off_ms(attempts: i64) -> i64 {
    let shift = u32::try_from(attempts.clamp(1, 20)).unwrap_or(20);
    1000_i64.saturating_mul(1 << shift).min(MAX_BACK_OFF_MS)
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
