//! Losing the last grant (rules A9), and local decisions (rules A4).

use crate::testkit::{Rig, busy, state};
use odcm_space_plugin::fake::{FakeSpace, LocalAccount};
use odcm_space_plugin::{AdapterError, Capability};
use odcm_wire::latest::{DriftAction, ItemState, ReportKind};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn the_last_grant_ends_keys_and_sessions() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let id = rig.id("ann");
    rig.space.create_api_key(&id, "script").unwrap();
    rig.space.open_session(&id).unwrap();
    let ack = rig.change(&one, &state(&[], &[])).await;
    let account = rig.space.stored_account(&id).unwrap();
    assert!(!account.active && account.keys.is_empty() && account.sessions == 0, "{account:?}");
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    assert_eq!((item.state, item.residual.len()), (ItemState::Applied, 1), "the password is named: {item:?}");
    assert!(ack.links.iter().any(|l| l.person == "ann" && !l.active && !l.locally_disabled));

    rig.apply(&one).await;
    let account = rig.space.stored_account(&id).unwrap();
    assert!(account.active && account.keys.is_empty() && account.sessions == 0, "re-granting revives nothing");
}

#[tokio::test(start_paused = true)]
async fn keys_stay_when_the_policy_of_odcm_says_so() {
    let mut rig = Rig::new();
    rig.go().await;
    let mut one = state(&["ann"], &[]);
    one.revoke_api_keys = false;
    rig.apply(&one).await;
    rig.space.create_api_key(&rig.id("ann"), "script").unwrap();
    let mut none = state(&[], &[]);
    none.revoke_api_keys = false;
    rig.change(&one, &none).await;
    assert_eq!(rig.space.stored_account(&rig.id("ann")).unwrap().keys.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_cannot_end_is_said() {
    let mut rig = Rig::on(FakeSpace::with_capabilities("installation-1", [Capability::ClientSecret]));
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let ack = rig.change(&one, &state(&[], &[])).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    let text = item.residual.join("; ");
    assert!(text.contains("API keys") && text.contains("sessions") && text.contains("password"), "{text}");
    assert_eq!(rig.active("ann"), Some(false));
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_deleted_now_are_deleted_before_the_account_works_again() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let id = rig.id("ann");
    rig.space.create_api_key(&id, "script").unwrap();
    rig.space.fail_next_of("api_keys", 1, busy());
    let ack = rig.change(&one, &state(&[], &[])).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    assert_eq!((item.state, rig.active("ann")), (ItemState::Failed, Some(false)), "inactive at once");
    rig.apply(&one).await;
    let account = rig.space.stored_account(&id).unwrap();
    assert!(account.active && account.keys.is_empty(), "{account:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_stays_is_residual_access() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.space.create_api_key(&rig.id("ann"), "script").unwrap();
    rig.space.fail_next_of("delete_api_key", 1, AdapterError::Denied("ApiKeyDelete".into()));
    let ack = rig.change(&one, &state(&[], &[])).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    assert!(item.residual.iter().any(|r| r.contains("script")), "{item:?}");

    // A new grant would revive it: the account stays inactive until somebody deleted the key.
    rig.space.fail_next_of("delete_api_key", 1000, AdapterError::Denied("ApiKeyDelete".into()));
    let ack = rig.apply(&one).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    assert_eq!((item.state, rig.active("ann")), (ItemState::Failed, Some(false)));
    assert!(item.message.as_ref().unwrap().contains("API key"), "{item:?}");
    rig.space.heal();
    rig.pass(Duration::from_secs(400)).await;
    assert!(rig.active("ann") == Some(true) && rig.space.stored_account(&rig.id("ann")).unwrap().keys.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_made_after_the_loss_dies_with_it() {
    let mut rig = Rig::new();
    rig.go().await;
    let (one, none) = (state(&["ann"], &[]), state(&[], &[]));
    rig.apply(&one).await;
    rig.change(&one, &none).await;
    let id = rig.id("ann");
    let leftovers = |rig: &Rig| {
        let account = rig.space.stored_account(&id).unwrap();
        (account.active, account.keys.len(), account.sessions)
    };
    // Activated by hand, used, found.
    rig.space.set_local_active(&id, true).unwrap();
    rig.space.create_api_key(&id, "by hand").unwrap();
    rig.space.open_session(&id).unwrap();
    rig.pass(Duration::from_secs(15)).await;
    assert_eq!(leftovers(&rig), (false, 0, 0));
    // Made while the account was inactive, which no look shows.
    rig.space.create_api_key(&id, "by an administrator").unwrap();
    rig.space.open_session(&id).unwrap();
    rig.apply(&one).await;
    assert_eq!(leftovers(&rig), (true, 0, 0), "a new grant revives neither");
}

#[tokio::test(start_paused = true)]
async fn service_accounts_that_a_person_made_are_named() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann", "bob"], &[]);
    rig.apply(&one).await;
    let (ann, bob) = (rig.id("ann"), rig.id("bob"));
    for (name, by, service) in [("robot", &ann, true), ("hers", &ann, false), ("other", &bob, true)] {
        let made = LocalAccount { service, created_by: Some(by.clone()), ..LocalAccount::person(name, "") };
        rig.space.create_local_account(made);
    }
    let ack = rig.change(&one, &state(&["bob"], &[])).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    let named: Vec<_> = item.residual.iter().filter(|r| r.contains("service account")).collect();
    assert!(named.len() == 1 && named[0].contains("robot"), "{item:?}");
    assert_eq!(rig.active("robot"), Some(true), "named, not touched");
    rig.space.fail_next_of("created_service_accounts", 1, busy());
    let ack = rig.apply(&state(&[], &[])).await;
    let item = ack.items.iter().find(|i| i.item == "person/bob").unwrap();
    assert!(item.state == ItemState::Applied && item.residual.iter().any(|r| r.contains("cannot be determined")), "{item:?}");
}

#[tokio::test(start_paused = true)]
async fn a_local_no_wins() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    rig.space.set_local_active(&rig.id("ann"), false).unwrap();
    rig.pass(Duration::from_secs(15)).await;
    assert_eq!(rig.active("ann"), Some(false), "the agent does not argue");
    let drift = rig.reports().into_iter().find_map(|r| match r {
        ReportKind::Drift { items } => Some(items),
        _ => None,
    });
    let drift = drift.unwrap().remove(0);
    assert_eq!(
        (drift.item.as_str(), drift.action, drift.by.as_deref()),
        ("person/ann", DriftAction::Respected, Some("somebody"))
    );
    let links = rig
        .reports()
        .into_iter()
        .any(|r| matches!(r, ReportKind::Links { links } if links.iter().any(|l| l.locally_disabled && !l.active)));
    let items = rig.reports().into_iter().any(|r| matches!(r, ReportKind::Items { items } if items.iter().any(|i| i.item == "person/ann" && i.state == ItemState::LocallyDisabled)));
    assert!(links && items);

    // Neither a new revision nor losing and regaining the grant nor a restart lifts the Space's "no".
    rig.apply(&state(&[], &[("g1", &[])])).await;
    rig.kill().await;
    rig.go().await;
    let ack = rig.apply(&one).await;
    assert_eq!(rig.active("ann"), Some(false));
    assert!(ack.items.iter().any(|i| i.item == "person/ann" && i.state == ItemState::LocallyDisabled));

    rig.space.set_local_active(&rig.id("ann"), true).unwrap();
    rig.pass(Duration::from_secs(15)).await;
    assert_eq!((rig.active("ann"), rig.members(&team)), (Some(true), vec!["ann".to_owned()]));
    rig.heard.clear();
    rig.apply(&state(&[], &[("g1", &[])])).await;
    rig.apply(&one).await;
    assert_eq!(rig.active("ann"), Some(true), "what the agent deactivated it activates again");
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_space_is_not_let_in_by_hand() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.change(&one, &state(&[], &[])).await;
    rig.space.set_local_active(&rig.id("ann"), true).unwrap();
    rig.pass(Duration::from_secs(15)).await;
    assert_eq!(rig.active("ann"), Some(false));
    let repaired = |r: ReportKind| matches!(r, ReportKind::Drift { items } if items.iter().any(|i| i.item == "person/ann" && i.action == DriftAction::Repaired));
    assert!(rig.reports().into_iter().any(repaired));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_account_is_not_recreated_while_the_grant_lasts() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    rig.space.delete_account(&rig.id("ann")).unwrap();
    rig.pass(Duration::from_secs(400)).await;
    assert_eq!(rig.active("ann"), None);
    rig.apply(&state(&[], &[])).await;
    rig.apply(&one).await;
    assert_eq!(rig.active("ann"), Some(true), "a new grant is a new decision");
}
