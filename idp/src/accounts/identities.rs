//! Identities of people at providers: link and unlink. An identity is a pair (provider, subject) and belongs to one person
//! (rules C7); whoever proves it signs in as that person.

use super::desk::Desk;
use super::people::{load, owns_everything};
use super::{Error, Result, input};
use crate::connectors::{SignedOut, local};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::{IdentityId, PersonId};
use crate::core::policy::{Act, Actor};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::emails::{self, IdentityRow};
use crate::storage::{self, Tx, credentials, people, providers, sessions};
use serde_json::{Value, json};

/// An identity to link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    provider: String,
    subject: String,
    label: String,
}

impl NewIdentity {
    /// Checks what was typed. `provider`: 1 to 64 characters `a-z 0-9 . _ -`; `subject`: the stable id there, byte by byte as
    /// the provider says it, 1 to 256 characters; `label`: what people read, at most 254 characters; empty: the subject.
    ///
    /// # Errors
    /// A refusal that names the field.
    pub fn parse(provider: &str, subject: &str, label: &str) -> std::result::Result<Self, Refusal> {
        let provider = input::provider(provider)?;
        if provider == local::PROVIDER {
            let text = "Local passwords are no identity to link: make a one-time link with which the person sets one.";
            return Err(Refusal::invalid("provider", "identity.local", text));
        }
        let subject = input::foreign_id("subject", subject)?;
        let label = label.trim();
        if let Some(fault) = input::LABEL.fault(label) {
            let rule = "A label has at most 254 characters, such as the person's address or login name at the provider.";
            return Err(fault.refusal("label", "label.invalid", rule));
        }
        let label = if label.is_empty() { subject.clone() } else { label.to_owned() };
        Ok(Self { provider, subject, label })
    }
}

fn facts(row: &IdentityRow) -> Value {
    json!({ "identity": row.id, "provider": row.provider, "subject": row.subject, "label": row.label })
}

/// Links an identity to a person: whoever proves it signs in as them from now on.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `identity.exists`, `identity.taken`.
pub async fn link(deps: &Deps, actor: &Actor, person: &PersonId, new: &NewIdentity) -> Result<IdentityId> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    let linked: Result<IdentityId> = run_tx!(deps.db, "identity.link", |tx| link_in(tx, &desk, person, new).await);
    match linked {
        // somebody else linked it between our look and our commit
        Err(Error::Storage(storage::Error::Unique(_))) => Err(taken()),
        other => other,
    }
}

fn taken() -> Error {
    let text = "This identity belongs to somebody else. Unlink it there first.";
    Refusal::conflict("identity.taken", text).field("subject").into()
}

async fn link_in(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId, new: &NewIdentity) -> Result<IdentityId> {
    let owner = load(tx, person).await?;
    desk.may_touch_credentials(tx, person).await?;
    match emails::identity(tx, &new.provider, &new.subject).await? {
        Some(row) if row.person_id == *person => {
            let text = "This identity is linked to this person already.";
            return Err(Refusal::conflict("identity.exists", text).field("subject").into());
        }
        Some(_) => return Err(taken()),
        None => {}
    }
    let row = IdentityRow {
        id: IdentityId::from_uuid(desk.deps.entropy.id(desk.now)),
        person_id: person.clone(),
        provider: new.provider.clone(),
        subject: new.subject.clone(),
        label: new.label.clone(),
        created_at: desk.now,
        last_used_at: None,
    };
    emails::insert_identity(tx, &row).await?;
    people::touch(tx, person, desk.now).await?;
    let change = Change::new("identity.link", "person", person.as_str(), &owner.display_name).after(facts(&row));
    desk.audit(tx, &change).await?;
    Ok(row.id)
}

/// Unlinks an identity of a person. Every session in which it was used ends, with all that was issued under it; API tokens
/// stay. Gives the number of sessions that ended.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `owner.last`.
pub async fn unlink(deps: &Deps, actor: &Actor, person: &PersonId, id: &IdentityId) -> Result<u64> {
    actor.may(&Act::ManagePeople)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "identity.unlink", |tx| unlink_in(tx, &desk, person, id).await)
}

