//! Clients: create, change, restrict, rotate secrets. A secret is shown once; only its SHA-256 is stored. Secrets of Spaces
//! are made by their agents and arrive as hashes (rules B9).

use super::desk::record;
use super::{Error, Result, access};
use crate::core::change::Change;
use crate::core::client::{Client, ClientKind, ClientSettings, MAX_GROUPS};
use crate::core::ids::{ClientId, GroupId, SpaceId};
use crate::core::policy::{Act, Actor};
use crate::core::{Refusal, Timestamp};
use crate::crypto::hash::{b64, hex, sha256, unb64};
use crate::crypto::seal::Place;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::clients::{self as rows, SecretRow};
use crate::storage::page::Page;
use crate::storage::{self, Tx, reports, revocation, tokens};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Seconds for which the previous secret stays valid after a rotation.
pub const SECRET_OVERLAP_S: i64 = 7 * 86_400;
/// Seconds for which a probe code is recognised.
const PROBE_S: i64 = 600;
const PROBE_PREFIX: &str = "odcm-probe.";

/// A new client.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Its id; made up when absent.
    pub id: Option<ClientId>,
    /// Confidential or public.
    pub kind: ClientKind,
    /// Name for people, 1 to 64 characters.
    pub name: String,
    /// Settings.
    pub settings: ClientSettings,
    /// Groups it is restricted to; none means every active person.
    pub groups: BTreeSet<GroupId>,
}

/// What was made; the secret is shown now or never.
#[derive(Clone)]
pub struct CreatedClient {
    /// The client.
    pub client: Client,
    /// Its secret, if it keeps one.
    pub secret: Option<String>,
}

fn name(text: &str) -> Result<String> {
    let name = crate::core::text::DisplayName::parse("name", text)?;
    Ok(name.as_str().to_owned())
}

fn shown(client: &Client, groups: &BTreeSet<GroupId>) -> serde_json::Value {
    json!({"kind": client.kind.as_str(), "name": client.name, "enabled": client.enabled, "settings": client.settings, "groups": groups})
}

/// Makes a client.
///
/// # Errors
/// Refused without the right, for settings that make no sense, or a taken id.
pub async fn create(deps: &Deps, actor: &Actor, new: NewClient) -> Result<CreatedClient> {
    actor.may(&Act::ManageClients)?;
    if matches!(new.kind, ClientKind::Space(_)) {
        return Err(Refusal::invalid("kind", "client.invalid", "The client of a Space comes with its enlistment.").into());
    }
    new.settings.validate(&new.kind)?;
    few_enough(&new.groups, 0)?;
    let now = deps.clock.now();
    let id = match new.id {
        Some(id) => id,
        None => ClientId::parse(&b64(deps.entropy.bytes::<12>())).map_err(|e| Error::Internal(e.to_string()))?,
    };
    let client = Client { id, kind: new.kind, name: name(&new.name)?, settings: new.settings, enabled: true, version: 1 };
    let secret = matches!(client.kind, ClientKind::Confidential).then(|| deps.entropy.secret());
    let done: Result<()> = run_tx!(deps.db, "client.create", |tx| {
        if rows::find(tx, &client.id).await?.is_some() {
            return Err(Refusal::conflict("client.exists", "There is a client with this id. Choose another one.")
                .field("id")
                .into());
        }
        rows::insert(tx, &client, now).await?;
        set_groups(tx, &client.id, &new.groups).await?;
        if let Some(secret) = &secret {
            rows::add_secret(tx, &client.id, &sha256(secret.as_bytes()), 1, now, now).await?;
        }
        let change = Change::new("client.create", "client", client.id.as_str(), client.name.as_str());
        record(tx, deps, actor, now, &change.after(shown(&client, &new.groups))).await?;
        Ok(())
    });
    done?;
    Ok(CreatedClient { client, secret })
}

/// A restriction has a bounded number of groups; one that has more already may lose some.
fn few_enough(groups: &BTreeSet<GroupId>, before: usize) -> Result<()> {
    if groups.len() <= MAX_GROUPS.max(before) {
        return Ok(());
    }
    let text = format!("A client is restricted to at most {MAX_GROUPS} groups. Put groups into one, and name that.");
    Err(Refusal::invalid("groups", "client.groups", text).into())
}

async fn set_groups(tx: &mut Tx, id: &ClientId, groups: &BTreeSet<GroupId>) -> Result<()> {
    match rows::set_groups(tx, id, groups).await {
        Err(storage::Error::Reference(_)) => {
            Err(Refusal::invalid("groups", "client.groups", "One of the groups does not exist.").into())
        }
        other => Ok(other?),
    }
}

/// What may be changed; absent members stay.
#[derive(Clone, Debug, Default)]
pub struct EditClient {
    /// Name.
    pub name: Option<String>,
    /// Settings, all of them.
    pub settings: Option<ClientSettings>,
    /// Groups it is restricted to.
    pub groups: Option<BTreeSet<GroupId>>,
    /// Disabled clients get nothing.
    pub enabled: Option<bool>,
    /// The caller knows that a restriction taken away opens the client to everybody.
    pub confirmed: bool,
}

