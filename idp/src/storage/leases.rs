//! Named leases: one holder at a time, with a generation that each write of the holder checks (rules C5).

use super::{Db, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::sql;

/// Takes or renews the lease `name` for `holder` until `now + ttl_ms`; gives the generation, or `None` while somebody else
/// holds it. The generation rises with each change of holder.
///
/// # Errors
/// Any storage error.
pub async fn acquire(db: &Db, name: &str, holder: &str, now: Timestamp, ttl_ms: i64) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db
        .opt(
            sql!(
                "INSERT INTO lease (name, holder, until_at, generation) VALUES ($1, $2, $3, 1) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at, generation = CASE WHEN lease.holder = excluded.holder THEN lease.generation ELSE lease.generation + 1 END WHERE lease.holder = excluded.holder OR lease.until_at <= $4 RETURNING generation"
            ),
            &[&name, &holder, &now.plus_ms(ttl_ms), &now],
        )
        .await?;
    Ok(row.map(|(generation,)| generation))
}

/// Whether `holder` still holds `name` in `generation`; asked inside the transaction of each write of the holder.
///
/// # Errors
/// Any storage error.
pub async fn holds(tx: &mut Tx, name: &str, holder: &str, generation: i64) -> Result<bool> {
    let row: Option<(i64,)> = tx
        .opt(
            sql!("SELECT generation FROM lease WHERE name = $1 AND holder = $2 AND generation = $3"),
            &[&name, &holder, &generation],
        )
        .await?;
    Ok(row.is_some())
}

/// Gives the lease back, so that another node need not wait for its end.
///
/// # Errors
/// Any storage error.
pub async fn release(db: &Db, name: &str, holder: &str, generation: i64) -> Result<()> {
    db.exec(
        sql!("UPDATE lease SET until_at = 0 WHERE name = $1 AND holder = $2 AND generation = $3"),
        &[&name, &holder, &generation],
    )
    .await?;
    Ok(())
}

/// Up to which instant the time-driven work `name` is done; 0 at first.
///
/// # Errors
/// Any storage error.
pub async fn cursor<Q: Rowish>(q: &mut Q, name: &str) -> Result<Timestamp> {
    let row: Option<(Timestamp,)> = q.opt(sql!("SELECT at FROM time_cursor WHERE name = $1"), &[&name]).await?;
    Ok(row.map_or(Timestamp(0), |(at,)| at))
}

/// Moves the cursor of `name`.
///
/// # Errors
/// Any storage error.
pub async fn set_cursor(tx: &mut Tx, name: &str, at: Timestamp) -> Result<()> {
    tx.one(
        "time cursor",
        sql!("INSERT INTO time_cursor (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at"),
        &[&name, &at],
    )
    .await
}
