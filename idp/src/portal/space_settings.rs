//! Settings of a Space: its names, its agent, and un-enlisting it.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::once::{Once, Value};
use super::space::{Head, head, load};
use super::spaces::{policy, settings};
use crate::accounts::access::ProposedChange;
use crate::accounts::agent_status;
use crate::accounts::agents;
use crate::accounts::spaces::{self as cases, EditSpace};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::core::policy::Act;
use crate::core::text::DisplayName;
use crate::http::Path;
use crate::pages::Page;
use crate::storage::spaces::Space;
use serde::Serialize;

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SettingsPage {
    head: Head,
    client_id: String,
    offline_policy: &'static str,
    revoke_api_keys: bool,
    secret_wanted: i64,
    secret_made: i64,
    installation_id: Option<String>,
    created_at: Timestamp,
    enrolled: bool,
    open_code: Option<Timestamp>,
    may: bool,
    may_remove: bool,
}

fn here(space: &Space) -> String {
    format!("/admin/spaces/{}", space.id)
}

/// `GET /admin/spaces/{id}/settings`.
pub(super) async fn show(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    let status = agent_status::status(&desk.deps, desk.actor(), &id).await?;
    desk.page(&SettingsPage {
        head: head(&desk, &space, "settings").await?,
        client_id: space.client_id.to_string(),
        offline_policy: space.offline_policy.as_str(),
        revoke_api_keys: space.revoke_api_keys,
        secret_wanted: status.secret.wanted,
        secret_made: status.secret.made,
        installation_id: space.installation_id,
        created_at: space.created_at,
        enrolled: status.agent.is_some(),
        open_code: status.open_code,
        may: desk.may(&Act::ManageSpace(id)),
        may_remove: desk.may(&Act::ManageSpaces),
    })
}

fn form(space: &Space) -> FormPage {
    let mut fields =
        settings(&space.name, &space.base_url, &space.description, space.offline_policy.as_str(), space.revoke_api_keys);
    fields.push(Field::hidden("version", &space.version.to_string()));
    FormPage::new("Edit Space", &format!("{}/edit", here(space)), "Save", fields)
        .text("With another URL, sign-in returns there from now on.")
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/settings", here(space)))])
}

/// `GET /admin/spaces/{id}/edit`.
pub(super) async fn edit(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageSpace(id))?;
    desk.page(&form(&space))
}

/// `POST /admin/spaces/{id}/edit`.
pub(super) async fn save(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let space = load(&desk, &id).await?;
    match try_save(&desk, &id, &input).await {
        Ok(()) => desk.done(&format!("{}/settings", here(&space)), "saved"),
        Err(fault) => desk.again(fault, form(&space), &input),
    }
}

async fn try_save(desk: &Desk, id: &SpaceId, input: &Input) -> Result<(), Fault> {
    let edit = EditSpace {
        name: Some(DisplayName::parse("name", input.get("name"))?),
        base_url: Some(input.get("base_url").into()),
        description: Some(input.get("description").into()),
        offline_policy: Some(policy(input)?),
        revoke_api_keys: Some(input.ticked("revoke_api_keys")),
    };
    cases::edit(&desk.deps, desk.actor(), id, input.version(), edit).await?;
    Ok(())
}

/// `POST /admin/spaces/{id}/code`: a one-time enrolment code with the command that takes it.
pub(super) async fn code(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let space = load(&desk, &id).await?;
    let code = agents::create_enrolment_code(&desk.deps, desk.actor(), &id).await?;
    let issuer = desk.deps.settings.public.issuer().trim_end_matches('/').to_owned();
    let command = format!(
        "odcm-agent enroll --url {issuer} --code {} --octopus-url {} --octopus-key-file octopus.key",
        code.code, space.base_url
    );
    desk.page(&Once {
        title: format!("Enrol the agent of {}", space.name),
        text: "Run this on a host that reaches the Octopus server, with the API key of the agent's service account in the file octopus.key. Then start it with “odcm-agent run”. The code works once and is not shown again; codes made before are void.".into(),
        trail: vec![("Spaces".into(), "/admin/spaces".into()), (space.name.clone(), here(&space))],
        values: vec![
            Value { id: "command", label: "Command", value: command },
            Value { id: "code", label: "Code alone", value: code.code },
        ],
        expires_at: Some(code.expires_at),
        next: here(&space),
        next_label: "Watch the Space".into(),
    })
}

