//! The agent's one task: owns the state, receives messages, looks, plans, does and tells.
//!
//! May use every room but the link. Inputs come over a channel, answers leave over another that [`Input::Connected`]
//! brings; a connection is therefore nothing but two channels, and tests play ODCM directly.
//!
//! A *round* looks at the Space, plans and does the steps. While steps run, inputs are taken: a newer revision that takes
//! something away ends the round between two items, and the next round begins with the removals (rules B1).
//!
//! ## Hand mutations
//! Each line was or may be tried by hand: the named test fails when the code is changed so.
//!
//! | change | killed by |
//! |---|---|
//! | `Track::judge` takes an older revision | `older_and_forked_documents_are_refused` |
//! | `Track::judge` takes another document of the same revision | `older_and_forked_documents_are_refused` |
//! | `Track::judge` ignores `base_revision` or `state_digest` | `a_delta_counts_only_on_its_base` |
//! | `track::open` skips signature, deployment, Space or installation | `forged_and_foreign_documents_change_nothing` |
//! | `track::open` skips the check when the file is loaded | `a_state_that_was_tampered_with_is_refused` |
//! | `link::handshake` accepts another origin or deployment | `a_relayed_challenge_is_refused` |
//! | the floor of the wire version is dropped | `the_version_never_falls` |
//! | `Plan` does additions before removals | `removals_come_first` |
//! | `receive` does not interrupt for removals | `a_removal_interrupts_additions` |
//! | `settle` forgets who deactivated | `a_local_no_wins`, `the_space_equals_the_formulas` |
//! | `settle` removes unswept members without confirmation | `a_newly_bound_team_is_swept_after_confirmation_only` |
//! | `unlinked` links by e-mail without a decision | `existing_accounts_wait_for_a_decision` |
//! | `Index` counts administrative teams in | `administrator_teams_need_the_local_policy` |
//! | `deactivate` leaves API keys or sessions | `the_last_grant_ends_keys_and_sessions` |
//! | the intent before creating is not stored | `crash_between_any_two_steps` |
//! | the accepted document is not stored before its steps | `crash_between_any_two_steps`, `a_restart_offline_goes_on_with_the_newest` |
//! | `claim` drops an intent on an old picture | `a_lost_answer_and_a_revocation_leave_no_account_behind` |
//! | `settle` sets no cleanup for a new grant or a hand activation | `what_was_made_after_the_loss_dies_with_it` |
//! | `exec::update` activates beside a key that is left | `a_key_that_stays_is_residual_access` |
//! | `may_add` ignores the refusal | `a_refused_agent_gives_nothing_until_it_is_accepted_again` |
//! | `perform` waits for hung steps | `a_hung_addition_keeps_no_removal_waiting` |
//! | `look` believes a list | `a_hole_in_a_list_deletes_nobody` |
//! | `Index` forgets groups that were taken back | `a_group_that_odcm_takes_back_leaves_nobody_in_its_teams` |
//! | `failed_member` looks at retries only | `a_removal_that_the_space_forbids_is_not_called_applied` |
//! | `conclude` acknowledges before the steps | `converges_whatever_the_channel_does` |
//! | the client secret is written before ODCM knows it | `the_secret_is_written_after_its_hash_is_stored` |
//! | the backup is taken after the first write | `restore_auth_brings_the_old_settings_back` |

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
