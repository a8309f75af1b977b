//! The truth of the tests: access by plain fixpoint over all edges, written without a look at `access`, and small random
//! facts to try it on.
//! What tests of `core` must notice is listed in `tests/mutations/access.toml`.

use super::Timestamp;
use super::directory::{Assertion, Facts, Grant, PersonFacts, Span, Subject};
use super::ids::{GrantId, GroupId, PersonId, SpaceId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Every bound of a span lies in `1..=BOUND`; before 0 and after `BOUND + 1` nothing changes.
pub const BOUND: i64 = 8;

pub fn person(n: u128) -> PersonId {
    PersonId::from_uuid(uuid::Uuid::from_u128(0x1000 + n))
}
pub fn group(n: u128) -> GroupId {
    GroupId::from_uuid(uuid::Uuid::from_u128(0x2000 + n))
}
pub fn space(n: u128) -> SpaceId {
    SpaceId::from_uuid(uuid::Uuid::from_u128(0x3000 + n))
}
pub fn grant_id(n: u128) -> GrantId {
    GrantId::from_uuid(uuid::Uuid::from_u128(0x4000 + n))
}
pub fn span(from: impl Into<Option<i64>>, until: impl Into<Option<i64>>) -> Span {
    Span { from: from.into().map(Timestamp), until: until.into().map(Timestamp) }
}

/// What is true at every instant of a range: an edge counts if, at each of them, some span of it holds.
pub struct Naive<'f> {
    facts: &'f Facts,
    times: RangeInclusive<i64>,
    pub inside: BTreeSet<(PersonId, GroupId)>,
}

impl<'f> Naive<'f> {
    pub fn at(facts: &'f Facts, now: Timestamp) -> Self {
        Self::throughout(facts, now.0..=now.0)
    }

    pub fn throughout(facts: &'f Facts, times: RangeInclusive<i64>) -> Self {
        let mut model = Self { facts, times, inside: BTreeSet::new() };
        loop {
            let before = model.inside.len();
            for a in &facts.assertions {
                if !facts.groups.contains_key(&a.group) || !model.edge(&a.member, &a.group) {
                    continue;
                }
                match &a.member {
                    Subject::Person(p) if facts.people.contains_key(p) => {
                        model.inside.insert((p.clone(), a.group.clone()));
                    }
                    Subject::Group(g) if facts.groups.contains_key(g) => {
                        let lifted: Vec<_> = model.inside.iter().filter(|(_, of)| of == g).map(|(p, _)| p.clone()).collect();
                        model.inside.extend(lifted.into_iter().map(|p| (p, a.group.clone())));
                    }
                    _ => {}
                }
            }
            if model.inside.len() == before {
                return model;
            }
        }
    }

    fn all(&self, spans: &[Span]) -> bool {
        self.times.clone().all(|t| {
            let at = |s: &Span| s.from.is_none_or(|f| t >= f.0) && s.until.is_none_or(|u| t < u.0);
            spans.iter().any(at)
        })
    }

    pub fn edge(&self, member: &Subject, group: &GroupId) -> bool {
        let of = self.facts.assertions.iter().filter(|a| a.member == *member && a.group == *group);
        self.all(&of.map(|a| a.span).collect::<Vec<_>>())
    }

    pub fn granted(&self, subject: &Subject, space: &SpaceId) -> bool {
        let of = self.facts.grants.iter().filter(|g| g.subject == *subject && g.space == *space);
        self.facts.spaces.contains_key(space) && self.all(&of.map(|g| g.span).collect::<Vec<_>>())
    }

    pub fn enters(&self, person: &PersonId, space: &SpaceId) -> bool {
        let groups = self.facts.groups.keys();
        self.facts.people.get(person).is_some_and(|p| p.active)
            && (self.granted(&Subject::Person(person.clone()), space)
                || groups.filter(|g| self.granted(&Subject::Group((*g).clone()), space)).any(|g| self.is_in(person, g)))
    }

    pub fn is_in(&self, person: &PersonId, group: &GroupId) -> bool {
        self.inside.contains(&(person.clone(), group.clone()))
    }

    pub fn knows(&self, space: &SpaceId, group: &GroupId) -> bool {
        self.facts.spaces.contains_key(space)
            && self.facts.groups.contains_key(group)
            && (self.facts.published.contains(&(space.clone(), group.clone()))
                || self.granted(&Subject::Group(group.clone()), space))
    }

