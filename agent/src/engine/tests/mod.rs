//! The engine against a Space in memory and an ODCM played by hand. No socket, no waiting: tokio's clock is paused.

mod adoption;
mod channel;
mod closed;
mod closed_adoption;
mod crash;
mod documents;
mod drift;
mod fixed;
mod formulas;
mod inherit;
mod losing;
mod offline;
mod refused;
mod sign_in;

use crate::testkit::{Rig, state};
use odcm_wire::latest::{FromAgent, ItemState, Section};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn people_appear_in_their_teams_and_leave_them() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "G1");
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann"])]);
    let ack = rig.apply(&one).await;
    assert_eq!(rig.members(&team), ["ann"]);
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(true), Some(true)));
    let links: Vec<_> = ack.links.iter().map(|l| (l.person.as_str(), l.account.clone(), l.active)).collect();
    assert_eq!(links, [("ann", rig.id("ann"), true), ("bob", rig.id("bob"), true)]);
    assert!(ack.items.is_empty() && ack.seen.is_some(), "{ack:?}");

    let two = state(&["ann", "bob"], &[("g1", &["bob"])]);
    let ack = rig.change(&one, &two).await;
    assert_eq!(rig.members(&team), ["bob"]);
    let items: Vec<_> = ack.items.iter().map(|i| (i.item.as_str(), i.state)).collect();
    assert_eq!(items, [("member/g1/ann", ItemState::Applied)], "every removal is listed");
}

#[tokio::test(start_paused = true)]
async fn removals_come_first() {
    let mut rig = Rig::new();
    let (one, two) = (rig.team("One", "g1"), rig.team("Two", "g2"));
    rig.go().await;
    let before = state(&["ann", "bob"], &[("g1", &["ann"]), ("g2", &[])]);
    rig.apply(&before).await;
    let from = rig.space.events().len();
    rig.change(&before, &state(&["ann", "cyd"], &[("g1", &[]), ("g2", &["ann", "cyd"])])).await;
    let events: Vec<_> = rig.space.events().split_off(from).into_iter().map(|e| (e.what, e.document)).collect();
    let at = |what: &str, document: &str| events.iter().position(|(w, d)| *w == what && d == document).unwrap();
    let first_addition = at("account.created", &rig.id("cyd")).min(at("members.changed", &two));
    assert!(at("account.deactivated", &rig.id("bob")) < first_addition, "{events:?}");
    assert!(at("members.changed", &one) < first_addition, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_interrupts_additions() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.timing.at_once = 2;
    rig.go().await;
    let before = state(&["eve"], &[("g1", &["eve"])]);
    rig.apply(&before).await;
    rig.space.set_latency(Duration::from_secs(1));

    let names: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    let mut people: Vec<&str> = names.iter().map(String::as_str).collect();
    people.push("eve");
    let many = state(&people, &[("g1", &["eve"])]);
    let document = rig.odcm.delta(1, &before, &many);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(5)).await;
    assert_eq!(rig.active("p00"), Some(true));
    assert_eq!(rig.active("p19"), None, "twenty accounts take ten seconds");

    people.pop();
    let without = state(&people, &[("g1", &[])]);
    let document = rig.odcm.delta(2, &many, &without);
    let at = tokio::time::Instant::now();
    rig.say(&document).await;
    while rig.active("eve") == Some(true) || !rig.members(&team).is_empty() {
        rig.pass(Duration::from_millis(100)).await;
    }
    assert!(at.elapsed() < Duration::from_secs(4), "the removal waited for the additions: {:?}", at.elapsed());
    assert_eq!(rig.active("p19"), None);
    let ack = rig.acked().await;
    assert_eq!(ack.revision, 3);
    assert_eq!(rig.active("p19"), Some(true), "then the additions go on");
    let claims = |message: &FromAgent| matches!(message, FromAgent::Ack(ack) if ack.revision == 2);
    assert!(!rig.heard.iter().any(claims), "what was interrupted was never called applied");
}

#[tokio::test(start_paused = true)]
async fn a_poison_item_blocks_nobody_and_is_tried_again_alone() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let mut one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    // The Space refuses a display name of more than 64 characters.
    one.people.get_mut("ann").unwrap().display_name = "x".repeat(65);
    let ack = rig.apply(&one).await;
    assert_eq!(rig.members(&team), ["bob"]);
    let items: Vec<_> = ack.items.iter().map(|i| (i.item.as_str(), i.state)).collect();
    assert_eq!(items, [("person/ann", ItemState::Failed)]);
    let calls = |rig: &Rig| rig.space.calls_of("create_account");
    let before = calls(&rig);
    rig.pass(Duration::from_secs(3600)).await;
    let tried = calls(&rig) - before;
    assert!((8..40).contains(&tried), "back-off: {tried} attempts in an hour");

    let mut two = one.clone();
    two.people.get_mut("ann").unwrap().display_name = "Ann".into();
    let ack = rig.change(&one, &two).await;
    assert_eq!(rig.members(&team), ["ann", "bob"], "a newer document is tried at once");
    assert!(ack.items.is_empty(), "{:?}", ack.items);
}

#[tokio::test(start_paused = true)]
async fn a_failed_removal_is_tried_again_and_then_told() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.fail_next_of("change_members", 2, crate::testkit::busy());
    let ack = rig.change(&one, &state(&["ann"], &[("g1", &[])])).await;
    let item = ack.items.iter().find(|i| i.item == "member/g1/ann").unwrap();
    assert_eq!(item.state, ItemState::Failed);
    rig.pass(Duration::from_secs(9)).await;
    assert!(rig.members(&team).is_empty(), "long before the next look at everything");
    let told = rig.reports().into_iter().any(|r| match r {
        odcm_wire::latest::ReportKind::Items { items } => {
            items.iter().any(|i| i.item == "member/g1/ann" && i.state == ItemState::Applied)
        }
        _ => false,
    });
    assert!(told);
}

#[tokio::test(start_paused = true)]
async fn a_space_that_answers_nothing_is_tried_until_it_does() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    rig.space.fail_next(5, crate::testkit::busy());
    let ack = rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    assert_eq!((ack.section, rig.members(&team)), (Section::Access, vec!["ann".to_owned()]));
    assert_eq!(rig.alarms(), ["space_unreachable"], "once, not at every attempt");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_without_a_reason() {
    let mut rig = Rig::new();
    rig.team("Deployers", "g1");
    rig.go().await;
    rig.apply(&state(&["ann"], &[("g1", &["ann"])])).await;
    rig.pass(Duration::from_secs(1)).await;
    let events = rig.space.events().len();
    rig.heard.clear();
    rig.pass(Duration::from_secs(3600)).await;
    assert_eq!(rig.space.events().len(), events, "nothing is written");
    let seen = rig.reports();
    assert!(seen.iter().all(|r| matches!(r, odcm_wire::latest::ReportKind::Seen { .. })), "{seen:?}");
    assert!((11..=13).contains(&seen.len()), "a full look every five minutes: {}", seen.len());
    assert!(rig.space.calls_of("teams") >= 360, "the teams every ten seconds");
}
