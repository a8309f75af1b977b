//! Spaces: the Octopus installations that are enlisted, and the groups published to them.

use super::page::Page;
use super::{Error, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{ClientId, GroupId, SpaceId};
use crate::sql;
use serde::{Deserialize, Serialize};

/// What a Space does when it has had no word from ODCM for longer than its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfflinePolicy {
    /// Keep the last state.
    Keep,
    /// Shut managed accounts out.
    Shut,
}

/// A Space as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Id.
    pub id: SpaceId,
    /// Short name, for addresses.
    pub slug: String,
    /// Name, unique in any case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Public URL without a trailing slash. Redirect URIs derive from it only (rules B8).
    pub base_url: String,
    /// Its OAuth client.
    pub client_id: ClientId,
    /// See [`OfflinePolicy`].
    pub offline_policy: OfflinePolicy,
    /// Delete API keys of people who lose the Space (rules A9).
    pub revoke_api_keys: bool,
    /// Raised when the agent must make a new client secret.
    pub secret_generation: i64,
    /// Octopus's InstallationId, set by the enrolment.
    pub installation_id: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Raised by each change (ETag).
    pub version: i64,
}

#[derive(FromRow)]
struct Raw {
    id: SpaceId,
    slug: String,
    name: String,
    description: String,
    base_url: String,
    client_id: ClientId,
    offline_policy: String,
    revoke_api_keys: bool,
    secret_generation: i64,
    installation_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

impl OfflinePolicy {
    /// The column value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Shut => "shut",
        }
    }
}

