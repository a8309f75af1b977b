//! Invitations: one-time links with which somebody joins an identity of theirs to the person that was made for them.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::core::joining::Invitation;
use crate::sql;

#[derive(FromRow)]
struct Row {
    person_id: Option<PersonId>,
    provider: String,
    email: String,
    tenant: Option<String>,
}

/// Stores what an invitation is for; its link was stored before.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, hash: &[u8], invitation: &Invitation) -> Result<()> {
    tx.one(
        "invitation",
        sql!("INSERT INTO invitation (hash, provider, email, tenant) VALUES ($1, $2, $3, $4)"),
        &[&hash.to_vec(), &invitation.provider, &invitation.email, &invitation.tenant],
    )
    .await
}

/// An invitation that can still be used.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, hash: &[u8], now: Timestamp) -> Result<Option<Invitation>> {
    let row: Option<Row> = db
        .opt(
            sql!(
                "SELECT l.person_id, i.provider, i.email, i.tenant FROM invitation i JOIN one_time_link l ON l.hash = i.hash WHERE i.hash = $1 AND l.purpose = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = l.person_id)"
            ),
            &[&hash.to_vec(), &now],
        )
        .await?;
    Ok(row.and_then(|row| {
        Some(Invitation { person: row.person_id?, provider: row.provider, email: row.email, tenant: row.tenant })
    }))
}
