//! The agent's one task: owns the state, receives messages, looks, plans, does and tells.
//!
//! May use every room but the link. Inputs come over a channel, answers leave over another that [`Input::Connected`]
//! brings; a connection is therefore nothing but two channels, and tests play ODCM directly.
//!
//! A *round* looks at the Space, plans and does the steps. While steps run, inputs are taken: a newer revision that takes
//! something away ends the round between two items, and the next round begins with the removals (rules B1).
//!
//! What its tests must notice is listed in `tests/mutations/agent.toml`.

mod conclude;
mod drift;
mod look;
mod receive;
mod round;
mod sign_in;
mod spool;
mod steps;
mod tell;
#[cfg(test)]
mod tests;

use crate::AgentError;
use crate::clock::{Clock, OdcmTime};
use crate::entropy::Entropy;
use crate::plan::{Noticed, View};
use crate::policy::Policy;
use crate::state::State;
use drift::Repairs;
use odcm_space_plugin::{Description, SpaceAdapter};
use odcm_wire::latest::{AccessState, FromAgent, FromServer, Millis, Position};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use steps::Retry;
use tell::Told;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How often the agent looks and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two looks at the teams and at what events name.
    pub tick: Duration,
    /// Between two full reads.
    pub full: Duration,
    /// First waiting time after a failure; it doubles.
    pub retry_first: Duration,
    /// Longest waiting time after failures.
    pub retry_most: Duration,
    /// Repairs of one item are counted over this time (rules B6) …
    pub repair_window: Duration,
    /// … and after so many, additions to it pause.
    pub repairs: usize,
    /// Steps under way at once (rules B10).
    pub at_once: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(10),
            full: Duration::from_secs(300),
            retry_first: Duration::from_secs(1),
            retry_most: Duration::from_secs(300),
            repair_window: Duration::from_secs(600),
            repairs: 3,
            at_once: 4,
        }
    }
}

/// An accepted connection.
pub struct Connection {
    /// Fencing number (rules B5).
    pub epoch: u64,
    /// Time of ODCM.
    pub now: Millis,
    /// The version in use.
    pub wire_version: u32,
    /// Where messages to ODCM go. Unbounded: the link drops it when ODCM stops reading.
    pub out: mpsc::UnboundedSender<FromAgent>,
}

/// What the engine is told.
pub enum Input {
    /// The link needs the positions and the floor of the wire version for its hello.
    Standing(oneshot::Sender<Standing>),
    /// ODCM accepted the connection.
    Connected(Connection),
    /// ODCM said something.
    Message(FromServer),
    /// The connection is gone.
    Disconnected,
    /// ODCM refuses this agent, or another one took its place: with the sentence that it gave.
    Refused(String),
}

/// What a hello says about the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The last applied revisions.
    pub positions: Vec<Position>,
    /// Wire version used last.
    pub floor: u32,
    /// Id of the newest fleet key.
    pub fleet_key: String,
}

/// What an engine is made of.
pub struct Parts {
    /// The Space.
    pub adapter: Arc<dyn SpaceAdapter>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The loaded state.
    pub state: State,
    /// The local policy.
    pub policy: Policy,
    /// How often it looks and retries.
    pub timing: Timing,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To its end.
    Done,
    /// Given up for something more urgent, or because the Space cannot be reached.
    Broken,
}

/// The agent's one task.
pub struct Engine {
    adapter: Arc<dyn SpaceAdapter>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: State,
    policy: Policy,
    timing: Timing,

    time: OdcmTime,
    valid_until: Millis,
    connection: Option<Connection>,
    inbox_closed: bool,

    /// The last look; `None` before the first full one.
    view: Option<View>,
    description: Option<Description>,
    seen_at: Millis,
    /// The state that the last complete round enforced.
    enforced: Option<Arc<AccessState>>,
    was_shut: bool,
    /// The next instant at which an entry of the accepted state begins or ends to hold.
    boundary: Option<Millis>,
    /// A revision that takes something away arrived during a round.
    urgent: bool,
    /// Look at everything in the next round.
    look_at_all: bool,
    next_tick: Duration,
    next_full: Duration,
    /// Not before: the Space could not be looked at.
    look_after: Option<Duration>,
    look_failures: u32,
    /// Received at, for `took_ms`.
    received: [Option<Duration>; 2],

