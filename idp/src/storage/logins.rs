//! Sign-ins under way. A row is found by the SHA-256 over the flow id in the address and the secret in the browser's cookie,
//! so that a flow cannot be moved into another browser.

use super::{Db, FromRow, J, Result, Rowish};
use crate::core::Timestamp;
use crate::core::login::Flow;
use crate::sql;

/// A stored flow.
#[derive(Clone, Debug, FromRow)]
pub struct Stored {
    /// The flow.
    pub state: J<Flow>,
    /// Raised by each write.
    pub version: i64,
}

/// Stores a new flow that began in a network, and forgets the oldest ones of that network beyond the newest `keep`.
///
/// # Errors
/// Any storage error.
pub async fn insert(db: &Db, hash: &[u8], flow: &Flow, expires_at: Timestamp, network: &str, keep: i64) -> Result<()> {
    db.exec(
        sql!("INSERT INTO login (hash, state, version, created_at, expires_at, network) VALUES ($1, $2, 1, $3, $4, $5)"),
        &[&hash.to_vec(), &J(flow.clone()), &flow.begun_at, &expires_at, &network],
    )
    .await?;
    db.exec(
        sql!(
            "DELETE FROM login WHERE hash IN (SELECT l.hash FROM login l WHERE l.network = $1 ORDER BY l.created_at DESC, l.hash DESC LIMIT 100 OFFSET $2)"
        ),
        &[&network, &keep],
    )
    .await?;
    Ok(())
}

/// A flow that has not expired.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, hash: &[u8], now: Timestamp) -> Result<Option<Stored>> {
    db.opt(sql!("SELECT state, version FROM login WHERE hash = $1 AND expires_at > $2"), &[&hash.to_vec(), &now]).await
}

/// Stores the next state, if nobody else did since `version` was read; gives whether it was stored.
///
/// # Errors
/// Any storage error.
pub async fn update(db: &Db, hash: &[u8], flow: &Flow, version: i64) -> Result<bool> {
    let rows = db
        .exec(
            sql!("UPDATE login SET state = $2, version = version + 1 WHERE hash = $1 AND version = $3"),
            &[&hash.to_vec(), &J(flow.clone()), &version],
        )
        .await?;
    Ok(rows == 1)
}

/// Takes a flow: exactly one caller gets it.
///
/// # Errors
/// Any storage error.
pub async fn take(db: &Db, hash: &[u8], now: Timestamp) -> Result<Option<Flow>> {
    let row: Option<(J<Flow>,)> =
        db.opt(sql!("DELETE FROM login WHERE hash = $1 AND expires_at > $2 RETURNING state"), &[&hash.to_vec(), &now]).await?;
    Ok(row.map(|(flow,)| flow.0))
}
