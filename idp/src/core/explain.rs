//! "Why can this person enter Mars?" and "why not?": the ways that hold, or the nearest ways that lack exactly one edge.
//! Sentences for people are in [`Explanation::sentences`].

use super::access::View;
use super::access_graph::{Node, Point, out};
use super::directory::{Facts, Span, Subject};
use super::ids::{GroupId, PersonId, SpaceId};
use super::{Refusal, Timestamp};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};

/// At most so many ways are named.
pub const MAX_WAYS: usize = 16;
// Partial ways looked at before the search gives up naming more than the first: bounds the time on hostile data. (The first
// takes as many looks as it is long.)
const MAX_LOOKS: usize = 10_000;

/// One edge of a way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case", tag = "edge")]
pub enum Edge {
    /// `member` is in `group`.
    Membership {
        /// Who.
        member: Subject,
        /// In what.
        group: GroupId,
    },
    /// `subject` was granted the Space.
    Grant {
        /// Who.
        subject: Subject,
    },
}

/// Why an edge is, was or will be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Proof {
    /// Source of the assertion (`manual`, `directory:<id>`, `rule:<id>`), or the id of the grant.
    pub source: String,
    /// When it holds.
    pub span: Span,
}

/// An edge with its proofs: those that hold now or, on an edge that does not hold, all there are (none: it is missing).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub edge: Edge,
    /// Why.
    pub proofs: Vec<Proof>,
    /// Whether it holds now.
    pub holds: bool,
}

/// What one edge of a way lacks, in order of preference between ways of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "lack")]
pub enum Lack {
    /// The way holds, but the person is disabled.
    Active,
    /// The edge begins later.
    NotBegun {
        /// When.
        at: Timestamp,
    },
    /// The edge has ended.
    Ended {
        /// When.
        at: Timestamp,
    },
    /// There is no such membership.
    Membership,
    /// There is no such grant.
    Grant,
}

/// A way from the person to the Space, person's end first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// Memberships, then the grant.
    pub steps: Vec<Step>,
    /// What is missing; `None`: nothing.
    pub lack: Option<Lack>,
}

/// A team of the Space in which the person stands because of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BoundTeam {
    /// The group bound to the team.
    pub group: GroupId,
    /// Name of the team.
    pub team: String,
}

/// Why, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who.
    pub person: PersonId,
    /// Where.
    pub space: SpaceId,
    /// Yes, and the time around now in which it stays so; `None`: no.
    pub span: Option<Span>,
    /// The person is disabled, which alone is a no.
    pub disabled: bool,
    /// Yes: ways that hold, shortest first. No: ways that lack exactly one edge, nearest first; a grant to the person,
    /// without any membership, comes last, since it lacks all there is. For a disabled person without a way that holds,
    /// these ways lack one edge besides.
    pub ways: Vec<Way>,
    /// There are more ways than those.
    pub more: bool,
    /// Yes: teams in which the person stands.
    pub teams: Vec<BoundTeam>,
}

/// Explains at `now`; `bound` lists (group, team) pairs that the Space has reported.
///
/// # Errors
/// Not found: the person or the Space is not in the facts.
pub fn explain(
    facts: &Facts,
    person: &PersonId,
    space: &SpaceId,
    now: Timestamp,
    bound: &[(GroupId, String)],
) -> Result<Explanation, Refusal> {
    explain_view(&View::new(facts, now), person, space, bound)
}

/// [`explain`] on a view.
///
/// # Errors
/// As [`explain`].
pub fn explain_view(
    view: &View<'_>,
    person: &PersonId,
    space: &SpaceId,
    bound: &[(GroupId, String)],
) -> Result<Explanation, Refusal> {
    let facts = view.facts.people.get(person).ok_or_else(|| Refusal::not_found("person"))?;
    let node = view.graph.person(person).ok_or_else(|| Refusal::not_found("person"))?;
    if !view.facts.spaces.contains_key(space) {
        return Err(Refusal::not_found("Space"));
    }
    let search = Search::new(view, node, space);
    let (mut drafts, mut more) = search.holding();
    let span = view.may_enter(person, space);
    if drafts.is_empty() {
        (drafts, more) = search.lacking();
    } else if !facts.active {
        drafts.iter_mut().for_each(|draft| draft.lack = Some(Lack::Active));
    }
    let teams = if span.is_some() { search.teams(bound) } else { Vec::new() };
    let ways = search.proven(drafts);
    Ok(Explanation { person: person.clone(), space: space.clone(), span, disabled: !facts.active, ways, more, teams })
}

/// A way as nodes: the person, these groups, the Space; with the place of the lacking edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Draft {
    /// Last: it lacks everything.
    bare: bool,
    length: usize,
    lack: Option<Lack>,
    groups: Vec<Node>,
    /// Index of the edge that does not hold.
    broken: Option<usize>,
}

