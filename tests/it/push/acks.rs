//! What is stored of acknowledgements and reports, and what is not.

use super::handshake::applied;
use super::support::*;
use odcm::accounts::{agent_status, agents};
use odcm::storage::links;
use odcm_wire::latest::{
    AccessState, AccountLink, AdoptionCandidate, AdoptionDecision, Drift, DriftAction, FromAgent, ItemResult, ItemState,
    ReportKind, Section, Seen, SweepCandidate, TeamBinding,
};
use std::collections::BTreeSet;

fn link(person: &str, account: &str) -> AccountLink {
    AccountLink {
        person: person.into(),
        account: account.into(),
        username: "dana".into(),
        email: "dana@example.com".into(),
        display_name: "Dana".into(),
        active: true,
        locally_disabled: false,
    }
}

fn item(name: String, state: ItemState, residual: &[&str]) -> ItemResult {
    ItemResult { item: name, state, message: Some("why".into()), residual: residual.iter().map(|r| (*r).to_owned()).collect() }
}

fn candidate(person: &str, account: &str) -> AdoptionCandidate {
    AdoptionCandidate {
        person: person.into(),
        account: account.into(),
        username: "dana".into(),
        email: "Dana@example.com".into(),
        display_name: "Dana".into(),
        matched_on: vec!["email".into()],
        active: true,
        may_have_password: true,
        api_keys: Some(2),
        identities: vec!["Google".into()],
        teams: vec!["Everyone".into()],
    }
}

#[tokio::test]
async fn an_acknowledgement_stores_links_items_and_the_look_in_one() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut live = server.deps().live.listen();
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    let mut ack = session.ack_of(&signed);
    ack.links = vec![link(mars.person.as_str(), "Users-21")];
    ack.items = vec![
        item(format!("person/{}", mars.person), ItemState::Failed, &[]),
        item("person/gone".into(), ItemState::Applied, &["a password"]),
        item("member/g/x".into(), ItemState::Applied, &[]),
    ];
    ack.seen = Some(Seen { digest: digest("seen"), at: i64::MAX });
    server.deps.hand.advance_ms(7);
    session.send(&FromAgent::Ack(ack)).await;
    until("it is applied", || async { applied(&server, &mars).await == 1 }).await;
    let db = &server.deps().db;
    let stored = links::find(&mut &*db, &mars.space, &mars.person).await.unwrap().unwrap();
    assert_eq!((stored.account_id.as_str(), stored.email.as_str(), stored.active), ("Users-21", "dana@example.com", true));
    let items = agent_status::items(server.deps(), &admin(), &mars.space).await.unwrap();
    let names: Vec<_> = items.iter().map(|i| (i.item.clone(), i.state.clone(), i.residual.clone())).collect();
    assert_eq!(
        names,
        [
            (format!("person/{}", mars.person), "failed".to_owned(), vec![]),
            ("person/gone".to_owned(), "applied".to_owned(), vec!["a password".to_owned()]),
        ]
    );
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    let access = &status.sections["access"];
    assert_eq!((access.applied_ms, access.failed_items, status.failed_items), (Some(7), 1, 1));
    assert_eq!(access.seen_at, Some(server.deps().clock.now()), "a look of the future counts as one of now");
    assert_eq!(live.recv().await.unwrap(), mars.space);

    // Told again without the failure: what the revocation left over stays on the list, the rest goes.
    server.deps.hand.advance_ms(100);
    session.ack(&signed).await;
    until("the failure is gone", || async {
        agent_status::items(server.deps(), &admin(), &mars.space).await.unwrap().len() == 1
    })
    .await;
    let status = agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap();
    assert_eq!(status.sections["access"].applied_ms, Some(7), "repeating does not make it slower");
}

#[tokio::test]
async fn acknowledgements_of_unknown_revisions_and_documents_change_nothing() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    let good = session.ack_of(&signed);
    for (what, epoch, revision) in [("the future", 1, 2), ("nothing", 1, 0), ("another epoch", 2, 1), ("no number", 1, u64::MAX)]
    {
        let mut ack = good.clone();
        (ack.epoch, ack.revision) = (epoch, revision);
        ack.links = vec![link(mars.person.as_str(), "Users-1")];
        session.send(&FromAgent::Ack(ack)).await;
        settled(&server, &mars.space, &mut session).await;
        assert_eq!(applied(&server, &mars).await, 0, "{what}");
    }
    let db = &server.deps().db;
    assert_eq!(links::find(&mut &*db, &mars.space, &mars.person).await.unwrap(), None, "refused as a whole");
}

