//! Administrative rights of people: give and take (rules C7, C11).

use super::desk::Desk;
use super::people::{load, owns_everything};
use super::{Error, Result};
use crate::core::change::Change;
use crate::core::ids::{PersonId, RightId};
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::rights::{self, RightRow};
use crate::storage::{Tx, groups, spaces};
use serde_json::json;

/// Gives a right, or gives one that is there another end. Gives its id.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `right.nonsense`, `span.past`, `owner.last`.
pub async fn give(deps: &Deps, actor: &Actor, person: &PersonId, right: &Right, until: Option<Timestamp>) -> Result<RightId> {
    actor.may(&Act::ManageRights(right.clone()))?;
    let desk = Desk::new(deps, actor);
    if until.is_some_and(|until| until <= desk.now) {
        return Err(Refusal::invalid("until", "span.past", "The end is in the past.").into());
    }
    if matches!((right.role, &right.scope), (Role::SpaceAdmin, Scope::Group(_)) | (Role::GroupAdmin, Scope::Space(_))) {
        let text = "A Space administrator has a Space or all as scope, a group administrator a group or all.";
        return Err(Refusal::invalid("scope", "right.nonsense", text).into());
    }
    run_tx!(deps.db, "right.give", |tx| give_in(tx, &desk, person, right, until).await)
}

pub(super) async fn give_in(
    tx: &mut Tx,
    desk: &Desk<'_>,
    person: &PersonId,
    right: &Right,
    until: Option<Timestamp>,
) -> Result<RightId> {
    let owner = load(tx, person).await?;
    match &right.scope {
        Scope::All => {}
        Scope::Space(id) => drop(spaces::find(tx, id).await?.ok_or_else(|| Refusal::not_found("Space").field("scope"))?),
        Scope::Group(id) => drop(groups::find(tx, id).await?.ok_or_else(|| Refusal::not_found("group").field("scope"))?),
    }
    let held = rights::held(tx, person, right).await?;
    if let Some((id, end)) = &held
        && *end == until
    {
        return Ok(id.clone());
    }
    let fresh = RightId::from_uuid(desk.deps.entropy.id(desk.now));
    let row = RightRow {
        id: held.as_ref().map_or(fresh, |(id, _)| id.clone()),
        person: person.clone(),
        person_name: owner.display_name.clone(),
        right: right.clone(),
        until,
        created_at: desk.now,
        created_by: desk.actor.name.clone(),
    };
    rights::put(tx, &row).await?;
    let whole = Right { role: Role::Owner, scope: Scope::All };
    if *right == whole && held.is_some() && until.is_some() {
        desk.refuse_lockout(tx).await?; // an end was put to an owner's right
    }
    let value = |end: Option<Timestamp>| json!({ "right": right, "until": end.map(Timestamp::rfc3339) });
    let mut change = Change::new("right.give", "person", person.as_str(), &owner.display_name).after(value(until));
    change.before = held.map(|(_, end)| value(end));
    change.space = space_of(right);
    desk.audit(tx, &change).await?;
    Ok(row.id)
}

fn space_of(right: &Right) -> Option<crate::core::ids::SpaceId> {
    if let Scope::Space(id) = &right.scope { Some(id.clone()) } else { None }
}

/// Takes a right.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `owner.last`.
pub async fn take(deps: &Deps, actor: &Actor, id: &RightId) -> Result<()> {
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "right.take", |tx| {
        let row = rights::find(tx, id).await?;
        let Some(row) = row else {
            // who may not manage rights learns nothing from an id
            desk.actor.may(&Act::ManageRights(Right { role: Role::Owner, scope: Scope::All }))?;
            return Err(Error::Refused(Refusal::not_found("right")));
        };
        desk.actor.may(&Act::ManageRights(row.right.clone()))?;
        let was_owner =
            row.right == Right { role: Role::Owner, scope: Scope::All } && owns_everything(tx, &row.person, desk.now).await?;
        rights::remove(tx, id).await?;
        if was_owner {
            desk.refuse_lockout(tx).await?;
        }
        let mut change = Change::new("right.take", "person", row.person.as_str(), &row.person_name)
            .before(json!({ "right": row.right, "until": row.until.map(Timestamp::rfc3339) }));
        change.space = space_of(&row.right);
        desk.audit(tx, &change).await
    })
}