struct Search<'v, 'f> {
    view: &'v View<'f>,
    person: Node,
    space: &'v SpaceId,
    granted: HashMap<Point, Span>,
    /// Groups above the person: how many memberships away, and through which group (none: directly).
    above: HashMap<Node, (usize, Option<Node>)>,
    /// Groups that lead to the Space: how many edges away, and through which group (none: by its own grant).
    before: HashMap<Node, (usize, Option<Node>)>,
}

impl<'v, 'f> Search<'v, 'f> {
    fn new(view: &'v View<'f>, person: Node, space: &'v SpaceId) -> Self {
        let graph = &view.graph;
        let granted: HashMap<_, _> = graph.granted(space).iter().copied().collect();
        let starts = out(&graph.direct, person).iter().map(|(group, _)| *group);
        let above = layers(starts, |group| out(&graph.parents, group));
        let starts = graph.granted(space).iter().filter_map(|(point, _)| match point {
            Point::Group(group) => Some(*group),
            Point::Person(_) => None,
        });
        let before = layers(starts, |group| out(&graph.subgroups, group));
        Self { view, person, space, granted, above, before }
    }

    /// All ways that hold, shortest first (A*: what is left to the Space is known exactly), up to a bound.
    fn holding(&self) -> (Vec<Draft>, bool) {
        let graph = &self.view.graph;
        let mut heap = BinaryHeap::new(); // (whole length, still open, groups so far)
        if self.granted.contains_key(&Point::Person(self.person)) {
            heap.push(Reverse((1, false, Vec::new())));
        }
        let step = |so_far: &[Node], next: Node| {
            let (left, _) = self.before.get(&next)?;
            let groups = [so_far, &[next]].concat();
            Some(Reverse((groups.len() + left, true, groups)))
        };
        heap.extend(out(&graph.direct, self.person).iter().filter_map(|(group, _)| step(&[], *group)));
        let (mut ways, mut looks) = (Vec::new(), 0);
        while let Some(Reverse((length, open, groups))) = heap.pop() {
            looks += 1;
            if ways.len() == MAX_WAYS || (looks > MAX_LOOKS && !ways.is_empty()) {
                return (ways, true);
            }
            let Some(last) = groups.last().copied().filter(|_| open) else {
                ways.push(Draft { bare: false, length, lack: None, groups, broken: None });
                continue;
            };
            let onward = out(&graph.parents, last).iter().filter(|(next, _)| !groups.contains(next));
            heap.extend(onward.filter_map(|(next, _)| step(&groups, *next)));
            if self.granted.contains_key(&Point::Group(last)) {
                heap.push(Reverse((groups.len() + 1, false, groups)));
            }
        }
        (ways, false)
    }

    /// The nearest ways that lack one edge, by kind: an edge that holds at another time, a membership, a grant.
    fn lacking(&self) -> (Vec<Draft>, bool) {
        let mut missing = Vec::new();
        let mut drafts = self.lapsed();
        for (group, (left, _)) in &self.before {
            if *left == 1 {
                let lack = Some(Lack::Membership);
                missing.push(Draft { bare: false, length: 2, lack, groups: vec![*group], broken: Some(0) });
            }
        }
        for (group, (away, _)) in &self.above {
            if *away == 1 {
                missing.push(Draft { bare: false, length: 2, lack: Some(Lack::Grant), groups: vec![*group], broken: Some(1) });
            }
        }
        // What lapsed is named as such only.
        let lapsed: BTreeSet<_> = drafts.iter().map(|draft| (draft.groups.clone(), draft.broken)).collect();
        missing.retain(|draft| !lapsed.contains(&(draft.groups.clone(), draft.broken)));
        drafts.extend(missing);
        if !lapsed.contains(&(Vec::new(), Some(0))) {
            drafts.push(Draft { bare: true, length: 1, lack: Some(Lack::Grant), groups: Vec::new(), broken: Some(0) });
        }
        drafts.sort_unstable();
        let more = drafts.len() > MAX_WAYS;
        drafts.truncate(MAX_WAYS);
        (drafts, more)
    }

    /// Ways through an edge that is there but does not hold now, the shortest for each such edge.
    fn lapsed(&self) -> Vec<Draft> {
        let (view, graph) = (self.view, &self.view.graph);
        let mut spans: BTreeMap<(Point, Option<Node>), Vec<Span>> = BTreeMap::new();
        for assertion in &view.facts.assertions {
            let (Some(member), Some(group)) = (graph.point(&assertion.member), graph.group(&assertion.group)) else { continue };
            if self.reaches(member) && self.before.contains_key(&group) {
                spans.entry((member, Some(group))).or_default().push(assertion.span);
            }
        }
        for grant in view.facts.grants.iter().filter(|grant| grant.space == *self.space) {
            if let Some(subject) = graph.point(&grant.subject).filter(|subject| self.reaches(*subject)) {
                spans.entry((subject, None)).or_default().push(grant.span);
            }
        }
        spans.into_iter().filter_map(|((from, to), spans)| self.lapsed_way(from, to, &spans)).collect()
    }