#[tokio::test]
async fn an_older_acknowledgement_does_not_lower_the_newer_one() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    let second = session.document(Section::Access).await;
    session.ack(&second).await;
    until("the second", || async { applied(&server, &mars).await == 2 }).await;
    session.ack(&first).await;
    settled(&server, &mars.space, &mut session).await;
    assert_eq!(applied(&server, &mars).await, 2);
}

#[tokio::test]
async fn an_agent_speaks_of_its_own_people_only() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let zoe = server.person("zoe").await;
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    let mut ack = session.ack_of(&signed);
    ack.links = vec![
        link(zoe.as_str(), "Users-1"),
        link("nobody", "Users-2"),
        link(mars.person.as_str(), "Users-3"),
        link(mars.person.as_str(), "Users-3"),
    ];
    session.send(&FromAgent::Ack(ack)).await;
    report(&mut session, ReportKind::Candidates { candidates: vec![candidate(zoe.as_str(), "Users-1")] }).await;
    let sweep = SweepCandidate { team: "Teams-1".into(), team_name: "Ops".into(), people: vec![zoe.to_string()] };
    report(&mut session, ReportKind::Sweeps { sweeps: vec![sweep] }).await;
    settled(&server, &mars.space, &mut session).await;
    let db = &server.deps().db;
    let stored = links::of_space(&mut &*db, &mars.space, "", 10).await.unwrap();
    assert_eq!(stored.iter().map(|l| l.account_id.as_str()).collect::<Vec<_>>(), ["Users-3"]);
    assert!(agents::adoptions(server.deps(), &admin(), &mars.space).await.unwrap().is_empty());
    let sweeps = agents::sweeps(server.deps(), &admin(), &mars.space).await.unwrap();
    assert!(sweeps[0].candidate.people.is_empty());
}

#[tokio::test]
async fn adoption_is_decided_once_by_somebody_and_travels() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    let mut session = mars.agent.connect(&server).await;
    let mut state = after(&AccessState::default(), &mars.agent.open(&session.document(Section::Access).await));
    let all = vec![
        candidate(mars.person.as_str(), "Users-1"),
        candidate(mars.person.as_str(), "Users-2"),
        candidate(erin.as_str(), "Users-1"),
    ];
    report(&mut session, ReportKind::Candidates { candidates: all }).await;
    settled(&server, &mars.space, &mut session).await;
    let list = agents::adoptions(server.deps(), &admin(), &mars.space).await.unwrap();
    assert_eq!(list.iter().map(|a| a.candidates.len()).sum::<usize>(), 3);
    assert_eq!(agent_status::status(server.deps(), &admin(), &mars.space).await.unwrap().undecided, 2);

    let adopt = |account: &str| AdoptionDecision::Adopt {
        account: account.into(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    };
    let decide = |who: &odcm::core::ids::PersonId, decision| {
        let who = who.clone();
        let (deps, space) = (server.deps().clone(), mars.space.clone());
        async move { agents::decide_adoption(&deps, &admin(), &space, &who, &decision).await.map_err(|e| e.to_string()) }
    };
    assert!(decide(&mars.person, adopt("Users-9")).await.unwrap_err().contains("not among"));
    decide(&mars.person, adopt("Users-1")).await.unwrap();
    assert!(decide(&erin, adopt("Users-1")).await.unwrap_err().contains("somebody else"));
    decide(&erin, AdoptionDecision::CreateNew).await.unwrap();
    while state.people.values().filter(|p| p.adoption.is_some()).count() < 2 {
        state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    }
    assert_eq!(state.people[mars.person.as_str()].adoption, Some(adopt("Users-1")));

    // Undecided ones that are no longer reported go; decisions stay. A linked person is settled.
    report(&mut session, ReportKind::Candidates { candidates: vec![] }).await;
    report(&mut session, ReportKind::Links { links: vec![link(mars.person.as_str(), "Users-1")] }).await;
    settled(&server, &mars.space, &mut session).await;
    let list = agents::adoptions(server.deps(), &admin(), &mars.space).await.unwrap();
    assert!(list.iter().all(|a| a.decision.is_some()), "{list:?}");
    assert!(decide(&mars.person, adopt("Users-2")).await.unwrap_err().contains("already linked"));
}

