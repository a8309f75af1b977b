//! The facts that decide who may enter what: people, groups, assertions of membership, grants. `storage::directory` loads
//! them (all, or the part that matters to one person or one Space) and `core::access` decides on them.

use super::Timestamp;
use super::ids::{GrantId, GroupId, PersonId, SpaceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A person or a group: what can be in a group, and what can be granted a Space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Subject {
    /// A person.
    Person(PersonId),
    /// A group, local or external.
    Group(GroupId),
}

/// The time in which an assertion or grant holds: from `from` (included) to `until` (excluded).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First instant, if bounded.
    pub from: Option<Timestamp>,
    /// First instant after, if bounded.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
    /// Without bounds.
    pub const ALWAYS: Self = Self { from: None, until: None };
    /// Whether it ever holds: `from` before `until`.
    #[must_use]
    pub fn ever(&self) -> bool {
        self.from.zip(self.until).is_none_or(|(from, until)| from < until)
    }
    /// The time in which both hold.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { from: self.from.max(other.from), until }
    }
    /// The time in which one of two spans that share an instant holds.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.zip(other.until).map(|(a, b)| a.max(b)) }
    }
}

/// One assertion that `member` is in `group`. The edge lives while one assertion of any source does (rules C6).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Assertion {
    /// The group.
    pub group: GroupId,
    /// Who is in it.
    pub member: Subject,
    /// Who says so: `manual`, `directory:<id>`, `rule:<id>`.
    pub source: String,
    /// When it holds.
    pub span: Span,
}

/// Entry to a Space for a person or for everybody in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The Space.
    pub space: SpaceId,
    /// Who may enter.
    pub subject: Subject,
    /// When it holds.
    pub span: Span,
}

/// A person, as far as access goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonFacts {
    /// User name sent to Spaces.
    pub username: String,
    /// Address sent to Spaces.
    pub email: String,
    /// Name for people.
    pub display_name: String,
    /// No reason to be disabled (rules C6).
    pub active: bool,
}

/// The facts, or the part of them that matters to a question. What is not named in `people`, `groups` or `spaces` does not
/// exist: assertions and grants that point there count for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// People.
    pub people: BTreeMap<PersonId, PersonFacts>,
    /// Groups and their names.
    pub groups: BTreeMap<GroupId, String>,
    /// Spaces and their names.
    pub spaces: BTreeMap<SpaceId, String>,
    /// Assertions of membership.
    pub assertions: Vec<Assertion>,
    /// Grants.
    pub grants: Vec<Grant>,
    /// Groups published to a Space without granting entry (rules A3).
    pub published: BTreeSet<(SpaceId, GroupId)>,
}
