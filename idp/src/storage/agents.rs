//! Agents beside Spaces and the one-time codes that enrol them.

use super::{Db, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{AgentId, SpaceId};
use crate::sql;

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AgentRow {
    /// Id.
    pub id: AgentId,
    /// Its Space.
    pub space_id: SpaceId,
    /// Ed25519 public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// InstallationId at enrolment.
    pub installation_id: String,
    /// Base URL as reported at enrolment; never a redirect URI (rules B8).
    pub base_url: String,
    /// Fencing number of the newest connection (rules B5).
    pub connection_epoch: i64,
    /// Lowest wire version that is accepted from it (rules B3).
    pub wire_floor: i64,
    /// Version of the Space's server.
    pub server_version: String,
    /// Version of the agent.
    pub agent_version: String,
    /// JSON list of what the server can do.
    pub capabilities: String,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// The process that holds its connection.
    pub node: Option<String>,
    /// When the connection began; `None` while there is none.
    pub connected_at: Option<Timestamp>,
    /// Last sign of life, as exact as a heartbeat.
    pub last_seen_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What an accepted connection writes.
#[derive(Clone, Debug)]
pub struct Connected<'a> {
    /// The process that holds it.
    pub node: &'a str,
    /// The wire version in use: the new floor.
    pub wire: i64,
    /// Version of the Space's server.
    pub server_version: &'a str,
    /// Version of the agent.
    pub agent_version: &'a str,
    /// JSON list.
    pub capabilities: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// One agent, revoked or not.
///
/// # Errors
/// Any storage error.
pub async fn find<Q: Rowish>(q: &mut Q, id: &AgentId) -> Result<Option<AgentRow>> {
    q.opt(
        sql!(
            "SELECT id, space_id, public_key, installation_id, base_url, connection_epoch, wire_floor, server_version, agent_version, capabilities, created_at, node, connected_at, last_seen_at, revoked_at FROM agent WHERE id = $1"
        ),
        &[id],
    )
    .await
}

/// The active agent of a Space (rules B5: at most one).
///
/// # Errors
/// Any storage error.
pub async fn active<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Option<AgentRow>> {
    q.opt(
        sql!(
            "SELECT id, space_id, public_key, installation_id, base_url, connection_epoch, wire_floor, server_version, agent_version, capabilities, created_at, node, connected_at, last_seen_at, revoked_at FROM agent WHERE space_id = $1 AND revoked_at IS NULL"
        ),
        &[space],
    )
    .await
}

/// Stores a new agent.
///
/// # Errors
/// Any storage error; [`super::Error::Unique`] for a known key or a Space that has an active agent.
pub async fn insert(tx: &mut Tx, row: &AgentRow) -> Result<()> {
    tx.one(
        "agent",
        sql!(
            "INSERT INTO agent (id, space_id, public_key, installation_id, base_url, connection_epoch, wire_floor, server_version, agent_version, capabilities, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        &[
            &row.id, &row.space_id, &row.public_key, &row.installation_id, &row.base_url, &row.connection_epoch, &row.wire_floor,
            &row.server_version, &row.agent_version, &row.capabilities, &row.created_at,
        ],
    )
    .await
}

/// Revokes the active agent of a Space; gives its id.
///
/// # Errors
/// Any storage error.
pub async fn revoke(tx: &mut Tx, space: &SpaceId, now: Timestamp) -> Result<Option<AgentId>> {
    let row: Option<(AgentId,)> = tx
        .opt(
            sql!(
                "UPDATE agent SET revoked_at = $2, last_seen_at = CASE WHEN connected_at IS NULL THEN last_seen_at ELSE $2 END, connected_at = NULL, node = NULL WHERE space_id = $1 AND revoked_at IS NULL RETURNING id"
            ),
            &[space, &now],
        )
        .await?;
    Ok(row.map(|(id,)| id))
}

/// Raises the connection epoch of an agent that is not revoked and notes its connection; gives the new epoch.
///
/// # Errors
/// Any storage error.
pub async fn connect(db: &Db, id: &AgentId, c: &Connected<'_>) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db
        .opt(
            sql!(
                "UPDATE agent SET connection_epoch = connection_epoch + 1, node = $2, wire_floor = CASE WHEN wire_floor < $3 THEN $3 ELSE wire_floor END, server_version = $4, agent_version = $5, capabilities = $6, connected_at = $7, last_seen_at = $7 WHERE id = $1 AND revoked_at IS NULL RETURNING connection_epoch"
            ),
            &[id, &c.node, &c.wire, &c.server_version, &c.agent_version, &c.capabilities, &c.now],
        )
        .await?;
    Ok(row.map(|(epoch,)| epoch))
}

/// Notes the end of a connection, unless a newer one took over.
///
/// # Errors
/// Any storage error.
pub async fn disconnect(db: &Db, id: &AgentId, epoch: i64, now: Timestamp) -> Result<()> {
    db.exec(
        sql!("UPDATE agent SET connected_at = NULL, node = NULL, last_seen_at = $3 WHERE id = $1 AND connection_epoch = $2 AND revoked_at IS NULL"),
        &[id, &epoch, &now],
    )
    .await?;
    Ok(())
}

/// Notes that all connections of a node are alive: one statement per heartbeat, not one per agent.
///
/// # Errors
/// Any storage error.
pub async fn node_alive(db: &Db, node: &str, now: Timestamp) -> Result<()> {
    db.exec(sql!("UPDATE agent SET last_seen_at = $2 WHERE node = $1 AND connected_at IS NOT NULL"), &[&node, &now]).await?;
    Ok(())
}

/// Notes that a node holds no connection any more.
///
/// # Errors
/// Any storage error.
pub async fn node_gone(db: &Db, node: &str, now: Timestamp) -> Result<()> {
    db.exec(sql!("UPDATE agent SET connected_at = NULL, node = NULL, last_seen_at = $2 WHERE node = $1"), &[&node, &now]).await?;
    Ok(())
}

/// The connections that a node holds as far as the database knows: agent and connection epoch. A connection of the node
/// that is not among them was revoked or superseded elsewhere.
///
/// # Errors
/// Any storage error.
pub async fn of_node(db: &Db, node: &str) -> Result<Vec<(AgentId, i64)>> {
    db.all(
        sql!("SELECT id, connection_epoch FROM agent WHERE node = $1 AND connected_at IS NOT NULL AND revoked_at IS NULL"),
        &[&node],
    )
    .await
}

/// Whether a message of this connection may still be stored: the agent is not revoked and no newer connection was accepted
/// (rules B5). Asked inside the transaction that stores it.
///
/// # Errors
/// Any storage error.
pub async fn is_current(tx: &mut Tx, id: &AgentId, space: &SpaceId, epoch: i64) -> Result<bool> {
    let row: Option<(i64,)> = tx
        .opt(
            sql!("SELECT connection_epoch FROM agent WHERE id = $1 AND space_id = $2 AND connection_epoch = $3 AND revoked_at IS NULL"),
            &[id, space, &epoch],
        )
        .await?;
    Ok(row.is_some())
}

/// Stores the SHA-256 of a one-time enrolment code.
///
/// # Errors
/// Any storage error.
pub async fn insert_code(
    tx: &mut Tx,
    hash: &[u8],
    space: &SpaceId,
    expires_at: Timestamp,
    now: Timestamp,
    by: &str,
) -> Result<()> {
    tx.one(
        "enrolment code",
        sql!("INSERT INTO enrolment_code (hash, space_id, expires_at, created_at, created_by) VALUES ($1, $2, $3, $4, $5)"),
        &[&hash.to_vec(), space, &expires_at, &now, &by],
    )
    .await
}

/// Uses a code up: exactly one caller gets its Space (rules C4).
///
/// # Errors
/// Any storage error.
pub async fn take_code(tx: &mut Tx, hash: &[u8], now: Timestamp) -> Result<Option<SpaceId>> {
    let row: Option<(SpaceId,)> = tx
        .opt(
            sql!(
                "UPDATE enrolment_code SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING space_id"
            ),
            &[&hash.to_vec(), &now],
        )
        .await?;
    Ok(row.map(|(space,)| space))
}

/// Takes back all unused codes of a Space: a new code replaces them.
///
/// # Errors
/// Any storage error.
pub async fn drop_codes(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(sql!("DELETE FROM enrolment_code WHERE space_id = $1 AND used_at IS NULL"), &[space]).await?;
    Ok(())
}

/// Until when an unused code of a Space lives, if there is one.
///
/// # Errors
/// Any storage error.
pub async fn open_code<Q: Rowish>(q: &mut Q, space: &SpaceId, now: Timestamp) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = q
        .opt(
            sql!(
                "SELECT expires_at FROM enrolment_code WHERE space_id = $1 AND used_at IS NULL AND expires_at > $2 ORDER BY expires_at DESC LIMIT 1"
            ),
            &[space, &now],
        )
        .await?;
    Ok(row.map(|(at,)| at))
}

/// Deletes codes that nobody can use any more.
///
/// # Errors
/// Any storage error.
pub async fn expire_codes(db: &Db, before: Timestamp) -> Result<u64> {
    db.exec(sql!("DELETE FROM enrolment_code WHERE expires_at <= $1 OR used_at <= $1"), &[&before]).await
}

/// What the push channel needs of a Space row.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SpaceForPush {
    /// Name for people.
    pub name: String,
    /// Client id of the Space.
    pub client_id: String,
    /// Public base URL that an administrator gave.
    pub base_url: String,
    /// `keep` or `shut`.
    pub offline_policy: String,
    /// Delete API keys of people who lose the Space (rules A9).
    pub revoke_api_keys: bool,
    /// Generation of the client secret that is asked for.
    pub secret_generation: i64,
    /// InstallationId of the enrolled server.
    pub installation_id: Option<String>,
}

