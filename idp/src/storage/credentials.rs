//! Local passwords and one-time links. Of a link only the SHA-256 is stored.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::sql;

/// A stored password.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct Password {
    /// Argon2id in PHC string format.
    pub phc: String,
    /// When it was set.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("changed_at", &self.changed_at).finish_non_exhaustive()
    }
}

/// The password of a person.
///
/// # Errors
/// Any storage error.
pub async fn password(db: &mut impl Rowish, person: &PersonId) -> Result<Option<Password>> {
    db.opt(sql!("SELECT phc, changed_at FROM password WHERE person_id = $1"), &[person]).await
}

/// When the password of a person was set, if they have one.
///
/// # Errors
/// Any storage error.
pub async fn set_at(db: &mut impl Rowish, person: &PersonId) -> Result<Option<Timestamp>> {
    Ok(password(db, person).await?.map(|p| p.changed_at))
}

/// Sets the password of a person.
///
/// # Errors
/// Any storage error.
pub async fn set_password(tx: &mut Tx, person: &PersonId, phc: &str, now: Timestamp) -> Result<()> {
    tx.one(
        "password",
        sql!(
            "INSERT INTO password (person_id, phc, changed_at) VALUES ($1, $2, $3) ON CONFLICT (person_id) DO UPDATE SET phc = $2, changed_at = $3"
        ),
        &[person, &phc, &now],
    )
    .await
}

/// Replaces the hash of an unchanged password by one with newer parameters. Does nothing if it changed meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn rehash(db: &super::Db, person: &PersonId, old: &str, new: &str) -> Result<bool> {
    let rows = db.exec(sql!("UPDATE password SET phc = $3 WHERE person_id = $1 AND phc = $2"), &[person, &old, &new]).await?;
    Ok(rows == 1)
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Set the password of its person.
    SetPassword,
    /// First set-up of the deployment.
    SetUp,
    /// Join an identity at a provider to its person.
    Invitation,
}

impl Purpose {
    fn column(self) -> &'static str {
        match self {
            Self::SetPassword => "set-password",
            Self::SetUp => "set-up",
            Self::Invitation => "invitation",
        }
    }
}

/// A one-time link that can still be used.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Link {
    /// Whose.
    pub person_id: Option<PersonId>,
    /// End of its life.
    pub expires_at: Timestamp,
    /// Who made it.
    pub created_by: String,
}

/// A new link.
///
/// # Errors
/// Any storage error.
pub async fn insert_link(tx: &mut Tx, hash: &[u8], purpose: Purpose, link: &Link, now: Timestamp) -> Result<()> {
    tx.one(
        "one-time link",
        sql!(
            "INSERT INTO one_time_link (hash, purpose, person_id, expires_at, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)"
        ),
        &[&hash.to_vec(), &purpose.column(), &link.person_id, &link.expires_at, &now, &link.created_by],
    )
    .await
}

/// A link that can still be used, without using it.
///
/// # Errors
/// Any storage error.
pub async fn link(db: &mut impl Rowish, hash: &[u8], purpose: Purpose, now: Timestamp) -> Result<Option<Link>> {
    db.opt(
        sql!(
            "SELECT person_id, expires_at, created_by FROM one_time_link WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3"
        ),
        &[&hash.to_vec(), &purpose.column(), &now],
    )
    .await
}

/// Uses a link: exactly one caller gets it (rules C4).
///
/// # Errors
/// Any storage error.
pub async fn consume_link(tx: &mut Tx, hash: &[u8], purpose: Purpose, now: Timestamp) -> Result<Option<Link>> {
    tx.opt(
        sql!(
            "UPDATE one_time_link SET used_at = $3 WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 RETURNING person_id, expires_at, created_by"
        ),
        &[&hash.to_vec(), &purpose.column(), &now],
    )
    .await
}

/// Makes every unused link of a person useless; gives their number.
///
/// # Errors
/// Any storage error.
pub async fn drop_links(tx: &mut Tx, person: &PersonId) -> Result<u64> {
    tx.exec(sql!("DELETE FROM one_time_link WHERE person_id = $1 AND used_at IS NULL"), &[person]).await
}

/// When the newest usable set-password link of a person ends, for the portal.
///
/// # Errors
/// Any storage error.
pub async fn open_link(db: &mut impl Rowish, person: &PersonId, now: Timestamp) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = db
        .opt(
            sql!(
                "SELECT expires_at FROM one_time_link WHERE person_id = $1 AND used_at IS NULL AND expires_at > $2 ORDER BY expires_at DESC LIMIT 1"
            ),
            &[person, &now],
        )
        .await?;
    Ok(row.map(|(at,)| at))
}
