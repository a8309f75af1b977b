//! How a person signs in: identities, sessions, API tokens and what applications were allowed; ending each of them.

use super::confirm::Confirm;
use super::desk::{Answer, Desk, Fault, Input, Post};
use super::form::{Field, FormPage};
use super::once::{Once, Value};
use super::person::load;
use super::tokens::TokenView;
use crate::accounts::identities::{self as cases, NewIdentity};
use crate::accounts::{api_tokens, joining, sign_ins};
use crate::connectors::Doors;
use crate::core::Timestamp;
use crate::core::ids::{ApiTokenId, ClientId, IdentityId, PersonId, SessionId};
use crate::core::policy::Act;
use crate::http::Path;
use crate::login::browser;
use crate::storage::emails::{self, IdentityRow};
use crate::storage::people::Person;
use crate::storage::{consent, credentials, sessions};
use serde::Serialize;

/// An identity at a provider.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Identity {
    id: String,
    provider: String,
    subject: String,
    label: String,
    last_used_at: Option<Timestamp>,
}

impl From<IdentityRow> for Identity {
    fn from(i: IdentityRow) -> Self {
        let (provider, subject, label) = (i.provider, i.subject, i.label);
        Self { id: i.id.to_string(), provider, subject, label, last_used_at: i.last_used_at }
    }
}

#[derive(Clone, Debug, Serialize)]
struct SessionView {
    id: String,
    browser: Option<String>,
    address: Option<String>,
    methods: Vec<&'static str>,
    created_at: Timestamp,
    last_seen_at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
struct ConsentView {
    client: String,
    name: String,
    scopes: Vec<String>,
    since: Timestamp,
}

/// What only those see who may read sign-ins.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SignIns {
    sessions: Vec<SessionView>,
    tokens: Vec<TokenView>,
    consents: Vec<ConsentView>,
}

/// The sign-ins of a person, if the caller may read them.
pub(super) async fn of(desk: &Desk, id: &PersonId) -> Result<Option<SignIns>, Fault> {
    if !desk.may(&Act::ReadSignIns) {
        return Ok(None);
    }
    let session = |s: sessions::Listed| SessionView {
        id: s.id.to_string(),
        browser: s.user_agent.as_deref().and_then(browser),
        address: s.address,
        methods: s
            .authentications
            .0
            .iter()
            .map(|a| a.method.amr())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect(),
        created_at: s.created_at,
        last_seen_at: s.last_seen_at,
    };
    let consent = |c: consent::Agreed| ConsentView {
        client: c.client_id.to_string(),
        name: c.client_name,
        scopes: c.scope.split(' ').map(str::to_owned).collect(),
        since: c.granted_at,
    };
    let tokens = sign_ins::tokens(&desk.deps, desk.actor(), id).await?;
    Ok(Some(SignIns {
        sessions: sign_ins::sessions(&desk.deps, desk.actor(), id).await?.into_iter().map(session).collect(),
        tokens: tokens.into_iter().rev().map(|t| TokenView::new(t, desk.now())).collect(),
        consents: sign_ins::consents(&desk.deps, desk.actor(), id).await?.into_iter().map(consent).collect(),
    }))
}

fn here(person: &Person) -> String {
    format!("/admin/people/{}", person.id)
}

/// Whether the caller may change this: the use case asks again.
async fn managed(desk: &Desk, id: &PersonId) -> Result<Person, Fault> {
    let person = load(desk, id).await?;
    desk.sees(&Act::ManagePeople)?;
    Ok(person)
}

fn identity_form(known: &Doors, person: &Person) -> FormPage {
    let known = known.buttons();
    let known: Vec<String> = known.into_iter().map(|(id, label)| format!("{id} ({label})")).collect();
    let known = if known.is_empty() {
        "No provider is connected yet: the identity counts as soon as one of this name is.".to_owned()
    } else {
        format!("Connected: {}.", known.join(", "))
    };
    let fields = vec![
        Field::text("provider", "Provider", "").hint(&format!("Its name in the configuration. {known}")),
        Field::text("subject", "Stable id at the provider", "").hint(
            "Exactly as the provider says it, such as a subject or object id. An address or login name may change hands one day.",
        ),
        Field::text("label", "Label", "").optional().hint("What people read, such as the address there. Empty: the id."),
    ];
    FormPage::new("Link an identity", &format!("{}/identities/add", here(person)), "Link identity", fields)
        .text(&format!("Whoever proves this identity at the provider signs in as {}.", person.display_name))
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
}

