//! Section *access*: who exists in a Space and who is in which group (rules A1, A3).

use super::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The time around now in which an entry holds without further change. Entries of the future do not travel; the agent
/// enforces the end by itself when ODCM cannot be reached (rules B4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First instant, if bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Millis>,
    /// First instant at which the entry no longer holds, if bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

impl Interval {
    /// Whether the entry holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Millis) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// What an administrator decided about an account that existed in the Space before (rules A6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum AdoptionDecision {
    /// The account is this person's and is taken over.
    Adopt {
        /// Id of the account in the Space, for example `Users-21`.
        account: String,
        /// Replace a local password by a random one, where the server can.
        reset_password: bool,
        /// Remove sign-ins of other identity providers.
        remove_foreign_identities: bool,
        /// Delete the account's API keys.
        revoke_api_keys: bool,
    },
    /// None of the candidates is this person: create an account (possible while no account holds the same address).
    CreateNew,
}

/// A person who may enter the Space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// User name, unique over all people of the deployment (rules A8).
    pub username: String,
    /// E-mail address, unique likewise; written exactly as the identity provider will send it.
    pub email: String,
    /// Name for people to read.
    pub display_name: String,
    /// When the entry holds.
    #[serde(default)]
    pub interval: Interval,
    /// Decision about an existing account, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption: Option<AdoptionDecision>,
}

/// A group that was granted to, or published to, the Space, with those of its effective members who may enter it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Name for people to read.
    pub name: String,
    /// Person ids.
    #[serde(default)]
    pub members: BTreeMap<String, Interval>,
}

/// Desired state of section *access*. Keys are ids of people and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessState {
    /// Everybody who may enter.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    /// Every group the Space may bind to a team.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// Teams in which accounts that no bound group names may now be removed: the one-time confirmation of rules A3.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub confirmed_sweeps: BTreeSet<String>,
    /// Delete API keys of people who lose the Space (rules A9).
    #[serde(default)]
    pub revoke_api_keys: bool,
}

/// The difference between two states of section *access*. Removals are applied before additions (rules B1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDelta {
    /// People who may no longer enter.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub people_gone: BTreeSet<String>,
    /// Groups no longer published.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups_gone: BTreeSet<String>,
    /// Memberships that ended, by group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members_gone: BTreeMap<String, BTreeSet<String>>,
    /// New or changed people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, Person>,
    /// New or renamed groups: id to name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
    /// New memberships, or memberships whose interval changed, by group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, BTreeMap<String, Interval>>,
    /// The whole new set, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_sweeps: Option<BTreeSet<String>>,
    /// The new value, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_api_keys: Option<bool>,
}

impl AccessDelta {
    /// Whether the two states were equal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether somebody loses something: such a revision interrupts an older one and is scheduled first (rules B1).
    #[must_use]
    pub fn has_removals(&self) -> bool {
        !(self.people_gone.is_empty() && self.groups_gone.is_empty() && self.members_gone.is_empty())
    }
}

impl AccessState {
    /// What has to change to get from `self` to `new`.
    #[must_use]
    pub fn diff(&self, new: &Self) -> AccessDelta {
        let mut delta = AccessDelta {
            people_gone: self.people.keys().filter(|id| !new.people.contains_key(*id)).cloned().collect(),
            groups_gone: self.groups.keys().filter(|id| !new.groups.contains_key(*id)).cloned().collect(),
            people: new
                .people
                .iter()
                .filter(|(id, person)| self.people.get(*id) != Some(*person))
                .map(|(id, person)| (id.clone(), person.clone()))
                .collect(),
            confirmed_sweeps: (self.confirmed_sweeps != new.confirmed_sweeps).then(|| new.confirmed_sweeps.clone()),
            revoke_api_keys: (self.revoke_api_keys != new.revoke_api_keys).then_some(new.revoke_api_keys),
            ..AccessDelta::default()
        };
        let nobody = Group::default();
        for (id, group) in &new.groups {
            let known = self.groups.get(id);
            if known.is_none_or(|k| k.name != group.name) {
                delta.groups.insert(id.clone(), group.name.clone());
            }
            let before = &known.unwrap_or(&nobody).members;
            let gone: BTreeSet<_> = before.keys().filter(|p| !group.members.contains_key(*p)).cloned().collect();
            if !gone.is_empty() {
                delta.members_gone.insert(id.clone(), gone);
            }
            let added: BTreeMap<_, _> =
                group.members.iter().filter(|(p, i)| before.get(*p) != Some(*i)).map(|(p, i)| (p.clone(), *i)).collect();
            if !added.is_empty() {
                delta.members.insert(id.clone(), added);
            }
        }
        delta
    }

