//! Edits by hand (rules A3, A5, B6).

use crate::testkit::{Rig, state};
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::{Drift, DriftAction, ReportKind};
use std::time::Duration;

fn drift(rig: &mut Rig) -> Vec<Drift> {
    let of = |r: ReportKind| match r {
        ReportKind::Drift { items } => Some(items),
        _ => None,
    };
    rig.reports().into_iter().filter_map(of).flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn edits_by_hand_are_put_right_and_reported_while_running_and_while_down() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    rig.apply(&state(&["ann", "bob"], &[("g1", &["ann"])])).await;
    for down in [false, true] {
        if down {
            rig.kill().await;
        }
        rig.heard.clear();
        rig.space.remove_local_member(&team, &rig.id("ann")).unwrap();
        rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
        rig.space.edit_account(&rig.id("ann"), |a| a.email = "mallory@x.example".into()).unwrap();
        if down {
            rig.go().await;
        }
        rig.pass(Duration::from_secs(11)).await;
        assert_eq!(rig.members(&team), ["ann"], "down: {down}");
        assert_eq!(rig.space.look_at_account(&rig.id("ann")).unwrap().email, "ann@x.example");
        let mut found = drift(&mut rig);
        found.sort_by(|a, b| a.item.cmp(&b.item));
        let shown: Vec<_> = found.iter().map(|d| (d.item.as_str(), d.action, d.by.as_deref())).collect();
        let expected = ["member/g1/ann", "member/g1/bob", "person/ann"].map(|i| (i, DriftAction::Repaired, Some("somebody")));
        assert_eq!(shown, expected, "down: {down}: {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_odcm_ordered_is_no_drift() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let (one, two) = (state(&["ann", "bob"], &[("g1", &["ann"])]), state(&["bob"], &[("g1", &["bob"])]));
    rig.apply(&one).await;
    rig.change(&one, &two).await;
    rig.change(&two, &one).await;
    rig.pass(Duration::from_secs(400)).await;
    assert_eq!(rig.members(&team), ["ann"]);
    assert_eq!(drift(&mut rig), []);
}

#[tokio::test(start_paused = true)]
async fn strangers_and_unbound_teams_are_never_touched() {
    let mut rig = Rig::new();
    let (team, free) = (rig.team("Deployers", "g1"), rig.space.create_team("Free", None));
    rig.space.bind_group(&free, "somebody-elses-group", "x").unwrap();
    let zoe = rig.space.create_local_account(LocalAccount::person("zoe", "zoe@x.example"));
    rig.go().await;
    rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    rig.space.add_local_member(&team, &zoe).unwrap();
    rig.space.add_local_member(&free, &rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(400)).await;
    assert_eq!((rig.members(&team), rig.members(&free)), (vec!["ann".into(), "zoe".into()], vec!["ann".to_owned()]));
    assert_eq!(drift(&mut rig), []);
    assert_eq!(rig.space.look_at_team(&free).unwrap().external_groups.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn additions_pause_after_three_repairs_but_removals_go_on() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    rig.apply(&state(&["ann", "bob"], &[("g1", &["ann"])])).await;
    for n in 1..=5 {
        rig.space.remove_local_member(&team, &rig.id("ann")).unwrap();
        rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
        rig.pass(Duration::from_secs(11)).await;
        let expected: &[&str] = if n <= 3 { &["ann"] } else { &[] };
        assert_eq!(rig.members(&team), expected, "round {n}");
    }
    assert!(rig.alarms().contains(&"item_paused".to_owned()));
    assert!(drift(&mut rig).iter().any(|d| d.item == "member/g1/ann" && d.action == DriftAction::Paused));
    let bob = drift(&mut rig).iter().filter(|d| d.item == "member/g1/bob" && d.action == DriftAction::Repaired).count();
    assert_eq!(bob, 5, "removals never pause");
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(rig.members(&team), ["ann"], "later it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_team_deleted_in_the_space_is_not_recreated() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.delete_team(&team).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    let mut bindings = rig.reports().into_iter().filter_map(|r| match r {
        ReportKind::Bindings { bindings } => Some(bindings),
        _ => None,
    });
    assert_eq!(bindings.next_back().unwrap(), []);
    let ack = rig.change(&one, &state(&["ann"], &[("g1", &[])])).await;
    assert!(ack.items.iter().all(|i| i.state == odcm_wire::latest::ItemState::Applied), "{:?}", ack.items);
}

#[tokio::test(start_paused = true)]
async fn a_new_document_looks_before_it_is_acknowledged() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    // By hand between two looks; the next document must not be acknowledged on an old picture.
    rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
    let at = tokio::time::Instant::now();
    rig.change(&one, &state(&["ann", "bob"], &[("g1", &[])])).await;
    assert!(at.elapsed() < Duration::from_secs(1));
    assert!(rig.members(&team).is_empty());
}
