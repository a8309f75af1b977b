//! What nobody can see in a closed inner space makes nobody an administrator of ODCM's (rules A6, B7), and is inherited.

use crate::testkit::{Rig, state};
use odcm_space_plugin::AdapterError;
use odcm_space_plugin::fake::{Closed, LocalAccount};
use odcm_wire::latest::{AccessState, Ack, AdoptionDecision, FormerLink, FormerTeam, Inheritance, ItemState, ReportKind};
use std::collections::BTreeMap;
use std::time::Duration;

fn adopt(state: &AccessState, person: &str, account: &str) -> AccessState {
    let mut state = state.clone();
    let decision = AdoptionDecision::Adopt {
        account: account.into(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    };
    state.people.get_mut(person).unwrap().adoption = Some(decision);
    state
}

fn of(ack: &Ack, item: &str) -> Option<ItemState> {
    ack.items.iter().find(|i| i.item == item).map(|i| i.state)
}

/// A team of the managers of Spaces-2.
fn managers(rig: &Rig) -> String {
    let team = rig.space.create_team("Managers", Some("Spaces-2"));
    rig.space.edit_team(&team, |t| t.administrative = true).unwrap();
    team
}

fn local(rig: &Rig, name: &str, teams: &[&str]) -> String {
    let teams = teams.iter().map(|t| (*t).to_owned()).collect();
    rig.space.create_local_account(LocalAccount { teams, ..LocalAccount::person(name, &format!("{name}@x.example")) })
}

#[tokio::test(start_paused = true)]
async fn nobody_is_adopted_who_may_be_an_administrator_where_nobody_sees() {
    for (how, lists_teams) in [(Closed::Refused, true), (Closed::Refused, false), (Closed::NotFound, true)] {
        for allowed in [false, true] {
            let mut rig = Rig::new();
            rig.policy.adopt_administrators = allowed;
            let managers = managers(&rig);
            let (root2, zoe) = (local(&rig, "root2", &[&managers]), local(&rig, "zoe", &[]));
            if !lists_teams {
                rig.space.fail_next_of("teams_of", 1000, AdapterError::Unsupported("list the teams of a user"));
            }
            rig.space.close_space_as("Spaces-2", how);
            rig.go().await;
            let one = state(&["root2", "zoe"], &[]);
            let ack = rig.apply(&adopt(&adopt(&one, "root2", &root2), "zoe", &zoe)).await;
            let wanted = if allowed { None } else { Some(ItemState::RefusedByPolicy) };
            let space = rig.space.clone();
            let password = |id: &str| space.stored_account(id).unwrap().password;
            for (person, account) in [("root2", &root2), ("zoe", &zoe)] {
                assert_eq!(of(&ack, &format!("person/{person}")), wanted, "{how:?} {person}: {:?}", ack.items);
                assert_eq!(password(account).as_deref() == Some("local"), !allowed, "{how:?} {person}");
            }
            // Open again, the decisions are carried out where they may be.
            rig.space.open_space("Spaces-2");
            rig.pass(Duration::from_secs(11)).await;
            assert_eq!(password(&root2).as_deref() == Some("local"), !allowed, "{how:?}");
            assert_ne!(rig.space.stored_account(&zoe).unwrap().password.as_deref(), Some("local"), "{how:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_inherited_who_may_be_an_administrator_where_nobody_sees() {
    let mut rig = Rig::new();
    let managers = managers(&rig);
    let (root2, zoe) = (local(&rig, "root2", &[&managers]), local(&rig, "zoe", &[]));
    let link = |account: &str| FormerLink { account: account.into(), active: true, locally_disabled: false };
    rig.odcm.inheritance.links = [("p1".to_owned(), link(&root2)), ("p2".to_owned(), link(&zoe))].into();
    rig.space.close_space("Spaces-2");
    rig.go().await;
    let ack = rig.apply(&state(&[], &[])).await;
    assert_eq!((rig.active("root2"), rig.active("zoe"), ack.links.len()), (Some(true), Some(true), 0));
    for item in ["person/p1", "person/p2"] {
        assert_eq!(of(&ack, item), Some(ItemState::RefusedByPolicy), "{:?}", ack.items);
    }
    // It waits for the inner space, also over a restart.
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(11)).await;
    rig.space.open_space("Spaces-2");
    rig.pass(Duration::from_secs(11)).await;
    assert_eq!((rig.active("root2"), rig.active("zoe")), (Some(true), Some(false)), "an administrator, and nobody's any more");
}

#[tokio::test(start_paused = true)]
async fn a_new_agent_inherits_the_teams_of_a_closed_inner_space() {
    for how in [Closed::Refused, Closed::NotFound, Closed::Unlisted] {
        let mut rig = Rig::new();
        let there = rig.space.create_team("There", Some("Spaces-2"));
        rig.space.bind_group(&there, "g1", "g1").unwrap();
        rig.go().await;
        let one = state(&["ann", "bob", "cyd"], &[("g1", &["ann", "bob", "cyd"])]);
        let ack = rig.apply(&one).await;
        let former = |l: &odcm_wire::latest::AccountLink| FormerLink {
            account: l.account.clone(),
            active: l.active,
            locally_disabled: l.locally_disabled,
        };
        let links = ack.links.iter().map(|l| (l.person.clone(), former(l))).collect();
        rig.kill().await;
        rig.space.close_space_as("Spaces-2", how);

        let mut next = Rig::on(rig.space.clone());
        let team = FormerTeam { groups: ["g1".to_owned()].into(), ..FormerTeam::default() };
        next.odcm.inheritance = Inheritance { links, teams: BTreeMap::from([(there.clone(), team)]) };
        next.odcm.revision = rig.odcm.revision;
        next.go().await;
        // While nobody was there cyd lost the group; then ann does.
        let two = state(&["ann", "bob", "cyd"], &[("g1", &["ann", "bob"])]);
        let ack = next.apply(&two).await;
        assert_eq!(of(&ack, &format!("team/{there}")), Some(ItemState::Failed), "{how:?}: {:?}", ack.items);
        let ack = next.change(&two, &state(&["ann", "bob", "cyd"], &[("g1", &["bob"])])).await;
        assert_eq!(of(&ack, "member/g1/ann"), Some(ItemState::Failed), "{how:?}: {:?}", ack.items);
        next.heard.clear();
        next.space.open_space("Spaces-2");
        next.pass(Duration::from_secs(11)).await;
        assert_eq!(next.members(&there), ["bob"], "{how:?}: a known team, not one that is bound anew");
        assert!(!next.reports().iter().any(|r| matches!(r, ReportKind::Sweeps { sweeps } if !sweeps.is_empty())), "{how:?}");
        let healed = |r: &ReportKind| matches!(r, ReportKind::Items { items } if items.iter().any(|i| i.item == format!("team/{there}") && i.state == ItemState::Applied));
        assert!(next.reports().iter().any(healed), "{how:?}");
    }
}