/// A Space as the push channel sees it.
///
/// # Errors
/// Any storage error.
pub async fn space<Q: Rowish>(q: &mut Q, id: &SpaceId) -> Result<Option<SpaceForPush>> {
    q.opt(
        sql!(
            "SELECT name, client_id, base_url, offline_policy, revoke_api_keys, secret_generation, installation_id FROM space WHERE id = $1"
        ),
        &[id],
    )
    .await
}

/// Another Space that was enrolled with the same installation.
///
/// # Errors
/// Any storage error.
pub async fn space_of_installation(tx: &mut Tx, installation: &str, other_than: &SpaceId) -> Result<Option<SpaceId>> {
    let row: Option<(SpaceId,)> =
        tx.opt(sql!("SELECT id FROM space WHERE installation_id = $1 AND id <> $2"), &[&installation, other_than]).await?;
    Ok(row.map(|(id,)| id))
}

/// Notes which installation a Space is.
///
/// # Errors
/// Any storage error.
pub async fn set_installation(tx: &mut Tx, space: &SpaceId, installation: &str) -> Result<()> {
    tx.one("installation", sql!("UPDATE space SET installation_id = $2 WHERE id = $1"), &[space, &installation]).await
}

/// Id and epoch of the deployment.
///
/// # Errors
/// Any storage error; [`super::Error::Inconsistent`] without a deployment row.
pub async fn deployment<Q: Rowish>(q: &mut Q) -> Result<(String, i64)> {
    let row: Option<(String, i64)> = q.opt(sql!("SELECT id, epoch FROM deployment WHERE one = 1"), &[]).await?;
    row.ok_or(super::Error::Inconsistent { table: "deployment", column: "one", row: "1".into() })
}
