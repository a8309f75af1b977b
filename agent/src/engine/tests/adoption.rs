//! Accounts that existed before (rules A6), and newly bound teams (rules A3).

use crate::testkit::{Rig, busy, person, state};
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::{AccessState, AdoptionCandidate, AdoptionDecision, ItemState, ReportKind, SweepCandidate};
use std::time::Duration;

fn candidates(rig: &mut Rig) -> Vec<AdoptionCandidate> {
    let of = |r: ReportKind| match r {
        ReportKind::Candidates { candidates } => Some(candidates),
        _ => None,
    };
    rig.reports().into_iter().filter_map(of).next_back().unwrap_or_default()
}

fn sweeps(rig: &mut Rig) -> Vec<SweepCandidate> {
    let of = |r: ReportKind| match r {
        ReportKind::Sweeps { sweeps } => Some(sweeps),
        _ => None,
    };
    rig.reports().into_iter().filter_map(of).next_back().unwrap_or_default()
}

fn decide(state: &AccessState, id: &str, decision: AdoptionDecision) -> AccessState {
    let mut state = state.clone();
    state.people.get_mut(id).unwrap().adoption = Some(decision);
    state
}

fn adopt(account: &str) -> AdoptionDecision {
    AdoptionDecision::Adopt {
        account: account.into(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    }
}

fn old_ann(rig: &Rig, teams: &[&str]) -> String {
    rig.space.create_local_account(LocalAccount {
        identities: vec![("Azure AD".into(), "ann@x.example".into())],
        keys: vec!["old script".into()],
        teams: teams.iter().map(|t| (*t).to_owned()).collect(),
        ..LocalAccount::person("Annie", "ANN@x.example")
    })
}

#[tokio::test(start_paused = true)]
async fn existing_accounts_wait_for_a_decision() {
    let mut rig = Rig::new();
    let (team, other) = (rig.team("Deployers", "g1"), rig.space.create_team("Local", None));
    let old = old_ann(&rig, &[&other]);
    let before = rig.space.stored_account(&old).unwrap();
    rig.go().await;
    let one = state(&["ann", "bob"], &[("g1", &["ann", "bob"])]);
    let ack = rig.apply(&one).await;
    let item = ack.items.iter().find(|i| i.item == "person/ann").unwrap();
    assert_eq!(item.state, ItemState::NeedsDecision);
    assert_eq!(rig.members(&team), ["bob"], "nobody else waits");
    assert_eq!(format!("{before:?}"), format!("{:?}", rig.space.stored_account(&old).unwrap()), "untouched");
    let found = candidates(&mut rig);
    assert_eq!(found.len(), 1);
    let c = &found[0];
    assert_eq!(
        (c.person.as_str(), c.account.as_str(), c.matched_on.as_slice()),
        ("ann", old.as_str(), &["email".to_owned()][..])
    );
    assert_eq!(
        (c.api_keys, c.identities.as_slice(), c.teams.as_slice()),
        (Some(1), &["Azure AD".to_owned()][..], &["Local".to_owned()][..])
    );

    let two = decide(&one, "ann", adopt(&old));
    let ack = rig.change(&one, &two).await;
    assert!(ack.links.iter().any(|l| l.person == "ann" && l.account == old && l.username == "Annie"));
    let after = rig.space.stored_account(&old).unwrap();
    assert_eq!((after.username.as_str(), after.email.as_str()), ("Annie", "ann@x.example"), "the user name stays");
    assert!(after.keys.is_empty() && after.password != before.password);
    assert_eq!(after.identities.len(), 1, "only ODCM's identity is left: {:?}", after.identities);
    assert_eq!(rig.members(&team), ["Annie", "bob"]);
    assert_eq!(rig.members(&other), ["Annie"], "unbound teams are the Space's business");
    assert!(candidates(&mut rig).is_empty());

    // Once linked, the address is never matched again.
    rig.space.create_local_account(LocalAccount::person("double", "ann@x.example"));
    rig.pass(Duration::from_secs(400)).await;
    assert!(candidates(&mut rig).is_empty());
    assert_eq!(rig.id("Annie"), old);
}

#[tokio::test(start_paused = true)]
async fn a_decision_is_carried_out_as_it_was_made() {
    let mut rig = Rig::new();
    let old = old_ann(&rig, &[]);
    rig.go().await;
    let one = state(&["ann"], &[]);
    let keep = AdoptionDecision::Adopt {
        account: old.clone(),
        reset_password: false,
        remove_foreign_identities: false,
        revoke_api_keys: false,
    };
    rig.apply(&decide(&one, "ann", keep)).await;
    let after = rig.space.stored_account(&old).unwrap();
    assert_eq!((after.keys.len(), after.password.as_deref(), after.identities.len()), (1, Some("local"), 2));
}

#[tokio::test(start_paused = true)]
async fn an_inactive_account_is_adopted_inactive() {
    let mut rig = Rig::new();
    let old = old_ann(&rig, &[]);
    rig.space.set_local_active(&old, false).unwrap();
    rig.go().await;
    let ack = rig.apply(&decide(&state(&["ann"], &[]), "ann", adopt(&old))).await;
    assert_eq!(rig.active("Annie"), Some(false));
    assert!(ack.items.iter().any(|i| i.state == ItemState::LocallyDisabled));
}

#[tokio::test(start_paused = true)]
async fn a_new_account_beside_a_namesake_only_with_another_address() {
    let mut rig = Rig::new();
    rig.space.create_local_account(LocalAccount::person("ann", "other@x.example"));
    rig.space.create_local_account(LocalAccount::person("bobby", "bob@x.example"));
    rig.go().await;
    let one = state(&["ann", "bob"], &[]);
    let two = decide(&decide(&one, "ann", AdoptionDecision::CreateNew), "bob", AdoptionDecision::CreateNew);
    let ack = rig.apply(&two).await;
    assert_eq!(rig.active("ann-2"), Some(true));
    assert!(ack.links.iter().any(|l| l.person == "ann" && l.username == "ann-2"), "told as recorded there (A7)");
    assert!(ack.items.iter().any(|i| i.item == "person/bob" && i.state == ItemState::NeedsDecision));
    assert_eq!(rig.active("bob"), None);
    rig.pass(Duration::from_secs(400)).await;
    assert_eq!(rig.active("ann-2"), Some(true), "the name is not argued about");
}

#[tokio::test(start_paused = true)]
async fn a_decision_about_a_stranger_a_service_or_an_administrator_is_refused() {
    let mut rig = Rig::new();
    let stranger = rig.space.create_local_account(LocalAccount::person("zoe", "zoe@x.example"));
    let service = rig.space.create_local_account(LocalAccount { service: true, ..LocalAccount::person("bob", "svc@x.example") });
    let admin = rig.space.create_local_account(LocalAccount {
        teams: vec!["teams-administrators".into()],
        ..LocalAccount::person("cyd", "cyd@x.example")
    });
    rig.go().await;
    let one = state(&["ann", "bob", "cyd"], &[]);
    let one = decide(&decide(&decide(&one, "ann", adopt(&stranger)), "bob", adopt(&service)), "cyd", adopt(&admin));
    let ack = rig.apply(&one).await;
    let of = |id: &str| ack.items.iter().find(|i| i.item == format!("person/{id}")).map(|i| i.state);
    assert_eq!(of("ann"), Some(ItemState::Failed));
    assert_eq!(of("bob"), Some(ItemState::Failed));
    assert_eq!(of("cyd"), Some(ItemState::RefusedByPolicy));
    assert!(ack.links.is_empty());
    for id in [stranger, service, admin] {
        assert!(rig.space.stored_account(&id).unwrap().identities.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_account_and_no_candidate() {
    let mut rig = Rig::new();
    rig.go().await;
    rig.space.lose_answers_of("create_account", 1, busy());
    rig.apply(&state(&["ann"], &[])).await;
    rig.pass(Duration::from_secs(10)).await;
    assert_eq!(rig.active("ann"), Some(true));
    assert_eq!(rig.space.calls_of("create_account"), 1);
    assert!(candidates(&mut rig).is_empty());
    rig.apply(&state(&[], &[])).await;
    assert_eq!(rig.active("ann"), Some(false), "it is linked");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_revocation_leave_no_account_behind() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        rig.go().await;
        let (none, one) = (state(&[], &[]), state(&["ann"], &[]));
        rig.apply(&none).await;
        rig.space.lose_answers_of("create_account", 1, busy());
        rig.change(&none, &one).await;
        if restart {
            rig.kill().await;
            rig.go().await;
        }
        assert_eq!(rig.active("ann"), Some(true), "made, and nobody knows");
        let ack = rig.change(&one, &none).await;
        rig.pass(Duration::from_secs(60)).await;
        assert_eq!(rig.active("ann"), Some(false), "restart: {restart}: {ack:?}");
        let id = rig.id("ann");
        rig.apply(&one).await;
        assert_eq!((rig.id("ann"), rig.active("ann")), (id, Some(true)), "it is hers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_takes_effect_after_the_revocation_is_found() {
    let mut rig = Rig::new();
    rig.go().await;
    let (none, one) = (state(&[], &[]), state(&["ann"], &[]));
    rig.apply(&none).await;
    rig.space.hang_next_of("create_account", 1);
    let document = rig.odcm.delta(1, &none, &one);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.apply(&none).await;
    rig.pass(Duration::from_secs(12)).await;
    let late = LocalAccount {
        identities: vec![("Generic OIDC".into(), "ann@x.example".into())],
        ..LocalAccount::person("ann", "ann@x.example")
    };
    rig.space.create_local_account(late);
    rig.pass(Duration::from_secs(15)).await;
    assert_eq!(rig.active("ann"), Some(false));
    // And an intent does not live for ever.
    rig.pass(Duration::from_secs(100)).await;
    let calls = rig.space.calls_of("accounts");
    rig.pass(Duration::from_secs(300)).await;
    assert!(rig.space.calls_of("accounts") - calls <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_newly_bound_team_is_swept_after_confirmation_only() {
    let mut rig = Rig::new();
    let team = rig.space.create_team("Deployers", None);
    let stranger = rig.space.create_local_account(LocalAccount::person("zoe", "zoe@x.example"));
    rig.go().await;
    let one = state(&["ann", "bob", "cyd"], &[("g1", &["ann", "cyd"])]);
    rig.apply(&one).await;
    for name in ["bob", "cyd"] {
        rig.space.add_local_member(&team, &rig.id(name)).unwrap();
    }
    rig.space.add_local_member(&team, &stranger).unwrap();
    rig.pass(Duration::from_secs(20)).await;
    rig.space.bind_group(&team, "G1", "Developers").unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "cyd", "zoe"], "additions within ten seconds, nobody removed");
    assert_eq!(sweeps(&mut rig)[0].people, ["bob"]);
    let bound = rig.reports().into_iter().any(|r| matches!(r, ReportKind::Bindings { bindings } if bindings.iter().any(|b| b.team == team && b.group == "g1" && b.managed)));
    assert!(bound);

    // Who leaves the group leaves the team at once, confirmed or not.
    let two = state(&["ann", "bob", "cyd"], &[("g1", &["ann"])]);
    rig.change(&one, &two).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "zoe"]);
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(20)).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "zoe"], "a restart confirms nothing");

    let mut three = two.clone();
    three.confirmed_sweeps.insert(team.clone());
    rig.change(&two, &three).await;
    assert_eq!(rig.members(&team), ["ann", "zoe"], "unmanaged accounts are never touched");
    assert!(sweeps(&mut rig).is_empty());

    // The confirmation counts once: unbound and bound again, the team is new.
    rig.space.unbind_group(&team, "g1").unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["zoe"], "unbinding takes away what the agent added");
    rig.space.add_local_member(&team, &rig.id("bob")).unwrap();
    rig.pass(Duration::from_secs(11)).await;
    rig.space.bind_group(&team, "g1", "Developers").unwrap();
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!(rig.members(&team), ["ann", "bob", "zoe"]);
    assert_eq!(sweeps(&mut rig)[0].people, ["bob"]);
}

