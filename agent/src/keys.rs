//! Ed25519: the agent's own key pair and the pinned keys of ODCM (rules B3).

use crate::{AgentError, entropy::Entropy};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::FleetKey;

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

/// ODCM's keys, pinned at enrolment.
pub struct FleetKeys(Vec<(String, UnparsedPublicKey<Vec<u8>>)>);

impl FleetKeys {
    /// Reads the pinned keys.
    ///
    /// # Errors
    /// [`AgentError::Corrupt`] when there is none, or one is not 32 bytes of base64.
    pub fn parse(keys: &[FleetKey]) -> Result<Self, AgentError> {
        let corrupt = |reason: String| AgentError::Corrupt { file: "enrolment.json".into(), reason };
        if keys.is_empty() {
            return Err(corrupt("no key of ODCM is pinned".into()));
        }
        keys.iter()
            .map(|k| match BASE64.decode(&k.public_key) {
                Ok(bytes) if bytes.len() == 32 => Ok((k.key_id.clone(), UnparsedPublicKey::new(&ED25519, bytes))),
                _ => Err(corrupt(format!("the key {} of ODCM is not 32 bytes of base64", k.key_id))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `signature` over `bytes` is by the pinned key `key_id`.
    #[must_use]
    pub fn verify(&self, key_id: &str, bytes: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|(id, key)| id == key_id && key.verify(bytes, signature).is_ok())
    }
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
}