    pub fn member(&self, space: &SpaceId, group: &GroupId, person: &PersonId) -> bool {
        self.knows(space, group) && self.enters(person, space) && self.is_in(person, group)
    }
}

fn spans() -> impl Strategy<Value = Span> {
    let bound = || prop::option::weighted(0.4, 1..=BOUND);
    (bound(), bound()).prop_map(|(from, until)| span(from, until))
}

fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![(0..3u128).prop_map(|n| Subject::Person(person(n))), (0..5u128).prop_map(|n| Subject::Group(group(n)))]
}

/// Three people, five groups (cycles and all), two Spaces; now and then somebody or something unknown.
pub fn facts() -> impl Strategy<Value = Facts> {
    let assertion = (0..5u128, subjects(), prop::sample::select(vec!["manual", "directory:d", "rule:r"]), spans());
    let grant = (0..2u128, subjects(), spans());
    (
        prop::collection::vec(assertion, 0..12),
        prop::collection::vec(grant, 0..4),
        prop::collection::btree_set((0..2u128, 0..5u128), 0..3),
        prop::collection::vec(prop::bool::weighted(0.8), 3),
        prop::option::weighted(0.1, 0..3u8),
    )
        .prop_map(|(assertions, grants, published, active, unknown)| {
            let mut facts = Facts {
                people: (0..3).map(|n| (person(n), named(n, active[usize::try_from(n).unwrap()]))).collect(),
                groups: (0..5).map(|n| (group(n), format!("group {n}"))).collect(),
                spaces: (0..2).map(|n| (space(n), format!("space {n}"))).collect(),
                assertions: Vec::new(),
                grants: Vec::new(),
                published: published.into_iter().map(|(s, g)| (space(s), group(g))).collect(),
            };
            for (g, member, source, span) in assertions {
                facts.assertions.push(Assertion { group: group(g), member, source: source.into(), span });
            }
            for (n, (s, subject, span)) in grants.into_iter().enumerate() {
                facts.grants.push(Grant { id: grant_id(n as u128), space: space(s), subject, span });
            }
            match unknown {
                Some(0) => drop(facts.people.remove(&person(0))),
                Some(1) => drop(facts.groups.remove(&group(0))),
                Some(_) => drop(facts.spaces.remove(&space(0))),
                None => {}
            }
            facts
        })
}

pub fn instants() -> impl Strategy<Value = Timestamp> {
    (0..=BOUND + 1).prop_map(Timestamp)
}

fn named(n: u128, active: bool) -> PersonFacts {
    let username = format!("user{n}");
    PersonFacts { email: format!("{username}@example.com"), display_name: format!("User {n}"), username, active }
}

/// A small company for the tables: Bob (0) is in Backend (0), Backend is in Developers (1), Developers may enter Mars (0);
/// Ann (1) may enter Venus (1); Eve (2) is disabled and in Developers. Ops (2) is published to Mars.
pub fn company() -> Facts {
    let names = ["Bob", "Ann", "Eve"];
    let people = names.iter().zip(0..).map(|(name, n)| {
        let mut facts = named(n, *name != "Eve");
        facts.display_name = (*name).into();
        (person(n), facts)
    });
    let mut facts = Facts {
        people: people.collect(),
        groups: ["Backend", "Developers", "Ops"].iter().zip(0..).map(|(name, n)| (group(n), (*name).into())).collect(),
        spaces: ["Mars", "Venus"].iter().zip(0..).map(|(name, n)| (space(n), (*name).into())).collect(),
        assertions: Vec::new(),
        grants: Vec::new(),
        published: [(space(0), group(2))].into(),
    };
    join(&mut facts, 0, Subject::Person(person(0)), Span::ALWAYS);
    join(&mut facts, 1, Subject::Group(group(0)), Span::ALWAYS);
    join(&mut facts, 1, Subject::Person(person(2)), Span::ALWAYS);
    admit(&mut facts, 0, Subject::Group(group(1)), Span::ALWAYS);
    admit(&mut facts, 1, Subject::Person(person(1)), Span::ALWAYS);
    facts
}

pub fn join(facts: &mut Facts, into: u128, member: Subject, span: Span) {
    facts.assertions.push(Assertion { group: group(into), member, source: "manual".into(), span });
}

pub fn admit(facts: &mut Facts, to: u128, subject: Subject, span: Span) {
    let id = grant_id(100 + facts.grants.len() as u128);
    facts.grants.push(Grant { id, space: space(to), subject, span });
}
