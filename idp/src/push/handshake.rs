//! The first three messages of a connection: who is there, does it hold the agent's key, and is it the Space that was
//! enrolled (rules B3, B5). Whatever is wrong with the proof, the stranger hears one and the same word.

use super::hub::wire_epoch;
use super::{Error, Hub, Result, events};
use crate::accounts::agents::{other_base_url, same_address};
use crate::core::ids::{AgentId, SpaceId};
use crate::crypto::jose::ed25519_verifies;
use crate::deps::Deps;
use crate::storage::agents::{self, AgentRow, Connected};
use crate::storage::reports;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use odcm_wire::latest::{Challenge, FromAgent, FromServer, Hello, Position, Proof, RefusalCode, Refused, Welcome, proof_bytes};
use odcm_wire::{VERSIONS, negotiate};
use serde_json::json;
use std::time::Duration;

/// How long a stranger may be silent before its hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(3);
/// How long the whole handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest message of the handshake, in bytes.
const MAX_HELLO: usize = 64 * 1024;
/// Longest text in a hello: versions, addresses, capabilities.
const MAX_TEXT: usize = 512;
/// Most capabilities, wire versions or positions in a hello.
const MAX_LIST: usize = 64;

/// An accepted connection.
pub(super) struct Accepted {
    pub agent: AgentId,
    pub space: SpaceId,
    pub epoch: i64,
    pub positions: Vec<Position>,
    /// The newest fleet key that the agent holds; `None` for one that does not say so.
    pub fleet_key: Option<String>,
}

