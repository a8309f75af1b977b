//! Plans by themselves.

use super::{Scene, Step, View, plan, settle};
use crate::policy::Policy;
use crate::state::{Link, Off, Records};
use crate::testkit::state;
use odcm_space_plugin::{Account, ExternalGroup, Team};
use odcm_wire::latest::{AccessState, FormerTeam, Inheritance};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn account(id: usize, active: bool) -> Account {
    let name = format!("p{id}");
    Account {
        id: format!("Users-{id}"),
        username: name.clone(),
        email: format!("{name}@x.example"),
        display_name: name.to_uppercase(),
        active,
        service: false,
        may_have_password: false,
        identities: vec!["OIDC".into()],
        our_identity_email: Some(format!("{name}@x.example")),
    }
}

fn team(id: usize, members: &BTreeSet<usize>, groups: &BTreeSet<usize>) -> Team {
    Team {
        id: format!("Teams-{id}"),
        name: format!("Team {id}"),
        inner_space: None,
        members: members.iter().map(|m| format!("Users-{m}")).collect(),
        external_groups: groups.iter().map(|g| ExternalGroup { id: format!("G{g}"), name: "x".into() }).collect(),
        can_change_members: true,
        administrative: false,
    }
}

fn set(n: usize, most: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    prop::collection::btree_set(0..n, 0..most)
}

/// Desired state, view and records: people 0-3, of whom some are linked; accounts 4-5 are strangers'.
fn scenes() -> impl Strategy<Value = (AccessState, View, Records)> {
    let desired = (set(4, 5), prop::collection::vec(set(4, 5), 2)).prop_map(|(people, groups)| {
        let name = |n: &usize| format!("p{n}");
        let people_names: Vec<String> = people.iter().map(name).collect();
        let groups: Vec<(String, Vec<String>)> =
            groups.iter().enumerate().map(|(g, m)| (format!("g{g}"), m.intersection(&people).map(name).collect())).collect();
        let people: Vec<&str> = people_names.iter().map(String::as_str).collect();
        let members: Vec<Vec<&str>> = groups.iter().map(|(_, m)| m.iter().map(String::as_str).collect()).collect();
        let groups: Vec<(&str, &[&str])> = groups.iter().zip(&members).map(|((g, _), m)| (g.as_str(), m.as_slice())).collect();
        state(&people, &groups)
    });
    let view = (prop::collection::vec(any::<bool>(), 6), prop::collection::vec((set(6, 6), set(3, 3)), 3));
    (desired, view, set(4, 5)).prop_map(|(desired, (active, teams), linked)| {
        let exists = |n: &usize| *n >= 4 || linked.contains(n);
        let accounts: BTreeMap<String, Account> =
            active.iter().enumerate().filter(|(n, _)| exists(n)).map(|(n, a)| (format!("Users-{n}"), account(n, *a))).collect();
        let teams = teams
            .iter()
            .enumerate()
            .map(|(n, (members, groups))| {
                (format!("Teams-{n}"), team(n, &members.iter().copied().filter(exists).collect(), groups))
            })
            .collect();
        let mut records = Records::default();
        for n in &linked {
            let link = Link {
                account: format!("Users-{n}"),
                off: if active[*n] { Off::No } else { Off::ByUs },
                active: active[*n],
                granted: active[*n],
                ..Link::default()
            };
            records.links.insert(format!("p{n}"), link);
        }
        (desired, View { accounts, teams, complete: true, ..View::default() }, records)
    })
}

/// Does the steps as a Space without faults would.
fn obey(view: &mut View, records: &mut Records, step: &Step) {
    let mut next = view.accounts.len() + 10;
    match step {
        Step::Deactivate { person, account, .. } => {
            view.accounts.get_mut(account).unwrap().active = false;
            let link = records.links.get_mut(person).unwrap();
            (link.off, link.active, link.cleanup) = (Off::ByUs, false, false);
        }
        Step::Remove { team, accounts } => view.teams.get_mut(team).unwrap().members.retain(|m| !accounts.contains(m)),
        Step::Create { person, .. } => {
            let n: usize = person[1..].parse().unwrap();
            while view.accounts.contains_key(&format!("Users-{next}")) {
                next += 1;
            }
            let id = format!("Users-{next}");
            view.accounts.insert(id.clone(), Account { id: id.clone(), ..account(n, true) });
            records.links.insert(person.clone(), Link { account: id, active: true, granted: true, ..Link::default() });
        }
        Step::Update { person, account, change, .. } => {
            let found = view.accounts.get_mut(account).unwrap();
            found.active = change.active.unwrap_or(found.active);
            let link = records.links.get_mut(person).unwrap();
            (link.off, link.active, link.cleanup) = (Off::No, true, false);
        }
        Step::Add { team, people } => {
            for person in people {
                let account = records.links[person].account.clone();
                records.teams.get_mut(team).unwrap().added.insert(account.clone());
                view.teams.get_mut(team).unwrap().members.insert(account);
            }
        }
        Step::Adopt { .. } => unreachable!("nobody decided"),
    }
}

