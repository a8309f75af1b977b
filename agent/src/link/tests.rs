//! The handshake by itself, and a whole connection over loopback.

use super::{Dialler, Facts, HandshakeError, answer};
use crate::engine::{Input, Standing};
use crate::keys::AgentKey;
use crate::state::Enrolment;
use crate::testkit::{Counting, Odcm, TestClock, enrolment};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures_util::{SinkExt as _, StreamExt as _};
use odcm_space_plugin::fake::FakeSpace;
use odcm_wire::latest::{Challenge, FromAgent, FromServer, Heartbeat, Hello, Proof, RefusalCode, Refused, Welcome, proof_bytes};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

fn who() -> Enrolment {
    enrolment(&Odcm::new("installation-1"), "installation-1")
}

fn facts() -> Facts {
    Facts {
        fleet_key: "fleet-1".into(),
        positions: Vec::new(),
        floor: 1,
        installation_id: "installation-1".into(),
        server_version: "2025.4".into(),
        capabilities: vec!["generic_oidc".into()],
    }
}

fn challenge() -> Challenge {
    Challenge {
        wire_versions: vec![1],
        deployment: "deployment-1".into(),
        origin: "http://localhost:8080".into(),
        nonce: BASE64.encode([7; 32]),
        now: 5,
    }
}

fn text(challenge: Challenge) -> String {
    serde_json::to_string(&FromServer::Challenge(challenge)).unwrap()
}

fn respond(challenge_text: &str, facts: &Facts) -> Result<(String, String, u32), HandshakeError> {
    let who = who();
    answer(challenge_text, &who, &AgentKey::from_seed(&who.private_key).unwrap(), facts, &Counting::default())
}

fn verify(challenge: &str, hello: &str, proof: &str, origin: &str) -> bool {
    let who = who();
    let public = BASE64.decode(AgentKey::from_seed(&who.private_key).unwrap().public()).unwrap();
    let Ok(FromAgent::Proof(Proof { signature })) = serde_json::from_str(proof) else { return false };
    let bytes = proof_bytes(challenge, hello, "deployment-1", origin, 1);
    UnparsedPublicKey::new(&ED25519, public).verify(&bytes, &BASE64.decode(signature).unwrap()).is_ok()
}

#[test]
fn the_proof_covers_both_texts_and_the_dialled_origin() {
    let challenge = text(challenge());
    let (hello, proof, version) = respond(&challenge, &facts()).unwrap();
    assert_eq!(version, 1);
    assert!(verify(&challenge, &hello, &proof, "http://localhost:8080"));
    assert!(!verify(&challenge, &hello, &proof, "http://localhost:9090"));
    assert!(!verify(&challenge, &hello.replace("2025.4", "2025.5"), &proof, "http://localhost:8080"));
    assert!(!verify(&challenge.replace("\"now\":5", "\"now\":6"), &hello, &proof, "http://localhost:8080"));
}

#[test]
fn a_relayed_challenge_is_refused() {
    for other in [
        Challenge { deployment: "deployment-2".into(), ..challenge() },
        Challenge { origin: "http://evil.example".into(), ..challenge() },
        Challenge { origin: "https://localhost:8080".into(), ..challenge() },
    ] {
        assert!(matches!(respond(&text(other), &facts()), Err(HandshakeError::Foreign { .. })));
    }
    assert!(matches!(respond("{}", &facts()), Err(HandshakeError::NoChallenge)));
    assert!(matches!(respond("{\"type\":\"welcome\"}", &facts()), Err(HandshakeError::NoChallenge)));
}

#[test]
fn a_stripped_version_and_another_space_are_refused() {
    let high = Facts { floor: 2, ..facts() };
    assert!(matches!(respond(&text(challenge()), &high), Err(HandshakeError::Version(_))));
    let none = Challenge { wire_versions: vec![], ..challenge() };
    assert!(matches!(respond(&text(none), &facts()), Err(HandshakeError::Version(_))));
    let other = Facts { installation_id: "installation-2".into(), ..facts() };
    assert!(matches!(respond(&text(challenge()), &other), Err(HandshakeError::OtherInstallation { .. })));
}

struct Server {
    listener: TcpListener,
    origin: String,
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

impl Server {
    async fn start() -> (Self, mpsc::Receiver<Input>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://odcm.localhost:{}", listener.local_addr().unwrap().port());
        let who = Enrolment { server_url: origin.clone(), origin: origin.clone(), ..who() };
        let space = Arc::new(FakeSpace::new("installation-1"));
        let dialler = Dialler::new(&who, space, TestClock::new(), Arc::new(Counting::default())).unwrap();
        let (to_engine, mut inbox) = mpsc::channel(4);
        // Plays the engine's part in the hello, passes the rest on.
        let (pass, passed) = mpsc::channel(64);
        tokio::spawn(async move { dialler.run(to_engine).await });
        tokio::spawn(async move {
            while let Some(input) = inbox.recv().await {
                match input {
                    Input::Standing(answer) => {
                        let _ = answer.send(Standing { positions: Vec::new(), floor: 1, fleet_key: "fleet-1".into() });
                    }
                    other => {
                        let _ = pass.send(other).await;
                    }
                }
            }
        });
        (Self { listener, origin }, passed)
    }

