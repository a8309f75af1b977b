//! Somebody whom a provider vouches for arrives: the one use case that turns a proof into a person. The decision is
//! [`core::joining::decide`](crate::core::joining::decide); here it meets what is stored, in one transaction.

use super::claimed;
use super::desk::Desk;
use super::links::{OneTimeLink, sha256};
use super::names::Reuse;
use super::people::{NewPerson, create_in, load};
use super::{Error, Result};
use crate::connectors::Identity;
use crate::core::change::Change;
use crate::core::ids::{IdentityId, PersonId};
use crate::core::joining::{Circumstances, Decision, Invitation, Said, decide};
use crate::core::policy::{Act, Actor, Via};
use crate::core::provider::Provider;
use crate::core::text::{DisplayName, Email, Username};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::credentials::{self, Link, Purpose};
use crate::storage::emails::{self, IdentityRow, Name};
use crate::storage::identity_requests::{self, RequestRow};
use crate::storage::{self, J, Rowish, Tx, invitations, providers};
use serde_json::json;

/// Most identities that wait at once: whoever makes accounts at a provider cannot fill our disk.
const MOST_WAITING: i64 = 2000;

/// What somebody brings besides the proof.
#[derive(Clone, Debug, Default)]
pub struct Brings {
    /// SHA-256 of the link of an invitation.
    pub invitation: Option<Vec<u8>>,
    /// The person who is signed in here and wants to add the identity.
    pub joining: Option<PersonId>,
    /// Address of the browser.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is this person's.
    Person(PersonId, IdentityId),
    /// An administrator decides.
    Waits,
    /// It belongs to somebody else than the one who wants it.
    Taken,
    /// Nobody here.
    Unknown,
}

fn actor(brings: &Brings, label: &str) -> Actor {
    Actor {
        person: brings.joining.clone(),
        name: label.to_owned(),
        via: Via::System,
        credential: None,
        rights: Vec::new(),
        address: brings.address.clone(),
        request_id: brings.request_id.clone(),
    }
}

/// Takes in somebody whom `provider` vouches for.
///
/// # Errors
/// Any storage error.
pub async fn arrive(deps: &Deps, provider: &Provider, identity: &Identity, brings: &Brings) -> Result<Arrival> {
    let actor = actor(brings, &identity.label);
    let desk = Desk::new(deps, &actor);
    let arrived: Result<Arrival> =
        run_tx!(deps.db, "identity.arrive", |tx| arrive_in(tx, &desk, provider, identity, brings).await);
    match arrived {
        // two browsers at once: the other one's commit decided
        Err(Error::Storage(storage::Error::Unique(_))) => {
            run_tx!(deps.db, "identity.arrive", |tx| arrive_in(tx, &desk, provider, identity, brings).await)
        }
        other => other,
    }
}

async fn arrive_in(tx: &mut Tx, desk: &Desk<'_>, provider: &Provider, identity: &Identity, brings: &Brings) -> Result<Arrival> {
    let owner = emails::identity(tx, &identity.provider, &identity.subject).await?;
    let invitation = match &brings.invitation {
        Some(hash) => invitations::find(tx, hash, desk.now).await?,
        None => None,
    };
    let name_taken = name_taken(tx, &identity.said, provider, &identity.label).await?;
    let now = Circumstances {
        owner: owner.as_ref().map(|row| row.person_id.clone()),
        invitation,
        joining: brings.joining.clone(),
        name_taken,
    };
    let person = match decide(provider, &identity.said, &now) {
        Decision::SignIn(person) => {
            let id = owner.map(|row| row.id).ok_or(storage::Error::Rows { what: "identity", rows: 0 })?;
            groups(tx, desk, identity, &person).await?;
            return Ok(Arrival::Person(person, id));
        }
        Decision::Join(person) => {
            if let (Some(hash), true) = (&brings.invitation, brings.joining.is_none())
                && credentials::consume_link(tx, hash, Purpose::Invitation, desk.now).await?.is_none()
            {
                return Ok(Arrival::Unknown);
            }
            person
        }
        Decision::Create => match newcomer(&identity.said, provider, &identity.label) {
            Some(new) => create_in(tx, desk, &new, Reuse::Refused).await?.id,
            None => return Ok(Arrival::Unknown),
        },
        Decision::Ask(person) => return waits(tx, desk, identity, Some(person)).await,
        Decision::Conflict => return waits(tx, desk, identity, None).await,
        Decision::Taken => return Ok(Arrival::Taken),
        Decision::Unknown => return Ok(Arrival::Unknown),
    };
    let id = join(tx, desk, &person, &identity.provider, &identity.subject, &identity.label).await?;
    groups(tx, desk, identity, &person).await?;
    Ok(Arrival::Person(person, id))
}