async fn unlink_in(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId, id: &IdentityId) -> Result<u64> {
    desk.may_touch_credentials(tx, person).await?;
    remove_in(tx, desk, person, id, Order::EndedFirst).await
}

/// What comes first: the audit line, which counts what ended, or the end of the sessions. Whoever removes an identity of their own
/// may end the very session in which they do it, and then writes nothing any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    EndedFirst,
    NotedFirst,
}

async fn remove_in(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId, id: &IdentityId, order: Order) -> Result<u64> {
    let owner = load(tx, person).await?;
    let row = emails::find_identity(tx, id).await?.filter(|row| row.person_id == *person);
    let row = row.ok_or_else(|| Refusal::not_found("identity"))?;
    emails::remove_identity(tx, id).await?;
    if owns_everything(tx, person, desk.now).await? {
        desk.refuse_lockout(tx).await?; // without a local credential of any owner, this may have been the last way in
    }
    people::touch(tx, person, desk.now).await?;
    let change = Change::new("identity.unlink", "person", person.as_str(), &owner.display_name).before(facts(&row));
    if order == Order::NotedFirst {
        desk.audit(tx, &change).await?;
        return Ok(sessions::end_resting_on(tx, person, id, desk.now).await?);
    }
    let ended = sessions::end_resting_on(tx, person, id, desk.now).await?;
    desk.audit(tx, &change.after(json!({ "sessions_ended": ended }))).await?;
    Ok(ended)
}

/// Somebody signed out at a provider: sessions that were begun with that identity, and before, end. Gives their number.
///
/// # Errors
/// Any storage error.
pub async fn signed_out(deps: &Deps, actor: &Actor, provider: &str, out: &SignedOut) -> Result<u64> {
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "identity.signed_out", |tx| {
        let Some(row) = emails::identity(tx, provider, &out.subject).await? else { return Ok(0) };
        let ended = sessions::end_proven_by(tx, &row.person_id, &row.id, out.at, desk.now).await?;
        if ended > 0 {
            let owner = load(tx, &row.person_id).await?;
            let change = Change::new("session.end", "person", owner.id.as_str(), &owner.display_name)
                .after(json!({ "sessions_ended": ended, "signed_out_at": provider }));
            desk.audit(tx, &change).await?;
        }
        Ok::<u64, Error>(ended)
    })
}

/// A person removes an identity of their own, unless nothing would be left with which to come in. Sessions in which it was used
/// end. Gives their number.
///
/// # Errors
/// Refused: `not_found`, `identity.last`, `owner.last`.
pub async fn remove_own(deps: &Deps, actor: &Actor, person: &PersonId, id: &IdentityId) -> Result<u64> {
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "identity.remove_own", |tx| {
        let ended = remove_in(tx, &desk, person, id, Order::NotedFirst).await?;
        let mut others = false;
        for row in emails::identities(tx, person).await? {
            others = others || providers::find(tx, &row.provider).await?.is_some_and(|stored| stored.provider.enabled);
        }
        if !others && credentials::password(tx, person).await?.is_none() {
            let text = "It is the only way in. Add another identity first.";
            return Err(Refusal::conflict("identity.last", text).into());
        }
        Ok(ended)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_checked_by_field() {
        let good = NewIdentity::parse("entra", "S-1-5-21-A b", "").unwrap();
        assert_eq!((&*good.subject, &*good.label), ("S-1-5-21-A b", "S-1-5-21-A b"), "subjects are kept as they are");
        let long = "x".repeat(257);
        for (provider, subject, label, field) in [
            ("", "s", "", "provider"),
            ("Entra", "s", "", "provider"),
            ("a/b", "s", "", "provider"),
            ("local", "s", "", "provider"),
            ("entra", "", "", "subject"),
            ("entra", " s", "", "subject"),
            ("entra", "s\n", "", "subject"),
            ("entra", "s\u{0}s", "", "subject"),
            ("entra", &*long, "", "subject"),
            ("entra", "s", "a\u{7}", "label"),
            ("entra", "s", &*long, "label"),
        ] {
            let refused = NewIdentity::parse(provider, subject, label).unwrap_err();
            assert_eq!(refused.field, Some(field), "{provider:?} {subject:?} {label:?}");
        }
    }
}
