//! Who is in which group: assertions by hand, for people and for groups in groups (rules C6).

use super::desk::{Desk, Effect, span_json};
use super::groups::load;
use super::input::still_to_come;
use super::{Error, Result};
use crate::core::change::Change;
use crate::core::directory::{Assertion, Facts, Span, Subject};
use crate::core::ids::{GroupId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::core::{Refusal, access};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::groups::{Group, GroupKind};
use crate::storage::memberships::columns;
use crate::storage::{self, Tx, directory, groups, memberships, people};
use serde_json::json;
use std::collections::BTreeSet;

/// The source of what administrators say.
pub const MANUAL: &str = "manual";

/// Deciding who is in a group needs the right over it; nesting groups changes other groups' people and needs more.
fn may(actor: &Actor, group: &GroupId, member: &Subject) -> std::result::Result<(), Refusal> {
    match member {
        Subject::Person(_) => actor.may(&Act::ManageMembers(group.clone())),
        Subject::Group(_) => actor.may(&Act::ManageGroups),
    }
}

/// Puts a person or group into a local group.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `group.cycle`, `group.external`, `membership.exists`, `span.empty`, `span.past`.
pub async fn add(deps: &Deps, actor: &Actor, group: &GroupId, member: &Subject, span: Span) -> Result<()> {
    may(actor, group, member)?;
    let desk = Desk::new(deps, actor);
    still_to_come(span, desk.now)?;
    let done: Result<()> = run_tx!(deps.db, "membership.add", |tx| add_in(tx, &desk, group, member, span).await);
    deps.wake.ring();
    match done {
        Err(Error::Storage(storage::Error::Unique(_))) => Err(exists().into()),
        other => other,
    }
}

fn exists() -> Refusal {
    Refusal::conflict("membership.exists", "This member is in the group already. Change from and until instead.").field("member")
}

async fn add_in(tx: &mut Tx, desk: &Desk<'_>, group: &GroupId, member: &Subject, span: Span) -> Result<()> {
    let (row, name) = both(tx, group, member).await?;
    if memberships::find(tx, group, member, MANUAL).await?.is_some() {
        return Err(exists().into());
    }
    if let Subject::Group(inner) = member {
        refuse_cycle(tx, &row, inner).await?;
    }
    let assertion = Assertion { group: group.clone(), member: member.clone(), source: MANUAL.into(), span };
    memberships::insert(tx, &assertion, desk.now, &desk.actor.name).await?;
    let spaces = touched(tx, group, member).await?;
    let change = change("membership.add", &row, member).after(value(member, &name, span));
    desk.changed(tx, &spaces, Effect::Gives, &change).await
}

/// Changes from when until when a manual assertion holds. False: it says so already.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `span.empty`, `span.past`.
pub async fn change_span(deps: &Deps, actor: &Actor, group: &GroupId, member: &Subject, span: Span) -> Result<bool> {
    may(actor, group, member)?;
    let desk = Desk::new(deps, actor);
    still_to_come(span, desk.now)?;
    let done: Result<bool> = run_tx!(deps.db, "membership.change", |tx| {
        let (row, name) = both(tx, group, member).await?;
        let Some(before) = memberships::find(tx, group, member, MANUAL).await? else {
            return Err(Refusal::not_found("membership").into());
        };
        if before.span == span {
            return Ok(false);
        }
        let held = held(tx, &desk, member).await?;
        memberships::update(tx, &Assertion { span, ..before.clone() }).await?;
        desk.end_not_admitted(tx, held).await?;
        let spaces = touched(tx, group, member).await?;
        let change =
            change("membership.change", &row, member).before(value(member, &name, before.span)).after(value(member, &name, span));
        desk.changed(tx, &spaces, Effect::Takes, &change).await?;
        Ok(true)
    });
    deps.wake.ring();
    done
}

/// Takes a person or group out of a group: the manual assertion. What other sources say stays.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn remove(deps: &Deps, actor: &Actor, group: &GroupId, member: &Subject) -> Result<()> {
    may(actor, group, member)?;
    let desk = Desk::new(deps, actor);
    let done: Result<()> = run_tx!(deps.db, "membership.remove", |tx| {
        let (row, name) = both(tx, group, member).await?;
        let Some(before) = memberships::find(tx, group, member, MANUAL).await? else {
            return Err(Refusal::not_found("membership").into());
        };
        let spaces = touched(tx, group, member).await?;
        let held = held(tx, &desk, member).await?;
        memberships::remove(tx, group, member, MANUAL).await?;
        desk.end_not_admitted(tx, held).await?;
        let change = change("membership.remove", &row, member).before(value(member, &name, before.span));
        desk.changed(tx, &spaces, Effect::Takes, &change).await
    });
    deps.wake.ring();
    done
}

