//! The command line, and a whole agent over loopback.

use super::{Arguments, Command, lock, octopus, status};
use crate::engine::Timing;
use crate::state::{Enrolment, Folder, State, Store as _};
use crate::testkit::{Odcm, TestClock, enrolment, state};
use crate::{AgentError, Config, run};
use clap::{CommandFactory as _, Parser as _};
use futures_util::{SinkExt as _, StreamExt as _};
use odcm_space_plugin::fake::FakeSpace;
use odcm_wire::latest::{Challenge, FromAgent, FromServer, Welcome};
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

#[test]
fn the_command_line_is_sound_and_explains_itself() {
    Arguments::command().debug_assert();
    let help = Arguments::command().render_long_help().to_string();
    for word in ["enroll", "run", "status", "restore-auth", "one-time code", "never listens"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let given = ["odcm-agent", "enroll", "--url", "u", "--code", "c", "--octopus-url", "o", "--octopus-key-file", "k"];
    assert!(Arguments::try_parse_from(given).is_ok());
    assert!(Arguments::try_parse_from(["odcm-agent", "enroll", "--url", "u"]).is_err());
}

#[test]
fn how_often_it_looks_is_the_operators_choice() {
    let run = |more: &[&str]| match Arguments::try_parse_from(["odcm-agent", "run"].iter().chain(more)) {
        Ok(Arguments { command: Command::Run(run) }) => Ok(run.timing()),
        Ok(_) => panic!("not run"),
        Err(e) => Err(e.to_string()),
    };
    assert_eq!(run(&[]).unwrap(), Timing::default());
    let given = run(&["--look-seconds", "30", "--full-read-seconds", "3600"]).unwrap();
    assert_eq!((given.tick, given.full), (Duration::from_secs(30), Duration::from_secs(3600)));
    for wrong in [["--look-seconds", "0"], ["--look-seconds", "61"], ["--full-read-seconds", "29"], ["--full-read-seconds", "x"]]
    {
        let text = run(&wrong).unwrap_err();
        assert!(text.contains(wrong[0]), "{text}");
    }
}

#[test]
fn the_way_to_the_octopus_server_is_checked_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "API-TEST").unwrap();
    let way = |url: &str| Enrolment { octopus_url: url.into(), octopus_key_file: key.clone(), ..enrolment(&Odcm::new("i"), "i") };
    let said = |who: &Enrolment| octopus(who).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said(&way("http://10.0.0.1")).contains("--octopus-allow-plain-http"), "{}", said(&way("http://10.0.0.1")));
    assert_eq!(said(&Enrolment { octopus_plain_http: true, ..way("http://10.0.0.1") }), "");
    let bad = Enrolment { octopus_proxy: Some("::".into()), ..way("https://o.example") };
    assert!(said(&bad).contains("--octopus-proxy"), "{}", said(&bad));
    let missing = Enrolment { octopus_ca_file: Some("/nowhere/ca.pem".into()), ..way("https://o.example") };
    assert!(said(&missing).contains("--octopus-ca-file /nowhere/ca.pem"), "{}", said(&missing));
    let no_pem = Enrolment { octopus_ca_file: Some(key.clone()), ..way("https://o.example") };
    assert!(said(&no_pem).contains("--octopus-ca-file"), "{}", said(&no_pem));
}

#[test]
fn a_refusal_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Folder::open(folder.path()).unwrap();
    State::enrol(&mut store, &enrolment(&Odcm::new("i"), "i")).unwrap();
    store.save("floor.json", r#"{"wire":1,"refused":"this agent is not known here"}"#).unwrap();
    let text = status(folder.path()).unwrap();
    assert!(text.contains("this agent is not known here") && text.contains("gives no access"), "{text}");
}

#[test]
fn a_folder_without_enrolment_and_a_running_agent_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = status(folder.path()).unwrap_err();
    assert!(matches!(error, AgentError::NotEnrolled(_)), "{error}");
    assert!(error.to_string().contains("odcm-agent enroll"));
    let held = lock(folder.path()).unwrap();
    assert!(lock(folder.path()).unwrap_err().to_string().contains("stop it first"));
    drop(held);
    assert!(lock(folder.path()).is_ok());
}

#[tokio::test]
async fn a_whole_agent_over_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let mut odcm = Odcm::new("installation-1");
    let mut who = enrolment(&odcm, "installation-1");
    (who.server_url, who.origin) = (origin.clone(), origin.clone());
    State::enrol(&mut Folder::open(folder.path()).unwrap(), &who).unwrap();
    Folder::open(folder.path()).unwrap().save(crate::policy::FILE, "administrator_teams = false").unwrap();
    let space = FakeSpace::new("installation-1");
    let config = Config { clock: TestClock::new(), ..Config::new(folder.path()) };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = tokio::spawn(run(config, Arc::new(space.clone()), async move {
        let _ = stopped.await;
    }));

    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let challenge = Challenge { wire_versions: vec![1], deployment: "deployment-1".into(), origin, nonce: "AA==".into(), now: 5 };
    let say = |message: FromServer| Message::text(serde_json::to_string(&message).unwrap());
    socket.send(say(FromServer::Challenge(challenge))).await.unwrap();
    for _ in ["hello", "proof"] {
        socket.next().await.unwrap().unwrap();
    }
    let welcome = Welcome { connection_epoch: 1, wire_version: 1, heartbeat_ms: 10_000, now: 5 };
    socket.send(say(FromServer::Welcome(welcome))).await.unwrap();
    socket.send(say(FromServer::Document(odcm.snapshot(&state(&["ann"], &[]))))).await.unwrap();
    let ack = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let text = socket.next().await.unwrap().unwrap().into_text().unwrap();
            if let FromAgent::Ack(ack) = serde_json::from_str(text.as_str()).unwrap() {
                return ack;
            }
        }
    });
    assert_eq!(ack.await.unwrap().revision, 1);
    assert!(space.find_account("ann").unwrap().active);
    stop.send(()).unwrap();
    agent.await.unwrap().unwrap();
    let text = status(folder.path()).unwrap();
    assert!(text.contains("epoch 1, revision 1 applied") && text.contains("1 linked"), "{text}");

    // A policy that cannot be understood stops the agent; it is not taken for an empty one.
    Folder::open(folder.path()).unwrap().save(crate::policy::FILE, "administrator_team = true").unwrap();
    let result = run(Config::new(folder.path()), Arc::new(space), std::future::pending()).await;
    assert!(result.unwrap_err().to_string().contains("administrator_teams"));
}
