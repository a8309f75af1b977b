//! Spaces: enlist, edit, publish groups, remove.

use super::desk::{Desk, Effect};
use super::names::say_taken;
use super::{Error, Result, groups, input};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::client::ClientSettings;
use crate::core::ids::{ClientId, GroupId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::core::text::{DisplayName, Slug};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::spaces::{self, OfflinePolicy, Space};
use crate::storage::{Tx, clients, marks, sections, space_clients};
use serde_json::json;
use std::collections::BTreeSet;

/// A Space to enlist.
#[derive(Clone, Debug)]
pub struct NewSpace {
    /// Name, unique in any case.
    pub name: DisplayName,
    /// Short name: its address in ODCM and the id of its OAuth client. Never changes.
    pub slug: Slug,
    /// Public URL; normalised here.
    pub base_url: String,
    /// What it is for.
    pub description: String,
    /// What it does without word from ODCM.
    pub offline_policy: OfflinePolicy,
    /// Delete API keys of people who lose it (rules A9).
    pub revoke_api_keys: bool,
}

/// What to change of a Space; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct EditSpace {
    /// Name.
    pub name: Option<DisplayName>,
    /// Public URL; normalised here. The redirect URIs follow it.
    pub base_url: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it does without word from ODCM.
    pub offline_policy: Option<OfflinePolicy>,
    /// Delete API keys of people who lose it (rules A9).
    pub revoke_api_keys: Option<bool>,
}

/// Enlists a Space: its row, its OAuth client with the redirect URIs of both providers (rules B8, B9), its first mark.
///
/// # Errors
/// Refused: `right.missing`, `space.slug_taken`, `space.name_taken`, `space.url_taken`, `base_url.invalid`,
/// `description.invalid`.
pub async fn enlist(deps: &Deps, actor: &Actor, new: NewSpace) -> Result<SpaceId> {
    actor.may(&Act::ManageSpaces)?;
    let base_url = input::base_url(&new.base_url)?;
    let description = input::description(&new.description)?;
    let client_id = ClientId::parse(new.slug.as_str()).map_err(|e| Error::Internal(e.to_string()))?;
    let desk = Desk::new(deps, actor);
    let done: Result<SpaceId> = run_tx!(deps.db, "space.enlist", |tx| {
        if spaces::by_slug(tx, new.slug.as_str()).await?.is_some() || space_clients::exists(tx, &client_id).await? {
            let text = "There is a Space or client with this short name. Choose another one.";
            return Err(Refusal::conflict("space.slug_taken", text).field("slug").into());
        }
        refuse_name(tx, &new.name, None).await?;
        refuse_url(tx, &base_url, None).await?;
        let space = Space {
            id: SpaceId::from_uuid(deps.entropy.id(desk.now)),
            slug: new.slug.to_string(),
            name: new.name.to_string(),
            description: description.clone(),
            base_url: base_url.clone(),
            client_id: client_id.clone(),
            offline_policy: new.offline_policy,
            revoke_api_keys: new.revoke_api_keys,
            secret_generation: 1,
            installation_id: None,
            created_at: desk.now,
            updated_at: desk.now,
            version: 1,
        };
        spaces::insert(tx, &space, &new.name.key()).await?;
        space_clients::insert(tx, &space, &ClientSettings::for_space(&base_url), desk.now).await?;
        let change = Change::new("space.enlist", "space", space.id.as_str(), &space.name).in_space(&space.id).after(json(&space));
        desk.changed(tx, &BTreeSet::from([space.id.clone()]), Effect::Gives, &change).await?;
        Ok(space.id)
    });
    let done = say_taken(done)?;
    deps.wake.ring();
    Ok(done)
}

fn json(space: &Space) -> serde_json::Value {
    json!({ "name": space.name, "slug": space.slug, "base_url": space.base_url, "description": space.description,
        "offline_policy": space.offline_policy, "revoke_api_keys": space.revoke_api_keys })
}

