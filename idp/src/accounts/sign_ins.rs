//! How a person signs in, as that person and administrators see it: sessions, API tokens, what applications were allowed;
//! ending one of them. Everybody may look at and end their own; those of others only with rights over them (rules D4).

use super::desk::Desk;
use super::people::load;
use super::{Error, Result};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::{ApiTokenId, ClientId, PersonId, SessionId};
use crate::core::policy::{Act, Actor, Via};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::api_tokens::{self, ApiToken};
use crate::storage::consent::{self, Agreed};
use crate::storage::page::Page;
use crate::storage::revocation::{self, Holder};
use crate::storage::sessions::{self, Listed};
use crate::storage::{Tx, people};
use serde_json::json;

async fn may_read(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<()> {
    if actor.person.as_ref() != Some(person) {
        actor.may(&Act::ReadSignIns)?;
    }
    if people::find(&mut &deps.db, person).await?.is_none() {
        return Err(Refusal::not_found("person").into());
    }
    Ok(())
}

/// Before a change: one's own sign-ins need no right, so the scope of the token in hand is asked here.
pub(super) fn may_change(actor: &Actor, person: &PersonId) -> Result<()> {
    if actor.person.as_ref() != Some(person) {
        return Ok(actor.may(&Act::ManagePeople)?);
    }
    if matches!(&actor.via, Via::Token(scopes) if !scopes.write) {
        return Err(Refusal::forbidden("token.read_only", "This token may only read.").into());
    }
    Ok(())
}

/// Inside the transaction of a change.
pub(super) async fn may_touch(tx: &mut Tx, desk: &Desk<'_>, person: &PersonId) -> Result<()> {
    if desk.actor.person.as_ref() == Some(person) { Ok(()) } else { desk.may_touch_credentials(tx, person).await }
}

/// Live sessions of a person, newest use first, at most 100.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn sessions(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<Vec<Listed>> {
    may_read(deps, actor, person).await?;
    let idle_ms = deps.settings.sign_in.session_idle.saturating_mul(1000);
    Ok(sessions::of_person(&mut &deps.db, person, deps.clock.now(), idle_ms).await?)
}

/// Ends one session, with the codes and refresh families that do not outlive it.
///
/// # Errors
/// Refused: `not_found` (also when it is over), `right.missing`, `token.read_only`.
pub async fn end_session(deps: &Deps, actor: &Actor, person: &PersonId, id: &SessionId) -> Result<()> {
    may_change(actor, person)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "session.end", |tx| {
        let owner = load(tx, person).await?;
        may_touch(tx, &desk, person).await?;
        if !sessions::end(tx, id, person, desk.now).await? {
            return Err(Error::Refused(Refusal::not_found("session")));
        }
        let change = Change::new("session.end", "person", person.as_str(), &owner.display_name).after(json!({ "session": id }));
        desk.audit(tx, &change).await
    })
}

/// API tokens of a person, revoked and expired ones included. [`super::api_tokens::revoke`] revokes one.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn tokens(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<Vec<ApiToken>> {
    may_read(deps, actor, person).await?;
    Ok(api_tokens::of_person(&mut &deps.db, person).await?)
}

/// A page of them, newest first, before the token `after` if one is given.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn tokens_page(
    deps: &Deps,
    actor: &Actor,
    person: &PersonId,
    after: Option<&ApiTokenId>,
    limit: i64,
) -> Result<Page<ApiToken>> {
    may_read(deps, actor, person).await?;
    Ok(api_tokens::page_of_person(&mut &deps.db, person, after, limit).await?)
}

/// What a person allowed applications, by name of the application.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn consents(deps: &Deps, actor: &Actor, person: &PersonId) -> Result<Vec<Agreed>> {
    may_read(deps, actor, person).await?;
    Ok(consent::of_person(&mut &deps.db, person).await?)
}

/// A page of what a person allowed applications, by id of the application.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn consents_page(deps: &Deps, actor: &Actor, person: &PersonId, after: &str, limit: i64) -> Result<Page<Agreed>> {
    may_read(deps, actor, person).await?;
    Ok(consent::page_of_person(&mut &deps.db, person, after, limit).await?)
}

/// Withdraws what a person allowed an application: its codes and refresh families end, and it asks again.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `token.read_only`.
pub async fn withdraw(deps: &Deps, actor: &Actor, person: &PersonId, client: &ClientId) -> Result<()> {
    may_change(actor, person)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "consent.withdraw", |tx| {
        let owner = load(tx, person).await?;
        may_touch(tx, &desk, person).await?;
        let agreed = consent::find(tx, person, client).await?.ok_or_else(|| Refusal::not_found("consent"))?;
        consent::withdraw(tx, person, client).await?;
        let holder = Holder { person_id: person.clone(), client_id: client.clone() };
        revocation::end_of_client(tx, &holder, desk.now).await?;
        let change = Change::new("consent.withdraw", "person", person.as_str(), &owner.display_name)
            .about(client.as_str())
            .before(json!({ "client": client, "scope": agreed.scope, "since": agreed.granted_at.rfc3339() }));
        desk.audit(tx, &change).await?;
        Ok::<_, Error>(())
    })
}
