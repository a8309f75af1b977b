//! An inner space that is closed to the agent's key stops nothing else, and what is bound there is neither touched nor gone.

use crate::testkit::{Rig, state};
use odcm_space_plugin::fake::Closed;
use odcm_wire::latest::{Ack, InnerSpace, ItemState, ReportKind};
use std::time::Duration;

const WAYS: [Closed; 3] = [Closed::Refused, Closed::NotFound, Closed::Unlisted];

/// What was told last of closed inner spaces.
fn closed(rig: &mut Rig) -> Option<Vec<InnerSpace>> {
    let of = |r: ReportKind| match r {
        ReportKind::ClosedSpaces { spaces } => Some(spaces),
        _ => None,
    };
    rig.reports().into_iter().filter_map(of).next_back()
}

fn drifts(rig: &mut Rig) -> usize {
    rig.reports().iter().filter(|r| matches!(r, ReportKind::Drift { .. })).count()
}

fn bound(rig: &Rig, name: &str, inner_space: &str, group: &str) -> String {
    let team = rig.space.create_team(name, Some(inner_space));
    rig.space.bind_group(&team, group, group).unwrap();
    team
}

/// State of an item of an acknowledgement.
fn of(ack: &Ack, item: &str) -> Option<ItemState> {
    ack.items.iter().find(|i| i.item == item).map(|i| i.state)
}

