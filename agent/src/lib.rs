//! The agent that stands beside a Space: it dials out to ODCM, receives the Space's desired state as signed documents,
//! makes it true, reads it back and says so. It never listens.
//!
//! The rooms: [`state`] (what is kept), [`policy`] (what ODCM may not do here), [`plan`] (pure: what has to be done),
//! `exec` and `observe` (the only callers of the Space), `engine` (one task that owns all of it), `link` (the connection),
//! [`enrol`], [`cli`]. The engine knows no socket: [`link`] talks to it over two channels, and so do the tests.
//!
//! ```no_run
//! # async fn demo(space: std::sync::Arc<dyn odcm_space_plugin::SpaceAdapter>) -> Result<(), odcm_agent::AgentError> {
//! let config = odcm_agent::Config::new("/var/lib/odcm-agent");
//! odcm_agent::run(config, space, std::future::pending()).await
//! # }
//! ```
#![warn(missing_docs)]

pub mod cli;
pub mod clock;
pub mod engine;
pub mod enrol;
pub mod entropy;
mod error;
mod exec;
pub mod keys;
pub mod link;
pub mod net;
mod observe;
pub mod plan;
pub mod policy;
pub mod state;
#[cfg(test)]
mod testkit;

pub use cli::cli;
pub use error::AgentError;

use clock::{Clock, SystemClock};
use engine::{Engine, Parts, Timing};
use entropy::{Entropy, SystemEntropy};
use odcm_space_plugin::{Capability, SpaceAdapter};
use policy::Policy;
use state::{Folder, State, Store as _};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What an agent is run with.
#[derive(Clone)]
pub struct Config {
    /// The state folder of the enrolment.
    pub state: PathBuf,
    /// How often it looks and retries.
    pub timing: Timing,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Config {
    /// An agent with the usual timing.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            timing: Timing::default(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }
}

/// Runs an enrolled agent until `shutdown` is ready.
///
/// # Errors
/// [`AgentError`] when the state folder or the policy file cannot be used; a Space or an ODCM that cannot be reached is no
/// error, the agent tries again.
pub async fn run(
    config: Config,
    adapter: Arc<dyn SpaceAdapter>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), AgentError> {
    let folder = Folder::open(&config.state)?;
    let policy = match folder.load(policy::FILE)? {
        Some(text) => Policy::parse(&text)?,
        None => Policy::default(),
    };
    let state = State::open(Box::new(folder))?;
    let dialler = link::Dialler::new(&state.enrolment, adapter.clone(), config.clock.clone(), config.entropy.clone())?;
    let parts = Parts { adapter, clock: config.clock, entropy: config.entropy, state, policy, timing: config.timing };
    let (to_engine, inbox) = tokio::sync::mpsc::channel(4);
    let engine = Engine::new(parts);
    tokio::select! {
        result = engine.run(inbox, shutdown) => result,
        never = dialler.run(to_engine) => match never {},
    }
}

/// Capabilities as they are written on the wire.
pub(crate) fn capability_names(capabilities: &BTreeSet<Capability>) -> Vec<String> {
    capabilities.iter().filter_map(|c| serde_json::to_value(c).ok()?.as_str().map(str::to_owned)).collect()
}
