//! Two people who turn out to be one: joined into one of them, and taken apart again. Identities, addresses, memberships and grants
//! go over; the one who went is disabled and keeps name, rights and accounts in Spaces, so that nothing is lost should it be undone.
//! Administrative rights never go over: whoever is to have them is given them (rules D4).

use super::desk::{Desk, Effect};
use super::people::{enable_in, end_everything, load, owns_everything};
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::directory::{Assertion, Facts, Subject};
use crate::core::ids::PersonId;
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::joins::{self, JoinRow, Moved};
use crate::storage::{J, Tx, directory, emails, grants, memberships, people};
use serde_json::json;

/// The reason for which the one who went is disabled.
fn reason(kept: &PersonId) -> String {
    format!("joined:{kept}")
}

fn may(actor: &Actor) -> std::result::Result<(), Refusal> {
    actor.may(&Act::ManageRights(Right { role: Role::Owner, scope: Scope::All }))
}

/// The facts after a join.
///
/// # Errors
/// Refused: `not_found`, `person.same`, `person.disabled`.
pub fn facts_after(before: &Facts, kept: &PersonId, gone: &PersonId) -> std::result::Result<Facts, Refusal> {
    if kept == gone {
        return Err(same());
    }
    if !before.people.contains_key(gone) {
        return Err(Refusal::not_found("person"));
    }
    if !before.people.get(kept).ok_or_else(|| Refusal::not_found("person"))?.active {
        return Err(disabled());
    }
    let mut facts = before.clone();
    let (from, to) = (Subject::Person(gone.clone()), Subject::Person(kept.clone()));
    let has = |a: &Assertion| before.assertions.iter().any(|o| o.member == to && o.group == a.group && o.source == a.source);
    facts.assertions.iter_mut().filter(|a| a.member == from && !has(a)).for_each(|a| a.member = to.clone());
    let granted = |space| before.grants.iter().any(|g| g.subject == to && g.space == space);
    facts.grants.iter_mut().filter(|g| g.subject == from && !granted(g.space.clone())).for_each(|g| g.subject = to.clone());
    if let Some(person) = facts.people.get_mut(gone) {
        person.active = false;
    }
    Ok(facts)
}

fn disabled() -> Refusal {
    Refusal::conflict("person.disabled", "The person who stays is disabled. Enable them first, or join the other way round.")
}

fn same() -> Refusal {
    Refusal::invalid("gone", "person.same", "These are one person already. Choose another.")
}

/// Joins `gone` into `kept`. Sessions and tokens of `gone` end.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `person.same`, `person.disabled`, `owner.last`.
pub async fn join(deps: &Deps, actor: &Actor, kept: &PersonId, gone: &PersonId) -> Result<String> {
    may(actor)?;
    let desk = Desk::new(deps, actor);
    let id = deps.entropy.id(desk.now).hyphenated().to_string();
    let done: Result<()> = run_tx!(deps.db, "person.join", |tx| join_in(tx, &desk, &id, kept, gone).await);
    deps.wake.ring();
    done.map(|()| id)
}

async fn join_in(tx: &mut Tx, desk: &Desk<'_>, id: &str, kept: &PersonId, gone: &PersonId) -> Result<()> {
    if kept == gone {
        return Err(same().into());
    }
    let (to, from) = (load(tx, kept).await?, load(tx, gone).await?);
    for person in [kept, gone] {
        desk.may_touch_credentials(tx, person).await?;
    }
    if !to.active {
        return Err(disabled().into());
    }
    let mut spaces = directory::spaces_of_person(tx, gone).await?;
    let mut moved = Moved::default();
    for row in emails::identities(tx, gone).await? {
        if joins::move_identity(tx, &row.id, gone, kept).await? {
            moved.identities.push(row.id);
        }
    }
    for row in emails::of_person(tx, gone).await? {
        if joins::move_email(tx, &row.id, gone, kept).await? {
            moved.emails.push(row.id);
        }
    }
    for row in memberships::of_member(tx, &Subject::Person(gone.clone())).await? {
        let assertion = row.assertion;
        if hand_over(tx, desk, &assertion, kept).await? {
            moved.memberships.push(assertion);
        }
    }
    for row in grants::of_subject(tx, &Subject::Person(gone.clone())).await? {
        if joins::move_grant(tx, &row.grant.id, gone, kept).await? {
            moved.grants.push(row.grant.id);
        }
    }
    people::disable(tx, gone, &reason(kept), desk.now).await?;
    if owns_everything(tx, gone, desk.now).await? {
        desk.refuse_lockout(tx).await?;
    }
    end_everything(tx, gone, desk.now).await?;
    for person in [kept, gone] {
        people::touch(tx, person, desk.now).await?;
    }
    spaces.extend(directory::spaces_of_person(tx, kept).await?);
    let facts = json!({
        "from": from.display_name, "identities": moved.identities.len(), "emails": moved.emails.len(),
        "memberships": moved.memberships.len(), "grants": moved.grants.len(),
    });
    let row = JoinRow {
        id: id.to_owned(),
        kept: kept.clone(),
        gone: gone.clone(),
        moved: J(moved),
        joined_at: desk.now,
        joined_by: desk.actor.name.clone(),
    };
    joins::insert(tx, &row).await?;
    let change = Change::new("person.join", "person", kept.as_str(), &to.display_name).about(gone.to_string()).after(facts);
    desk.changed(tx, &spaces, Effect::Takes, &change).await
}

