//! How the fleet key is rolled: each key names its successor over its own signature (rules B3).
//!
//! An agent follows the chain link by link from the key that it holds. There is no other way to a new key: an announcement
//! counts only when it is signed by the agent's *newest* key, so that yesterday's announcement, or one by a key that was
//! rolled away, says nothing. Whoever holds a stolen key can still lead an agent astray that has not heard of the
//! successor: such an agent is enrolled anew.

use super::{DocumentError, FleetKey, Millis};
use crate::Digest;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// Largest announcement that is read, in bytes.
const MAX_BYTES: usize = 4096;

const DOMAIN: &[u8] = b"odcm-fleet-key-v1\0";

/// The fleet key has a successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// Id of the ODCM deployment.
    pub deployment: String,
    /// The key that signs this.
    pub previous: String,
    /// The key that follows it.
    pub next: FleetKey,
    /// When it was announced.
    pub announced_at: Millis,
    /// Until when documents that `previous` signed are taken.
    pub previous_until: Millis,
}

/// A [`Succession`] with its signature, exactly as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSuccession {
    /// JSON of a [`Succession`].
    pub payload: String,
    /// Id of the key that signed.
    pub key_id: String,
    /// Base64 of the Ed25519 signature.
    pub signature: String,
}

impl Succession {
    /// Writes and signs the announcement. `sign` receives the bytes to sign and returns the signature.
    ///
    /// # Errors
    /// [`DocumentError::Malformed`] when it cannot be written.
    pub fn seal(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<SignedSuccession, DocumentError> {
        let payload = serde_json::to_string(self).map_err(|e| DocumentError::Malformed(e.to_string()))?;
        let signature = BASE64.encode(sign(&signed_bytes(&payload)));
        Ok(SignedSuccession { payload, key_id: self.previous.clone(), signature })
    }
}

impl SignedSuccession {
    /// Checks the signature with `verify(key_id, signed bytes, signature)` and then reads the announcement.
    ///
    /// # Errors
    /// [`DocumentError`]; nothing of the payload is looked at before the signature was found good.
    pub fn open(&self, verify: impl FnOnce(&str, &[u8], &[u8]) -> bool) -> Result<Succession, DocumentError> {
        if self.payload.len() > MAX_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let signature = BASE64.decode(&self.signature).map_err(|_| DocumentError::Signature)?;
        if !verify(&self.key_id, &signed_bytes(&self.payload), &signature) {
            return Err(DocumentError::Signature);
        }
        let said: Succession = serde_json::from_str(&self.payload).map_err(|e| DocumentError::Malformed(e.to_string()))?;
        // Signed by one key in the name of another: nothing of ours.
        if said.previous == self.key_id { Ok(said) } else { Err(DocumentError::Signature) }
    }

    /// Digest over the signed bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&signed_bytes(&self.payload))
    }
}

fn signed_bytes(payload: &str) -> Vec<u8> {
    [DOMAIN, payload.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Succession {
        Succession {
            deployment: "d".into(),
            previous: "k1".into(),
            next: FleetKey { key_id: "k2".into(), public_key: "AA==".into() },
            announced_at: 1,
            previous_until: 2,
        }
    }
    fn sign(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
        move |bytes| Digest::of(&[key.as_bytes(), bytes].concat()).as_bytes().to_vec()
    }
    fn verify(key: &str, bytes: &[u8], signature: &[u8]) -> bool {
        key == "k1" && sign(key)(bytes) == signature
    }

    #[test]
    fn only_the_named_key_announces_its_successor() {
        let good = sample().seal(sign("k1")).unwrap();
        assert_eq!(good.open(verify), Ok(sample()));
        let changed = SignedSuccession { payload: good.payload.replace("k2", "k3"), ..good.clone() };
        assert_eq!(changed.open(verify), Err(DocumentError::Signature));
        assert_eq!(sample().seal(sign("k9")).unwrap().open(verify), Err(DocumentError::Signature));
        let other = SignedSuccession {
            key_id: "k1".into(),
            ..Succession { previous: "k9".into(), ..sample() }.seal(sign("k1")).unwrap()
        };
        assert_eq!(other.open(verify), Err(DocumentError::Signature), "k1 speaks for k9");
    }

    #[test]
    fn a_document_is_no_announcement() {
        // The domains differ, so a signature over one never counts for the other.
        let payload = serde_json::to_string(&sample()).unwrap();
        let bytes = [b"odcm-document-v1\0".as_slice(), payload.as_bytes()].concat();
        let signature = BASE64.encode(sign("k1")(&bytes));
        assert_eq!(SignedSuccession { payload, key_id: "k1".into(), signature }.open(verify), Err(DocumentError::Signature));
    }
}
