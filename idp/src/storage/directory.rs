//! Loads the facts that `core::access` decides on: all of them, or the part that matters to one person or one Space. Parts
//! are found by closures in SQL, whatever the times of the edges, so that a decision at any instant can be taken on them.

use super::memberships::{Raw, assertion, subject};
use super::{Result, Rowish};
use crate::core::Timestamp;
use crate::core::directory::{Facts, Grant, PersonFacts, Span};
use crate::core::ids::{ClientId, GrantId, GroupId, PersonId, SpaceId};
use crate::sql;
use std::collections::BTreeSet;

type People = Vec<(PersonId, String, String, String, bool)>;
type Grants = Vec<(GrantId, SpaceId, String, String, Option<Timestamp>, Option<Timestamp>)>;

fn put_together(
    people: People,
    groups: Vec<(GroupId, String)>,
    spaces: Vec<(SpaceId, String)>,
    assertions: Vec<Raw>,
    grants: Grants,
    published: Vec<(SpaceId, GroupId)>,
) -> Result<Facts> {
    let person = |(id, username, email, display_name, active)| (id, PersonFacts { username, email, display_name, active });
    let grant = |(id, space, kind, to, from, until): (_, _, String, String, _, _)| -> Result<Grant> {
        Ok(Grant { id, space, subject: subject("space_grant", &kind, &to)?, span: Span { from, until } })
    };
    Ok(Facts {
        people: people.into_iter().map(person).collect(),
        groups: groups.into_iter().collect(),
        spaces: spaces.into_iter().collect(),
        assertions: assertions.into_iter().map(assertion).collect::<Result<_>>()?,
        grants: grants.into_iter().map(grant).collect::<Result<_>>()?,
        published: published.into_iter().collect(),
    })
}

/// Everything. For explanations, dry runs and tests; a decision about one person or Space loads less.
///
/// # Errors
/// Any storage error.
pub async fn everything(db: &mut impl Rowish) -> Result<Facts> {
    put_together(
        db.all(
            sql!(
                "SELECT p.id, p.username, p.space_email, p.display_name, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p"
            ),
            &[],
        )
        .await?,
        db.all(sql!("SELECT id, name FROM grp"), &[]).await?,
        db.all(sql!("SELECT id, name FROM space"), &[]).await?,
        db.all(sql!("SELECT group_id, member_kind, member_id, source, from_at, until_at FROM membership"), &[]).await?,
        db.all(sql!("SELECT id, space_id, subject_kind, subject_id, from_at, until_at FROM space_grant"), &[]).await?,
        db.all(sql!("SELECT space_id, group_id FROM space_group"), &[]).await?,
    )
}

/// What matters to one person: the groups above them, the grants and publications of these, and grants to the person.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Facts> {
    put_together(
        db.all(
            sql!(
                "SELECT p.id, p.username, p.space_email, p.display_name, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p WHERE p.id = $1"
            ),
            &[person],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT g.id, g.name FROM grp g JOIN up ON up.id = g.id"
            ),
            &[person],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT s.id, s.name FROM space s WHERE s.id IN (SELECT x.space_id FROM space_grant x WHERE (x.subject_kind = 'person' AND x.subject_id = $1) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up))) OR s.id IN (SELECT y.space_id FROM space_group y WHERE y.group_id IN (SELECT id FROM up))"
            ),
            &[person],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT m.group_id, m.member_kind, m.member_id, m.source, m.from_at, m.until_at FROM membership m WHERE (m.member_kind = 'person' AND m.member_id = $1) OR (m.member_kind = 'group' AND m.member_id IN (SELECT id FROM up))"
            ),
            &[person],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT x.id, x.space_id, x.subject_kind, x.subject_id, x.from_at, x.until_at FROM space_grant x WHERE (x.subject_kind = 'person' AND x.subject_id = $1) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up))"
            ),
            &[person],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT y.space_id, y.group_id FROM space_group y WHERE y.group_id IN (SELECT id FROM up)"
            ),
            &[person],
        )
        .await?,
    )
}

/// What matters to one Space: grants to it, groups published to it, everything nested in those groups, and their people.
///
/// # Errors
/// Any storage error.
pub async fn of_space(db: &mut impl Rowish, space: &SpaceId) -> Result<Facts> {
    put_together(
        db.all(
            sql!(
                "WITH RECURSIVE down (id) AS (SELECT x.subject_id FROM space_grant x WHERE x.space_id = $1 AND x.subject_kind = 'group' UNION SELECT y.group_id FROM space_group y WHERE y.space_id = $1 UNION SELECT m.member_id FROM membership m JOIN down ON m.group_id = down.id WHERE m.member_kind = 'group') SELECT p.id, p.username, p.space_email, p.display_name, NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id) AS active FROM person p WHERE p.id IN (SELECT m.member_id FROM membership m WHERE m.member_kind = 'person' AND m.group_id IN (SELECT id FROM down)) OR p.id IN (SELECT x.subject_id FROM space_grant x WHERE x.space_id = $1 AND x.subject_kind = 'person')"
            ),
            &[space],
        )
        .await?,
        db.all(
            sql!(
                "WITH RECURSIVE down (id) AS (SELECT x.subject_id FROM space_grant x WHERE x.space_id = $1 AND x.subject_kind = 'group' UNION SELECT y.group_id FROM space_group y WHERE y.space_id = $1 UNION SELECT m.member_id FROM membership m JOIN down ON m.group_id = down.id WHERE m.member_kind = 'group') SELECT g.id, g.name FROM grp g JOIN down ON down.id = g.id"
            ),
            &[space],
        )
        .await?,
        db.all(sql!("SELECT id, name FROM space WHERE id = $1"), &[space]).await?,
        db.all(
            sql!(
                "WITH RECURSIVE down (id) AS (SELECT x.subject_id FROM space_grant x WHERE x.space_id = $1 AND x.subject_kind = 'group' UNION SELECT y.group_id FROM space_group y WHERE y.space_id = $1 UNION SELECT m.member_id FROM membership m JOIN down ON m.group_id = down.id WHERE m.member_kind = 'group') SELECT m.group_id, m.member_kind, m.member_id, m.source, m.from_at, m.until_at FROM membership m WHERE m.group_id IN (SELECT id FROM down)"
            ),
            &[space],
        )
        .await?,
        db.all(
            sql!("SELECT id, space_id, subject_kind, subject_id, from_at, until_at FROM space_grant WHERE space_id = $1"),
            &[space],
        )
        .await?,
        db.all(sql!("SELECT space_id, group_id FROM space_group WHERE space_id = $1"), &[space]).await?,
    )
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