/// Bound, with somebody in it whom no group names, seen while a list of the accounts is missing.
#[test]
fn a_team_that_is_inherited_is_not_bound_anew_while_that_waits() {
    let (desired, policy) = (state(&["p0", "p1"], &[("g0", &["p0"])]), Policy::default());
    let link = |n: usize| Link { account: format!("Users-{n}"), active: true, granted: true, ..Link::default() };
    let links = [("p0".to_owned(), link(0)), ("p1".to_owned(), link(1))].into();
    let former = FormerTeam { groups: ["g0".to_owned()].into(), ..FormerTeam::default() };
    let inherited = Inheritance { teams: [("Teams-0".to_owned(), former)].into(), ..Inheritance::default() };
    let mut records = Records { links, inherited, ..Records::default() };
    let accounts = (0..2).map(|n| (format!("Users-{n}"), account(n, true))).collect();
    let teams = [("Teams-0".to_owned(), team(0, &[0, 1].into(), &[0].into()))].into();
    let mut view = View { accounts, teams, ..View::default() };
    for complete in [false, true] {
        view.complete = complete;
        let scene = Scene { desired: &desired, view: &view, policy: &policy, shut: false };
        settle(&scene, &mut records);
        let plan = plan(&scene, &records);
        assert!(plan.sweeps.is_empty() && plan.removals.len() == usize::from(complete), "{complete}: {plan:?}");
    }
}

proptest! {
    #[test]
    fn steps_lead_to_the_formulas_and_nowhere_else((desired, view, records) in scenes()) {
        let policy = Policy::default();
        let (before, mut view, mut records) = (view.clone(), view, records);
        let first = {
            let scene = Scene { desired: &desired, view: &view, policy: &policy, shut: false };
            settle(&scene, &mut records);
            plan(&scene, &records)
        };
        // Stages hold what they promise.
        prop_assert!(first.removals.iter().all(|s| matches!(s, Step::Deactivate { .. } | Step::Remove { .. })), "removals");
        prop_assert!(first.accounts.iter().all(|s| matches!(s, Step::Create { .. } | Step::Update { .. } | Step::Adopt { .. })), "accounts");
        prop_assert!(first.members.iter().all(|s| matches!(s, Step::Add { .. })), "members");
        for step in first.removals.iter().chain(&first.accounts).chain(&first.members) {
            obey(&mut view, &mut records, step);
        }
        let again = {
            let scene = Scene { desired: &desired, view: &view, policy: &policy, shut: false };
            settle(&scene, &mut records);
            plan(&scene, &records)
        };
        prop_assert!(again.is_empty(), "one plan is enough: {again:?}");

        for n in 0..4 {
            let person = format!("p{n}");
            let active = records.links.get(&person).is_some_and(|l| view.accounts[&l.account].active);
            prop_assert_eq!(active, desired.people.contains_key(&person), "users(S): {}", person);
        }
        for n in 4..6 {
            let id = format!("Users-{n}");
            prop_assert_eq!(view.accounts.get(&id), before.accounts.get(&id), "a stranger");
        }
        let managed: BTreeMap<&str, &str> = records.managed();
        for (id, team) in &view.teams {
            let old = &before.teams[id];
            prop_assert_eq!(&team.external_groups, &old.external_groups);
            let groups: Vec<_> = team.external_groups.iter().filter_map(|g| desired.groups.get(&g.id.to_lowercase())).collect();
            for account in view.accounts.keys() {
                let (is, was) = (team.members.contains(account), old.members.contains(account));
                match managed.get(account.as_str()) {
                    Some(person) if !groups.is_empty() => {
                        let wanted = groups.iter().any(|g| g.members.contains_key(*person));
                        // Newly bound: who was there already stays until somebody confirms.
                        prop_assert_eq!(is, wanted || was, "members(S,g): {} in {}", person, id);
                        let listed = again.sweeps.iter().any(|s| s.team == *id && s.people.iter().any(|p| p == person));
                        prop_assert_eq!(listed, was && !wanted, "listed for confirmation: {} in {}", person, id);
                    }
                    _ => prop_assert_eq!(is, was, "not ours: {} in {}", account, id),
                }
            }
        }
    }
}
