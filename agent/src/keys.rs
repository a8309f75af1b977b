//! Ed25519: the agent's own key pair and the pinned keys of ODCM (rules B3).

use crate::{AgentError, entropy::Entropy};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{FleetKey, Millis, SignedSuccession};
use serde::{Deserialize, Serialize};

/// The agent's key pair. The private half never leaves the state folder.
pub struct AgentKey(Ed25519KeyPair);

impl AgentKey {
    /// Makes a new one and the seed to store.
    ///
    /// # Errors
    /// [`AgentError::Entropy`].
    pub fn generate(entropy: &dyn Entropy) -> Result<(Self, String), AgentError> {
        let mut seed = [0u8; 32];
        entropy.fill(&mut seed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| AgentError::Entropy)?;
        Ok((Self(pair), BASE64.encode(seed)))
    }

    /// Reads a stored seed.
    ///
    /// # Errors
    /// [`AgentError::Corrupt`].
    pub fn from_seed(seed: &str) -> Result<Self, AgentError> {
        let corrupt = |reason: &str| AgentError::Corrupt { file: "enrolment.json".into(), reason: reason.into() };
        let bytes = BASE64.decode(seed).map_err(|_| corrupt("the private key is not base64"))?;
        Ed25519KeyPair::from_seed_unchecked(&bytes).map(Self).map_err(|_| corrupt("the private key is not an Ed25519 seed"))
    }

    /// Base64 of the public key.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// Base64 of the signature over `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        BASE64.encode(self.0.sign(bytes).as_ref())
    }
}

/// A key of ODCM, and until when documents that arrive may be signed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldKey {
    /// The key.
    pub key: FleetKey,
    /// First instant at which a document that arrives may not be signed by it any more, on ODCM's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

/// Keys that are held at most; a key is rolled once in a while, so more is somebody's mischief.
const MOST: usize = 500;

/// ODCM's keys: pinned at enrolment, then followed from each to its successor. The last one is the newest. Keys that were
/// rolled away stay, for documents that lie in the state folder since before.
pub struct FleetKeys(Vec<(HeldKey, UnparsedPublicKey<Vec<u8>>)>);

impl FleetKeys {
    /// Reads the keys that an enrolment pins.
    ///
    /// # Errors
    /// [`AgentError::Corrupt`] when there is none, or one is not 32 bytes of base64.
    pub fn parse(keys: &[FleetKey]) -> Result<Self, AgentError> {
        let keys: Vec<HeldKey> = keys.iter().map(|key| HeldKey { key: key.clone(), until: None }).collect();
        Self::from_held(keys, "enrolment.json")
    }