#[tokio::test(start_paused = true)]
async fn administrator_teams_need_the_local_policy() {
    let mut rig = Rig::new();
    rig.space.bind_group("teams-administrators", "g1", "Developers").unwrap();
    rig.space.bind_group("teams-everyone", "g1", "Developers").unwrap();
    rig.go().await;
    let one = state(&["ann"], &[("g1", &["ann"])]);
    rig.apply(&one).await;
    assert!(!rig.members("teams-administrators").contains(&"ann".to_owned()));
    let of = |r: ReportKind| match r {
        ReportKind::Bindings { bindings } => Some(bindings),
        _ => None,
    };
    let bindings = rig.reports().into_iter().find_map(of).unwrap();
    assert_eq!(bindings.len(), 2);
    assert!(bindings.iter().all(|b| !b.managed && b.message.is_some()), "{bindings:?}");
    assert!(bindings.iter().any(|b| b.administrative));

    rig.kill().await;
    rig.policy.administrator_teams = true;
    rig.go().await;
    rig.pass(Duration::from_secs(20)).await;
    assert!(rig.members("teams-administrators").contains(&"ann".to_owned()));
    rig.kill().await;
    rig.policy.administrator_teams = false;
    rig.go().await;
    rig.pass(Duration::from_secs(20)).await;
    assert!(!rig.members("teams-administrators").contains(&"ann".to_owned()), "what the agent added goes");
}

