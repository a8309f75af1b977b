//! Which Spaces a person starred and visited, and what stands between the person and each Space.

use super::{Db, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{PersonId, SpaceId};
use crate::sql;

/// Stars a Space, or takes the star away.
///
/// # Errors
/// Any storage error; `Reference` if there is no such Space.
pub async fn star(db: &Db, person: &PersonId, space: &SpaceId, starred: bool) -> Result<()> {
    db.exec(
        sql!(
            "INSERT INTO space_visit (person_id, space_id, starred) VALUES ($1, $2, $3) ON CONFLICT (person_id, space_id) DO UPDATE SET starred = $3"
        ),
        &[person, space, &starred],
    )
    .await
    .map(|_| ())
}

/// A visit within so many milliseconds of the last is the same visit.
const SAME_MS: i64 = 60_000;

/// Notes that a person entered a Space, in the transaction that let them in: one of its own would cost a second commit. Somebody
/// who enters twice in a minute is noted once, so that two browsers do not wait for each other's row.
///
/// # Errors
/// Any storage error.
pub async fn visited(tx: &mut Tx, person: &PersonId, space: &SpaceId, now: Timestamp) -> Result<()> {
    tx.exec(
        sql!(
            "INSERT INTO space_visit (person_id, space_id, starred, last_at) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), FALSE, CAST($3 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM space_visit v WHERE v.person_id = $1 AND v.space_id = $2 AND v.last_at > $4 AND v.last_at <= $3) ON CONFLICT (person_id, space_id) DO UPDATE SET last_at = excluded.last_at"
        ),
        &[person, space, &now, &now.plus_ms(-SAME_MS)],
    )
    .await
    .map(|_| ())
}

/// A Space from where one person stands.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Standing {
    /// The Space.
    pub id: SpaceId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its address.
    pub base_url: String,
    /// Starred by the person.
    pub starred: bool,
    /// Last visit.
    pub last_at: Option<Timestamp>,
    /// Whether the account there is active, if the Space acknowledged one (rules A7).
    pub link_active: Option<bool>,
    /// Whether the Space itself set the account inactive (rules A4).
    pub locally_disabled: Option<bool>,
    /// Accounts found there that might be the person's and that nobody decided on (rules A6).
    pub undecided: i64,
}

/// Spaces that a person may enter at some time, in order of name. Whether it is now, `core::access` says.
///
/// # Errors
/// Any storage error.
pub async fn standings(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<Standing>> {
    db.all(
        sql!(
            "WITH RECURSIVE up (id) AS (SELECT m.group_id FROM membership m WHERE m.member_kind = 'person' AND m.member_id = $1 UNION SELECT m.group_id FROM membership m JOIN up ON m.member_kind = 'group' AND m.member_id = up.id) SELECT s.id, s.slug, s.name, s.description, s.base_url, COALESCE(v.starred, FALSE) AS starred, v.last_at, l.active AS link_active, l.locally_disabled, (SELECT COUNT(*) FROM adoption a WHERE a.space_id = s.id AND a.person_id = $1 AND a.decision IS NULL) AS undecided FROM space s LEFT JOIN space_visit v ON v.space_id = s.id AND v.person_id = $1 LEFT JOIN account_link l ON l.space_id = s.id AND l.person_id = $1 WHERE s.id IN (SELECT x.space_id FROM space_grant x WHERE (x.subject_kind = 'person' AND x.subject_id = $1) OR (x.subject_kind = 'group' AND x.subject_id IN (SELECT id FROM up))) ORDER BY s.name_key, s.id"
        ),
        &[person],
    )
    .await
}
