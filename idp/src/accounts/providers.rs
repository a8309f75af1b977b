//! Providers that vouch for people: set up, change, remove.

use super::desk::Desk;
use super::{Error, Result, input};
use crate::connectors::{self, local};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::core::provider::{ClientAuth, Provider, Settings};
use crate::deps::Deps;
use crate::run_tx;
use crate::storage;
use crate::storage::providers::{self, Stored};
use serde_json::{Value, json};

/// Longest secret, in bytes.
const MAX_SECRET: usize = 4096;

/// Who may: whoever decides by whom people are let in decides who is let in, so it needs an owner.
fn may(actor: &Actor) -> Result<()> {
    Ok(actor.may(&Act::ManageRights(Right { role: Role::Owner, scope: Scope::All }))?)
}

fn facts(p: &Provider, secret: Option<&str>) -> Value {
    json!({ "name": p.name, "settings": p.settings, "domains": p.domains, "creation": p.creation, "authoritative": p.authoritative,
        "enabled": p.enabled, "new_secret": secret.is_some() })
}

fn check(provider: &Provider, has_secret: bool) -> std::result::Result<(), Refusal> {
    input::provider(&provider.id)?;
    if provider.id == local::PROVIDER {
        return Err(Refusal::invalid(
            "id",
            "provider.invalid",
            "`local` is what passwords kept by ODCM are called. Choose another id.",
        ));
    }
    provider.validate()?;
    let needs = match &provider.settings {
        Settings::Oidc(oidc) => matches!(oidc.client_auth, ClientAuth::ClientSecretBasic | ClientAuth::ClientSecretPost),
        Settings::Github(_) => true,
    };
    if provider.enabled && needs && !has_secret {
        return Err(Refusal::invalid(
            "secret",
            "provider.secret",
            "This provider knows us by a client secret: paste the one it gave.",
        ));
    }
    Ok(())
}

fn sealed(deps: &Deps, id: &str, secret: Option<&str>) -> Result<Option<Vec<u8>>> {
    let Some(secret) = secret else { return Ok(None) };
    if secret.is_empty() || secret.len() > MAX_SECRET || secret.chars().any(char::is_control) {
        let text = "A client secret has 1 to 4096 characters on one line.";
        return Err(Refusal::invalid("secret", "provider.secret", text).into());
    }
    let sealed = deps.sealer.seal(connectors::secret_of(id), secret.as_bytes());
    sealed.map(Some).map_err(|e| Error::Internal(e.to_string()))
}

/// All providers.
///
/// # Errors
/// Refused: `right.missing`.
pub async fn list(deps: &Deps, actor: &Actor) -> Result<Vec<Stored>> {
    actor.may(&Act::ReadAll)?;
    Ok(providers::all(&mut &deps.db).await?)
}

/// One.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn find(deps: &Deps, actor: &Actor, id: &str) -> Result<Stored> {
    actor.may(&Act::ReadAll)?;
    Ok(providers::find(&mut &deps.db, id).await?.ok_or_else(|| Refusal::not_found("provider"))?)
}

/// Sets one up.
///
/// # Errors
/// Refused: `right.missing`, `provider.taken`, and what is wrong by field.
pub async fn create(deps: &Deps, actor: &Actor, provider: &Provider, secret: Option<&str>) -> Result<()> {
    may(actor)?;
    check(provider, secret.is_some())?;
    let sealed = sealed(deps, &provider.id, secret)?;
    let desk = Desk::new(deps, actor);
    let made: Result<()> = run_tx!(deps.db, "provider.create", |tx| {
        providers::insert(tx, provider, sealed.clone(), desk.now).await?;
        let change = Change::new("provider.create", "provider", &provider.id, &provider.name).after(facts(provider, secret));
        desk.audit(tx, &change).await
    });
    match made {
        Err(Error::Storage(storage::Error::Unique(_))) => {
            Err(Refusal::conflict("provider.taken", "There is a provider with this id.").field("id").into())
        }
        other => other,
    }
}

/// Changes one that is still at `provider.version`; `secret` replaces the one that is stored. Gives the new version.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `stale`, and what is wrong by field.
pub async fn update(deps: &Deps, actor: &Actor, provider: &Provider, secret: Option<&str>) -> Result<i64> {
    may(actor)?;
    let sealed = sealed(deps, &provider.id, secret)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "provider.update", |tx| {
        let before = providers::find(tx, &provider.id).await?.ok_or_else(|| Refusal::not_found("provider"))?;
        check(provider, secret.is_some() || before.secret.is_some())?;
        if std::mem::discriminant(&before.provider.settings) != std::mem::discriminant(&provider.settings) {
            let text = "A provider of another kind knows people by other ids: set up a new one.";
            return Err(Refusal::invalid("settings", "provider.kind", text).into());
        }
        if !providers::update(tx, provider, sealed.clone(), desk.now).await? {
            return Err(Refusal::stale().into());
        }
        if !provider.enabled && before.provider.enabled {
            desk.refuse_lockout(tx).await?;
        }
        let change = Change::new("provider.update", "provider", &provider.id, &provider.name)
            .before(facts(&before.provider, None))
            .after(facts(provider, secret));
        desk.audit(tx, &change).await?;
        Ok::<i64, Error>(provider.version + 1)
    })
}

/// Removes one. The identities that people have there stay with them, and count again should it be set up again.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `stale`, `owner.last`.
pub async fn remove(deps: &Deps, actor: &Actor, id: &str, version: i64) -> Result<()> {
    may(actor)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "provider.remove", |tx| {
        let before = providers::find(tx, id).await?.ok_or_else(|| Refusal::not_found("provider"))?;
        if !providers::delete(tx, id, version).await? {
            return Err(Refusal::stale().into());
        }
        desk.refuse_lockout(tx).await?;
        let change = Change::new("provider.remove", "provider", id, &before.provider.name).before(facts(&before.provider, None));
        desk.audit(tx, &change).await
    })
}
