//! Signing keys: made at the first start, loaded into the ring, rotated without downtime.
//!
//! A rotation publishes the new key at once and lets it sign [`LEAD_S`] seconds later; nodes reload the ring every
//! [`RELOAD_S`] seconds, clients may keep the key set [`JWKS_MAX_AGE_S`] seconds, and `LEAD_S` is greater than both together.
//!
//! Agents do not read the key set: they pin the fleet key at enrolment, and its rotation is announced to them over the
//! signature of the key before (rules B3). The announcements stay, so that an agent that was away follows them in turn.

use super::desk::record;
use super::{Error, Result};
use crate::core::change::Change;
use crate::core::keyset::{self, Alg, KeyFacts, KeyState, NEEDED, Purpose, Step};
use crate::core::policy::{Act, Actor};
use crate::core::{Refusal, Timestamp};
use crate::crypto::CryptoError;
use crate::crypto::jose::{self, Signer};
use crate::crypto::keys::{KeyRing, KeyStore};
use crate::crypto::seal::{Place, Sealer};
use crate::deps::Deps;
use crate::ports::{Clock, Entropy};
use crate::run_tx;
use crate::storage::keys::StoredKey;
use crate::storage::successions::{self, SuccessionRow};
use crate::storage::{Db, Tx, agents, audit, keys as rows};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{FleetKey, SignedSuccession, Succession};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Seconds after which a node reads the keys again.
pub const RELOAD_S: i64 = 30;
/// Seconds for which others may keep the key set (`Cache-Control: max-age`).
pub const JWKS_MAX_AGE_S: i64 = 300;
/// Seconds between the publication of a key and its first signature.
pub const LEAD_S: i64 = 600;

/// Seconds for which agents take documents of the former fleet key after the new one signs: documents under way, and nodes
/// that read the keys late.
pub const FLEET_GRACE_S: i64 = 3600;

/// Where new private keys come from: tests give ready ones, since an RSA key takes a while.
pub type Maker = fn(Alg) -> std::result::Result<Vec<u8>, CryptoError>;

/// What the functions here need of the program, so that they work before `Deps` exist.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Database.
    pub db: &'a Db,
    /// Seals private keys.
    pub sealer: &'a Sealer,
    /// The ring to fill.
    pub store: &'a KeyStore,
    /// Time.
    pub clock: &'a Clock,
    /// Randomness, for audit rows.
    pub entropy: &'a Entropy,
    /// `settings.tokens.key_overlap`.
    pub overlap_s: i64,
}

impl<'a> From<&'a Deps> for Parts<'a> {
    fn from(deps: &'a Deps) -> Self {
        let (db, sealer, store) = (&deps.db, &deps.sealer, &deps.keys);
        Self { db, sealer, store, clock: &deps.clock, entropy: &deps.entropy, overlap_s: deps.settings.tokens.key_overlap }
    }
}

/// Makes the keys that must exist, takes the steps that are due, and fills the ring. Call it at start; several nodes may.
///
/// # Errors
/// Storage errors; `Internal` when a private key does not open.
pub async fn ensure(parts: Parts<'_>, make: Maker) -> Result<()> {
    let now = parts.clock.now();
    let stored = rows::all(&mut &*parts.db).await?;
    let due = plan(&stored, now, parts.overlap_s);
    if !due.is_empty() {
        // Keys are made outside the transaction (RSA takes long), the need for them is checked again inside.
        let made = make_keys(parts.sealer, &due, now, make)?;
        let done: Result<()> = run_tx!(parts.db, "keys.maintain", |tx| {
            let facts = rows::all(tx).await?;
            for step in plan(&facts, now, parts.overlap_s) {
                take(tx, &step, &made, now).await?;
                let change = Change::new(step_name(&step), "signing_key", step_kid(&step, &made), "");
                audit::write(tx, parts.entropy, now, &Actor::system("keys"), &change).await?;
            }
            Ok(())
        });
        done?;
    }
    load(parts).await
}