    /// The state after `delta`. Entries that are already as wanted stay as they are, so applying twice is harmless.
    #[must_use]
    pub fn apply(&self, delta: &AccessDelta) -> Self {
        let mut state = self.clone();
        state.people.retain(|id, _| !delta.people_gone.contains(id));
        state.groups.retain(|id, _| !delta.groups_gone.contains(id));
        for (id, gone) in &delta.members_gone {
            if let Some(group) = state.groups.get_mut(id) {
                group.members.retain(|person, _| !gone.contains(person));
            }
        }
        state.people.extend(delta.people.clone());
        for (id, name) in &delta.groups {
            state.groups.entry(id.clone()).or_default().name.clone_from(name);
        }
        for (id, members) in &delta.members {
            state.groups.entry(id.clone()).or_default().members.extend(members.clone());
        }
        if let Some(sweeps) = &delta.confirmed_sweeps {
            state.confirmed_sweeps.clone_from(sweeps);
        }
        if let Some(revoke) = delta.revoke_api_keys {
            state.revoke_api_keys = revoke;
        }
        state
    }

    /// The state without entries that do not hold at `now`: what an agent enforces while it cannot reach ODCM.
    #[must_use]
    pub fn at(&self, now: Millis) -> Self {
        let mut state = self.clone();
        state.people.retain(|_, person| person.interval.holds(now));
        for group in state.groups.values_mut() {
            group.members.retain(|id, interval| interval.holds(now) && state.people.contains_key(id));
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn person(name: &str) -> Person {
        Person {
            username: name.into(),
            email: format!("{name}@example.com"),
            display_name: name.into(),
            interval: Interval::default(),
            adoption: None,
        }
    }

    fn states() -> impl Strategy<Value = AccessState> {
        let interval = (prop::option::of(0..5i64), prop::option::of(0..5i64)).prop_map(|(from, until)| Interval { from, until });
        let members = prop::collection::btree_map("[a-e]", interval, 0..5);
        let groups = prop::collection::btree_map("[v-z]", ("[AB]", members), 0..4)
            .prop_map(|m| m.into_iter().map(|(k, (name, members))| (k, Group { name, members })).collect());
        let people = prop::collection::btree_map("[a-e]", "[ab]", 0..5)
            .prop_map(|m| m.into_iter().map(|(k, n)| (k, person(&n))).collect());
        (people, groups, prop::collection::btree_set("[t-u]", 0..2), any::<bool>()).prop_map(
            |(people, groups, confirmed_sweeps, revoke_api_keys)| AccessState {
                people,
                groups,
                confirmed_sweeps,
                revoke_api_keys,
            },
        )
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_one_state_to_the_other(a in states(), b in states()) {
            let delta = a.diff(&b);
            prop_assert_eq!(a.apply(&delta), b.clone());
            prop_assert_eq!(b.apply(&delta), b.clone(), "applying twice is harmless");
            prop_assert_eq!(delta.is_empty(), a == b);
        }

        #[test]
        fn what_ends_is_named_as_a_removal(a in states(), b in states()) {
            let delta = a.diff(&b);
            let lost = a.people.keys().any(|p| !b.people.contains_key(p))
                || a.groups.keys().any(|g| !b.groups.contains_key(g))
                || a.groups.iter().any(|(g, group)| b.groups.get(g).is_some_and(|n| group.members.keys().any(|p| !n.members.contains_key(p))));
            prop_assert_eq!(delta.has_removals(), lost);
        }
    }

    #[test]
    fn an_end_is_enforced_offline() {
        let mut state = AccessState::default();
        let mut bob = person("bob");
        bob.interval.until = Some(10);
        state.people.insert("bob".into(), bob);
        state.people.insert("ann".into(), person("ann"));
        let group = state.groups.entry("g".into()).or_default();
        group.members.insert("bob".into(), Interval::default());
        group.members.insert("ann".into(), Interval { from: None, until: Some(5) });
        let at = |t| state.at(t).groups.get("g").map(|g| g.members.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        assert_eq!(at(4), ["ann", "bob"]);
        assert_eq!(at(5), ["bob"]);
        assert_eq!(at(10), Vec::<String>::new(), "who may not enter is in no group");
        assert!(!state.at(10).people.contains_key("bob"));
    }
}
