//! Messages of the channel. One WebSocket text frame holds the JSON of one message.
//!
//! Order: the server sends [`Challenge`]; the agent answers [`Hello`] and [`Proof`]; the server answers [`Welcome`] or
//! [`Refused`]. From then on the server sends documents and heartbeats, the agent acknowledgements and reports.

use super::{Ack, Millis, Report, Section, SignedDocument, SignedSuccession};
use crate::Digest;
use serde::{Deserialize, Serialize};

/// Largest frame that either side accepts, in bytes: a document and its escaping.
pub const MAX_MESSAGE_BYTES: usize = 48 * 1024 * 1024;

/// Body of `POST /agent/v1/enrol`.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnrolmentRequest {
    /// The one-time code that an administrator made for one Space.
    pub code: String,
    /// Base64 of the agent's Ed25519 public key; the private half never leaves the host.
    pub public_key: String,
    /// InstallationId of the Space, read from `GET /api`.
    pub installation_id: String,
    /// Base URL under which the agent reaches the Space. Never becomes a redirect URI (rules B8).
    pub base_url: String,
    /// Version of the Space's server.
    pub server_version: String,
    /// What the server can do, as read from its links and sections.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Version of the agent.
    pub agent_version: String,
}

/// Without the code.
impl std::fmt::Debug for EnrolmentRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentRequest")
            .field("public_key", &self.public_key)
            .field("installation_id", &self.installation_id)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A public key with which documents are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetKey {
    /// Its id.
    pub key_id: String,
    /// Base64 of the Ed25519 public key.
    pub public_key: String,
}

/// Answer to a good [`EnrolmentRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrolmentAccepted {
    /// Id of the agent.
    pub agent: String,
    /// Id of the Space.
    pub space: String,
    /// Name of the Space, for people.
    pub space_name: String,
    /// Id of the deployment.
    pub deployment: String,
    /// ODCM's origin, which the agent's proof names.
    pub origin: String,
    /// Keys to pin.
    pub fleet_keys: Vec<FleetKey>,
}

/// First message of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Wire versions the server speaks.
    pub wire_versions: Vec<u32>,
    /// Id of the deployment.
    pub deployment: String,
    /// ODCM's origin.
    pub origin: String,
    /// Base64 of 32 random bytes.
    pub nonce: String,
    /// Time of ODCM.
    pub now: Millis,
}

/// Where an agent stands in one section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Section.
    pub section: Section,
    /// Epoch of the last applied document; 0 when there is none.
    pub epoch: u64,
    /// Its revision; 0 when there is none.
    pub revision: u64,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_digest: Option<Digest>,
}

/// First message of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Wire versions the agent speaks.
    pub wire_versions: Vec<u32>,
    /// The version it chose.
    pub wire_version: u32,
    /// Id of the agent.
    pub agent: String,
    /// Id of the Space.
    pub space: String,
    /// Base64 of 32 random bytes.
    pub nonce: String,
    /// InstallationId of the Space as read just now.
    pub installation_id: String,
    /// Base URL under which the agent reaches the Space.
    pub base_url: String,
    /// Version of the Space's server.
    pub server_version: String,
    /// Version of the agent.
    pub agent_version: String,
    /// What the server can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Where the agent stands.
    #[serde(default)]
    pub positions: Vec<Position>,
    /// Id of the newest fleet key that it holds: ODCM answers with the successions after it. Absent: an agent of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet_key: Option<String>,
}

/// Second message of the agent: possession of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Base64 of the Ed25519 signature over [`proof_bytes`].
    pub signature: String,
}

/// The bytes that a [`Proof`] signs: both hellos exactly as they were sent, the deployment and the origin **as the agent
/// dialled it**, and the version. A proof relayed to a second ODCM, or a hello from which a version was stripped, does
/// not verify (rules B3).
#[must_use]
pub fn proof_bytes(challenge: &str, hello: &str, deployment: &str, origin: &str, wire_version: u32) -> Vec<u8> {
    let mut bytes = b"odcm-agent-proof-v1\0".to_vec();
    for part in [challenge, hello, deployment, origin, &wire_version.to_string()] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// The connection is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Fencing number of this connection (rules B5); every acknowledgement and report repeats it.
    pub connection_epoch: u64,
    /// The version in use.
    pub wire_version: u32,
    /// Milliseconds between heartbeats; after three without one the agent reconnects.
    pub heartbeat_ms: u64,
    /// Time of ODCM.
    pub now: Millis,
}