    async fn accept(&self) -> Socket {
        let (stream, _) = self.listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    }

    async fn shake(&self, socket: &mut Socket) -> Hello {
        let challenge = text(Challenge { origin: self.origin.clone(), ..challenge() });
        say_text(socket, challenge.clone()).await;
        let hello = next(socket).await;
        let proof = next(socket).await;
        assert!(verify(&challenge, &hello, &proof, &self.origin));
        match serde_json::from_str(&hello).unwrap() {
            FromAgent::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }
}

async fn say_text(socket: &mut Socket, text: String) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn say(socket: &mut Socket, message: &FromServer) {
    say_text(socket, serde_json::to_string(message).unwrap()).await;
}

async fn next(socket: &mut Socket) -> String {
    socket.next().await.unwrap().unwrap().into_text().unwrap().as_str().to_owned()
}

fn welcome(heartbeat_ms: u64) -> FromServer {
    FromServer::Welcome(Welcome { connection_epoch: 3, wire_version: 1, heartbeat_ms, now: 10 })
}

#[tokio::test]
async fn a_connection_from_dial_to_silence() {
    let (server, mut inputs) = Server::start().await;
    let mut socket = server.accept().await;
    let hello = server.shake(&mut socket).await;
    assert_eq!((hello.agent.as_str(), hello.installation_id.as_str()), ("agent-1", "installation-1"));
    say(&mut socket, &welcome(100)).await;
    let Some(Input::Connected(connection)) = inputs.recv().await else { panic!("not connected") };
    assert_eq!((connection.epoch, connection.now), (3, 10));
    say(&mut socket, &FromServer::Heartbeat(Heartbeat { now: 20, valid_until: 30 })).await;
    assert!(matches!(inputs.recv().await, Some(Input::Message(FromServer::Heartbeat(_)))));
    say_text(&mut socket, "{\"type\":\"news\"}".into()).await;
    assert!(matches!(inputs.recv().await, Some(Input::Message(FromServer::Unknown))));
    connection.out.send(FromAgent::Alive { connection_epoch: 3 }).unwrap();
    assert_eq!(next(&mut socket).await, "{\"type\":\"alive\",\"connection_epoch\":3}");
    // Three heartbeats missed: the agent gives the connection up and dials again.
    assert!(matches!(inputs.recv().await, Some(Input::Disconnected)));
    let mut socket = server.accept().await;
    server.shake(&mut socket).await;
}

#[tokio::test]
async fn a_refusal_is_obeyed() {
    let (server, mut inputs) = Server::start().await;
    let mut socket = server.accept().await;
    let at = tokio::time::Instant::now();
    let refused = Refused { code: RefusalCode::Busy, message: "later".into(), retry_after_ms: Some(900) };
    say(&mut socket, &FromServer::Refused(refused)).await;
    let mut socket = tokio::time::timeout(Duration::from_secs(5), server.accept()).await.unwrap();
    assert!(at.elapsed() >= Duration::from_millis(900));
    server.shake(&mut socket).await;
    // Garbage in place of a welcome ends the connection before the engine hears of it.
    say_text(&mut socket, "garbage".into()).await;
    tokio::time::timeout(Duration::from_secs(5), server.accept()).await.unwrap();
    assert!(inputs.try_recv().is_err());
}

#[tokio::test]
async fn the_engine_hears_who_is_not_taken_for_the_spaces_agent() {
    let (server, mut inputs) = Server::start().await;
    let codes = [RefusalCode::Denied, RefusalCode::Version, RefusalCode::OtherInstallation, RefusalCode::Superseded];
    for code in codes {
        let mut socket = tokio::time::timeout(Duration::from_secs(20), server.accept()).await.unwrap();
        server.shake(&mut socket).await;
        let mut held = None;
        if code == RefusalCode::Superseded {
            say(&mut socket, &welcome(10_000)).await;
            held = inputs.recv().await;
            assert!(matches!(held, Some(Input::Connected(_))));
        }
        let refused = Refused { code, message: format!("{code:?}{}", "x".repeat(1000)), retry_after_ms: Some(1) };
        say(&mut socket, &FromServer::Refused(refused)).await;
        if code == RefusalCode::Version {
            continue;
        }
        if code == RefusalCode::Superseded {
            assert!(matches!(inputs.recv().await, Some(Input::Disconnected)));
        }
        let Some(Input::Refused(why)) = inputs.recv().await else { panic!("{code:?}") };
        assert!(why.starts_with(&format!("{code:?}")) && why.len() <= 300, "{why}");
        drop(held);
    }
}
