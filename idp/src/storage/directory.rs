//! Loads the facts that `core::access` decides on: all of them, or the part that matters to one person or one Space. Parts
//! are found by closures in SQL, whatever the times of the edges, so that a decision at any instant can be taken on them.

use super::memberships::subject;
use super::{Error, FromRow, Result, Rowish};
use crate::core::Timestamp;
use crate::core::directory::{Assertion, Facts, Grant, PersonFacts, Span};
use crate::core::ids::{ClientId, GrantId, GroupId, PersonId, SpaceId};
use crate::sql;
use std::collections::BTreeSet;

/// A fact of any kind; what the columns mean depends on it.
#[derive(FromRow)]
struct Raw {
    kind: String,
    a: String,
    b: String,
    c: Option<String>,
    d: Option<String>,
    active: Option<bool>,
    from_at: Option<Timestamp>,
    until_at: Option<Timestamp>,
}

/// One statement asks for all kinds of facts at once: it sees one state of the database whatever others commit meanwhile, and
/// is one way to the database and back instead of six.
fn put_together(rows: Vec<Raw>) -> Result<Facts> {
    let mut facts = Facts::default();
    for Raw { kind, a, b, c, d, active, from_at, until_at } in rows {
        let bad = |column| Error::Inconsistent { table: "the facts of the directory", column, row: a.clone() };
        let (span, there) = (Span { from: from_at, until: until_at }, |text: Option<String>| text.ok_or_else(|| bad("kind")));
        let group = |id: &str| GroupId::parse(id).map_err(|_| bad("group_id"));
        let space = |id: &str| SpaceId::parse(id).map_err(|_| bad("space_id"));
        match kind.as_str() {
            "person" => {
                let id = PersonId::parse(&a).map_err(|_| bad("id"))?;
                let active = active.ok_or_else(|| bad("active"))?;
                facts.people.insert(id, PersonFacts { username: b, email: there(c)?, display_name: there(d)?, active });
            }
            "group" => drop(facts.groups.insert(group(&a)?, b)),
            "space" => drop(facts.spaces.insert(space(&a)?, b)),
            "assertion" => {
                let member = subject("membership", &b, &there(c)?)?;
                facts.assertions.push(Assertion { group: group(&a)?, member, source: there(d)?, span });
            }
            "grant" => {
                let id = GrantId::parse(&a).map_err(|_| bad("id"))?;
                let subject = subject("space_grant", &there(c)?, &there(d)?)?;
                facts.grants.push(Grant { id, space: space(&b)?, subject, span });
            }
            "published" => drop(facts.published.insert((space(&a)?, group(&b)?))),
            _ => return Err(bad("kind")),
        }
    }
    Ok(facts)
}

/// Everything. For explanations, dry runs and tests; a decision about one person or Space loads less.
///
/// # Errors
/// Any storage error.
pub async fn everything(db: &mut impl Rowish) -> Result<Facts> {
    let facts = sql!(
        "SELECT 'person' AS kind, p.id AS a, p.username AS b, p.space_email AS c, p.display_name AS d, NOT EXISTS (SELECT 1 FROM person_disabled z WHERE z.person_id = p.id) AS active, CAST(NULL AS BIGINT) AS from_at, CAST(NULL AS BIGINT) AS until_at FROM person p UNION ALL SELECT 'group', g.id, g.name, NULL, NULL, NULL, NULL, NULL FROM grp g UNION ALL SELECT 'space', s.id, s.name, NULL, NULL, NULL, NULL, NULL FROM space s UNION ALL SELECT 'assertion', m.group_id, m.member_kind, m.member_id, m.source, NULL, m.from_at, m.until_at FROM membership m UNION ALL SELECT 'grant', x.id, x.space_id, x.subject_kind, x.subject_id, NULL, x.from_at, x.until_at FROM space_grant x UNION ALL SELECT 'published', y.space_id, y.group_id, NULL, NULL, NULL, NULL, NULL FROM space_group y"
    );
    put_together(db.all(facts, &[]).await?)
}

