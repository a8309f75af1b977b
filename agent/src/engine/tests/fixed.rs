//! What the agent must leave alone is told as such (rules A4), and what ODCM takes back is left by all (rules A3).

use crate::testkit::{Rig, state};
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::{Ack, ItemResult, ItemState, ReportKind, TeamBinding};
use std::time::Duration;

fn item<'a>(ack: &'a Ack, name: &str) -> &'a ItemResult {
    ack.items.iter().find(|i| i.item == name).unwrap_or_else(|| panic!("{name}: {:?}", ack.items))
}

fn bindings(rig: &mut Rig) -> Vec<TeamBinding> {
    let of = |r: ReportKind| match r {
        ReportKind::Bindings { bindings } => Some(bindings),
        _ => None,
    };
    rig.reports().into_iter().filter_map(of).next_back().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_team_whose_members_are_fixed_is_reported_and_never_filled() {
    let mut rig = Rig::new();
    let team = rig.team("Fixed", "g1");
    rig.space.edit_team(&team, |t| t.fixed_members = true).unwrap();
    rig.go().await;
    rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!((rig.members(&team), rig.space.calls_of("change_members")), (Vec::new(), 0));
    let told = bindings(&mut rig);
    assert!(!told[0].managed && told[0].message.as_ref().unwrap().contains("does not let"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_space_forbids_is_not_called_applied() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    rig.apply(&one).await;
    assert_eq!(rig.members(&team), ["ann", "bob"]);
    rig.space.edit_team(&team, |t| t.fixed_members = true).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    let two = state(&["ann", "bob"], &[("g1", &["bob"])]);
    let ack = rig.change(&one, &two).await;
    let left = item(&ack, "member/g1/ann");
    assert_eq!((left.state, rig.members(&team)), (ItemState::Failed, vec!["ann".to_owned(), "bob".to_owned()]));
    assert!(left.message.as_ref().unwrap().contains("Deployers"), "{left:?}");
    // It stays told while it lasts, also to a later connection, and heals by itself.
    rig.disconnect().await;
    rig.heard.clear();
    rig.connect().await;
    let again = rig.acked().await;
    assert_eq!(item(&again, "member/g1/ann").state, ItemState::Failed);
    rig.space.edit_team(&team, |t| t.fixed_members = false).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["bob"]);
    let healed = |r: &ReportKind| matches!(r, ReportKind::Items { items } if items.iter().any(|i| i.item == "member/g1/ann" && i.state == ItemState::Applied));
    assert!(rig.reports().iter().any(healed));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_local_policy_forbids_is_not_called_applied() {
    let mut rig = Rig::new();
    rig.space.bind_group("teams-administrators", "g1", "Developers").unwrap();
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.add_local_member("teams-administrators", &rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    let ack = rig.change(&one, &state(&["ann"], &[("g1", &[])])).await;
    assert_eq!(item(&ack, "member/g1/ann").state, ItemState::RefusedByPolicy);
    assert!(rig.members("teams-administrators").contains(&"ann".to_owned()), "the Space's own doing");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_odcm_takes_back_leaves_nobody_in_its_teams() {
    let mut rig = Rig::new();
    let team = rig.space.create_team("Deployers", None);
    let zoe = rig.space.create_local_account(LocalAccount::person("zoe", "zoe@x.example"));
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    rig.apply(&one).await;
    // ann was put in by hand before the team was bound: not added by the agent, but a managed pair.
    rig.space.add_local_member(&team, &rig.id("ann")).unwrap();
    rig.space.add_local_member(&team, &zoe).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    rig.space.bind_group(&team, "G1", "Developers").unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "zoe"]);
    let none = state(&["ann", "bob"], &[]);
    let ack = rig.change(&one, &none).await;
    assert_eq!(rig.members(&team), ["zoe"]);
    assert_eq!((item(&ack, "member/g1/ann").state, item(&ack, "member/g1/bob").state), (ItemState::Applied, ItemState::Applied));
    assert!(bindings(&mut rig).is_empty(), "the Space is not told of a group that it may not know");

    // Put in by hand while the team still names the group: nobody grants that.
    rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["zoe"]);
    rig.apply(&one).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "zoe"], "granted again");
    rig.apply(&none).await;

    // The Space lets go of the group: from now on the team is its own.
    rig.space.unbind_group(&team, "g1").unwrap();
    rig.pass(Duration::from_secs(11)).await;
    rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
    rig.pass(Duration::from_secs(400)).await;
    assert_eq!(rig.members(&team), ["bob", "zoe"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_still_active_is_not_called_applied() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.space.fail_next_of("change_account", 3, crate::testkit::busy());
    let ack = rig.change(&one, &state(&[], &[])).await;
    assert_eq!((item(&ack, "person/ann").state, rig.active("ann")), (ItemState::Failed, Some(true)));
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_a_list_deletes_nobody() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    rig.apply(&one).await;
    let bob = rig.id("bob");
    rig.space.hide_from_lists(&[&bob, &team]);
    rig.heard.clear();
    rig.pass(Duration::from_secs(400)).await;
    let drift = rig.reports().into_iter().filter(|r| matches!(r, ReportKind::Drift { .. })).count();
    assert_eq!(drift, 0, "{:?}", rig.reports());
    rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    assert_eq!((rig.active("bob"), rig.members(&team)), (Some(false), vec!["ann".to_owned()]), "not forgotten");

    // Deleted indeed: told once, and no list is asked about it for ever.
    rig.space.hide_from_lists(&[]);
    rig.space.delete_account(&rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(400)).await;
    let asked = rig.space.calls_of("account");
    rig.pass(Duration::from_secs(3600)).await;
    assert_eq!(rig.space.calls_of("account"), asked);
}
