//! A server on a loopback port, people and Spaces to play with, and a raw agent.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::{SinkExt, StreamExt};
use odcm::accounts::{agents, grants, groups, memberships, people, spaces};
use odcm::config::{PublicUrl, Settings};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{GrantId, GroupId, PersonId, SpaceId};
use odcm::core::policy::Actor;
use odcm::core::text::{DisplayName, Email, Slug, Username};
use odcm::deps::Deps;
use odcm::push::Push;
use odcm::storage::groups::GroupKind;
use odcm::storage::spaces::OfflinePolicy;
use odcm::testing::{TestDeps, deps_in_real_time, deps_with};
use odcm_wire::Digest;
use odcm_wire::latest::{
    AccessState, Ack, Alarm, Body as DocumentBody, Document, EnrolmentAccepted, EnrolmentRequest, FromAgent, FromServer, Hello,
    Position, Proof, Refused, Report, ReportKind, Section, SignedDocument, Welcome, proof_bytes,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tower::ServiceExt;

/// Nothing here takes longer on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// ODCM's origin in these tests, "as the agent dialled it".
pub const ORIGIN: &str = "https://id.example.com";

/// A server with its push channel.
pub struct Server {
    pub deps: TestDeps,
    pub push: Push,
    pub router: Router,
    pub address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What a Space of the tests consists of.
pub struct Mars {
    pub space: SpaceId,
    pub group: GroupId,
    pub person: PersonId,
    pub agent: Agent,
}

impl Server {
    /// With tasks of its own: changes travel by themselves.
    pub async fn start() -> Self {
        Self::with(|_| {}, Push::start).await
    }

    /// Without: the test says when the projector works.
    pub async fn idle() -> Self {
        Self::with(|_| {}, Push::idle).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings), push: impl FnOnce(Deps) -> Push) -> Self {
        let deps = deps_with(change).await;
        Self::over(deps, push).await
    }

    /// With a Space that is projected once: section access stands at revision 1. Changes travel by themselves.
    pub async fn with_mars(change: impl FnOnce(&mut Settings)) -> (Self, Mars) {
        let before = Self::with(change, Push::idle).await;
        let mars = before.mars().await;
        before.push.project_once().await.unwrap();
        before.push.shutdown().await;
        (Self::over(before.deps.clone(), Push::start).await, mars)
    }

    /// A node over a database that may be shared.
    pub async fn over(deps: TestDeps, push: impl FnOnce(Deps) -> Push) -> Self {
        Self::on(listener().await, deps, push)
    }

    /// In real time, under the address at which it can really be reached: for whole agents.
    pub async fn reachable(change: impl FnOnce(&mut Settings)) -> Self {
        let listener = listener().await;
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let deps = deps_in_real_time(|s| {
            s.public = PublicUrl::parse(&url).unwrap();
            change(s);
        })
        .await;
        Self::on(listener, deps, Push::start)
    }

    fn on(listener: TcpListener, deps: TestDeps, push: impl FnOnce(Deps) -> Push) -> Self {
        let push = push(deps.deps.clone());
        let rooms = push.routes().merge(odcm::pages::routes()).merge(odcm::protocols::routes());
        let router = rooms.with_state(deps.deps.clone());
        let address = listener.local_addr().unwrap();
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { deps, push, router, address, serving }
    }

    pub fn deps(&self) -> &Deps {
        &self.deps.deps
    }

    pub async fn space(&self, name: &str) -> SpaceId {
        let new = spaces::NewSpace {
            name: DisplayName::parse("name", name).unwrap(),
            slug: Slug::parse(&name.to_lowercase()).unwrap(),
            base_url: format!("https://{}.example.com", name.to_lowercase()),
            description: String::new(),
            offline_policy: OfflinePolicy::Keep,
            revoke_api_keys: true,
        };
        spaces::enlist(self.deps(), &admin(), new).await.unwrap()
    }

    pub async fn person(&self, name: &str) -> PersonId {
        let new = people::NewPerson {
            username: Username::parse(name).unwrap(),
            display_name: DisplayName::parse("display_name", &format!("{name} Example")).unwrap(),
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            email_verified: true,
            reuse_former_names: false,
            password_link: false,
        };
        people::create(self.deps(), &admin(), new).await.unwrap().id
    }

    pub async fn group(&self, name: &str) -> GroupId {
        let new = groups::NewGroup {
            name: DisplayName::parse("name", name).unwrap(),
            description: String::new(),
            kind: GroupKind::Local,
        };
        groups::create(self.deps(), &admin(), new).await.unwrap()
    }

    pub async fn join(&self, group: &GroupId, person: &PersonId) {
        self.join_for(group, person, Span::default()).await;
    }

    pub async fn join_for(&self, group: &GroupId, person: &PersonId, span: Span) {
        memberships::add(self.deps(), &admin(), group, &Subject::Person(person.clone()), span).await.unwrap();
    }

    pub async fn leave(&self, group: &GroupId, person: &PersonId) {
        memberships::remove(self.deps(), &admin(), group, &Subject::Person(person.clone())).await.unwrap();
    }

    pub async fn grant(&self, space: &SpaceId, group: &GroupId) -> GrantId {
        grants::add(self.deps(), &admin(), space, &Subject::Group(group.clone()), Span::default()).await.unwrap()
    }

    /// A Space with a granted group, one person in it, and an enrolled agent.
    pub async fn mars(&self) -> Mars {
        let space = self.space("Mars").await;
        let group = self.group("Developers").await;
        let person = self.person("dana").await;
        self.join(&group, &person).await;
        self.grant(&space, &group).await;
        let agent = self.enrol(&space, "installation-mars").await;
        Mars { space, group, person, agent }
    }

    pub async fn code(&self, space: &SpaceId) -> String {
        agents::create_enrolment_code(self.deps(), &admin(), space).await.unwrap().code
    }

    /// `POST /agent/v1/enrol`: status and body.
    pub async fn post_enrolment(&self, body: impl Into<Body>) -> (u16, serde_json::Value) {
        let request = Request::post("/agent/v1/enrol").header("content-type", "application/json").body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub async fn enrol(&self, space: &SpaceId, installation: &str) -> Agent {
        let key = fresh_key();
        let request = enrolment(&self.code(space).await, &key, installation);
        let (status, body) = self.post_enrolment(serde_json::to_string(&request).unwrap()).await;
        assert_eq!(status, 200, "{body}");
        let accepted: EnrolmentAccepted = serde_json::from_value(body).unwrap();
        assert_eq!(accepted.origin, ORIGIN);
        Agent { key, accepted, installation: installation.into(), base_url: request.base_url, positions: Vec::new() }
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub fn admin() -> Actor {
    Actor::system("test")
}

pub fn fresh_key() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().unwrap()
}

pub fn enrolment(code: &str, key: &Ed25519KeyPair, installation: &str) -> EnrolmentRequest {
    EnrolmentRequest {
        code: code.into(),
        public_key: BASE64.encode(key.public_key().as_ref()),
        installation_id: installation.into(),
        base_url: format!("https://{}.example.com", installation.trim_start_matches("installation-")),
        server_version: "2025.4.1".into(),
        capabilities: vec!["generic_oidc".into()],
        agent_version: "0.1.0".into(),
    }
}

/// An enrolled agent.
pub struct Agent {
    pub key: Ed25519KeyPair,
    pub accepted: EnrolmentAccepted,
    pub installation: String,
    pub base_url: String,
    /// Where it says it stands.
    pub positions: Vec<Position>,
}

type ChangeHello<'a> = Box<dyn Fn(&mut Hello) + Send + Sync + 'a>;
type ChangeText<'a> = Box<dyn Fn(&str) -> String + Send + Sync + 'a>;

/// What a dishonest agent changes.
#[derive(Default)]
pub struct Twist<'a> {
    /// The hello, before it is written and signed.
    pub hello: Option<ChangeHello<'a>>,
    /// The hello as sent; what was signed is the honest one.
    pub sent_hello: Option<ChangeText<'a>>,
    /// The challenge that is signed instead of the one received.
    pub challenge: Option<String>,
    /// The origin that is signed.
    pub origin: Option<&'a str>,
    /// The key that signs.
    pub key: Option<&'a Ed25519KeyPair>,
    /// A proof heard earlier.
    pub replay: Option<(String, String)>,
}

/// A connection.
pub struct Session {
    pub ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub challenge: String,
    pub hello: String,
    pub proof: String,
    pub epoch: u64,
    pub heartbeat_ms: u64,
    /// Answers heartbeats while it waits for messages, as an agent does.
    pub lively: bool,
}

impl Agent {
    pub async fn connect(&self, server: &Server) -> Session {
        self.try_connect(server, Twist::default()).await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    pub async fn try_connect(&self, server: &Server, twist: Twist<'_>) -> Result<Session, Refused> {
        let url = format!("ws://{}/agent/v1/connect", server.address);
        let (mut ws, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let challenge = next_text(&mut ws).await.unwrap();
        let FromServer::Challenge(_) = serde_json::from_str(&challenge).unwrap() else { panic!("{challenge}") };
        let mut hello = Hello {
            wire_versions: odcm_wire::VERSIONS.to_vec(),
            wire_version: odcm_wire::v1::VERSION,
            agent: self.accepted.agent.clone(),
            space: self.accepted.space.clone(),
            nonce: BASE64.encode([7u8; 32]),
            installation_id: self.installation.clone(),
            base_url: self.base_url.clone(),
            server_version: "2025.4.1".into(),
            agent_version: "0.1.0".into(),
            capabilities: vec!["generic_oidc".into()],
            positions: self.positions.clone(),
            fleet_key: self.accepted.fleet_keys.last().map(|key| key.key_id.clone()),
        };
        if let Some(change) = &twist.hello {
            change(&mut hello);
        }
        let text = serde_json::to_string(&FromAgent::Hello(hello.clone())).unwrap();
        let signed = twist.challenge.as_deref().unwrap_or(&challenge);
        let origin = twist.origin.unwrap_or(ORIGIN);
        let bytes = proof_bytes(signed, &text, &self.accepted.deployment, origin, hello.wire_version);
        let signature = BASE64.encode(twist.key.unwrap_or(&self.key).sign(&bytes).as_ref());
        let mut proof = serde_json::to_string(&FromAgent::Proof(Proof { signature })).unwrap();
        let mut sent = twist.sent_hello.as_ref().map_or(text.clone(), |change| change(&text));
        if let Some((old_hello, old_proof)) = twist.replay {
            (sent, proof) = (old_hello, old_proof);
        }
        ws.send(Message::text(sent.clone())).await.unwrap();
        // The server may have hung up already.
        let _ = ws.send(Message::text(proof.clone())).await;
        match serde_json::from_str(&next_text(&mut ws).await.unwrap()).unwrap() {
            FromServer::Welcome(Welcome { connection_epoch, heartbeat_ms, .. }) => {
                Ok(Session { ws, challenge, hello: sent, proof, epoch: connection_epoch, heartbeat_ms, lively: false })
            }
            FromServer::Refused(refused) => Err(refused),
            other => panic!("{other:?}"),
        }
    }

    /// Checks a document as an agent does.
    pub fn open(&self, signed: &SignedDocument) -> Document {
        let fleet = &self.accepted.fleet_keys[0];
        let public = BASE64.decode(&fleet.public_key).unwrap();
        let document = signed
            .open(|id, bytes, signature| id == fleet.key_id && odcm::crypto::jose::ed25519_verifies(&public, bytes, signature))
            .unwrap();
        assert_eq!(document.deployment, self.accepted.deployment);
        assert_eq!(document.space, self.accepted.space);
        assert_eq!(document.installation_id, self.installation);
        document
    }
}

async fn next_text(ws: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<String> {
    loop {
        match tokio::time::timeout(PATIENCE, ws.next()).await.expect("the server is silent")? {
            Ok(Message::Text(text)) => return Some(text.to_string()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

impl Session {
    /// The next message, `None` at the end.
    pub async fn next(&mut self) -> Option<FromServer> {
        let message = serde_json::from_str(&next_text(&mut self.ws).await?).unwrap();
        if let (true, FromServer::Heartbeat(_)) = (self.lively, &message) {
            self.send(&FromAgent::Alive { connection_epoch: self.epoch }).await;
        }
        Some(message)
    }

    /// The next document of a section.
    pub async fn document(&mut self, section: Section) -> SignedDocument {
        loop {
            match self.next().await.expect("a document") {
                FromServer::Document(signed) => {
                    let document: Document = serde_json::from_str(&signed.payload).unwrap();
                    if document.section == section {
                        return signed;
                    }
                }
                FromServer::Heartbeat(_) | FromServer::Probe(_) | FromServer::SecretStored { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// How it ends.
    pub async fn refusal(&mut self) -> Option<Refused> {
        while let Some(message) = self.next().await {
            if let FromServer::Refused(refused) = message {
                return Some(refused);
            }
        }
        None
    }

    /// Nothing but heartbeats for a while.
    pub async fn silence(&mut self, ms: u64) {
        let quiet = async {
            loop {
                match self.next().await {
                    Some(FromServer::Heartbeat(_) | FromServer::Probe(_)) => {}
                    other => return other,
                }
            }
        };
        if let Ok(message) = tokio::time::timeout(Duration::from_millis(ms), quiet).await {
            panic!("expected silence, got {message:?}");
        }
    }

    pub async fn send(&mut self, message: &FromAgent) {
        self.say(serde_json::to_string(message).unwrap()).await;
    }

    pub async fn say(&mut self, text: String) {
        let _ = self.ws.send(Message::text(text)).await;
    }

    /// An honest acknowledgement of a document.
    pub fn ack_of(&self, signed: &SignedDocument) -> Ack {
        let document: Document = serde_json::from_str(&signed.payload).unwrap();
        Ack {
            section: document.section,
            epoch: document.epoch,
            revision: document.revision,
            doc_digest: signed.digest(),
            connection_epoch: self.epoch,
            took_ms: 3,
            items: Vec::new(),
            links: Vec::new(),
            seen: None,
        }
    }

    pub async fn ack(&mut self, signed: &SignedDocument) {
        let ack = self.ack_of(signed);
        self.send(&FromAgent::Ack(ack)).await;
    }
}

pub fn position(signed: &SignedDocument) -> Position {
    let document: Document = serde_json::from_str(&signed.payload).unwrap();
    Position { section: document.section, epoch: document.epoch, revision: document.revision, doc_digest: Some(signed.digest()) }
}

pub fn snapshot_state(document: &Document) -> &AccessState {
    match &document.body {
        DocumentBody::AccessSnapshot { state, .. } => state,
        other => panic!("{other:?}"),
    }
}

/// The state after a document of section access.
pub fn after(state: &AccessState, document: &Document) -> AccessState {
    let after = match &document.body {
        DocumentBody::AccessSnapshot { state, .. } => state.clone(),
        DocumentBody::AccessDelta { delta } => state.apply(delta),
        other => panic!("{other:?}"),
    };
    assert_eq!(after.digest().unwrap(), document.state_digest);
    after
}

/// Codes of the alarms of a Space, the newest first.
pub async fn alarms(server: &Server, space: &SpaceId) -> Vec<String> {
    let events = odcm::accounts::agent_status::events(server.deps(), &admin(), space, 500).await.unwrap();
    events.iter().filter(|e| e.kind == "alarm").map(|e| e.detail["code"].as_str().unwrap().to_owned()).collect()
}

/// Sends a report.
pub async fn report(session: &mut Session, what: ReportKind) {
    let report = Report { connection_epoch: session.epoch, at: 1, what };
    session.send(&FromAgent::Report(report)).await;
}

/// Everything sent before is stored once the answer to this is here.
pub async fn settled(server: &Server, space: &SpaceId, session: &mut Session) {
    let name = format!("marker-{}", session.epoch);
    let count = || async { alarms(server, space).await.iter().filter(|code| **code == name).count() };
    let before = count().await;
    report(session, ReportKind::Alarm(Alarm { code: name.clone(), message: String::new() })).await;
    until("the marker", || async { count().await > before }).await;
}

pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// Waits until `question` says yes.
pub async fn until<F: Future<Output = bool>>(what: &str, question: impl Fn() -> F) {
    let wait = async {
        while !question().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited in vain: {what}");
}
