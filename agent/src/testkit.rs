//! What the tests of this crate share: ODCM played by hand, a store in memory, a Space whose agent can die at any step.

use crate::AgentError;
use crate::clock::Clock;
use crate::engine::{Connection, Engine, Input, Parts, Standing, Timing};
use crate::entropy::Entropy;
use crate::keys::AgentKey;
use crate::policy::Policy;
use crate::state::{Enrolment, State, Store};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use odcm_space_plugin::fake::FakeSpace;
use odcm_space_plugin::{
    Account, AccountChange, AdapterError, ApiKey, AuthenticationSeen, AuthenticationSetUp, Backup, Change, Description,
    MemberChange, NewAccount, Provider, Result, SpaceAdapter, Team, Teams,
};
use odcm_wire::latest::{
    AccessState, Ack, AuthenticationState, Body, Document, FleetKey, FromAgent, FromServer, Group, Heartbeat, Inheritance,
    Interval, Millis, Offline, Person, ReportKind, Section, SignedDocument, SignedSuccession, Succession, VERSION,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// ODCM's time when a test starts.
pub const START: Millis = 1_700_000_000_000;

/// Tokio's clock, which tests pause.
pub struct TestClock(tokio::time::Instant);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
    fn wall(&self) -> Millis {
        START + Millis::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// The same numbers in every run.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) -> std::result::Result<(), AgentError> {
        for chunk in out.chunks_mut(32) {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            let digest = odcm_wire::Digest::of(&n.to_be_bytes());
            chunk.copy_from_slice(&digest.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Counts the agent's acts on the world and ends it at one of them.
#[derive(Clone, Default)]
pub struct Fate(Arc<Mutex<FateState>>, Arc<Notify>);

#[derive(Default)]
struct FateState {
    acts: u64,
    dies_at: Option<u64>,
    dead: bool,
}

impl Fate {
    /// The agent dies at act `n` from now on: an even number before it has an effect, an odd one after.
    pub fn die_at(&self, n: Option<u64>) {
        *self.0.lock().unwrap() = FateState { acts: 0, dies_at: n, dead: false };
    }

    /// Whether it died.
    pub fn dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    pub async fn death(&self) {
        self.1.notified().await;
    }

    /// Half an act; `true` while alive.
    fn half(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        if !state.dead && state.dies_at == Some(state.acts) {
            state.dead = true;
            self.1.notify_one();
        }
        state.acts += 1;
        !state.dead
    }

    async fn half_or_hang(&self) {
        if !self.half() {
            std::future::pending::<()>().await;
        }
    }
}

/// A folder in memory. Clones are the same folder, so a restarted agent finds it.
#[derive(Clone, Default)]
pub struct Memory {
    pieces: Arc<Mutex<BTreeMap<String, String>>>,
    pub fate: Fate,
    pub full: Arc<std::sync::atomic::AtomicBool>,
}

impl Memory {
    pub fn piece(&self, name: &str) -> Option<String> {
        self.pieces.lock().unwrap().get(name).cloned()
    }

    pub fn put(&self, name: &str, text: &str) {
        self.pieces.lock().unwrap().insert(name.into(), text.into());
    }
}

impl Store for Memory {
    fn load(&self, name: &str) -> std::result::Result<Option<String>, AgentError> {
        Ok(self.piece(name))
    }

    fn save(&mut self, name: &str, text: &str) -> std::result::Result<(), AgentError> {
        let broken = || AgentError::Io { path: name.into(), source: std::io::Error::other("no room") };
        if self.full.load(Ordering::Relaxed) || !self.fate.half() {
            return Err(broken());
        }
        self.put(name, text);
        if self.fate.half() { Ok(()) } else { Err(broken()) }
    }

    fn remove(&mut self, name: &str) -> std::result::Result<(), AgentError> {
        self.pieces.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A Space through which the agent can die.
pub struct Mortal(pub FakeSpace, pub Fate);

macro_rules! act {
    ($self:ident, $call:expr) => {{
        $self.1.half_or_hang().await;
        let result = $call.await;
        $self.1.half_or_hang().await;
        result
    }};
}

#[async_trait]
impl SpaceAdapter for Mortal {
    async fn describe(&self) -> Result<Description> {
        self.0.describe().await
    }
    async fn provider(&self) -> Result<Provider> {
        self.0.provider().await
    }
    async fn authentication(&self) -> Result<AuthenticationSeen> {
        self.0.authentication().await
    }
    async fn set_authentication(&self, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen> {
        act!(self, self.0.set_authentication(set_up))
    }
    async fn back_up_authentication(&self, issuer: &str) -> Result<Backup> {
        act!(self, self.0.back_up_authentication(issuer))
    }
    async fn restore_authentication(&self, backup: &Backup) -> Result<()> {
        self.0.restore_authentication(backup).await
    }
    async fn probe_sign_in(&self, code: &str) -> Result<()> {
        self.0.probe_sign_in(code).await
    }
    async fn accounts(&self) -> Result<Vec<Account>> {
        self.0.accounts().await
    }
    async fn account(&self, id: &str) -> Result<Option<Account>> {
        self.0.account(id).await
    }
    async fn create_account(&self, new: &NewAccount) -> Result<Account> {
        act!(self, self.0.create_account(new))
    }
    async fn change_account(&self, id: &str, change: &AccountChange) -> Result<Account> {
        act!(self, self.0.change_account(id, change))
    }
    async fn api_keys(&self, account: &str) -> Result<Vec<ApiKey>> {
        self.0.api_keys(account).await
    }
    async fn delete_api_key(&self, account: &str, key: &str) -> Result<()> {
        act!(self, self.0.delete_api_key(account, key))
    }
    async fn end_sessions(&self, account: &str) -> Result<()> {
        act!(self, self.0.end_sessions(account))
    }
    async fn created_service_accounts(&self, account: &str) -> Result<Vec<Account>> {
        self.0.created_service_accounts(account).await
    }
    async fn teams_of(&self, account: &str) -> Result<BTreeSet<String>> {
        self.0.teams_of(account).await
    }
    async fn teams(&self) -> Result<Teams> {
        self.0.teams().await
    }
    async fn team(&self, id: &str) -> Result<Option<Team>> {
        self.0.team(id).await
    }
    async fn change_members(&self, team: &str, change: &MemberChange) -> Result<Team> {
        act!(self, self.0.change_members(team, change))
    }
    async fn changes_since(&self, cursor: Option<&str>) -> Result<(Vec<Change>, String)> {
        self.0.changes_since(cursor).await
    }
}

/// ODCM, played by hand: it signs what the test wants.
pub struct Odcm {
    pub key: AgentKey,
    pub key_id: String,
    pub epoch: u64,
    pub revision: u64,
    pub template: Document,
    /// What it knows of an earlier agent; goes with every snapshot.
    pub inheritance: Inheritance,
}

impl Odcm {
    pub fn new(installation: &str) -> Self {
        let (key, _) = AgentKey::generate(&Counting(AtomicU64::new(1_000_000))).unwrap();
        let template = Document {
            wire: VERSION,
            deployment: "deployment-1".into(),
            space: "space-1".into(),
            section: Section::Access,
            epoch: 1,
            revision: 1,
            base_revision: None,
            issued_at: START,
            valid_until: START,
            offline: Offline::Keep,
            installation_id: installation.into(),
            confirmation: None,
            state_digest: odcm_wire::Digest::of(b""),
            body: Body::Unknown,
        };
        Self { key, key_id: "fleet-1".into(), epoch: 1, revision: 0, template, inheritance: Inheritance::default() }
    }

    pub fn sign(&self, document: &Document) -> SignedDocument {
        document.seal(&self.key_id, |bytes| BASE64.decode(self.key.sign(bytes)).unwrap()).unwrap()
    }

    /// Whatever text, signed as a document.
    pub fn sign_text(&self, payload: String) -> SignedDocument {
        let bytes = [b"odcm-document-v1\0".as_slice(), payload.as_bytes()].concat();
        SignedDocument { payload, key_id: self.key_id.clone(), signature: self.key.sign(&bytes) }
    }

    /// The next fleet key, announced by the present one; from now on it signs.
    pub fn roll(&mut self, key_id: &str, previous_until: Millis) -> SignedSuccession {
        let seed = self.key_id.len() as u64 + key_id.bytes().map(u64::from).sum::<u64>() * 1000;
        let (key, _) = AgentKey::generate(&Counting(AtomicU64::new(seed))).unwrap();
        let next = FleetKey { key_id: key_id.into(), public_key: key.public() };
        let (deployment, previous) = (self.template.deployment.clone(), self.key_id.clone());
        let said = Succession { deployment, previous, next, announced_at: START, previous_until };
        let signed = said.seal(|bytes| BASE64.decode(self.key.sign(bytes)).unwrap()).unwrap();
        (self.key, self.key_id) = (key, key_id.into());
        signed
    }

    /// The next revision, as a snapshot.
    pub fn snapshot(&mut self, state: &AccessState) -> SignedDocument {
        self.revision += 1;
        let document = Document {
            epoch: self.epoch,
            revision: self.revision,
            state_digest: state.digest().unwrap(),
            body: Body::AccessSnapshot { state: state.clone(), inheritance: self.inheritance.clone() },
            ..self.template.clone()
        };
        self.sign(&document)
    }

    /// The next revision, as a delta from an earlier one.
    pub fn delta(&mut self, base: u64, from: &AccessState, to: &AccessState) -> SignedDocument {
        self.revision += 1;
        let document = Document {
            epoch: self.epoch,
            revision: self.revision,
            base_revision: Some(base),
            state_digest: to.digest().unwrap(),
            body: Body::AccessDelta { delta: from.diff(to) },
            ..self.template.clone()
        };
        self.sign(&document)
    }

    /// Section *authentication*.
    pub fn authentication(&self, revision: u64, generation: u64) -> SignedDocument {
        let state = AuthenticationState {
            issuer: "http://localhost:8080".into(),
            client_id: "space-1".into(),
            display_name: "ODCM".into(),
            secret_generation: generation,
        };
        self.sign(&Document {
            section: Section::Authentication,
            epoch: self.epoch,
            revision,
            state_digest: state.digest().unwrap(),
            body: Body::AuthenticationSnapshot { state },
            ..self.template.clone()
        })
    }
}

/// A person named after the id.
pub fn person(id: &str) -> Person {
    Person {
        username: id.into(),
        email: format!("{id}@x.example"),
        display_name: id.to_uppercase(),
        interval: Interval::default(),
        adoption: None,
    }
}

/// A state: people, and groups with members.
pub fn state(people: &[&str], groups: &[(&str, &[&str])]) -> AccessState {
    let mut state = AccessState { revoke_api_keys: true, ..AccessState::default() };
    for id in people {
        state.people.insert((*id).to_owned(), person(id));
    }
    for (id, members) in groups {
        let members = members.iter().map(|m| ((*m).to_owned(), Interval::default())).collect();
        state.groups.insert((*id).to_owned(), Group { name: format!("Group {id}"), members });
    }
    state
}

pub fn enrolment(odcm: &Odcm, installation: &str) -> Enrolment {
    let (_, seed) = AgentKey::generate(&Counting::default()).unwrap();
    Enrolment {
        agent: "agent-1".into(),
        space: "space-1".into(),
        space_name: "Mars".into(),
        deployment: "deployment-1".into(),
        server_url: "http://localhost:8080".into(),
        origin: "http://localhost:8080".into(),
        fleet_keys: vec![FleetKey { key_id: "fleet-1".into(), public_key: odcm.key.public() }],
        installation_id: installation.into(),
        base_url: "http://mars.localhost:8091".into(),
        octopus_url: "http://mars.localhost:8091".into(),
        octopus_key_file: "/nowhere".into(),
        ca_file: None,
        proxy: None,
        octopus_ca_file: None,
        octopus_proxy: None,
        octopus_plain_http: false,
        private_key: seed,
    }
}

/// An agent between a Space in memory and an ODCM played by hand.
pub struct Rig {
    pub space: FakeSpace,
    pub memory: Memory,
    pub fate: Fate,
    pub odcm: Odcm,
    pub policy: Policy,
    pub timing: Timing,
    pub clock: Arc<TestClock>,
    pub entropy: Arc<Counting>,
    pub connections: u64,
    pub heard: Vec<FromAgent>,
    input: Option<mpsc::Sender<Input>>,
    output: Option<mpsc::UnboundedReceiver<FromAgent>>,
    engine: Option<JoinHandle<()>>,
}

impl Rig {
    pub fn new() -> Self {
        Self::on(FakeSpace::new("installation-1"))
    }

    pub fn on(space: FakeSpace) -> Self {
        let odcm = Odcm::new("installation-1");
        let fate = Fate::default();
        let mut memory = Memory { fate: fate.clone(), ..Memory::default() };
        State::enrol(&mut memory, &enrolment(&odcm, "installation-1")).unwrap();
        Self {
            space,
            memory,
            fate,
            odcm,
            policy: Policy::default(),
            timing: Timing::default(),
            clock: TestClock::new(),
            entropy: Arc::default(),
            connections: 0,
            heard: Vec::new(),
            input: None,
            output: None,
            engine: None,
        }
    }

    /// Starts the agent, not connected.
    pub fn start(&mut self) {
        let parts = Parts {
            adapter: Arc::new(Mortal(self.space.clone(), self.fate.clone())),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            state: State::open(Box::new(self.memory.clone())).unwrap(),
            policy: self.policy.clone(),
            timing: self.timing,
        };
        let (input, inbox) = mpsc::channel(4);
        let engine = Engine::new(parts);
        self.input = Some(input);
        self.engine = Some(tokio::spawn(async move {
            // Dying is part of some tests.
            let _ = engine.run(inbox, std::future::pending()).await;
        }));
    }

    /// Starts the agent with a connection.
    pub async fn go(&mut self) {
        self.start();
        self.connect().await;
    }

    pub async fn send(&self, input: Input) {
        // A dead agent hears nothing.
        let _ = self.input.as_ref().unwrap().send(input).await;
    }

    /// Where the engine takes its inputs.
    pub fn inputs(&self) -> mpsc::Sender<Input> {
        self.input.clone().unwrap()
    }

    pub async fn say(&self, document: &SignedDocument) {
        self.send(Input::Message(FromServer::Document(document.clone()))).await;
    }

    pub async fn standing(&self) -> Standing {
        let (ask, answer) = oneshot::channel();
        self.send(Input::Standing(ask)).await;
        answer.await.unwrap()
    }

    pub fn now(&self) -> Millis {
        self.clock.wall()
    }

    pub async fn connect(&mut self) {
        self.connections += 1;
        let (out, output) = mpsc::unbounded_channel();
        self.output = Some(output);
        self.send(Input::Connected(Connection { epoch: self.connections, now: self.now(), wire_version: 1, out })).await;
    }

    pub async fn disconnect(&mut self) {
        self.listen();
        self.output = None;
        self.send(Input::Disconnected).await;
    }

    pub async fn heartbeat(&self) {
        let (now, valid_until) = (self.now(), self.now() + 3_600_000);
        self.send(Input::Message(FromServer::Heartbeat(Heartbeat { now, valid_until }))).await;
    }

    /// Ends the agent without a word, as a power cut would.
    pub async fn kill(&mut self) {
        self.listen();
        self.output = None;
        self.input = None;
        if let Some(engine) = self.engine.take() {
            engine.abort();
            // Aborted or done, it is over.
            let _ = engine.await;
        }
        self.fate.die_at(None);
    }

    /// Takes what the agent said so far.
    pub fn listen(&mut self) {
        while let Some(message) = self.output.as_mut().and_then(|o| o.try_recv().ok()) {
            self.heard.push(message);
        }
    }

    /// Lets time pass.
    pub async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        self.listen();
    }

    /// Waits for the acknowledgement of the newest access revision.
    pub async fn acked(&mut self) -> Ack {
        let revision = self.odcm.revision;
        self.heard_ack(Section::Access, revision).await
    }

    pub async fn heard_ack(&mut self, section: Section, revision: u64) -> Ack {
        let find = |message: &FromAgent| match message {
            FromAgent::Ack(ack) if ack.section == section && ack.revision == revision => Some(ack.clone()),
            _ => None,
        };
        self.listen();
        if let Some(ack) = self.heard.iter().rev().find_map(find) {
            return ack;
        }
        let wait = async {
            loop {
                let message = self.output.as_mut().unwrap().recv().await.expect("the agent is gone");
                self.heard.push(message.clone());
                if let Some(ack) = find(&message) {
                    return ack;
                }
            }
        };
        let result = tokio::time::timeout(Duration::from_secs(3600), wait).await;
        result.unwrap_or_else(|_| panic!("no acknowledgement of {section:?} {revision}: {:#?}", self.heard))
    }

    /// Sends a snapshot of `state` and waits until it is acknowledged.
    pub async fn apply(&mut self, state: &AccessState) -> Ack {
        let document = self.odcm.snapshot(state);
        self.say(&document).await;
        self.acked().await
    }

    /// Sends the difference and waits until it is acknowledged.
    pub async fn change(&mut self, from: &AccessState, to: &AccessState) -> Ack {
        let document = self.odcm.delta(self.odcm.revision, from, to);
        self.say(&document).await;
        self.acked().await
    }

    /// Everything reported so far.
    pub fn reports(&mut self) -> Vec<ReportKind> {
        self.listen();
        let of = |m: &FromAgent| match m {
            FromAgent::Report(report) => Some(report.what.clone()),
            _ => None,
        };
        self.heard.iter().filter_map(of).collect()
    }

    /// Codes of all alarms so far.
    pub fn alarms(&mut self) -> Vec<String> {
        let of = |r: ReportKind| match r {
            ReportKind::Alarm(alarm) => Some(alarm.code),
            _ => None,
        };
        self.reports().into_iter().filter_map(of).collect()
    }

    /// A team bound to a group.
    pub fn team(&self, name: &str, group: &str) -> String {
        let id = self.space.create_team(name, None);
        self.space.bind_group(&id, group, name).unwrap();
        id
    }

    /// User names of a team's members.
    pub fn members(&self, team: &str) -> Vec<String> {
        let Some(team) = self.space.look_at_team(team) else { return Vec::new() };
        let mut names: Vec<String> =
            team.members.iter().filter_map(|a| self.space.look_at_account(a)).map(|a| a.username).collect();
        names.sort();
        names
    }

    pub fn active(&self, username: &str) -> Option<bool> {
        self.space.find_account(username).map(|a| a.active)
    }

    pub fn id(&self, username: &str) -> String {
        self.space.find_account(username).unwrap().id
    }
}

/// An error that goes away.
pub fn busy() -> AdapterError {
    AdapterError::Unavailable { message: "busy".into(), retry_after_ms: None }
}
