//! Inner spaces that are closed to an agent's key: what is stored of them, and what stays although no report names it.

use super::support::*;
use odcm::accounts::{agent_status, agents};
use odcm_wire::latest::{Body, Inheritance, InnerSpace, ReportKind, Section, SweepCandidate, TeamBinding};
use std::collections::{BTreeMap, BTreeSet};

fn binding(mars: &Mars, team: &str, space: &str) -> TeamBinding {
    TeamBinding {
        team: team.into(),
        team_name: team.into(),
        inner_space: Some(space.into()),
        group: mars.group.to_string(),
        administrative: false,
        managed: true,
        message: None,
    }
}

fn inner(id: &str, name: &str) -> InnerSpace {
    InnerSpace { id: id.into(), name: name.into() }
}

async fn tell(session: &mut Session, closed: Vec<InnerSpace>, bindings: Vec<TeamBinding>) {
    report(session, ReportKind::ClosedSpaces { spaces: closed }).await;
    report(session, ReportKind::Bindings { bindings }).await;
}

#[tokio::test]
async fn closed_inner_spaces_are_listed_and_what_is_bound_there_is_not_gone() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    session.ack(&signed).await;
    let both = vec![binding(&mars, "Teams-1", "Spaces-1"), binding(&mars, "Teams-2", "Spaces-2")];
    let closed = async |session: &mut Session, spaces: Vec<InnerSpace>, left: Vec<TeamBinding>| {
        tell(session, spaces, left).await;
        settled(&server, &mars.space, session).await;
        let items = agent_status::items(server.deps(), &admin(), &mars.space).await.unwrap();
        let items: Vec<_> = items.into_iter().map(|i| (i.section, i.item, i.state, i.message.unwrap())).collect();
        let bindings = agent_status::bindings(server.deps(), &admin(), &mars.space).await.unwrap();
        let bindings: Vec<_> = bindings.into_iter().map(|b| (b.binding.team, b.binding.managed, b.binding.message)).collect();
        (items, bindings)
    };
    let (items, bindings) = closed(&mut session, vec![], both.clone()).await;
    assert_eq!((items.len(), bindings.len()), (0, 2));

    let wrong = [inner("", "x"), inner("Spaces-9", "a\u{0}b"), inner(&"x".repeat(400), "x")];
    let told = [inner("Spaces-2", "Second")].into_iter().chain(wrong).collect();
    let (items, bindings) = closed(&mut session, told, both[..1].to_vec()).await;
    let [(section, item, state, message)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((section.as_str(), item.as_str(), state.as_str()), ("inner_spaces", "inner-space/Spaces-2", "closed"));
    assert!(message.contains("Second"), "{message}");
    assert_eq!((bindings.len(), bindings[0].1, bindings[1].1), (2, true, true), "{bindings:?}");
    assert!(bindings[1].2.as_ref().unwrap().contains("closed"), "{bindings:?}");
    // An acknowledgement says nothing about it.
    session.ack(&signed).await;
    let (items, _) = closed(&mut session, vec![inner("Spaces-2", "Second")], both[..1].to_vec()).await;
    assert_eq!(items.len(), 1);

    // Open again, and the team was deleted meanwhile.
    let (items, bindings) = closed(&mut session, vec![], both[..1].to_vec()).await;
    assert_eq!((items.len(), bindings.len()), (0, 1), "{bindings:?}");
}

#[tokio::test]
async fn the_sentence_about_a_closed_inner_space_follows_its_name() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let told = async |session: &mut Session, name: &str| {
        tell(session, vec![inner("Spaces-2", name)], vec![]).await;
        settled(&server, &mars.space, session).await;
        let items = agent_status::items(server.deps(), &admin(), &mars.space).await.unwrap();
        let [item] = items.as_slice() else { panic!("{items:?}") };
        (item.message.clone().unwrap(), item.at)
    };
    let (before, since) = told(&mut session, "Second").await;
    server.deps.hand.advance_ms(60_000);
    let (after, still) = told(&mut session, "Orbit").await;
    assert!(before.contains("Second") && after.contains("Orbit"), "{before} {after}");
    assert_eq!(since, still, "since when it is closed stays");
}