async fn refuse_name(tx: &mut Tx, name: &DisplayName, own: Option<&SpaceId>) -> Result<()> {
    match spaces::by_name(tx, &name.key()).await? {
        Some(id) if Some(&id) != own => {
            Err(Refusal::conflict("space.name_taken", "There is a Space with this name.").field("name").into())
        }
        _ => Ok(()),
    }
}

async fn refuse_url(tx: &mut Tx, base_url: &str, own: Option<&SpaceId>) -> Result<()> {
    match spaces::by_url(tx, base_url).await? {
        Some(id) if Some(&id) != own => {
            Err(Refusal::conflict("space.url_taken", "There is a Space with this address.").field("base_url").into())
        }
        _ => Ok(()),
    }
}

/// Loads a Space or refuses.
pub(super) async fn load(tx: &mut Tx, id: &SpaceId) -> Result<Space> {
    spaces::find(tx, id).await?.ok_or_else(|| Error::Refused(Refusal::not_found("Space")))
}

/// Changes settings. `version` is the If-Match value. Gives the Space as it is afterwards.
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, and as in [`enlist`].
pub async fn edit(deps: &Deps, actor: &Actor, id: &SpaceId, version: Option<i64>, edit: EditSpace) -> Result<Space> {
    actor.may(&Act::ManageSpace(id.clone()))?;
    let base_url = edit.base_url.as_deref().map(input::base_url).transpose()?;
    let description = edit.description.as_deref().map(input::description).transpose()?;
    let desk = Desk::new(deps, actor);
    let done: Result<Space> = run_tx!(deps.db, "space.edit", |tx| {
        let before = load(tx, id).await?;
        if version.is_some_and(|v| v != before.version) {
            return Err(Refusal::stale().into());
        }
        let mut after = before.clone();
        if let Some(name) = &edit.name {
            refuse_name(tx, name, Some(id)).await?;
            after.name = name.to_string();
        }
        if let Some(url) = &base_url {
            refuse_url(tx, url, Some(id)).await?;
            after.base_url.clone_from(url);
        }
        if let Some(text) = &description {
            after.description.clone_from(text);
        }
        after.offline_policy = edit.offline_policy.unwrap_or(after.offline_policy);
        after.revoke_api_keys = edit.revoke_api_keys.unwrap_or(after.revoke_api_keys);
        if after == before {
            return Ok(before);
        }
        if !spaces::update(tx, &after, &crate::core::text::fold(&after.name), desk.now).await? {
            return Err(Refusal::stale().into());
        }
        if after.base_url != before.base_url || after.name != before.name {
            space_clients::follow(tx, &after, desk.now).await?;
        }
        let change =
            Change::new("space.edit", "space", id.as_str(), &after.name).in_space(id).before(json(&before)).after(json(&after));
        desk.changed(tx, &BTreeSet::from([id.clone()]), Effect::Gives, &change).await?;
        after.version += 1;
        after.updated_at = desk.now;
        Ok(after)
    });
    let done = say_taken(done)?;
    deps.wake.ring();
    Ok(done)
}

