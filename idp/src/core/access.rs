//! Who may enter what, and who is in which group: the formulas of rules A3 at one instant.
//!
//! Each answer comes with the [`Span`] around now in which it holds without further change, by ways that hold now: inside
//! it nothing needs to be asked again; at its end another way may take over, or the answer is no. A way that only begins
//! later is never counted in advance.

use super::access_graph::{Graph, Point, out, widen};
use super::directory::{Facts, Span, Subject};
use super::ids::{GroupId, PersonId, SpaceId};
use super::{Refusal, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a Space is told about access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceAccess {
    /// users(S): active people with an effective grant.
    pub people: BTreeMap<PersonId, Span>,
    /// groups(S): groups granted to or published to the Space. Groups nested in them do not travel.
    pub groups: BTreeMap<GroupId, GroupAccess>,
}

/// A group that a Space knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupAccess {
    /// Its name.
    pub name: String,
    /// members(S,g) = effective(g) ∩ users(S), while the Space knows the group.
    pub members: BTreeMap<PersonId, Span>,
}

/// What a client other than that of a Space asks of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientDoor {
    /// Being active.
    Open,
    /// Being active and in one of these groups.
    Groups(BTreeSet<GroupId>),
    /// It admits nobody: it is disabled.
    Shut,
}

impl ClientDoor {
    /// The door of a client that is enabled or not and restricted to these groups, if to any.
    #[must_use]
    pub fn of(enabled: bool, groups: BTreeSet<GroupId>) -> Self {
        match (enabled, groups.is_empty()) {
            (false, _) => Self::Shut,
            (true, true) => Self::Open,
            (true, false) => Self::Groups(groups),
        }
    }
}

/// The facts as they hold at one instant, indexed: build one, ask many questions.
pub struct View<'f> {
    pub(super) facts: &'f Facts,
    pub(super) now: Timestamp,
    pub(super) graph: Graph<'f>,
}

impl<'f> View<'f> {
    /// Indexes `facts` as they hold at `now`, in time proportional to them (but for one sort).
    #[must_use]
    pub fn new(facts: &'f Facts, now: Timestamp) -> Self {
        Self { facts, now, graph: Graph::new(facts, now) }
    }

    fn active(&self, person: &PersonId) -> bool {
        self.facts.people.get(person).is_some_and(|facts| facts.active)
    }

    /// The groups that a person is in, directly or through nested groups, whether or not the person is active.
    #[must_use]
    pub fn groups_of(&self, person: &PersonId) -> BTreeMap<GroupId, Span> {
        let groups = self.group_nodes(person).into_iter();
        groups.filter_map(|(node, span)| Some(((*self.graph.groups.get(node as usize)?).clone(), span))).collect()
    }

    fn group_nodes(&self, person: &PersonId) -> HashMap<u32, Span> {
        let direct = self.graph.person(person).map_or(&[][..], |node| out(&self.graph.direct, node));
        self.graph.closure(direct, &self.graph.parents)
    }

    /// effective(g): the people in a group, directly or through nested groups, active or not.
    #[must_use]
    pub fn effective(&self, group: &GroupId) -> BTreeMap<PersonId, Span> {
        let people = self.graph.group(group).map(|node| self.graph.people_below(&[(node, Span::ALWAYS)])).unwrap_or_default();
        self.named(people)
    }

    fn named(&self, people: HashMap<u32, Span>) -> BTreeMap<PersonId, Span> {
        people.into_iter().filter_map(|(node, span)| Some(((*self.graph.people.get(node as usize)?).clone(), span))).collect()
    }

    /// Whether a person may enter a Space now, and the time around now in which that stays so. Costs only what stands
    /// above the person.
    #[must_use]
    pub fn may_enter(&self, person: &PersonId, space: &SpaceId) -> Option<Span> {
        self.entry(person, &self.group_nodes(person), space)
    }

    /// The Spaces that a person may enter now.
    #[must_use]
    pub fn spaces_of(&self, person: &PersonId) -> BTreeMap<SpaceId, Span> {
        let groups = self.group_nodes(person);
        let spaces = self.graph.grants.keys();
        spaces.filter_map(|space| Some(((*space).clone(), self.entry(person, &groups, space)?))).collect()
    }

    fn entry(&self, person: &PersonId, groups: &HashMap<u32, Span>, space: &SpaceId) -> Option<Span> {
        if !self.active(person) {
            return None;
        }
        let node = self.graph.person(person)?;
        let ways = self.graph.granted(space).iter().filter_map(|(point, grant)| match point {
            Point::Person(granted) => (*granted == node).then_some(*grant),
            Point::Group(group) => groups.get(group).map(|span| span.meet(*grant)),
        });
        ways.reduce(Span::hull)
    }