    fn reaches(&self, point: Point) -> bool {
        match point {
            Point::Person(node) => node == self.person,
            Point::Group(node) => self.above.contains_key(&node),
        }
    }

    fn lapsed_way(&self, from: Point, to: Option<Node>, spans: &[Span]) -> Option<Draft> {
        let lack = lapse(spans, self.view.now)?;
        let mut groups = Vec::new();
        if let Point::Group(node) = from {
            groups.extend(follow(&self.above, node));
            groups.reverse();
        }
        let broken = Some(groups.len());
        if let Some(node) = to {
            groups.extend(follow(&self.before, node));
        }
        Some(Draft { bare: false, length: groups.len() + 1, lack: Some(lack), groups, broken })
    }

    fn teams(&self, bound: &[(GroupId, String)]) -> Vec<BoundTeam> {
        let known = |group: &GroupId, node: Node| {
            self.granted.contains_key(&Point::Group(node))
                || self.view.facts.published.contains(&(self.space.clone(), group.clone()))
        };
        let stands = |(group, _): &&(GroupId, String)| {
            self.view.graph.group(group).is_some_and(|node| self.above.contains_key(&node) && known(group, node))
        };
        let teams = bound.iter().filter(stands).map(|(group, team)| BoundTeam { group: group.clone(), team: team.clone() });
        teams.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Puts names and proofs to the nodes, with one pass over the facts.
    fn proven(&self, drafts: Vec<Draft>) -> Vec<Way> {
        let edges: Vec<Vec<Edge>> = drafts.iter().map(|draft| self.edges(draft)).collect();
        let mut proofs: HashMap<Edge, Vec<Proof>> = edges.iter().flatten().map(|edge| (edge.clone(), Vec::new())).collect();
        for a in &self.view.facts.assertions {
            if let Some(list) = proofs.get_mut(&Edge::Membership { member: a.member.clone(), group: a.group.clone() }) {
                list.push(Proof { source: a.source.clone(), span: a.span });
            }
        }
        for g in self.view.facts.grants.iter().filter(|grant| grant.space == *self.space) {
            if let Some(list) = proofs.get_mut(&Edge::Grant { subject: g.subject.clone() }) {
                list.push(Proof { source: g.id.to_string(), span: g.span });
            }
        }
        let step = |edge: Edge, holds: bool| {
            let mut proofs = proofs.get(&edge).cloned().unwrap_or_default();
            proofs.retain(|proof| if holds { proof.span.holds(self.view.now) } else { proof.span.ever() });
            proofs.sort();
            Step { edge, proofs, holds }
        };
        let way = |(draft, edges): (Draft, Vec<Edge>)| {
            let steps = edges.into_iter().enumerate().map(|(at, edge)| step(edge, draft.broken != Some(at))).collect();
            Way { steps, lack: draft.lack }
        };
        drafts.into_iter().zip(edges).map(way).collect()
    }

    fn edges(&self, draft: &Draft) -> Vec<Edge> {
        let points = [Point::Person(self.person)].into_iter().chain(draft.groups.iter().map(|group| Point::Group(*group)));
        let mut subjects = points.filter_map(|point| self.view.graph.subject(point)).peekable();
        let mut edges = Vec::new();
        while let Some(subject) = subjects.next() {
            edges.push(match subjects.peek() {
                Some(Subject::Group(group)) => Edge::Membership { member: subject, group: group.clone() },
                _ => Edge::Grant { subject },
            });
        }
        edges
    }
}

/// Breadth first: how far each group is from the nearest start (1), and which group came before it.
fn layers<'e>(
    starts: impl Iterator<Item = Node>,
    next: impl Fn(Node) -> &'e [(Node, Span)],
) -> HashMap<Node, (usize, Option<Node>)> {
    let mut found = HashMap::new();
    let mut open: VecDeque<_> = starts.map(|group| (group, 1, None)).collect();
    while let Some((group, far, from)) = open.pop_front() {
        if let std::collections::hash_map::Entry::Vacant(slot) = found.entry(group) {
            slot.insert((far, from));
            open.extend(next(group).iter().map(|(to, _)| (*to, far + 1, Some(group))));
        }
    }
    found
}

/// From a group back to the start of its layers.
fn follow(layers: &HashMap<Node, (usize, Option<Node>)>, from: Node) -> impl Iterator<Item = Node> {
    std::iter::successors(Some(from), |node| layers.get(node).and_then(|(_, before)| *before))
}

/// What an edge with these spans lacks at `now`: its next beginning, else its last end; `None`: it holds, or never did and
/// never will.
fn lapse(spans: &[Span], now: Timestamp) -> Option<Lack> {
    let spans = || spans.iter().filter(|span| span.ever());
    if spans().any(|span| span.holds(now)) {
        return None;
    }
    let begins = spans().filter_map(|span| span.from).filter(|from| *from > now).min();
    let ended = spans().filter_map(|span| span.until).max();
    begins.map(|at| Lack::NotBegun { at }).or(ended.map(|at| Lack::Ended { at }))
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
