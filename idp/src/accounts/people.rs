//! People: create, edit, disable, enable.

use super::desk::{Desk, Effect};
use super::links::{self, OneTimeLink};
use super::names::{self, Reuse};
use super::{Error, Result, sign_ins};
use crate::core::change::Change;
use crate::core::ids::{EmailId, PersonId};
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::core::text::{DisplayName, Email, Username};
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::emails::{self, EmailRow, Name};
use crate::storage::people::{self, Person};
use crate::storage::{Tx, directory, revocation};
use serde_json::json;

/// A person to create.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// User name, sent to Spaces; unique.
    pub username: Username,
    /// Name for people.
    pub display_name: DisplayName,
    /// The address sent to Spaces; unique.
    pub email: Email,
    /// The administrator vouches for the address.
    pub email_verified: bool,
    /// Take over names that somebody else had before; needs an owner (rules A8).
    pub reuse_former_names: bool,
    /// Also make a one-time link with which the person sets a password.
    pub password_link: bool,
}

/// A person who was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// Id.
    pub id: PersonId,
    /// The link, if one was asked for. Shown once.
    pub link: Option<OneTimeLink>,
}

/// What to change of a person; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct EditPerson {
    /// User name.
    pub username: Option<Username>,
    /// Name for people.
    pub display_name: Option<DisplayName>,
    /// The address sent to Spaces.
    pub space_email: Option<Email>,
    /// Take over names that somebody else had before; needs an owner (rules A8).
    pub reuse_former_names: bool,
}

/// Creates a person, with a public `sub`.
///
/// # Errors
/// Refused: `right.missing`, `username.taken`, `username.former`, `email.taken`, `email.former`.
pub async fn create(deps: &Deps, actor: &Actor, new: NewPerson) -> Result<Created> {
    actor.may(&Act::ManagePeople)?;
    let reuse = reuse(actor, new.reuse_former_names)?;
    let desk = Desk::new(deps, actor);
    let created: Result<Created> = run_tx!(deps.db, "person.create", |tx| create_in(tx, &desk, &new, reuse).await);
    names::say_taken(created)
}

fn reuse(actor: &Actor, asked: bool) -> Result<Reuse> {
    if !asked {
        return Ok(Reuse::Refused);
    }
    actor.may(&Act::ManageRights(Right { role: Role::Owner, scope: Scope::All }))?;
    Ok(Reuse::Allowed)
}

pub(super) async fn create_in(tx: &mut Tx, desk: &Desk<'_>, new: &NewPerson, reuse: Reuse) -> Result<Created> {
    let (now, entropy) = (desk.now, &desk.deps.entropy);
    let person = Person {
        id: PersonId::from_uuid(entropy.id(now)),
        username: new.username.to_string(),
        space_email: new.email.to_string(),
        display_name: new.display_name.to_string(),
        created_at: now,
        updated_at: now,
        version: 1,
        active: true,
    };
    names::refuse_taken(tx, Name::Username, &new.username.key(), &person.id, reuse).await?;
    names::refuse_taken(tx, Name::Email, &new.email.key(), &person.id, reuse).await?;
    people::insert(tx, &person, &new.display_name.key()).await?;
    people::insert_sub(tx, &person.id, "", &entropy.id(now).hyphenated().to_string()).await?;
    emails::set_claim(tx, Name::Username, &new.username.key(), &person.id, now).await?;
    emails::set_claim(tx, Name::Email, &new.email.key(), &person.id, now).await?;
    let email = EmailRow {
        id: EmailId::from_uuid(entropy.id(now)),
        person_id: person.id.clone(),
        address: new.email.to_string(),
        address_key: new.email.key(),
        verified_at: new.email_verified.then_some(now),
        created_at: now,
    };
    emails::insert(tx, &email).await?;
    let change = Change::new("person.create", "person", person.id.as_str(), &person.display_name)
        .after(json!({ "username": person.username, "display_name": person.display_name, "email": person.space_email,
            "email_verified": new.email_verified }));
    desk.changed(tx, &std::collections::BTreeSet::new(), Effect::Gives, &change).await?;
    let link = if new.password_link { Some(links::make_in(tx, desk, &person).await?) } else { None };
    Ok(Created { id: person.id, link })
}

