//! One-time links with which people set a password. The secret is shown once; only its SHA-256 is stored.

use super::desk::Desk;
use super::people::load;
use super::{Error, Result};
use crate::core::change::Change;
use crate::core::ids::PersonId;
use crate::core::policy::{Act, Actor, Via};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::credentials::{self, Link, Purpose};
use crate::storage::people::{self, Person};
use crate::storage::{Tx, revocation, throttle};
use aws_lc_rs::digest::{SHA256, digest};

/// A link that was just made. The only time that its secret is known.
#[derive(Clone)]
pub struct OneTimeLink {
    /// The secret part.
    pub secret: String,
    /// The whole address, to copy.
    pub url: String,
    /// End of its life.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for OneTimeLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneTimeLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// SHA-256 of a secret with full entropy.
pub(super) fn sha256(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// Makes a link with which the person sets a password. Earlier unused links of the person become useless.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `person.disabled`.
pub async fn create(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<OneTimeLink> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "link.create", |tx| {
        let person = load(tx, person).await?;
        desk.may_touch_credentials(tx, &person.id).await?;
        if !person.active {
            return Err(Refusal::conflict("person.disabled", "This person is disabled. Enable them first.").into());
        }
        make_in(tx, &desk, &person).await
    })
}

/// Makes the link inside a transaction; the caller has asked for the right.
pub(super) async fn make_in(tx: &mut Tx, desk: &Desk<'_>, person: &Person) -> Result<OneTimeLink> {
    let secret = desk.deps.entropy.secret();
    let expires_at = desk.now.plus_secs(desk.deps.settings.sign_in.one_time_link);
    credentials::drop_links(tx, &person.id).await?;
    let link = Link { person_id: Some(person.id.clone()), expires_at, created_by: desk.actor.name.clone() };
    credentials::insert_link(tx, &sha256(&secret), Purpose::SetPassword, &link, desk.now).await?;
    let change = Change::new("link.create", "person", person.id.as_str(), &person.display_name)
        .after(serde_json::json!({ "purpose": "set-password", "expires_at": expires_at.rfc3339() }));
    desk.audit(tx, &change).await?;
    let url = desk.deps.settings.public.link(&format!("/link/{secret}"));
    Ok(OneTimeLink { secret, url, expires_at })
}

/// Whose password a link sets, without using it. `None`: unknown, used or expired, or the person is disabled; the page says
/// the same for all of them.
///
/// # Errors
/// Any storage error.
pub async fn look(deps: &Deps, secret: &str) -> Result<Option<Person>> {
    let link = credentials::link(&mut &deps.db, &sha256(secret), Purpose::SetPassword, deps.clock.now()).await?;
    let Some(id) = link.and_then(|link| link.person_id) else { return Ok(None) };
    Ok(people::find(&mut &deps.db, &id).await?.filter(|p| p.active))
}

/// Sets the password of the person whom a link belongs to; exactly one caller succeeds. `phc` is the Argon2id hash, made by
/// the hashing pool before. Every session, code and refresh family of the person ends. Gives the person.
///
/// # Errors
/// Refused: `link.invalid`.
pub async fn set_password(deps: &Deps, secret: &str, phc: &str, address: Option<String>) -> Result<PersonId> {
    let now = deps.clock.now();
    let hash = sha256(secret);
    run_tx!(deps.db, "link.set_password", |tx| set_password_in(tx, deps, &hash, phc, address.as_deref(), now).await)
}

async fn set_password_in(
    tx: &mut Tx,
    deps: &Deps,
    hash: &[u8],
    phc: &str,
    address: Option<&str>,
    now: Timestamp,
) -> Result<PersonId> {
    let gone = || {
        let text = "This link is not valid any more. Ask your administrator for a new one.";
        Error::Refused(Refusal::conflict("link.invalid", text))
    };
    let link = credentials::consume_link(tx, hash, Purpose::SetPassword, now).await?;
    let id = link.and_then(|link| link.person_id).ok_or_else(gone)?;
    let person = people::find(tx, &id).await?.filter(|p| p.active).ok_or_else(gone)?;
    credentials::set_password(tx, &id, phc, now).await?;
    credentials::drop_links(tx, &id).await?;
    revocation::end_sessions(tx, &id, None, now).await?;
    revocation::end_tokens(tx, &id, now).await?;
    // a reset is what people do when somebody else knew the password: whatever that one made or trusted goes as well
    revocation::end_api_tokens(tx, &id, now).await?;
    throttle::forget_devices(tx, &id).await?;
    let actor = Actor {
        person: Some(id.clone()),
        name: person.username.clone(),
        via: Via::Session,
        credential: None,
        rights: Vec::new(),
        address: address.map(str::to_owned),
        request_id: None,
    };
    let desk = Desk { deps, actor: &actor, now };
    let change = Change::new("password.set", "person", id.as_str(), &person.display_name)
        .after(serde_json::json!({ "by": "one-time link" }));
    desk.audit(tx, &change).await?;
    Ok(id)
}
