//! The fleet key: rolled by announcements, each signed by the key before (rules B3).

use super::support::*;
use odcm::accounts::{Error, keys};
use odcm::core::keyset::{Alg, KeyState, Purpose};
use odcm_agent::keys::FleetKeys;
use odcm_wire::latest::{FromServer, Section, SignedDocument, SignedSuccession};

/// The next announcement and what came before it.
async fn announcement(session: &mut Session) -> SignedSuccession {
    loop {
        match session.next().await.expect("an announcement") {
            FromServer::FleetKey(signed) => return signed,
            FromServer::Document(signed) => panic!("a document came first: {}", signed.key_id),
            _ => {}
        }
    }
}

/// Rolls the key and lets the new one sign.
async fn roll(server: &Server) -> String {
    let kid = keys::rotate(server.deps(), &admin(), Alg::EdDsa).await.unwrap();
    server.deps.hand.advance_ms((keys::LEAD_S + 1) * 1000);
    keys::ensure(server.deps().into(), odcm::crypto::jose::generate).await.unwrap();
    kid
}

fn verifies(keys: &FleetKeys, now: i64, signed: &SignedDocument) -> bool {
    signed.open(|id, bytes, signature| keys.verify_at(now, id, bytes, signature)).is_ok()
}

#[tokio::test]
async fn agents_follow_the_key_and_who_was_away_catches_up() {
    let (server, mut mars) = Server::with_mars(|s| s.push.heartbeat_ms = 1000).await;
    let now = || server.deps().clock.now().0;
    let pinned = mars.agent.accepted.fleet_keys.clone();
    let mut known = FleetKeys::parse(&pinned).unwrap();
    let deployment = mars.agent.accepted.deployment.clone();
    let mut session = mars.agent.connect(&server).await;
    session.lively = true;
    let (access, authentication) = (session.document(Section::Access).await, session.document(Section::Authentication).await);
    assert!(verifies(&known, now(), &access));
    session.ack(&access).await;

    // Connected: told at once, signed by the key that the agent holds, long before it signs anything.
    let second = keys::rotate(server.deps(), &admin(), Alg::EdDsa).await.unwrap();
    let again = keys::rotate(server.deps(), &admin(), Alg::EdDsa).await;
    assert!(matches!(&again, Err(Error::Refused(why)) if why.code == "key.rotating"), "{again:?}");
    let signed = announcement(&mut session).await;
    assert_eq!(signed.key_id, pinned[0].key_id);
    assert_eq!(known.follow(&signed, &deployment), Ok(true));
    assert_eq!(known.newest(), second);
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    let signed = session.document(Section::Access).await;
    assert_eq!(signed.key_id, pinned[0].key_id, "the old one signs until all nodes know the new one");
    server.deps.hand.advance_ms((keys::LEAD_S + 1) * 1000);
    keys::ensure(server.deps().into(), odcm::crypto::jose::generate).await.unwrap();
    server.leave(&mars.group, &erin).await;
    let signed = session.document(Section::Access).await;
    assert_eq!(signed.key_id, second);
    assert!(verifies(&known, now(), &signed));
    drop(session);
    // The whole of it, kept as the second key signed it.
    let mut session = mars.agent.connect(&server).await;
    session.lively = true;
    announcement(&mut session).await;
    let signed = session.document(Section::Access).await;
    assert_eq!(signed.key_id, second);
    drop(session);

    // Away during another roll, and behind: both announcements in order, then the state signed by the newest key.
    let third = roll(&server).await;
    server.deps.hand.advance_ms(keys::FLEET_GRACE_S * 1000);
    mars.agent.positions = vec![position(&access), position(&authentication)];
    let mut away = FleetKeys::parse(&pinned).unwrap();
    let mut session = mars.agent.connect(&server).await;
    for _ in 0..2 {
        let signed = announcement(&mut session).await;
        assert_eq!(away.follow(&signed, &deployment), Ok(true));
    }
    assert_eq!(away.newest(), third);
    let signed = session.document(Section::Access).await;
    assert_eq!(signed.key_id, third, "nothing that an old key signed is sent any more");
    assert!(verifies(&away, now(), &signed));
    let document: odcm_wire::latest::Document = serde_json::from_str(&signed.payload).unwrap();
    assert!(
        document.revision > 3 && document.base_revision.is_none(),
        "the same state under a higher revision: {} {:?}",
        document.revision,
        document.base_revision
    );
    drop(session);

    // Enrolled today: the newest key is pinned and there is nothing to follow.
    let venus = server.space("Venus").await;
    let new = server.enrol(&venus, "installation-venus").await;
    assert_eq!(new.accepted.fleet_keys[0].key_id, third);
    let mut session = new.connect(&server).await;
    assert!(matches!(session.next().await, Some(FromServer::Document(_))));
}

#[tokio::test]
async fn an_agent_that_enrols_during_a_roll_follows_it() {
    let (server, _) = Server::with_mars(|s| s.push.heartbeat_ms = 1000).await;
    let next = keys::rotate(server.deps(), &admin(), Alg::EdDsa).await.unwrap();
    let venus = server.space("Venus").await;
    let agent = server.enrol(&venus, "installation-venus").await;
    assert_ne!(agent.accepted.fleet_keys[0].key_id, next);
    let mut session = agent.connect(&server).await;
    let mut known = FleetKeys::parse(&agent.accepted.fleet_keys).unwrap();
    let signed = announcement(&mut session).await;
    assert_eq!(known.follow(&signed, &agent.accepted.deployment), Ok(true));
    assert_eq!(known.newest(), next);
}

#[tokio::test]
async fn an_agent_that_was_led_astray_alarms_and_an_old_one_is_left_in_peace() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let astray = Twist { hello: Some(Box::new(|h| h.fleet_key = Some("somebody-elses".into()))), ..Twist::default() };
    let mut session = mars.agent.try_connect(&server, astray).await.unwrap();
    session.document(Section::Access).await;
    assert_eq!(alarms(&server, &mars.space).await, ["fleet_key"]);
    let kid = roll(&server).await;
    // An agent of before says nothing of its key and would not understand.
    let old = Twist { hello: Some(Box::new(|h| h.fleet_key = None)), ..Twist::default() };
    let mut session = mars.agent.try_connect(&server, old).await.unwrap();
    assert!(matches!(session.next().await, Some(FromServer::Document(_))));
    let long = Twist { hello: Some(Box::new(|h| h.fleet_key = Some("x".repeat(600)))), ..Twist::default() };
    assert!(mars.agent.try_connect(&server, long).await.is_err());
    let listed = keys::list(server.deps(), &admin()).await.unwrap();
    let state = |k: &str| listed.iter().find(|f| f.kid == k && f.purpose == Purpose::Fleet).map(|f| f.state);
    assert!(matches!(state(&kid), Some(KeyState::Active { .. })));
    let nobody = odcm::core::policy::Actor { rights: Vec::new(), ..admin() };
    assert!(keys::rotate(server.deps(), &nobody, Alg::EdDsa).await.is_err());
}
