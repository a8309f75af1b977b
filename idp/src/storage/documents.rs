//! Signed documents exactly as they are sent, bounded in number per section (rules B3, C12).

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::sql;

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct DocumentRow {
    /// Epoch.
    pub epoch: i64,
    /// Revision that holds after it.
    pub revision: i64,
    /// `snapshot` or `delta`.
    pub kind: String,
    /// The signed payload.
    pub payload: String,
    /// Id of the fleet key.
    pub key_id: String,
    /// Base64 of the signature.
    pub signature: String,
    /// Digest over the signed bytes.
    pub digest: String,
    /// When the change that led to the revision was marked.
    pub committed_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Stores a document. The first one of a (revision, kind) stays: the same bytes are sent ever after.
///
/// # Errors
/// Any storage error.
pub async fn put(tx: &mut Tx, space: &SpaceId, section: &str, row: &DocumentRow) -> Result<()> {
    tx.one(
        "document",
        sql!(
            "INSERT INTO document (space_id, section, epoch, revision, kind, payload, key_id, signature, digest, committed_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        &[
            space, &section, &row.epoch, &row.revision, &row.kind, &row.payload, &row.key_id, &row.signature, &row.digest,
            &row.committed_at, &row.created_at,
        ],
    )
    .await
}

/// The document of one revision and kind.
///
/// # Errors
/// Any storage error.
pub async fn find<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    section: &str,
    epoch: i64,
    revision: i64,
    kind: &str,
) -> Result<Option<DocumentRow>> {
    q.opt(
        sql!(
            "SELECT epoch, revision, kind, payload, key_id, signature, digest, committed_at, created_at FROM document WHERE space_id = $1 AND section = $2 AND epoch = $3 AND revision = $4 AND kind = $5"
        ),
        &[space, &section, &epoch, &revision, &kind],
    )
    .await
}

/// The deltas after `revision`, oldest first, at most `limit`.
///
/// # Errors
/// Any storage error.
pub async fn deltas_after<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    section: &str,
    epoch: i64,
    revision: i64,
    limit: i64,
) -> Result<Vec<DocumentRow>> {
    q.all(
        sql!(
            "SELECT epoch, revision, kind, payload, key_id, signature, digest, committed_at, created_at FROM document WHERE space_id = $1 AND section = $2 AND epoch = $3 AND revision > $4 AND kind = 'delta' ORDER BY revision LIMIT $5"
        ),
        &[space, &section, &epoch, &revision, &limit],
    )
    .await
}

/// When the change behind a stored document was committed; `None` when no document of that revision has that digest.
///
/// # Errors
/// Any storage error.
pub async fn committed_at<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    section: &str,
    epoch: i64,
    revision: i64,
    digest: &str,
) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = q
        .opt(
            sql!(
                "SELECT committed_at FROM document WHERE space_id = $1 AND section = $2 AND epoch = $3 AND revision = $4 AND digest = $5"
            ),
            &[space, &section, &epoch, &revision, &digest],
        )
        .await?;
    Ok(row.map(|(at,)| at))
}

/// Whether any document of a revision is stored.
///
/// # Errors
/// Any storage error.
pub async fn exists<Q: Rowish>(q: &mut Q, space: &SpaceId, section: &str, epoch: i64, revision: i64) -> Result<bool> {
    let row: Option<(String,)> = q
        .opt(
            sql!("SELECT kind FROM document WHERE space_id = $1 AND section = $2 AND epoch = $3 AND revision = $4 LIMIT 1"),
            &[space, &section, &epoch, &revision],
        )
        .await?;
    Ok(row.is_some())
}

/// Keeps the documents of the newest `keep` revisions of a section.
///
/// # Errors
/// Any storage error.
pub async fn prune(tx: &mut Tx, space: &SpaceId, section: &str, epoch: i64, revision: i64, keep: i64) -> Result<u64> {
    tx.exec(
        sql!("DELETE FROM document WHERE space_id = $1 AND section = $2 AND (epoch < $3 OR revision <= $4)"),
        &[space, &section, &epoch, &revision.saturating_sub(keep.max(1))],
    )
    .await
}

/// Forgets all documents of a Space: they name another installation or agent.
///
/// # Errors
/// Any storage error.
pub async fn forget_space(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(sql!("DELETE FROM document WHERE space_id = $1"), &[space]).await?;
    Ok(())
}
