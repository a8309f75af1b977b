//! Providers that vouch for people: set up, change, remove.

use super::desk::Desk;
use super::{Error, Result, input, joining};
use crate::connectors::{self, Connector, Finding, Grade, Reading, local};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::PersonId;
use crate::core::joining::{Circumstances, Decision, decide};
use crate::core::policy::{Act, Actor, Right, Role, Scope};
use crate::core::provider::{ClientAuth, Provider, Settings};
use crate::core::text_rule::{CONTROL, Chars, TextRule};
use crate::crypto::hash::unb64;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage;
use crate::storage::providers::{self, Stored};
use serde_json::{Map, Value, json};

/// A client secret.
pub const SECRET: TextRule = TextRule::of(1, 4096, Chars::Not(&[CONTROL]));

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
        Settings::Ldap(ldap) => !ldap.bind_name.is_empty(),
    };
    if provider.enabled && needs && !has_secret {
        return Err(Refusal::invalid(
            "secret",
            "provider.secret",
            "This provider knows us by a secret: paste the client secret, or the password of the service account.",
        ));
    }
    Ok(())
}

fn sealed(deps: &Deps, id: &str, secret: Option<&str>) -> Result<Option<Vec<u8>>> {
    let Some(secret) = secret else { return Ok(None) };
    if let Some(fault) = SECRET.fault(secret) {
        return Err(fault.refusal("secret", "provider.secret", "A client secret has 1 to 4096 characters on one line.").into());
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

/// Tries a provider's settings, step by step.
///
/// # Errors
/// Refused: `not_found`, `right.missing`.
pub async fn examine(deps: &Deps, actor: &Actor, id: &str) -> Result<Vec<Finding>> {
    may(actor)?;
    match connector(deps, id).await? {
        Some(connector) => Ok(connector.examine(deps).await),
        None => {
            Ok(vec![Finding::new("Secret", Grade::Bad, "the stored secret cannot be read with this master key: paste it again")])
        }
    }
}

async fn connector(deps: &Deps, id: &str) -> Result<Option<Connector>> {
    let stored = providers::find(&mut &deps.db, id).await?.ok_or_else(|| Refusal::not_found("provider"))?;
    Ok(connectors::make(deps, stored))
}

/// What a provider's claims would mean for somebody who comes with them: how they are read, and what would become of it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How they are read, or why they are refused.
    pub reading: std::result::Result<Reading, String>,
    /// What would become of it.
    pub decision: Option<Decision>,
    /// The person it is or would be joined to.
    pub person: Option<(PersonId, String)>,
    /// Groups of the provider that are nodes here.
    pub groups: Vec<String>,
}

/// Longest pasted token or claims, in bytes.
const MAX_PASTE: usize = 64 * 1024;

/// Reads pasted claims, or a pasted token whose signature is not looked at, as if somebody came with them. Changes nothing.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `claims.invalid`.
pub async fn try_claims(deps: &Deps, actor: &Actor, id: &str, pasted: &str) -> Result<Trial> {
    may(actor)?;
    let claims = claims_of(pasted)?;
    let stored = providers::find(&mut &deps.db, id).await?.ok_or_else(|| Refusal::not_found("provider"))?;
    let provider = stored.provider.clone();
    let reading = match connectors::make(deps, stored) {
        Some(Connector::Redirect(connector)) => connector.read(&claims),
        Some(Connector::Directory(_)) | None => None,
    };
    let reading = match reading {
        Some(Ok(reading)) => reading,
        Some(Err(error)) => return Ok(Trial { reading: Err(error.to_string()), decision: None, person: None, groups: vec![] }),
        None => return Err(Refusal::invalid("claims", "claims.invalid", "Providers of this kind send no claims.").into()),
    };
    let db = &mut &deps.db;
    let owner = storage::emails::identity(db, id, &reading.subject).await?.map(|row| row.person_id);
    let label = reading.said.email.clone().unwrap_or_else(|| reading.subject.clone());
    let name_taken = joining::name_taken(db, &reading.said, &provider, &label).await?;
    let decision = decide(&provider, &reading.said, &Circumstances { owner, name_taken, ..Circumstances::default() });
    let person = match &decision {
        Decision::SignIn(person) => storage::people::find(db, person).await?.map(|p| (p.id, p.display_name)),
        _ => None,
    };
    let named = reading.said.groups.clone().unwrap_or_default();
    let mut groups = Vec::new();
    for (external, group) in storage::groups::of_provider(db, id).await? {
        if named.contains(&external) {
            groups.extend(storage::groups::find(db, &group).await?.map(|g| g.name));
        }
    }
    Ok(Trial { reading: Ok(reading), decision: Some(decision), person, groups })
}

fn claims_of(pasted: &str) -> std::result::Result<Map<String, Value>, Refusal> {
    let wrong = |text: &str| Refusal::invalid("claims", "claims.invalid", text.to_owned());
    let pasted = pasted.trim();
    if pasted.len() > MAX_PASTE {
        return Err(wrong("It is longer than 64 KiB."));
    }
    let json = if pasted.starts_with('{') {
        pasted.as_bytes().to_vec()
    } else {
        let payload = pasted.split('.').nth(1).and_then(unb64);
        payload.ok_or_else(|| wrong("It is neither a JSON object nor a token of three parts with dots between them."))?
    };
    serde_json::from_slice(&json).map_err(|e| wrong(&format!("It holds no JSON object: {e}.")))
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

/// Changes one that is still at version `seen`, if that is given; `secret` replaces the one that is stored. Gives the new version.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `stale`, and what is wrong by field.
pub async fn update(deps: &Deps, actor: &Actor, provider: &Provider, seen: Option<i64>, secret: Option<&str>) -> Result<i64> {
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
        let provider = &Provider { version: seen.unwrap_or(before.provider.version), ..provider.clone() };
        if !providers::update(tx, provider, sealed.clone(), desk.now).await? {
            return Err(Refusal::stale().into());
        }
        let change = Change::new("provider.update", "provider", &provider.id, &provider.name)
            .before(facts(&before.provider, None))
            .after(facts(provider, secret));
        desk.audit(tx, &change).await?;
        Ok::<i64, Error>(provider.version + 1)
    })
}

/// Removes one that is still at version `seen`, if that is given. The identities that people have there stay with them, and count again should it be set up again.
///
/// # Errors
/// Refused: `not_found`, `right.missing`, `stale`.
pub async fn remove(deps: &Deps, actor: &Actor, id: &str, seen: Option<i64>) -> Result<()> {
    may(actor)?;
    let desk = Desk::new(deps, actor);
    run_tx!(deps.db, "provider.remove", |tx| {
        let before = providers::find(tx, id).await?.ok_or_else(|| Refusal::not_found("provider"))?;
        if !providers::delete(tx, id, seen.unwrap_or(before.provider.version)).await? {
            return Err(Refusal::stale().into());
        }
        let change = Change::new("provider.remove", "provider", id, &before.provider.name).before(facts(&before.provider, None));
        desk.audit(tx, &change).await
    })
}