    retries: BTreeMap<String, Retry>,
    noticed: BTreeMap<String, Noticed>,
    who: BTreeMap<String, String>,
    repairs: Repairs,
    key_counts: BTreeMap<String, Option<u32>>,
    /// Teams of candidates, those through external groups among them.
    teams_of: BTreeMap<String, BTreeSet<String>>,

    sign_in: sign_in::Progress,
    probes: JoinSet<Option<String>>,

    told: Told,
    alarms: BTreeMap<String, Duration>,
    /// Something could not be stored: nothing is added and nothing acknowledged until it can.
    unsaved: bool,
    beats: u64,
    /// For each spooled report that was sent on this connection: the number of heartbeats heard before.
    spool_sent: Vec<u64>,
    anchor_saved: Option<Duration>,
}

impl Engine {
    /// Builds an engine; nothing happens before [`Self::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { adapter, clock, entropy, state, policy, timing } = parts;
        let spread = crate::entropy::jitter(&*entropy, timing.full);
        let now = clock.monotonic();
        Self {
            time: OdcmTime::new(state.anchor),
            valid_until: state.anchor.map_or(0, |a| a.valid_until),
            connection: None,
            inbox_closed: false,
            view: None,
            description: None,
            seen_at: 0,
            enforced: None,
            was_shut: false,
            boundary: None,
            urgent: false,
            look_at_all: true,
            next_tick: now,
            // The first full read is at once; the later ones are spread over the agents of a fleet.
            next_full: now + spread,
            look_after: None,
            look_failures: 0,
            received: [None, None],
            retries: BTreeMap::new(),
            noticed: BTreeMap::new(),
            who: BTreeMap::new(),
            repairs: Repairs::default(),
            key_counts: BTreeMap::new(),
            teams_of: BTreeMap::new(),
            sign_in: sign_in::Progress::default(),
            probes: JoinSet::new(),
            told: Told::default(),
            alarms: BTreeMap::new(),
            unsaved: false,
            beats: 0,
            spool_sent: Vec::new(),
            anchor_saved: None,
            adapter,
            clock,
            entropy,
            state,
            policy,
            timing,
        }
    }

    /// Works until `shutdown` is ready or the other end of `inbox` is dropped.
    ///
    /// # Errors
    /// [`AgentError`] when what ODCM may not have yet cannot be stored at the end.
    pub async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Input>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), AgentError> {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let wait = self.until_due();
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                input = inbox.recv() => match input {
                    Some(input) => self.receive(input),
                    None => break,
                },
                Some(probe) = self.probes.join_next() => self.probed(probe.ok().flatten()),
                () = tokio::time::sleep(wait) => {}
            }
            // Coalesce what is there already (rules B1).
            while let Ok(input) = inbox.try_recv() {
                self.receive(input);
            }
            // A round may be cut anywhere: what was begun is stored before it is begun.
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = self.work(&mut inbox) => {}
            }
            if self.inbox_closed {
                break;
            }
        }
        self.keep_spool(true)?;
        self.state.save_records()
    }

    /// The clock of the host.
    fn mono(&self) -> Duration {
        self.clock.monotonic()
    }

    /// ODCM's time.
    fn now(&self) -> Millis {
        self.time.now(&*self.clock)
    }

    /// Whether the agent may give access: it can store what it begins, and ODCM did not refuse it (rules B5).
    fn may_add(&self) -> bool {
        !self.unsaved && self.state.floor.refused.is_none()
    }

    /// Notes whether something could be stored. While it cannot, removals go on and additions wait.
    fn stored(&mut self, result: Result<(), AgentError>) -> bool {
        match result {
            Ok(()) => true,
            Err(e) => {
                self.unsaved = true;
                self.alarm("state", format!("the agent cannot store its state: {e}"));
                false
            }
        }
    }
}
