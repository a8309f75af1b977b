//! Which teams are bound to which groups, and who belongs into them.

use super::Scene;
use crate::state::{Records, TeamRecord};
use odcm_space_plugin::Team;
use std::collections::{BTreeMap, BTreeSet};

/// Why a team with `CanChangeMembers=false` is left alone.
pub(crate) const FIXED: &str = "the Space does not let the members of this team be changed";

/// A team that names at least one group of ODCM, or did when ODCM took the group back.
#[derive(Clone, Debug)]
pub struct Bound<'a> {
    /// The team.
    pub team: &'a Team,
    /// The groups of ODCM that it names.
    pub groups: Vec<&'a str>,
    /// Groups that it names and that ODCM took back: they bind it and name nobody.
    pub former: Vec<&'a str>,
    /// People that these groups name.
    pub wanted: BTreeSet<&'a str>,
    /// Why the agent leaves the team alone, if it does.
    pub hands_off: Option<&'static str>,
}

impl<'a> Bound<'a> {
    /// The group that names `person`, else the first one: names the membership in reports.
    #[must_use]
    pub fn group_of(&self, scene: &Scene<'a>, person: &str) -> Option<&'a str> {
        let names = |g: &&&str| scene.desired.groups.get(**g).is_some_and(|group| group.members.contains_key(person));
        self.groups.iter().find(names).or(self.groups.first()).copied()
    }
}

/// Look-up tables for one plan.
#[derive(Debug)]
pub struct Index<'a> {
    /// Bound teams by id, also those that the agent leaves alone.
    pub bound: BTreeMap<&'a str, Bound<'a>>,
    /// Person of each managed account.
    pub managed: BTreeMap<&'a str, &'a str>,
}

impl<'a> Index<'a> {
    /// Builds the tables.
    #[must_use]
    pub fn new(scene: &Scene<'a>, records: &'a Records) -> Self {
        Self::with_teams(scene, records, &records.teams)
    }

    /// Builds the tables; the records of teams lie elsewhere while they are brought up to date.
    pub(super) fn with_teams(scene: &Scene<'a>, records: &'a Records, teams: &BTreeMap<String, TeamRecord>) -> Self {
        // Octopus compares the ids of external groups without case.
        let groups: BTreeMap<String, &str> = scene.desired.groups.keys().map(|id| (id.to_lowercase(), id.as_str())).collect();
        let bound = scene.view.teams.values().filter_map(|team| {
            let names: BTreeSet<&str> =
                team.external_groups.iter().filter_map(|g| groups.get(&g.id.to_lowercase()).copied()).collect();
            let record = teams.get(&team.id);
            let known = |g: &str| record.is_some_and(|r| r.groups.iter().any(|k| k.eq_ignore_ascii_case(g)));
            let taken_back = |g: &&str| !groups.contains_key(&g.to_lowercase()) && known(g);
            let former: Vec<&str> = team.external_groups.iter().map(|g| g.id.as_str()).filter(taken_back).collect();
            if names.is_empty() && former.is_empty() {
                return None;
            }
            let members = names.iter().filter_map(|g| scene.desired.groups.get(*g)).flat_map(|g| g.members.keys());
            let wanted = members.map(String::as_str).filter(|p| scene.desired.people.contains_key(*p)).collect();
            let hands_off = if !team.can_change_members {
                Some(FIXED)
            } else if team.administrative && !scene.policy.administrator_teams {
                Some("the team holds administrator rights; the policy on the agent's host does not allow ODCM to fill it")
            } else {
                None
            };
            Some((team.id.as_str(), Bound { team, groups: names.into_iter().collect(), former, wanted, hands_off }))
        });
        Self { bound: bound.collect(), managed: records.managed() }
    }

    /// A bound team that the agent fills.
    #[must_use]
    pub fn filled(&self, team: &str) -> Option<&Bound<'a>> {
        self.bound.get(team).filter(|b| b.hands_off.is_none())
    }

    /// Whether a managed account belongs into the team.
    #[must_use]
    pub fn belongs(&self, bound: &Bound<'a>, account: &str) -> bool {
        self.managed.get(account).is_some_and(|person| bound.wanted.contains(person))
    }
}
