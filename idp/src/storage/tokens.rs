//! Token families, refresh tokens (SHA-256 only) and access tokens that were revoked one by one.

use super::{FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::authorization::{RefreshData, StoredRefresh};
use crate::core::ids::{ClientId, PersonId, SessionId};
use crate::sql;

/// Everything issued for one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its id; the part of a `jti` before the dot.
    pub id: String,
    /// For whom.
    pub client: ClientId,
    /// Whose.
    pub person: PersonId,
    /// Under which session.
    pub session: SessionId,
    /// Space-separated.
    pub scope: String,
    /// When the last of it ends.
    pub expires_at: Timestamp,
}

/// Stores a family.
///
/// # Errors
/// Any storage error.
pub async fn insert_family(tx: &mut Tx, f: &Family, now: Timestamp) -> Result<()> {
    tx.one(
        "token family",
        sql!(
            "INSERT INTO token_family (id, client_id, person_id, session_id, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ),
        &[&f.id, &f.client, &f.person, &f.session, &f.scope, &now, &f.expires_at],
    )
    .await
}

/// Lets a family live until then.
///
/// # Errors
/// Any storage error.
pub async fn prolong_family(tx: &mut Tx, id: &str, until: Timestamp) -> Result<()> {
    tx.one("token family", sql!("UPDATE token_family SET expires_at = $2 WHERE id = $1"), &[&id, &until]).await
}

/// Revokes a family; zero rows when it was revoked already or never came to be.
///
/// # Errors
/// Any storage error.
pub async fn revoke_family(tx: &mut Tx, id: &str, now: Timestamp) -> Result<u64> {
    tx.exec(sql!("UPDATE token_family SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"), &[&id, &now]).await
}

/// Revokes what was issued under a session and does not outlive it: families without `offline_access`, and codes.
///
/// # Errors
/// Any storage error.
pub async fn end_of_session(tx: &mut Tx, session: &SessionId, now: Timestamp) -> Result<()> {
    tx.exec(sql!("DELETE FROM auth_code WHERE session_id = $1 AND used_at IS NULL"), &[session]).await?;
    tx.exec(
        sql!(
            "UPDATE token_family SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL AND (' ' || scope || ' ') NOT LIKE '% offline!_access %' ESCAPE '!'"
        ),
        &[session, &now],
    )
    .await?;
    Ok(())
}

/// Does the same for all sessions of a person but one.
///
/// # Errors
/// Any storage error.
pub async fn end_of_other_sessions(tx: &mut Tx, person: &PersonId, keep: &str, now: Timestamp) -> Result<()> {
    tx.exec(sql!("DELETE FROM auth_code WHERE person_id = $1 AND session_id <> $2 AND used_at IS NULL"), &[person, &keep])
        .await?;
    tx.exec(
        sql!(
            "UPDATE token_family SET revoked_at = $3 WHERE person_id = $1 AND session_id <> $2 AND revoked_at IS NULL AND (' ' || scope || ' ') NOT LIKE '% offline!_access %' ESCAPE '!'"
        ),
        &[person, &keep, &now],
    )
    .await?;
    Ok(())
}

/// Stores a refresh token.
///
/// # Errors
/// Any storage error.
pub async fn insert_refresh(
    tx: &mut Tx,
    hash: &[u8],
    family: &str,
    data: &RefreshData,
    now: Timestamp,
    until: Timestamp,
) -> Result<()> {
    tx.one(
        "refresh token",
        sql!("INSERT INTO refresh_token (hash, family, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"),
        &[&hash.to_vec(), &family, &J(data.clone()), &now, &until],
    )
    .await
}

#[derive(FromRow)]
struct RefreshRow {
    family: String,
    client_id: ClientId,
    person_id: PersonId,
    session_id: SessionId,
    data: J<RefreshData>,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// A refresh token with its family.
///
/// # Errors
/// Any storage error.
pub async fn find_refresh(db: &mut impl Rowish, hash: &[u8]) -> Result<Option<StoredRefresh>> {
    let row: Option<RefreshRow> = db
        .opt(
            sql!(
                "SELECT r.family, f.client_id, f.person_id, f.session_id, r.data, r.expires_at, r.used_at, f.revoked_at FROM refresh_token r JOIN token_family f ON f.id = r.family WHERE r.hash = $1"
            ),
            &[&hash.to_vec()],
        )
        .await?;
    Ok(row.map(|r| StoredRefresh {
        family: r.family,
        client: r.client_id,
        person: r.person_id,
        session: r.session_id,
        data: r.data.0,
        expires_at: r.expires_at,
        used_at: r.used_at,
        revoked_at: r.revoked_at,
    }))
}

/// Uses a refresh token up: true for exactly one caller.
///
/// # Errors
/// Any storage error.
pub async fn use_refresh(tx: &mut Tx, hash: &[u8], now: Timestamp) -> Result<bool> {
    let s = sql!("UPDATE refresh_token SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2");
    Ok(tx.exec(s, &[&hash.to_vec(), &now]).await? == 1)
}

/// Revokes one access token.
///
/// # Errors
/// Any storage error.
pub async fn revoke_token(tx: &mut Tx, jti: &str, expires_at: Timestamp) -> Result<()> {
    let s = sql!("INSERT INTO revoked_token (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING");
    tx.exec(s, &[&jti, &expires_at]).await?;
    Ok(())
}

/// Whether an access token of a family is still good: neither it nor its family was revoked.
///
/// # Errors
/// Any storage error.
pub async fn alive(db: &mut impl Rowish, jti: &str, family: &str) -> Result<bool> {
    let row: Option<(String,)> = db
        .opt(
            sql!(
                "SELECT f.id FROM token_family f WHERE f.id = $2 AND f.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM revoked_token t WHERE t.jti = $1)"
            ),
            &[&jti, &family],
        )
        .await?;
    Ok(row.is_some())
}

/// Deletes what ended before `before`.
///
/// # Errors
/// Any storage error.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    let gone = tx.exec(sql!("DELETE FROM revoked_token WHERE expires_at < $1"), &[&before]).await?
        + tx.exec(
            sql!("DELETE FROM refresh_token WHERE family IN (SELECT id FROM token_family WHERE expires_at < $1)"),
            &[&before],
        )
        .await?
        + tx.exec(sql!("DELETE FROM token_family WHERE expires_at < $1"), &[&before]).await?;
    Ok(gone)
}

/// What tokens say about a person.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Profile {
    /// Public-sector subject (rules C7).
    pub sub: String,
    /// User name.
    pub username: String,
    /// Address.
    pub email: String,
    /// When that address was verified.
    pub verified_at: Option<Timestamp>,
    /// Name for people.
    pub display_name: String,
    /// Last change.
    pub updated_at: Timestamp,
}

/// The profile of an active person; `None` when unknown or disabled.
///
/// # Errors
/// Any storage error.
pub async fn profile(db: &mut impl Rowish, person: &PersonId) -> Result<Option<Profile>> {
    db.opt(
        sql!(
            "SELECT s.sub, p.username, p.space_email AS email, (SELECT max(e.verified_at) FROM email e WHERE e.person_id = p.id AND e.address_key = lower(p.space_email)) AS verified_at, p.display_name, p.updated_at FROM person p JOIN subject s ON s.person_id = p.id AND s.sector = '' WHERE p.id = $1 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id)"
        ),
        &[person],
    )
    .await
}
