//! Grants: entry to a Space for a person or for everybody in a group.

use super::memberships::{columns, subject};
use super::page::{After, Page};
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::directory::{Grant, Span, Subject};
use crate::core::ids::{GrantId, SpaceId};
use crate::sql;

/// A grant with its history and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// The grant.
    pub grant: Grant,
    /// Name of the Space.
    pub space_name: String,
    /// Name of the person or group.
    pub subject_name: String,
    /// Since when it is stored.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// Raised by each change (ETag).
    pub version: i64,
}

#[derive(FromRow)]
struct Raw {
    id: GrantId,
    space_id: SpaceId,
    subject_kind: String,
    subject_id: String,
    from_at: Option<Timestamp>,
    until_at: Option<Timestamp>,
    created_at: Timestamp,
    created_by: String,
    version: i64,
    space_name: String,
    subject_name: String,
}

impl Raw {
    fn parse(self) -> Result<GrantRow> {
        Ok(GrantRow {
            grant: Grant {
                id: self.id,
                space: self.space_id,
                subject: subject("space_grant", &self.subject_kind, &self.subject_id)?,
                span: Span { from: self.from_at, until: self.until_at },
            },
            space_name: self.space_name,
            subject_name: self.subject_name,
            created_at: self.created_at,
            created_by: self.created_by,
            version: self.version,
        })
    }
}

/// One grant.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, id: &GrantId) -> Result<Option<GrantRow>> {
    let raw: Option<Raw> = db
        .opt(
            sql!(
                "SELECT x.id, x.space_id, x.subject_kind, x.subject_id, x.from_at, x.until_at, x.created_at, x.created_by, x.version, s.name AS space_name, COALESCE(p.display_name, g.name, '') AS subject_name FROM space_grant x JOIN space s ON s.id = x.space_id LEFT JOIN person p ON x.subject_kind = 'person' AND p.id = x.subject_id LEFT JOIN grp g ON x.subject_kind = 'group' AND g.id = x.subject_id WHERE x.id = $1"
            ),
            &[id],
        )
        .await?;
    raw.map(Raw::parse).transpose()
}

/// Grants to a Space, in order of kind and name.
///
/// # Errors
/// Any storage error.
pub async fn of_space(db: &mut impl Rowish, space: &SpaceId) -> Result<Vec<GrantRow>> {
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT x.id, x.space_id, x.subject_kind, x.subject_id, x.from_at, x.until_at, x.created_at, x.created_by, x.version, s.name AS space_name, COALESCE(p.display_name, g.name, '') AS subject_name FROM space_grant x JOIN space s ON s.id = x.space_id LEFT JOIN person p ON x.subject_kind = 'person' AND p.id = x.subject_id LEFT JOIN grp g ON x.subject_kind = 'group' AND g.id = x.subject_id WHERE x.space_id = $1 ORDER BY x.subject_kind, COALESCE(p.sort_key, g.name_key), x.id"
            ),
            &[space],
        )
        .await?;
    raw.into_iter().map(Raw::parse).collect()
}

/// A page of the grants to a Space, in order of kind and name; with `text` those whose person or group has it in the name.
///
/// # Errors
/// Any storage error.
pub async fn page_of_space(
    db: &mut impl Rowish,
    space: &SpaceId,
    text: Option<&str>,
    after: Option<&After>,
    limit: i64,
) -> Result<Page<GrantRow>> {
    let (like, after) = (text.map(super::page::like), after.cloned().unwrap_or_default());
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT x.id, x.space_id, x.subject_kind, x.subject_id, x.from_at, x.until_at, x.created_at, x.created_by, x.version, s.name AS space_name, COALESCE(p.display_name, g.name, '') AS subject_name FROM space_grant x JOIN space s ON s.id = x.space_id LEFT JOIN person p ON x.subject_kind = 'person' AND p.id = x.subject_id LEFT JOIN grp g ON x.subject_kind = 'group' AND g.id = x.subject_id WHERE x.space_id = $1 AND (x.subject_kind, COALESCE(p.sort_key, g.name_key, ''), x.id) > ($2, $3, $4) AND (CAST($5 AS TEXT) IS NULL OR COALESCE(p.sort_key, g.name_key) LIKE $5 ESCAPE '\\' OR lower(p.username) LIKE $5 ESCAPE '\\') ORDER BY x.subject_kind, COALESCE(p.sort_key, g.name_key, ''), x.id LIMIT $6"
            ),
            &[space, &after.kind, &after.key, &after.id, &like, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(raw.into_iter().map(Raw::parse).collect::<Result<_>>()?, limit))
}

impl GrantRow {
    /// Where the page after this grant begins.
    #[must_use]
    pub fn cursor(&self) -> After {
        let (kind, _) = columns(&self.grant.subject);
        let (key, id) = (crate::core::text::fold(&self.subject_name), self.grant.id.to_string());
        After { kind: kind.into(), key, id, source: String::new() }
    }
}

/// Grants given directly to a person or group.
///
/// # Errors
/// Any storage error.
pub async fn of_subject(db: &mut impl Rowish, to: &Subject) -> Result<Vec<GrantRow>> {
    let (kind, id) = columns(to);
    let raw: Vec<Raw> = db
        .all(
            sql!(
                "SELECT x.id, x.space_id, x.subject_kind, x.subject_id, x.from_at, x.until_at, x.created_at, x.created_by, x.version, s.name AS space_name, COALESCE(p.display_name, g.name, '') AS subject_name FROM space_grant x JOIN space s ON s.id = x.space_id LEFT JOIN person p ON x.subject_kind = 'person' AND p.id = x.subject_id LEFT JOIN grp g ON x.subject_kind = 'group' AND g.id = x.subject_id WHERE x.subject_kind = $1 AND x.subject_id = $2 ORDER BY s.name_key, x.id"
            ),
            &[&kind, &id],
        )
        .await?;
    raw.into_iter().map(Raw::parse).collect()
}

/// Whether the subject has a grant to the Space, whatever its time.
///
/// # Errors
/// Any storage error.
pub async fn exists(db: &mut impl Rowish, space: &SpaceId, to: &Subject) -> Result<bool> {
    let (kind, id) = columns(to);
    let row: Option<(GrantId,)> = db
        .opt(
            sql!("SELECT id FROM space_grant WHERE space_id = $1 AND subject_kind = $2 AND subject_id = $3"),
            &[space, &kind, &id],
        )
        .await?;
    Ok(row.is_some())
}

/// A new row.
///
/// # Errors
/// Any storage error; `Unique` if the subject has a grant to this Space.
pub async fn insert(tx: &mut Tx, g: &Grant, now: Timestamp, by: &str) -> Result<()> {
    let (kind, id) = columns(&g.subject);
    tx.one(
        "grant",
        sql!(
            "INSERT INTO space_grant (id, space_id, subject_kind, subject_id, from_at, until_at, created_at, created_by, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)"
        ),
        &[&g.id, &g.space, &kind, &id, &g.span.from, &g.span.until, &now, &by],
    )
    .await
}

/// Changes when a grant holds, if its version is still `version`. False: changed since.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, id: &GrantId, version: i64, span: Span) -> Result<bool> {
    let rows = tx
        .exec(
            sql!("UPDATE space_grant SET from_at = $3, until_at = $4, version = version + 1 WHERE id = $1 AND version = $2"),
            &[id, &version, &span.from, &span.until],
        )
        .await?;
    Ok(rows == 1)
}

/// Removes a grant.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, id: &GrantId) -> Result<()> {
    tx.one("grant", sql!("DELETE FROM space_grant WHERE id = $1"), &[id]).await
}
