//! The proof of the client secret: a probe that does not come round has a consequence (rules B6).

use super::support::*;
use odcm::accounts::clients;
use odcm::core::ids::ClientId;
use odcm_wire::latest::{FromAgent, FromServer, Section};

/// The next probe or request to write the secret; heartbeats move nothing.
async fn asked(session: &mut Session) -> FromServer {
    loop {
        let message = session.next().await.expect("a message");
        if matches!(message, FromServer::Probe(_) | FromServer::WriteSecret { .. }) {
            return message;
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_not_proven_alarms_and_is_written_again() {
    let (server, mars) = Server::with_mars(|s| s.push.heartbeat_ms = 1000).await;
    let mut session = mars.agent.connect(&server).await;
    session.lively = true;
    let authentication = session.document(Section::Authentication).await;
    session.ack(&authentication).await;
    // Applied, but no secret is known: nothing can be proven, nothing is asked.
    settled(&server, &mars.space, &mut session).await;
    server.deps.hand.advance_ms(600_000);
    let secret = digest("the secret");
    session.send(&FromAgent::Secret { generation: 1, sha256: secret, connection_epoch: session.epoch }).await;
    settled(&server, &mars.space, &mut session).await;
    server.deps.hand.advance_ms(600_000);
    assert!(matches!(asked(&mut session).await, FromServer::Probe(_)));

    // Too early to worry; then it is late.
    server.deps.hand.advance_ms(119_000);
    settled(&server, &mars.space, &mut session).await;
    let unproven = async || alarms(&server, &mars.space).await.iter().filter(|code| *code == "secret_unproven").count();
    assert_eq!(unproven().await, 0);
    server.deps.hand.advance_ms(1_000);
    assert!(matches!(asked(&mut session).await, FromServer::WriteSecret { generation: 1 }));
    assert_eq!(unproven().await, 1);
    // Asked again soon, and still nothing: written again, without another alarm.
    server.deps.hand.advance_ms(60_000);
    assert!(matches!(asked(&mut session).await, FromServer::Probe(_)));
    server.deps.hand.advance_ms(120_000);
    assert!(matches!(asked(&mut session).await, FromServer::WriteSecret { generation: 1 }));
    assert_eq!(unproven().await, 1);

    // Proven: the next one is asked for after ten minutes, and nothing is written.
    server.deps.hand.advance_ms(60_000);
    assert!(matches!(asked(&mut session).await, FromServer::Probe(_)));
    let client = ClientId::parse("mars").unwrap();
    let (client, ..) = clients::view(server.deps(), &admin(), &client).await.unwrap();
    clients::record_probe(server.deps(), &client, secret.as_bytes()).await.unwrap();
    server.deps.hand.advance_ms(600_000);
    assert!(matches!(asked(&mut session).await, FromServer::Probe(_)));
    assert_eq!(unproven().await, 1);
    // Lost once more: that is news again.
    server.deps.hand.advance_ms(120_000);
    assert!(matches!(asked(&mut session).await, FromServer::WriteSecret { .. }));
    assert_eq!(unproven().await, 2);
}
