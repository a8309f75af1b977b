//! What travels and what does not.

use super::super::directory::Subject;
use super::super::naive::{company, group, join, person, space, span};
use super::*;

#[test]
fn only_what_the_space_may_know() {
    let mut facts = company();
    join(&mut facts, 2, Subject::Person(person(0)), span(None, 9));
    let decisions = Decisions {
        adoptions: [(person(0), Adoption::CreateNew), (person(1), Adoption::CreateNew), (person(2), Adoption::CreateNew)].into(),
        confirmed_sweeps: ["Teams-1".to_owned()].into(),
        revoke_api_keys: true,
    };
    let mars = project(&facts, &space(0), Timestamp(5), &decisions);
    let bob = ProjectedPerson {
        username: "user0".into(),
        email: "user0@example.com".into(),
        display_name: "Bob".into(),
        span: Span::ALWAYS,
        adoption: Some(Adoption::CreateNew),
    };
    let known = |name: &str, span: Span| GroupAccess { name: name.into(), members: [(person(0), span)].into() };
    assert_eq!(
        mars,
        Projection {
            people: [(person(0), bob)].into(),
            groups: [(group(1), known("Developers", Span::ALWAYS)), (group(2), known("Ops", span(None, 9)))].into(),
            confirmed_sweeps: ["Teams-1".to_owned()].into(),
            revoke_api_keys: true,
        }
    );
    let text = format!("{mars:?}");
    for foreign in ["Ann", "Eve", "Backend", "Venus"] {
        assert!(!text.contains(foreign), "{foreign} is none of Mars's business");
    }
    assert_eq!(project(&facts, &space(7), Timestamp(5), &Decisions::default()), Projection::default(), "an unknown Space");
}
