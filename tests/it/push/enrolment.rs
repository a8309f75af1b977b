//! One-time codes: scoped, short-lived, single use.

use super::support::*;
use odcm::accounts::agents;
use odcm_wire::latest::{RefusalCode, Section};

fn body(request: &odcm_wire::latest::EnrolmentRequest) -> String {
    serde_json::to_string(request).unwrap()
}

#[tokio::test]
async fn a_code_enrols_once_and_only_before_it_expires() {
    let server = Server::idle().await;
    let space = server.space("Mars").await;
    let code = server.code(&space).await;
    let (status, _) = server.post_enrolment(body(&enrolment(&code, &fresh_key(), "i"))).await;
    assert_eq!(status, 200);
    let used = server.post_enrolment(body(&enrolment(&code, &fresh_key(), "i"))).await;
    let replaced = server.code(&space).await;
    let late = server.code(&space).await;
    let void = server.post_enrolment(body(&enrolment(&replaced, &fresh_key(), "i"))).await;
    server.deps.hand.advance_ms(3_600_000);
    let expired = server.post_enrolment(body(&enrolment(&late, &fresh_key(), "i"))).await;
    let unknown = server.post_enrolment(body(&enrolment("odcm_enrol_x", &fresh_key(), "i"))).await;
    for (what, (status, problem)) in [("used", &used), ("replaced", &void), ("expired", &expired), ("unknown", &unknown)] {
        assert_eq!(*status, 403, "{what}: {problem}");
        assert_eq!(problem["detail"], unknown.1["detail"], "{what}: one answer for all");
    }
}

#[tokio::test]
async fn of_many_that_use_one_code_at_once_one_is_enrolled() {
    let server = Server::idle().await;
    let space = server.space("Mars").await;
    let code = server.code(&space).await;
    let keys: Vec<_> = (0..8).map(|_| fresh_key()).collect();
    let tries = keys.iter().map(|key| server.post_enrolment(body(&enrolment(&code, key, "i"))));
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|(status, _)| *status == 200).count(), 1, "{results:?}");
}

#[tokio::test]
async fn a_server_is_one_space_and_the_code_survives_the_mistake() {
    let server = Server::idle().await;
    let (mars, venus) = (server.space("Mars").await, server.space("Venus").await);
    server.enrol(&mars, "installation-one").await;
    let code = server.code(&venus).await;
    let (status, problem) = server.post_enrolment(body(&enrolment(&code, &fresh_key(), "installation-one"))).await;
    assert_eq!(status, 409, "{problem}");
    let (status, _) = server.post_enrolment(body(&enrolment(&code, &fresh_key(), "installation-two"))).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_new_enrolment_revokes_the_former_agent_and_a_key_is_used_once() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut old = mars.agent.connect(&server).await;
    let again = enrolment(&server.code(&mars.space).await, &mars.agent.key, "installation-mars");
    assert_eq!(server.post_enrolment(body(&again)).await.0, 409, "the key is known");
    let new = server.enrol(&mars.space, "installation-mars").await;
    assert!(old.refusal().await.is_some(), "the former agent's connection ends");
    let refused = mars.agent.try_connect(&server, Twist::default()).await.err().unwrap();
    assert_eq!(refused.code, RefusalCode::Denied);
    let mut session = new.connect(&server).await;
    let document = session.document(Section::Access).await;
    assert_eq!(snapshot_state(&new.open(&document)).people.len(), 1);
}

#[tokio::test]
async fn bad_requests_name_the_field_and_guesses_are_slowed_down() {
    let server = Server::idle().await;
    let space = server.space("Mars").await;
    let code = server.code(&space).await;
    let good = enrolment(&code, &fresh_key(), "i");
    let mut bad = good.clone();
    bad.public_key = "AAAA".into();
    let (status, problem) = server.post_enrolment(body(&bad)).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("public_key")), "{problem}");
    let mut bad = good.clone();
    bad.installation_id = String::new();
    assert_eq!(server.post_enrolment(body(&bad)).await.1["field"], "installation_id");
    assert_eq!(server.post_enrolment("{\"code\":").await.0, 400);
    assert_eq!(server.post_enrolment(vec![b' '; 65 * 1024]).await.0, 413);
    for _ in 0..10 {
        server.post_enrolment(body(&enrolment("odcm_enrol_guess", &fresh_key(), "i"))).await;
    }
    assert_eq!(server.post_enrolment(body(&good)).await.0, 429, "even the right code waits now");
    server.deps.hand.advance_ms(60_000);
    assert_eq!(server.post_enrolment(body(&good)).await.0, 200);
}

#[tokio::test]
async fn only_who_runs_the_space_makes_codes_and_the_code_is_nowhere_in_the_database() {
    let server = Server::idle().await;
    let space = server.space("Mars").await;
    let mut nobody = admin();
    nobody.rights.clear();
    assert!(agents::create_enrolment_code(server.deps(), &nobody, &space).await.is_err());
    assert!(agents::revoke(server.deps(), &nobody, &space).await.is_err());
    let code = server.code(&space).await;
    let audit: Vec<(Option<String>,)> = server.deps().db.all(query!("SELECT after FROM audit"), &[]).await.unwrap();
    assert!(!format!("{audit:?}").contains(&code));
    assert!(
        !format!("{:?}", agents::create_enrolment_code(server.deps(), &admin(), &space).await.unwrap()).contains("odcm_enrol_")
    );
}

#[tokio::test]
async fn an_address_that_is_not_the_spaces_own_alarms_at_enrolment_and_once_at_connections() {
    let server = Server::idle().await;
    for (name, address, alarm) in [
        ("Mars", "https://mars.example.com", false),
        ("Venus", "HTTPS://Venus.example.com:443/", false),
        ("Ceres", "https://evil.example.com", true),
        ("Pluto", "http://pluto.example.com", true),
        ("Eris", "not an address", true),
    ] {
        let space = server.space(name).await;
        let key = fresh_key();
        let mut request = enrolment(&server.code(&space).await, &key, name);
        request.base_url = address.into();
        let (status, accepted) = server.post_enrolment(body(&request)).await;
        assert_eq!(status, 200, "an alarm, not a refusal: {accepted}");
        let expected = if alarm { vec!["other_base_url"] } else { vec![] };
        assert_eq!(alarms(&server, &space).await, expected, "{name}");
        let accepted = serde_json::from_value(accepted).unwrap();
        let agent = Agent { key, accepted, installation: name.into(), base_url: address.into(), positions: Vec::new() };
        for _ in 0..2 {
            agent.connect(&server).await;
        }
        assert_eq!(alarms(&server, &space).await, expected, "{name}: known already");
    }
    // The Space moves: its agent says the old address from now on.
    let space = server.space("Io").await;
    let agent = server.enrol(&space, "installation-io").await;
    agent.connect(&server).await;
    assert!(alarms(&server, &space).await.is_empty());
    let moved = odcm::accounts::spaces::EditSpace { base_url: Some("https://io2.example.com".into()), ..Default::default() };
    odcm::accounts::spaces::edit(server.deps(), &admin(), &space, None, moved).await.unwrap();
    agent.connect(&server).await;
    agent.connect(&server).await;
    assert_eq!(alarms(&server, &space).await, ["other_base_url"]);
}
