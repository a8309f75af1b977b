//! Failed sign-ins, counted per key (a hash of name, address or device), and devices on which a person signed in before
//! (rules D1). Only failures are counted.

use super::{Db, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::sql;

/// Longest wait, in milliseconds (rules D1).
pub const LONGEST_WAIT_MS: i64 = 900_000;

/// Counts an attempt under a key before it is made, as if it failed, unless the key is locked; [`forget`] or [`undo`] take
/// it back when it succeeds. Counting first means that a thousand attempts at once are counted as a thousand. After `free`
/// attempts the n-th further one locks the key for 5 n² seconds, at most 15 minutes; a row that was not touched since
/// `stale` begins anew.
///
/// Gives `None` when the attempt may be made, else the end of the lock.
///
/// # Errors
/// Any storage error.
pub async fn attempt(db: &Db, key: &[u8], free: i64, now: Timestamp, stale: Timestamp) -> Result<Option<Timestamp>> {
    if count(db, key, free, now, stale).await? {
        return Ok(None);
    }
    let row: Option<(Timestamp,)> = db.opt(sql!("SELECT until_at FROM throttle WHERE key = $1"), &[&key.to_vec()]).await?;
    Ok(Some(row.map_or(now, |(until,)| until)))
}

/// Does the same with one statement, whatever comes of it; gives whether the attempt may be made.
///
/// # Errors
/// Any storage error.
pub async fn count(db: &Db, key: &[u8], free: i64, now: Timestamp, stale: Timestamp) -> Result<bool> {
    let counted: Option<(i64,)> = db
        .opt(
            sql!(
                "INSERT INTO throttle (key, failures, until_at, updated_at) VALUES ($1, 1, 0, $2) ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN throttle.updated_at < $3 THEN 1 ELSE throttle.failures + 1 END, until_at = CASE WHEN throttle.updated_at < $3 OR throttle.failures < $4 THEN 0 WHEN throttle.failures > $4 + 12 THEN $2 + 900000 ELSE $2 + (throttle.failures + 1 - $4) * (throttle.failures + 1 - $4) * 5000 END, updated_at = $2 WHERE throttle.until_at <= $2 RETURNING failures"
            ),
            &[&key.to_vec(), &now, &stale, &free],
        )
        .await?;
    Ok(counted.is_some())
}

/// Forgets the failures under a key: a sign-in succeeded.
///
/// # Errors
/// Any storage error.
pub async fn forget(tx: &mut Tx, key: &[u8]) -> Result<()> {
    tx.exec(sql!("DELETE FROM throttle WHERE key = $1"), &[&key.to_vec()]).await?;
    Ok(())
}

/// Takes one attempt back. Failures of others under the same key (an address) stay.
///
/// # Errors
/// Any storage error.
pub async fn undo(tx: &mut Tx, key: &[u8], free: i64) -> Result<()> {
    tx.exec(
        sql!(
            "UPDATE throttle SET failures = failures - 1, until_at = CASE WHEN failures - 1 <= $2 THEN 0 ELSE until_at END WHERE key = $1 AND failures > 0"
        ),
        &[&key.to_vec(), &free],
    )
    .await?;
    Ok(())
}

/// Remembers that a person signed in on a device.
///
/// # Errors
/// Any storage error.
pub async fn remember_device(tx: &mut Tx, device: &[u8], person: &PersonId, now: Timestamp) -> Result<()> {
    tx.one(
        "device",
        sql!(
            "INSERT INTO known_device (hash, person_id, last_at) VALUES ($1, $2, $3) ON CONFLICT (hash, person_id) DO UPDATE SET last_at = $3"
        ),
        &[&device.to_vec(), person, &now],
    )
    .await
}

/// Forgets the devices of a person: after a change of password only the browser at hand keeps its lane.
///
/// # Errors
/// Any storage error.
pub async fn forget_devices(tx: &mut Tx, person: &PersonId) -> Result<()> {
    tx.exec(sql!("DELETE FROM known_device WHERE person_id = $1"), &[person]).await?;
    Ok(())
}

/// A person who may be meant by a name typed at sign-in.
#[derive(Clone, FromRow)]
pub struct Candidate {
    /// Who.
    pub person_id: PersonId,
    /// Their password, if they have one.
    pub phc: Option<String>,
    /// When that password was set.
    pub changed_at: Option<Timestamp>,
    /// Whether they are active.
    pub active: bool,
}

/// The person of a name (folded), if there is one, and whether they signed in on a device before; one statement whoever
/// exists.
///
/// # Errors
/// Any storage error.
pub async fn person_and_device(db: &mut impl Rowish, name_key: &str, device: &[u8]) -> Result<(Option<PersonId>, bool)> {
    let row: Option<(Option<PersonId>, bool)> = db
        .opt(
            sql!(
                "SELECT w.id AS person_id, EXISTS (SELECT 1 FROM known_device k WHERE k.hash = $2 AND k.person_id = w.id) AS known FROM (SELECT COALESCE((SELECT n.person_id FROM name_claim n WHERE n.name_key = $1 AND n.held AND n.kind = 'username'), (SELECT n.person_id FROM name_claim n WHERE n.name_key = $1 AND n.held AND n.kind = 'email'), (SELECT e.person_id FROM email e WHERE e.address_key = $1 AND e.verified_at IS NOT NULL)) AS id) w"
            ),
            &[&name_key, &device.to_vec()],
        )
        .await?;
    Ok(row.unwrap_or((None, false)))
}

/// Finds the person of a user name or address as typed (folded), in one statement whoever exists.
///
/// # Errors
/// Any storage error.
pub async fn candidate(db: &mut impl Rowish, name_key: &str) -> Result<Option<Candidate>> {
    db.opt(
        sql!(
            "SELECT p.id AS person_id, w.phc AS phc, w.changed_at AS changed_at, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p LEFT JOIN password w ON w.person_id = p.id WHERE p.id = COALESCE((SELECT n.person_id FROM name_claim n WHERE n.name_key = $1 AND n.held AND n.kind = 'username'), (SELECT n.person_id FROM name_claim n WHERE n.name_key = $1 AND n.held AND n.kind = 'email'), (SELECT e.person_id FROM email e WHERE e.address_key = $1 AND e.verified_at IS NOT NULL))"
        ),
        &[&name_key],
    )
    .await
}

/// The person of an identity at another provider, if active.
///
/// # Errors
/// Any storage error.
pub async fn by_identity(
    db: &mut impl Rowish,
    provider: &str,
    subject: &str,
) -> Result<Option<(PersonId, crate::core::ids::IdentityId)>> {
    db.opt(
        sql!(
            "SELECT i.person_id, i.id FROM identity i WHERE i.provider = $1 AND i.subject = $2 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = i.person_id)"
        ),
        &[&provider, &subject],
    )
    .await
}

/// Notes the use of an identity by its person. False: it was unlinked meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn use_identity(tx: &mut Tx, id: &crate::core::ids::IdentityId, person: &PersonId, now: Timestamp) -> Result<bool> {
    let s = sql!("UPDATE identity SET last_used_at = $3 WHERE id = $1 AND person_id = $2");
    Ok(tx.exec(s, &[id, person, &now]).await? == 1)
}

/// Display name and user name of an active person.
///
/// # Errors
/// Any storage error.
pub async fn active_person(db: &mut impl Rowish, id: &PersonId) -> Result<Option<(String, String)>> {
    db.opt(
        sql!(
            "SELECT p.display_name, p.username FROM person p WHERE p.id = $1 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id)"
        ),
        &[id],
    )
    .await
}