/// `GET /admin/people/{id}/identities/add`.
pub(super) async fn new_identity(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = managed(&desk, &id).await?;
    desk.page(&identity_form(&desk.deps.connectors.doors(&desk.deps).await?, &person))
}

/// `POST /admin/people/{id}/identities/add`.
pub(super) async fn link_identity(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    match try_link(&desk, &id, &input).await {
        Ok(()) => desk.done(&here(&person), "added"),
        Err(fault) => {
            let form = identity_form(&desk.deps.connectors.doors(&desk.deps).await?, &person);
            desk.again(fault, form, &input)
        }
    }
}

fn invite_form(known: &Doors, person: &Person) -> FormPage {
    let providers = known.buttons();
    let fields = vec![
        Field::select("provider", "Provider", "", providers),
        Field::text("tenant", "Organisation inside the provider", "").optional().hint(
            "An Entra tenant id or a Workspace domain. With it that organisation must vouch for the person. Without it the provider must prove the address; otherwise you are asked.",
        ),
    ];
    FormPage::new(&format!("Invite {}", person.display_name), &format!("{}/invite", here(person)), "Make invitation", fields)
        .text(&format!(
            "You get a link to hand over. With it {} signs in once at the provider, as {}; that account is the way in from then on, and no password is needed.",
            person.display_name, person.space_email
        ))
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))])
}

/// `GET /admin/people/{id}/invite`.
pub(super) async fn inviting(desk: Desk, Path(id): Path<PersonId>) -> Answer {
    let person = managed(&desk, &id).await?;
    desk.page(&invite_form(&desk.deps.connectors.doors(&desk.deps).await?, &person))
}

/// `POST /admin/people/{id}/invite`.
pub(super) async fn invite(Path(id): Path<PersonId>, post: Post) -> Answer {
    let Post { desk, input } = post;
    let person = load(&desk, &id).await?;
    match joining::invite(&desk.deps, desk.actor(), &id, input.get("provider"), input.filled("tenant")).await {
        Ok(link) => desk.page(&Once {
            title: format!("Invitation of {}", person.display_name),
            text: "Hand it over in a way that only this person reads. It works once; earlier links of the person do not work any more.".into(),
            trail: vec![("People".into(), "/admin/people".into()), (person.display_name.clone(), here(&person))],
            values: vec![Value { id: "link", label: "Link", value: link.url }],
            expires_at: Some(link.expires_at),
            next: here(&person),
            next_label: "I have copied the link".into(),
        }),
        Err(error) => {
            let form = invite_form(&desk.deps.connectors.doors(&desk.deps).await?, &person);
            desk.again(error.into(), form, &input)
        }
    }
}

async fn try_link(desk: &Desk, id: &PersonId, input: &Input) -> Result<(), Fault> {
    let new = NewIdentity::parse(input.get("provider"), input.get("subject"), input.get("label"))?;
    cases::link(&desk.deps, desk.actor(), id, &new).await?;
    Ok(())
}

async fn ask_unlink(desk: &Desk, person: &Person, id: &IdentityId) -> Result<Confirm, Fault> {
    let all = emails::identities(&mut desk.db(), &person.id).await?;
    let row = all.iter().find(|row| row.id == *id).ok_or_else(Fault::gone)?;
    let action = format!("{}/identities/{id}/remove", here(person));
    let ask = Confirm::new(&format!("Unlink {} ({})?", row.label, row.provider), &action, "Unlink identity")
        .danger()
        .text("Whoever proves this identity no longer signs in as this person. Sessions in which it was used end, with everything that applications hold because of them. API tokens of the person stay.")
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))]);
    let password = credentials::password(&mut desk.db(), &person.id).await?.is_some();
    Ok(if all.len() > 1 || password {
        ask
    } else {
        ask.warn("It is the only way in: the person has no local password and no other identity. Make a one-time link for them.")
    })
}

/// `GET /admin/people/{id}/identities/{identity}/remove`.
pub(super) async fn unlinking(desk: Desk, Path((id, identity)): Path<(PersonId, IdentityId)>) -> Answer {
    let person = managed(&desk, &id).await?;
    desk.page(&ask_unlink(&desk, &person, &identity).await?)
}