async fn groups(tx: &mut Tx, desk: &Desk<'_>, identity: &Identity, person: &PersonId) -> Result<()> {
    match &identity.said.groups {
        Some(named) => claimed::follow(tx, desk, &identity.provider, person, named).await,
        None => Ok(()),
    }
}

/// Gives an identity that is nobody's to a person.
async fn join(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId, provider: &str, subject: &str, label: &str) -> Result<IdentityId> {
    let owner = load(tx, person).await?;
    let row = IdentityRow {
        id: IdentityId::from_uuid(desk.deps.entropy.id(desk.now)),
        person_id: person.clone(),
        provider: provider.to_owned(),
        subject: subject.to_owned(),
        label: label.to_owned(),
        created_at: desk.now,
        last_used_at: None,
    };
    emails::insert_identity(tx, &row).await?;
    storage::people::touch(tx, person, desk.now).await?;
    let facts = json!({ "identity": row.id, "provider": provider, "subject": subject, "label": label });
    desk.audit(tx, &Change::new("identity.link", "person", person.as_str(), &owner.display_name).after(facts)).await?;
    Ok(row.id)
}

async fn waits(tx: &mut Tx, desk: &Desk<'_>, identity: &Identity, person: Option<PersonId>) -> Result<Arrival> {
    if identity_requests::waiting(tx).await? >= MOST_WAITING {
        tracing::error!(provider = identity.provider, "too many identities wait for a decision; another is turned away");
        return Ok(Arrival::Unknown);
    }
    let row = RequestRow {
        id: desk.deps.entropy.id(desk.now).hyphenated().to_string(),
        provider: identity.provider.clone(),
        subject: identity.subject.clone(),
        label: identity.label.clone(),
        said: J(identity.said.clone()),
        person_id: person,
        created_at: desk.now,
        seen_at: desk.now,
    };
    identity_requests::put(tx, &row).await?;
    Ok(Arrival::Waits)
}

/// The person that would be made of what a provider says: as much of it as fits our rules.
fn newcomer(said: &Said, provider: &Provider, label: &str) -> Option<NewPerson> {
    let email = said.email.as_deref().and_then(|text| Email::parse(text).ok())?;
    let wish = said.username.as_deref().unwrap_or(label);
    let local = wish.split('@').next().unwrap_or(wish);
    let plain: String = local.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).take(64).collect();
    let username = Username::parse(&plain).ok()?;
    let name = said.name.as_deref().unwrap_or(label);
    let display_name = DisplayName::parse("name", name).or_else(|_| DisplayName::parse("name", username.as_str())).ok()?;
    Some(NewPerson {
        username,
        display_name,
        email_verified: said.proven_email(provider).is_some(),
        email,
        reuse_former_names: false,
        password_link: false,
    })
}

async fn is_taken(db: &mut impl Rowish, new: &NewPerson) -> storage::Result<bool> {
    let (username, email) = (new.username.key(), new.email.key());
    Ok(emails::claim(db, Name::Username, &username).await?.is_some()
        || emails::claim(db, Name::Email, &email).await?.is_some()
        || emails::verified_owner(db, &email).await?.is_some())
}

/// Whether a person made of what is said would need a name that is somebody's, or could not be made at all.
pub(super) async fn name_taken(db: &mut impl Rowish, said: &Said, provider: &Provider, label: &str) -> storage::Result<bool> {
    match newcomer(said, provider, label) {
        Some(new) => is_taken(db, &new).await,
        None => Ok(true), // nobody can be made of so little: somebody must decide
    }
}

