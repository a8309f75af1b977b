//! What a change does to people: exactly who gains and who loses what, before anything is written.

use super::Timestamp;
use super::access::{SpaceAccess, View};
use super::directory::{Facts, Span};
use super::ids::{GroupId, PersonId, SpaceId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one person in one Space. Ordered by Space, group (entry first), person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Effect {
    /// Where.
    pub space: SpaceId,
    /// Membership in this group as the Space knows it; `None`: entry to the Space.
    pub group: Option<GroupId>,
    /// Who.
    pub person: PersonId,
    /// What.
    pub turn: Turn,
}

/// Gain, loss or another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "turn")]
pub enum Turn {
    /// Has it from now on, in this span.
    Gains {
        /// When it holds.
        span: Span,
    },
    /// Has it no longer.
    Loses,
    /// Keeps it now, but it begins or ends at another time.
    Retimed {
        /// When it holds after the change.
        span: Span,
    },
}

/// What changes for whom at `now` when `before` becomes `after`: each entry to a Space and each membership in a group that
/// a Space knows, sorted, each once.
#[must_use]
pub fn difference(before: &Facts, after: &Facts, now: Timestamp) -> Vec<Effect> {
    let (old, new) = (View::new(before, now), View::new(after, now));
    let spaces: BTreeSet<_> = before.spaces.keys().chain(after.spaces.keys()).collect();
    spaces.into_iter().flat_map(|space| between(space, &old.space_access(space), &new.space_access(space))).collect()
}

/// What changes for whom in one Space.
#[must_use]
pub fn between(space: &SpaceId, old: &SpaceAccess, new: &SpaceAccess) -> Vec<Effect> {
    let nobody = BTreeMap::new();
    let mut effects = Vec::new();
    compare(space, None, &old.people, &new.people, &mut effects);
    let groups: BTreeSet<_> = old.groups.keys().chain(new.groups.keys()).collect();
    for group in groups {
        let members = |of: &'_ SpaceAccess| of.groups.get(group).map(|g| g.members.clone());
        let (old, new) = (members(old), members(new));
        compare(space, Some(group), old.as_ref().unwrap_or(&nobody), new.as_ref().unwrap_or(&nobody), &mut effects);
    }
    effects
}

fn compare(
    space: &SpaceId,
    group: Option<&GroupId>,
    old: &BTreeMap<PersonId, Span>,
    new: &BTreeMap<PersonId, Span>,
    effects: &mut Vec<Effect>,
) {
    let people: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for person in people {
        let turn = match (old.get(person), new.get(person)) {
            (None, Some(span)) => Turn::Gains { span: *span },
            (Some(_), None) => Turn::Loses,
            (Some(was), Some(span)) if was != span => Turn::Retimed { span: *span },
            _ => continue,
        };
        effects.push(Effect { space: space.clone(), group: group.cloned(), person: person.clone(), turn });
    }
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
