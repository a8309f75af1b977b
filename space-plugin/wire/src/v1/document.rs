//! Signed documents: one section of one Space at one revision.

use super::{AccessDelta, AccessState, AuthenticationState, Inheritance, Millis, VERSION};
use crate::Digest;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// Largest payload that a receiver accepts, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 32 * 1024 * 1024;

const DOMAIN: &[u8] = b"odcm-document-v1\0";

/// A named part of a Space's desired state with revisions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// How people sign in.
    Authentication,
    /// Who exists and who is in which group.
    Access,
    /// A section of a newer version: reported, not applied.
    #[serde(other)]
    Unknown,
}

impl Section {
    /// The name on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Access => "access",
            Self::Unknown => "unknown",
        }
    }
}

/// What the Space does when the lease of its state runs out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// Work on with the last state.
    #[default]
    Keep,
    /// Deactivate the managed accounts until ODCM is back.
    Shut,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// The whole state of section *access*.
    AccessSnapshot {
        /// The state.
        state: AccessState,
        /// What an earlier agent of this Space left behind; beside the state, so that it counts neither in the state's
        /// digest nor in differences.
        #[serde(default, skip_serializing_if = "Inheritance::is_empty")]
        inheritance: Inheritance,
    },
    /// What changed in section *access* since `base_revision`.
    AccessDelta {
        /// The change.
        delta: AccessDelta,
    },
    /// The whole state of section *authentication*.
    AuthenticationSnapshot {
        /// The state.
        state: AuthenticationState,
    },
    /// A body of a newer version: reported, not applied.
    #[serde(other)]
    Unknown,
}

/// One section of one Space at one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Wire version of the body.
    pub wire: u32,
    /// Id of the ODCM deployment.
    pub deployment: String,
    /// Id of the Space.
    pub space: String,
    /// Section.
    pub section: Section,
    /// Generation of the revision history, raised by a restore.
    pub epoch: u64,
    /// Revision that holds after this document.
    pub revision: u64,
    /// For a delta: the revision it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_revision: Option<u64>,
    /// When ODCM decided it.
    pub issued_at: Millis,
    /// Until when the state holds without word from ODCM.
    pub valid_until: Millis,
    /// What happens after that.
    pub offline: Offline,
    /// The installation the document is meant for (rules B5).
    pub installation_id: String,
    /// Digest of the dry run that an administrator confirmed, for a mass removal (rules B7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Digest>,
    /// [`Digest`] of the state that holds after this document, over the fields that version 1 began with: proof that a
    /// delta met its base, whatever fields a later ODCM of this version adds.
    pub state_digest: Digest,
    /// The content.
    pub body: Body,
}

/// A document with its signature. The payload is signed and stored exactly as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDocument {
    /// JSON of a [`Document`].
    pub payload: String,
    /// Id of the fleet key.
    pub key_id: String,
    /// Base64 of the Ed25519 signature.
    pub signature: String,
}

/// Why a signed document is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    /// Larger than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is larger than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
    /// The signature is not one of a pinned fleet key.
    #[error("the signature of the document is not valid for any pinned fleet key")]
    Signature,
    /// Not JSON of a document.
    #[error("the document cannot be read: {0}")]
    Malformed(String),
    /// Another wire version than the negotiated one.
    #[error("the document is of wire version {0}")]
    Version(u32),
}

/// Digest of a value's JSON; both sides compute it with this function.
///
/// # Errors
/// When the state cannot be written as JSON.
pub(super) fn state_digest<T: Serialize>(state: &T) -> Result<Digest, DocumentError> {
    serde_json::to_vec(state).map(|b| Digest::of(&b)).map_err(|e| DocumentError::Malformed(e.to_string()))
}