/// Changes a client. Taking the last group away opens it to every active person, so that wants `confirmed`. `version` is what the caller saw (If-Match). For the client of a Space only `enabled` and the redirect
/// URIs may change, by whoever manages that Space.
///
/// # Errors
/// Refused: not found, stale, settings that make no sense, `client.opens`.
pub async fn edit(deps: &Deps, actor: &Actor, id: &ClientId, version: Option<i64>, edit: EditClient) -> Result<Client> {
    let now = deps.clock.now();
    let new_name = edit.name.as_deref().map(name).transpose()?;
    run_tx!(deps.db, "client.edit", |tx| {
        let mut client = found(tx, actor, id).await?;
        if version.is_some_and(|version| version != client.version) {
            return Err(Refusal::stale().into());
        }
        let groups: BTreeSet<GroupId> = rows::groups(tx, id).await?.into_iter().collect();
        let before = shown(&client, &groups);
        if client.space().is_some() && (new_name.is_some() || edit.groups.is_some()) {
            let text = "Name and groups of a Space's client follow the Space and its grants.";
            return Err(Refusal::invalid("name", "client.invalid", text).into());
        }
        if !groups.is_empty() && edit.groups.as_ref().is_some_and(BTreeSet::is_empty) && !edit.confirmed {
            let text = "Without a group the client admits every active person. Confirm that, or leave a group in place.";
            return Err(Refusal::conflict("client.opens", text).field("groups").into());
        }
        if let Some(settings) = &edit.settings {
            settings.validate(&client.kind)?;
            client.settings = settings.clone();
        }
        client.name = new_name.clone().unwrap_or(client.name);
        client.enabled = edit.enabled.unwrap_or(client.enabled);
        if !rows::update(tx, &client, now).await? {
            return Err(Refusal::stale().into());
        }
        client.version += 1;
        let groups = match &edit.groups {
            Some(new) => {
                few_enough(new, groups.len())?;
                set_groups(tx, id, new).await?;
                new.clone()
            }
            None => groups,
        };
        // whoever the client no longer admits holds nothing of it any more (rules C1)
        for holder in revocation::held_of_client(tx, id, now).await? {
            if !client.enabled || !access::admits_client(tx, &holder.person_id, id, now).await? {
                revocation::end_of_client(tx, &holder, now).await?;
            }
        }
        let change =
            Change { space: client.space().cloned(), ..Change::new("client.edit", "client", id.as_str(), client.name.as_str()) };
        record(tx, deps, actor, now, &change.before(before).after(shown(&client, &groups))).await?;
        Ok::<_, Error>(client)
    })
}

async fn found(tx: &mut Tx, actor: &Actor, id: &ClientId) -> Result<Client> {
    let client = rows::find(tx, id).await?;
    match client.as_ref().and_then(Client::space) {
        Some(space) => actor.may(&Act::ManageSpace(space.clone()))?,
        None => actor.may(&Act::ManageClients)?,
    }
    client.ok_or_else(|| Refusal::not_found("client").into())
}

/// Gives a confidential client a new secret; the previous one stays valid for a week, or ends at once.
///
/// # Errors
/// Refused: not found, no client that keeps secrets.
pub async fn rotate_secret(deps: &Deps, actor: &Actor, id: &ClientId, end_previous: bool) -> Result<String> {
    let (now, secret) = (deps.clock.now(), deps.entropy.secret());
    let done: Result<()> = run_tx!(deps.db, "client.rotate", |tx| {
        let client = found(tx, actor, id).await?;
        if client.kind != ClientKind::Confidential {
            let text = "Public clients keep no secret, and the secret of a Space is made by its agent.";
            return Err(Refusal::conflict("client.no_secret", text).into());
        }
        let generation = rows::secrets(tx, id).await?.first().map_or(1, |newest| newest.generation + 1);
        let until = if end_previous { now } else { now.plus_secs(SECRET_OVERLAP_S) };
        rows::add_secret(tx, id, &sha256(secret.as_bytes()), generation, now, until).await?;
        let change = Change::new("client.rotate_secret", "client", id.as_str(), client.name.as_str());
        let after = json!({"generation": generation, "previous_valid_until": until});
        record(tx, deps, actor, now, &change.after(after)).await?;
        Ok(())
    });
    done?;
    Ok(secret)
}

