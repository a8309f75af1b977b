//! Oversized, malformed and unknown input.

use super::handshake::applied;
use super::support::*;
use futures_util::{SinkExt, StreamExt};
use odcm::accounts::agent_status;
use odcm_wire::latest::{Alarm, FromAgent, RefusalCode, Report, ReportKind, Section};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn unknown_kinds_are_ignored_and_the_connection_goes_on() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let document = session.document(Section::Access).await;
    session.say(r#"{"type":"dance","x":1}"#.into()).await;
    let epoch = session.epoch;
    session.say(format!(r#"{{"type":"report","connection_epoch":{epoch},"at":1,"what":{{"kind":"mood"}}}}"#)).await;
    session.say(format!(r#"{{"type":"need_snapshot","section":"shares","reason":"?","connection_epoch":{epoch}}}"#)).await;
    session.ack(&document).await;
    until("the acknowledgement", || async { applied(&server, &mars).await == 1 }).await;
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_connection_with_a_word() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let huge_list = {
        let items: Vec<_> = (0..20_001).map(|n| format!(r#"{{"item":"{n}","state":"failed"}}"#)).collect();
        format!(r#"{{"type":"report","connection_epoch":EPOCH,"at":1,"what":{{"kind":"items","items":[{}]}}}}"#, items.join(","))
    };
    for (what, text) in [
        ("not JSON", "hello".to_owned()),
        ("a hello in between", r#"{"type":"proof","signature":""}"#.into()),
        ("wrong types", r#"{"type":"ack","section":"access","epoch":"one"}"#.into()),
        ("negative numbers", r#"{"type":"alive","connection_epoch":-1}"#.into()),
        ("a list that is too long", huge_list),
    ] {
        let mut session = mars.agent.connect(&server).await;
        session.say(text.replace("EPOCH", &session.epoch.to_string())).await;
        assert_eq!(session.refusal().await.map(|r| r.code), Some(RefusalCode::Protocol), "{what}");
    }
    let mut session = mars.agent.connect(&server).await;
    session.ws.send(Message::binary(vec![0u8; 10])).await.unwrap();
    assert_eq!(session.refusal().await.unwrap().code, RefusalCode::Protocol);
    mars.agent.connect(&server).await;
}

#[tokio::test]
async fn a_message_beyond_four_mebibytes_is_never_held() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    // Readable and allowed but for its length.
    let what = ReportKind::Alarm(Alarm { code: "long".into(), message: "x".repeat(5 * 1024 * 1024) });
    report(&mut session, what).await;
    while session.next().await.is_some() {}
    assert!(alarms(&server, &mars.space).await.is_empty(), "it was not taken");
    until("the connection is gone", || async { server.push.connected() == 0 }).await;
    mars.agent.connect(&server).await;
}

#[tokio::test]
async fn events_are_bounded_and_texts_are_cut() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    for n in 0..520 {
        let what = ReportKind::Alarm(Alarm { code: format!("n{n}"), message: "\u{7}é".repeat(2000) });
        let report = Report { connection_epoch: session.epoch, at: i64::MIN, what };
        session.send(&FromAgent::Report(report)).await;
    }
    let newest = || async {
        let events = agent_status::events(server.deps(), &admin(), &mars.space, 500).await.unwrap();
        events.first().is_some_and(|e| e.detail["code"] == "n519")
    };
    until("the last event", newest).await;
    let rows: Option<(i64,)> = server.deps().db.opt(query!("SELECT COUNT(*) FROM space_event"), &[]).await.unwrap();
    assert_eq!(rows, Some((500,)));
    let events = agent_status::events(server.deps(), &admin(), &mars.space, 1).await.unwrap();
    let message = events[0].detail["message"].as_str().unwrap();
    assert!(message.chars().count() <= 1000 && !message.contains('\u{7}'));
}

#[tokio::test]
async fn strangers_at_the_door_are_few_and_do_not_stay() {
    let server = Server::start().await;
    let url = format!("ws://{}/agent/v1/connect", server.address);
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(tokio_tungstenite::connect_async(&url).await.unwrap().0);
    }
    let refused = tokio_tungstenite::connect_async(&url).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = refused else { panic!("{refused}") };
    assert_eq!(response.status(), 503);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((2..=120).contains(&wait), "{wait} s");
    let mut one = waiting.pop().unwrap();
    one.send(Message::text("nonsense")).await.unwrap();
    one.send(Message::text("nonsense")).await.unwrap();
    while let Some(Ok(message)) = one.next().await {
        if let Message::Text(text) = message {
            assert!(!text.contains("welcome"));
        }
    }
    until("its place is free again", || async { tokio_tungstenite::connect_async(&url).await.is_ok() }).await;
}

#[tokio::test]
async fn a_hello_that_is_too_long_is_refused() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    for (what, twist) in [
        ("text", Twist { hello: Some(Box::new(|h| h.agent_version = "x".repeat(600))), ..Twist::default() }),
        ("list", Twist { hello: Some(Box::new(|h| h.capabilities = vec!["x".into(); 65])), ..Twist::default() }),
        ("message", Twist { hello: Some(Box::new(|h| h.nonce = "x".repeat(70_000))), ..Twist::default() }),
    ] {
        let refused = mars.agent.try_connect(&server, twist).await.err().unwrap();
        assert_eq!(refused.code, RefusalCode::Protocol, "{what}");
    }
}

#[tokio::test]
async fn an_agent_that_says_too_much_is_not_listened_to_and_still_gets_its_documents() {
    let small = |s: &mut odcm::config::Settings| {
        (s.push.messages_burst, s.push.messages_per_minute, s.push.heartbeat_ms) = (10, 0, 50);
    };
    let (server, mars) = Server::with_mars(small).await;
    let mut session = mars.agent.connect(&server).await;
    session.document(Section::Access).await;
    let alarm = |n: usize| ReportKind::Alarm(Alarm { code: format!("n{n}"), message: String::new() });
    for n in 0..100 {
        report(&mut session, alarm(n)).await;
    }
    until("the first ten", || async { alarms(&server, &mars.space).await.len() == 10 }).await;
    // A revocation goes out all the same, and the agent is not dropped for being silent.
    server.leave(&mars.group, &mars.person).await;
    session.document(Section::Access).await;
    for _ in 0..5 {
        while !matches!(session.next().await.expect("still connected"), odcm_wire::latest::FromServer::Heartbeat(_)) {}
    }
    assert_eq!(alarms(&server, &mars.space).await.len(), 10);
    // To connect anew brings no new allowance.
    let mut session = mars.agent.connect(&server).await;
    report(&mut session, alarm(100)).await;
    for _ in 0..5 {
        while !matches!(session.next().await.expect("connected"), odcm_wire::latest::FromServer::Heartbeat(_)) {}
    }
    assert_eq!(alarms(&server, &mars.space).await.len(), 10);
    assert_eq!(server.deps().metrics.counter("odcm_agent_messages_slowed_total", &[]), 1);
}

#[tokio::test]
async fn no_more_than_k_snapshots_are_under_way_at_once() {
    let server = Server::with(|s| (s.push.snapshots_at_once, s.push.heartbeat_ms) = (1, 50), odcm::push::Push::start).await;
    let mars = server.mars().await;
    let venus = server.space("Venus").await;
    let other = server.enrol(&venus, "installation-venus").await;
    until("both are projected", || async { odcm::storage::marks::count_pending(&server.deps().db).await.unwrap() == 0 }).await;
    let mut first = mars.agent.connect(&server).await;
    first.document(Section::Authentication).await;
    drop(first);
    // Larger than what the sockets of both ends hold, so that it is under way until somebody reads it.
    let huge = " ".repeat(15 * 1024 * 1024);
    let made =
        query!("UPDATE document SET payload = payload || $1 WHERE section = 'access' AND space_id = $2 AND kind = 'snapshot'");
    assert_eq!(server.deps().db.exec(made, &[&huge, &mars.space]).await.unwrap(), 1);
    let mut slow = mars.agent.connect(&server).await;
    let mut waiting = other.connect(&server).await;
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(500), waiting.next()).await.is_err(),
        "the second waits for the first, whom nobody reads"
    );
    let signed = slow.document(Section::Access).await;
    assert!(signed.payload.len() > huge.len());
    waiting.document(Section::Access).await;
}
