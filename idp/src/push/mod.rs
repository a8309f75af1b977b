//! The push channel: marks become numbered, signed documents (projector); agents connect, get what they lack and say what
//! they did (hub). Nothing is pushed from a request handler: a use case commits, rings `deps.wake`, and the projector works.
//!
//! May use: `accounts`, `http`, `storage`, `crypto`, `core`, `deps`. The law: rules A, B and C3; the contract: `odcm-wire`.
//! Example: `let push = Push::start(deps.clone()); let app = router.merge(push.routes()); …; push.shutdown().await;`

mod acks;
mod allowance;
mod closed;
mod connection;
mod document;
mod error;
mod events;
mod handshake;
mod hub;
mod inheritance;
mod projector;
mod receive;
mod reports;
mod routes;
mod secret;
mod seen;
mod state;
mod sweeps;
mod sync;
mod throttle;

pub use error::{Error, Result};
pub use projector::Pass;

use crate::deps::Deps;
use crate::storage::{agents, sections};
use axum::Router;
use hub::Hub;
use projector::Projector;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a shutdown waits for agents to leave.
const DRAIN: Duration = Duration::from_secs(5);

/// The running push channel of this node. Cheap to clone.
#[derive(Clone)]
pub struct Push(Arc<Inner>);

struct Inner {
    deps: Deps,
    hub: Hub,
    projector: Projector,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Push {
    /// Starts the projector, the scheduler and the watch over connections.
    #[must_use]
    pub fn start(deps: Deps) -> Self {
        let push = Self::idle(deps);
        let stop = &push.0.stop;
        let tasks = vec![
            tokio::spawn(push.clone().project_always(stop.subscribe())),
            tokio::spawn(push.clone().watch_always(stop.subscribe())),
        ];
        push.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
        push
    }

    /// The same without any task of its own: nothing is projected unless [`Push::project_once`] is called. For tests and
    /// for commands that run once.
    #[must_use]
    pub fn idle(deps: Deps) -> Self {
        // Random, so that a process that is started again is another holder than the one that died.
        let node = deps.entropy.id(deps.clock.now()).hyphenated().to_string();
        let push = &deps.settings.push;
        let rate = allowance::Rate { burst: push.messages_burst, per_minute: push.messages_per_minute };
        let hub = Hub::new(node.clone(), push.snapshots_at_once, rate);
        let projector = Projector::new(deps.clone(), node);
        Self(Arc::new(Inner { deps, hub, projector, stop: watch::Sender::new(false), tasks: Mutex::default() }))
    }

    /// The routes of agents: `/agent/v1/enrol` and `/agent/v1/connect`.
    pub fn routes(&self) -> Router<Deps> {
        routes::routes(self.0.hub.clone())
    }

    /// Projects everything that is marked now, and tells the connections.
    ///
    /// # Errors
    /// When the database fails; single Spaces that fail are logged and tried again.
    pub async fn project_once(&self) -> Result<Pass> {
        let inner = &self.0;
        let pass = inner
            .projector
            .pass(|space| {
                inner.hub.news(space);
                inner.deps.live.ring(space);
            })
            .await?;
        inner.deps.metrics.count("odcm_projector_passes_total", &[]);
        Ok(pass)
    }

    /// Looks once at all connections: ends those that were revoked or taken over, and nudges those that lack something.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_once(&self) -> Result<()> {
        let (hub, deps) = (&self.0.hub, &self.0.deps);
        let seated = hub.seated();
        deps.metrics.gauge("odcm_agents_connected", &[], i64::try_from(seated.len()).unwrap_or(i64::MAX));
        if seated.is_empty() {
            return Ok(());
        }
        let known = agents::of_node(&deps.db, &hub.node).await?;
        hub.keep_only(&seated, &known);
        for space in sections::pending_of_node(&mut &deps.db, &hub.node).await? {
            hub.news(&space);
        }
        Ok(())
    }

    /// How many agents are connected to this node.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.0.hub.count()
    }

    /// Stops: agents are told to come back later, the projector's lease is given back.
    pub async fn shutdown(&self) {
        let inner = &self.0;
        inner.stop.send_replace(true);
        inner.hub.drain(&inner.deps, DRAIN).await;
        let tasks: Vec<_> = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the push channel ended badly");
            }
        }
        inner.projector.release().await;
        if let Err(error) = agents::node_gone(&inner.deps.db, &inner.hub.node, inner.deps.clock.now()).await {
            tracing::warn!(%error, "the end of the connections could not be noted");
        }
    }

    async fn project_always(self, mut stop: watch::Receiver<bool>) {
        let deps = self.0.deps.clone();
        let mut wake = deps.wake.listen();
        let poll = Duration::from_millis(deps.settings.push.poll_ms.max(10));
        loop {
            // Marks that are set from here on ring again.
            wake.borrow_and_update();
            let mut pause = poll;
            match self.project_once().await {
                // Time-driven changes are done when they are due, not at the next poll.
                Ok(pass) => {
                    if let Some(due) = pass.next_due {
                        let left = u64::try_from(due.since(deps.clock.now())).unwrap_or_default();
                        pause = pause.min(Duration::from_millis(left.max(1)));
                    }
                }
                Err(error) => tracing::error!(%error, "the projector could not work; trying again"),
            }
            tokio::select! {
                changed = wake.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    async fn watch_always(self, mut stop: watch::Receiver<bool>) {
        let deps = self.0.deps.clone();
        let mut wake = deps.agents.listen();
        let mut poll = tokio::time::interval(Duration::from_millis(deps.settings.push.poll_ms.max(10)));
        let mut beat = tokio::time::interval(Duration::from_millis(deps.settings.push.heartbeat_ms.max(10)));
        for timer in [&mut poll, &mut beat] {
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            let done = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                changed = wake.changed() => {
                    if changed.is_err() { return }
                    self.watch_once().await
                }
                _ = beat.tick() => self.beat_once().await,
                _ = poll.tick() => self.watch_once().await,
            };
            if let Err(error) = done {
                tracing::error!(%error, "the connections of agents could not be looked after; trying again");
            }
        }
    }

    async fn beat_once(&self) -> Result<()> {
        let (hub, deps) = (&self.0.hub, &self.0.deps);
        if hub.count() == 0 {
            return Ok(());
        }
        hub.heartbeat(deps);
        agents::node_alive(&deps.db, &hub.node, deps.clock.now()).await?;
        Ok(())
    }
}

/// Resolves when the channel shall stop, or is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