/// What matters to one person: the groups above them, the grants and publications of these, and grants to the person.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Facts> {
    let facts = sql!(
        "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT 'person' AS kind, p.id AS a, p.username AS b, p.space_email AS c, p.display_name AS d, NOT EXISTS (SELECT 1 FROM person_disabled z WHERE z.person_id = p.id) AS active, CAST(NULL AS BIGINT) AS from_at, CAST(NULL AS BIGINT) AS until_at FROM person p WHERE p.id = $1 UNION ALL SELECT 'group', g.id, g.name, NULL, NULL, NULL, NULL, NULL FROM grp g WHERE g.id IN (SELECT id FROM up) UNION ALL SELECT 'space', s.id, s.name, NULL, NULL, NULL, NULL, NULL FROM space s WHERE s.id IN (SELECT v.space_id FROM space_grant v WHERE (v.subject_kind = 'person' AND v.subject_id = $1) OR (v.subject_kind = 'group' AND v.subject_id IN (SELECT id FROM up))) OR s.id IN (SELECT w.space_id FROM space_group w WHERE w.group_id IN (SELECT id FROM up)) UNION ALL SELECT 'assertion', m.group_id, m.member_kind, m.member_id, m.source, NULL, m.from_at, m.until_at FROM membership m WHERE (m.member_kind = 'person' AND m.member_id = $1) OR (m.member_kind = 'group' AND m.member_id IN (SELECT id FROM up)) UNION ALL SELECT 'grant', x.id, x.space_id, x.subject_kind, x.subject_id, NULL, x.from_at, x.until_at FROM space_grant x WHERE (x.subject_kind = 'person' AND x.subject_id = $1) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up)) UNION ALL SELECT 'published', y.space_id, y.group_id, NULL, NULL, NULL, NULL, NULL FROM space_group y WHERE y.group_id IN (SELECT id FROM up)"
    );
    put_together(db.all(facts, &[person]).await?)
}

/// What matters to one Space: grants to it, groups published to it, everything nested in those groups, and their people.
///
/// # Errors
/// Any storage error.
pub async fn of_space(db: &mut impl Rowish, space: &SpaceId) -> Result<Facts> {
    let facts = sql!(
        "WITH RECURSIVE down (id) AS (SELECT x.subject_id FROM space_grant x WHERE x.space_id = $1 AND x.subject_kind = 'group' UNION SELECT y.group_id FROM space_group y WHERE y.space_id = $1 UNION SELECT m.member_id FROM membership m JOIN down ON m.group_id = down.id WHERE m.member_kind = 'group') SELECT 'person' AS kind, p.id AS a, p.username AS b, p.space_email AS c, p.display_name AS d, NOT EXISTS (SELECT 1 FROM person_disabled z WHERE z.person_id = p.id) AS active, CAST(NULL AS BIGINT) AS from_at, CAST(NULL AS BIGINT) AS until_at FROM person p WHERE p.id IN (SELECT n.member_id FROM membership n WHERE n.member_kind = 'person' AND n.group_id IN (SELECT id FROM down)) OR p.id IN (SELECT v.subject_id FROM space_grant v WHERE v.space_id = $1 AND v.subject_kind = 'person') UNION ALL SELECT 'group', g.id, g.name, NULL, NULL, NULL, NULL, NULL FROM grp g WHERE g.id IN (SELECT id FROM down) UNION ALL SELECT 'space', s.id, s.name, NULL, NULL, NULL, NULL, NULL FROM space s WHERE s.id = $1 UNION ALL SELECT 'assertion', m.group_id, m.member_kind, m.member_id, m.source, NULL, m.from_at, m.until_at FROM membership m WHERE m.group_id IN (SELECT id FROM down) UNION ALL SELECT 'grant', x.id, x.space_id, x.subject_kind, x.subject_id, NULL, x.from_at, x.until_at FROM space_grant x WHERE x.space_id = $1 UNION ALL SELECT 'published', y.space_id, y.group_id, NULL, NULL, NULL, NULL, NULL FROM space_group y WHERE y.space_id = $1"
    );
    put_together(db.all(facts, &[space]).await?)
}

fn set(rows: Vec<(SpaceId,)>) -> BTreeSet<SpaceId> {
    rows.into_iter().map(|(id,)| id).collect()
}

