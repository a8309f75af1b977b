//! Memberships: assertions that a person or group is in a group, each with its source and time (rules C6).

use super::page::{After, Page};
use super::{Error, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::directory::{Assertion, Span, Subject};
use crate::core::ids::{GroupId, PersonId};
use crate::sql;

/// Column values of a subject.
#[must_use]
pub fn columns(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Person(id) => ("person", id.to_string()),
        Subject::Group(id) => ("group", id.to_string()),
    }
}

/// Reads a subject from its columns.
///
/// # Errors
/// [`Error::Inconsistent`] for an unknown kind or a bad id.
pub fn subject(table: &'static str, kind: &str, id: &str) -> Result<Subject> {
    let bad = |column| Error::Inconsistent { table, column, row: id.to_owned() };
    match kind {
        "person" => PersonId::parse(id).map(Subject::Person).map_err(|_| bad("member id")),
        "group" => GroupId::parse(id).map(Subject::Group).map_err(|_| bad("member id")),
        _ => Err(bad("member kind")),
    }
}

/// One row: group, member kind and id, source, from, until.
pub(super) type Raw = (GroupId, String, String, String, Option<Timestamp>, Option<Timestamp>);

pub(super) fn assertion((group, kind, id, source, from, until): Raw) -> Result<Assertion> {
    Ok(Assertion { group, member: subject("membership", &kind, &id)?, source, span: Span { from, until } })
}

/// A membership with its history, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The assertion.
    pub assertion: Assertion,
    /// Since when it is stored.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// Name of the other side: of the member in a list of members, of the group in a list of groups.
    pub name: String,
}

type Listed = (GroupId, String, String, String, Option<Timestamp>, Option<Timestamp>, Timestamp, String, String);

fn listed((group, kind, id, source, from, until, created_at, created_by, name): Listed) -> Result<Membership> {
    Ok(Membership { assertion: assertion((group, kind, id, source, from, until))?, created_at, created_by, name })
}

/// Direct members of a group, people and groups, in order of kind and name.
///
/// # Errors
/// Any storage error.
pub async fn of_group(db: &mut impl Rowish, group: &GroupId) -> Result<Vec<Membership>> {
    let rows: Vec<Listed> = db
        .all(
            sql!(
                "SELECT m.group_id, m.member_kind, m.member_id, m.source, m.from_at, m.until_at, m.created_at, m.created_by, COALESCE(p.display_name, g.name, '') AS name FROM membership m LEFT JOIN person p ON m.member_kind = 'person' AND p.id = m.member_id LEFT JOIN grp g ON m.member_kind = 'group' AND g.id = m.member_id WHERE m.group_id = $1 ORDER BY m.member_kind, COALESCE(p.sort_key, g.name_key), m.member_id, m.source"
            ),
            &[group],
        )
        .await?;
    rows.into_iter().map(listed).collect()
}

/// A page of the direct members of a group, in order of kind and name; with `text` those that have it in their name or user
/// name.
///
/// # Errors
/// Any storage error.
pub async fn page_of_group(
    db: &mut impl Rowish,
    group: &GroupId,
    text: Option<&str>,
    after: Option<&After>,
    limit: i64,
) -> Result<Page<Membership>> {
    let (like, after) = (text.map(super::page::like), after.cloned().unwrap_or_default());
    let rows: Vec<Listed> = db
        .all(
            sql!(
                "SELECT m.group_id, m.member_kind, m.member_id, m.source, m.from_at, m.until_at, m.created_at, m.created_by, COALESCE(p.display_name, g.name, '') AS name FROM membership m LEFT JOIN person p ON m.member_kind = 'person' AND p.id = m.member_id LEFT JOIN grp g ON m.member_kind = 'group' AND g.id = m.member_id WHERE m.group_id = $1 AND (m.member_kind, COALESCE(p.sort_key, g.name_key, ''), m.member_id, m.source) > ($2, $3, $4, $5) AND (CAST($6 AS TEXT) IS NULL OR COALESCE(p.sort_key, g.name_key) LIKE $6 ESCAPE '\\' OR lower(p.username) LIKE $6 ESCAPE '\\') ORDER BY m.member_kind, COALESCE(p.sort_key, g.name_key, ''), m.member_id, m.source LIMIT $7"
            ),
            &[group, &after.kind, &after.key, &after.id, &after.source, &like, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows.into_iter().map(listed).collect::<Result<_>>()?, limit))
}

