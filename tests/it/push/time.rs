//! Beginnings and ends take effect on time, without anybody touching anything.

use super::support::*;
use odcm::core::directory::Span;
use odcm::core::time::Timestamp;
use odcm_wire::latest::{AccessState, Section};

#[tokio::test]
async fn entries_of_the_future_do_not_travel_and_each_boundary_makes_a_revision() {
    let server = Server::idle().await;
    let mars = server.mars().await;
    let erin = server.person("erin").await;
    let start = odcm::testing::START;
    let span = Span { from: Some(start.plus_secs(60)), until: Some(start.plus_secs(120)) };
    server.join_for(&mars.group, &erin, span).await;
    let pass = server.push.project_once().await.unwrap();
    assert_eq!(pass.next_due, span.from);
    let mut session = mars.agent.connect(&server).await;
    let state = after(&AccessState::default(), &mars.agent.open(&session.document(Section::Access).await));
    assert!(!state.people.contains_key(erin.as_str()), "not yet");

    server.deps.hand.advance_ms(59_999);
    assert!(server.push.project_once().await.unwrap().changed.is_empty());
    server.deps.hand.advance_ms(1);
    let pass = server.push.project_once().await.unwrap();
    assert_eq!((pass.changed.as_slice(), pass.next_due), ([mars.space.clone()].as_slice(), span.until));
    let state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    let interval = state.people[erin.as_str()].interval;
    assert_eq!(interval.until, Some(start.plus_secs(120).0), "the agent can enforce the end by itself");

    server.deps.hand.advance_ms(60_000);
    server.push.project_once().await.unwrap();
    let state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    assert!(!state.people.contains_key(erin.as_str()), "no longer");
}

#[tokio::test]
async fn a_projector_that_was_down_at_the_boundary_catches_up() {
    let server = Server::idle().await;
    let mars = server.mars().await;
    let erin = server.person("erin").await;
    let until = odcm::testing::START.plus_secs(60);
    server.join_for(&mars.group, &erin, Span { from: None, until: Some(until) }).await;
    server.push.project_once().await.unwrap();
    server.push.shutdown().await;
    server.deps.hand.advance_ms(600_000);
    let next = Server::over(server.deps.clone(), odcm::push::Push::idle).await;
    assert_eq!(next.push.project_once().await.unwrap().changed, [mars.space]);
}

#[tokio::test]
async fn an_end_takes_effect_in_real_time() {
    // The scheduler, not the poll, must be what wakes up.
    let deps = odcm::testing::deps_in_real_time(|s| s.push.poll_ms = 60_000).await;
    let server = Server::over(deps, odcm::push::Push::start).await;
    let mars = server.mars().await;
    let erin = server.person("erin").await;
    let end = server.deps().clock.now().plus_ms(1500);
    server.join_for(&mars.group, &erin, Span { from: None, until: Some(end) }).await;
    let mut session = mars.agent.connect(&server).await;
    let mut state = AccessState::default();
    loop {
        let document = mars.agent.open(&session.document(Section::Access).await);
        state = after(&state, &document);
        if !state.people.contains_key(erin.as_str()) && server.deps().clock.now() >= end {
            let late = Timestamp(document.issued_at).since(end);
            assert!((0..1000).contains(&late), "{late} ms late");
            break;
        }
    }
}
