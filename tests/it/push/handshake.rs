//! Who gets in: each way of not being the enrolled agent ends in the same word.

use super::support::*;
use odcm::accounts::{agent_status, agents};
use odcm_wire::latest::{FromServer, RefusalCode, Section};

async fn refusal(server: &Server, agent: &Agent, twist: Twist<'_>) -> odcm_wire::latest::Refused {
    agent.try_connect(server, twist).await.err().expect("refused")
}

#[tokio::test]
async fn whoever_cannot_prove_to_be_the_agent_hears_one_word() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let venus = server.space("Venus").await;
    let other = server.enrol(&venus, "installation-venus").await;
    let honest = mars.agent.connect(&server).await;
    let replayed = (honest.hello.clone(), honest.proof.clone());
    let foreign_space = venus.to_string();
    let stranger = fresh_key();
    let twists: Vec<(&str, Twist<'_>)> = vec![
        ("a signature by another key", Twist { key: Some(&stranger), ..Twist::default() }),
        ("another Space's agent's key", Twist { key: Some(&other.key), ..Twist::default() }),
        ("a replayed proof", Twist { replay: Some(replayed), ..Twist::default() }),
        ("yesterday's challenge", Twist { challenge: Some(honest.challenge.clone()), ..Twist::default() }),
        ("relayed to another origin", Twist { origin: Some("https://other.example.com"), ..Twist::default() }),
        (
            "a version stripped on the way",
            Twist {
                sent_hello: Some(Box::new(|h: &str| h.replace("\"wire_versions\":[1]", "\"wire_versions\":[1,2]"))),
                ..Twist::default()
            },
        ),
        (
            "an unknown agent",
            Twist { hello: Some(Box::new(|h| h.agent = "01890a5d-ac96-774b-bcce-b302099a8057".into())), ..Twist::default() },
        ),
        ("no id at all", Twist { hello: Some(Box::new(|h| h.agent = "x".into())), ..Twist::default() }),
        ("a foreign Space", Twist { hello: Some(Box::new(|h| h.space.clone_from(&foreign_space))), ..Twist::default() }),
    ];
    let mut words = std::collections::BTreeSet::new();
    for (what, twist) in twists {
        let refused = refusal(&server, &mars.agent, twist).await;
        assert_eq!(refused.code, RefusalCode::Denied, "{what}");
        words.insert(refused.message);
    }
    assert_eq!(words.len(), 1, "errors tell an attacker nothing: {words:?}");
    drop(honest);
    mars.agent.connect(&server).await;
}

#[tokio::test]
async fn the_version_never_falls_below_the_last_one_used() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let none = Twist { hello: Some(Box::new(|h| h.wire_versions = vec![7])), ..Twist::default() };
    assert_eq!(refusal(&server, &mars.agent, none).await.code, RefusalCode::Version);
    let chosen = Twist { hello: Some(Box::new(|h| h.wire_version = 7)), ..Twist::default() };
    assert_eq!(refusal(&server, &mars.agent, chosen).await.code, RefusalCode::Version);
    drop(mars.agent.connect(&server).await);
    // As if a newer build had used version 2 before.
    let raised = server.deps().db.exec(query!("UPDATE agent SET wire_floor = 2 WHERE revoked_at IS NULL"), &[]).await.unwrap();
    assert_eq!(raised, 1);
    assert_eq!(refusal(&server, &mars.agent, Twist::default()).await.code, RefusalCode::Version);
}

#[tokio::test]
async fn another_installation_is_refused_and_another_address_alarms_without_becoming_a_redirect_uri() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let moved = Twist { hello: Some(Box::new(|h| h.installation_id = "installation-other".into())), ..Twist::default() };
    assert_eq!(refusal(&server, &mars.agent, moved).await.code, RefusalCode::OtherInstallation);
    server.deps.hand.advance_ms(1);
    let address = Twist { hello: Some(Box::new(|h| h.base_url = "https://evil.example.com".into())), ..Twist::default() };
    let session = mars.agent.try_connect(&server, address).await;
    assert!(session.is_ok(), "the address is an alarm, not a reason to lose revocations");
    let events = agent_status::events(server.deps(), &admin(), &mars.space, 10).await.unwrap();
    let codes: Vec<_> = events.iter().map(|e| (e.kind.as_str(), e.detail["code"].as_str().unwrap())).collect();
    assert_eq!(codes, [("alarm", "other_base_url"), ("alarm", "other_installation")]);
    let clients: Vec<(String,)> = server.deps().db.all(query!("SELECT settings FROM client"), &[]).await.unwrap();
    assert!(clients.iter().all(|(settings,)| !settings.contains("evil")), "{clients:?}");
    let agent = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap().agent.unwrap();
    assert_eq!(agent.base_url, mars.agent.base_url, "what was enrolled stays");
}

