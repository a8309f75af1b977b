//! Identities that wait for an administrator: somebody proved who they are at a provider, and whose it is here is not decided.

use super::page::Page;
use super::{FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::core::joining::Said;
use crate::sql;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// Stable id there.
    pub subject: String,
    /// What people read.
    pub label: String,
    /// What the provider said.
    pub said: J<Said>,
    /// Whom it was meant for, if anybody.
    pub person_id: Option<PersonId>,
    /// Since when it waits.
    pub created_at: Timestamp,
    /// The last attempt.
    pub seen_at: Timestamp,
}

/// Notes that somebody waits. One request for each identity: who tries again only moves its time, and whom it is meant for.
///
/// # Errors
/// Any storage error.
pub async fn put(tx: &mut Tx, row: &RequestRow) -> Result<()> {
    tx.exec(
        sql!(
            "INSERT INTO identity_request (id, provider, subject, label, said, person_id, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (provider, subject) WHERE decision IS NULL DO UPDATE SET label = excluded.label, said = excluded.said, person_id = excluded.person_id, seen_at = excluded.seen_at"
        ),
        &[&row.id, &row.provider, &row.subject, &row.label, &row.said, &row.person_id, &row.seen_at],
    )
    .await
    .map(|_| ())
}

/// How many wait.
///
/// # Errors
/// Any storage error.
pub async fn waiting(db: &mut impl Rowish) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT COUNT(*) AS n FROM identity_request WHERE decision IS NULL"), &[]).await?;
    Ok(row.map_or(0, |(n,)| n))
}

/// Those that wait, oldest first, after the id `after`.
///
/// # Errors
/// Any storage error.
pub async fn page(db: &mut impl Rowish, after: &str, limit: i64) -> Result<Page<RequestRow>> {
    // ids are UUIDv7: their order is that of time
    let rows = db
        .all(
            sql!(
                "SELECT id, provider, subject, label, said, person_id, created_at, seen_at FROM identity_request WHERE decision IS NULL AND id > $1 ORDER BY id LIMIT $2"
            ),
            &[&after, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// One that waits.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &str) -> Result<Option<RequestRow>> {
    db.opt(
        sql!(
            "SELECT id, provider, subject, label, said, person_id, created_at, seen_at FROM identity_request WHERE id = $1 AND decision IS NULL"
        ),
        &[&id],
    )
    .await
}

/// Writes the decision; false if somebody else was first.
///
/// # Errors
/// Any storage error.
pub async fn decide(tx: &mut Tx, id: &str, decision: &str, by: &str, now: Timestamp) -> Result<bool> {
    let s =
        sql!("UPDATE identity_request SET decision = $2, decided_by = $3, decided_at = $4 WHERE id = $1 AND decision IS NULL");
    Ok(tx.exec(s, &[&id, &decision, &by, &now]).await? == 1)
}

/// What waits longer than since `before` is forgotten.
///
/// # Errors
/// Any storage error.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.exec(sql!("DELETE FROM identity_request WHERE seen_at < $1"), &[&before]).await
}