/// Makes a link with which a person joins their own identity at a provider. Earlier unused links of the person become useless.
/// `tenant` names the organisation inside the provider that must vouch.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `person.disabled`.
pub async fn invite(deps: &Deps, actor: &Actor, person: &PersonId, provider: &str, tenant: Option<&str>) -> Result<OneTimeLink> {
    actor.may(&Act::ManagePeople)?;
    let tenant = tenant.map(|text| super::input::foreign_id("tenant", text)).transpose()?;
    let desk = Desk::new(deps, actor);
    let secret = deps.entropy.secret();
    let expires_at = desk.now.plus_secs(deps.settings.sign_in.one_time_link);
    run_tx!(deps.db, "identity.invite", |tx| {
        let person = load(tx, person).await?;
        desk.may_touch_credentials(tx, &person.id).await?;
        if !person.active {
            return Err(Refusal::conflict("person.disabled", "This person is disabled. Enable them first.").into());
        }
        if providers::find(tx, provider).await?.is_none_or(|p| !p.provider.enabled) {
            return Err(
                Refusal::invalid("provider", "provider.unknown", "There is no such provider, or it is switched off.").into()
            );
        }
        let invitation = Invitation {
            person: person.id.clone(),
            provider: provider.to_owned(),
            email: person.space_email.clone(),
            tenant: tenant.clone(),
        };
        credentials::drop_links(tx, &person.id).await?;
        let link = Link { person_id: Some(person.id.clone()), expires_at, created_by: desk.actor.name.clone() };
        let hash = sha256(&secret);
        credentials::insert_link(tx, &hash, Purpose::Invitation, &link, desk.now).await?;
        invitations::insert(tx, &hash, &invitation).await?;
        let change = Change::new("link.create", "person", person.id.as_str(), &person.display_name).after(
            json!({ "purpose": "invitation", "provider": provider, "tenant": tenant, "expires_at": expires_at.rfc3339() }),
        );
        desk.audit(tx, &change).await?;
        Ok::<(), Error>(())
    })?;
    let url = deps.settings.public.link(&format!("/invitation/{secret}"));
    Ok(OneTimeLink { secret, url, expires_at })
}

/// An invitation, as the invited person sees it.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// Name of the person.
    pub name: String,
    /// Name of the provider.
    pub provider: String,
}

/// The invitation behind a link, while it can be used.
///
/// # Errors
/// Any storage error.
pub async fn look(deps: &Deps, secret: &str) -> storage::Result<Option<Invited>> {
    let (db, now) = (&mut &deps.db, deps.clock.now());
    let Some(invitation) = invitations::find(db, &sha256(secret), now).await? else { return Ok(None) };
    let provider = providers::find(db, &invitation.provider).await?.map(|stored| stored.provider).filter(|p| p.enabled);
    let person = storage::people::find(db, &invitation.person).await?;
    let (Some(provider), Some(person)) = (provider, person) else { return Ok(None) };
    Ok(Some(Invited { invitation, name: person.display_name, provider: provider.name }))
}

/// What an administrator decides about an identity that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person's.
    Join(PersonId),
    /// It is nobody's.
    Refuse,
}

/// Decides about an identity that waits.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `identity.taken`.
pub async fn settle(deps: &Deps, actor: &Actor, request: &str, verdict: &Verdict) -> Result<()> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    let by = actor.name.clone();
    run_tx!(deps.db, "identity.settle", |tx| {
        let row = identity_requests::find(tx, request).await?.ok_or_else(|| Refusal::not_found("request"))?;
        let decision = match verdict {
            Verdict::Join(person) => {
                desk.may_touch_credentials(tx, person).await?;
                if emails::identity(tx, &row.provider, &row.subject).await?.is_some() {
                    let text = "This identity belongs to somebody by now.";
                    return Err(Refusal::conflict("identity.taken", text).into());
                }
                join(tx, &desk, person, &row.provider, &row.subject, &row.label).await?;
                "joined"
            }
            Verdict::Refuse => {
                let facts = json!({ "provider": row.provider, "subject": row.subject, "label": row.label });
                desk.audit(tx, &Change::new("identity.refuse", "identity_request", &row.id, &row.label).after(facts)).await?;
                "refused"
            }
        };
        if !identity_requests::decide(tx, request, decision, &by, desk.now).await? {
            return Err(Refusal::stale().into());
        }
        Ok::<(), Error>(())
    })
}

/// Forgets requests of whoever has not come again for so long, in seconds.
pub const REQUEST_LIFE_S: i64 = 30 * 86_400;

/// Sweeps requests and says how many went.
///
/// # Errors
/// Any storage error.
pub async fn sweep(tx: &mut Tx, now: Timestamp) -> storage::Result<u64> {
    identity_requests::sweep(tx, now.plus_secs(-REQUEST_LIFE_S)).await
}

/// Identities that wait, oldest first.
///
/// # Errors
/// Refused: `right.missing`.
pub async fn requests(deps: &Deps, actor: &Actor, after: &str, limit: i64) -> Result<storage::page::Page<RequestRow>> {
    actor.may(&Act::ReadAll)?;
    Ok(identity_requests::page(&mut &deps.db, after, limit).await?)
}
