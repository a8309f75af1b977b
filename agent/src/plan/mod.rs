//! What has to be done: pure functions from desired state, a look at the Space, and records, to ordered steps.
//!
//! May use the wire types and the adapter's types; no clock, no network, no file. [`settle`] first brings the records up
//! to what was seen (whose doing is what), [`plan`] then lists the steps: removals, then accounts, then memberships
//! (rules A3, A4, A6, A9, B1). What holds afterwards is rules A3: users(S) are active, members of a bound team are what
//! its groups say, everything else is untouched.
//!
//! ```
//! use odcm_agent::plan::{Scene, View, plan, settle};
//! use odcm_agent::{policy::Policy, state::Records};
//! use odcm_wire::latest::AccessState;
//! let (desired, view, policy) = (AccessState::default(), View::default(), Policy::default());
//! let scene = Scene { desired: &desired, view: &view, policy: &policy, shut: false };
//! let mut records = Records::default();
//! settle(&scene, &mut records);
//! assert!(plan(&scene, &records).is_empty());
//! ```

mod bind;
mod inherit;
mod people;
mod settle;
mod teams;
#[cfg(test)]
mod tests;

pub(crate) use bind::FIXED;
pub use bind::{Bound, Index};
pub use settle::{Noticed, settle};
pub(crate) use settle::{link_account, new_link};
pub(crate) use teams::held_out_of_sight;

use crate::policy::Policy;
use crate::state::Records;
use odcm_space_plugin::{Account, AccountChange, NewAccount, Team};
use odcm_wire::latest::{AccessState, AdoptionCandidate, InnerSpace, ItemResult, ItemState, SweepCandidate, TeamBinding};
use std::collections::{BTreeMap, BTreeSet};

/// A look at the Space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// All accounts by id.
    pub accounts: BTreeMap<String, Account>,
    /// All teams by id.
    pub teams: BTreeMap<String, Team>,
    /// Inner spaces whose teams the agent's key may not see.
    pub closed: Vec<InnerSpace>,
    /// Teams of the records that cannot be seen and, as far as anybody knows, are there: neither gone nor to be touched.
    pub hidden: BTreeSet<String>,
    /// All accounts were read after the last request that makes one: who is not among them does not exist.
    pub complete: bool,
    /// Accounts that turned out to have administrator rights through an external group.
    pub administrators: BTreeSet<String>,
}

impl View {
    /// Whether there may be teams that nobody sees: who is in one may be an administrator, and no list of the server says so.
    #[must_use]
    pub fn partial(&self) -> bool {
        !self.closed.is_empty() || !self.hidden.is_empty()
    }
}

/// What a plan is made from, besides the records.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Desired state, reduced to what holds now.
    pub desired: &'a AccessState,
    /// What was seen.
    pub view: &'a View,
    /// The local policy.
    pub policy: &'a Policy,
    /// The lease ran out and its policy is `shut`: managed accounts are inactive until ODCM is back (rules B4).
    pub shut: bool,
}

impl Scene<'_> {
    /// Whether the person may enter.
    #[must_use]
    pub fn wants(&self, person: &str) -> bool {
        !self.shut && self.desired.people.contains_key(person)
    }
}

/// One thing to do. People and accounts by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes an account inactive and ends what it left (rules A9).
    Deactivate {
        /// Person.
        person: String,
        /// Account.
        account: String,
        /// Whether it is active.
        active: bool,
        /// Whether to end sessions and, if `delete_keys`, API keys.
        cleanup: bool,
        /// Whether to delete API keys.
        delete_keys: bool,
    },
    /// Takes accounts out of a team.
    Remove {
        /// Team.
        team: String,
        /// Accounts.
        accounts: BTreeSet<String>,
    },
    /// Creates an account.
    Create {
        /// Person.
        person: String,
        /// The account.
        new: NewAccount,
        /// The user name is not the wanted one.
        keep_username: bool,
    },
    /// Takes an existing account over, as an administrator decided (rules A6).
    Adopt {
        /// Person.
        person: String,
        /// Account.
        account: String,
        /// What to change; the password is filled in when it is done.
        change: AccountChange,
        /// Replace the password by one that nobody knows.
        reset_password: bool,
        /// Delete the API keys.
        delete_keys: bool,
        /// Teams whose rights the account must not have, also through external groups: those of administrators, unless the
        /// local policy allows.
        forbidden: BTreeSet<String>,
    },
    /// Brings an account up to date, or activates it again.
    Update {
        /// Person.
        person: String,
        /// Account.
        account: String,
        /// What to change.
        change: AccountChange,
        /// Ends sessions first, which an earlier loss did not manage to.
        cleanup: bool,
        /// Deletes API keys first, likewise.
        delete_keys: bool,
    },
    /// Puts people into a team; who has no account by then stays out.
    Add {
        /// Team.
        team: String,
        /// People.
        people: BTreeSet<String>,
    },
}

/// What has to be done, in this order, and what is to be told.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// First: who loses something.
    pub removals: Vec<Step>,
    /// Then: accounts.
    pub accounts: Vec<Step>,
    /// Then: who gains a membership.
    pub members: Vec<Step>,
    /// Items that no step can bring about, with the reason.
    pub items: BTreeMap<String, ItemResult>,
    /// All team bindings.
    pub bindings: Vec<TeamBinding>,
    /// Accounts that wait for a decision.
    pub candidates: Vec<AdoptionCandidate>,
    /// Teams that wait for the one-time confirmation.
    pub sweeps: Vec<SweepCandidate>,
}

impl Plan {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.accounts.is_empty() && self.members.is_empty()
    }

    pub(crate) fn note(&mut self, item: String, state: ItemState, message: impl Into<String>) {
        let result = ItemResult { item: item.clone(), state, message: Some(message.into()), residual: Vec::new() };
        self.items.insert(item, result);
    }
}

/// Name of a person's item.
#[must_use]
pub fn person_item(person: &str) -> String {
    format!("person/{person}")
}

/// Name of a membership's item.
#[must_use]
pub fn member_item(group: &str, person: &str) -> String {
    format!("member/{group}/{person}")
}

/// Name of a team's item.
#[must_use]
pub fn team_item(team: &str) -> String {
    format!("team/{team}")
}

/// Lists the steps for `scene`, whose records were settled.
#[must_use]
pub fn plan(scene: &Scene<'_>, records: &Records) -> Plan {
    let index = Index::new(scene, records);
    let mut plan = Plan::default();
    people::losing(scene, records, &mut plan);
    if !scene.shut {
        teams::removing(scene, records, &index, &mut plan);
        people::waiting(records, &mut plan);
        people::entering(scene, records, &index, &mut plan);
        teams::adding(records, &index, &mut plan);
    }
    teams::left_alone(scene, records, &index, &mut plan);
    teams::hidden(scene, records, &index, &mut plan);
    teams::inherited(scene, records, &mut plan);
    teams::telling(records, &index, &mut plan);
    plan
}