#[tokio::test]
async fn a_sweep_is_confirmed_for_the_people_who_were_seen() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let erin = server.person("erin").await;
    server.join(&mars.group, &erin).await;
    let mut session = mars.agent.connect(&server).await;
    let mut state = after(&AccessState::default(), &mars.agent.open(&session.document(Section::Access).await));
    let sweep = |people: &[&str]| ReportKind::Sweeps {
        sweeps: vec![SweepCandidate {
            team: "Teams-1".into(),
            team_name: "Ops".into(),
            people: people.iter().map(|p| (*p).to_owned()).collect(),
        }],
    };
    let seen = |people: &[&str]| people.iter().map(|p| (*p).to_owned()).collect::<BTreeSet<_>>();
    report(&mut session, sweep(&[mars.person.as_str()])).await;
    settled(&server, &mars.space, &mut session).await;
    let confirm = |people: BTreeSet<String>| {
        let (deps, space) = (server.deps().clone(), mars.space.clone());
        async move { agents::confirm_sweep(&deps, &admin(), &space, "Teams-1", &people).await }
    };
    assert!(confirm(seen(&[])).await.is_err(), "another list than the one that was shown");
    confirm(seen(&[mars.person.as_str()])).await.unwrap();
    assert!(confirm(seen(&[mars.person.as_str()])).await.is_err(), "once");
    state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    assert!(state.confirmed_sweeps.contains("Teams-1"));
    // Somebody else turned up in the team: the confirmation does not cover them.
    report(&mut session, sweep(&[mars.person.as_str(), erin.as_str()])).await;
    state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    assert!(state.confirmed_sweeps.is_empty());
    confirm(seen(&[mars.person.as_str(), erin.as_str()])).await.unwrap();
    state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    assert!(state.confirmed_sweeps.contains("Teams-1"));
    // Done: the confirmation is used up.
    report(&mut session, ReportKind::Sweeps { sweeps: vec![] }).await;
    state = after(&state, &mars.agent.open(&session.document(Section::Access).await));
    assert!(state.confirmed_sweeps.is_empty());
}

#[tokio::test]
async fn bindings_replace_each_other_and_drift_is_listed() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let binding = |team: &str, group: &str| TeamBinding {
        team: team.into(),
        team_name: format!("Team {team}"),
        inner_space: None,
        group: group.into(),
        administrative: false,
        managed: true,
        message: None,
    };
    let upper = mars.group.as_str().to_uppercase();
    report(&mut session, ReportKind::Bindings { bindings: vec![binding("Teams-1", "x")] }).await;
    report(&mut session, ReportKind::Bindings { bindings: vec![binding("Teams-2", &upper)] }).await;
    let drift =
        Drift { item: "member/x".into(), found: "added by hand".into(), by: Some("bob".into()), action: DriftAction::Repaired };
    report(&mut session, ReportKind::Drift { items: vec![drift] }).await;
    settled(&server, &mars.space, &mut session).await;
    let bindings = agent_status::bindings(server.deps(), &admin(), &mars.space).await.unwrap();
    assert_eq!(bindings.len(), 1);
    assert_eq!((bindings[0].binding.team.as_str(), bindings[0].group_name.as_deref()), ("Teams-2", Some("Developers")));
    let events = agent_status::events(server.deps(), &admin(), &mars.space, 10).await.unwrap();
    let drift = events.iter().find(|e| e.kind == "drift").unwrap();
    assert_eq!((drift.detail["by"].as_str(), drift.detail["action"].as_str()), (Some("bob"), Some("repaired")));
    assert!(drift.at >= server.deps().clock.now().plus_ms(-31 * 86_400_000), "dated back at most a month");
}

