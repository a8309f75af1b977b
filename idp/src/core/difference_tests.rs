//! Tables for readers, and: a difference applied to the one side is the other side recomputed.

use super::super::access::space_access;
use super::super::directory::Subject;
use super::super::naive::{Naive, company, facts, group, instants, join, person, space, span};
use super::*;
use proptest::prelude::*;

/// All memberships and entries, with their spans: what effects speak of.
fn held(facts: &Facts, now: Timestamp) -> BTreeMap<(SpaceId, Option<GroupId>, PersonId), Span> {
    let mut held = BTreeMap::new();
    for s in (0..2).map(space) {
        let access = space_access(facts, &s, now);
        held.extend(access.people.into_iter().map(|(p, span)| ((s.clone(), None, p), span)));
        for (g, known) in access.groups {
            held.extend(known.members.into_iter().map(|(p, span)| ((s.clone(), Some(g.clone()), p), span)));
        }
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_difference_applied_is_the_recomputation(before in facts(), after in facts(), now in instants()) {
        let effects = difference(&before, &after, now);
        let (old, new) = (Naive::at(&before, now), Naive::at(&after, now));
        let mut state = held(&before, now);
        for effect in &effects {
            let key = (effect.space.clone(), effect.group.clone(), effect.person.clone());
            let had = |model: &Naive<'_>| match &effect.group {
                None => model.enters(&effect.person, &effect.space),
                Some(group) => model.member(&effect.space, group, &effect.person),
            };
            match effect.turn {
                Turn::Gains { span } => {
                    prop_assert!(!had(&old) && had(&new));
                    prop_assert_eq!(state.insert(key, span), None);
                }
                Turn::Loses => {
                    prop_assert!(had(&old) && !had(&new));
                    prop_assert!(state.remove(&key).is_some());
                }
                Turn::Retimed { span } => {
                    prop_assert!(had(&old) && had(&new));
                    prop_assert_ne!(state.insert(key, span), Some(span));
                }
            }
        }
        prop_assert_eq!(state, held(&after, now));
        prop_assert!(effects.windows(2).all(|pair| pair[0] < pair[1]), "sorted, each once");
    }
}

#[test]
fn taking_bob_out_of_backend() {
    let (before, mut after) = (company(), company());
    after.assertions.remove(0);
    let lost = |group: Option<GroupId>| Effect { space: space(0), group, person: person(0), turn: Turn::Loses };
    assert_eq!(difference(&before, &after, Timestamp(5)), [lost(None), lost(Some(group(1)))]);
    assert_eq!(difference(&after, &after, Timestamp(5)), []);
}

#[test]
fn an_end_date_is_named() {
    let (before, mut after) = (company(), company());
    after.assertions[0].span = span(None, 9);
    join(&mut after, 2, Subject::Person(person(0)), span(2, None));
    let effect = |group: Option<GroupId>, turn: Turn| Effect { space: space(0), group, person: person(0), turn };
    assert_eq!(
        difference(&before, &after, Timestamp(5)),
        [
            effect(None, Turn::Retimed { span: span(None, 9) }),
            effect(Some(group(1)), Turn::Retimed { span: span(None, 9) }),
            effect(Some(group(2)), Turn::Gains { span: span(2, 9) }),
        ]
    );
}
