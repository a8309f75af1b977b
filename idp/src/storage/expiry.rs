//! Deletes sessions, flows, links, throttles and devices that can no longer matter, so that no table grows without bound
//! (rules C12). Rows that refer to others go first; codes and tokens are swept in `codes` and `tokens`.

use super::{Db, Result};
use crate::core::Timestamp;
use crate::sql;

/// Deletes what ended before `before`; gives the number of rows.
///
/// # Errors
/// Any storage error.
pub async fn ended_before(db: &Db, before: Timestamp) -> Result<u64> {
    let mut rows = 0;
    for statement in [
        sql!(
            "DELETE FROM client_session WHERE session_id IN (SELECT s.id FROM session s WHERE s.expires_at < $1 OR s.ended_at < $1)"
        ),
        sql!(
            "DELETE FROM session WHERE (expires_at < $1 OR ended_at < $1) AND NOT EXISTS (SELECT 1 FROM auth_code c WHERE c.session_id = session.id) AND NOT EXISTS (SELECT 1 FROM token_family f WHERE f.session_id = session.id)"
        ),
        sql!("DELETE FROM login WHERE expires_at < $1"),
        sql!("DELETE FROM throttle WHERE until_at < $1 AND updated_at < $1"),
        sql!("DELETE FROM one_time_link WHERE expires_at < $1"),
    ] {
        rows += db.exec(statement, &[&before]).await?;
    }
    Ok(rows)
}

/// Deletes what has not been used since `before`: known devices.
///
/// # Errors
/// Any storage error.
pub async fn unused_since(db: &Db, before: Timestamp) -> Result<u64> {
    db.exec(sql!("DELETE FROM known_device WHERE last_at < $1"), &[&before]).await
}