async fn both(tx: &mut Tx, group: &GroupId, member: &Subject) -> Result<(Group, String)> {
    let row = load(tx, group).await?;
    if matches!(row.kind, GroupKind::External { .. }) {
        let text = "A provider decides who is in this group. Put the group into a local group instead.";
        return Err(Refusal::conflict("group.external", text).field("group").into());
    }
    Ok((row, name_of(tx, member).await?))
}

/// The name of a person or group that must exist.
pub(super) async fn name_of(tx: &mut Tx, subject: &Subject) -> Result<String> {
    match subject {
        Subject::Person(id) => {
            Ok(people::find(tx, id).await?.ok_or_else(|| Refusal::not_found("person").field("person"))?.display_name)
        }
        Subject::Group(id) => Ok(groups::find(tx, id).await?.ok_or_else(|| Refusal::not_found("group").field("group"))?.name),
    }
}

/// Spaces whose picture changes when the edge from `member` to `group` does; the edge must be stored at the time of asking.
/// For a person only Spaces that the person may enter at some time count, since members(S,g) = effective(g) ∩ users(S).
pub(super) async fn touched(tx: &mut Tx, group: &GroupId, member: &Subject) -> Result<BTreeSet<SpaceId>> {
    let above = directory::spaces_above_group(tx, group).await?;
    let Subject::Person(person) = member else { return Ok(above) };
    let own = directory::spaces_of_person(tx, person).await?;
    Ok(above.intersection(&own).cloned().collect())
}

async fn held(tx: &mut Tx, desk: &Desk<'_>, member: &Subject) -> Result<Vec<storage::revocation::Holder>> {
    match member {
        Subject::Person(person) => Ok(storage::revocation::held_by(tx, person, desk.now).await?),
        Subject::Group(group) => desk.held_below(tx, group).await,
    }
}

/// Refuses an edge that closes a cycle, and names the cycle.
async fn refuse_cycle(tx: &mut Tx, group: &Group, inner: &GroupId) -> Result<()> {
    let edges = memberships::edges_above(tx, &group.id).await?;
    let assertion = |(outer, inside): (GroupId, GroupId)| Assertion {
        group: outer,
        member: Subject::Group(inside),
        source: MANUAL.into(),
        span: Span::ALWAYS,
    };
    let facts = Facts { assertions: edges.iter().cloned().map(assertion).collect(), ..Facts::default() };
    let Err(refusal) = access::refuse_cycle(&facts, &group.id, inner) else { return Ok(()) };
    let mut names = Vec::new();
    for id in path_up(&edges, &group.id, inner) {
        names.push(groups::find(tx, &id).await?.map_or_else(|| id.to_string(), |g| g.name));
    }
    let inner_name = groups::find(tx, inner).await?.map_or_else(|| inner.to_string(), |g| g.name);
    let text = format!("This would close a cycle: {inner_name} → {}.", names.join(" → "));
    Err(Refusal { message: text.into(), ..refusal }.into())
}

/// A shortest way up from `from` to `to`, both included.
fn path_up(edges: &[(GroupId, GroupId)], from: &GroupId, to: &GroupId) -> Vec<GroupId> {
    let mut ways = vec![vec![from.clone()]];
    let mut seen = BTreeSet::from([from.clone()]);
    while !ways.is_empty() {
        let mut next = Vec::new();
        for way in ways {
            if way.last() == Some(to) {
                return way;
            }
            for (outer, inside) in edges {
                if Some(inside) == way.last() && seen.insert(outer.clone()) {
                    next.push(way.iter().cloned().chain([outer.clone()]).collect::<Vec<_>>());
                }
            }
        }
        ways = next;
    }
    vec![from.clone()]
}

fn change(action: &'static str, group: &Group, member: &Subject) -> Change {
    Change::new(action, "group", group.id.as_str(), &group.name).about(columns(member).1)
}

fn value(member: &Subject, name: &str, span: Span) -> serde_json::Value {
    json!({ "member": member, "name": name, "when": span_json(span) })
}
