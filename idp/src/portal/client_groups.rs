//! Whom a client admits: restricting it to groups, one at a time, and opening it again. What that does is shown before it is
//! done; a group that is not on the screen is never touched.

use super::clients::{ask, load};
use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::effects;
use super::pick::{Pick, What, named, subject, subject_text};
use crate::accounts::clients::{self as cases, EditClient};
use crate::core::access::ClientDoor;
use crate::core::client::Client;
use crate::core::directory::Subject;
use crate::core::ids::{ClientId, GroupId};
use crate::core::policy::Act;
use crate::http::{Path, Query};
use std::collections::BTreeSet;

/// `GET /admin/clients/{id}/groups/add`: find a group.
pub(super) async fn picking(desk: Desk, Path(id): Path<ClientId>, Query(input): Query<Input>) -> Answer {
    let (client, _) = load(&desk, &id).await?;
    desk.sees(&Act::ManageClients)?;
    let here = format!("/admin/clients/{id}");
    let page = Pick {
        title: format!("Let members of a group use {}", client.name),
        text: "With a group it admits members of its groups only. What that does is shown before it is done.".into(),
        trail: vec![("Clients".into(), "/admin/clients".into()), (client.name, here.clone())],
        action: format!("{here}/groups/add"),
        next: format!("{here}/groups/check"),
        label: "Name of the group",
        ..Pick::default()
    };
    desk.page(&page.find(&desk, &input, What::Groups).await?)
}

fn group(input: &Input) -> Result<GroupId, Fault> {
    match subject(input.get("who"))? {
        Subject::Group(group) => Ok(group),
        Subject::Person(_) => Err(Fault::gone()),
    }
}

/// The groups after the change.
fn changed(groups: &BTreeSet<GroupId>, group: &GroupId, add: bool) -> BTreeSet<GroupId> {
    let mut after = groups.clone();
    if add {
        after.insert(group.clone());
    } else {
        after.remove(group);
    }
    after
}

async fn question(
    desk: &Desk,
    client: &Client,
    groups: &BTreeSet<GroupId>,
    group: &GroupId,
    add: bool,
) -> Result<Confirm, Fault> {
    let who = Subject::Group(group.clone());
    let (name, group_name) = (&client.name, named(desk, &who).await?);
    let after = changed(groups, group, add);
    let mut asked = if add {
        let asked = ask(client, &format!("Let members of {group_name} use {name}?"), "groups/add", "Restrict to group");
        if groups.is_empty() {
            asked.danger().warn("Until now every active person may use it. From then on only members of this group may.")
        } else {
            asked
        }
    } else {
        ask(client, &format!("Take {group_name} from {name}?"), "groups/remove", "Take group away").danger()
    };
    if !add && after.is_empty() {
        asked = asked.warn("It is the last group: from then on every active person may use the client.").check(
            "confirmed",
            "Every active person may use it.",
            false,
        );
    }
    asked = asked.with("who", &subject_text(&who)).with("version", &client.version.to_string());
    let (before, after) = (ClientDoor::of(client.enabled, groups.clone()), ClientDoor::of(client.enabled, after));
    Ok(asked.effects(effects::of_client(desk, name, &before, &after).await?))
}

async fn show(desk: &Desk, id: &ClientId, input: &Input, add: bool) -> Answer {
    let (client, groups) = load(desk, id).await?;
    desk.sees(&Act::ManageClients)?;
    let group = group(input)?;
    if !add && !groups.contains(&group) {
        return Err(Fault::gone());
    }
    desk.page(&question(desk, &client, &groups, &group, add).await?)
}

async fn make(id: &ClientId, post: Post, add: bool) -> Answer {
    let Post { desk, input } = post;
    let (client, groups) = load(&desk, id).await?;
    let group = group(&input)?;
    let edit =
        EditClient { groups: Some(changed(&groups, &group, add)), confirmed: input.ticked("confirmed"), ..EditClient::default() };
    // the groups were read above: the version sent must be the one they belong to
    let seen = input.version().filter(|seen| *seen == client.version).unwrap_or(0);
    match cases::edit(&desk.deps, desk.actor(), id, Some(seen), edit).await {
        Ok(_) => desk.done(&format!("/admin/clients/{id}"), if add { "added" } else { "removed" }),
        Err(error) => question(&desk, &client, &groups, &group, add).await?.refused(&desk, error.into()),
    }
}

/// `GET /admin/clients/{id}/groups/check`: what it does.
pub(super) async fn adding(desk: Desk, Path(id): Path<ClientId>, Query(input): Query<Input>) -> Answer {
    show(&desk, &id, &input, true).await
}

/// `POST /admin/clients/{id}/groups/add`.
pub(super) async fn add(Path(id): Path<ClientId>, post: Post) -> Answer {
    make(&id, post, true).await
}

/// `GET /admin/clients/{id}/groups/remove`: what it does.
pub(super) async fn removing(desk: Desk, Path(id): Path<ClientId>, Query(input): Query<Input>) -> Answer {
    show(&desk, &id, &input, false).await
}

/// `POST /admin/clients/{id}/groups/remove`.
pub(super) async fn remove(Path(id): Path<ClientId>, post: Post) -> Answer {
    make(&id, post, false).await
}
