//! Addresses of people beside the one that Spaces know: add, verify, remove.

use super::desk::Desk;
use super::names::say_taken;
use super::people::load;
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::{EmailId, PersonId};
use crate::core::policy::{Act, Actor};
use crate::core::text::Email;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::Tx;
use crate::storage::emails::{self, EmailRow, Name};
use crate::storage::people::{self, Person};
use serde_json::json;

/// Adds an address. `verified`: the administrator vouches for it.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `email.exists`, `email.taken`.
pub async fn add(deps: &Deps, actor: &Actor, person: &PersonId, email: &Email, verified: bool) -> Result<EmailId> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    let added: Result<EmailId> = run_tx!(deps.db, "email.add", |tx| {
        let owner = load(tx, person).await?;
        desk.may_touch_credentials(tx, person).await?;
        if verified {
            refuse_foreign(tx, &email.key(), person).await?;
        }
        let row = EmailRow {
            id: EmailId::from_uuid(deps.entropy.id(desk.now)),
            person_id: person.clone(),
            address: email.to_string(),
            address_key: email.key(),
            verified_at: verified.then_some(desk.now),
            created_at: desk.now,
        };
        if !emails::insert(tx, &row).await? {
            return Err(Refusal::conflict("email.exists", "This person has this address already.").field("email").into());
        }
        note(tx, &desk, &owner, "email.add", None, Some(json!({ "email": row.address, "verified": verified }))).await?;
        Ok(row.id)
    });
    say_taken(added)
}

/// Marks an address as verified. False: it was.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `email.taken`.
pub async fn verify(deps: &Deps, actor: &Actor, person: &PersonId, id: &EmailId) -> Result<bool> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    let done: Result<bool> = run_tx!(deps.db, "email.verify", |tx| {
        let (owner, row) = both(tx, &desk, person, id).await?;
        refuse_foreign(tx, &row.address_key, person).await?;
        if !emails::verify(tx, id, desk.now).await? {
            return Ok(false);
        }
        note(tx, &desk, &owner, "email.verify", None, Some(json!({ "email": row.address }))).await?;
        Ok(true)
    });
    say_taken(done)
}

/// Removes an address, unless it is the one that Spaces know.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `email.in_use`.
pub async fn remove(deps: &Deps, actor: &Actor, person: &PersonId, id: &EmailId) -> Result<()> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "email.remove", |tx| {
        let (owner, row) = both(tx, &desk, person, id).await?;
        if crate::core::text::fold(&owner.space_email) == row.address_key {
            let text = "Spaces know the person by this address. Give the person another one first.";
            return Err(Error::Refused(Refusal::conflict("email.in_use", text)));
        }
        emails::remove(tx, id).await?;
        note(tx, &desk, &owner, "email.remove", Some(json!({ "email": row.address })), None).await
    })
}

async fn both(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId, id: &EmailId) -> Result<(Person, EmailRow)> {
    let owner = load(tx, person).await?;
    desk.may_touch_credentials(tx, person).await?;
    let row = emails::find(tx, id).await?.filter(|row| row.person_id == *person);
    Ok((owner, row.ok_or_else(|| Refusal::not_found("e-mail address"))?))
}

/// Nobody may verify an address that Spaces know or knew somebody else by, or that somebody else has verified.
async fn refuse_foreign(tx: &mut Tx, key: &str, person: &PersonId) -> Result<()> {
    let claimed = emails::claim(tx, Name::Email, key).await?.is_some_and(|claim| claim.person_id != *person);
    if claimed || emails::verified_owner(tx, key).await?.is_some_and(|owner| owner != *person) {
        return Err(Refusal::conflict("email.taken", "This address belongs to somebody else.").field("email").into());
    }
    Ok(())
}

async fn note(
    tx: &mut Tx,
    desk: &Desk<'_>,
    owner: &Person,
    action: &'static str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<()> {
    people::touch(tx, &owner.id, desk.now).await?;
    let mut change = Change::new(action, "person", owner.id.as_str(), &owner.display_name);
    (change.before, change.after) = (before, after);
    desk.audit(tx, &change).await
}