/// Changes names of a person. `version` is the If-Match value. Gives the person as it is afterwards.
///
/// # Errors
/// Refused: `not_found`, `stale`, `right.missing`, names as in [`create`].
pub async fn edit(deps: &Deps, actor: &Actor, id: &PersonId, version: Option<i64>, edit: EditPerson) -> Result<Person> {
    actor.may(&Act::ManagePeople)?;
    let reuse = reuse(actor, edit.reuse_former_names)?;
    let desk = Desk::new(deps, actor);
    let done: Result<Person> = run_tx!(deps.db, "person.edit", |tx| edit_in(tx, &desk, id, version, &edit, reuse).await);
    let done = names::say_taken(done)?;
    deps.wake.ring();
    Ok(done)
}

async fn edit_in(
    tx: &mut Tx,
    desk: &Desk<'_>,
    id: &PersonId,
    version: Option<i64>,
    edit: &EditPerson,
    reuse: Reuse,
) -> Result<Person> {
    let before = load(tx, id).await?;
    if version.is_some_and(|v| v != before.version) {
        return Err(Refusal::stale().into());
    }
    let mut after = before.clone();
    let mut sort_key = crate::core::text::fold(&before.display_name);
    if let Some(name) = &edit.display_name {
        (after.display_name, sort_key) = (name.to_string(), name.key());
    }
    if let Some(name) = &edit.username {
        after.username = name.to_string();
    }
    if let Some(email) = &edit.space_email {
        after.space_email = email.to_string();
    }
    if after == before {
        return Ok(before);
    }
    if after.username != before.username || after.space_email != before.space_email {
        desk.may_touch_credentials(tx, id).await?;
    }
    rename(tx, desk, Name::Username, (&before.username, &after.username), id, reuse).await?;
    if rename(tx, desk, Name::Email, (&before.space_email, &after.space_email), id, reuse).await?
        && let Some(email) = &edit.space_email
    {
        let row = EmailRow {
            id: EmailId::from_uuid(desk.deps.entropy.id(desk.now)),
            person_id: id.clone(),
            address: email.to_string(),
            address_key: email.key(),
            verified_at: None,
            created_at: desk.now,
        };
        emails::insert(tx, &row).await?; // false: it was there, verified or not
    }
    if !people::update(tx, &after, &sort_key, desk.now).await? {
        return Err(Refusal::stale().into());
    }
    after.version = before.version + 1;
    after.updated_at = desk.now;
    let json = |p: &Person| json!({ "username": p.username, "display_name": p.display_name, "email": p.space_email });
    let change = Change::new("person.edit", "person", id.as_str(), &after.display_name).before(json(&before)).after(json(&after));
    let spaces = directory::spaces_of_person(tx, id).await?;
    desk.changed(tx, &spaces, Effect::Gives, &change).await?;
    Ok(after)
}

/// Moves a claim from one name to another. True: the folded name changed.
async fn rename(
    tx: &mut Tx,
    desk: &Desk<'_>,
    name: Name,
    (old, new): (&str, &str),
    person: &PersonId,
    reuse: Reuse,
) -> Result<bool> {
    let (old, new) = (crate::core::text::fold(old), crate::core::text::fold(new));
    if old == new {
        return Ok(false);
    }
    names::refuse_taken(tx, name, &new, person, reuse).await?;
    emails::release_claim(tx, name, &old, person, desk.now).await?;
    emails::set_claim(tx, name, &new, person, desk.now).await?;
    Ok(true)
}

/// Loads a person or refuses.
pub(super) async fn load(tx: &mut Tx, id: &PersonId) -> Result<Person> {
    people::find(tx, id).await?.ok_or_else(|| Error::Refused(Refusal::not_found("person")))
}

/// A reason to be disabled: 1 to 64 characters `a-z 0-9 : . _ -`, such as `manual` or `provider:<id>`.
///
/// # Errors
/// A refusal that names `reason`.
pub fn reason(text: &str) -> std::result::Result<&str, Refusal> {
    let rule = "A reason has 1 to 64 characters: a-z 0-9 : . _ - (usually `manual`).";
    super::input::REASON.fault(text).map_or(Ok(text), |fault| Err(fault.refusal("reason", "reason.invalid", rule)))
}