#[tokio::test(start_paused = true)]
async fn administrators_through_an_external_group_are_administrators() {
    for allowed in [false, true] {
        let mut rig = Rig::new();
        rig.policy.adopt_administrators = allowed;
        rig.space.bind_group("teams-administrators", "CN=Admins", "Admins").unwrap();
        let old = rig.space.create_local_account(LocalAccount::person("cyd", "cyd@x.example"));
        rig.space.edit_account(&old, |a| a.groups = vec!["cn=admins".into()]).unwrap();
        rig.go().await;
        let one = state(&["cyd"], &[]);
        rig.apply(&one).await;
        assert_eq!(candidates(&mut rig)[0].teams, ["Octopus Administrators"], "the list says so");
        let ack = rig.apply(&decide(&one, "cyd", adopt(&old))).await;
        let state = ack.items.iter().find(|i| i.item == "person/cyd").map(|i| i.state);
        assert_eq!((state, ack.links.len()), if allowed { (None, 1) } else { (Some(ItemState::RefusedByPolicy), 0) });
        assert_eq!(rig.space.stored_account(&old).unwrap().identities.is_empty(), !allowed);
        // Without these rights the decision is carried out, at the next full look.
        rig.space.edit_account(&old, |a| a.groups.clear()).unwrap();
        rig.pass(Duration::from_secs(400)).await;
        assert!(!rig.space.stored_account(&old).unwrap().identities.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn profile_changes_reach_the_account() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann"], &[]);
    rig.apply(&one).await;
    let id = rig.id("ann");
    let mut two = one.clone();
    two.people.insert(
        "ann".into(),
        odcm_wire::latest::Person { username: "anna".into(), email: "anna@x.example".into(), ..person("ann") },
    );
    let ack = rig.change(&one, &two).await;
    let account = rig.space.look_at_account(&id).unwrap();
    assert_eq!((account.username.as_str(), account.our_identity_email.as_deref()), ("anna", Some("anna@x.example")));
    assert!(ack.links.iter().any(|l| l.username == "anna" && l.email == "anna@x.example"));
}

#[tokio::test(start_paused = true)]
async fn no_message_is_longer_than_the_server_reads_however_many_wait() {
    use odcm_wire::latest::FromAgent;
    use std::collections::BTreeSet;
    let mut rig = Rig::new();
    let ids: Vec<String> = (0..2500).map(|n| format!("p{n:04}")).collect();
    for id in &ids {
        rig.space.create_local_account(LocalAccount::person(&format!("old-{id}"), &format!("{id}@x.example")));
    }
    rig.go().await;
    let people: Vec<&str> = ids.iter().map(String::as_str).collect();
    let ack = rig.apply(&state(&people, &[])).await;
    rig.pass(Duration::from_secs(1)).await;
    let mut named: BTreeSet<String> = ack.items.iter().map(|i| i.item.clone()).collect();
    assert!(named.len() <= 2000, "{}", named.len());
    let after = rig.heard.iter().skip_while(|m| !matches!(m, FromAgent::Ack(_)));
    for message in after {
        assert!(serde_json::to_vec(message).unwrap().len() < 2 * 1024 * 1024);
        let FromAgent::Report(report) = message else { continue };
        match &report.what {
            ReportKind::Items { items } => named.extend(items.iter().map(|i| i.item.clone())),
            ReportKind::Candidates { candidates } => assert_eq!(candidates.len(), 2500),
            _ => {}
        }
    }
    assert_eq!(named.len(), 2500, "every item is told");
}
