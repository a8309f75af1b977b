//! An agent that ODCM refuses, or whose place another one took (rules B5), and calls that hang.

use crate::engine::Input;
use crate::testkit::{Rig, busy, state};
use odcm_wire::latest::{FromAgent, FromServer, ReportKind, Section};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_refused_agent_gives_nothing_until_it_is_accepted_again() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let mut one = state(&["ann", "bob", "eve"], &[("g1", &["ann", "eve"])]);
    one.people.get_mut("eve").unwrap().interval.until = Some(rig.now() + 60_000);
    rig.apply(&one).await;
    rig.disconnect().await;
    rig.send(Input::Refused("this agent is not known here".into())).await;
    rig.space.remove_local_member(&team, &rig.id("ann")).unwrap();
    rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
    for restart in [false, true] {
        if restart {
            rig.kill().await;
            rig.start();
        }
        rig.pass(Duration::from_secs(100)).await;
        assert!(rig.members(&team).is_empty(), "bob goes, ann does not come; restart: {restart}");
        assert_eq!(rig.active("eve"), Some(false), "ends are enforced");
    }
    rig.connect().await;
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["ann"], "accepted again");
    rig.kill().await;
    rig.start();
    rig.space.remove_local_member(&team, &rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["ann"], "that is stored, too");
}

#[tokio::test(start_paused = true)]
async fn a_refused_agent_does_not_go_on_with_a_document_that_it_began() {
    let mut rig = Rig::new();
    rig.timing.at_once = 2;
    rig.go().await;
    rig.space.set_latency(Duration::from_secs(1));
    let names: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    let people: Vec<&str> = names.iter().map(String::as_str).collect();
    let document = rig.odcm.snapshot(&state(&people, &[]));
    rig.say(&document).await;
    rig.pass(Duration::from_secs(7)).await;
    rig.disconnect().await;
    rig.send(Input::Refused("revoked".into())).await;
    rig.pass(Duration::from_secs(3)).await;
    let made = rig.space.calls_of("create_account");
    assert!((1..20).contains(&made), "{made}");
    rig.pass(Duration::from_secs(600)).await;
    assert_eq!(rig.space.calls_of("create_account"), made);
    assert_eq!(rig.standing().await.positions.iter().find(|p| p.section == Section::Access).unwrap().revision, 0, "not applied");
    assert!(rig.space.calls_of("describe") < 200, "no hurry: {}", rig.space.calls_of("describe"));
    rig.connect().await;
    assert_eq!(rig.acked().await.revision, 1);
    assert_eq!(rig.active("p19"), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_refused_agent_leaves_the_sign_in_alone() {
    let mut rig = Rig::new();
    rig.go().await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.send(Input::Message(FromServer::SecretStored { generation: 1 })).await;
    rig.heard_ack(Section::Authentication, 1).await;
    rig.disconnect().await;
    rig.send(Input::Refused("revoked".into())).await;
    rig.space.set_local_enabled(false);
    rig.pass(Duration::from_secs(700)).await;
    let calls = rig.space.calls_of("set_authentication");
    rig.connect().await;
    rig.pass(Duration::from_secs(301)).await;
    assert_eq!((calls, rig.space.calls_of("set_authentication")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hung_addition_keeps_no_removal_waiting() {
    for hung in ["create_account", "change_members", "change_account"] {
        let mut rig = Rig::new();
        let team = rig.team("Deployers", "g1");
        rig.go().await;
        let before = state(&["ann", "eve"], &[("g1", &["eve"])]);
        rig.apply(&before).await;
        rig.space.hang_next_of(hung, 1);
        let mut more = state(&["ann", "bob", "eve"], &[("g1", &["ann", "bob", "eve"])]);
        more.people.get_mut("ann").unwrap().display_name = "Anna".into();
        let document = rig.odcm.delta(1, &before, &more);
        rig.say(&document).await;
        rig.pass(Duration::from_secs(1)).await;
        let mut less = more.clone();
        less.people.remove("eve");
        less.groups.get_mut("g1").unwrap().members.remove("eve");
        let document = rig.odcm.delta(2, &more, &less);
        let at = tokio::time::Instant::now();
        rig.say(&document).await;
        while rig.active("eve") == Some(true) || rig.members(&team).contains(&"eve".to_owned()) {
            assert!(at.elapsed() < Duration::from_secs(5), "{hung}: the removal waits");
            rig.pass(Duration::from_millis(100)).await;
        }
        rig.acked().await;
        assert_eq!(rig.members(&team), ["ann", "bob"], "{hung}: the additions go on");
        assert_eq!(rig.active("bob-2"), None, "{hung}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_space_is_tried_at_once_for_a_removal() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.space
        .fail_next(200, odcm_space_plugin::AdapterError::Unavailable { message: "busy".into(), retry_after_ms: Some(3_600_000) });
    rig.pass(Duration::from_secs(120)).await;
    rig.space.heal();
    let document = rig.odcm.delta(1, &one, &state(&[], &[]));
    rig.say(&document).await;
    rig.pass(Duration::from_millis(10)).await;
    assert_eq!(rig.active("ann"), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_removal_obeys_no_long_retry_after() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let hour = odcm_space_plugin::AdapterError::Unavailable { message: "busy".into(), retry_after_ms: Some(3_600_000) };
    rig.space.fail_next_of("change_account", 2, hour);
    rig.change(&one, &state(&[], &[])).await;
    rig.pass(Duration::from_secs(25)).await;
    assert_eq!(rig.active("ann"), Some(false));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_sign_in_is_not_called_applied() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.space.fail_next_of("set_authentication", 1, busy());
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.send(Input::Message(FromServer::SecretStored { generation: 1 })).await;
    rig.pass(Duration::from_millis(100)).await;
    let told = |rig: &mut Rig| -> Vec<String> {
        let of = |r: ReportKind| match r {
            ReportKind::Items { items } => {
                items.into_iter().filter(|i| i.item.starts_with("setting/")).map(|i| format!("{:?}", i.state)).collect()
            }
            _ => Vec::new(),
        };
        rig.reports().into_iter().flat_map(of).collect()
    };
    assert_eq!(told(&mut rig), ["Failed"]);
    // The next attempt hangs until a removal interrupts it.
    rig.space.hang_next_of("set_authentication", 1);
    rig.pass(Duration::from_secs(5)).await;
    let calls = rig.space.calls_of("set_authentication");
    assert!(calls >= 2, "{calls}");
    let document = rig.odcm.delta(1, &one, &state(&[], &[]));
    rig.say(&document).await;
    rig.pass(Duration::from_millis(1)).await;
    let enabled = rig.space.calls_of("set_authentication") > calls;
    assert!(enabled || told(&mut rig) == ["Failed"], "nothing was applied yet");
    rig.heard_ack(Section::Authentication, 1).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(told(&mut rig), ["Failed", "Applied"]);
    assert_eq!(rig.active("ann"), Some(false));
    assert!(rig.heard.iter().any(|m| matches!(m, FromAgent::Ack(a) if a.revision == 2)));
}
