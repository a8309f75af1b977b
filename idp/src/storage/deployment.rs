//! The one row per deployment.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::sql;

/// What there is once per deployment.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Deployment {
    /// Its id: agents pin it, signed documents carry it.
    pub id: String,
    /// The issuer it was first started with.
    pub issuer: String,
    /// Generation of the revision history, raised by a restore.
    pub epoch: i64,
    /// Raised by every change of who may enter what (rules C2).
    pub directory_revision: i64,
    /// Names the master key.
    pub master_key_id: String,
    /// A value sealed under it: opens only with the right key.
    pub master_key_check: Vec<u8>,
}

/// Reads the row.
///
/// # Errors
/// Any storage error.
pub async fn read(db: &mut impl Rowish) -> Result<Option<Deployment>> {
    db.opt(
        sql!("SELECT id, issuer, epoch, directory_revision, master_key_id, master_key_check FROM deployment WHERE one = 1"),
        &[],
    )
    .await
}

/// Writes the row of a new deployment.
///
/// # Errors
/// `Unique` when another node was faster.
pub async fn insert(tx: &mut Tx, d: &Deployment, now: Timestamp) -> Result<()> {
    tx.one(
        "deployment",
        sql!(
            "INSERT INTO deployment (one, id, issuer, epoch, directory_revision, master_key_id, master_key_check, created_at) VALUES (1, $1, $2, $3, $4, $5, $6, $7)"
        ),
        &[&d.id, &d.issuer, &d.epoch, &d.directory_revision, &d.master_key_id, &d.master_key_check, &now],
    )
    .await
}

/// Whether the issuer may no longer change: a Space exists (rules C7).
///
/// # Errors
/// Any storage error.
pub async fn issuer_is_frozen(tx: &mut Tx) -> Result<bool> {
    let any: Option<(String,)> = tx.opt(sql!("SELECT id FROM space LIMIT 1"), &[]).await?;
    Ok(any.is_some())
}

/// Stores another issuer.
///
/// # Errors
/// Any storage error.
pub async fn set_issuer(tx: &mut Tx, issuer: &str) -> Result<()> {
    tx.one("issuer", sql!("UPDATE deployment SET issuer = $1 WHERE one = 1"), &[&issuer]).await
}