impl Membership {
    /// Where the page after this member begins.
    #[must_use]
    pub fn cursor(&self) -> After {
        let (kind, id) = columns(&self.assertion.member);
        let key = crate::core::text::fold(&self.name);
        After { kind: kind.into(), key, id, source: self.assertion.source.clone() }
    }
}

/// Groups that a person or group is directly in.
///
/// # Errors
/// Any storage error.
pub async fn of_member(db: &mut impl Rowish, member: &Subject) -> Result<Vec<Membership>> {
    let (kind, id) = columns(member);
    let rows: Vec<Listed> = db
        .all(
            sql!(
                "SELECT m.group_id, m.member_kind, m.member_id, m.source, m.from_at, m.until_at, m.created_at, m.created_by, g.name FROM membership m JOIN grp g ON g.id = m.group_id WHERE m.member_kind = $1 AND m.member_id = $2 ORDER BY g.name_key, m.source"
            ),
            &[&kind, &id],
        )
        .await?;
    rows.into_iter().map(listed).collect()
}

/// One assertion.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, group: &GroupId, member: &Subject, source: &str) -> Result<Option<Assertion>> {
    let (kind, id) = columns(member);
    let row: Option<Raw> = db
        .opt(
            sql!(
                "SELECT group_id, member_kind, member_id, source, from_at, until_at FROM membership WHERE group_id = $1 AND member_kind = $2 AND member_id = $3 AND source = $4"
            ),
            &[group, &kind, &id, &source],
        )
        .await?;
    row.map(assertion).transpose()
}

/// Adds an assertion.
///
/// # Errors
/// Any storage error; `Unique` if this source says so already.
pub async fn insert(tx: &mut Tx, a: &Assertion, now: Timestamp, by: &str) -> Result<()> {
    let (kind, id) = columns(&a.member);
    tx.one(
        "membership",
        sql!(
            "INSERT INTO membership (group_id, member_kind, member_id, source, from_at, until_at, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        &[&a.group, &kind, &id, &a.source, &a.span.from, &a.span.until, &now, &by],
    )
    .await
}

/// Changes when an assertion holds.
///
/// # Errors
/// Any storage error.
pub async fn update(tx: &mut Tx, a: &Assertion) -> Result<()> {
    let (kind, id) = columns(&a.member);
    tx.one(
        "membership",
        sql!(
            "UPDATE membership SET from_at = $5, until_at = $6 WHERE group_id = $1 AND member_kind = $2 AND member_id = $3 AND source = $4"
        ),
        &[&a.group, &kind, &id, &a.source, &a.span.from, &a.span.until],
    )
    .await
}

/// Removes an assertion.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, group: &GroupId, member: &Subject, source: &str) -> Result<()> {
    let (kind, id) = columns(member);
    tx.one(
        "membership",
        sql!("DELETE FROM membership WHERE group_id = $1 AND member_kind = $2 AND member_id = $3 AND source = $4"),
        &[group, &kind, &id, &source],
    )
    .await
}

/// Edges between groups above a group: (group, its member), whatever their time. What a new edge could close a cycle with.
///
/// # Errors
/// Any storage error.
pub async fn edges_above(db: &mut impl Rowish, group: &GroupId) -> Result<Vec<(GroupId, GroupId)>> {
    db.all(
        sql!(
            "WITH RECURSIVE up (id) AS (SELECT CAST($1 AS TEXT) UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT m.group_id, m.member_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id"
        ),
        &[group],
    )
    .await
}
