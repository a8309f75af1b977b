//! Dirty marks: what a transaction leaves behind so that the projector computes documents later (rules C2, C3).

use super::{Db, Result, Tx};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::sql;
use std::collections::BTreeSet;

/// Marks Spaces whose desired state may have changed. In id order, so that two transactions cannot wait for each other.
///
/// # Errors
/// Any storage error.
pub async fn mark(tx: &mut Tx, spaces: &BTreeSet<SpaceId>, now: Timestamp) -> Result<()> {
    set(tx, spaces, now, false).await
}

/// Like [`mark`], for a change that takes something away from somebody: such Spaces are projected first (rules B1).
///
/// # Errors
/// Any storage error.
pub async fn mark_removals(tx: &mut Tx, spaces: &BTreeSet<SpaceId>, now: Timestamp) -> Result<()> {
    set(tx, spaces, now, true).await
}

async fn set(tx: &mut Tx, spaces: &BTreeSet<SpaceId>, now: Timestamp, removals: bool) -> Result<()> {
    for space in spaces {
        tx.one(
            "mark",
            sql!(
                "INSERT INTO dirty_mark (space_id, counter, projected, marked_at, removals) VALUES ($1, 1, 0, $2, $3) ON CONFLICT (space_id) DO UPDATE SET counter = dirty_mark.counter + 1, marked_at = $2, removals = (dirty_mark.removals OR excluded.removals)"
            ),
            &[space, &now, &removals],
        )
        .await?;
    }
    Ok(())
}

/// Spaces whose mark is ahead of their last projection: those with removals first, then the oldest mark.
///
/// # Errors
/// Any storage error.
pub async fn pending(db: &Db, limit: i64) -> Result<Vec<SpaceId>> {
    let rows: Vec<(SpaceId,)> = db
        .all(
            sql!(
                "SELECT space_id FROM dirty_mark WHERE counter > projected ORDER BY CASE WHEN removals THEN 0 ELSE 1 END, marked_at, space_id LIMIT $1"
            ),
            &[&limit],
        )
        .await?;
    Ok(rows.into_iter().map(|(space,)| space).collect())
}

/// The mark of one Space: counter, last projected counter, time of the newest mark.
///
/// # Errors
/// Any storage error.
pub async fn read(tx: &mut Tx, space: &SpaceId) -> Result<Option<(i64, i64, Timestamp)>> {
    tx.opt(sql!("SELECT counter, projected, marked_at FROM dirty_mark WHERE space_id = $1"), &[space]).await
}

/// Everything up to `counter`, as read in the same transaction, is projected. A mark set meanwhile stays pending.
///
/// # Errors
/// Any storage error.
pub async fn projected(tx: &mut Tx, space: &SpaceId, counter: i64) -> Result<()> {
    tx.one(
        "mark projected",
        sql!(
            "UPDATE dirty_mark SET projected = $2, removals = (removals AND counter > $2) WHERE space_id = $1 AND projected <= $2"
        ),
        &[space, &counter],
    )
    .await
}

/// How many Spaces wait for the projector.
///
/// # Errors
/// Any storage error.
pub async fn count_pending(db: &Db) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT COUNT(*) AS n FROM dirty_mark WHERE counter > projected"), &[]).await?;
    Ok(row.map_or(0, |(n,)| n))
}

/// Raises the directory revision; every transaction that changes who is in which group or who was granted what does it.
///
/// # Errors
/// Any storage error.
pub async fn raise_directory_revision(tx: &mut Tx) -> Result<()> {
    tx.one("directory revision", sql!("UPDATE deployment SET directory_revision = directory_revision + 1 WHERE one = 1"), &[])
        .await
}
