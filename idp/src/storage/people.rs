//! People: who they are, why they are disabled, and the `sub` by which clients know them.

use super::page::Page;
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::sql;
use std::collections::BTreeMap;

/// A person as stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Person {
    /// Id.
    pub id: PersonId,
    /// User name, sent to Spaces.
    pub username: String,
    /// The address sent to Spaces.
    pub space_email: String,
    /// Name for people.
    pub display_name: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Raised by each change (ETag).
    pub version: i64,
    /// No reason to be disabled (rules C6).
    pub active: bool,
}

/// Why a person is disabled.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Disabled {
    /// `manual`, `provider:<id>`, …
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// One person.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &PersonId) -> Result<Option<Person>> {
    db.opt(
        sql!(
            "SELECT p.id, p.username, p.space_email, p.display_name, p.created_at, p.updated_at, p.version, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p WHERE p.id = $1"
        ),
        &[id],
    )
    .await
}

/// The person whom a name typed at sign-in means: a held user name or a verified address, folded. One statement whoever is
/// meant (rules D1).
///
/// # Errors
/// Any storage error.
pub async fn by_sign_in_name(db: &mut impl Rowish, folded: &str) -> Result<Option<Person>> {
    db.opt(
        sql!(
            "SELECT p.id, p.username, p.space_email, p.display_name, p.created_at, p.updated_at, p.version, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p WHERE p.id = (SELECT n.person_id FROM name_claim n WHERE n.kind = 'username' AND n.name_key = $1 AND n.held) OR p.id = (SELECT e.person_id FROM email e WHERE e.address_key = $1 AND e.verified_at IS NOT NULL)"
        ),
        &[&folded],
    )
    .await
}

/// How many names one statement looks up.
const NAMES: usize = 16;

/// Display names of people; whom there is not is left out.
///
/// # Errors
/// Any storage error.
pub async fn names(db: &mut impl Rowish, ids: &[PersonId]) -> Result<BTreeMap<PersonId, String>> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(NAMES) {
        // always as many parameters as the one statement has: the last id again
        let id = |n: usize| chunk.get(n).or(chunk.last()).cloned();
        let wanted: [Option<PersonId>; NAMES] = std::array::from_fn(id);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = &wanted;
        let rows: Vec<(PersonId, String)> = db
            .all(
                sql!(
                    "SELECT id, display_name FROM person WHERE id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
                ),
                &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p],
            )
            .await?;
        found.extend(rows);
    }
    Ok(found)
}

/// Who to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the name, user name or address, in any case.
    pub text: Option<String>,
    /// Only active or only disabled people.
    pub active: Option<bool>,
}