/// Clients other than those of Spaces with the groups they are restricted to, in order of id after `after`; with `text`
/// those that have it in name or id.
///
/// # Errors
/// Refused without the right.
pub async fn list(
    deps: &Deps,
    actor: &Actor,
    text: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Page<(Client, Vec<GroupId>)>> {
    actor.may(&Act::ReadAll)?;
    let page = rows::page(&mut &deps.db, text, after, limit).await?;
    let mut groups: BTreeMap<ClientId, Vec<GroupId>> = BTreeMap::new();
    if let Some(last) = page.items.last() {
        for (client, group) in rows::groups_between(&mut &deps.db, after, &last.id).await? {
            groups.entry(client).or_default().push(group);
        }
    }
    Ok(page.map(|client| {
        let own = groups.remove(&client.id).unwrap_or_default();
        (client, own)
    }))
}

/// One client with its groups and its secrets (without the secrets).
///
/// # Errors
/// Refused without the right, or when there is none.
pub async fn view(deps: &Deps, actor: &Actor, id: &ClientId) -> Result<(Client, Vec<GroupId>, Vec<SecretRow>)> {
    actor.may(&Act::ReadAll)?;
    let client = rows::find(&mut &deps.db, id).await?.ok_or_else(|| Refusal::not_found("client"))?;
    Ok((client, rows::groups(&mut &deps.db, id).await?, rows::secrets(&mut &deps.db, id).await?))
}

/// Stores the SHA-256 of the secret that an agent made for its Space and wrote into Octopus (rules B9). The previous one
/// stays valid for a week. Storing the same one again changes nothing. The agent is the actor of the audit line.
///
/// # Errors
/// `NotFound` when the Space has no client; a refusal when the hash has not 32 bytes.
pub async fn store_space_secret(
    deps: &Deps,
    tx: &mut Tx,
    actor: &Actor,
    space: &SpaceId,
    generation: i64,
    hash: &[u8],
) -> Result<()> {
    if hash.len() != 32 {
        return Err(Refusal::invalid("secret_sha256", "client.secret", "A SHA-256 has 32 bytes.").into());
    }
    let client = rows::of_space(tx, space).await?.ok_or_else(|| Refusal::not_found("client"))?;
    if rows::knows_secret(tx, &client.id, hash).await? {
        return Ok(());
    }
    let now = deps.clock.now();
    let known = rows::secrets(tx, &client.id).await?;
    let newest = known.first().map_or(0, |secret| secret.generation);
    rows::add_secret(tx, &client.id, hash, generation.max(newest), now, now.plus_secs(SECRET_OVERLAP_S)).await?;
    let change = Change::new("client.rotate_secret", "client", client.id.as_str(), client.name.as_str()).in_space(space);
    // the first half of a hash of 32 random bytes gives nothing away and names the secret
    let after = json!({"generation": generation, "sha256_begin": hex(hash).get(..16)});
    record(tx, deps, actor, now, &change.after(after)).await
}

/// A dead code: it redeems nothing, but a correctly authenticated token request that shows it proves that the Space knows
/// its secret (rules B6). Valid for ten minutes, for that client only.
///
/// # Errors
/// Only if the library fails.
pub fn probe_code(deps: &Deps, client: &ClientId) -> Result<String> {
    let until = deps.clock.now().plus_secs(PROBE_S).0.to_be_bytes();
    let sealed = deps.sealer.seal(probe_place(client), &until).map_err(|e| Error::Internal(e.0))?;
    Ok(format!("{PROBE_PREFIX}{}", b64(sealed)))
}

fn probe_place(client: &ClientId) -> Place<'_> {
    Place::new("probe", "code", client.as_str())
}

/// Whether `code` is a probe code made for this client that has not expired.
#[must_use]
pub fn is_probe(deps: &Deps, client: &ClientId, code: &str, now: Timestamp) -> bool {
    let sealed = code.strip_prefix(PROBE_PREFIX).filter(|text| text.len() < 200).and_then(unb64);
    let opened = sealed.and_then(|sealed| deps.sealer.open(probe_place(client), &sealed).ok());
    let until = opened.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
    until.is_some_and(|until| now < Timestamp(until))
}

/// Records that a Space showed a probe code together with the secret that hashes to `hash`.
///
/// # Errors
/// Any storage error.
pub async fn record_probe(deps: &Deps, client: &Client, hash: &[u8]) -> Result<()> {
    let Some(space) = client.space() else { return Ok(()) };
    let now = deps.clock.now();
    run_tx!(deps.db, "client.probe", |tx| {
        rows::proven(tx, &client.id, hash, now).await?;
        let secrets = rows::secrets(tx, &client.id).await?;
        let generation = secrets.iter().find(|s| s.proven_at == Some(now)).map(|s| s.generation);
        let detail = json!({"client": client.id, "generation": generation});
        reports::add_event(tx, &deps.entropy, space, now, now, "probe", &detail).await?;
        Ok::<_, Error>(())
    })?;
    deps.live.ring(space);
    Ok(())
}

/// Deletes codes, families, refresh tokens and revocations that ended a while ago; run it now and then.
///
/// # Errors
/// Any storage error.
pub async fn sweep(deps: &Deps) -> Result<u64> {
    // A redeemed code stays as long as an access token that came of it may live.
    let before = deps.clock.now().plus_secs(-deps.settings.tokens.access.max(3600));
    run_tx!(deps.db, "tokens.sweep", |tx| {
        let codes = storage::codes::sweep(tx, before).await?;
        Ok::<_, Error>(codes + tokens::sweep(tx, before).await?)
    })
}
