//! Every yes is a chain of edges that hold; every no names one edge whose addition makes it a yes, and no nearer one exists.

use super::super::directory::{Assertion, Grant};
use super::super::naive::{Naive, admit, company, facts, grant_id, group, instants, join, person, space, span};
use super::*;
use proptest::prelude::*;

fn holds(model: &Naive<'_>, edge: &Edge, space: &SpaceId) -> bool {
    match edge {
        Edge::Membership { member, group } => model.edge(member, group),
        Edge::Grant { subject } => model.granted(subject, space),
    }
}

fn add(facts: &mut Facts, edge: &Edge, to: &SpaceId) {
    match edge.clone() {
        Edge::Membership { member, group } => {
            facts.assertions.push(Assertion { group, member, source: "rule:new".into(), span: Span::ALWAYS });
        }
        Edge::Grant { subject } => {
            facts.grants.push(Grant { id: grant_id(999), space: to.clone(), subject, span: Span::ALWAYS });
        }
    }
}

/// All simple chains from the person over known groups to the Space, holding or not.
fn chains(facts: &Facts, person: &PersonId) -> Vec<Vec<Edge>> {
    let mut chains = Vec::new();
    let mut open: Vec<Vec<GroupId>> = vec![Vec::new()];
    while let Some(groups) = open.pop() {
        let mut at = Subject::Person(person.clone());
        let mut edges = Vec::new();
        for group in &groups {
            edges.push(Edge::Membership { member: at, group: group.clone() });
            at = Subject::Group(group.clone());
        }
        edges.push(Edge::Grant { subject: at });
        chains.push(edges);
        let fresh = facts.groups.keys().filter(|group| !groups.contains(group));
        open.extend(fresh.map(|group| [groups.as_slice(), std::slice::from_ref(group)].concat()));
    }
    chains
}

/// Whether an edge of the data holds at some time.
fn exists(facts: &Facts, edge: &Edge, space: &SpaceId) -> bool {
    match edge {
        Edge::Membership { member, group } => {
            facts.assertions.iter().any(|a| a.member == *member && a.group == *group && a.span.ever())
        }
        Edge::Grant { subject } => facts.grants.iter().any(|g| g.subject == *subject && g.space == *space && g.span.ever()),
    }
}