    /// Reads stored keys, the newest last; `file` is where they lie.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_held(keys: Vec<HeldKey>, file: &str) -> Result<Self, AgentError> {
        let corrupt = |reason: String| AgentError::Corrupt { file: file.into(), reason };
        if keys.is_empty() {
            return Err(corrupt("no key of ODCM is pinned".into()));
        }
        keys.into_iter()
            .map(|held| match public_key(&held.key) {
                Some(key) => Ok((held, key)),
                None => Err(corrupt(format!("the key {} of ODCM is not 32 bytes of base64", held.key.key_id))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The keys as they are stored.
    #[must_use]
    pub fn held(&self) -> Vec<HeldKey> {
        self.0.iter().map(|(held, _)| held.clone()).collect()
    }

    /// Id of the newest key.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.0.last().map_or("", |(held, _)| &held.key.key_id)
    }

    /// Whether `signature` over `bytes` is by the key `key_id`, be it rolled away: for what was accepted earlier.
    #[must_use]
    pub fn verify(&self, key_id: &str, bytes: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|(held, key)| held.key.key_id == key_id && key.verify(bytes, signature).is_ok())
    }

    /// Whether `signature` over `bytes` is by the key `key_id` and that key still counts at `now`: for what arrives.
    #[must_use]
    pub fn verify_at(&self, now: Millis, key_id: &str, bytes: &[u8], signature: &[u8]) -> bool {
        let counts = |held: &HeldKey| held.key.key_id == key_id && held.until.is_none_or(|until| now < until);
        self.0.iter().any(|(held, key)| counts(held) && key.verify(bytes, signature).is_ok())
    }

    /// Follows an announcement to the next key. `false` when that key is held already.
    ///
    /// # Errors
    /// A sentence for the alarm: the announcement is not one of the newest key, or not for this deployment.
    pub fn follow(&mut self, signed: &SignedSuccession, deployment: &str) -> Result<bool, String> {
        let said = signed.open(|id, bytes, signature| self.verify(id, bytes, signature));
        let said = said.map_err(|e| format!("the announcement of a new fleet key is refused: {e}"))?;
        if said.deployment != deployment {
            return Err(format!("the announcement of a new fleet key is for deployment {}", said.deployment));
        }
        if self.0.iter().any(|(held, _)| held.key == said.next) {
            return Ok(false);
        }
        // A key that has a successor names no second one: whoever does that holds an old or stolen key.
        if said.previous != self.newest() {
            return Err(format!(
                "the key {} that was rolled away announces another successor, {}",
                said.previous, said.next.key_id
            ));
        }
        let key = public_key(&said.next).filter(|_| {
            let known = self.0.iter().any(|(held, _)| held.key.key_id == said.next.key_id);
            !known && (1..=MOST_ID).contains(&said.next.key_id.len()) && self.0.len() < MOST
        });
        let Some(key) = key else { return Err("the announced fleet key cannot be used".into()) };
        for (held, _) in &mut self.0 {
            held.until = Some(held.until.map_or(said.previous_until, |until| until.min(said.previous_until)));
        }
        self.0.push((HeldKey { key: said.next, until: None }, key));
        Ok(true)
    }
}

/// Longest id of a key, in bytes.
const MOST_ID: usize = 128;

fn public_key(key: &FleetKey) -> Option<UnparsedPublicKey<Vec<u8>>> {
    let bytes = BASE64.decode(&key.public_key).ok().filter(|bytes| bytes.len() == 32)?;
    Some(UnparsedPublicKey::new(&ED25519, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn only_the_named_pinned_key_counts() {
        let (one, seed) = AgentKey::generate(&SystemEntropy::default()).unwrap();
        let (two, _) = AgentKey::generate(&SystemEntropy::default()).unwrap();
        assert_eq!(AgentKey::from_seed(&seed).unwrap().public(), one.public());
        let keys = FleetKeys::parse(&[FleetKey { key_id: "a".into(), public_key: one.public() }]).unwrap();
        let sign = |k: &AgentKey, m: &[u8]| BASE64.decode(k.sign(m)).unwrap();
        assert!(keys.verify("a", b"m", &sign(&one, b"m")));
        assert!(!keys.verify("b", b"m", &sign(&one, b"m")));
        assert!(!keys.verify("a", b"x", &sign(&one, b"m")));
        assert!(!keys.verify("a", b"m", &sign(&two, b"m")));
    }

    #[test]
    fn bad_keys_are_refused() {
        assert!(FleetKeys::parse(&[]).is_err());
        assert!(FleetKeys::parse(&[FleetKey { key_id: "a".into(), public_key: "AAAA".into() }]).is_err());
        assert!(AgentKey::from_seed("nonsense!").is_err());
        assert!(AgentKey::from_seed("AAAA").is_err());
    }

    fn announce(by: &AgentKey, previous: &str, next: &AgentKey, id: &str, until: Millis) -> SignedSuccession {
        let next = FleetKey { key_id: id.into(), public_key: next.public() };
        let (deployment, previous) = ("d".into(), previous.into());
        let said = odcm_wire::latest::Succession { deployment, previous, next, announced_at: 0, previous_until: until };
        said.seal(|bytes| BASE64.decode(by.sign(bytes)).unwrap()).unwrap()
    }

    #[test]
    fn the_chain_of_keys_is_followed_link_by_link() {
        let key = || AgentKey::generate(&SystemEntropy::default()).unwrap().0;
        let (a, b, c, thief) = (key(), key(), key(), key());
        let pin = FleetKey { key_id: "a".into(), public_key: a.public() };
        let mut keys = FleetKeys::parse(std::slice::from_ref(&pin)).unwrap();
        let sign = |k: &AgentKey, m: &[u8]| BASE64.decode(k.sign(m)).unwrap();
        let (to_b, to_c) = (announce(&a, "a", &b, "b", 100), announce(&b, "b", &c, "c", 200));

        // Forged, out of order, for another deployment.
        assert!(keys.follow(&announce(&thief, "a", &thief, "x", 100), "d").is_err(), "not signed by a");
        assert!(keys.follow(&to_c, "d").is_err(), "b is not held yet");
        assert!(keys.follow(&to_b, "other").is_err());
        assert!(keys.follow(&announce(&a, "a", &b, "a", 100), "d").is_err(), "the id is taken");
        assert_eq!((keys.newest(), keys.held().len()), ("a", 1));

        assert_eq!(keys.follow(&to_b, "d"), Ok(true));
        assert_eq!(keys.newest(), "b");
        assert!(keys.verify_at(99, "a", b"m", &sign(&a, b"m")), "documents under way");
        assert!(!keys.verify_at(100, "a", b"m", &sign(&a, b"m")), "a is over");
        assert!(keys.verify("a", b"m", &sign(&a, b"m")), "what lies in the folder stays readable");
        assert!(keys.verify_at(100, "b", b"m", &sign(&b, b"m")));

        // Replayed; and a second successor by the stolen old key.
        assert_eq!(keys.follow(&to_b, "d"), Ok(false));
        assert!(keys.follow(&announce(&a, "a", &thief, "x", 1_000_000), "d").is_err());
        assert_eq!(keys.follow(&to_c, "d"), Ok(true));
        assert_eq!(keys.follow(&to_b, "d"), Ok(false), "yesterday's announcement changes nothing");
        assert_eq!(keys.newest(), "c");
        assert!(!keys.verify_at(150, "a", b"m", &sign(&a, b"m")), "a later announcement does not bring a back");
        let again = FleetKeys::from_held(keys.held(), "fleet.json").unwrap();
        assert_eq!((again.newest(), again.held()), ("c", keys.held()));
    }
}
