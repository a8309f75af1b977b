//! Tokens for the administration API: `odcm_` and 43 characters. Only the SHA-256 is stored.

use super::actors::actor_for_person;
use super::desk::Desk;
use super::links::sha256;
use super::people::load;
use super::{Error, Result};
use crate::core::change::Change;
use crate::core::ids::{ApiTokenId, PersonId};
use crate::core::policy::{Act, Actor, Credential, TokenScopes, Via};
use crate::core::text::DisplayName;
use crate::core::{Refusal, Timestamp};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::api_tokens::{self, ApiToken};
use crate::storage::{self, J, rights};
use serde_json::json;

/// What every token begins with, so that scanners of published source find lost ones.
pub const PREFIX: &str = "odcm_";
/// Longest life of a token, in seconds: a year.
pub const LONGEST: i64 = 366 * 86_400;

/// A token that was just made. The only time that its secret is known.
#[derive(Clone)]
pub struct FreshToken {
    /// Id.
    pub id: ApiTokenId,
    /// The secret.
    pub secret: String,
    /// End of its life.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a token that acts for a person. People make their own in a session; the host may make one for anybody; a token makes
/// none.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `token.from_token`, `person.disabled`, `token.life`.
pub async fn create(
    deps: &Deps,
    actor: &Actor,
    person: &PersonId,
    name: &DisplayName,
    scopes: TokenScopes,
    life_s: i64,
) -> Result<FreshToken> {
    match actor.via {
        Via::Token(_) => return Err(Refusal::forbidden("token.from_token", "A token cannot make tokens. Sign in.").into()),
        Via::Host | Via::System => {}
        Via::Session | Via::Agent if actor.person.as_ref() == Some(person) => {}
        Via::Session | Via::Agent => {
            return Err(Refusal::forbidden("right.missing", "People make their own tokens.").into());
        }
    }
    if !(60..=LONGEST).contains(&life_s) {
        return Err(Refusal::invalid("expires_in", "token.life", "A token lives between a minute and 366 days.").into());
    }
    let desk = Desk::new(deps, actor);
    let expires_at = desk.now.plus_secs(life_s);
    let secret = format!("{PREFIX}{}", deps.entropy.secret());
    let hash = sha256(&secret);
    run_tx!(deps.db, "token.create", |tx| {
        let owner = load(tx, person).await?;
        if !owner.active {
            return Err(Refusal::conflict("person.disabled", "This person is disabled.").into());
        }
        let token = ApiToken {
            id: ApiTokenId::from_uuid(deps.entropy.id(desk.now)),
            person_id: person.clone(),
            name: name.to_string(),
            scopes: J(scopes.clone()),
            created_at: desk.now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        api_tokens::insert(tx, &token, &hash).await?;
        let change = Change::new("token.create", "person", person.as_str(), &owner.display_name)
            .after(json!({ "token": token.id, "name": token.name, "scopes": scopes, "expires_at": expires_at.rfc3339() }));
        desk.audit(tx, &change).await?;
        Ok::<_, Error>(FreshToken { id: token.id, secret: secret.clone(), expires_at })
    })
}

/// Revokes a token: one's own, or that of somebody whose credentials one may act on. False: it was revoked.
///
/// # Errors
/// Refused: `not_found`, `token.read_only`.
pub async fn revoke(deps: &Deps, actor: &Actor, id: &ApiTokenId) -> Result<bool> {
    // one's own tokens need no right, so the scope of the token in hand is asked here
    if matches!(&actor.via, Via::Token(scopes) if !scopes.write) {
        return Err(Refusal::forbidden("token.read_only", "This token may only read.").into());
    }
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "token.revoke", |tx| {
        let token = api_tokens::find(tx, id).await?.ok_or_else(|| Refusal::not_found("token"))?;
        if desk.actor.person.as_ref() != Some(&token.person_id) {
            let theirs = rights::in_force(tx, &token.person_id, desk.now).await?;
            let act = Act::ManageCredentials(token.person_id.clone(), theirs);
            desk.actor.may(&act).map_err(|_| Refusal::not_found("token"))?;
        }
        if !api_tokens::revoke(tx, id, desk.now).await? {
            return Ok(false);
        }
        let owner = load(tx, &token.person_id).await?;
        let change = Change::new("token.revoke", "person", token.person_id.as_str(), &owner.display_name)
            .before(json!({ "token": id, "name": token.name }));
        desk.audit(tx, &change).await?;
        Ok::<_, Error>(true)
    })
}

/// The actor that a bearer token is: its person with the rights in force now and the token's scopes. `None`: no such token,
/// or it is expired or revoked, or the person is disabled. The caller adds address and request id.
///
/// # Errors
/// Any storage error.
pub async fn authenticate(deps: &Deps, secret: &str) -> storage::Result<Option<Actor>> {
    if !secret.starts_with(PREFIX) || secret.len() > 128 {
        return Ok(None);
    }
    let now = deps.clock.now();
    let Some(token) = api_tokens::usable(&mut &deps.db, &sha256(secret), now).await? else { return Ok(None) };
    let via = Via::Token(token.scopes.0);
    let actor = actor_for_person(&mut &deps.db, &token.person_id, via, now).await?;
    if actor.is_some() && token.last_used_at.is_none_or(|at| now.since(at) >= 60_000) {
        api_tokens::used(&deps.db, &token.id, now).await?;
    }
    Ok(actor.map(|actor| Actor { credential: Some(Credential::Token(token.id)), ..actor }))
}