#[tokio::test]
async fn items_are_bounded_and_have_documented_names() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let fill = query!(
        "INSERT INTO item_state (space_id, section, item, state, message, residual, updated_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT $1, 'access', 'person/' || i, 'failed', NULL, '[]', 0 FROM n"
    );
    server.deps().db.exec(fill, &[&mars.space]).await.unwrap();
    let mut known = item("person/7".into(), ItemState::Failed, &[]);
    known.message = Some("still".into());
    let items = vec![
        item("nonsense".into(), ItemState::Failed, &[]),
        item("person/new".into(), ItemState::Failed, &[]),
        item("person/one-too-many".into(), ItemState::Failed, &[]),
        known,
    ];
    report(&mut session, ReportKind::Items { items }).await;
    settled(&server, &mars.space, &mut session).await;
    let rows = odcm::storage::reports::items(&mut &server.deps().db, &mars.space, 30_000).await.unwrap();
    assert_eq!(rows.len(), 20_000);
    assert!(rows.iter().any(|r| r.item == "person/new") && !rows.iter().any(|r| r.item.starts_with("nons")));
    let seven = rows.iter().find(|r| r.item == "person/7").unwrap();
    assert_eq!(seven.message.as_deref(), Some("still"), "what is known is brought up to date");
}

#[tokio::test]
async fn the_account_of_somebody_revoked_before_the_acknowledgement_is_known() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    session.ack(&first).await;
    let (erin, never) = (server.person("erin").await, server.person("never").await);
    server.join(&mars.group, &erin).await;
    session.document(Section::Access).await;
    // The agent has made the account when the revocation comes, and acknowledges only that.
    server.leave(&mars.group, &erin).await;
    let gone = session.document(Section::Access).await;
    let mut ack = session.ack_of(&gone);
    let off = AccountLink { active: false, ..link(erin.as_str(), "Users-22") };
    ack.links = vec![off, link(never.as_str(), "Users-23")];
    session.send(&FromAgent::Ack(ack)).await;
    until("it is applied", || async { applied(&server, &mars).await == 3 }).await;
    let stored = links::find(&mut &server.deps().db, &mars.space, &erin).await.unwrap().unwrap();
    assert_eq!((stored.account_id.as_str(), stored.active), ("Users-22", false));
    let stranger = links::find(&mut &server.deps().db, &mars.space, &never).await.unwrap();
    assert_eq!(stranger, None, "the Space was never told of that person");
}

#[tokio::test]
async fn a_space_that_looks_different_without_a_reason_is_drift() {
    let (server, mars) = Server::with_mars(|_| {}).await;
    let mut session = mars.agent.connect(&server).await;
    let signed = session.document(Section::Access).await;
    let seen = |text: &str| Seen { digest: digest(text), at: i64::MAX };
    let mut ack = session.ack_of(&signed);
    ack.seen = Some(seen("one"));
    session.send(&FromAgent::Ack(ack)).await;
    let look = |text: &str| ReportKind::Seen { section: Section::Access, seen: seen(text) };
    let drifts = || async {
        let events = agent_status::events(server.deps(), &admin(), &mars.space, 100).await.unwrap();
        events.iter().filter(|e| e.kind == "drift" && e.detail["action"] == "other").count()
    };
    // The agent says why: its own report of drift is enough.
    let said = Drift { item: "person/x".into(), found: "x".into(), by: None, action: DriftAction::Repaired };
    report(&mut session, ReportKind::Drift { items: vec![said] }).await;
    for text in ["two", "two"] {
        report(&mut session, look(text)).await;
    }
    settled(&server, &mars.space, &mut session).await;
    assert_eq!(drifts().await, 0);
    // It says nothing. One look may be ahead of what explains it, two are not.
    report(&mut session, look("three")).await;
    settled(&server, &mars.space, &mut session).await;
    assert_eq!(drifts().await, 0);
    report(&mut session, look("three")).await;
    settled(&server, &mars.space, &mut session).await;
    assert_eq!(drifts().await, 1);
    // A change while nobody was connected is found as well.
    drop(session);
    until("it is gone", || async { server.push.connected() == 0 }).await;
    let mut session = mars.agent.connect(&server).await;
    for text in ["four", "four"] {
        report(&mut session, look(text)).await;
    }
    settled(&server, &mars.space, &mut session).await;
    assert_eq!(drifts().await, 2);
}