/// How a handshake ends without a connection.
pub(super) enum Stop {
    /// The peer went away or sent nothing in time.
    Gone,
    /// Refused with a code and a sentence.
    Refused(RefusalCode, &'static str),
    /// ODCM could not decide; the peer may come back.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

const DENIED: Stop = Stop::Refused(RefusalCode::Denied, "this agent is not known here, or could not prove itself");

/// Runs the handshake up to, but without, the welcome.
pub(super) async fn shake(deps: &Deps, hub: &Hub, socket: &mut WebSocket) -> std::result::Result<Accepted, Stop> {
    let (deployment, _) = agents::deployment(&mut &deps.db).await?;
    let challenge = FromServer::Challenge(Challenge {
        wire_versions: VERSIONS.to_vec(),
        deployment: deployment.clone(),
        origin: deps.settings.public.origin().into(),
        nonce: BASE64.encode(deps.entropy.bytes::<32>()),
        now: deps.clock.now().0,
    });
    let challenge = text_of(&challenge)?;
    let (hello_text, proof) = tokio::time::timeout(PATIENCE, async {
        let hello = tokio::time::timeout(HELLO_PATIENCE, async {
            socket.send(Message::Text(challenge.clone())).await.map_err(|_| Stop::Gone)?;
            receive(socket).await
        });
        let hello = hello.await.map_err(|_| Stop::Gone)??;
        let proof = receive(socket).await?;
        Ok::<_, Stop>((hello, proof))
    })
    .await
    .map_err(|_| Stop::Gone)??;
    let (Ok(FromAgent::Hello(hello)), Ok(FromAgent::Proof(proof))) =
        (serde_json::from_str(&hello_text), serde_json::from_str(&proof))
    else {
        return Err(Stop::Refused(RefusalCode::Protocol, "expected hello, then proof"));
    };
    if !bounded(&hello) {
        return Err(Stop::Refused(RefusalCode::Protocol, "a text or list in hello is too long"));
    }
    let row = proven(deps, (&challenge, &hello_text), &hello, &proof, &deployment).await?;
    let floor = u32::try_from(row.wire_floor).unwrap_or(u32::MAX);
    if negotiate(VERSIONS, &hello.wire_versions, floor) != Some(hello.wire_version) {
        return Err(Stop::Refused(
            RefusalCode::Version,
            "no common wire version at or above the last used one; an administrator must enrol the agent anew",
        ));
    }
    if hello.installation_id != row.installation_id {
        let detail = json!({
            "code": "other_installation",
            "message": "The agent reaches another Octopus server than the one it was enrolled for. Its connection is refused.",
            "enrolled": row.installation_id, "found": hello.installation_id,
        });
        events::alarm(deps, &row.space_id, detail).await?;
        return Err(Stop::Refused(RefusalCode::OtherInstallation, "the Space is not the one that was enrolled"));
    }
    other_address(deps, &row, &hello.base_url).await?;
    let capabilities = serde_json::to_string(&hello.capabilities).map_err(|e| Error::Document(e.to_string()))?;
    let connected = Connected {
        node: &hub.node,
        wire: i64::from(hello.wire_version),
        server_version: &hello.server_version,
        agent_version: &hello.agent_version,
        capabilities: &capabilities,
        now: deps.clock.now(),
    };
    // None: revoked between the check and now.
    let Some(epoch) = agents::connect(&deps.db, &row.id, &connected).await? else { return Err(DENIED) };
    Ok(Accepted { agent: row.id, space: row.space_id, epoch, positions: hello.positions, fleet_key: hello.fleet_key })
}

/// Raises an alarm when the agent names another address of the Space than it was enrolled with, or than the Space has here
/// (rules B5, B8): once for each pair of addresses, as far as the events reach back.
async fn other_address(deps: &Deps, agent: &AgentRow, found: &str) -> Result<()> {
    let space = agents::space(&mut &deps.db, &agent.space_id).await?.map(|space| space.base_url).unwrap_or_default();
    let wanted = if found == agent.base_url { space } else { agent.base_url.clone() };
    if same_address(&wanted, found) {
        return Ok(());
    }
    let detail = other_base_url(&wanted, found);
    let text = detail.to_string();
    let known = reports::events(&mut &deps.db, &agent.space_id, None, 500).await?;
    if !known.iter().any(|event| event.detail == text) {
        events::alarm(deps, &agent.space_id, detail).await?;
    }
    Ok(())
}

/// The welcome for an accepted connection.
pub(super) fn welcome(deps: &Deps, accepted: &Accepted) -> Result<Utf8Bytes> {
    text_of(&FromServer::Welcome(Welcome {
        connection_epoch: wire_epoch(accepted.epoch),
        wire_version: odcm_wire::v1::VERSION,
        heartbeat_ms: deps.settings.push.heartbeat_ms,
        now: deps.clock.now().0,
    }))
}

/// The agent, if the proof is its own over exactly what was said here (rules B3).
async fn proven(
    deps: &Deps,
    (challenge, hello_text): (&str, &str),
    hello: &Hello,
    proof: &Proof,
    deployment: &str,
) -> std::result::Result<AgentRow, Stop> {
    let why = |why: &'static str| {
        tracing::warn!(agent = %short(&hello.agent), why, "an agent was refused");
        DENIED
    };
    let Ok(id) = AgentId::parse(&hello.agent) else { return Err(why("no agent id")) };
    let Some(row) = agents::find(&mut &deps.db, &id).await? else { return Err(why("unknown agent")) };
    let origin = deps.settings.public.origin();
    let bytes = proof_bytes(challenge, hello_text, deployment, origin, hello.wire_version);
    let Ok(signature) = BASE64.decode(&proof.signature) else { return Err(why("the signature is not Base64")) };
    if !ed25519_verifies(&row.public_key, &bytes, &signature) {
        return Err(why("the signature is not the agent's over this conversation"));
    }
    if row.revoked_at.is_some() {
        return Err(why("revoked"));
    }
    if row.space_id.as_str() != hello.space {
        return Err(why("another Space's agent"));
    }
    Ok(row)
}

fn bounded(hello: &Hello) -> bool {
    let texts = [&hello.installation_id, &hello.base_url, &hello.server_version, &hello.agent_version, &hello.nonce];
    texts.into_iter().chain(&hello.capabilities).chain(&hello.fleet_key).all(|t| t.len() <= MAX_TEXT)
        && hello.capabilities.len() <= MAX_LIST
        && hello.wire_versions.len() <= MAX_LIST
        && hello.positions.len() <= MAX_LIST
}

/// The next text message, bounded.
async fn receive(socket: &mut WebSocket) -> std::result::Result<Utf8Bytes, Stop> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) if text.len() <= MAX_HELLO => return Ok(text),
            Some(Ok(Message::Text(_))) => {
                return Err(Stop::Refused(RefusalCode::Protocol, "a message of the handshake is too long"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(Stop::Refused(RefusalCode::Protocol, "expected text messages")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Stop::Gone),
        }
    }
}

/// JSON of a message of ours.
pub(super) fn text_of(message: &FromServer) -> Result<Utf8Bytes> {
    serde_json::to_string(message).map(Into::into).map_err(|e| Error::Document(e.to_string()))
}

/// The last message on a connection.
pub(super) fn refused(code: RefusalCode, message: &str, retry_after_ms: Option<u64>) -> Result<Utf8Bytes> {
    text_of(&FromServer::Refused(Refused { code, message: message.into(), retry_after_ms }))
}

/// A stranger's text, for the log.
fn short(text: &str) -> String {
    text.chars().take(40).filter(|c| !c.is_control()).collect()
}