/// Spaces that may hear of a change in a group: it, or a group above it, is granted or published there.
///
/// # Errors
/// Any storage error.
pub async fn spaces_above_group(db: &mut impl Rowish, group: &GroupId) -> Result<BTreeSet<SpaceId>> {
    let rows = db
        .all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT CAST($1 AS TEXT) UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT x.space_id FROM space_grant x WHERE x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up) UNION SELECT y.space_id FROM space_group y WHERE y.group_id IN (SELECT id FROM up)"
            ),
            &[group],
        )
        .await?;
    Ok(set(rows))
}

/// Spaces that know this very group: granted or published there.
///
/// # Errors
/// Any storage error.
pub async fn spaces_with_group(db: &mut impl Rowish, group: &GroupId) -> Result<BTreeSet<SpaceId>> {
    let rows = db
        .all(
            sql!(
                "SELECT x.space_id FROM space_grant x WHERE x.subject_kind = 'group' AND x.subject_id = $1 UNION SELECT y.space_id FROM space_group y WHERE y.group_id = $1"
            ),
            &[group],
        )
        .await?;
    Ok(set(rows))
}

/// Spaces that a person may enter at some time: by a grant to the person or to a group above.
///
/// # Errors
/// Any storage error.
pub async fn spaces_of_person(db: &mut impl Rowish, person: &PersonId) -> Result<BTreeSet<SpaceId>> {
    let rows = db
        .all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT DISTINCT x.space_id FROM space_grant x WHERE (x.subject_kind = 'person' AND x.subject_id = $1) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up))"
            ),
            &[person],
        )
        .await?;
    Ok(set(rows))
}

/// Spaces whose facts changed by time alone after `since` and up to `now`: a grant or an assertion began or ended.
///
/// # Errors
/// Any storage error.
pub async fn due_spaces(db: &mut impl Rowish, since: Timestamp, now: Timestamp) -> Result<BTreeSet<SpaceId>> {
    let rows = db
        .all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.from_at > $1 AND m.from_at <= $2 UNION SELECT m.group_id FROM membership m WHERE m.until_at > $1 AND m.until_at <= $2 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT x.space_id FROM space_grant x WHERE (x.from_at > $1 AND x.from_at <= $2) OR (x.until_at > $1 AND x.until_at <= $2) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up)) UNION SELECT y.space_id FROM space_group y WHERE y.group_id IN (SELECT id FROM up)"
            ),
            &[&since, &now],
        )
        .await?;
    Ok(set(rows))
}

/// Clients whose admission changed by time alone after `since` and up to `now`: a membership in or below one of their groups
/// began or ended.
///
/// # Errors
/// Any storage error.
pub async fn due_clients(db: &mut impl Rowish, since: Timestamp, now: Timestamp) -> Result<BTreeSet<ClientId>> {
    let rows: Vec<(ClientId,)> = db
        .all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.from_at > $1 AND m.from_at <= $2 UNION SELECT m.group_id FROM membership m WHERE m.until_at > $1 AND m.until_at <= $2 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT DISTINCT c.client_id FROM client_group c WHERE c.group_id IN (SELECT id FROM up)"
            ),
            &[&since, &now],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The first instant after `after` at which a grant or an assertion begins or ends.
///
/// # Errors
/// Any storage error.
pub async fn next_due(db: &mut impl Rowish, after: Timestamp) -> Result<Option<Timestamp>> {
    let rows: Vec<(Option<Timestamp>,)> = db
        .all(
            sql!(
                "SELECT MIN(from_at) AS at FROM membership WHERE from_at > $1 UNION ALL SELECT MIN(until_at) FROM membership WHERE until_at > $1 UNION ALL SELECT MIN(from_at) FROM space_grant WHERE from_at > $1 UNION ALL SELECT MIN(until_at) FROM space_grant WHERE until_at > $1"
            ),
            &[&after],
        )
        .await?;
    Ok(rows.into_iter().filter_map(|(at,)| at).min())
}

/// The directory revision (rules C2).
///
/// # Errors
/// Any storage error.
pub async fn revision(db: &mut impl Rowish) -> Result<i64> {
    let row: Option<(i64,)> = db.opt(sql!("SELECT directory_revision FROM deployment WHERE one = 1"), &[]).await?;
    Ok(row.map_or(0, |(n,)| n))
}
