//! What `state_digest` covers: the fields that version 1 began with, and no others, for ever.
//!
//! A later ODCM of this version may add optional fields to a state. An agent that does not know them drops them when it
//! reads (rules B4), so it could never compute a digest over them: they stay out of it, and the agent still proves that a
//! delta met its base. Nothing is lost in safety, the signature covers the whole document. Whoever adds a field to a state
//! leaves this file alone; the pinned digests in `golden.rs` fail otherwise.

use super::document::state_digest;
use super::{AccessState, AdoptionDecision, AuthenticationState, DocumentError, Group, Interval, Millis, Person};
use crate::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize)]
struct CoveredInterval {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Millis>,
}

impl From<&Interval> for CoveredInterval {
    fn from(i: &Interval) -> Self {
        Self { from: i.from, until: i.until }
    }
}

#[derive(Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
enum CoveredDecision<'a> {
    Adopt { account: &'a str, reset_password: bool, remove_foreign_identities: bool, revoke_api_keys: bool },
    CreateNew,
}

impl<'a> From<&'a AdoptionDecision> for CoveredDecision<'a> {
    fn from(decision: &'a AdoptionDecision) -> Self {
        match decision {
            AdoptionDecision::Adopt { account, reset_password, remove_foreign_identities, revoke_api_keys } => Self::Adopt {
                account,
                reset_password: *reset_password,
                remove_foreign_identities: *remove_foreign_identities,
                revoke_api_keys: *revoke_api_keys,
            },
            AdoptionDecision::CreateNew => Self::CreateNew,
        }
    }
}

#[derive(Serialize)]
struct CoveredPerson<'a> {
    username: &'a str,
    email: &'a str,
    display_name: &'a str,
    interval: CoveredInterval,
    #[serde(skip_serializing_if = "Option::is_none")]
    adoption: Option<CoveredDecision<'a>>,
}

impl<'a> From<&'a Person> for CoveredPerson<'a> {
    fn from(p: &'a Person) -> Self {
        Self {
            username: &p.username,
            email: &p.email,
            display_name: &p.display_name,
            interval: (&p.interval).into(),
            adoption: p.adoption.as_ref().map(Into::into),
        }
    }
}

#[derive(Serialize)]
struct CoveredGroup<'a> {
    name: &'a str,
    members: BTreeMap<&'a str, CoveredInterval>,
}

impl<'a> From<&'a Group> for CoveredGroup<'a> {
    fn from(g: &'a Group) -> Self {
        Self { name: &g.name, members: g.members.iter().map(|(id, i)| (id.as_str(), i.into())).collect() }
    }
}

#[derive(Serialize)]
struct CoveredAccess<'a> {
    people: BTreeMap<&'a str, CoveredPerson<'a>>,
    groups: BTreeMap<&'a str, CoveredGroup<'a>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    confirmed_sweeps: &'a BTreeSet<String>,
    revoke_api_keys: bool,
}

impl AccessState {
    /// Digest of the JSON of those fields that version 1 began with.
    ///
    /// # Errors
    /// When the state cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, DocumentError> {
        state_digest(&CoveredAccess {
            people: self.people.iter().map(|(id, p)| (id.as_str(), p.into())).collect(),
            groups: self.groups.iter().map(|(id, g)| (id.as_str(), g.into())).collect(),
            confirmed_sweeps: &self.confirmed_sweeps,
            revoke_api_keys: self.revoke_api_keys,
        })
    }
}

#[derive(Serialize)]
struct CoveredAuthentication<'a> {
    issuer: &'a str,
    client_id: &'a str,
    display_name: &'a str,
    secret_generation: u64,
}

impl AuthenticationState {
    /// Digest of the JSON of those fields that version 1 began with.
    ///
    /// # Errors
    /// When the state cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, DocumentError> {
        state_digest(&CoveredAuthentication {
            issuer: &self.issuer,
            client_id: &self.client_id,
            display_name: &self.display_name,
            secret_generation: self.secret_generation,
        })
    }
}
