//! Jobs: rows that a worker leases, with a generation that each write of the worker checks.

use super::{Db, FromRow, Result, Tx};
use crate::core::Timestamp;
use crate::core::ids::JobId;
use crate::sql;

/// A leased job.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct JobRow {
    /// Id.
    pub id: JobId,
    /// Kind.
    pub kind: String,
    /// At most one open job of a kind has this key.
    pub dedup_key: String,
    /// JSON.
    pub payload: String,
    /// Failed attempts so far.
    pub attempts: i64,
    /// Raised by each lease.
    pub generation: i64,
}

/// Enqueues a job unless one with the same kind and key waits already; gives whether it did.
///
/// # Errors
/// Any storage error.
pub async fn enqueue(tx: &mut Tx, id: &JobId, kind: &str, key: &str, payload: &str, run_at: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "INSERT INTO job (id, kind, dedup_key, payload, run_at, attempts, lease_until, generation) VALUES ($1, $2, $3, $4, $5, 0, 0, 0) ON CONFLICT (kind, dedup_key) DO NOTHING"
            ),
            &[id, &kind, &key, &payload, &run_at],
        )
        .await?;
    Ok(rows == 1)
}

/// Leases the job that is due longest; `None` when nothing is due.
///
/// # Errors
/// Any storage error.
pub async fn lease(db: &Db, holder: &str, now: Timestamp, ttl_ms: i64) -> Result<Option<JobRow>> {
    db.opt(
        sql!(
            "UPDATE job SET lease_until = $3, generation = generation + 1, holder = $1 WHERE id = (SELECT id FROM job WHERE run_at <= $2 AND lease_until <= $2 AND failed_at IS NULL ORDER BY run_at, id LIMIT 1) AND lease_until <= $2 RETURNING id, kind, dedup_key, payload, attempts, generation"
        ),
        &[&holder, &now, &now.plus_ms(ttl_ms)],
    )
    .await
}

/// A job that runs once is done. Gives `false` when the lease was lost meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn done(db: &Db, job: &JobRow) -> Result<bool> {
    Ok(db.exec(sql!("DELETE FROM job WHERE id = $1 AND generation = $2"), &[&job.id, &job.generation]).await? == 1)
}

/// Runs again at `run_at`: a recurring job that ended (`attempts` 0), or one that failed. Gives `false` when the lease was
/// lost meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn again(db: &Db, job: &JobRow, run_at: Timestamp, attempts: i64, error: Option<&str>) -> Result<bool> {
    let rows = db
        .exec(
            sql!(
                "UPDATE job SET run_at = $3, attempts = $4, last_error = $5, lease_until = 0, holder = NULL WHERE id = $1 AND generation = $2"
            ),
            &[&job.id, &job.generation, &run_at, &attempts, &error.map(str::to_owned)],
        )
        .await?;
    Ok(rows == 1)
}

/// Failed for good. Gives `false` when the lease was lost meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn failed(db: &Db, job: &JobRow, error: &str, now: Timestamp) -> Result<bool> {
    let rows = db
        .exec(
            sql!(
                "UPDATE job SET failed_at = $3, attempts = attempts + 1, last_error = $4, lease_until = 0, holder = NULL WHERE id = $1 AND generation = $2"
            ),
            &[&job.id, &job.generation, &now, &error],
        )
        .await?;
    Ok(rows == 1)
}

/// When the next job is due.
///
/// # Errors
/// Any storage error.
pub async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    let row: Option<(Option<Timestamp>,)> = db
        .opt(
            sql!("SELECT MIN(CASE WHEN run_at < lease_until THEN lease_until ELSE run_at END) AS at FROM job WHERE failed_at IS NULL"),
            &[],
        )
        .await?;
    Ok(row.and_then(|(at,)| at))
}

/// Deletes jobs that failed for good before `before`.
///
/// # Errors
/// Any storage error.
pub async fn expire_failed(db: &Db, before: Timestamp) -> Result<u64> {
    db.exec(sql!("DELETE FROM job WHERE failed_at < $1"), &[&before]).await
}