impl Raw {
    fn parse(self) -> Result<Space> {
        let offline_policy = match &*self.offline_policy {
            "keep" => OfflinePolicy::Keep,
            "shut" => OfflinePolicy::Shut,
            _ => return Err(Error::Inconsistent { table: "space", column: "offline_policy", row: self.id.to_string() }),
        };
        Ok(Space {
            id: self.id,
            slug: self.slug,
            name: self.name,
            description: self.description,
            base_url: self.base_url,
            client_id: self.client_id,
            offline_policy,
            revoke_api_keys: self.revoke_api_keys,
            secret_generation: self.secret_generation,
            installation_id: self.installation_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

/// One Space.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &SpaceId) -> Result<Option<Space>> {
    let raw: Option<Raw> = db
        .opt(
            sql!(
                "SELECT id, slug, name, description, base_url, client_id, offline_policy, revoke_api_keys, secret_generation, installation_id, created_at, updated_at, version FROM space WHERE id = $1"
            ),
            &[id],
        )
        .await?;
    raw.map(Raw::parse).transpose()
}

/// The Space of a short name.
///
/// # Errors
/// Any storage error.
pub async fn by_slug(db: &mut impl Rowish, slug: &str) -> Result<Option<SpaceId>> {
    let row: Option<(SpaceId,)> = db.opt(sql!("SELECT id FROM space WHERE slug = $1"), &[&slug]).await?;
    Ok(row.map(|(id,)| id))
}

/// The Space with this folded name.
///
/// # Errors
/// Any storage error.
pub async fn by_name(db: &mut impl Rowish, key: &str) -> Result<Option<SpaceId>> {
    let row: Option<(SpaceId,)> = db.opt(sql!("SELECT id FROM space WHERE name_key = $1"), &[&key]).await?;
    Ok(row.map(|(id,)| id))
}

/// The Space with this public URL.
///
/// # Errors
/// Any storage error.
pub async fn by_url(db: &mut impl Rowish, base_url: &str) -> Result<Option<SpaceId>> {
    let row: Option<(SpaceId,)> = db.opt(sql!("SELECT id FROM space WHERE base_url = $1 LIMIT 1"), &[&base_url]).await?;
    Ok(row.map(|(id,)| id))
}

/// A page in order of name. `after` is the (folded name, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page(
    db: &mut impl Rowish,
    text: Option<&str>,
    after: Option<&(String, SpaceId)>,
    limit: i64,
) -> Result<Page<Space>> {
    let like = text.map(super::page::like);
    let (key, id) = after.map_or((String::new(), String::new()), |(key, id)| (key.clone(), id.to_string()));
    let rows: Vec<Raw> = db
        .all(
            sql!(
                "SELECT id, slug, name, description, base_url, client_id, offline_policy, revoke_api_keys, secret_generation, installation_id, created_at, updated_at, version FROM space WHERE (name_key, id) > ($1, $2) AND (CAST($3 AS TEXT) IS NULL OR name_key LIKE $3 ESCAPE '\\' OR lower(base_url) LIKE $3 ESCAPE '\\' OR lower(description) LIKE $3 ESCAPE '\\') ORDER BY name_key, id LIMIT $4"
            ),
            &[&key, &id, &like, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows.into_iter().map(Raw::parse).collect::<Result<_>>()?, limit))
}

/// How many Spaces there are.
///
/// # Errors
/// Any storage error.
pub async fn count(db: &mut impl Rowish) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT COUNT(*) AS n FROM space"), &[]).await?;
    Ok(row.map_or(0, |(n,)| n))
}

/// A new row.
///
/// # Errors
/// Any storage error; `Unique` if slug, name or client exist.
pub async fn insert(tx: &mut Tx, s: &Space, name_key: &str) -> Result<()> {
    tx.one(
        "space",
        sql!(
            "INSERT INTO space (id, slug, name, name_key, description, base_url, client_id, offline_policy, revoke_api_keys, secret_generation, installation_id, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        ),
        &[
            &s.id, &s.slug, &s.name, &name_key, &s.description, &s.base_url, &s.client_id, &s.offline_policy.as_str(),
            &s.revoke_api_keys, &s.secret_generation, &s.installation_id, &s.created_at, &s.updated_at, &s.version,
        ],
    )
    .await
}

/// Writes what administrators may edit of a Space whose version is `s.version`, and raises it. False: changed since.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, s: &Space, name_key: &str, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE space SET name = $3, name_key = $4, description = $5, base_url = $6, offline_policy = $7, revoke_api_keys = $8, updated_at = $9, version = version + 1 WHERE id = $1 AND version = $2"
            ),
            &[
                &s.id, &s.version, &s.name, &name_key, &s.description, &s.base_url, &s.offline_policy.as_str(),
                &s.revoke_api_keys, &now,
            ],
        )
        .await?;
    Ok(rows == 1)
}

/// Asks for a new client secret: raises the generation that the agent shall make.
///
/// # Errors
/// Any storage error.
pub async fn raise_secret_generation(tx: &mut Tx, id: &SpaceId, now: Timestamp) -> Result<()> {
    tx.one(
        "secret generation",
        sql!("UPDATE space SET secret_generation = secret_generation + 1, updated_at = $2, version = version + 1 WHERE id = $1"),
        &[id, &now],
    )
    .await
}

/// Groups published to a Space without granting entry (rules A3), with their names, in order of name.
///
/// # Errors
/// Any storage error.
pub async fn published(db: &mut impl Rowish, space: &SpaceId) -> Result<Vec<(GroupId, String)>> {
    db.all(
        sql!(
            "SELECT g.id, g.name FROM space_group x JOIN grp g ON g.id = x.group_id WHERE x.space_id = $1 ORDER BY g.name_key, g.id"
        ),
        &[space],
    )
    .await
}

