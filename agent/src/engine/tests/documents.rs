//! Forged, foreign, old and misplaced documents (rules B2, B3, B5, B7).

use crate::engine::Input;
use crate::policy::Policy;
use crate::state::State;
use crate::testkit::{Odcm, Rig, state};
use odcm_wire::latest::{
    Body, Document, FromAgent, FromServer, ItemState, ReportKind, Section, SignedDocument, SignedSuccession,
};
use std::time::Duration;

fn asked_for_snapshot(rig: &mut Rig) -> usize {
    rig.listen();
    rig.heard.iter().filter(|m| matches!(m, FromAgent::NeedSnapshot { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn forged_and_foreign_documents_change_nothing() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let good = rig.odcm.snapshot(&state(&["ann", "eve"], &[]));
    let document: Document = serde_json::from_str(&good.payload).unwrap();
    let other = Odcm { key: crate::keys::AgentKey::generate(&crate::testkit::Counting::default()).unwrap().0, ..Odcm::new("x") };
    let signed = |document: Document| rig.odcm.sign(&document);
    let bad: Vec<(&str, SignedDocument)> = vec![
        ("signature", SignedDocument { payload: good.payload.replace("eve@", "eva@"), ..good.clone() }),
        ("signature", SignedDocument { key_id: "fleet-2".into(), ..good.clone() }),
        ("signature", other.sign(&document)),
        ("signature", SignedDocument { signature: "AAAA".into(), ..good.clone() }),
        ("foreign_document", signed(Document { deployment: "deployment-2".into(), ..document.clone() })),
        ("foreign_document", signed(Document { space: "space-2".into(), ..document.clone() })),
        ("foreign_document", signed(Document { installation_id: "installation-2".into(), ..document.clone() })),
        ("document", signed(Document { wire: 2, ..document.clone() })),
        ("unknown_section", signed(Document { section: Section::Unknown, ..document.clone() })),
        ("unknown_section", signed(Document { body: Body::Unknown, ..document.clone() })),
    ];
    for (code, document) in bad {
        rig.heard.clear();
        rig.say(&document).await;
        rig.pass(Duration::from_secs(700)).await;
        assert_eq!(rig.active("eve"), None, "{code}");
        assert_eq!(rig.alarms(), [code]);
    }
    rig.say(&good).await;
    rig.acked().await;
    assert_eq!(rig.active("eve"), Some(true), "the good one is still taken");
}

#[tokio::test(start_paused = true)]
async fn older_and_forked_documents_are_refused() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    let yesterday = rig.odcm.snapshot(&one);
    rig.say(&yesterday).await;
    rig.acked().await;
    rig.apply(&state(&[], &[])).await;
    assert_eq!(rig.active("ann"), Some(false));

    rig.say(&yesterday).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.active("ann"), Some(false), "yesterday's snapshot must not bring ann back");
    assert_eq!(rig.alarms(), ["older_revision"]);
    assert_eq!(asked_for_snapshot(&mut rig), 0);

    rig.odcm.revision -= 1;
    let fork = rig.odcm.snapshot(&one);
    rig.say(&fork).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.active("ann"), Some(false));
    assert_eq!(rig.alarms(), ["older_revision", "fork"]);
    assert_eq!(asked_for_snapshot(&mut rig), 1);

    rig.odcm.epoch = 2;
    rig.heard.clear();
    rig.odcm.revision = 0;
    rig.apply(&one).await;
    assert_eq!(rig.active("ann"), Some(true), "a new epoch counts from its first revision");
}

#[tokio::test(start_paused = true)]
async fn a_delta_counts_only_on_its_base() {
    let mut rig = Rig::new();
    rig.go().await;
    let (one, two, three) = (state(&["ann"], &[]), state(&["ann", "bob"], &[]), state(&["bob"], &[]));
    rig.apply(&one).await;
    rig.odcm.revision = 2;
    let late = rig.odcm.delta(2, &two, &three);
    rig.say(&late).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(true), None));
    assert_eq!(asked_for_snapshot(&mut rig), 1);

    // The base is right, but the state after it is not the announced one.
    let mut wrong: Document = serde_json::from_str(&rig.odcm.delta(1, &one, &three).payload).unwrap();
    wrong.state_digest = two.digest().unwrap();
    let wrong = rig.odcm.sign(&wrong);
    rig.say(&wrong).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(true), None));
    assert_eq!(asked_for_snapshot(&mut rig), 2);
    // The state after it would be right, but it does not start where this agent stands.
    let elsewhere = rig.odcm.delta(9, &one, &three);
    rig.say(&elsewhere).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(true), None));
    assert_eq!(asked_for_snapshot(&mut rig), 3);
    assert!(rig.alarms().is_empty(), "everyday business");

    rig.apply(&three).await;
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(false), Some(true)));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_acknowledged_again() {
    let mut rig = Rig::new();
    rig.go().await;
    let document = rig.odcm.snapshot(&state(&["ann"], &[]));
    rig.say(&document).await;
    let first = rig.acked().await;
    rig.heard.clear();
    let events = rig.space.events().len();
    rig.say(&document).await;
    let second = rig.acked().await;
    assert_eq!((first.doc_digest, first.revision), (second.doc_digest, second.revision));
    assert_eq!(rig.space.events().len(), events);
}