fn check(facts: &Facts, now: Timestamp, p: &PersonId, s: &SpaceId) {
    let model = Naive::at(facts, now);
    let Ok(why) = explain(facts, p, s, now, &[]) else {
        assert!(!facts.people.contains_key(p) || !facts.spaces.contains_key(s));
        return;
    };
    let all = chains(facts, p);
    assert!(!why.ways.is_empty());
    assert_eq!(why.span.is_some(), model.enters(p, s));
    assert_eq!(why.disabled, !facts.people[p].active);
    assert!(why.ways.len() <= MAX_WAYS);
    let edges = |way: &Way| way.steps.iter().map(|step| step.edge.clone()).collect::<Vec<_>>();
    for way in &why.ways {
        assert!(all.contains(&edges(way)), "a chain: {way:?}");
        for step in &way.steps {
            assert_eq!(step.holds, holds(&model, &step.edge, s), "{step:?}");
            assert!(step.proofs.iter().all(|proof| proof.span.holds(now) == step.holds));
            assert_eq!(!step.proofs.is_empty(), exists(facts, &step.edge, s), "{step:?}");
        }
    }
    let whole: BTreeSet<_> = all.iter().filter(|chain| chain.iter().all(|edge| holds(&model, edge, s))).cloned().collect();
    if !whole.is_empty() {
        let listed: Vec<_> = why.ways.iter().map(edges).collect();
        assert!(listed.windows(2).all(|pair| pair[0].len() <= pair[1].len()), "shortest first");
        assert_eq!(listed.len(), whole.len().min(MAX_WAYS));
        assert_eq!(why.more, whole.len() > MAX_WAYS);
        assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>().len(), listed.len(), "each once");
        assert!(listed.iter().all(|chain| whole.contains(chain)));
        let shorter = whole.iter().filter(|chain| !listed.contains(chain)).map(Vec::len).min();
        assert!(shorter.is_none_or(|left| left >= listed[listed.len() - 1].len()), "nothing shorter is left out");
        let lack = why.disabled.then_some(Lack::Active);
        assert!(why.ways.iter().all(|way| way.lack == lack));
        return;
    }
    let begins = |step: &Step| step.proofs.iter().filter_map(|proof| proof.span.from).filter(|from| *from > now).min();
    for way in &why.ways {
        let lacking: Vec<_> = way.steps.iter().filter(|step| !step.holds).collect();
        assert_eq!(lacking.len(), 1, "exactly one edge is lacking: {way:?}");
        let mut more = facts.clone();
        more.people.get_mut(p).unwrap().active = true;
        assert!(!Naive::at(&more, now).enters(p, s));
        add(&mut more, &lacking[0].edge, s);
        assert!(Naive::at(&more, now).enters(p, s), "adding it opens the way");
        match way.lack.unwrap() {
            Lack::NotBegun { at } => assert_eq!(begins(lacking[0]), Some(at), "the next beginning"),
            Lack::Ended { at } => {
                assert_eq!(begins(lacking[0]), None);
                assert_eq!(lacking[0].proofs.iter().filter_map(|proof| proof.span.until).max(), Some(at), "the last end");
            }
            Lack::Membership => assert!(matches!(lacking[0].edge, Edge::Membership { .. }) && lacking[0].proofs.is_empty()),
            Lack::Grant => assert!(matches!(lacking[0].edge, Edge::Grant { .. }) && lacking[0].proofs.is_empty()),
            Lack::Active => panic!("{way:?}"),
        }
    }
    // The nearest: one edge lacking, and something of the chain there (in time or out of it).
    let near = all.iter().filter(|chain| {
        let missing: Vec<_> = chain.iter().filter(|edge| !holds(&model, edge, s)).collect();
        missing.len() == 1 && (chain.len() > 1 || exists(facts, missing[0], s))
    });
    let nearest = near.map(Vec::len).min().unwrap_or(1);
    assert_eq!(why.ways[0].steps.len(), nearest, "{why:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn explanations_agree_with_the_model(facts in facts(), now in instants(), p in 0..3u128, s in 0..2u128) {
        check(&facts, now, &person(p), &space(s));
    }

    #[test]
    fn teams_are_those_of_groups_the_space_knows(facts in facts(), now in instants(), p in 0..3u128) {
        let bound: Vec<_> = (0..5).map(|n| (group(n), format!("team {n}"))).collect();
        let Ok(why) = explain(&facts, &person(p), &space(0), now, &bound) else { return Ok(()) };
        let model = Naive::at(&facts, now);
        let expected: Vec<_> =
            bound.iter().filter(|(g, _)| model.member(&space(0), g, &person(p))).map(|(_, team)| team.clone()).collect();
        prop_assert_eq!(why.teams.into_iter().map(|bound| bound.team).collect::<Vec<_>>(), expected);
    }
}

fn told(facts: &Facts, who: u128, to: u128) -> Vec<String> {
    let bound = [(group(1), "Dev deployers".to_owned()), (group(2), "Operators".to_owned())];
    explain(facts, &person(who), &space(to), Timestamp(1_795_352_400_000), &bound).unwrap().sentences(facts)
}

#[test]
fn why() {
    let mut facts = company();
    assert_eq!(
        told(&facts, 0, 0),
        [
            "Bob may enter Mars.",
            "Because Bob is in Backend (added by hand), Backend is in Developers (added by hand), Developers may enter Mars.",
            "In Mars, Developers stands in the team Dev deployers, so Bob does.",
        ]
    );
    facts.assertions[0].source = "directory:corp".into();
    admit(&mut facts, 0, Subject::Person(person(0)), span(None, 1_795_356_000_000));
    let told = told(&facts, 0, 0);
    assert_eq!(told[1], "Because Bob may enter Mars (until 2026-11-22 14:00 UTC).", "shortest first");
    assert!(told[2].starts_with("Because Bob is in Backend (from directory corp), "), "{told:?}");
    assert_eq!(told[0], "Bob may enter Mars.", "the longer way has no end");
}

