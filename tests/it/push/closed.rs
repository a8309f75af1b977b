//! Inner spaces that are closed to an agent's key: what is stored of them, and what stays although no report names it.

use super::support::*;
use odcm::accounts::agent_status;
use odcm_wire::latest::{InnerSpace, ReportKind, Section, TeamBinding};

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
