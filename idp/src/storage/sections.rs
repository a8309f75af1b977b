//! Where each section of a Space stands: what is wanted, and what the agent has acknowledged.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{AgentId, SpaceId};
use crate::sql;

/// One section of one Space.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SectionRow {
    /// Name of the section on the wire.
    pub section: String,
    /// Generation of the revision history.
    pub epoch: i64,
    /// Newest revision.
    pub revision: i64,
    /// JSON of the wanted state at `revision`.
    pub state: String,
    /// Digest of that JSON.
    pub state_digest: String,
    /// What the documents of `revision` say about a lease that ran out: `keep` or `shut`.
    pub offline_policy: String,
    /// Whether a removal is on its way that was not acknowledged yet.
    pub has_removals: bool,
    /// When the change that led to `revision` was marked.
    pub committed_at: Timestamp,
    /// When the projector numbered it.
    pub projected_at: Timestamp,
    /// Epoch of the newest acknowledgement; 0 when there is none.
    pub acked_epoch: i64,
    /// Revision of the newest acknowledgement; 0 when there is none.
    pub acked_revision: i64,
    /// Digest of the acknowledged document.
    pub acked_digest: Option<String>,
    /// When it was stored.
    pub acked_at: Option<Timestamp>,
    /// Milliseconds from the commit of the change to the stored acknowledgement.
    pub acked_ms: Option<i64>,
    /// Items that failed.
    pub failed_items: i64,
    /// Digest of what the agent read in the Space.
    pub seen_digest: Option<String>,
    /// When it read that.
    pub seen_at: Option<Timestamp>,
}

/// What the projector writes.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Section.
    pub section: &'a str,
    /// Epoch.
    pub epoch: i64,
    /// The new revision.
    pub revision: i64,
    /// JSON of the state.
    pub state: &'a str,
    /// Its digest.
    pub state_digest: &'a str,
    /// `keep` or `shut`.
    pub offline_policy: &'a str,
    /// Whether a removal is on its way.
    pub has_removals: bool,
    /// When the change was marked.
    pub committed_at: Timestamp,
    /// Now.
    pub projected_at: Timestamp,
}

/// What an acknowledgement writes.
#[derive(Clone, Debug)]
pub struct Acked<'a> {
    /// Section.
    pub section: &'a str,
    /// Epoch.
    pub epoch: i64,
    /// Revision.
    pub revision: i64,
    /// Digest of the document.
    pub digest: &'a str,
    /// Now.
    pub at: Timestamp,
    /// Milliseconds since the change was committed.
    pub ms: i64,
}

/// One section.
///
/// # Errors
/// Any storage error.
pub async fn find<Q: Rowish>(q: &mut Q, space: &SpaceId, section: &str) -> Result<Option<SectionRow>> {
    q.opt(
        sql!(
            "SELECT section, epoch, revision, state, state_digest, offline_policy, has_removals, committed_at, projected_at, acked_epoch, acked_revision, acked_digest, acked_at, acked_ms, failed_items, seen_digest, seen_at FROM section WHERE space_id = $1 AND section = $2"
        ),
        &[space, &section],
    )
    .await
}

/// All sections of a Space, without their states (`state` is empty).
///
/// # Errors
/// Any storage error.
pub async fn of_space<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<SectionRow>> {
    q.all(
        sql!(
            "SELECT section, epoch, revision, '' AS state, state_digest, offline_policy, has_removals, committed_at, projected_at, acked_epoch, acked_revision, acked_digest, acked_at, acked_ms, failed_items, seen_digest, seen_at FROM section WHERE space_id = $1 ORDER BY section"
        ),
        &[space],
    )
    .await
}

/// Epoch and newest revision of each section of a Space: what a connection compares with what it has sent. Nothing for a
/// connection that is not the newest one, or of an agent that was revoked: such a one gets no document any more.
///
/// # Errors
/// Any storage error.
pub async fn heads<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    agent: &AgentId,
    connection_epoch: i64,
) -> Result<Vec<(String, i64, i64)>> {
    q.all(
        sql!(
            "SELECT s.section, s.epoch, s.revision FROM section s JOIN agent a ON a.space_id = s.space_id AND a.id = $2 AND a.connection_epoch = $3 AND a.revoked_at IS NULL WHERE s.space_id = $1 ORDER BY s.section"
        ),
        &[space, agent, &connection_epoch],
    )
    .await
}

