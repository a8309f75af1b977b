//! Groups: local ones, and external ones that a provider fills. Both are nodes of the same closure.

use super::page::Page;
use super::{Error, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::GroupId;
use crate::sql;

/// A group as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// Local or external.
    pub kind: GroupKind,
    /// Name, unique in any case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Raised by each change (ETag).
    pub version: i64,
}

/// Where the members of a group come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Administrators decide.
    Local,
    /// A provider decides.
    External {
        /// Provider.
        provider: String,
        /// Its stable id there.
        external_id: String,
    },
}

#[derive(FromRow)]
struct Raw {
    id: GroupId,
    kind: String,
    name: String,
    description: String,
    provider: Option<String>,
    external_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

impl Raw {
    fn parse(self) -> Result<Group> {
        let kind = match (&*self.kind, self.provider, self.external_id) {
            ("local", None, None) => GroupKind::Local,
            ("external", Some(provider), Some(external_id)) => GroupKind::External { provider, external_id },
            _ => return Err(Error::Inconsistent { table: "grp", column: "kind", row: self.id.to_string() }),
        };
        Ok(Group {
            id: self.id,
            kind,
            name: self.name,
            description: self.description,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

/// One group.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &GroupId) -> Result<Option<Group>> {
    let raw: Option<Raw> = db
        .opt(
            sql!(
                "SELECT id, kind, name, description, provider, external_id, created_at, updated_at, version FROM grp WHERE id = $1"
            ),
            &[id],
        )
        .await?;
    raw.map(Raw::parse).transpose()
}

/// The group with this folded name.
///
/// # Errors
/// Any storage error.
pub async fn by_name(db: &mut impl Rowish, key: &str) -> Result<Option<GroupId>> {
    let row: Option<(GroupId,)> = db.opt(sql!("SELECT id FROM grp WHERE name_key = $1"), &[&key]).await?;
    Ok(row.map(|(id,)| id))
}

/// The external group with this id at a provider.
///
/// # Errors
/// Any storage error.
pub async fn by_external(db: &mut impl Rowish, provider: &str, external_id: &str) -> Result<Option<GroupId>> {
    let row: Option<(GroupId,)> =
        db.opt(sql!("SELECT id FROM grp WHERE provider = $1 AND external_id = $2"), &[&provider, &external_id]).await?;
    Ok(row.map(|(id,)| id))
}

/// The groups of a provider that an administrator made nodes of the directory: id there, and id here. At most 5000.
///
/// # Errors
/// Any storage error.
pub async fn of_provider(db: &mut impl Rowish, provider: &str) -> Result<Vec<(String, GroupId)>> {
    let s = sql!("SELECT external_id, id FROM grp WHERE provider = $1 ORDER BY external_id LIMIT 5000");
    db.all(s, &[&provider]).await
}

/// A page in order of name. `after` is the (folded name, id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page(
    db: &mut impl Rowish,
    text: Option<&str>,
    after: Option<&(String, GroupId)>,
    limit: i64,
) -> Result<Page<Group>> {
    let like = text.map(super::page::like);
    let (key, id) = after.map_or((String::new(), String::new()), |(key, id)| (key.clone(), id.to_string()));
    let rows: Vec<Raw> = db
        .all(
            sql!(
                "SELECT id, kind, name, description, provider, external_id, created_at, updated_at, version FROM grp WHERE (name_key, id) > ($1, $2) AND (CAST($3 AS TEXT) IS NULL OR name_key LIKE $3 ESCAPE '\\' OR lower(description) LIKE $3 ESCAPE '\\') ORDER BY name_key, id LIMIT $4"
            ),
            &[&key, &id, &like, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows.into_iter().map(Raw::parse).collect::<Result<_>>()?, limit))
}

/// How many groups there are.
///
/// # Errors
/// Any storage error.
pub async fn count(db: &mut impl Rowish) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT COUNT(*) AS n FROM grp"), &[]).await?;
    Ok(row.map_or(0, |(n,)| n))
}

/// A new row.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, g: &Group, name_key: &str) -> Result<()> {
    let (kind, provider, external) = match &g.kind {
        GroupKind::Local => ("local", None, None),
        GroupKind::External { provider, external_id } => ("external", Some(provider.clone()), Some(external_id.clone())),
    };
    tx.one(
        "group",
        sql!(
            "INSERT INTO grp (id, kind, name, name_key, description, provider, external_id, created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ),
        &[
            &g.id, &kind, &g.name, &name_key, &g.description, &provider, &external, &g.created_at, &g.updated_at, &g.version,
        ],
    )
    .await
}

/// Writes name and description of a group whose version is `g.version`, and raises it. False: changed since.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, g: &Group, name_key: &str, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(
            sql!(
                "UPDATE grp SET name = $3, name_key = $4, description = $5, updated_at = $6, version = version + 1 WHERE id = $1 AND version = $2"
            ),
            &[&g.id, &g.version, &g.name, &name_key, &g.description, &now],
        )
        .await?;
    Ok(rows == 1)
}

/// What hangs on a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Uses {
    /// Assertions of members in it.
    pub members: i64,
    /// Groups that it is in (assertions).
    pub parents: i64,
    /// Grants to it.
    pub grants: i64,
    /// Spaces that it is published to.
    pub published: i64,
    /// Clients restricted to it.
    pub clients: i64,
    /// Administrative rights over it.
    pub rights: i64,
}

/// Counts what hangs on a group.
///
/// # Errors
/// Any storage error.
pub async fn uses(db: &mut impl Rowish, id: &GroupId) -> Result<Uses> {
    let row = db
        .opt(
            sql!(
                "SELECT (SELECT COUNT(*) FROM membership WHERE group_id = $1) AS members, (SELECT COUNT(*) FROM membership WHERE member_kind = 'group' AND member_id = $1) AS parents, (SELECT COUNT(*) FROM space_grant WHERE subject_kind = 'group' AND subject_id = $1) AS grants, (SELECT COUNT(*) FROM space_group WHERE group_id = $1) AS published, (SELECT COUNT(*) FROM client_group WHERE group_id = $1) AS clients, (SELECT COUNT(*) FROM admin_right WHERE scope_kind = 'group' AND scope_id = $1) AS rights"
            ),
            &[id],
        )
        .await?;
    Ok(row.unwrap_or_default())
}

/// Deletes a group and what hangs on it, except restrictions of clients, which must be gone (a restriction that vanished
/// would open the client to everybody).
///
/// # Errors
/// Any storage error.
pub async fn delete(tx: &mut Tx, id: &GroupId) -> Result<()> {
    tx.exec(sql!("DELETE FROM membership WHERE group_id = $1 OR (member_kind = 'group' AND member_id = $1)"), &[id]).await?;
    tx.exec(sql!("DELETE FROM space_grant WHERE subject_kind = 'group' AND subject_id = $1"), &[id]).await?;
    tx.exec(sql!("DELETE FROM space_group WHERE group_id = $1"), &[id]).await?;
    tx.exec(sql!("DELETE FROM admin_right WHERE scope_kind = 'group' AND scope_id = $1"), &[id]).await?;
    tx.one("group", sql!("DELETE FROM grp WHERE id = $1"), &[id]).await
}
