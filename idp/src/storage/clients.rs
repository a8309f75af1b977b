//! Clients, their secrets, and the groups some are restricted to.

use super::page::Page;
use super::{Error, FromRow, J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::client::{Client, ClientKind, ClientSettings};
use crate::core::ids::{ClientId, GroupId, SpaceId};
use crate::sql;

#[derive(FromRow)]
struct ClientRow {
    id: ClientId,
    kind: String,
    space_id: Option<SpaceId>,
    name: String,
    settings: J<ClientSettings>,
    enabled: bool,
    version: i64,
}

impl ClientRow {
    fn parse(self) -> Result<Client> {
        let kind = match (self.kind.as_str(), self.space_id) {
            ("space", Some(space)) => ClientKind::Space(space),
            ("confidential", None) => ClientKind::Confidential,
            ("public", None) => ClientKind::Public,
            _ => return Err(Error::Inconsistent { table: "client", column: "kind", row: self.id.to_string() }),
        };
        let J(settings) = self.settings;
        Ok(Client { id: self.id, kind, name: self.name, settings, enabled: self.enabled, version: self.version })
    }
}

/// One client.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &ClientId) -> Result<Option<Client>> {
    let row: Option<ClientRow> =
        db.opt(sql!("SELECT id, kind, space_id, name, settings, enabled, version FROM client WHERE id = $1"), &[id]).await?;
    row.map(ClientRow::parse).transpose()
}

/// The client of a Space.
///
/// # Errors
/// Any storage error.
pub async fn of_space(db: &mut impl Rowish, space: &SpaceId) -> Result<Option<Client>> {
    let row: Option<ClientRow> = db
        .opt(sql!("SELECT id, kind, space_id, name, settings, enabled, version FROM client WHERE space_id = $1"), &[space])
        .await?;
    row.map(ClientRow::parse).transpose()
}

/// Clients other than those of Spaces, in order of id after `after` (`""` for the first page); with `text` those that have it
/// in name or id.
///
/// # Errors
/// Any storage error.
pub async fn page(db: &mut impl Rowish, text: Option<&str>, after: &str, limit: i64) -> Result<Page<Client>> {
    // names have no folded column, and SQLite folds ASCII only: as written finds the others
    let (folded, written) = (text.map(super::page::like), text.map(super::page::like_as_written));
    let rows: Vec<ClientRow> = db
        .all(
            sql!(
                "SELECT id, kind, space_id, name, settings, enabled, version FROM client WHERE kind <> 'space' AND id > $1 AND (CAST($2 AS TEXT) IS NULL OR lower(name) LIKE $2 ESCAPE '\\' OR lower(id) LIKE $2 ESCAPE '\\' OR name LIKE $3 ESCAPE '\\') ORDER BY id LIMIT $4"
            ),
            &[&after, &folded, &written, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows.into_iter().map(ClientRow::parse).collect::<Result<_>>()?, limit))
}

/// The groups that the clients after `after` up to `last` are restricted to, in order of client.
///
/// # Errors
/// Any storage error.
pub async fn groups_between(db: &mut impl Rowish, after: &str, last: &ClientId) -> Result<Vec<(ClientId, GroupId)>> {
    db.all(
        sql!(
            "SELECT client_id, group_id FROM client_group WHERE client_id > $1 AND client_id <= $2 ORDER BY client_id, group_id"
        ),
        &[&after, last],
    )
    .await
}

/// The groups a client is restricted to, with their names, in order of name.
///
/// # Errors
/// Any storage error.
pub async fn groups_named(db: &mut impl Rowish, id: &ClientId) -> Result<Vec<(GroupId, String)>> {
    db.all(
        sql!(
            "SELECT g.id, g.name FROM client_group c JOIN grp g ON g.id = c.group_id WHERE c.client_id = $1 ORDER BY g.name_key, g.id"
        ),
        &[id],
    )
    .await
}

#[derive(FromRow)]
struct WithSecret {
    id: ClientId,
    kind: String,
    space_id: Option<SpaceId>,
    name: String,
    settings: J<ClientSettings>,
    enabled: bool,
    version: i64,
    hash: Option<Vec<u8>>,
    expires_at: Option<Timestamp>,
}

/// A client with the hashes of its secrets that are valid at `now`, in one statement: what a token request needs.
///
/// # Errors
/// Any storage error.
pub async fn with_secrets(db: &mut impl Rowish, id: &ClientId, now: Timestamp) -> Result<Option<(Client, Vec<Vec<u8>>)>> {
    let rows: Vec<WithSecret> = db
        .all(
            sql!(
                "SELECT c.id, c.kind, c.space_id, c.name, c.settings, c.enabled, c.version, s.hash, s.expires_at FROM client c LEFT JOIN client_secret s ON s.client_id = c.id WHERE c.id = $1"
            ),
            &[id],
        )
        .await?;
    let mut hashes = Vec::with_capacity(rows.len());
    let mut client = None;
    for row in rows {
        if let Some(hash) = row.hash
            && row.expires_at.is_none_or(|end| now < end)
        {
            hashes.push(hash);
        }
        if client.is_none() {
            let WithSecret { id, kind, space_id, name, settings, enabled, version, .. } = row;
            client = Some(ClientRow { id, kind, space_id, name, settings, enabled, version }.parse()?);
        }
    }
    Ok(client.map(|client| (client, hashes)))
}

