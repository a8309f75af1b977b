//! Signing keys: private halves sealed, states as columns.

use super::{Error, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::keyset::{Alg, KeyFacts, KeyState, Purpose};
use crate::sql;

/// A key with its sealed private half.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// What planning needs.
    pub facts: KeyFacts,
    /// PKCS#8, sealed for (`signing_key`, `sealed`, kid).
    pub sealed: Vec<u8>,
}

#[derive(FromRow)]
struct KeyRow {
    kid: String,
    purpose: String,
    alg: String,
    state: String,
    sealed: Vec<u8>,
    created_at: Timestamp,
    active_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl KeyRow {
    fn parse(self) -> Result<StoredKey> {
        let bad = |column: &'static str| Error::Inconsistent { table: "signing_key", column, row: self.kid.clone() };
        let state = match (self.state.as_str(), self.active_at, self.expires_at) {
            ("next", _, _) => KeyState::Next { since: self.created_at },
            ("active", Some(since), _) => KeyState::Active { since },
            ("retired", _, Some(until)) => KeyState::Retired { until },
            _ => return Err(bad("state")),
        };
        let purpose = Purpose::parse(&self.purpose).ok_or_else(|| bad("purpose"))?;
        let alg = Alg::parse(&self.alg).ok_or_else(|| bad("alg"))?;
        Ok(StoredKey { facts: KeyFacts { kid: self.kid, purpose, alg, state }, sealed: self.sealed })
    }
}

/// All keys, oldest first.
///
/// # Errors
/// Any storage error.
pub async fn all(db: &mut impl Rowish) -> Result<Vec<StoredKey>> {
    let rows: Vec<KeyRow> = db
        .all(
            sql!(
                "SELECT kid, purpose, alg, state, sealed, created_at, active_at, expires_at FROM signing_key ORDER BY created_at, kid"
            ),
            &[],
        )
        .await?;
    rows.into_iter().map(KeyRow::parse).collect()
}

/// Stores a new key, `next` or `active`. `public_key` is its JWK as JSON.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, key: &StoredKey, public_key: &str, now: Timestamp) -> Result<()> {
    let (state, active) = match key.facts.state {
        KeyState::Active { since } => ("active", Some(since)),
        KeyState::Next { .. } | KeyState::Retired { .. } => ("next", None),
    };
    tx.one(
        "signing key",
        sql!(
            "INSERT INTO signing_key (kid, purpose, alg, state, sealed, public_key, created_at, active_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        &[
            &key.facts.kid.as_str(), &key.facts.purpose.as_str(), &key.facts.alg.as_str(), &state, &key.sealed, &public_key, &now,
            &active,
        ],
    )
    .await
}

/// A `next` key signs from now on.
///
/// # Errors
/// Any storage error.
pub async fn activate(tx: &mut Tx, kid: &str, now: Timestamp) -> Result<()> {
    let s = sql!("UPDATE signing_key SET state = 'active', active_at = $2 WHERE kid = $1 AND state = 'next'");
    tx.one("activate key", s, &[&kid, &now]).await
}

/// An active key signs no more; it leaves the key set at `until`.
///
/// # Errors
/// Any storage error.
pub async fn retire(tx: &mut Tx, kid: &str, now: Timestamp, until: Timestamp) -> Result<()> {
    let s =
        sql!("UPDATE signing_key SET state = 'retired', retired_at = $2, expires_at = $3 WHERE kid = $1 AND state = 'active'");
    tx.one("retire key", s, &[&kid, &now, &until]).await
}

/// A retired key is gone, its private half with it.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, kid: &str) -> Result<()> {
    tx.one("remove key", sql!("DELETE FROM signing_key WHERE kid = $1 AND state = 'retired'"), &[&kid]).await
}