    fn users(&self, space: &SpaceId) -> HashMap<u32, Span> {
        let granted = self.graph.granted(space);
        let groups: Vec<_> = granted
            .iter()
            .filter_map(|(point, span)| if let Point::Group(node) = point { Some((*node, *span)) } else { None })
            .collect();
        let mut users = self.graph.people_below(&groups);
        for (point, span) in granted {
            if let Point::Person(node) = point {
                widen(&mut users, *node, *span);
            }
        }
        users.retain(|node, _| self.graph.people.get(*node as usize).is_some_and(|person| self.active(person)));
        users
    }

    /// The people whom a client other than that of a Space admits now (rules C1).
    #[must_use]
    pub fn admitted(&self, door: &ClientDoor) -> BTreeSet<PersonId> {
        let active = |person: &&PersonId| self.active(person);
        match door {
            ClientDoor::Shut => BTreeSet::new(),
            ClientDoor::Open => self.facts.people.keys().filter(active).cloned().collect(),
            ClientDoor::Groups(groups) => {
                let inside = groups.iter().flat_map(|group| self.effective(group).into_keys());
                inside.filter(|person| self.active(person)).collect()
            }
        }
    }

    /// What the Space must know about access, by the formulas of rules A3. An unknown Space knows nothing.
    #[must_use]
    pub fn space_access(&self, space: &SpaceId) -> SpaceAccess {
        if !self.facts.spaces.contains_key(space) {
            return SpaceAccess::default();
        }
        let users = self.users(space);
        let mut known: HashMap<u32, Span> = HashMap::new();
        for (point, span) in self.graph.granted(space) {
            if let Point::Group(node) = point {
                widen(&mut known, *node, *span);
            }
        }
        for (_, group) in self.published(space) {
            if let Some(node) = self.graph.group(group) {
                known.insert(node, Span::ALWAYS);
            }
        }
        let groups = known.into_iter().filter_map(|(node, listed)| {
            let id = *self.graph.groups.get(node as usize)?;
            let below = self.graph.people_below(&[(node, listed)]).into_iter();
            let members = below.filter_map(|(person, span)| Some((person, span.meet(*users.get(&person)?)))).collect();
            let name = self.facts.groups.get(id).cloned().unwrap_or_default();
            Some((id.clone(), GroupAccess { name, members: self.named(members) }))
        });
        SpaceAccess { groups: groups.collect(), people: self.named(users) }
    }

    fn published(&self, space: &SpaceId) -> impl Iterator<Item = &'f (SpaceId, GroupId)> {
        let space = space.clone();
        let first = self.facts.groups.keys().next().map(|group| (space.clone(), group.clone()));
        let range = first.map(|first| self.facts.published.range(first..));
        range.into_iter().flatten().take_while(move |(of, _)| *of == space)
    }
}

/// Whether a person may enter a Space: `None` is no; a span is yes, and how long that stays so. Inactive and unknown people
/// never enter. For many questions build a [`View`].
#[must_use]
pub fn may_enter(facts: &Facts, person: &PersonId, space: &SpaceId, now: Timestamp) -> Option<Span> {
    View::new(facts, now).may_enter(person, space)
}

/// What a Space must know about access. For many Spaces build a [`View`].
#[must_use]
pub fn space_access(facts: &Facts, space: &SpaceId, now: Timestamp) -> SpaceAccess {
    View::new(facts, now).space_access(space)
}

/// Whether putting `member` into `group` would make a group contain itself, whatever the times of the assertions: an end
/// can be moved later without anybody looking at cycles.
#[must_use]
pub fn would_cycle(facts: &Facts, group: &GroupId, member: &GroupId) -> bool {
    let mut inside: HashMap<&GroupId, Vec<&GroupId>> = HashMap::new();
    for assertion in &facts.assertions {
        if let Subject::Group(inner) = &assertion.member {
            inside.entry(&assertion.group).or_default().push(inner);
        }
    }
    let (mut seen, mut open) = (BTreeSet::from([member]), vec![member]);
    while let Some(next) = open.pop() {
        if next == group {
            return true;
        }
        open.extend(inside.get(next).into_iter().flatten().filter(|inner| seen.insert(**inner)));
    }
    false
}

/// The refusal for [`would_cycle`].
///
/// # Errors
/// `group.cycle`.
pub fn refuse_cycle(facts: &Facts, group: &GroupId, member: &GroupId) -> Result<(), Refusal> {
    if would_cycle(facts, group, member) {
        let message = "A group cannot be a member of itself, directly or through other groups.";
        return Err(Refusal::conflict("group.cycle", message).field("member"));
    }
    Ok(())
}

/// The next instant after `now` at which an answer may change by time alone; `None`: never.
#[must_use]
pub fn next_change(facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    let spans = facts.assertions.iter().map(|a| a.span).chain(facts.grants.iter().map(|g| g.span));
    spans.filter(Span::ever).flat_map(|span| [span.from, span.until]).flatten().filter(|at| *at > now).min()
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
