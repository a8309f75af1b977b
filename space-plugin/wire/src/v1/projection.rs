//! What an agent can read in a Space of what ODCM governs there; its digest finds drift (rules B2, B6).

use super::DocumentError;
use super::document::state_digest;
use crate::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An account as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPerson {
    /// User name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// Display name.
    pub display_name: String,
    /// Whether the account is active.
    pub active: bool,
}

/// The part of section *access* that can be read in the Space: linked accounts, and their memberships in the teams that
/// the agent fills. Strangers' accounts and other teams are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// Accounts by person id.
    pub people: BTreeMap<String, SeenPerson>,
    /// Person ids by team id.
    pub teams: BTreeMap<String, BTreeSet<String>>,
}

impl Projection {
    /// Digest of the projection's JSON: the `seen_digest`.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, DocumentError> {
        state_digest(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let ann = SeenPerson { username: "a".into(), email: "e".into(), display_name: "d".into(), active: true };
        let of = |person: SeenPerson, member: &str| {
            let people = BTreeMap::from([("p".to_owned(), person)]);
            let teams = BTreeMap::from([("t".to_owned(), BTreeSet::from([member.to_owned()]))]);
            Projection { people, teams }.digest().unwrap()
        };
        let base = of(ann.clone(), "p");
        assert_eq!(base, of(ann.clone(), "p"));
        assert_ne!(base, of(SeenPerson { active: false, ..ann.clone() }, "p"));
        assert_ne!(base, of(SeenPerson { email: "x".into(), ..ann.clone() }, "p"));
        assert_ne!(base, of(SeenPerson { username: "x".into(), ..ann.clone() }, "p"));
        assert_ne!(base, of(SeenPerson { display_name: "x".into(), ..ann.clone() }, "p"));
        assert_ne!(base, of(ann, "q"));
    }
}
