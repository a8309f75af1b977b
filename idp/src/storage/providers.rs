//! Providers that vouch for people.

use super::{FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::provider::{Creation, Provider, Settings};
use crate::sql;
use std::collections::BTreeSet;

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    settings: J<Settings>,
    domains: J<BTreeSet<String>>,
    creation: J<Creation>,
    authoritative: bool,
    enabled: bool,
    version: i64,
    secret: Option<Vec<u8>>,
}

impl Row {
    fn parse(self) -> Stored {
        let provider = Provider {
            id: self.id,
            name: self.name,
            settings: self.settings.0,
            domains: self.domains.0,
            creation: self.creation.0,
            authoritative: self.authoritative,
            enabled: self.enabled,
            version: self.version,
        };
        Stored { provider, secret: self.secret }
    }
}

/// A provider with its secret, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The provider.
    pub provider: Provider,
    /// Its secret.
    pub secret: Option<Vec<u8>>,
}

/// All of them, in order of name. They are few: a company has a handful.
///
/// # Errors
/// Any storage error.
pub async fn all(db: &mut impl Rowish) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = db
        .all(
            sql!("SELECT id, name, settings, domains, creation, authoritative, enabled, version, secret FROM provider ORDER BY name, id LIMIT 200"),
            &[],
        )
        .await?;
    Ok(rows.into_iter().map(Row::parse).collect())
}

/// Ids and versions of those that are enabled: enough to know whether what was made of them is still right.
///
/// # Errors
/// Any storage error.
pub async fn versions(db: &mut impl Rowish) -> Result<Vec<(String, i64)>> {
    db.all(sql!("SELECT id, version FROM provider WHERE enabled ORDER BY id LIMIT 200"), &[]).await
}

/// One.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &str) -> Result<Option<Stored>> {
    let row: Option<Row> = db
        .opt(
            sql!("SELECT id, name, settings, domains, creation, authoritative, enabled, version, secret FROM provider WHERE id = $1"),
            &[&id],
        )
        .await?;
    Ok(row.map(Row::parse))
}

/// Stores a new one.
///
/// # Errors
/// `Unique` when the id is taken.
pub async fn insert(tx: &mut Tx, provider: &Provider, secret: Option<Vec<u8>>, now: Timestamp) -> Result<()> {
    tx.one(
        "provider",
        sql!(
            "INSERT INTO provider (id, name, settings, domains, creation, authoritative, enabled, secret, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1)"
        ),
        &[
            &provider.id, &provider.name, &J(provider.settings.clone()), &J(provider.domains.clone()), &J(provider.creation.clone()),
            &provider.authoritative, &provider.enabled, &secret, &now,
        ],
    )
    .await
}

/// Stores a change of one that still has `provider.version`, and its secret if there is a new one; false if somebody changed it
/// meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, provider: &Provider, secret: Option<Vec<u8>>, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE provider SET name = $3, settings = $4, domains = $5, creation = $6, authoritative = $7, enabled = $8, secret = COALESCE($9, secret), updated_at = $10, version = version + 1 WHERE id = $1 AND version = $2"
            ),
            &[
                &provider.id, &provider.version, &provider.name, &J(provider.settings.clone()), &J(provider.domains.clone()),
                &J(provider.creation.clone()), &provider.authoritative, &provider.enabled, &secret, &now,
            ],
        )
        .await?;
    Ok(rows == 1)
}

/// Deletes one that still has `version`. Identities stay: they are known by the provider's id, should it come back.
///
/// # Errors
/// Any storage error.
pub async fn delete(tx: &mut Tx, id: &str, version: i64) -> Result<bool> {
    Ok(tx.exec(sql!("DELETE FROM provider WHERE id = $1 AND version = $2"), &[&id, &version]).await? == 1)
}

/// How many identities of it people have.
///
/// # Errors
/// Any storage error.
pub async fn identities(db: &mut impl Rowish, id: &str) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT COUNT(*) AS n FROM identity WHERE provider = $1"), &[&id]).await?;
    Ok(row.map_or(0, |(n,)| n))
}