/// Has the agent make a new client secret for its Space and write it there (rules B9). The one before stays valid for a
/// week, so nobody's sign-in fails meanwhile. Gives the generation that was asked for.
///
/// # Errors
/// Refused: `not_found`, `right.missing`; `space.rotating` while an earlier secret is not in place yet, since no more than
/// two are valid at a time.
pub async fn rotate_secret(deps: &Deps, actor: &Actor, id: &SpaceId) -> Result<i64> {
    actor.may(&Act::ManageSpace(id.clone()))?;
    let desk = Desk::new(deps, actor);
    let done: Result<i64> = run_tx!(deps.db, "space.rotate_secret", |tx| {
        let space = load(tx, id).await?;
        let made = clients::secrets(tx, &space.client_id).await?.first().map_or(0, |newest| newest.generation);
        let section = sections::find(tx, id, "authentication").await?;
        let in_place = section.is_some_and(|s| (s.acked_epoch, s.acked_revision) == (s.epoch, s.revision));
        if made < space.secret_generation || !in_place {
            let text = "The agent has not put the present client secret in place yet. Rotate it when it has.";
            return Err(Refusal::conflict("space.rotating", text).into());
        }
        spaces::raise_secret_generation(tx, id, desk.now).await?;
        let generation = space.secret_generation + 1;
        let change = Change::new("space.rotate_secret", "space", id.as_str(), &space.name)
            .in_space(id)
            .before(json!({ "generation": space.secret_generation }))
            .after(json!({ "generation": generation }));
        marks::mark(tx, &BTreeSet::from([id.clone()]), desk.now).await?;
        desk.audit(tx, &change).await?;
        Ok(generation)
    });
    deps.wake.ring();
    done
}

/// Publishes a group to a Space without granting entry (rules A3). False: it was.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn publish(deps: &Deps, actor: &Actor, id: &SpaceId, group: &GroupId) -> Result<bool> {
    turn(deps, actor, id, group, true).await
}

/// Takes a published group back. False: it was not published.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn unpublish(deps: &Deps, actor: &Actor, id: &SpaceId, group: &GroupId) -> Result<bool> {
    turn(deps, actor, id, group, false).await
}

async fn turn(deps: &Deps, actor: &Actor, id: &SpaceId, group: &GroupId, on: bool) -> Result<bool> {
    actor.may(&Act::ManageGrants(id.clone()))?;
    let desk = Desk::new(deps, actor);
    let done: Result<bool> = run_tx!(deps.db, "space.publish", |tx| {
        let space = load(tx, id).await?;
        let group = groups::load(tx, group).await?;
        let changed =
            if on { spaces::publish(tx, id, &group.id, desk.now).await? } else { spaces::unpublish(tx, id, &group.id).await? };
        if !changed {
            return Ok(false);
        }
        let value = json!({ "group": group.id, "name": group.name });
        let change = if on {
            Change::new("group.publish", "space", id.as_str(), &space.name).about(group.id.as_str()).in_space(id).after(value)
        } else {
            Change::new("group.unpublish", "space", id.as_str(), &space.name).about(group.id.as_str()).in_space(id).before(value)
        };
        let effect = if on { Effect::Gives } else { Effect::Takes };
        desk.changed(tx, &BTreeSet::from([id.clone()]), effect, &change).await?;
        Ok(true)
    });
    deps.wake.ring();
    done
}

/// Removes a Space with everything ODCM knows about it, its client included. One with an agent is removed only when
/// `confirmed`: nothing is undone in the Octopus server, which keeps its accounts and its authentication settings until
/// `odcm-agent restore-auth` runs there (rules B12).
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, `space.has_agent`.
pub async fn remove(deps: &Deps, actor: &Actor, id: &SpaceId, version: Option<i64>, confirmed: bool) -> Result<()> {
    actor.may(&Act::ManageSpaces)?;
    let desk = Desk::new(deps, actor);
    let done: Result<()> = run_tx!(deps.db, "space.remove", |tx| {
        let space = load(tx, id).await?;
        if version.is_some_and(|v| v != space.version) {
            return Err(Refusal::stale().into());
        }
        if !confirmed && spaces::has_agent(tx, id).await? {
            let text = "An agent serves this Space. Run `odcm-agent restore-auth` beside the Octopus server first, or confirm that its accounts and settings stay as they are.";
            return Err(Refusal::conflict("space.has_agent", text).into());
        }
        spaces::remove(tx, id).await?;
        let change = Change::new("space.remove", "space", id.as_str(), &space.name).in_space(id).before(json(&space));
        desk.changed(tx, &BTreeSet::new(), Effect::Takes, &change).await
    });
    deps.wake.ring();
    deps.agents.ring();
    done
}