#[tokio::test(start_paused = true)]
async fn a_closed_inner_space_stops_nothing_else_and_its_teams_are_neither_touched_nor_gone() {
    let mut rig = Rig::new();
    let (here, there) = (bound(&rig, "Here", "Spaces-1", "g1"), bound(&rig, "There", "Spaces-2", "g1"));
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    rig.apply(&one).await;
    assert_eq!((rig.members(&here), rig.members(&there)), (rig.members(&there), vec!["ann".to_owned(), "bob".to_owned()]));
    assert_eq!(closed(&mut rig), Some(vec![]), "told on each connection");

    rig.heard.clear();
    rig.space.close_space("Spaces-2");
    rig.pass(Duration::from_secs(11)).await;
    let told = closed(&mut rig).unwrap();
    assert_eq!(told.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["Spaces-2"]);

    // The others go on: at once, also for a document that touches both.
    rig.heard.clear();
    let two = state(&["ann", "bob"], &[("g1", &["bob"])]);
    let ack = rig.change(&one, &two).await;
    assert_eq!((rig.members(&here), rig.members(&there)), (vec!["bob".to_owned()], vec!["ann".to_owned(), "bob".to_owned()]));
    // What could not be done is not called applied.
    let left = ack.items.iter().find(|i| i.item == "member/g1/ann").unwrap_or_else(|| panic!("{:?}", ack.items));
    assert!(left.state == ItemState::Failed && left.message.as_ref().unwrap().contains("closed"), "{left:?}");
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(rig.members(&there), ["ann", "bob"]);
    assert_eq!(drifts(&mut rig), 0, "nobody removed anything");

    // Open again: it is caught up, as a known team, not as one that is bound anew.
    rig.heard.clear();
    rig.space.open_space("Spaces-2");
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&there), ["bob"]);
    assert_eq!(closed(&mut rig), Some(vec![]));
    // ODCM kept what waited there for a confirmation: it is told that nothing does.
    let sweeps = |r: ReportKind| if let ReportKind::Sweeps { sweeps } = r { Some(sweeps) } else { None };
    assert_eq!(rig.reports().into_iter().filter_map(sweeps).collect::<Vec<_>>(), [vec![]]);
    let healed = |r: &ReportKind| matches!(r, ReportKind::Items { items } if items.iter().any(|i| i.item == "member/g1/ann" && i.state == ItemState::Applied));
    assert!(rig.reports().iter().any(healed));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_comes_before_the_closed_inner_space_was_noticed_is_applied_elsewhere() {
    let mut rig = Rig::new();
    let (here, there) = (bound(&rig, "Here", "Spaces-1", "g1"), bound(&rig, "There", "Spaces-2", "g1"));
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.close_space("Spaces-2");
    let two = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    rig.change(&one, &two).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!((rig.members(&here), rig.members(&there)), (vec!["ann".to_owned(), "bob".to_owned()], vec!["ann".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn the_teams_of_a_closed_inner_space_outlive_a_restart() {
    let mut rig = Rig::new();
    let there = bound(&rig, "There", "Spaces-2", "g1");
    rig.go().await;
    rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    rig.space.close_space("Spaces-2");
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(rig.members(&there), ["ann"]);
    rig.heard.clear();
    rig.space.open_space("Spaces-2");
    rig.space.add_local_member(&there, &rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!((rig.members(&there), drifts(&mut rig)), (vec!["ann".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_meets_a_closed_inner_space_is_not_called_applied_however_the_server_says_it() {
    for how in WAYS {
        for noticed in [false, true] {
            let mut rig = Rig::new();
            let (here, there) = (bound(&rig, "Here", "Spaces-1", "g1"), bound(&rig, "There", "Spaces-2", "g1"));
            rig.go().await;
            let one = state(&["ann", "bob", "cyd"], &[("g1", &["ann", "bob", "cyd"])]);
            rig.apply(&one).await;
            rig.space.close_space_as("Spaces-2", how);
            if noticed {
                rig.pass(Duration::from_secs(11)).await;
            }
            let two = state(&["ann", "bob", "cyd"], &[("g1", &["bob"])]);
            let ack = rig.change(&one, &two).await;
            assert_eq!(rig.members(&here), ["bob"], "{how:?}");
            for item in ["member/g1/ann", "member/g1/cyd"] {
                assert_eq!(of(&ack, item), Some(ItemState::Failed), "{how:?} {noticed} {item}: {:?}", ack.items);
            }
            rig.heard.clear();
            rig.pass(Duration::from_secs(700)).await;
            assert_eq!(rig.members(&there), ["ann", "bob", "cyd"], "{how:?}");
            assert_eq!(drifts(&mut rig), 0, "{how:?}");
            rig.disconnect().await;
            rig.connect().await;
            let again = rig.acked().await;
            assert_eq!(of(&again, "member/g1/ann"), Some(ItemState::Failed), "{how:?}: {:?}", again.items);
            assert_eq!(closed(&mut rig).unwrap().iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["Spaces-2"], "{how:?}");
            rig.space.open_space("Spaces-2");
            rig.pass(Duration::from_secs(11)).await;
            assert_eq!(rig.members(&there), ["bob"], "{how:?}: known, not bound anew");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_addition_that_meets_a_closed_inner_space_is_caught_up_however_the_server_says_it() {
    for how in WAYS {
        let mut rig = Rig::new();
        let there = bound(&rig, "There", "Spaces-2", "g1");
        rig.go().await;
        let one = state(&["ann", "bob"], &[("g1", &["ann"])]);
        rig.apply(&one).await;
        rig.space.close_space_as("Spaces-2", how);
        let two = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
        let ack = rig.change(&one, &two).await;
        assert_eq!(of(&ack, "member/g1/bob"), Some(ItemState::Failed), "{how:?}: {:?}", ack.items);
        rig.pass(Duration::from_secs(60)).await;
        rig.space.open_space("Spaces-2");
        rig.pass(Duration::from_secs(11)).await;
        assert_eq!(rig.members(&there), ["ann", "bob"], "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_team_that_is_deleted_is_gone_although_another_inner_space_is_closed() {
    let mut rig = Rig::new();
    let (here, system) = (bound(&rig, "Here", "Spaces-1", "g1"), rig.team("System", "g1"));
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.close_space("Spaces-2");
    rig.pass(Duration::from_secs(11)).await;
    // Nobody knows when the removal comes, and the list that follows says it.
    rig.space.delete_team(&here).unwrap();
    rig.space.delete_team(&system).unwrap();
    rig.change(&one, &state(&["ann"], &[("g1", &[])])).await;
    rig.heard.clear();
    rig.pass(Duration::from_secs(11)).await;
    rig.disconnect().await;
    rig.connect().await;
    let again = rig.acked().await;
    assert!(again.items.is_empty(), "{:?}", again.items);
}

#[tokio::test(start_paused = true)]
async fn of_two_groups_of_a_hidden_team_the_one_that_was_lost_is_not_called_applied() {
    let mut rig = Rig::new();
    let there = bound(&rig, "There", "Spaces-2", "g1");
    rig.space.bind_group(&there, "G2", "g2").unwrap();
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["bob"]), ("g2", &["ann", "bob"])]);
    rig.apply(&one).await;
    rig.space.close_space("Spaces-2");
    rig.pass(Duration::from_secs(11)).await;
    let ack = rig.change(&one, &state(&["ann", "bob"], &[("g1", &["bob"]), ("g2", &[])])).await;
    assert_eq!(of(&ack, "member/g2/ann"), Some(ItemState::Failed), "{:?}", ack.items);
    assert_eq!(of(&ack, "member/g2/bob"), Some(ItemState::Applied), "another group still names him: {:?}", ack.items);
}
