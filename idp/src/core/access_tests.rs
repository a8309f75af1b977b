//! Tables for readers, and the model for everything else.

use super::super::naive::{BOUND, Naive, admit, company, facts, group, instants, join, person, space, span};
use super::*;
use crate::core::directory::PersonFacts;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(5);

/// `answer` is exactly the time around now in which ways that hold now keep the answer at yes: it is yes throughout, and
/// at its ends what held all the time up to there no longer suffices.
fn check(facts: &Facts, now: Timestamp, answer: Option<Span>, truth: impl Fn(&Naive<'_>) -> bool) {
    let throughout = |from: i64, to: i64| truth(&Naive::throughout(facts, from..=to));
    let Some(span) = answer else {
        assert!(!throughout(now.0, now.0), "the model says yes at {now:?}");
        return;
    };
    assert!(span.holds(now), "{span:?} is not around {now:?}");
    let first = span.from.map_or(-1, |t| t.0);
    let last = span.until.map_or(BOUND + 2, |t| t.0 - 1);
    for t in first..=last {
        assert!(throughout(t, t), "the model says no at {t} within {span:?}");
    }
    assert!(throughout(now.0, last) && throughout(first, now.0), "{span:?} is too long");
    assert!(span.until.is_none() || !throughout(now.0, last + 1), "{span:?} could end later");
    assert!(span.from.is_none() || !throughout(first - 1, now.0), "{span:?} could begin earlier");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn entry_agrees_with_the_model(facts in facts(), now in instants()) {
        let view = View::new(&facts, now);
        for p in (0..3).map(person) {
            let spaces = view.spaces_of(&p);
            for s in (0..2).map(space) {
                let answer = may_enter(&facts, &p, &s, now);
                prop_assert_eq!(spaces.get(&s).copied(), answer);
                check(&facts, now, answer, |model| model.enters(&p, &s));
            }
        }
    }

    #[test]
    fn membership_agrees_with_the_model(facts in facts(), now in instants()) {
        let view = View::new(&facts, now);
        for g in (0..5).map(group) {
            let effective = view.effective(&g);
            for p in (0..3).map(person) {
                let answer = effective.get(&p).copied();
                prop_assert_eq!(view.groups_of(&p).get(&g).copied(), answer, "up and down agree");
                check(&facts, now, answer, |model| model.is_in(&p, &g));
            }
        }
    }

    #[test]
    fn a_space_knows_what_the_model_says(facts in facts(), now in instants()) {
        let model = Naive::at(&facts, now);
        for s in (0..2).map(space) {
            let access = space_access(&facts, &s, now);
            for p in (0..3).map(person) {
                check(&facts, now, access.people.get(&p).copied(), |model| model.enters(&p, &s));
            }
            for g in (0..5).map(group) {
                let known = access.groups.get(&g);
                prop_assert_eq!(known.is_some(), model.knows(&s, &g));
                prop_assert_eq!(known.map(|k| &k.name), known.and(facts.groups.get(&g)));
                for p in (0..3).map(person) {
                    let answer = known.and_then(|known| known.members.get(&p)).copied();
                    check(&facts, now, answer, |model| model.member(&s, &g, &p));
                }
            }
        }
    }

    #[test]
    fn nothing_changes_before_the_next_change(facts in facts(), now in instants()) {
        let all = |t: i64| (0..2).map(|s| space_access(&facts, &space(s), Timestamp(t))).collect::<Vec<_>>();
        let next = next_change(&facts, now);
        prop_assert!(next.is_none_or(|next| next > now));
        let last = next.map_or(BOUND + 2, |next| next.0 - 1);
        for t in now.0..=last {
            prop_assert_eq!(all(t), all(now.0), "at {}, before {:?}", t, next);
        }
    }

    #[test]
    fn a_cycle_is_seen_whatever_the_times(facts in facts(), outer in 0..5u128, inner in 0..5u128) {
        // Truth: an edge without end, everything else made endless, and nobody but one person in the outer group.
        let mut endless = facts.clone();
        endless.groups = (0..5).map(|n| (group(n), String::new())).collect();
        endless.people = [(person(9), facts.people.values().next().unwrap().clone())].into();
        endless.assertions.retain(|a| matches!(a.member, Subject::Group(_)));
        endless.assertions.iter_mut().for_each(|a| a.span = Span::ALWAYS);
        join(&mut endless, outer, Subject::Person(person(9)), Span::ALWAYS);
        let cycle = Naive::at(&endless, NOW).is_in(&person(9), &group(inner));
        // The outer group's people are in the inner one: then the inner contains the outer.
        prop_assert_eq!(would_cycle(&facts, &group(outer), &group(inner)), cycle);
        prop_assert_eq!(refuse_cycle(&facts, &group(outer), &group(inner)).is_err(), cycle);
    }
}

#[test]
fn who_may_enter() {
    let bob = || Subject::Person(person(0));
    type Edit = fn(&mut Facts);
    let cases: [(&str, Edit, Option<Span>); 9] = [
        ("through a nested group", |_| {}, Some(Span::ALWAYS)),
        ("a disabled person never", |f| f.people.get_mut(&person(0)).unwrap().active = false, None),
        ("an unknown person never", |f| drop(f.people.remove(&person(0))), None),
        ("an unknown Space never", |f| drop(f.spaces.remove(&space(0))), None),
        ("not through an unknown group", |f| drop(f.groups.remove(&group(0))), None),
        ("a grant that begins now", |f| f.grants[0].span = span(5, None), Some(span(5, None))),
        ("a grant that ends now", |f| f.grants[0].span = span(None, 5), None),
        ("the narrowest edge counts", |f| f.assertions.iter_mut().for_each(|a| a.span = span(1, 7)), Some(span(1, 7))),
        ("a published group grants nothing", |f| f.grants.clear(), None),
    ];
    for (name, edit, expected) in cases {
        let mut facts = company();
        edit(&mut facts);
        assert_eq!(may_enter(&facts, &person(0), &space(0), NOW), expected, "{name}");
    }
    let mut facts = company();
    facts.grants[0].span = span(None, 6);
    admit(&mut facts, 0, bob(), span(4, 9));
    assert_eq!(may_enter(&facts, &person(0), &space(0), NOW), Some(span(None, 9)), "one way hands over to the other");
    facts.grants[2].span = span(6, 9);
    assert_eq!(may_enter(&facts, &person(0), &space(0), NOW), Some(span(None, 6)), "what begins later is not counted yet");
    facts.grants[2].subject = facts.grants[0].subject.clone();
    assert_eq!(may_enter(&facts, &person(0), &space(0), NOW), Some(span(None, 9)), "but one edge may be carried on");
}

#[test]
fn what_mars_knows() {
    let mut facts = company();
    join(&mut facts, 2, Subject::Person(person(0)), span(None, 8));
    join(&mut facts, 2, Subject::Person(person(1)), Span::ALWAYS); // Ann may not enter Mars
    facts.grants[0].span = span(2, 9);
    let access = space_access(&facts, &space(0), NOW);
    assert_eq!(access.people, [(person(0), span(2, 9))].into());
    let groups: Vec<_> = access.groups.values().map(|g| (g.name.as_str(), g.members.get(&person(0)).copied())).collect();
    assert_eq!(groups, [("Developers", Some(span(2, 9))), ("Ops", Some(span(2, 8)))], "Backend does not travel");
    assert!(access.groups.values().all(|g| g.members.len() == 1), "only who may enter");
    let later = space_access(&facts, &space(0), Timestamp(9));
    assert!(later.people.is_empty());
    assert_eq!(later.groups.keys().collect::<Vec<_>>(), [&group(2)], "published groups stay, without members");
    assert!(later.groups[&group(2)].members.is_empty());
}

#[test]
fn the_next_change_is_the_nearest_bound() {
    let mut facts = company();
    assert_eq!(next_change(&facts, NOW), None);
    facts.grants[0].span = span(5, 9);
    facts.assertions[0].span = span(7, 3); // never holds
    facts.assertions[1].span = span(8, None);
    assert_eq!(next_change(&facts, Timestamp(4)), Some(Timestamp(5)));
    assert_eq!(next_change(&facts, NOW), Some(Timestamp(8)));
    assert_eq!(next_change(&facts, Timestamp(8)), Some(Timestamp(9)));
    assert_eq!(next_change(&facts, Timestamp(9)), None);
}

#[test]
fn a_cycle_is_refused_with_a_reason() {
    let facts = company();
    assert_eq!(refuse_cycle(&facts, &group(0), &group(1)).unwrap_err().code, "group.cycle");
    assert!(would_cycle(&facts, &group(2), &group(2)), "itself");
    assert!(!would_cycle(&facts, &group(1), &group(0)), "what is there already");
    assert!(!would_cycle(&facts, &group(2), &group(1)));
}

#[test]
fn cycles_and_long_chains_end() {
    let mut facts = company();
    for n in 3..3000 {
        facts.groups.insert(group(n), String::new());
        join(&mut facts, n, Subject::Group(group(n - 1)), Span::ALWAYS);
    }
    join(&mut facts, 1, Subject::Group(group(2999)), Span::ALWAYS);
    join(&mut facts, 2, Subject::Group(group(1)), span(None, 9)); // closes the ring
    let view = View::new(&facts, NOW);
    assert_eq!(view.may_enter(&person(0), &space(0)), Some(Span::ALWAYS));
    assert_eq!(view.effective(&group(2000)).get(&person(0)), Some(&span(None, 9)));
    assert!(would_cycle(&facts, &group(2500), &group(2600)));
}

/// Not a benchmark: with a loop inside a loop this would not end within minutes.
#[test]
fn a_large_directory_is_one_pass() {
    let mut facts = Facts { spaces: company().spaces, ..Facts::default() };
    for n in 0..10_000 {
        let facts_of = PersonFacts { username: String::new(), email: String::new(), display_name: String::new(), active: true };
        facts.people.insert(person(n << 32), facts_of);
    }
    for n in 0..2_000u128 {
        facts.groups.insert(group(n << 32), String::new());
        for k in 0..50 {
            let member = Subject::Person(person(((n * 31 + k * 199) % 10_000) << 32));
            facts.assertions.push(super::super::directory::Assertion {
                group: group(n << 32),
                member,
                source: "manual".into(),
                span: Span::ALWAYS,
            });
        }
        admit(&mut facts, 0, Subject::Group(group(n << 32)), span(None, 9));
    }
    let access = space_access(&facts, &space(0), NOW);
    assert_eq!(access.people.len(), 10_000);
    assert_eq!(access.groups.values().map(|g| g.members.len()).sum::<usize>(), 100_000);
}
