//! Groups that a provider names when somebody signs in: assertions of that provider (rules C6), for the groups that an
//! administrator made nodes of the directory. Those it no longer names end; a provider that names none says nothing about them.

use super::Result;
use super::desk::{Desk, Effect, span_json};
use super::memberships::touched;
use crate::core::change::Change;
use crate::core::directory::{Assertion, Span, Subject};
use crate::core::ids::{GroupId, PersonId};
use crate::storage::{Tx, groups, memberships, people, revocation};
use serde_json::json;
use std::collections::BTreeSet;

/// The source of what a provider asserts.
#[must_use]
pub fn source(provider: &str) -> String {
    format!("directory:{provider}")
}

/// Brings the memberships that the provider asserts of a person into line with the groups it named.
pub(super) async fn follow(tx: &mut Tx, desk: &Desk<'_>, provider: &str, person: &PersonId, named: &[String]) -> Result<()> {
    let (source, subject) = (source(provider), Subject::Person(person.clone()));
    let nodes = groups::of_provider(tx, provider).await?;
    if nodes.is_empty() {
        return Ok(());
    }
    let wanted: BTreeSet<GroupId> = nodes.into_iter().filter(|(id, _)| named.contains(id)).map(|(_, group)| group).collect();
    let held: BTreeSet<GroupId> = memberships::of_member(tx, &subject)
        .await?
        .into_iter()
        .filter(|m| m.assertion.source == source)
        .map(|m| m.assertion.group)
        .collect();
    for group in wanted.difference(&held) {
        let assertion = Assertion { group: group.clone(), member: subject.clone(), source: source.clone(), span: Span::ALWAYS };
        memberships::insert(tx, &assertion, desk.now, &desk.actor.name).await?;
        let spaces = touched(tx, group, &subject).await?;
        let change = change(tx, "membership.add", group, person, &source).await?;
        desk.changed(tx, &spaces, Effect::Gives, &change).await?;
    }
    for group in held.difference(&wanted) {
        let spaces = touched(tx, group, &subject).await?;
        let tokens = revocation::held_by(tx, person, desk.now).await?;
        memberships::remove(tx, group, &subject, &source).await?;
        desk.end_not_admitted(tx, tokens).await?;
        let change = change(tx, "membership.remove", group, person, &source).await?;
        desk.changed(tx, &spaces, Effect::Takes, &change).await?;
    }
    Ok(())
}

async fn change(tx: &mut Tx, action: &'static str, group: &GroupId, person: &PersonId, source: &str) -> Result<Change> {
    let name = groups::find(tx, group).await?.map(|g| g.name).unwrap_or_default();
    let member = people::find(tx, person).await?.map(|p| p.display_name).unwrap_or_default();
    let facts =
        json!({ "member": Subject::Person(person.clone()), "name": member, "source": source, "when": span_json(Span::ALWAYS) });
    let change = Change::new(action, "group", group.as_str(), &name).about(person.to_string());
    Ok(if action == "membership.add" { change.after(facts) } else { change.before(facts) })
}
