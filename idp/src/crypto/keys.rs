//! The ring of signing keys in memory: who signs with which algorithm, what is published, what still verifies.
//! `accounts::keys` fills it from the database and replaces it as a whole.

use super::CryptoError;
use super::jose::{Alg, Jwk, Signer, Typ, Verifier, verify};
use crate::core::Timestamp;
use odcm_wire::latest::SignedSuccession;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One state of the ring.
#[derive(Debug, Default)]
pub struct KeyRing {
    /// Active token signers.
    active: Vec<Arc<Signer>>,
    /// Active fleet signer.
    fleet: Option<Arc<Signer>>,
    /// Everything published: next, active, retired but not gone.
    published: Vec<Arc<Signer>>,
    /// Ids of fleet keys that are announced and will sign soon.
    coming: Vec<String>,
    /// How each fleet key was followed by another, oldest first: the id of the next key, and the announcement.
    successions: Vec<(String, SignedSuccession)>,
}

impl KeyRing {
    /// Puts a ring together; the order of `published` is that of the key set.
    #[must_use]
    pub fn new(active: Vec<Arc<Signer>>, fleet: Option<Arc<Signer>>, published: Vec<Arc<Signer>>) -> Self {
        Self { active, fleet, published, coming: Vec::new(), successions: Vec::new() }
    }

    /// Adds what agents are told of fleet keys: ids of those that will sign soon, and the announcements so far.
    #[must_use]
    pub fn with_fleet(mut self, coming: Vec<String>, successions: Vec<(String, SignedSuccession)>) -> Self {
        (self.coming, self.successions) = (coming, successions);
        self
    }

    /// Whether documents signed by that fleet key may still be sent: it signs, or will.
    #[must_use]
    pub fn fleet_counts(&self, kid: &str) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| fleet.kid() == kid) || self.coming.iter().any(|coming| coming == kid)
    }

    /// The announcement that leads on from a fleet key, and the id of the key that it names.
    #[must_use]
    pub fn succession_of(&self, kid: &str) -> Option<&(String, SignedSuccession)> {
        self.successions.iter().find(|(_, signed)| signed.key_id == kid)
    }

    /// The key that signs tokens with `alg` now.
    ///
    /// # Errors
    /// When there is none: the ring has not been filled.
    pub fn signer(&self, alg: Alg) -> Result<&Arc<Signer>, CryptoError> {
        let found = self.active.iter().find(|signer| signer.alg() == alg);
        found.ok_or_else(|| CryptoError(format!("no active {} key", alg.as_str())))
    }

    /// The Ed25519 key that signs documents for agents.
    ///
    /// # Errors
    /// When there is none: the ring has not been filled.
    pub fn fleet(&self) -> Result<&Arc<Signer>, CryptoError> {
        self.fleet.as_ref().ok_or_else(|| CryptoError::new("no fleet key"))
    }

    /// The public key set (RFC 7517 §5).
    pub fn published(&self) -> impl Iterator<Item = &Jwk> {
        self.published.iter().map(|signer| signer.jwk())
    }

    /// Checks a token of our own and gives the JSON of its claims; issuer, audience and time are for the caller.
    #[must_use]
    pub fn verify(&self, token: &str, typ: Typ) -> Option<Vec<u8>> {
        verify(token, typ, |kid| self.verifier(kid))
    }

    /// The signer with that key id, if it is in the ring.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<Arc<Signer>> {
        self.published.iter().chain(&self.fleet).find(|signer| signer.kid() == kid).cloned()
    }

    fn verifier(&self, kid: &str) -> Option<Verifier> {
        self.published.iter().find(|signer| signer.kid() == kid).map(|signer| signer.verifier().clone())
    }
}

/// The ring that the program shares. Cheap to clone; readers never wait for a reload.
#[derive(Clone, Debug)]
pub struct KeyStore {
    ring: Arc<RwLock<Arc<KeyRing>>>,
    loaded_at: Arc<AtomicI64>,
}

impl Default for KeyStore {
    fn default() -> Self {
        Self { ring: Arc::default(), loaded_at: Arc::new(AtomicI64::new(i64::MIN)) }
    }
}

impl KeyStore {
    /// The ring as it is now.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the ring.
    pub fn replace(&self, ring: KeyRing, now: Timestamp) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        self.loaded_at.store(now.0, Ordering::SeqCst);
    }

    /// True for exactly one caller when the ring is older than `age_s` seconds: that caller reloads it.
    #[must_use]
    pub fn claim_reload(&self, now: Timestamp, age_s: i64) -> bool {
        let loaded = self.loaded_at.load(Ordering::SeqCst);
        let due = loaded == i64::MIN || Timestamp(loaded).plus_secs(age_s) <= now;
        due && self.loaded_at.compare_exchange(loaded, now.0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}