/// Sign of life and of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Time of ODCM.
    pub now: Millis,
    /// Until when the state that the agent holds stays valid without further word.
    pub valid_until: Millis,
}

/// Asks the agent to send a dead code through the Space's own sign-in: the Space's token request proves that its client
/// id and secret are right (rules B6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Id of the probe.
    pub id: String,
    /// A code that can be redeemed for nothing.
    pub code: String,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No common wire version, or one below the last used.
    Version,
    /// Unknown agent, foreign Space, bad proof or revoked agent: deliberately one code.
    Denied,
    /// The Space is not the one that was enrolled.
    OtherInstallation,
    /// Another connection of this Space took over.
    Superseded,
    /// The server is busy or going down: come back after `retry_after_ms`.
    Busy,
    /// A message that makes no sense.
    Protocol,
    /// A code of a newer version.
    #[serde(other)]
    Other,
}

/// The connection ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub code: RefusalCode,
    /// A sentence for the agent's log.
    pub message: String,
    /// When to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromServer {
    /// First message.
    Challenge(Challenge),
    /// The connection is accepted.
    Welcome(Welcome),
    /// Desired state.
    Document(SignedDocument),
    /// Sign of life.
    Heartbeat(Heartbeat),
    /// The hash of a client secret is stored: the agent may now write the secret into the Space (rules B9).
    SecretStored {
        /// Generation of the secret.
        generation: u64,
    },
    /// Prove the client secret.
    Probe(Probe),
    /// The probes of that secret went unproven: write it into the Space again (rules B6).
    WriteSecret {
        /// Generation of the secret.
        generation: u64,
    },
    /// The fleet key has a successor. Sent before any document that it signs.
    FleetKey(SignedSuccession),
    /// The connection ends.
    Refused(Refused),
    /// A message of a newer version: reported, otherwise ignored.
    #[serde(other)]
    Unknown,
}

/// What the agent sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// First message.
    Hello(Hello),
    /// Possession of the key.
    Proof(Proof),
    /// A document is applied.
    Ack(Ack),
    /// Something the agent saw or did.
    Report(Report),
    /// SHA-256 of a client secret that the agent made and will write into the Space (rules B9).
    Secret {
        /// Generation asked for by section *authentication*.
        generation: u64,
        /// SHA-256 of the secret.
        sha256: Digest,
        /// Fencing number.
        connection_epoch: u64,
    },
    /// The delta did not meet its base, or the digest differs: send a snapshot.
    NeedSnapshot {
        /// Section.
        section: Section,
        /// A sentence for ODCM's log.
        reason: String,
        /// Fencing number.
        connection_epoch: u64,
    },
    /// Sign of life.
    Alive {
        /// Fencing number.
        connection_epoch: u64,
    },
    /// A message of a newer version: reported, otherwise ignored.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_proof_counts() {
        let base = proof_bytes("c", "h", "d", "o", 1);
        for other in [
            proof_bytes("x", "h", "d", "o", 1),
            proof_bytes("c", "x", "d", "o", 1),
            proof_bytes("c", "h", "x", "o", 1),
            proof_bytes("c", "h", "d", "x", 1),
            proof_bytes("c", "h", "d", "o", 2),
            proof_bytes("ch", "", "d", "o", 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn messages_of_a_newer_version_are_values() {
        assert_eq!(serde_json::from_str::<FromServer>(r#"{"type":"dance","x":1}"#).unwrap(), FromServer::Unknown);
        assert_eq!(serde_json::from_str::<FromAgent>(r#"{"type":"dance"}"#).unwrap(), FromAgent::Unknown);
        let hello: Heartbeat = serde_json::from_str(r#"{"now":1,"valid_until":2,"mood":"good"}"#).unwrap();
        assert_eq!(hello, Heartbeat { now: 1, valid_until: 2 });
    }
}
