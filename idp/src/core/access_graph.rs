//! The graph of groups and grants as it holds at one instant, with small integers for ids, so that a question costs time
//! in proportion to what it visits. `access` and `explain` ask it; nobody else sees it.

use super::Timestamp;
use super::directory::{Facts, Span, Subject};
use super::ids::{GroupId, PersonId, SpaceId};
use std::collections::{BinaryHeap, HashMap};

/// A group's or a person's place in its list; the lists are in the order of the ids.
pub(super) type Node = u32;
/// Edges of each node: where to, and the time around now in which the edge holds.
pub(super) type Edges = Vec<Vec<(Node, Span)>>;

/// A person or a group as a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Point {
    Person(Node),
    Group(Node),
}

/// What holds at an instant.
pub(super) struct Graph<'f> {
    pub(super) people: Vec<&'f PersonId>,
    pub(super) groups: Vec<&'f GroupId>,
    person_at: HashMap<&'f PersonId, Node>,
    group_at: HashMap<&'f GroupId, Node>,
    /// Group to the groups directly in it.
    pub(super) subgroups: Edges,
    /// Group to the groups it is directly in.
    pub(super) parents: Edges,
    /// Group to the people directly in it.
    pub(super) members: Edges,
    /// Person to the groups it is directly in.
    pub(super) direct: Edges,
    /// Who was granted each Space.
    pub(super) grants: HashMap<&'f SpaceId, Vec<(Point, Span)>>,
}

impl<'f> Graph<'f> {
    pub(super) fn new(facts: &'f Facts, now: Timestamp) -> Self {
        let people: Vec<_> = facts.people.keys().collect();
        let groups: Vec<_> = facts.groups.keys().collect();
        let mut graph = Self {
            person_at: people.iter().copied().zip(0..).collect(),
            group_at: groups.iter().copied().zip(0..).collect(),
            subgroups: vec![Vec::new(); groups.len()],
            parents: vec![Vec::new(); groups.len()],
            members: vec![Vec::new(); groups.len()],
            direct: vec![Vec::new(); people.len()],
            grants: HashMap::new(),
            people,
            groups,
        };
        let asserted = facts.assertions.iter().filter_map(|a| Some(((graph.group(&a.group)?, graph.point(&a.member)?), a.span)));
        for ((group, member), span) in holding(asserted.collect(), now) {
            match member {
                Point::Person(person) => {
                    push(&mut graph.members, group, (person, span));
                    push(&mut graph.direct, person, (group, span));
                }
                Point::Group(inner) => {
                    push(&mut graph.subgroups, group, (inner, span));
                    push(&mut graph.parents, inner, (group, span));
                }
            }
        }
        let known = facts.grants.iter().filter(|grant| facts.spaces.contains_key(&grant.space));
        let granted = known.filter_map(|grant| Some(((&grant.space, graph.point(&grant.subject)?), grant.span)));
        for ((space, point), span) in holding(granted.collect(), now) {
            graph.grants.entry(space).or_default().push((point, span));
        }
        graph
    }

    pub(super) fn person(&self, id: &PersonId) -> Option<Node> {
        self.person_at.get(id).copied()
    }

    pub(super) fn group(&self, id: &GroupId) -> Option<Node> {
        self.group_at.get(id).copied()
    }

    pub(super) fn point(&self, subject: &Subject) -> Option<Point> {
        match subject {
            Subject::Person(id) => self.person(id).map(Point::Person),
            Subject::Group(id) => self.group(id).map(Point::Group),
        }
    }

    pub(super) fn subject(&self, point: Point) -> Option<Subject> {
        Some(match point {
            Point::Person(node) => Subject::Person((*self.people.get(node as usize)?).clone()),
            Point::Group(node) => Subject::Group((*self.groups.get(node as usize)?).clone()),
        })
    }

    /// Who was granted the Space.
    pub(super) fn granted(&self, space: &SpaceId) -> &[(Point, Span)] {
        self.grants.get(space).map_or(&[], Vec::as_slice)
    }

    /// The groups that `starts` lead to, the starts included, each with the time in which some way that holds now holds.
    pub(super) fn closure(&self, starts: &[(Node, Span)], edges: &Edges) -> HashMap<Node, Span> {
        let froms = widest(starts, edges, Width::from);
        let untils = widest(starts, edges, Width::until);
        let join = |(node, until): (Node, Width)| {
            (node, Span { from: froms.get(&node).and_then(|from| from.as_from()), until: until.as_until() })
        };
        untils.into_iter().map(join).collect()
    }

    /// The people in those groups and in the groups nested in them.
    pub(super) fn people_below(&self, starts: &[(Node, Span)]) -> HashMap<Node, Span> {
        let mut people = HashMap::new();
        for (group, span) in self.closure(starts, &self.subgroups) {
            for (person, edge) in out(&self.members, group) {
                widen(&mut people, *person, span.meet(*edge));
            }
        }
        people
    }
}

/// The edges of a node.
pub(super) fn out(edges: &Edges, node: Node) -> &[(Node, Span)] {
    edges.get(node as usize).map_or(&[], Vec::as_slice)
}

fn push(edges: &mut Edges, node: Node, edge: (Node, Span)) {
    if let Some(list) = edges.get_mut(node as usize) {
        list.push(edge);
    }
}

/// Notes one more span in which an answer holds; all of them contain now.
pub(super) fn widen<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Span>, key: K, span: Span) {
    map.entry(key).and_modify(|known| *known = known.hull(span)).or_insert(span);
}

/// Edges that hold now, each once, with the whole time around now that its spans cover together.
fn holding<K: Ord + Copy>(mut spans: Vec<(K, Span)>, now: Timestamp) -> Vec<(K, Span)> {
    spans.retain(|(_, span)| span.ever());
    spans.sort_unstable(); // by edge, then by beginning, unbounded ones first
    let mut merged: Vec<(K, Span)> = Vec::with_capacity(spans.len());
    for (key, span) in spans {
        match merged.last_mut() {
            Some((last, known)) if *last == key && known.until.is_none_or(|until| span.from.is_none_or(|from| from <= until)) => {
                *known = known.hull(span);
            }
            _ => merged.push((key, span)),
        }
    }
    merged.retain(|(_, span)| span.holds(now));
    merged
}

/// One end of a span as a width: the further from now, the greater; unbounded is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Width(bool, i64);

impl Width {
    fn until(span: &Span) -> Self {
        span.until.map_or(Self(true, 0), |until| Self(false, until.0))
    }
    fn from(span: &Span) -> Self {
        span.from.map_or(Self(true, 0), |from| Self(false, !from.0)) // `!` turns the order round without overflow
    }
    fn as_until(self) -> Option<Timestamp> {
        (!self.0).then_some(Timestamp(self.1))
    }
    fn as_from(self) -> Option<Timestamp> {
        (!self.0).then_some(Timestamp(!self.1))
    }
}

/// The widest way to each node, a way being as wide as its narrowest edge (Dijkstra's order, so each node is settled once
/// and cycles end).
fn widest(starts: &[(Node, Span)], edges: &Edges, width: fn(&Span) -> Width) -> HashMap<Node, Width> {
    let mut best = HashMap::new();
    let mut heap: BinaryHeap<_> = starts.iter().map(|(node, span)| (width(span), *node)).collect();
    while let Some((wide, node)) = heap.pop() {
        if best.contains_key(&node) {
            continue;
        }
        best.insert(node, wide);
        let open = out(edges, node).iter().filter(|(to, _)| !best.contains_key(to));
        heap.extend(open.map(|(to, span)| (wide.min(width(span)), *to)));
    }
    best
}