/// Adds a reason why a person is disabled. With the first one everything ends that the person holds: sessions, codes,
/// refresh families, API tokens, one-time links. False: the reason was there, nothing changed.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `reason.invalid`, `owner.last`.
pub async fn disable(deps: &Deps, actor: &Actor, id: &PersonId, reason: &str) -> Result<bool> {
    actor.may(&Act::ManagePeople)?;
    let reason = self::reason(reason)?;
    let desk = Desk::new(deps, actor);
    let done: Result<bool> = run_tx!(deps.db, "person.disable", |tx| disable_in(tx, &desk, id, reason).await);
    deps.wake.ring();
    done
}

async fn disable_in(tx: &mut Tx, desk: &Desk<'_>, id: &PersonId, reason: &str) -> Result<bool> {
    let person = load(tx, id).await?;
    desk.may_touch_credentials(tx, id).await?;
    if !people::disable(tx, id, reason, desk.now).await? {
        return Ok(false);
    }
    people::touch(tx, id, desk.now).await?;
    let change = Change::new("person.disable", "person", id.as_str(), &person.display_name).after(json!({ "reason": reason }));
    if !person.active {
        desk.audit(tx, &change).await?; // one more reason: nothing else changes
        return Ok(true);
    }
    if owns_everything(tx, id, desk.now).await? {
        desk.refuse_lockout(tx).await?;
    }
    end_everything(tx, id, desk.now).await?;
    let spaces = directory::spaces_of_person(tx, id).await?;
    desk.changed(tx, &spaces, Effect::Takes, &change).await?;
    Ok(true)
}

pub(super) async fn owns_everything(tx: &mut Tx, id: &PersonId, now: Timestamp) -> Result<bool> {
    Ok(crate::storage::rights::owners(tx, now).await?.iter().any(|owner| owner.person_id == *id))
}

pub(super) async fn end_everything(tx: &mut Tx, id: &PersonId, now: Timestamp) -> Result<()> {
    revocation::end_sessions(tx, id, None, now).await?;
    revocation::end_tokens(tx, id, now).await?;
    revocation::end_api_tokens(tx, id, now).await?;
    crate::storage::credentials::drop_links(tx, id).await?;
    Ok(())
}

/// Takes a reason away; the person is active when none is left. False: the reason was not there.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `reason.invalid`.
pub async fn enable(deps: &Deps, actor: &Actor, id: &PersonId, reason: &str) -> Result<bool> {
    actor.may(&Act::ManagePeople)?;
    let reason = self::reason(reason)?;
    let desk = Desk::new(deps, actor);
    let done: Result<bool> = run_tx!(deps.db, "person.enable", |tx| enable_in(tx, &desk, id, reason).await);
    deps.wake.ring();
    done
}

pub(super) async fn enable_in(tx: &mut Tx, desk: &Desk<'_>, id: &PersonId, reason: &str) -> Result<bool> {
    let person = load(tx, id).await?;
    desk.may_touch_credentials(tx, id).await?;
    if !people::enable(tx, id, reason).await? {
        return Ok(false);
    }
    people::touch(tx, id, desk.now).await?;
    let change = Change::new("person.enable", "person", id.as_str(), &person.display_name).before(json!({ "reason": reason }));
    let spaces = directory::spaces_of_person(tx, id).await?;
    desk.changed(tx, &spaces, Effect::Gives, &change).await?;
    Ok(true)
}

/// Ends all sessions of a person, with the codes and refresh families of that person. Gives the number of sessions.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn end_sessions(deps: &Deps, actor: &Actor, id: &PersonId) -> Result<u64> {
    sign_ins::may_change(actor, id)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "person.end_sessions", |tx| end_sessions_in(tx, &desk, id).await)
}

async fn end_sessions_in(tx: &mut Tx, desk: &Desk<'_>, id: &PersonId) -> Result<u64> {
    let person = load(tx, id).await?;
    sign_ins::may_touch(tx, desk, id).await?;
    let ended = revocation::end_sessions(tx, id, None, desk.now).await?;
    revocation::end_tokens(tx, id, desk.now).await?;
    let change =
        Change::new("person.end_sessions", "person", id.as_str(), &person.display_name).after(json!({ "sessions": ended }));
    desk.audit(tx, &change).await?;
    Ok(ended)
}