#[tokio::test]
async fn the_newest_connection_takes_over_and_the_older_one_is_fenced() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut old = mars.agent.connect(&server).await;
    let document = old.document(Section::Access).await;
    let mut new = mars.agent.connect(&server).await;
    assert!(new.epoch > old.epoch);
    assert_eq!(old.refusal().await.unwrap().code, RefusalCode::Superseded);
    // The new connection speaks with the old number: refused, and it stays usable.
    let mut stale = new.ack_of(&document);
    stale.connection_epoch = old.epoch;
    new.send(&odcm_wire::latest::FromAgent::Ack(stale)).await;
    until("the refusal is counted", || async {
        server.deps().metrics.counter("odcm_agent_messages_refused_total", &[("why", "epoch")]) == 1
    })
    .await;
    assert_eq!(applied(&server, &mars).await, 0);
    new.ack(&document).await;
    until("the acknowledgement is stored", || async { applied(&server, &mars).await == 1 }).await;
    assert_eq!(server.push.connected(), 1);
}

#[tokio::test]
async fn an_old_node_that_still_believes_in_its_socket_is_refused_by_the_database() {
    let one = Server::idle().await;
    let mars = one.mars().await;
    one.push.project_once().await.unwrap();
    let two = Server::over(one.deps.clone(), odcm::push::Push::idle).await;
    let mut old = mars.agent.connect(&one).await;
    let document = old.document(Section::Access).await;
    let _new = mars.agent.connect(&two).await;
    let erin = one.person("erin").await;
    one.join(&mars.group, &erin).await;
    one.push.project_once().await.unwrap();
    old.document(Section::Authentication).await;
    old.silence(200).await;
    old.ack(&document).await;
    assert_eq!(old.refusal().await.unwrap().code, RefusalCode::Superseded);
    assert_eq!(applied(&one, &mars).await, 0);
}

#[tokio::test]
async fn a_node_finds_out_that_another_one_took_over() {
    let one = Server::idle().await;
    let mars = one.mars().await;
    let two = Server::over(one.deps.clone(), odcm::push::Push::idle).await;
    let mut old = mars.agent.connect(&one).await;
    let _new = mars.agent.connect(&two).await;
    one.push.watch_once().await.unwrap();
    two.push.watch_once().await.unwrap();
    assert!(old.refusal().await.is_some());
    until("the seat is free", || async { one.push.connected() == 0 }).await;
    assert_eq!(two.push.connected(), 1);
}

#[tokio::test]
async fn a_revoked_agent_is_thrown_out_at_once_and_never_comes_back() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    agents::revoke(server.deps(), &admin(), &mars.space).await.unwrap();
    assert_eq!(session.refusal().await.unwrap().code, RefusalCode::Denied);
    assert_eq!(refusal(&server, &mars.agent, Twist::default()).await.code, RefusalCode::Denied);
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    assert_eq!(status.agent, None);
}

#[tokio::test]
async fn a_shutdown_tells_agents_when_to_come_back() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let (_, refused) = tokio::join!(server.push.shutdown(), session.refusal());
    let refused = refused.unwrap();
    assert_eq!(refused.code, RefusalCode::Busy);
    assert!((1000..=5000).contains(&refused.retry_after_ms.unwrap()), "{refused:?}");
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    assert!(!status.agent.unwrap().connected);
}

#[tokio::test]
async fn heartbeats_carry_time_and_lease_and_a_silent_agent_is_dropped() {
    let (server, mars) = Server::with_mars(|s| s.push.heartbeat_ms = 50).await;
    let mut session = mars.agent.connect(&server).await;
    assert_eq!(session.heartbeat_ms, 50);
    let now = odcm::testing::START.0;
    let mut beats = 0;
    while let Some(message) = session.next().await {
        if let FromServer::Heartbeat(beat) = message {
            beats += 1;
            assert_eq!((beat.now, beat.valid_until), (now, now + 86_400_000));
        }
    }
    assert!(beats >= 2, "an agent that never says it is alive hears {beats} heartbeats and is gone");
    until("the seat is free", || async { server.push.connected() == 0 }).await;
}

pub async fn applied(server: &Server, mars: &Mars) -> i64 {
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    status.sections.get("access").map_or(0, |s| s.applied)
}