/// Gives a membership to somebody else; false if they have it from the same source, or it is not there any more.
async fn hand_over(tx: &mut Tx, desk: &Desk<'_>, assertion: &Assertion, to: &PersonId) -> Result<bool> {
    let member = Subject::Person(to.clone());
    let there = memberships::find(tx, &assertion.group, &assertion.member, &assertion.source).await?;
    if there.is_none() || memberships::find(tx, &assertion.group, &member, &assertion.source).await?.is_some() {
        return Ok(false);
    }
    memberships::remove(tx, &assertion.group, &assertion.member, &assertion.source).await?;
    memberships::insert(tx, &Assertion { member, ..assertion.clone() }, desk.now, &desk.actor.name).await?;
    Ok(true)
}

/// Takes two people apart again: what was moved goes back, as far as it is still there. Sessions and tokens of the one who stayed end,
/// because they may rest on what goes.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn undo(deps: &Deps, actor: &Actor, id: &str) -> Result<()> {
    may(actor)?;
    let desk = Desk::new(deps, actor);
    let done: Result<()> = run_tx!(deps.db, "person.split", |tx| undo_in(tx, &desk, id).await);
    deps.wake.ring();
    done
}

async fn undo_in(tx: &mut Tx, desk: &Desk<'_>, id: &str) -> Result<()> {
    let row = joins::find(tx, id).await?.ok_or_else(|| Refusal::not_found("join"))?;
    let (kept, gone) = (&row.kept, &row.gone);
    let (to, from) = (load(tx, kept).await?, load(tx, gone).await?);
    for person in [kept, gone] {
        desk.may_touch_credentials(tx, person).await?;
    }
    let mut spaces = directory::spaces_of_person(tx, kept).await?;
    let moved = &row.moved.0;
    for identity in &moved.identities {
        joins::move_identity(tx, identity, kept, gone).await?;
    }
    for email in &moved.emails {
        joins::move_email(tx, email, kept, gone).await?;
    }
    for assertion in &moved.memberships {
        let now = Assertion { member: Subject::Person(kept.clone()), ..assertion.clone() };
        hand_over(tx, desk, &now, gone).await?;
    }
    for grant in &moved.grants {
        joins::move_grant(tx, grant, kept, gone).await?;
    }
    end_everything(tx, kept, desk.now).await?;
    enable_in(tx, desk, gone, &reason(kept)).await?;
    if !joins::undo(tx, id, &desk.actor.name, desk.now).await? {
        return Err(Refusal::stale().into());
    }
    people::touch(tx, kept, desk.now).await?;
    spaces.extend(directory::spaces_of_person(tx, gone).await?);
    let change = Change::new("person.split", "person", kept.as_str(), &to.display_name)
        .about(gone.to_string())
        .after(json!({ "to": from.display_name }));
    desk.changed(tx, &spaces, Effect::Takes, &change).await
}

/// Joins of a person that were not undone, with the name of the other one.
///
/// # Errors
/// Refused: `right.missing`, or any storage error.
pub async fn of_person(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<Vec<(JoinRow, String)>> {
    actor.may(&Act::ReadAll)?;
    let mut found = Vec::new();
    for row in joins::of_person(&mut &deps.db, person).await? {
        let other = if row.kept == *person { &row.gone } else { &row.kept };
        let name = people::find(&mut &deps.db, other).await?.map(|p| p.display_name).unwrap_or_default();
        found.push((row, name));
    }
    Ok::<_, Error>(found)
}