/// A page in order of display name. `after` is the (folded display name, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page(db: &mut impl Rowish, filter: &Filter, after: Option<&(String, PersonId)>, limit: i64) -> Result<Page<Person>> {
    let like = filter.text.as_deref().map(super::page::like);
    let (key, id) = after.map_or((String::new(), String::new()), |(key, id)| (key.clone(), id.to_string()));
    let rows = db
        .all(
            sql!(
                "SELECT p.id, p.username, p.space_email, p.display_name, p.created_at, p.updated_at, p.version, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p WHERE (p.sort_key, p.id) > ($1, $2) AND (CAST($3 AS TEXT) IS NULL OR p.sort_key LIKE $3 ESCAPE '\\' OR lower(p.username) LIKE $3 ESCAPE '\\' OR lower(p.space_email) LIKE $3 ESCAPE '\\' OR EXISTS (SELECT 1 FROM email e WHERE e.person_id = p.id AND e.address_key LIKE $3 ESCAPE '\\')) AND (CAST($4 AS BOOLEAN) IS NULL OR $4 = NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id)) ORDER BY p.sort_key, p.id LIMIT $5"
            ),
            &[&key, &id, &like, &filter.active, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// How many people there are, and how many of them are active.
///
/// # Errors
/// Any storage error.
pub async fn count(db: &mut impl Rowish) -> Result<(i64, i64)> {
    let row = db
        .opt(
            sql!(
                "SELECT COUNT(*) AS n, (SELECT COUNT(*) FROM person p WHERE NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id)) AS active FROM person"
            ),
            &[],
        )
        .await?;
    Ok(row.unwrap_or_default())
}

/// A new row.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, p: &Person, sort_key: &str) -> Result<()> {
    tx.one(
        "person",
        sql!(
            "INSERT INTO person (id, username, space_email, display_name, sort_key, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        &[&p.id, &p.username, &p.space_email, &p.display_name, &sort_key, &p.created_at, &p.updated_at, &p.version],
    )
    .await
}

/// Writes names of a person whose version is `p.version`, and raises it. False: somebody changed the row since.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, p: &Person, sort_key: &str, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE person SET username = $3, space_email = $4, display_name = $5, sort_key = $6, updated_at = $7, version = version + 1 WHERE id = $1 AND version = $2"
            ),
            &[&p.id, &p.version, &p.username, &p.space_email, &p.display_name, &sort_key, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// Raises the version after a change in one of the tables that belong to the person.
///
/// # Errors
/// Any storage error.
pub async fn touch(tx: &mut Tx, id: &PersonId, now: Timestamp) -> Result<()> {
    tx.one("person version", sql!("UPDATE person SET updated_at = $2, version = version + 1 WHERE id = $1"), &[id, &now]).await
}

/// Reasons why a person is disabled; none means active.
///
/// # Errors
/// Any storage error.
pub async fn disabled(db: &mut impl Rowish, id: &PersonId) -> Result<Vec<Disabled>> {
    db.all(sql!("SELECT reason, since FROM person_disabled WHERE person_id = $1 ORDER BY reason"), &[id]).await
}

/// Adds a reason. False: it was there.
///
/// # Errors
/// Any storage error.
pub async fn disable(tx: &mut Tx, id: &PersonId, reason: &str, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "INSERT INTO person_disabled (person_id, reason, since) VALUES ($1, $2, $3) ON CONFLICT (person_id, reason) DO NOTHING"
            ),
            &[id, &reason, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// Takes a reason away. False: it was not there.
///
/// # Errors
/// Any storage error.
pub async fn enable(tx: &mut Tx, id: &PersonId, reason: &str) -> Result<bool> {
    let rows = tx.exec(sql!("DELETE FROM person_disabled WHERE person_id = $1 AND reason = $2"), &[id, &reason]).await?;
    Ok(rows == 1)
}

/// The `sub` of a person in a sector; the empty sector is the public one (rules C7).
///
/// # Errors
/// Any storage error.
pub async fn sub(db: &mut impl Rowish, id: &PersonId, sector: &str) -> Result<Option<String>> {
    let row: Option<(String,)> =
        db.opt(sql!("SELECT sub FROM subject WHERE person_id = $1 AND sector = $2"), &[id, &sector]).await?;
    Ok(row.map(|(sub,)| sub))
}

/// The person behind a `sub`.
///
/// # Errors
/// Any storage error.
pub async fn by_sub(db: &mut impl Rowish, sector: &str, sub: &str) -> Result<Option<PersonId>> {
    let row: Option<(PersonId,)> =
        db.opt(sql!("SELECT person_id FROM subject WHERE sector = $1 AND sub = $2"), &[&sector, &sub]).await?;
    Ok(row.map(|(id,)| id))
}

/// Stores the `sub` of a person in a sector.
///
/// # Errors
/// Any storage error; `Unique` if there is one.
pub async fn insert_sub(tx: &mut Tx, id: &PersonId, sector: &str, sub: &str) -> Result<()> {
    tx.one("subject", sql!("INSERT INTO subject (person_id, sector, sub) VALUES ($1, $2, $3)"), &[id, &sector, &sub]).await
}