/// `POST /admin/people/{id}/identities/{identity}/remove`.
pub(super) async fn unlink(Path((id, identity)): Path<(PersonId, IdentityId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = load(&desk, &id).await?;
    match cases::unlink(&desk.deps, desk.actor(), &id, &identity).await {
        Ok(_) => desk.done(&here(&person), "removed"),
        Err(error) => ask_unlink(&desk, &person, &identity).await?.refused(&desk, error.into()),
    }
}

/// `POST /admin/people/{id}/sessions/{session}/end`.
pub(super) async fn end_session(Path((id, session)): Path<(PersonId, SessionId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    sign_ins::end_session(&desk.deps, desk.actor(), &id, &session).await?;
    desk.done(&format!("/admin/people/{id}"), "session_ended")
}

async fn ask_revoke(desk: &Desk, person: &Person, id: &ApiTokenId) -> Result<Confirm, Fault> {
    let tokens = sign_ins::tokens(&desk.deps, desk.actor(), &person.id).await?;
    let token = tokens.into_iter().find(|t| t.id == *id).ok_or_else(Fault::gone)?;
    let title = format!("Revoke the token “{}” of {}?", token.name, person.display_name);
    Ok(Confirm::new(&title, &format!("{}/tokens/{id}/revoke", here(person)), "Revoke token")
        .danger()
        .text("Programs that use it are refused from the next request on.")
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))]))
}

/// `GET /admin/people/{id}/tokens/{token}/revoke`.
pub(super) async fn revoking(desk: Desk, Path((id, token)): Path<(PersonId, ApiTokenId)>) -> Answer {
    let person = managed(&desk, &id).await?;
    desk.page(&ask_revoke(&desk, &person, &token).await?)
}

/// `POST /admin/people/{id}/tokens/{token}/revoke`.
pub(super) async fn revoke(Path((id, token)): Path<(PersonId, ApiTokenId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = managed(&desk, &id).await?;
    let ask = ask_revoke(&desk, &person, &token).await?;
    match api_tokens::revoke(&desk.deps, desk.actor(), &token).await {
        Ok(_) => desk.done(&here(&person), "revoked"),
        Err(error) => ask.refused(&desk, error.into()),
    }
}

async fn ask_withdraw(desk: &Desk, person: &Person, client: &ClientId) -> Result<Confirm, Fault> {
    let agreed = consent::find(&mut desk.db(), &person.id, client).await?.ok_or_else(Fault::gone)?;
    let title = format!("Withdraw what {} allowed {}?", person.display_name, agreed.client_name);
    Ok(Confirm::new(&title, &format!("{}/consents/{client}/withdraw", here(person)), "Withdraw")
        .danger()
        .text("What the application holds on behalf of the person ends at once. It asks the person again at the next sign-in.")
        .under(&[("People", "/admin/people"), (&person.display_name, &here(person))]))
}

/// `GET /admin/people/{id}/consents/{client}/withdraw`.
pub(super) async fn withdrawing(desk: Desk, Path((id, client)): Path<(PersonId, ClientId)>) -> Answer {
    let person = managed(&desk, &id).await?;
    desk.page(&ask_withdraw(&desk, &person, &client).await?)
}

/// `POST /admin/people/{id}/consents/{client}/withdraw`.
pub(super) async fn withdraw(Path((id, client)): Path<(PersonId, ClientId)>, post: Post) -> Answer {
    let Post { desk, .. } = post;
    let person = managed(&desk, &id).await?;
    match sign_ins::withdraw(&desk.deps, desk.actor(), &id, &client).await {
        Ok(()) => desk.done(&here(&person), "consent_withdrawn"),
        Err(error) => ask_withdraw(&desk, &person, &client).await?.refused(&desk, error.into()),
    }
}

impl Identity {
    pub(super) fn samples() -> Vec<Self> {
        let sample = |label: &str, last_used_at| Self {
            id: "x".into(),
            provider: "entra".into(),
            subject: "0b9f".into(),
            label: label.into(),
            last_used_at,
        };
        vec![sample("bob@contoso.com", Some(Timestamp(1))), sample("0b9f", None)]
    }
}

impl SignIns {
    pub(super) fn sample() -> Self {
        let session = |full: bool| SessionView {
            id: "x".into(),
            browser: full.then(|| "Firefox · Linux".into()),
            address: full.then(|| "192.0.2.7".into()),
            methods: vec!["pwd", "fed"],
            created_at: Timestamp(1),
            last_seen_at: Timestamp(1),
        };
        let scopes = ["openid", "email", "made.up"].map(str::to_owned).to_vec();
        let consent = ConsentView { client: "wiki".into(), name: "Wiki".into(), scopes, since: Timestamp(1) };
        Self { sessions: vec![session(true), session(false)], tokens: TokenView::samples(), consents: vec![consent] }
    }
    pub(super) fn none() -> Self {
        Self { sessions: vec![], tokens: vec![], consents: vec![] }
    }
}
