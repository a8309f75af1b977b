//! People who were joined into one, and what was moved.

use super::{FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::directory::Assertion;
use crate::core::ids::{EmailId, GrantId, IdentityId, PersonId};
use crate::sql;
use serde::{Deserialize, Serialize};

/// What went from one person to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Identities.
    pub identities: Vec<IdentityId>,
    /// Addresses.
    pub emails: Vec<EmailId>,
    /// Memberships, as they were.
    pub memberships: Vec<Assertion>,
    /// Grants to the person alone.
    pub grants: Vec<GrantId>,
}

/// A join.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct JoinRow {
    /// Its id.
    pub id: String,
    /// Who stayed.
    pub kept: PersonId,
    /// Who went.
    pub gone: PersonId,
    /// What was moved.
    pub moved: J<Moved>,
    /// When.
    pub joined_at: Timestamp,
    /// By whom.
    pub joined_by: String,
}

/// Stores one.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, row: &JoinRow) -> Result<()> {
    tx.one(
        "person_join",
        sql!("INSERT INTO person_join (id, kept, gone, moved, joined_at, joined_by) VALUES ($1, $2, $3, $4, $5, $6)"),
        &[&row.id, &row.kept, &row.gone, &row.moved, &row.joined_at, &row.joined_by],
    )
    .await
}

/// One that was not undone.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &str) -> Result<Option<JoinRow>> {
    let s = sql!("SELECT id, kept, gone, moved, joined_at, joined_by FROM person_join WHERE id = $1 AND undone_at IS NULL");
    db.opt(s, &[&id]).await
}

/// Those of a person that were not undone, newest first.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<JoinRow>> {
    let s = sql!(
        "SELECT id, kept, gone, moved, joined_at, joined_by FROM person_join WHERE (kept = $1 OR gone = $1) AND undone_at IS NULL ORDER BY joined_at DESC, id DESC LIMIT 100"
    );
    db.all(s, &[person]).await
}

/// Notes that one was undone; false if somebody else was first.
///
/// # Errors
/// Any storage error.
pub async fn undo(tx: &mut Tx, id: &str, by: &str, now: Timestamp) -> Result<bool> {
    let s = sql!("UPDATE person_join SET undone_at = $2, undone_by = $3 WHERE id = $1 AND undone_at IS NULL");
    Ok(tx.exec(s, &[&id, &now, &by]).await? == 1)
}

/// Gives an identity of `from` to `to`; false if it is not `from`'s any more.
///
/// # Errors
/// Any storage error.
pub async fn move_identity(tx: &mut Tx, id: &IdentityId, from: &PersonId, to: &PersonId) -> Result<bool> {
    Ok(tx.exec(sql!("UPDATE identity SET person_id = $3 WHERE id = $1 AND person_id = $2"), &[id, from, to]).await? == 1)
}

/// Gives an address of `from` to `to`; false if it is not `from`'s any more, or `to` has the same one.
///
/// # Errors
/// Any storage error.
pub async fn move_email(tx: &mut Tx, id: &EmailId, from: &PersonId, to: &PersonId) -> Result<bool> {
    let s = sql!(
        "UPDATE email SET person_id = $3 WHERE id = $1 AND person_id = $2 AND NOT EXISTS (SELECT 1 FROM email e WHERE e.person_id = $3 AND e.address_key = email.address_key)"
    );
    Ok(tx.exec(s, &[id, from, to]).await? == 1)
}

/// Gives a grant of `from` to `to`; false if it is not `from`'s any more, or `to` has one to the same Space.
///
/// # Errors
/// Any storage error.
pub async fn move_grant(tx: &mut Tx, id: &GrantId, from: &PersonId, to: &PersonId) -> Result<bool> {
    let s = sql!(
        "UPDATE space_grant SET subject_id = $3, version = version + 1 WHERE id = $1 AND subject_kind = 'person' AND subject_id = $2 AND NOT EXISTS (SELECT 1 FROM space_grant g WHERE g.space_id = space_grant.space_id AND g.subject_kind = 'person' AND g.subject_id = $3)"
    );
    Ok(tx.exec(s, &[id, from, to]).await? == 1)
}
