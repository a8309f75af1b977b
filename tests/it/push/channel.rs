//! What is sent: a chain of deltas or a snapshot, nothing of other Spaces, no mark lost.

use super::handshake::applied;
use super::support::*;
use odcm::accounts::{agent_status, grants, spaces};
use odcm::core::directory::{Span, Subject};
use odcm_wire::latest::{AccessState, Body, FromAgent, FromServer, Section};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_grant_and_a_revocation_travel_by_themselves() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    let document = mars.agent.open(&first);
    let mut state = after(&AccessState::default(), &document);
    assert_eq!(state.people[mars.person.as_str()].email, "dana@example.com");
    assert!(state.groups[mars.group.as_str()].members.contains_key(mars.person.as_str()));
    session.ack(&first).await;

    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    let signed = session.document(Section::Access).await;
    let document = mars.agent.open(&signed);
    assert_eq!((document.revision, document.base_revision), (2, Some(1)));
    assert!(matches!(document.body, Body::AccessDelta { .. }));
    state = after(&state, &document);
    assert!(state.people.contains_key(erin.as_str()));
    session.ack(&signed).await;

    server.leave(&mars.group, &erin).await;
    let signed = session.document(Section::Access).await;
    state = after(&state, &mars.agent.open(&signed));
    assert!(!state.people.contains_key(erin.as_str()), "a revocation is an absence");
    until("the acknowledgement of the second", || async { applied(&server, &mars).await == 2 }).await;
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    let access = &status.sections["access"];
    assert!(access.pending && access.removals_pending && access.revision == 3 && !status.is_applied());
    server.deps.hand.advance_ms(42);
    session.ack(&signed).await;
    until("the acknowledgement", || async { applied(&server, &mars).await == 3 }).await;
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    let access = &status.sections["access"];
    assert_eq!((access.pending, access.removals_pending, access.applied_ms), (false, false, Some(42)));
}

#[tokio::test]
async fn section_authentication_says_where_people_sign_in() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let document = mars.agent.open(&session.document(Section::Authentication).await);
    let Body::AuthenticationSnapshot { state } = document.body else { panic!("{document:?}") };
    assert_eq!((state.issuer.as_str(), state.client_id.as_str(), state.display_name.as_str()), (ORIGIN, "mars", "ODCM"));
}

#[tokio::test]
async fn who_was_away_gets_the_missing_deltas_or_a_snapshot() {
    let (server, mut mars) = Server::with_mars(|s| s.push.keep_documents = 3).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    let state = after(&AccessState::default(), &mars.agent.open(&first));
    session.ack(&first).await;
    until("the first is acknowledged", || async { applied(&server, &mars).await == 1 }).await;
    drop(session);
    until("it is gone", || async { server.push.connected() == 0 }).await;

    // Two changes, one of them a revocation, while nobody is connected: a chain of two deltas.
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    revision(&server, &mars, 2).await;
    server.leave(&mars.group, &mars.person).await;
    revision(&server, &mars, 3).await;
    mars.agent.positions = vec![position(&first)];
    let mut session = mars.agent.connect(&server).await;
    let (two, three) = (session.document(Section::Access).await, session.document(Section::Access).await);
    let chained = after(&after(&state, &mars.agent.open(&two)), &mars.agent.open(&three));
    assert_eq!(chained.people.keys().collect::<Vec<_>>(), [erin.as_str()]);
    drop(session);

    // Further away than documents are kept: a snapshot.
    for name in ["fred", "gina", "hugo"] {
        let person = server.person(name).await;
        let before = top(&server, &mars).await;
        server.join(&mars.group, &person).await;
        revision(&server, &mars, before + 1).await;
    }
    let mut session = mars.agent.connect(&server).await;
    let snapshot = mars.agent.open(&session.document(Section::Access).await);
    assert_eq!((snapshot.revision, snapshot.base_revision), (6, None));
    assert_eq!(snapshot_state(&snapshot).people.len(), 4);
    let kept: Option<(i64,)> =
        server.deps().db.opt(query!("SELECT COUNT(*) FROM document WHERE section = 'access'"), &[]).await.unwrap();
    assert!(kept.unwrap().0 <= 4, "{kept:?} documents are kept");
}

