//! The property of rules A3 and A4: whatever ODCM grants and whatever people do in the Space by hand, afterwards the Space
//! equals the formulas, and what is the Space's own is as people left it. The model below is deliberately naive: it knows
//! nothing of plans, records or documents.

use crate::testkit::{Rig, state};
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::AccessState;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PEOPLE: [&str; 3] = ["ann", "bob", "cyd"];
const STRANGER: &str = "zoe";
const GROUPS: [&str; 2] = ["g1", "g2"];
const TEAMS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Grant(usize, bool),
    Member(usize, usize, bool),
    Publish(usize, bool),
    HandMember(usize, usize, bool),
    HandActive(usize, bool),
    Bind(usize, usize, bool),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let b = any::<bool>;
    let act = prop_oneof![
        4 => (0..3usize, b()).prop_map(|(p, on)| Act::Grant(p, on)),
        5 => (0..2usize, 0..3usize, b()).prop_map(|(g, p, on)| Act::Member(g, p, on)),
        1 => (0..2usize, b()).prop_map(|(g, on)| Act::Publish(g, on)),
        4 => (0..TEAMS, 0..4usize, b()).prop_map(|(t, p, on)| Act::HandMember(t, p, on)),
        3 => (0..4usize, b()).prop_map(|(p, on)| Act::HandActive(p, on)),
        2 => (0..TEAMS, 0..2usize, b()).prop_map(|(t, g, on)| Act::Bind(t, g, on)),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..20)
}

/// The Space as it must be.
#[derive(Debug, Default)]
struct Model {
    granted: BTreeSet<&'static str>,
    linked: BTreeSet<&'static str>,
    /// Set inactive by hand.
    local_no: BTreeSet<&'static str>,
    published: BTreeMap<&'static str, BTreeSet<&'static str>>,
    teams: Vec<ModelTeam>,
    stranger_active: bool,
}

#[derive(Debug, Default)]
struct ModelTeam {
    members: BTreeSet<&'static str>,
    binds: BTreeSet<&'static str>,
    bound: bool,
    /// Groups that bound it and that it still names, taken back or not.
    bound_by: BTreeSet<&'static str>,
    /// There before the team was bound, not confirmed.
    unswept: BTreeSet<&'static str>,
    by_agent: BTreeSet<&'static str>,
}

impl Model {
    fn wanted_state(&self) -> AccessState {
        let people: Vec<&str> = self.granted.iter().copied().collect();
        let groups: Vec<(&str, Vec<&str>)> =
            self.published.iter().map(|(g, m)| (*g, m.iter().filter(|p| self.granted.contains(*p)).copied().collect())).collect();
        let groups: Vec<(&str, &[&str])> = groups.iter().map(|(g, m)| (*g, m.as_slice())).collect();
        state(&people, &groups)
    }

    /// What the agent makes of it.
    fn settle(&mut self) {
        let granted = self.granted.clone();
        self.linked.extend(granted.iter().copied());
        for team in &mut self.teams {
            team.bound_by.extend(team.binds.iter().filter(|g| self.published.contains_key(*g)));
            team.bound_by.retain(|g| team.binds.contains(g));
            let groups: Vec<_> = team.binds.iter().filter_map(|g| self.published.get(g)).collect();
            let wanted: BTreeSet<&str> = groups.iter().flat_map(|m| m.iter().copied()).filter(|p| granted.contains(p)).collect();
            let bound = !team.bound_by.is_empty();
            if bound {
                let extra: BTreeSet<&str> =
                    team.members.iter().filter(|m| **m != STRANGER && !wanted.contains(*m)).copied().collect();
                if !team.bound {
                    team.unswept = extra.iter().filter(|m| self.linked.contains(*m)).copied().collect();
                }
                team.unswept.retain(|m| extra.contains(m));
                for m in extra.difference(&team.unswept) {
                    team.members.remove(m);
                    team.by_agent.remove(m);
                }
                for m in wanted {
                    if team.members.insert(m) {
                        team.by_agent.insert(m);
                    }
                }
            } else if team.bound {
                for m in std::mem::take(&mut team.by_agent) {
                    team.members.remove(m);
                }
                team.unswept.clear();
            }
            team.bound = bound;
        }
    }
}

