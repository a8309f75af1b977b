//! Entry to Spaces for people and groups, from and until.

use super::desk::{Desk, Effect, span_json};
use super::input::still_to_come;
use super::memberships::name_of;
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::directory::{Grant, Span, Subject};
use crate::core::ids::{GrantId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::grants::{self, GrantRow};
use crate::storage::memberships::columns;
use crate::storage::revocation::{self, Holder};
use crate::storage::{self, Tx};
use serde_json::json;
use std::collections::BTreeSet;

/// Grants a Space to a person or group.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `grant.exists`, `span.empty`, `span.past`.
pub async fn add(deps: &Deps, actor: &Actor, space: &SpaceId, to: &Subject, span: Span) -> Result<GrantId> {
    actor.may(&Act::ManageGrants(space.clone()))?;
    let desk = Desk::new(deps, actor);
    still_to_come(span, desk.now)?;
    let exists =
        || Refusal::conflict("grant.exists", "There is a grant already. Change from and until instead.").field("subject");
    let done: Result<GrantId> = run_tx!(deps.db, "grant.add", |tx| {
        let space_row = super::spaces::load(tx, space).await?;
        let name = name_of(tx, to).await?;
        if grants::exists(tx, space, to).await? {
            return Err(exists().into());
        }
        let id = GrantId::from_uuid(deps.entropy.id(desk.now));
        let grant = Grant { id: id.clone(), space: space.clone(), subject: to.clone(), span };
        grants::insert(tx, &grant, desk.now, &desk.actor.name).await?;
        let change = Change::new("grant.add", "grant", id.as_str(), format!("{name} → {}", space_row.name))
            .about(columns(to).1)
            .in_space(space)
            .after(json!({ "subject": to, "name": name, "when": span_json(span) }));
        desk.changed(tx, &BTreeSet::from([space.clone()]), Effect::Gives, &change).await?;
        Ok(id)
    });
    deps.wake.ring();
    match done {
        Err(Error::Storage(storage::Error::Unique(_))) => Err(exists().into()),
        other => other,
    }
}

async fn load(tx: &mut Tx, actor: &Actor, id: &GrantId) -> Result<GrantRow> {
    let row = grants::find(tx, id).await?.ok_or_else(|| Refusal::not_found("grant"))?;
    match actor.may(&Act::ManageGrants(row.grant.space.clone())) {
        // who may not see the Space may not learn that the grant exists
        Err(no) if no.kind == crate::core::refusal::RefusalKind::NotFound => Err(Refusal::not_found("grant").into()),
        Err(no) => Err(no.into()),
        Ok(()) => Ok(row),
    }
}

fn change(action: &'static str, row: &GrantRow) -> Change {
    let name = format!("{} → {}", row.subject_name, row.space_name);
    Change::new(action, "grant", row.grant.id.as_str(), name).about(columns(&row.grant.subject).1).in_space(&row.grant.space)
}

fn value(row: &GrantRow, span: Span) -> serde_json::Value {
    json!({ "subject": row.grant.subject, "name": row.subject_name, "when": span_json(span) })
}

async fn held(tx: &mut Tx, desk: &Desk<'_>, row: &GrantRow) -> Result<Vec<Holder>> {
    match &row.grant.subject {
        Subject::Person(person) => Ok(revocation::held_by(tx, person, desk.now).await?),
        Subject::Group(group) => desk.held_below(tx, group).await,
    }
}

/// Changes from when until when a grant holds. `version` is the If-Match value. Gives the grant as it is afterwards.
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, `span.empty`, `span.past`.
pub async fn change_span(deps: &Deps, actor: &Actor, id: &GrantId, version: Option<i64>, span: Span) -> Result<GrantRow> {
    let desk = Desk::new(deps, actor);
    still_to_come(span, desk.now)?;
    let done: Result<GrantRow> = run_tx!(deps.db, "grant.change", |tx| {
        let mut row = load(tx, desk.actor, id).await?;
        if version.is_some_and(|v| v != row.version) {
            return Err(Refusal::stale().into());
        }
        if row.grant.span == span {
            return Ok(row);
        }
        let held = held(tx, &desk, &row).await?;
        if !grants::update(tx, id, row.version, span).await? {
            return Err(Refusal::stale().into());
        }
        desk.end_not_admitted(tx, held).await?;
        let change = change("grant.change", &row).before(value(&row, row.grant.span)).after(value(&row, span));
        desk.changed(tx, &BTreeSet::from([row.grant.space.clone()]), Effect::Takes, &change).await?;
        row.grant.span = span;
        row.version += 1;
        Ok(row)
    });
    deps.wake.ring();
    done
}

/// Revokes a grant. Codes and refresh families of people who lose the Space end in the same transaction (rules C1).
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`.
pub async fn revoke(deps: &Deps, actor: &Actor, id: &GrantId, version: Option<i64>) -> Result<()> {
    let desk = Desk::new(deps, actor);
    let done: Result<()> = run_tx!(deps.db, "grant.revoke", |tx| {
        let row = load(tx, desk.actor, id).await?;
        if version.is_some_and(|v| v != row.version) {
            return Err(Refusal::stale().into());
        }
        let held = held(tx, &desk, &row).await?;
        grants::remove(tx, id).await?;
        desk.end_not_admitted(tx, held).await?;
        let change = change("grant.revoke", &row).before(value(&row, row.grant.span));
        desk.changed(tx, &BTreeSet::from([row.grant.space.clone()]), Effect::Takes, &change).await
    });
    deps.wake.ring();
    done
}