/// Writes what is wanted. What is acknowledged stays.
///
/// # Errors
/// Any storage error.
pub async fn want(tx: &mut Tx, space: &SpaceId, wanted: &Wanted<'_>) -> Result<()> {
    tx.one(
        "section",
        sql!(
            "INSERT INTO section (space_id, section, epoch, revision, state, state_digest, has_removals, committed_at, projected_at, offline_policy, acked_epoch, acked_revision, failed_items) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0) ON CONFLICT (space_id, section) DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision, state = excluded.state, state_digest = excluded.state_digest, has_removals = excluded.has_removals, committed_at = excluded.committed_at, projected_at = excluded.projected_at, offline_policy = excluded.offline_policy"
        ),
        &[
            space, &wanted.section, &wanted.epoch, &wanted.revision, &wanted.state, &wanted.state_digest, &wanted.has_removals,
            &wanted.committed_at, &wanted.projected_at, &wanted.offline_policy,
        ],
    )
    .await
}

/// Stores an acknowledgement. It only moves forward: an older one than the stored changes nothing and gives `false`.
/// Repeating the newest one keeps its first time.
///
/// # Errors
/// Any storage error.
pub async fn acknowledge(tx: &mut Tx, space: &SpaceId, acked: &Acked<'_>) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE section SET acked_at = CASE WHEN acked_epoch = $3 AND acked_revision = $4 THEN acked_at ELSE $6 END, acked_ms = CASE WHEN acked_epoch = $3 AND acked_revision = $4 THEN acked_ms ELSE $7 END, has_removals = (has_removals AND NOT revision = $4), acked_epoch = $3, acked_revision = $4, acked_digest = $5 WHERE space_id = $1 AND section = $2 AND epoch = $3 AND revision >= $4 AND (acked_epoch < $3 OR acked_revision <= $4)"
            ),
            &[space, &acked.section, &acked.epoch, &acked.revision, &acked.digest, &acked.at, &acked.ms],
        )
        .await?;
    Ok(rows == 1)
}

/// Stores what the agent read in the Space; an older look than the stored one changes nothing.
///
/// # Errors
/// Any storage error.
pub async fn seen(tx: &mut Tx, space: &SpaceId, section: &str, digest: &str, at: Timestamp) -> Result<()> {
    tx.exec(
        sql!(
            "UPDATE section SET seen_digest = $3, seen_at = $4 WHERE space_id = $1 AND section = $2 AND (seen_at IS NULL OR seen_at <= $4)"
        ),
        &[space, &section, &digest, &at],
    )
    .await?;
    Ok(())
}

/// Counts the failed items of a section anew.
///
/// # Errors
/// Any storage error.
pub async fn count_failed(tx: &mut Tx, space: &SpaceId, section: &str) -> Result<()> {
    tx.exec(
        sql!(
            "UPDATE section SET failed_items = (SELECT COUNT(*) FROM item_state i WHERE i.space_id = $1 AND i.section = $2 AND i.state = 'failed') WHERE space_id = $1 AND section = $2"
        ),
        &[space, &section],
    )
    .await?;
    Ok(())
}

/// Forgets what was acknowledged: another agent stands beside the Space now.
///
/// # Errors
/// Any storage error.
pub async fn forget_acks(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(
        sql!(
            "UPDATE section SET acked_epoch = 0, acked_revision = 0, acked_digest = NULL, acked_at = NULL, acked_ms = NULL, failed_items = 0, seen_digest = NULL, seen_at = NULL WHERE space_id = $1"
        ),
        &[space],
    )
    .await?;
    Ok(())
}

/// Connected Spaces that have a revision their agent has not acknowledged: what a node looks at in its slow poll.
///
/// # Errors
/// Any storage error.
pub async fn pending_of_node<Q: Rowish>(q: &mut Q, node: &str) -> Result<Vec<SpaceId>> {
    let rows: Vec<(SpaceId,)> = q
        .all(
            sql!(
                "SELECT s.space_id FROM section s JOIN agent a ON a.space_id = s.space_id WHERE a.revoked_at IS NULL AND a.node = $1 AND (s.acked_epoch < s.epoch OR s.acked_revision < s.revision) GROUP BY s.space_id ORDER BY s.space_id"
            ),
            &[&node],
        )
        .await?;
    Ok(rows.into_iter().map(|(space,)| space).collect())
}
