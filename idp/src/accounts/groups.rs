//! Groups: create, edit, delete.

use super::desk::{Desk, Effect};
use super::names::say_taken;
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::GroupId;
use crate::core::policy::{Act, Actor};
use crate::core::text::DisplayName;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::groups::{self, Group, GroupKind, Uses};
use crate::storage::{Tx, directory};
use serde_json::json;

/// A group to create. Take `description` through [`super::input::description`].
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Name, unique in any case.
    pub name: DisplayName,
    /// What it is for.
    pub description: String,
    /// Local, or filled by a provider.
    pub kind: GroupKind,
}

/// What to change of a group; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct EditGroup {
    /// Name.
    pub name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<String>,
}

/// Creates a group.
///
/// # Errors
/// Refused: `right.missing`, `group.name_taken`, `group.external_taken`, `provider.invalid`, `foreign_id.invalid`.
pub async fn create(deps: &Deps, actor: &Actor, new: NewGroup) -> Result<GroupId> {
    actor.may(&Act::ManageGroups)?;
    let description = super::input::description(&new.description)?;
    if let GroupKind::External { provider, external_id } = &new.kind {
        super::input::provider(provider)?;
        super::input::foreign_id("external_id", external_id)?;
    }
    let desk = Desk::new(deps, actor);
    let created: Result<GroupId> = run_tx!(deps.db, "group.create", |tx| {
        refuse_name(tx, &new.name, None).await?;
        if let GroupKind::External { provider, external_id } = &new.kind
            && groups::by_external(tx, provider, external_id).await?.is_some()
        {
            let text = "There is a group for this group of the provider.";
            return Err(Refusal::conflict("group.external_taken", text).field("external_id").into());
        }
        let group = Group {
            id: GroupId::from_uuid(deps.entropy.id(desk.now)),
            kind: new.kind.clone(),
            name: new.name.to_string(),
            description: description.clone(),
            created_at: desk.now,
            updated_at: desk.now,
            version: 1,
        };
        groups::insert(tx, &group, &new.name.key()).await?;
        let change = Change::new("group.create", "group", group.id.as_str(), &group.name).after(json(&group));
        desk.changed(tx, &Default::default(), Effect::Gives, &change).await?;
        Ok(group.id)
    });
    say_taken(created)
}

fn json(group: &Group) -> serde_json::Value {
    match &group.kind {
        GroupKind::Local => json!({ "name": group.name, "description": group.description }),
        GroupKind::External { provider, external_id } => {
            json!({ "name": group.name, "description": group.description, "provider": provider, "external_id": external_id })
        }
    }
}

async fn refuse_name(tx: &mut Tx, name: &DisplayName, own: Option<&GroupId>) -> Result<()> {
    match groups::by_name(tx, &name.key()).await? {
        Some(id) if Some(&id) != own => {
            Err(Refusal::conflict("group.name_taken", "There is a group with this name.").field("name").into())
        }
        _ => Ok(()),
    }
}

/// Loads a group or refuses.
pub(super) async fn load(tx: &mut Tx, id: &GroupId) -> Result<Group> {
    groups::find(tx, id).await?.ok_or_else(|| Error::Refused(Refusal::not_found("group")))
}

/// Changes name or description. `version` is the If-Match value. Gives the group as it is afterwards.
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, `group.name_taken`.
pub async fn edit(deps: &Deps, actor: &Actor, id: &GroupId, version: Option<i64>, edit: EditGroup) -> Result<Group> {
    actor.may(&Act::ManageGroups)?;
    let description = edit.description.as_deref().map(super::input::description).transpose()?;
    let desk = Desk::new(deps, actor);
    let done: Result<Group> = run_tx!(deps.db, "group.edit", |tx| {
        let before = load(tx, id).await?;
        if version.is_some_and(|v| v != before.version) {
            return Err(Refusal::stale().into());
        }
        let mut after = before.clone();
        if let Some(name) = &edit.name {
            refuse_name(tx, name, Some(id)).await?;
            after.name = name.to_string();
        }
        if let Some(text) = &description {
            after.description.clone_from(text);
        }
        if after == before {
            return Ok(before);
        }
        if !groups::update(tx, &after, &crate::core::text::fold(&after.name), desk.now).await? {
            return Err(Refusal::stale().into());
        }
        let change = Change::new("group.edit", "group", id.as_str(), &after.name).before(json(&before)).after(json(&after));
        if after.name == before.name {
            desk.audit(tx, &change).await?; // Spaces do not know descriptions
        } else {
            let spaces = directory::spaces_with_group(tx, id).await?;
            desk.changed(tx, &spaces, Effect::Gives, &change).await?;
        }
        after.version += 1;
        after.updated_at = desk.now;
        Ok(after)
    });
    let done = say_taken(done)?;
    deps.wake.ring();
    Ok(done)
}

/// Deletes a group. One that is used is deleted only when `confirmed`, after the caller has shown what it does
/// ([`super::access::dry_run`]); one that a client is restricted to is never deleted, since the client would open to all.
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, `group.in_use`, `group.restricts_client`.
pub async fn delete(deps: &Deps, actor: &Actor, id: &GroupId, version: Option<i64>, confirmed: bool) -> Result<()> {
    actor.may(&Act::ManageGroups)?;
    let desk = Desk::new(deps, actor);
    let done: Result<()> = run_tx!(deps.db, "group.delete", |tx| delete_in(tx, &desk, id, version, confirmed).await);
    deps.wake.ring();
    done
}

async fn delete_in(tx: &mut Tx, desk: &Desk<'_>, id: &GroupId, version: Option<i64>, confirmed: bool) -> Result<()> {
    let group = load(tx, id).await?;
    if version.is_some_and(|v| v != group.version) {
        return Err(Refusal::stale().into());
    }
    let uses = groups::uses(tx, id).await?;
    if uses.clients > 0 {
        let text = "A client admits only members of this group. Change the client first.";
        return Err(Refusal::conflict("group.restricts_client", text).into());
    }
    if uses != Uses::default() && !confirmed {
        let text = format!(
            "This group is in use: {} members, in {} groups, {} grants, published to {} Spaces, {} rights. Look at what deleting it does, then confirm.",
            uses.members, uses.parents, uses.grants, uses.published, uses.rights
        );
        return Err(Refusal::conflict("group.in_use", text).into());
    }
    let spaces = directory::spaces_above_group(tx, id).await?;
    let held = desk.held_below(tx, id).await?;
    groups::delete(tx, id).await?;
    desk.end_not_admitted(tx, held).await?;
    let mut before = json(&group);
    if let serde_json::Value::Object(map) = &mut before {
        map.insert("members".into(), uses.members.into());
        map.insert("grants".into(), uses.grants.into());
        map.insert("published".into(), uses.published.into());
    }
    let change = Change::new("group.delete", "group", id.as_str(), &group.name).before(before);
    desk.changed(tx, &spaces, Effect::Takes, &change).await
}