impl Document {
    /// Writes and signs the document. `sign` receives the bytes to sign and returns the signature.
    ///
    /// # Errors
    /// [`DocumentError::TooLarge`], or [`DocumentError::Malformed`] when it cannot be written.
    pub fn seal(&self, key_id: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<SignedDocument, DocumentError> {
        let payload = serde_json::to_string(self).map_err(|e| DocumentError::Malformed(e.to_string()))?;
        if payload.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let signature = BASE64.encode(sign(&signed_bytes(&payload)));
        Ok(SignedDocument { payload, key_id: key_id.into(), signature })
    }
}

impl SignedDocument {
    /// Digest over the signed bytes: the `doc_digest` that detects forks (rules B2).
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&signed_bytes(&self.payload))
    }

    /// Checks the signature with `verify(key_id, signed bytes, signature)` and then reads the document.
    ///
    /// # Errors
    /// [`DocumentError`]; nothing of the payload is looked at before the signature was found good.
    pub fn open(&self, verify: impl FnOnce(&str, &[u8], &[u8]) -> bool) -> Result<Document, DocumentError> {
        if self.payload.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let signature = BASE64.decode(&self.signature).map_err(|_| DocumentError::Signature)?;
        if !verify(&self.key_id, &signed_bytes(&self.payload), &signature) {
            return Err(DocumentError::Signature);
        }
        let document: Document = serde_json::from_str(&self.payload).map_err(|e| DocumentError::Malformed(e.to_string()))?;
        if document.wire != VERSION {
            return Err(DocumentError::Version(document.wire));
        }
        Ok(document)
    }
}

fn signed_bytes(payload: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DOMAIN.len() + payload.len());
    bytes.extend_from_slice(DOMAIN);
    bytes.extend_from_slice(payload.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Document {
        Document {
            wire: VERSION,
            deployment: "d".into(),
            space: "s".into(),
            section: Section::Access,
            epoch: 1,
            revision: 2,
            base_revision: None,
            issued_at: 3,
            valid_until: 4,
            offline: Offline::Keep,
            installation_id: "i".into(),
            confirmation: None,
            state_digest: AccessState::default().digest().unwrap(),
            body: Body::AccessSnapshot { state: AccessState::default(), inheritance: Inheritance::default() },
        }
    }

    // A stand-in for Ed25519: the digest of key and bytes.
    fn sign(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
        move |bytes| Digest::of(&[key.as_bytes(), bytes].concat()).as_bytes().to_vec()
    }
    fn verify(key: &str, bytes: &[u8], signature: &[u8]) -> bool {
        key == "k1" && sign(key)(bytes) == signature
    }

    #[test]
    fn a_sealed_document_opens() {
        let sealed = sample().seal("k1", sign("k1")).unwrap();
        assert_eq!(sealed.open(verify), Ok(sample()));
    }

    #[test]
    fn any_change_of_the_payload_is_refused() {
        let sealed = sample().seal("k1", sign("k1")).unwrap();
        for (from, to) in [("\"revision\":2", "\"revision\":3"), ("\"space\":\"s\"", "\"space\":\"t\""), ("{", " {")] {
            let forged = SignedDocument { payload: sealed.payload.replacen(from, to, 1), ..sealed.clone() };
            assert_ne!(forged.payload, sealed.payload);
            assert_eq!(forged.open(verify), Err(DocumentError::Signature));
            assert_ne!(forged.digest(), sealed.digest());
        }
    }

    #[test]
    fn another_key_is_refused() {
        let sealed = sample().seal("k2", sign("k2")).unwrap();
        assert_eq!(sealed.open(verify), Err(DocumentError::Signature));
    }

    #[test]
    fn another_wire_version_is_refused() {
        let sealed = Document { wire: 99, ..sample() }.seal("k1", sign("k1")).unwrap();
        assert_eq!(sealed.open(verify), Err(DocumentError::Version(99)));
    }

    #[test]
    fn unknown_sections_bodies_and_fields_are_values() {
        let text = serde_json::to_string(&sample()).unwrap();
        let text = text.replace("\"section\":\"access\"", "\"section\":\"shares\",\"new_field\":1");
        let text = text.replace("access_snapshot", "shares_snapshot");
        let read: Document = serde_json::from_str(&text).unwrap();
        assert_eq!((read.section, read.body), (Section::Unknown, Body::Unknown));
    }
}
