//! Announcements of fleet keys, each signed by the key before it. One row a roll, kept for ever: an agent that was away
//! follows them from the key that it holds.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::sql;

/// An announcement as signed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SuccessionRow {
    /// The key that signed.
    pub previous_kid: String,
    /// The key that it names.
    pub next_kid: String,
    /// The signed text.
    pub payload: String,
    /// Base64 of the signature.
    pub signature: String,
}

/// All announcements, oldest first.
///
/// # Errors
/// Any storage error.
pub async fn all(db: &mut impl Rowish) -> Result<Vec<SuccessionRow>> {
    db.all(sql!("SELECT previous_kid, next_kid, payload, signature FROM fleet_succession ORDER BY created_at, previous_kid"), &[])
        .await
}

/// Stores an announcement.
///
/// # Errors
/// Any storage error; [`super::Error::Unique`] when the key before has a successor already.
pub async fn insert(tx: &mut Tx, row: &SuccessionRow, now: Timestamp) -> Result<()> {
    tx.one(
        "fleet succession",
        sql!("INSERT INTO fleet_succession (previous_kid, next_kid, payload, signature, created_at) VALUES ($1, $2, $3, $4, $5)"),
        &[&row.previous_kid, &row.next_kid, &row.payload, &row.signature, &now],
    )
    .await
}