#[tokio::test]
async fn who_has_everything_gets_nothing() {
    let (server, mut mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let (access, authentication) = (session.document(Section::Access).await, session.document(Section::Authentication).await);
    drop(session);
    mars.agent.positions = vec![position(&access), position(&authentication)];
    let mut session = mars.agent.connect(&server).await;
    session.silence(300).await;
}

#[tokio::test]
async fn a_fork_ends_with_the_state_under_a_higher_revision() {
    let (server, mut mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    drop(session);
    let mut forged = position(&first);
    forged.doc_digest = Some(digest("another document"));
    mars.agent.positions = vec![forged];
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    let document = mars.agent.open(&signed);
    assert_eq!((document.revision, document.base_revision), (2, None));
    assert_eq!(snapshot_state(&document).people.len(), 1);
    // The same found at an acknowledgement.
    let mut ack = session.ack_of(&signed);
    ack.doc_digest = digest("a third one");
    session.send(&FromAgent::Ack(ack)).await;
    let document = mars.agent.open(&session.document(Section::Access).await);
    assert_eq!((document.revision, document.base_revision), (3, None));
    assert_eq!(applied(&server, &mars).await, 0, "nothing of a fork counts as applied");
    assert_eq!(alarms(&server, &mars.space).await, ["fork", "fork"]);
}

#[tokio::test]
async fn an_agent_ahead_is_not_lowered() {
    let (server, mut mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    session.document(Section::Authentication).await;
    drop(session);
    for (epoch, revision) in [(1, 9), (2, 1)] {
        let mut ahead = position(&first);
        (ahead.epoch, ahead.revision) = (epoch, revision);
        mars.agent.positions = vec![ahead];
        let mut session = mars.agent.connect(&server).await;
        session.document(Section::Authentication).await;
        let erin = server.person(&format!("erin{epoch}")).await;
        server.join(&mars.group, &erin).await;
        session.silence(200).await;
    }
    assert_eq!(alarms(&server, &mars.space).await, ["agent_ahead", "agent_ahead"]);
}

#[tokio::test]
async fn a_snapshot_is_sent_on_request_and_again_under_a_higher_revision_but_not_for_ever() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let mut last = mars.agent.open(&session.document(Section::Access).await).revision;
    for _ in 0..5 {
        let ask = FromAgent::NeedSnapshot { section: Section::Access, reason: "test".into(), connection_epoch: session.epoch };
        session.send(&ask).await;
        let document = mars.agent.open(&session.document(Section::Access).await);
        assert_eq!((document.revision, document.base_revision), (last + 1, None), "the refused one is not sent again");
        last = document.revision;
    }
    let ask = FromAgent::NeedSnapshot { section: Section::Access, reason: "test".into(), connection_epoch: session.epoch };
    session.send(&ask).await;
    until("the alarm", || async { alarms(&server, &mars.space).await == ["snapshots_refused"] }).await;
}

#[tokio::test]
async fn nothing_of_one_space_is_in_the_traffic_of_another() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let venus = server.space("Venus").await;
    let secret_group = server.group("Moonbase").await;
    let zoe = server.person("zoe").await;
    server.join(&secret_group, &zoe).await;
    // Dana is in the foreign group as well: that must not leak its name either.
    server.join(&secret_group, &mars.person).await;
    server.grant(&venus, &secret_group).await;
    let other = server.enrol(&venus, "installation-venus").await;
    let (mut here, mut there) = (mars.agent.connect(&server).await, other.connect(&server).await);
    let mut traffic = String::new();
    let mut hear = |signed: odcm_wire::latest::SignedDocument| traffic.push_str(&serde_json::to_string(&signed).unwrap());
    hear(here.document(Section::Access).await);
    hear(here.document(Section::Authentication).await);
    server.leave(&secret_group, &mars.person).await;
    there.document(Section::Access).await;
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    hear(here.document(Section::Access).await);
    for foreign in ["Moonbase", "zoe", zoe.as_str(), secret_group.as_str(), venus.as_str(), "Venus", "venus"] {
        assert!(!traffic.contains(foreign), "{foreign} is in the traffic of Mars");
    }
    assert!(traffic.contains("erin@example.com"), "the search looks at the right bytes");
}

#[tokio::test]
async fn no_mark_is_lost_and_one_projector_numbers_without_gaps() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let second = Server::over(server.deps.clone(), odcm::push::Push::start).await;
    let mut people = Vec::new();
    for n in 0..24 {
        people.push(server.person(&format!("p{n}")).await);
    }
    let joins = people.iter().map(|p| server.join(&mars.group, p));
    futures_util::future::join_all(joins).await;
    let leaves = people.iter().take(12).map(|p| server.leave(&mars.group, p));
    futures_util::future::join_all(leaves).await;
    until("everything is projected", || async { odcm::storage::marks::count_pending(&server.deps().db).await.unwrap() == 0 })
        .await;
    let mut session = mars.agent.connect(&second).await;
    let state = after(&AccessState::default(), &mars.agent.open(&session.document(Section::Access).await));
    let expected: BTreeSet<_> = people.iter().skip(12).chain([&mars.person]).map(ToString::to_string).collect();
    assert_eq!(state.people.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let revisions: Vec<(i64,)> = server
        .deps()
        .db
        .all(query!("SELECT revision FROM document WHERE section = 'access' AND kind = 'delta' ORDER BY revision"), &[])
        .await
        .unwrap();
    let (first, last) = (revisions.first().unwrap().0, revisions.last().unwrap().0);
    assert_eq!(revisions.iter().map(|r| r.0).collect::<Vec<_>>(), (first..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn spaces_that_lose_something_are_projected_first() {
    let server = Server::idle().await;
    let mut spaces = Vec::new();
    for n in 0..5 {
        let space = server.space(&format!("S{n}")).await;
        let group = server.group(&format!("G{n}")).await;
        let person = server.person(&format!("p{n}")).await;
        server.join(&group, &person).await;
        server.grant(&space, &group).await;
        spaces.push((space, group, person));
    }
    server.push.project_once().await.unwrap();
    let newcomer = server.person("newcomer").await;
    for (_, group, _) in &spaces[..4] {
        server.join(group, &newcomer).await;
    }
    let (space, group, person) = &spaces[4];
    server.leave(group, person).await;
    let pass = server.push.project_once().await.unwrap();
    assert_eq!(pass.changed.len(), 5);
    assert_eq!(&pass.changed[0], space, "the removal was marked last and is projected first");
}

#[tokio::test]
async fn a_change_that_changes_nothing_makes_no_revision_and_a_policy_change_makes_one() {
    let server = Server::idle().await;
    let mars = server.mars().await;
    server.push.project_once().await.unwrap();
    assert_eq!(top(&server, &mars).await, 1);
    let other = server.space("Venus").await;
    let direct = Subject::Person(mars.person.clone());
    grants::add(server.deps(), &admin(), &mars.space, &direct, Span::default()).await.unwrap();
    let pass = server.push.project_once().await.unwrap();
    assert_eq!(pass.changed, [other], "Dana was in before");
    assert_eq!(top(&server, &mars).await, 1);
    let shut = spaces::EditSpace { offline_policy: Some(odcm::storage::spaces::OfflinePolicy::Shut), ..Default::default() };
    spaces::edit(server.deps(), &admin(), &mars.space, None, shut).await.unwrap();
    server.push.project_once().await.unwrap();
    let mut session = mars.agent.connect(&server).await;
    let document = mars.agent.open(&session.document(Section::Access).await);
    assert_eq!((document.revision, document.offline), (2, odcm_wire::latest::Offline::Shut));
    // The sign-in settings are the same: writing them again would undo a `restore-auth`.
    let document = mars.agent.open(&session.document(Section::Authentication).await);
    assert_eq!(document.revision, 1);
}

#[tokio::test]
async fn an_outsider_never_gets_a_document() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    while let Some(FromServer::Document(_)) = session.next().await {
        if odcm::accounts::agents::revoke(server.deps(), &admin(), &mars.space).await.is_ok() {
            break;
        }
    }
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    while let Some(message) = session.next().await {
        if let FromServer::Document(signed) = message {
            assert!(!signed.payload.contains("erin"), "a revoked agent hears of nobody new");
        }
    }
}

async fn top(server: &Server, mars: &Mars) -> i64 {
    agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap().sections["access"].revision
}

async fn revision(server: &Server, mars: &Mars, revision: i64) {
    until("the revision", || async { top(server, mars).await == revision }).await;
}
