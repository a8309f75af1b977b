//! Tokens for the administration API. Only the SHA-256 of the secret is stored.

use super::page::Page;
use super::{Db, FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{ApiTokenId, PersonId};
use crate::core::policy::TokenScopes;
use crate::sql;

/// A token as stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ApiToken {
    /// Id.
    pub id: ApiTokenId,
    /// On whose behalf it acts.
    pub person_id: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: J<TokenScopes>,
    /// Since when.
    pub created_at: Timestamp,
    /// End of its life.
    pub expires_at: Timestamp,
    /// Last use, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A new row.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, t: &ApiToken, hash: &[u8]) -> Result<()> {
    tx.one(
        "api token",
        sql!(
            "INSERT INTO api_token (id, hash, person_id, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ),
        &[&t.id, &hash.to_vec(), &t.person_id, &t.name, &t.scopes, &t.created_at, &t.expires_at],
    )
    .await
}

/// The token with this hash, if it can be used at `now`.
///
/// # Errors
/// Any storage error.
pub async fn usable(db: &mut impl Rowish, hash: &[u8], now: Timestamp) -> Result<Option<ApiToken>> {
    db.opt(
        sql!(
            "SELECT id, person_id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2"
        ),
        &[&hash.to_vec(), &now],
    )
    .await
}

/// Whether the token can be used at `now`.
///
/// # Errors
/// Any storage error.
pub async fn alive(db: &mut impl Rowish, id: &ApiTokenId, now: Timestamp) -> Result<bool> {
    let found: Option<(String,)> =
        db.opt(sql!("SELECT id FROM api_token WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2"), &[id, &now]).await?;
    Ok(found.is_some())
}

/// One token.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &ApiTokenId) -> Result<Option<ApiToken>> {
    db.opt(
        sql!("SELECT id, person_id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE id = $1"),
        &[id],
    )
    .await
}

/// Tokens of a person, revoked and expired ones included.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<ApiToken>> {
    db.all(
        sql!(
            "SELECT id, person_id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE person_id = $1 ORDER BY id"
        ),
        &[person],
    )
    .await
}

/// A page of the tokens of a person, newest first, revoked and expired ones included; before the token `after` if one is
/// given.
///
/// # Errors
/// Any storage error.
pub async fn page_of_person(
    db: &mut impl Rowish,
    person: &PersonId,
    after: Option<&ApiTokenId>,
    limit: i64,
) -> Result<Page<ApiToken>> {
    let rows = db
        .all(
            sql!(
                "SELECT id, person_id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_token WHERE person_id = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
            ),
            &[person, &after.cloned(), &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// Notes a use.
///
/// # Errors
/// Any storage error.
pub async fn used(db: &Db, id: &ApiTokenId, now: Timestamp) -> Result<()> {
    db.exec(sql!("UPDATE api_token SET last_used_at = $2 WHERE id = $1"), &[id, &now]).await.map(|_| ())
}

/// Revokes a token. False: it was.
///
/// # Errors
/// Any storage error.
pub async fn revoke(tx: &mut Tx, id: &ApiTokenId, now: Timestamp) -> Result<bool> {
    Ok(tx.exec(sql!("UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"), &[id, &now]).await? == 1)
}