#[test]
fn why_not() {
    let mut facts = company();
    assert_eq!(
        told(&facts, 1, 0),
        [
            "Ann may not enter Mars.",
            "Lacking: Ann is not in Developers; the rest is there: Developers may enter Mars.",
            "Lacking: Ann has no grant to Mars.",
        ]
    );
    assert_eq!(
        told(&facts, 0, 1),
        [
            "Bob may not enter Venus.",
            "Lacking: Backend has no grant to Venus; the rest is there: Bob is in Backend (added by hand).",
            "Lacking: Bob has no grant to Venus.",
        ]
    );
    assert_eq!(
        told(&facts, 2, 0),
        [
            "Eve may not enter Mars.",
            "Eve is disabled: nobody who is disabled may enter a Space.",
            "If enabled: because Eve is in Developers (added by hand), Developers may enter Mars.",
        ]
    );
    join(&mut facts, 0, Subject::Person(person(1)), span(None, 1_795_352_400_000));
    assert_eq!(
        told(&facts, 1, 0)[2],
        "Lacking: Ann was in Backend until 2026-11-22 13:00 UTC; the rest is there: Backend is in Developers (added by hand), \
         Developers may enter Mars."
    );
    admit(&mut facts, 0, Subject::Person(person(1)), span(1_795_352_461_000, None));
    assert_eq!(told(&facts, 1, 0)[1], "Lacking: Ann may enter Mars only from 2026-11-22 13:01:01 UTC.");
}

#[test]
fn who_is_not_known_is_not_explained() {
    let facts = company();
    for (p, s) in [(person(7), space(0)), (person(0), space(7))] {
        assert_eq!(explain(&facts, &p, &s, Timestamp(5), &[]).unwrap_err().code, "not_found");
    }
}

#[test]
fn many_ways_are_bounded() {
    let mut facts = company();
    // A ladder: two groups per rung, each in both of the next rung: 2^20 ways.
    for n in 0..20u128 {
        for side in 0..2 {
            let at = |n: u128, side: u128| 10 + 2 * n + side;
            facts.groups.insert(group(at(n, side)), format!("rung {n}"));
            if n == 0 {
                join(&mut facts, at(0, side), Subject::Person(person(1)), Span::ALWAYS);
            } else {
                join(&mut facts, at(n, side), Subject::Group(group(at(n - 1, 0))), Span::ALWAYS);
                join(&mut facts, at(n, side), Subject::Group(group(at(n - 1, 1))), Span::ALWAYS);
            }
        }
    }
    admit(&mut facts, 0, Subject::Group(group(10 + 38)), Span::ALWAYS);
    let why = explain(&facts, &person(1), &space(0), Timestamp(5), &[]).unwrap();
    assert_eq!((why.ways.len(), why.more), (MAX_WAYS, true));
    assert!(why.ways.iter().all(|way| way.steps.len() == 21));
}

#[test]
fn the_next_beginning_counts_else_the_last_end() {
    let at = |t| Timestamp(t);
    for (spans, expected) in [
        (vec![span(8, None), span(6, 7), span(None, 3)], Some(Lack::NotBegun { at: at(6) })),
        (vec![span(None, 3), span(1, 5), span(2, 4)], Some(Lack::Ended { at: at(5) })),
        (vec![span(None, 3), span(9, 7)], Some(Lack::Ended { at: at(3) })), // the second never holds
        (vec![span(9, 7)], None),
        (vec![span(None, 3), span(5, 6)], None),
        (vec![], None),
    ] {
        assert_eq!(lapse(&spans, at(5)), expected, "{spans:?}");
    }
}