/// The ring, brought up to date if it is older than [`RELOAD_S`] seconds. Everything that signs or verifies goes through
/// here; a reload that fails leaves the ring as it was.
pub async fn ring(deps: &Deps) -> Arc<KeyRing> {
    if deps.keys.claim_reload(deps.clock.now(), RELOAD_S)
        && let Err(error) = ensure(deps.into(), jose::generate).await
    {
        tracing::error!(%error, "signing keys could not be read again; the ones in memory stay in use");
    }
    deps.keys.ring()
}

/// Publishes a new key for `alg`; it signs in [`LEAD_S`] seconds. Gives its key id. Ed25519 is the fleet key: the present
/// one announces it to the agents.
///
/// # Errors
/// A refusal without the right, or while a rotation of that algorithm is under way; storage errors.
pub async fn rotate(deps: &Deps, actor: &Actor, alg: Alg) -> Result<String> {
    actor.may(&Act::ManageClients)?;
    let now = deps.clock.now();
    let purpose = if alg == Alg::EdDsa { Purpose::Fleet } else { Purpose::Token };
    let (key, public) = new_key(&deps.sealer, purpose, alg, KeyState::Next { since: now }, jose::generate)?;
    let done: Result<()> = run_tx!(deps.db, "keys.rotate", |tx| {
        let under_way = |k: &StoredKey| k.facts.alg == alg && matches!(k.facts.state, KeyState::Next { .. });
        let stored = rows::all(tx).await?;
        if stored.iter().any(under_way) {
            let text = "A new key of this algorithm is published already and will sign soon.";
            return Err(Error::Refused(Refusal::conflict("key.rotating", text)));
        }
        if purpose == Purpose::Fleet {
            let active = stored.iter().find(|k| k.facts.purpose == purpose && matches!(k.facts.state, KeyState::Active { .. }));
            let active = active.ok_or_else(|| Error::Internal("there is no fleet key that could announce another".into()))?;
            let row = announce(deps, tx, active, &key, now).await?;
            successions::insert(tx, &row, now).await?;
        }
        rows::insert(tx, &key, &public, now).await?;
        let change = Change::new("key.publish", "signing_key", key.facts.kid.clone(), alg.as_str());
        record(tx, deps, actor, now, &change.after(json!({"alg": alg, "signs_at": now.plus_secs(LEAD_S)}))).await?;
        Ok(())
    });
    done?;
    load(deps.into()).await?;
    Ok(key.facts.kid)
}

/// The announcement of `next` by the fleet key that signs now.
async fn announce(deps: &Deps, tx: &mut Tx, active: &StoredKey, next: &StoredKey, now: Timestamp) -> Result<SuccessionRow> {
    let (by, next) = (open(&deps.sealer, active)?, open(&deps.sealer, next)?);
    let (deployment, _) = agents::deployment(tx).await?;
    let said = Succession {
        deployment,
        previous: by.kid().into(),
        next: FleetKey { key_id: next.kid().into(), public_key: BASE64.encode(next.public_raw()) },
        announced_at: now.0,
        previous_until: now.plus_secs(LEAD_S + FLEET_GRACE_S).0,
    };
    let mut fault = None;
    let signed = said.seal(|bytes| {
        by.sign_bytes(bytes).unwrap_or_else(|error| {
            fault = Some(error.0);
            Vec::new()
        })
    });
    let signed = signed.map_err(|e| Error::Internal(e.to_string()))?;
    match fault {
        Some(fault) => Err(Error::Internal(fault)),
        None => Ok(SuccessionRow {
            previous_kid: signed.key_id,
            next_kid: next.kid().into(),
            payload: signed.payload,
            signature: signed.signature,
        }),
    }
}

fn open(sealer: &Sealer, key: &StoredKey) -> Result<Signer> {
    let opened = sealer.open(place(&key.facts.kid), &key.sealed);
    opened.and_then(|der| Signer::from_pkcs8(key.facts.alg, &der)).map_err(|e| Error::Internal(e.0))
}

/// What there is, for the portal and the command line: no private part.
///
/// # Errors
/// Storage errors.
pub async fn list(deps: &Deps, actor: &Actor) -> Result<Vec<KeyFacts>> {
    actor.may(&Act::ReadAll)?;
    Ok(rows::all(&mut &deps.db).await?.into_iter().map(|key| key.facts).collect())
}