/// Stores a new client.
///
/// # Errors
/// `Unique` when the id is taken.
pub async fn insert(tx: &mut Tx, client: &Client, now: Timestamp) -> Result<()> {
    tx.one(
        "client",
        sql!(
            "INSERT INTO client (id, kind, space_id, name, settings, enabled, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)"
        ),
        &[
            &client.id, &client.kind.as_str(), &client.space().cloned(), &client.name, &J(client.settings.clone()), &client.enabled,
            &now, &client.version,
        ],
    )
    .await
}

/// Stores name, settings and state of a client that still has `client.version`; false if somebody changed it meanwhile.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, client: &Client, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE client SET name = $3, settings = $4, enabled = $5, updated_at = $6, version = version + 1 WHERE id = $1 AND version = $2"
            ),
            &[&client.id, &client.version, &client.name, &J(client.settings.clone()), &client.enabled, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// A secret without the secret.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SecretRow {
    /// Rises with each secret of a client.
    pub generation: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Last correctly authenticated request of which this was recorded.
    pub proven_at: Option<Timestamp>,
}

/// The secrets of a client, newest first.
///
/// # Errors
/// Any storage error.
pub async fn secrets(db: &mut impl Rowish, id: &ClientId) -> Result<Vec<SecretRow>> {
    db.all(
        sql!(
            "SELECT generation, created_at, expires_at, proven_at FROM client_secret WHERE client_id = $1 ORDER BY generation DESC, created_at DESC"
        ),
        &[id],
    )
    .await
}

/// Whether a secret with this SHA-256 is stored.
///
/// # Errors
/// Any storage error.
pub async fn knows_secret(db: &mut impl Rowish, id: &ClientId, hash: &[u8]) -> Result<bool> {
    let known: Option<(i64,)> =
        db.opt(sql!("SELECT generation FROM client_secret WHERE client_id = $1 AND hash = $2"), &[id, &hash.to_vec()]).await?;
    Ok(known.is_some())
}

/// Stores the SHA-256 of a new secret. Its predecessor stays valid until `overlap_until`, older ones go: at most two are
/// valid. Storing a hash again changes nothing.
///
/// # Errors
/// Any storage error.
pub async fn add_secret(
    tx: &mut Tx,
    id: &ClientId,
    hash: &[u8],
    generation: i64,
    now: Timestamp,
    overlap_until: Timestamp,
) -> Result<()> {
    if knows_secret(tx, id, hash).await? {
        return Ok(());
    }
    let hash = hash.to_vec();
    tx.exec(
        sql!(
            "DELETE FROM client_secret WHERE client_id = $1 AND hash NOT IN (SELECT s.hash FROM client_secret s WHERE s.client_id = $1 ORDER BY s.generation DESC, s.created_at DESC LIMIT 1)"
        ),
        &[id],
    )
    .await?;
    tx.exec(
        sql!("UPDATE client_secret SET expires_at = $2 WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)"),
        &[id, &overlap_until],
    )
    .await?;
    tx.one(
        "client secret",
        sql!("INSERT INTO client_secret (client_id, hash, generation, created_at) VALUES ($1, $2, $3, $4)"),
        &[id, &hash, &generation, &now],
    )
    .await
}

/// Ends every secret but the newest.
///
/// # Errors
/// Any storage error.
pub async fn drop_old_secrets(tx: &mut Tx, id: &ClientId) -> Result<u64> {
    tx.exec(
        sql!(
            "DELETE FROM client_secret WHERE client_id = $1 AND hash NOT IN (SELECT s.hash FROM client_secret s WHERE s.client_id = $1 ORDER BY s.generation DESC, s.created_at DESC LIMIT 1)"
        ),
        &[id],
    )
    .await
}

/// Notes that a secret was used correctly (rules B6).
///
/// # Errors
/// Any storage error.
pub async fn proven(tx: &mut Tx, id: &ClientId, hash: &[u8], now: Timestamp) -> Result<u64> {
    let hash = hash.to_vec();
    tx.exec(sql!("UPDATE client_secret SET proven_at = $3 WHERE client_id = $1 AND hash = $2"), &[id, &hash, &now]).await
}

/// Groups a client is restricted to; none means open to every active person.
///
/// # Errors
/// Any storage error.
pub async fn groups(db: &mut impl Rowish, id: &ClientId) -> Result<Vec<GroupId>> {
    let rows: Vec<(GroupId,)> =
        db.all(sql!("SELECT group_id FROM client_group WHERE client_id = $1 ORDER BY group_id"), &[id]).await?;
    Ok(rows.into_iter().map(|(group,)| group).collect())
}

/// Restricts a client to these groups.
///
/// # Errors
/// `Reference` when a group does not exist.
pub async fn set_groups(tx: &mut Tx, id: &ClientId, groups: &std::collections::BTreeSet<GroupId>) -> Result<()> {
    tx.exec(sql!("DELETE FROM client_group WHERE client_id = $1"), &[id]).await?;
    for group in groups {
        tx.one("client group", sql!("INSERT INTO client_group (client_id, group_id) VALUES ($1, $2)"), &[id, group]).await?;
    }
    Ok(())
}
