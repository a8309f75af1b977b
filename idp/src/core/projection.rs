//! What a Space must know: access, names, and what administrators decided for it. The push room maps this to the wire's
//! `AccessState`, field by field; nothing of another Space is in it (rules A10).

use super::Timestamp;
use super::access::{GroupAccess, View};
use super::directory::{Facts, Span};
use super::ids::{GroupId, PersonId, SpaceId};
use std::collections::{BTreeMap, BTreeSet};

/// What an administrator decided about accounts that existed in the Space before (rules A6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// This account is the person's and is taken over.
    Adopt {
        /// Id of the account in the Space, such as `Users-21`.
        account: String,
        /// Replace a local password by a random one, where the server can.
        reset_password: bool,
        /// Remove sign-ins of other identity providers.
        remove_foreign_identities: bool,
        /// Delete the account's API keys.
        revoke_api_keys: bool,
    },
    /// None of the candidates is this person.
    CreateNew,
}

/// What administrators decided for one Space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// By person.
    pub adoptions: BTreeMap<PersonId, Adoption>,
    /// Teams in which accounts that no bound group names may now be removed (rules A3).
    pub confirmed_sweeps: BTreeSet<String>,
    /// Delete API keys of people who lose the Space (rules A9).
    pub revoke_api_keys: bool,
}

/// A person who may enter the Space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectedPerson {
    /// User name.
    pub username: String,
    /// Address.
    pub email: String,
    /// Name for people.
    pub display_name: String,
    /// When the entry holds.
    pub span: Span,
    /// Decision about an existing account.
    pub adoption: Option<Adoption>,
}

/// The desired state of section *access* of one Space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Everybody who may enter.
    pub people: BTreeMap<PersonId, ProjectedPerson>,
    /// Every group the Space may bind to a team.
    pub groups: BTreeMap<GroupId, GroupAccess>,
    /// See [`Decisions`].
    pub confirmed_sweeps: BTreeSet<String>,
    /// See [`Decisions`].
    pub revoke_api_keys: bool,
}

/// What `space` must know at `now`. Decisions about people who may not enter stay here.
#[must_use]
pub fn project(facts: &Facts, space: &SpaceId, now: Timestamp, decisions: &Decisions) -> Projection {
    project_view(&View::new(facts, now), space, decisions)
}

/// [`project`] on a view, for many Spaces.
#[must_use]
pub fn project_view(view: &View<'_>, space: &SpaceId, decisions: &Decisions) -> Projection {
    let access = view.space_access(space);
    let people = access.people.into_iter().filter_map(|(id, span)| {
        let person = view.facts.people.get(&id)?.clone();
        let (username, email, display_name) = (person.username, person.email, person.display_name);
        let adoption = decisions.adoptions.get(&id).cloned();
        Some((id, ProjectedPerson { username, email, display_name, span, adoption }))
    });
    Projection {
        people: people.collect(),
        groups: access.groups,
        confirmed_sweeps: decisions.confirmed_sweeps.clone(),
        revoke_api_keys: decisions.revoke_api_keys,
    }
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
