//! Authorization codes: only the SHA-256 is stored; redeemed by one guarded statement (rules C4).

use super::{FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::authorization::{CodeData, StoredCode};
use crate::core::ids::{ClientId, PersonId, SessionId};
use crate::sql;

#[derive(FromRow)]
struct CodeRow {
    client_id: ClientId,
    person_id: PersonId,
    session_id: SessionId,
    family: String,
    data: J<CodeData>,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
}

impl CodeRow {
    fn into_code(self) -> StoredCode {
        StoredCode {
            client: self.client_id,
            person: self.person_id,
            session: self.session_id,
            family: self.family,
            data: self.data.0,
            expires_at: self.expires_at,
            used_at: self.used_at,
        }
    }
}

/// Stores a code.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, hash: &[u8], code: &StoredCode, now: Timestamp) -> Result<()> {
    tx.one(
        "code",
        sql!(
            "INSERT INTO auth_code (hash, client_id, person_id, session_id, family, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        &[
            &hash.to_vec(), &code.client, &code.person, &code.session, &code.family, &J(code.data.clone()), &now, &code.expires_at,
        ],
    )
    .await
}

/// Takes a code that this client may redeem now: exactly one caller gets it.
///
/// # Errors
/// Any storage error.
pub async fn take(tx: &mut Tx, hash: &[u8], client: &ClientId, now: Timestamp) -> Result<Option<StoredCode>> {
    let row: Option<CodeRow> = tx
        .opt(
            sql!(
                "UPDATE auth_code SET used_at = $3 WHERE hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3 RETURNING client_id, person_id, session_id, family, data, expires_at, CAST(NULL AS BIGINT) AS used_at"
            ),
            &[&hash.to_vec(), client, &now],
        )
        .await?;
    Ok(row.map(CodeRow::into_code))
}

/// Looks at a code, redeemed or not.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, hash: &[u8]) -> Result<Option<StoredCode>> {
    let row: Option<CodeRow> = db
        .opt(
            sql!("SELECT client_id, person_id, session_id, family, data, expires_at, used_at FROM auth_code WHERE hash = $1"),
            &[&hash.to_vec()],
        )
        .await?;
    Ok(row.map(CodeRow::into_code))
}

/// Deletes codes that ended before `before`. Redeemed ones are kept as long as what was issued for them may live, so that a
/// replay is still recognised.
///
/// # Errors
/// Any storage error.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.exec(sql!("DELETE FROM auth_code WHERE expires_at < $1 AND (used_at IS NULL OR NOT EXISTS (SELECT 1 FROM token_family f WHERE f.id = auth_code.family))"), &[&before]).await
}