async fn play(acts: Vec<Act>) {
    let mut rig = Rig::new();
    // Pausing is another test's matter.
    rig.timing.repairs = usize::MAX;
    rig.space.create_local_account(LocalAccount::person(STRANGER, "zoe@x.example"));
    let ids: Vec<String> = (0..TEAMS).map(|n| rig.space.create_team(&format!("Team {n}"), None)).collect();
    let mut model = Model { stranger_active: true, ..Model::default() };
    model.teams.resize_with(TEAMS, ModelTeam::default);
    rig.go().await;
    let mut before = model.wanted_state();
    rig.apply(&before).await;
    for act in &acts {
        match *act {
            Act::Grant(p, true) => drop(model.granted.insert(PEOPLE[p])),
            Act::Grant(p, false) => drop(model.granted.remove(PEOPLE[p])),
            Act::Publish(g, true) => drop(model.published.entry(GROUPS[g]).or_default()),
            Act::Publish(g, false) => drop(model.published.remove(GROUPS[g])),
            Act::Member(g, p, on) => {
                if let Some(group) = model.published.get_mut(GROUPS[g]) {
                    if on {
                        group.insert(PEOPLE[p])
                    } else {
                        group.remove(PEOPLE[p])
                    };
                }
            }
            Act::HandMember(t, p, on) => {
                let name = PEOPLE.get(p).copied().unwrap_or(STRANGER);
                let Some(account) = rig.space.find_account(name) else { continue };
                if on {
                    rig.space.add_local_member(&ids[t], &account.id).unwrap();
                    model.teams[t].members.insert(name);
                } else {
                    rig.space.remove_local_member(&ids[t], &account.id).unwrap();
                    model.teams[t].members.remove(name);
                    // Put in again by hand later, it is not the agent's.
                    if !model.teams[t].bound {
                        model.teams[t].by_agent.remove(name);
                    }
                }
            }
            Act::HandActive(p, on) => {
                let name = PEOPLE.get(p).copied().unwrap_or(STRANGER);
                let Some(account) = rig.space.find_account(name) else { continue };
                rig.space.set_local_active(&account.id, on).unwrap();
                if name == STRANGER {
                    model.stranger_active = on;
                } else if on {
                    model.local_no.remove(name);
                } else if account.active {
                    model.local_no.insert(name);
                }
            }
            Act::Bind(t, g, true) => {
                if model.teams[t].binds.insert(GROUPS[g]) {
                    rig.space.bind_group(&ids[t], GROUPS[g], "x").unwrap();
                }
            }
            Act::Bind(t, g, false) => {
                model.teams[t].binds.remove(GROUPS[g]);
                rig.space.unbind_group(&ids[t], GROUPS[g]).unwrap();
            }
            Act::Restart => {
                rig.kill().await;
                rig.go().await;
            }
        }
        let wanted = model.wanted_state();
        if wanted != before {
            rig.change(&before, &wanted).await;
            before = wanted;
        }
        rig.pass(Duration::from_secs(25)).await;
        model.settle();
        for name in PEOPLE {
            let expected = model.linked.contains(name).then(|| model.granted.contains(name) && !model.local_no.contains(name));
            assert_eq!(rig.active(name), expected, "{name} after {act:?}: {model:#?}");
        }
        assert_eq!(rig.active(STRANGER), Some(model.stranger_active));
        for (id, team) in ids.iter().zip(&model.teams) {
            let expected: Vec<String> = team.members.iter().map(|m| (*m).to_owned()).collect();
            assert_eq!(rig.members(id), expected, "{id} after {act:?}: {model:#?}");
        }
    }
    let zoe = rig.space.stored_account(&rig.id(STRANGER)).unwrap();
    assert_eq!((zoe.email.as_str(), zoe.password.as_deref(), zoe.identities.len()), ("zoe@x.example", Some("local"), 0));
    assert!(rig.alarms().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_space_equals_the_formulas(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(acts));
    }
}
