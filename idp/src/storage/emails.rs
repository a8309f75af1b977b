//! Addresses of people, identities at providers, and the names that were ever sent to a Space.

use super::page::Page;
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{EmailId, IdentityId, PersonId};
use crate::sql;

/// An address of a person.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EmailRow {
    /// Id.
    pub id: EmailId,
    /// Whose.
    pub person_id: PersonId,
    /// As written.
    pub address: String,
    /// Folded.
    pub address_key: String,
    /// When it was verified, if it was.
    pub verified_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Addresses of a person.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<EmailRow>> {
    db.all(
        sql!(
            "SELECT id, person_id, address, address_key, verified_at, created_at FROM email WHERE person_id = $1 ORDER BY address_key"
        ),
        &[person],
    )
    .await
}

/// A page of the addresses of a person, in order. `after` is the folded address of the last one seen, empty for the first
/// page.
///
/// # Errors
/// Any storage error.
pub async fn page_of_person(db: &mut impl Rowish, person: &PersonId, after: &str, limit: i64) -> Result<Page<EmailRow>> {
    let rows = db
        .all(
            sql!(
                "SELECT id, person_id, address, address_key, verified_at, created_at FROM email WHERE person_id = $1 AND address_key > $2 ORDER BY address_key LIMIT $3"
            ),
            &[person, &after, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// One address.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &EmailId) -> Result<Option<EmailRow>> {
    db.opt(sql!("SELECT id, person_id, address, address_key, verified_at, created_at FROM email WHERE id = $1"), &[id]).await
}

/// Who has this address as a verified one.
///
/// # Errors
/// Any storage error.
pub async fn verified_owner(db: &mut impl Rowish, key: &str) -> Result<Option<PersonId>> {
    let row: Option<(PersonId,)> =
        db.opt(sql!("SELECT person_id FROM email WHERE address_key = $1 AND verified_at IS NOT NULL"), &[&key]).await?;
    Ok(row.map(|(id,)| id))
}

/// Adds an address. False: this person has it.
///
/// # Errors
/// Any storage error; `Unique` if another person has it verified.
pub async fn insert(tx: &mut Tx, e: &EmailRow) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "INSERT INTO email (id, person_id, address, address_key, verified_at, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person_id, address_key) DO NOTHING"
            ),
            &[&e.id, &e.person_id, &e.address, &e.address_key, &e.verified_at, &e.created_at],
        )
        .await?;
    Ok(rows == 1)
}

/// Marks an address as verified. False: it was.
///
/// # Errors
/// Any storage error; `Unique` if another person has it verified.
pub async fn verify(tx: &mut Tx, id: &EmailId, now: Timestamp) -> Result<bool> {
    Ok(tx.exec(sql!("UPDATE email SET verified_at = $2 WHERE id = $1 AND verified_at IS NULL"), &[id, &now]).await? == 1)
}

/// Removes an address.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, id: &EmailId) -> Result<()> {
    tx.one("email", sql!("DELETE FROM email WHERE id = $1"), &[id]).await
}

/// An identity of a person at a provider.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct IdentityRow {
    /// Id.
    pub id: IdentityId,
    /// Whose.
    pub person_id: PersonId,
    /// Provider.
    pub provider: String,
    /// Stable id there.
    pub subject: String,
    /// What people read.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Last sign-in with it.
    pub last_used_at: Option<Timestamp>,
}

/// Identities of a person.
///
/// # Errors
/// Any storage error.
pub async fn identities(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<IdentityRow>> {
    db.all(
        sql!(
            "SELECT id, person_id, provider, subject, label, created_at, last_used_at FROM identity WHERE person_id = $1 ORDER BY provider, id"
        ),
        &[person],
    )
    .await
}

/// Identities of a person, those after (provider, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn identities_page(
    db: &mut impl Rowish,
    person: &PersonId,
    after: Option<&(String, IdentityId)>,
    limit: i64,
) -> Result<Page<IdentityRow>> {
    let (provider, id) = after.map_or((String::new(), String::new()), |(provider, id)| (provider.clone(), id.to_string()));
    let rows = db
        .all(
            sql!(
                "SELECT id, person_id, provider, subject, label, created_at, last_used_at FROM identity WHERE person_id = $1 AND (provider, id) > ($2, $3) ORDER BY provider, id LIMIT $4"
            ),
            &[person, &provider, &id, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// The identity with this subject at this provider.
///
/// # Errors
/// Any storage error.
pub async fn identity(db: &mut impl Rowish, provider: &str, subject: &str) -> Result<Option<IdentityRow>> {
    db.opt(
        sql!(
            "SELECT id, person_id, provider, subject, label, created_at, last_used_at FROM identity WHERE provider = $1 AND subject = $2"
        ),
        &[&provider, &subject],
    )
    .await
}

/// One identity.
///
/// # Errors
/// Any storage error.
pub async fn find_identity(db: &mut impl Rowish, id: &IdentityId) -> Result<Option<IdentityRow>> {
    db.opt(sql!("SELECT id, person_id, provider, subject, label, created_at, last_used_at FROM identity WHERE id = $1"), &[id])
        .await
}

/// Adds an identity.
///
/// # Errors
/// Any storage error; `Unique` if the subject belongs to somebody.
pub async fn insert_identity(tx: &mut Tx, i: &IdentityRow) -> Result<()> {
    tx.one(
        "identity",
        sql!(
            "INSERT INTO identity (id, person_id, provider, subject, label, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ),
        &[&i.id, &i.person_id, &i.provider, &i.subject, &i.label, &i.created_at, &i.last_used_at],
    )
    .await
}

/// Removes an identity.
///
/// # Errors
/// Any storage error.
pub async fn remove_identity(tx: &mut Tx, id: &IdentityId) -> Result<()> {
    tx.one("identity", sql!("DELETE FROM identity WHERE id = $1"), &[id]).await
}

/// What is claimed: the two names that a Space joins accounts by (rules A8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The user name.
    Username,
    /// The address sent to Spaces.
    Email,
}

impl Name {
    fn column(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
        }
    }
}

/// Who claims a name.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Claim {
    /// The owner.
    pub person_id: PersonId,
    /// False: a former name of theirs.
    pub held: bool,
    /// Since when.
    pub since: Timestamp,
}

/// The claim on a name, if somebody has or had it.
///
/// # Errors
/// Any storage error.
pub async fn claim(db: &mut impl Rowish, name: Name, key: &str) -> Result<Option<Claim>> {
    db.opt(sql!("SELECT person_id, held, since FROM name_claim WHERE kind = $1 AND name_key = $2"), &[&name.column(), &key]).await
}

/// Gives a name to a person, whoever had it.
///
/// # Errors
/// Any storage error.
pub async fn set_claim(tx: &mut Tx, name: Name, key: &str, person: &PersonId, now: Timestamp) -> Result<()> {
    tx.one(
        "name claim",
        sql!(
            "INSERT INTO name_claim (kind, name_key, person_id, held, since) VALUES ($1, $2, $3, TRUE, $4) ON CONFLICT (kind, name_key) DO UPDATE SET person_id = $3, held = TRUE, since = $4"
        ),
        &[&name.column(), &key, person, &now],
    )
    .await
}

/// Makes a held name a former one.
///
/// # Errors
/// Any storage error.
pub async fn release_claim(tx: &mut Tx, name: Name, key: &str, person: &PersonId, now: Timestamp) -> Result<()> {
    tx.one(
        "name claim",
        sql!("UPDATE name_claim SET held = FALSE, since = $4 WHERE kind = $1 AND name_key = $2 AND person_id = $3"),
        &[&name.column(), &key, person, &now],
    )
    .await
}
