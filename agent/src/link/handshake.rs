//! The agent's answer to a challenge (rules B3, B5). Pure.

use crate::AgentError;
use crate::entropy::Entropy;
use crate::keys::AgentKey;
use crate::state::Enrolment;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{Challenge, FromAgent, FromServer, Hello, Position, Proof, proof_bytes};

/// What a hello says of agent and Space, read just now.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The last applied revisions.
    pub positions: Vec<Position>,
    /// Wire version used last.
    pub floor: u32,
    /// Id of the newest fleet key that the agent holds.
    pub fleet_key: String,
    /// InstallationId.
    pub installation_id: String,
    /// Version of the Space's server.
    pub server_version: String,
    /// What it can do.
    pub capabilities: Vec<String>,
}

/// Why the agent does not answer.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The first message is no challenge.
    #[error("the server does not begin with a challenge")]
    NoChallenge,
    /// Somebody relays, or another ODCM answers there.
    #[error("the server says it is {theirs}, this agent is enrolled with {ours}")]
    Foreign {
        /// What it says.
        theirs: String,
        /// What was enrolled.
        ours: String,
    },
    /// The Space is another one than was enrolled.
    #[error("the Space says it is installation {theirs}, enrolled was {ours}")]
    OtherInstallation {
        /// What it says.
        theirs: String,
        /// What was enrolled.
        ours: String,
    },
    /// No common version at or above the last used.
    #[error("the server speaks wire versions {0:?}, none of which this agent may use")]
    Version(Vec<u32>),
    /// Randomness or writing failed.
    #[error("{0}")]
    Internal(String),
}

impl From<AgentError> for HandshakeError {
    fn from(e: AgentError) -> Self {
        Self::Internal(e.to_string())
    }
}

/// Reads the challenge as it was received and returns hello, proof and the chosen version. The proof covers both texts
/// exactly as sent, and the origin that the agent dialled.
///
/// # Errors
/// [`HandshakeError`]; nothing may be sent then.
pub fn answer(
    challenge_text: &str,
    who: &Enrolment,
    key: &AgentKey,
    facts: &Facts,
    entropy: &dyn Entropy,
) -> Result<(String, String, u32), HandshakeError> {
    let Ok(FromServer::Challenge(challenge)) = serde_json::from_str(challenge_text) else {
        return Err(HandshakeError::NoChallenge);
    };
    let Challenge { wire_versions, deployment, origin, .. } = challenge;
    if deployment != who.deployment || origin.trim_end_matches('/') != who.origin {
        let theirs = format!("deployment {deployment} at {origin}");
        let ours = format!("deployment {} at {}", who.deployment, who.origin);
        return Err(HandshakeError::Foreign { theirs, ours });
    }
    if facts.installation_id != who.installation_id {
        let (theirs, ours) = (facts.installation_id.clone(), who.installation_id.clone());
        return Err(HandshakeError::OtherInstallation { theirs, ours });
    }
    let version =
        odcm_wire::negotiate(odcm_wire::VERSIONS, &wire_versions, facts.floor).ok_or(HandshakeError::Version(wire_versions))?;
    let mut nonce = [0u8; 32];
    entropy.fill(&mut nonce)?;
    let hello = Hello {
        wire_versions: odcm_wire::VERSIONS.to_vec(),
        wire_version: version,
        agent: who.agent.clone(),
        space: who.space.clone(),
        nonce: BASE64.encode(nonce),
        installation_id: facts.installation_id.clone(),
        base_url: who.base_url.clone(),
        server_version: facts.server_version.clone(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
        capabilities: facts.capabilities.clone(),
        positions: facts.positions.clone(),
        fleet_key: Some(facts.fleet_key.clone()),
    };
    let internal = |e: serde_json::Error| HandshakeError::Internal(e.to_string());
    let hello = serde_json::to_string(&FromAgent::Hello(hello)).map_err(internal)?;
    let signature = key.sign(&proof_bytes(challenge_text, &hello, &who.deployment, &who.origin, version));
    let proof = serde_json::to_string(&FromAgent::Proof(Proof { signature })).map_err(internal)?;
    Ok((hello, proof, version))
}