fn plan(stored: &[StoredKey], now: Timestamp, overlap_s: i64) -> Vec<Step> {
    let facts: Vec<KeyFacts> = stored.iter().map(|key| key.facts.clone()).collect();
    keyset::plan(&facts, now, LEAD_S, overlap_s)
}

type Made = BTreeMap<(Purpose, Alg), (StoredKey, String)>;

fn make_keys(sealer: &Sealer, steps: &[Step], now: Timestamp, make: Maker) -> Result<Made> {
    let wanted = NEEDED.into_iter().filter(|(purpose, alg)| steps.contains(&Step::Create(*purpose, *alg)));
    wanted.map(|(p, alg)| Ok(((p, alg), new_key(sealer, p, alg, KeyState::Active { since: now }, make)?))).collect()
}

fn new_key(sealer: &Sealer, purpose: Purpose, alg: Alg, state: KeyState, make: Maker) -> Result<(StoredKey, String)> {
    let fault = |e: CryptoError| Error::Internal(e.0);
    let der = make(alg).map_err(fault)?;
    let signer = Signer::from_pkcs8(alg, &der).map_err(fault)?;
    let kid = signer.kid().to_owned();
    let sealed = sealer.seal(place(&kid), &der).map_err(fault)?;
    let public = serde_json::to_string(signer.jwk()).map_err(|e| Error::Internal(e.to_string()))?;
    Ok((StoredKey { facts: KeyFacts { kid, purpose, alg, state }, sealed }, public))
}

async fn take(tx: &mut Tx, step: &Step, made: &Made, now: Timestamp) -> Result<()> {
    match step {
        Step::Create(purpose, alg) => match made.get(&(*purpose, *alg)) {
            Some((key, public)) => rows::insert(tx, key, public, now).await?,
            None => return Err(Error::Internal("a key is needed that was there a moment ago; start again".into())),
        },
        Step::Activate(kid) => rows::activate(tx, kid, now).await?,
        Step::Retire(kid, until) => rows::retire(tx, kid, now, *until).await?,
        Step::Remove(kid) => rows::remove(tx, kid).await?,
    }
    Ok(())
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Create(..) => "key.create",
        Step::Activate(_) => "key.activate",
        Step::Retire(..) => "key.retire",
        Step::Remove(_) => "key.remove",
    }
}

fn step_kid(step: &Step, made: &Made) -> String {
    match step {
        Step::Create(purpose, alg) => made.get(&(*purpose, *alg)).map(|(key, _)| key.facts.kid.clone()).unwrap_or_default(),
        Step::Activate(kid) | Step::Retire(kid, _) | Step::Remove(kid) => kid.clone(),
    }
}

async fn load(parts: Parts<'_>) -> Result<()> {
    let now = parts.clock.now();
    let stored = rows::all(&mut &*parts.db).await?;
    // A key that is parsed already stays: parsing RSA costs as much as half a signature.
    let old = parts.store.ring();
    let (mut active, mut fleet, mut published, mut coming) = (Vec::new(), None, Vec::new(), Vec::new());
    for key in stored {
        let kept = old.get(&key.facts.kid);
        let signer = match kept {
            Some(signer) => signer,
            None => Arc::new(open(parts.sealer, &key)?),
        };
        let signs = matches!(key.facts.state, KeyState::Active { .. });
        let gone = matches!(key.facts.state, KeyState::Retired { until } if until <= now);
        match key.facts.purpose {
            Purpose::Fleet if signs => fleet = Some(signer),
            Purpose::Fleet if matches!(key.facts.state, KeyState::Next { .. }) => coming.push(key.facts.kid),
            Purpose::Fleet => {}
            Purpose::Token => {
                if signs {
                    active.push(signer.clone());
                }
                if !gone {
                    published.push(signer);
                }
            }
        }
    }
    let told = successions::all(&mut &*parts.db).await?.into_iter();
    let told = told.map(|row| {
        let SuccessionRow { previous_kid, next_kid, payload, signature } = row;
        (next_kid, SignedSuccession { payload, key_id: previous_kid, signature })
    });
    parts.store.replace(KeyRing::new(active, fleet, published).with_fleet(coming, told.collect()), now);
    Ok(())
}

fn place(kid: &str) -> Place<'_> {
    Place::new("signing_key", "sealed", kid)
}