#[tokio::test]
async fn sweeps_of_a_closed_inner_space_keep_their_confirmation() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let sweep =
        |team: &str| SweepCandidate { team: team.into(), team_name: team.into(), people: [mars.person.to_string()].into() };
    tell(&mut session, vec![], vec![binding(&mars, "Teams-1", "Spaces-1"), binding(&mars, "Teams-2", "Spaces-2")]).await;
    report(&mut session, ReportKind::Sweeps { sweeps: vec![sweep("Teams-1"), sweep("Teams-2")] }).await;
    settled(&server, &mars.space, &mut session).await;
    for team in ["Teams-1", "Teams-2"] {
        let seen = BTreeSet::from([mars.person.to_string()]);
        agents::confirm_sweep(server.deps(), &admin(), &mars.space, team, &seen).await.unwrap();
    }
    // The agent sees no team in the closed one, and used the other confirmation up.
    let kept = async |session: &mut Session, closed: Vec<InnerSpace>, bindings: Vec<TeamBinding>| {
        tell(session, closed, bindings).await;
        report(session, ReportKind::Sweeps { sweeps: vec![] }).await;
        settled(&server, &mars.space, session).await;
        odcm::storage::adoption::confirmed_sweeps(&mut &server.deps().db, &mars.space).await.unwrap()
    };
    let here = vec![binding(&mars, "Teams-1", "Spaces-1")];
    assert_eq!(kept(&mut session, vec![inner("Spaces-2", "Second")], here.clone()).await, ["Teams-2"]);
    assert_eq!(kept(&mut session, vec![], here).await, [] as [&str; 0], "open again, and done");
}

#[tokio::test]
async fn an_agent_enrolled_anew_inherits_what_is_bound_in_a_closed_inner_space() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    tell(&mut session, vec![], vec![binding(&mars, "Teams-1", "Spaces-1"), binding(&mars, "Teams-2", "Spaces-2")]).await;
    let sweep = SweepCandidate { team: "Teams-2".into(), team_name: "There".into(), people: [mars.person.to_string()].into() };
    report(&mut session, ReportKind::Sweeps { sweeps: vec![sweep] }).await;
    tell(&mut session, vec![inner("Spaces-2", "Second")], vec![binding(&mars, "Teams-1", "Spaces-1")]).await;
    report(&mut session, ReportKind::Sweeps { sweeps: vec![] }).await;
    settled(&server, &mars.space, &mut session).await;
    drop(session);
    let next = server.enrol(&mars.space, "installation-mars").await;
    let signed = next.connect(&server).await.document(Section::Access).await;
    let Body::AccessSnapshot { inheritance: Inheritance { teams, .. }, .. } = next.open(&signed).body else { panic!() };
    let left: BTreeMap<_, _> = teams.iter().map(|(id, team)| (id.as_str(), (&team.groups, team.unswept.len()))).collect();
    let group = BTreeSet::from([mars.group.to_string()]);
    assert_eq!(left, BTreeMap::from([("Teams-1", (&group, 0)), ("Teams-2", (&group, 1))]));
}

#[tokio::test]
async fn the_bindings_of_closed_inner_spaces_are_bounded() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    tell(&mut session, vec![inner("Spaces-2", "Second")], vec![]).await;
    settled(&server, &mars.space, &mut session).await;
    let text = serde_json::to_string(&binding(&mars, "Teams", "Spaces-2")).unwrap();
    let fill = query!(
        "INSERT INTO team_binding (space_id, team_id, group_key, binding, reported_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT $1, 'Teams-' || i, 'g', $2, 0 FROM n"
    );
    server.deps().db.exec(fill, &[&mars.space, &text]).await.unwrap();
    let fresh = (0..500).map(|n| binding(&mars, &format!("Fresh-{n}"), "Spaces-2")).collect();
    report(&mut session, ReportKind::Bindings { bindings: fresh }).await;
    settled(&server, &mars.space, &mut session).await;
    let stored = odcm::storage::bindings::of_space(&mut &server.deps().db, &mars.space).await.unwrap();
    assert_eq!(stored.len(), 20_000);
    assert_eq!(stored.iter().filter(|row| row.team_id.starts_with("Fresh-")).count(), 500, "what is reported goes first");
}
