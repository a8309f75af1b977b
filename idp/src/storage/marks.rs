//! Dirty marks: what a transaction leaves behind so that the projector computes documents later (rules C2, C3).

use super::{Result, Tx};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::sql;
use std::collections::BTreeSet;

/// Marks Spaces whose desired state may have changed. In id order, so that two transactions cannot wait for each other.
///
/// # Errors
/// Any storage error.
pub async fn mark(tx: &mut Tx, spaces: &BTreeSet<SpaceId>, now: Timestamp) -> Result<()> {
    for space in spaces {
        tx.one(
            "mark",
            sql!(
                "INSERT INTO dirty_mark (space_id, counter, projected, marked_at) VALUES ($1, 1, 0, $2) ON CONFLICT (space_id) DO UPDATE SET counter = dirty_mark.counter + 1, marked_at = $2"
            ),
            &[space, &now],
        )
        .await?;
    }
    Ok(())
}

/// Raises the directory revision; every transaction that changes who is in which group or who was granted what does it.
///
/// # Errors
/// Any storage error.
pub async fn raise_directory_revision(tx: &mut Tx) -> Result<()> {
    tx.one("directory revision", sql!("UPDATE deployment SET directory_revision = directory_revision + 1 WHERE one = 1"), &[])
        .await
}