#[tokio::test(start_paused = true)]
async fn one_revision_as_delta_and_as_snapshot_is_no_fork() {
    let mut rig = Rig::new();
    rig.go().await;
    let (one, two) = (state(&["ann"], &[]), state(&["ann", "bob"], &[]));
    rig.apply(&one).await;
    rig.change(&one, &two).await;
    rig.odcm.revision = 1;
    let snapshot = rig.odcm.snapshot(&two);
    rig.heard.clear();
    rig.say(&snapshot).await;
    rig.acked().await;
    assert!(rig.alarms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_tampered_with_is_refused() {
    let mut rig = Rig::new();
    rig.go().await;
    rig.apply(&state(&["ann"], &[])).await;
    rig.kill().await;
    let good = rig.memory.piece("access.json").unwrap();
    let open = |text: &str| {
        rig.memory.put("access.json", text);
        State::open(Box::new(rig.memory.clone())).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(open(&good), Ok(()));
    // The signed document untouched, the state beside it not.
    let (document, state) = good.split_at(good.rfind("\"state\":").unwrap());
    let beside = format!("{document}{}", state.replace("ann@", "eve@"));
    assert_ne!(beside, good);
    for bad in
        [beside, good.replace("ann@", "eve@"), good.replacen("ann@", "eve@", 1), good[..good.len() / 2].to_owned(), "{}".into()]
    {
        let error = open(&bad).unwrap_err();
        assert!(error.contains("access.json") && error.contains("Nothing was changed"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_local_policy_switches_sections_off() {
    let mut rig = Rig::new();
    rig.policy = Policy { sections: vec!["authentication".into()], ..Policy::default() };
    rig.go().await;
    let document = rig.odcm.snapshot(&state(&["eve"], &[]));
    rig.say(&document).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.active("eve"), None);
    assert_eq!(rig.alarms(), ["policy"]);
    let refused = |r: &ReportKind| matches!(r, ReportKind::Items { items } if items.iter().any(|i| i.item == "setting/access" && i.state == ItemState::RefusedByPolicy));
    assert!(rig.reports().iter().any(refused));
}

#[tokio::test(start_paused = true)]
async fn another_server_under_the_same_address_gets_nothing() {
    let mut rig = Rig::new();
    rig.space = odcm_space_plugin::fake::FakeSpace::new("installation-2");
    rig.go().await;
    let document = rig.odcm.snapshot(&state(&["eve"], &[]));
    rig.say(&document).await;
    rig.pass(Duration::from_secs(120)).await;
    assert_eq!(rig.active("eve"), None);
    assert_eq!(rig.alarms(), ["other_installation"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_exchanged_later_gets_nothing_either() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.space.set_local_installation("installation-2");
    let two = state(&["bob"], &[("g1", &["bob"])]);
    let document = rig.odcm.delta(1, &one, &two);
    rig.say(&document).await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!((rig.active("ann"), rig.active("bob"), rig.members(&team)), (Some(true), None, vec!["ann".to_owned()]));
    assert_eq!((rig.space.calls_of("back_up_authentication"), rig.space.calls_of("set_authentication")), (0, 0));
    assert_eq!(rig.alarms(), ["other_installation"]);
    rig.space.set_local_installation("installation-1");
    rig.pass(Duration::from_secs(30)).await;
    assert_eq!((rig.active("ann"), rig.active("bob"), rig.members(&team)), (Some(false), Some(true), vec!["bob".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn no_debug_output_holds_a_secret() {
    let state = State::open(Box::new(Rig::new().memory)).unwrap();
    assert!(!format!("{:?}", state.enrolment).contains(&state.enrolment.private_key));
    let change = odcm_space_plugin::AccountChange { password: Some("hunter2".into()), ..Default::default() };
    assert!(!format!("{change:?}").contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn the_fleet_key_is_rolled_by_announcements_of_the_newest_key_only() {
    let mut rig = Rig::new();
    rig.go().await;
    let (one, two) = (state(&["ann"], &[]), state(&["ann", "bob"], &[]));
    rig.apply(&one).await;
    let announce = |rig: &Rig, said: &SignedSuccession| {
        let (input, said) = (rig.inputs(), said.clone());
        async move { input.send(Input::Message(FromServer::FleetKey(said))).await.unwrap() }
    };
    // Forged: signed by a key of nobody. What it announces must sign nothing.
    let mut stranger = Odcm::new("installation-1");
    (stranger.key, stranger.revision) = (crate::keys::AgentKey::generate(&crate::testkit::Counting::default()).unwrap().0, 1);
    let forged = stranger.roll("fleet-2", i64::MAX);
    announce(&rig, &forged).await;
    let theirs = stranger.snapshot(&state(&["eve"], &[]));
    rig.say(&theirs).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!((rig.active("eve"), rig.active("ann")), (None, Some(true)));
    assert_eq!(rig.alarms(), ["fleet_key", "signature"]);

    // Of the right key, but for another deployment.
    let mut elsewhere = Odcm::new("installation-1");
    elsewhere.template.deployment = "elsewhere".into();
    announce(&rig, &elsewhere.roll("fleet-8", i64::MAX)).await;
    assert_ne!(rig.standing().await.fleet_key, "fleet-8");

    let old = rig.odcm.snapshot(&two);
    rig.odcm.revision -= 1;
    let until = rig.now() + 60_000;
    let first = rig.odcm.roll("fleet-2", until);
    // A document of the new key before its announcement is refused.
    let early = rig.odcm.snapshot(&two);
    rig.pass(Duration::from_secs(700)).await;
    rig.heard.clear();
    rig.say(&early).await;
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!((rig.active("bob"), rig.alarms()), (None, vec!["signature".to_owned()]));
    announce(&rig, &first).await;
    assert_eq!(rig.standing().await.fleet_key, "fleet-2");
    // The old key is over by now.
    rig.heard.clear();
    rig.say(&old).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!((rig.active("bob"), rig.alarms()), (None, vec!["signature".to_owned()]));
    rig.say(&early).await;
    rig.acked().await;
    assert_eq!(rig.active("bob"), Some(true));

    // A restart offline: what the old key signed still loads, and the new key is known.
    rig.kill().await;
    rig.go().await;
    assert_eq!(rig.standing().await.fleet_key, "fleet-2");
    // Yesterday's announcement says nothing, and is no alarm.
    rig.heard.clear();
    announce(&rig, &first).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!((rig.standing().await.fleet_key.as_str(), rig.alarms().len()), ("fleet-2", 0));
    // The old key, which has a successor, names no second one.
    announce(&rig, &Odcm::new("installation-1").roll("fleet-9", i64::MAX)).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!((rig.standing().await.fleet_key.as_str(), rig.alarms()), ("fleet-2", vec!["fleet_key".to_owned()]));
    // Away during two rolls: the links come in order.
    let (second, third) = (rig.odcm.roll("fleet-3", until), rig.odcm.roll("fleet-4", until));
    announce(&rig, &second).await;
    announce(&rig, &third).await;
    rig.apply(&one).await;
    assert_eq!((rig.standing().await.fleet_key.as_str(), rig.active("bob")), ("fleet-4", Some(false)));
    rig.kill().await;
    let kept = State::open(Box::new(rig.memory.clone())).unwrap();
    assert_eq!((kept.keys.newest(), kept.keys.held().len()), ("fleet-4", 4));
}

#[tokio::test(start_paused = true)]
async fn a_field_of_a_later_odcm_is_ignored_in_snapshot_and_delta() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    let two = state(&["ann", "bob"], &[("g1", &["bob"])]);
    let three = state(&["bob"], &[("g1", &["bob"])]);
    let later = |signed: &SignedDocument, rig: &Rig| {
        let payload = signed
            .payload
            .replace("\"display_name\":", "\"pronouns\":\"they\",\"display_name\":")
            .replace("\"interval\":{", "\"interval\":{\"zone\":\"UTC\"")
            .replace("\"state\":{", "\"state\":{\"shares\":[1],")
            .replace("\"delta\":{", "\"delta\":{\"shares_gone\":[1],");
        assert!(payload.contains("pronouns") && payload.contains("shares") && payload.contains("zone"), "{payload}");
        rig.odcm.sign_text(payload)
    };
    let snapshot = later(&rig.odcm.snapshot(&one), &rig);
    rig.say(&snapshot).await;
    rig.acked().await;
    assert_eq!(rig.members(&team), ["ann"]);
    let delta = later(&rig.odcm.delta(1, &one, &two), &rig);
    rig.say(&delta).await;
    rig.acked().await;
    assert_eq!(rig.members(&team), ["bob"]);
    // A plain delta on top, and a restart, meet their base.
    rig.change(&two, &three).await;
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(5)).await;
    assert_eq!((rig.active("ann"), rig.active("bob")), (Some(false), Some(true)));
    assert!(rig.alarms().is_empty() && asked_for_snapshot(&mut rig) == 0, "{:?}", rig.alarms());
}