/// A page of the groups published to a Space, in order of name. `after` is the (folded name, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn published_page(
    db: &mut impl Rowish,
    space: &SpaceId,
    after: Option<&(String, GroupId)>,
    limit: i64,
) -> Result<Page<(GroupId, String)>> {
    let (key, id) = after.map_or((String::new(), String::new()), |(key, id)| (key.clone(), id.to_string()));
    let rows = db
        .all(
            sql!(
                "SELECT g.id, g.name FROM space_group x JOIN grp g ON g.id = x.group_id WHERE x.space_id = $1 AND (g.name_key, g.id) > ($2, $3) ORDER BY g.name_key, g.id LIMIT $4"
            ),
            &[space, &key, &id, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// Spaces that a group is published to, with their names.
///
/// # Errors
/// Any storage error.
pub async fn published_to(db: &mut impl Rowish, group: &GroupId) -> Result<Vec<(SpaceId, String)>> {
    db.all(
        sql!(
            "SELECT s.id, s.name FROM space_group x JOIN space s ON s.id = x.space_id WHERE x.group_id = $1 ORDER BY s.name_key, s.id"
        ),
        &[group],
    )
    .await
}

/// Publishes a group. False: it was.
///
/// # Errors
/// Any storage error.
pub async fn publish(tx: &mut Tx, space: &SpaceId, group: &GroupId, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "INSERT INTO space_group (space_id, group_id, created_at) VALUES ($1, $2, $3) ON CONFLICT (space_id, group_id) DO NOTHING"
            ),
            &[space, group, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// Takes a published group back. False: it was not published.
///
/// # Errors
/// Any storage error.
pub async fn unpublish(tx: &mut Tx, space: &SpaceId, group: &GroupId) -> Result<bool> {
    Ok(tx.exec(sql!("DELETE FROM space_group WHERE space_id = $1 AND group_id = $2"), &[space, group]).await? == 1)
}

/// Whether the Space has an agent that is not revoked.
///
/// # Errors
/// Any storage error.
pub async fn has_agent(db: &mut impl Rowish, space: &SpaceId) -> Result<bool> {
    let row: Option<(i64,)> =
        db.opt(sql!("SELECT COUNT(*) AS n FROM agent WHERE space_id = $1 AND revoked_at IS NULL"), &[space]).await?;
    Ok(row.is_some_and(|(n,)| n > 0))
}

/// Removes a Space with everything that belongs to it, its client included.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, id: &SpaceId) -> Result<()> {
    let of_client = [
        sql!(
            "DELETE FROM refresh_token WHERE family IN (SELECT f.id FROM token_family f JOIN client c ON c.id = f.client_id WHERE c.space_id = $1)"
        ),
        sql!("DELETE FROM token_family WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM auth_code WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM client_session WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM consent WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM client_group WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM client_secret WHERE client_id IN (SELECT c.id FROM client c WHERE c.space_id = $1)"),
        sql!("DELETE FROM client WHERE space_id = $1"),
    ];
    let of_space = [
        sql!("DELETE FROM space_event WHERE space_id = $1"),
        sql!("DELETE FROM item_state WHERE space_id = $1"),
        sql!("DELETE FROM sweep WHERE space_id = $1"),
        sql!("DELETE FROM team_binding WHERE space_id = $1"),
        sql!("DELETE FROM adoption WHERE space_id = $1"),
        sql!("DELETE FROM account_link WHERE space_id = $1"),
        sql!("DELETE FROM document WHERE space_id = $1"),
        sql!("DELETE FROM section WHERE space_id = $1"),
        sql!("DELETE FROM dirty_mark WHERE space_id = $1"),
        sql!("DELETE FROM enrolment_code WHERE space_id = $1"),
        sql!("DELETE FROM agent WHERE space_id = $1"),
        sql!("DELETE FROM admin_right WHERE scope_kind = 'space' AND scope_id = $1"),
        sql!("DELETE FROM space_visit WHERE space_id = $1"),
        sql!("DELETE FROM space_group WHERE space_id = $1"),
        sql!("DELETE FROM space_grant WHERE space_id = $1"),
    ];
    for statement in of_client.into_iter().chain(of_space) {
        tx.exec(statement, &[id]).await?;
    }
    tx.one("space", sql!("DELETE FROM space WHERE id = $1"), &[id]).await
}