async fn ask_revoke(desk: &Desk, space: &Space) -> Result<Confirm, Fault> {
    let status = agent_status::status(&desk.deps, desk.actor(), &space.id).await?;
    let mut ask = Confirm::new(&format!("Revoke the agent of {}?", space.name), &format!("{}/agent/revoke", here(space)), "Revoke agent")
        .danger()
        .text("Its connection ends at once and its key is refused from now on; unused codes are void. What stands in the Octopus server stays as it is, and changes wait until another agent is enrolled.")
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/settings", here(space)))]);
    if status.sections.values().any(|s| s.removals_pending) {
        ask = ask.warn("Something is being taken away there and is not applied yet: whoever loses it keeps it until another agent is enrolled.");
    } else if !status.is_applied() {
        ask = ask.warn("Changes are on their way and not applied yet: they wait until another agent is enrolled.");
    }
    match status.agent {
        Some(agent) if agent.connected => Ok(ask.warn("The agent is connected at this moment.")),
        _ => Ok(ask),
    }
}

/// `GET /admin/spaces/{id}/agent/revoke`.
pub(super) async fn revoking(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageSpace(id))?;
    desk.page(&ask_revoke(&desk, &space).await?)
}

/// `POST /admin/spaces/{id}/agent/revoke`.
pub(super) async fn revoke(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let space = load(&desk, &id).await?;
    match agents::revoke(&desk.deps, desk.actor(), &id).await {
        Ok(_) => desk.done(&format!("{}/settings", here(&space)), "revoked"),
        Err(error) => ask_revoke(&desk, &space).await?.refused(&desk, error.into()),
    }
}

fn ask_rotate(space: &Space) -> Confirm {
    Confirm::new(&format!("Rotate the client secret of {}?", space.name), &format!("{}/secret", here(space)), "Rotate secret")
        .text("The agent makes a new secret and writes it into the Octopus server; ODCM keeps only its hash. The secret before stays valid for a week, so nobody's sign-in fails meanwhile. Settings that “odcm-agent restore-auth” put back are pointed at ODCM again.")
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/settings", here(space)))])
}

/// `GET /admin/spaces/{id}/secret`.
pub(super) async fn rotating(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageSpace(id))?;
    desk.page(&ask_rotate(&space))
}

/// `POST /admin/spaces/{id}/secret`.
pub(super) async fn rotate(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let space = load(&desk, &id).await?;
    match cases::rotate_secret(&desk.deps, desk.actor(), &id).await {
        Ok(_) => desk.done(&format!("{}/settings", here(&space)), "rotated"),
        Err(error) => ask_rotate(&space).refused(&desk, error.into()),
    }
}

async fn ask_remove(desk: &Desk, space: &Space) -> Result<Confirm, Fault> {
    let ask = Confirm::new(&format!("Un-enlist {}?", space.name), &format!("{}/remove", here(space)), "Un-enlist Space")
        .danger()
        .text("ODCM forgets the Space, its grants, its client and its agent. Nobody can sign in there with ODCM any more.")
        .warn("Nothing is undone in the Octopus server: accounts stay as they are. Run “odcm-agent restore-auth” beside it first, which puts its sign-in settings back.")
        .check("confirmed", "I have done that, or the settings may stay as they are.", false)
        .with("version", &space.version.to_string())
        .under(&[("Spaces", "/admin/spaces"), (&space.name, &format!("{}/settings", here(space)))]);
    ask.trying(desk, &ProposedChange::RemoveSpace { space: space.id.clone() }).await
}

/// `GET /admin/spaces/{id}/remove`.
pub(super) async fn removing(desk: Desk, Path(id): Path<SpaceId>) -> Answer {
    let space = load(&desk, &id).await?;
    desk.sees(&Act::ManageSpaces)?;
    desk.page(&ask_remove(&desk, &space).await?)
}

/// `POST /admin/spaces/{id}/remove`.
pub(super) async fn remove(Path(id): Path<SpaceId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let space = load(&desk, &id).await?;
    match cases::remove(&desk.deps, desk.actor(), &id, input.version(), input.ticked("confirmed")).await {
        Ok(()) => desk.done("/admin/spaces", "removed"),
        Err(error) => ask_remove(&desk, &space).await?.refused(&desk, error.into()),
    }
}

impl Page for SettingsPage {
    const TEMPLATE: &'static str = "admin/space_settings.html";
    fn samples() -> Vec<Self> {
        let full = Self {
            head: Head::sample("settings"),
            client_id: "mars".into(),
            offline_policy: "keep",
            revoke_api_keys: true,
            secret_wanted: 2,
            secret_made: 2,
            installation_id: Some("i".into()),
            created_at: Timestamp(1),
            enrolled: true,
            open_code: Some(Timestamp(1)),
            may: true,
            may_remove: true,
        };
        let bare = Self {
            offline_policy: "shut",
            installation_id: None,
            enrolled: false,
            open_code: None,
            revoke_api_keys: false,
            may: false,
            may_remove: false,
            secret_made: 0,
            ..full.clone()
        };
        vec![Self { may: true, ..bare.clone() }, bare, full]
    }
}
crate::page!(SettingsPage);
