//! Reads across the tables of the push channel, for pages.

use super::page::Page;
use super::{FromRow, Result, Rowish};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::sql;

/// Figures of one Space.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Figures {
    /// A mark is not projected yet.
    pub marked: bool,
    /// People with undecided candidates, and unconfirmed sweeps.
    pub undecided: i64,
    /// Generation of the client secret that is asked for.
    pub secret_wanted: i64,
    /// Newest generation that was made.
    pub secret_made: i64,
    /// When a secret last proved itself.
    pub proven_at: Option<Timestamp>,
}

/// Figures of one Space.
///
/// # Errors
/// Any storage error.
pub async fn figures<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Option<Figures>> {
    q.opt(
        sql!(
            "SELECT EXISTS (SELECT 1 FROM dirty_mark m WHERE m.space_id = s.id AND m.counter > m.projected) AS marked, (SELECT COUNT(DISTINCT a.person_id) FROM adoption a WHERE a.space_id = s.id AND a.decision IS NULL) + (SELECT COUNT(*) FROM sweep w WHERE w.space_id = s.id AND w.confirmed_at IS NULL) AS undecided, s.secret_generation AS secret_wanted, COALESCE((SELECT MAX(k.generation) FROM client_secret k JOIN client c ON c.id = k.client_id WHERE c.space_id = s.id), 0) AS secret_made, (SELECT MAX(k.proven_at) FROM client_secret k JOIN client c ON c.id = k.client_id WHERE c.space_id = s.id) AS proven_at FROM space s WHERE s.id = $1"
        ),
        &[space],
    )
    .await
}

/// One line per Space.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OverviewRow {
    /// The Space.
    pub space_id: SpaceId,
    /// An agent is enrolled.
    pub enrolled: bool,
    /// Its connection began.
    pub connected_at: Option<Timestamp>,
    /// Its last sign of life.
    pub last_seen_at: Option<Timestamp>,
    /// Something is marked, or not acknowledged.
    pub pending: bool,
    /// Newest acknowledged revision of section access.
    pub applied: Option<i64>,
    /// Milliseconds it took.
    pub applied_ms: Option<i64>,
    /// Failed items.
    pub failed_items: i64,
    /// People with undecided candidates, and unconfirmed sweeps.
    pub undecided: i64,
}

/// One line for each Space.
///
/// # Errors
/// Any storage error.
pub async fn overview<Q: Rowish>(q: &mut Q) -> Result<Vec<OverviewRow>> {
    q.all(
        sql!(
            "SELECT s.id AS space_id, (a.id IS NOT NULL) AS enrolled, a.connected_at, a.last_seen_at, (EXISTS (SELECT 1 FROM dirty_mark m WHERE m.space_id = s.id AND m.counter > m.projected) OR EXISTS (SELECT 1 FROM section p WHERE p.space_id = s.id AND (p.acked_epoch <> p.epoch OR p.acked_revision <> p.revision))) AS pending, x.acked_revision AS applied, x.acked_ms AS applied_ms, (SELECT COUNT(*) FROM item_state i WHERE i.space_id = s.id AND i.state = 'failed') AS failed_items, (SELECT COUNT(DISTINCT d.person_id) FROM adoption d WHERE d.space_id = s.id AND d.decision IS NULL) + (SELECT COUNT(*) FROM sweep w WHERE w.space_id = s.id AND w.confirmed_at IS NULL) AS undecided FROM space s LEFT JOIN agent a ON a.space_id = s.id AND a.revoked_at IS NULL LEFT JOIN section x ON x.space_id = s.id AND x.section = 'access' ORDER BY s.id"
        ),
        &[],
    )
    .await
}

/// The fleet in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Totals {
    /// Spaces.
    pub spaces: i64,
    /// Spaces with an agent that is not revoked.
    pub enrolled: i64,
    /// Those whose agent is connected.
    pub connected: i64,
    /// Failed items.
    pub failed: i64,
    /// People with undecided candidates, and unconfirmed sweeps.
    pub undecided: i64,
}

/// Counts over all Spaces. An agent that was last seen before `stale` is offline.
///
/// # Errors
/// Any storage error.
pub async fn totals<Q: Rowish>(q: &mut Q, stale: Timestamp) -> Result<Totals> {
    let row = q
        .opt(
            sql!(
                "SELECT COUNT(*) AS spaces, COUNT(a.id) AS enrolled, COUNT(CASE WHEN a.connected_at IS NOT NULL AND a.last_seen_at >= $1 THEN 1 END) AS connected, (SELECT COUNT(*) FROM item_state i WHERE i.state = 'failed') AS failed, (SELECT COUNT(*) FROM (SELECT DISTINCT d.space_id, d.person_id FROM adoption d WHERE d.decision IS NULL) o) + (SELECT COUNT(*) FROM sweep w WHERE w.confirmed_at IS NULL) AS undecided FROM space s LEFT JOIN agent a ON a.space_id = s.id AND a.revoked_at IS NULL"
            ),
            &[&stale],
        )
        .await?;
    Ok(row.unwrap_or_default())
}

/// The Spaces to look at first, with name and address: those that are offline, have failed items or something to decide, then the others, each in
/// order of name. An agent that was last seen before `stale` is offline.
///
/// # Errors
/// Any storage error.
pub async fn foremost<Q: Rowish>(q: &mut Q, stale: Timestamp, limit: i64) -> Result<Vec<(SpaceId, String, String)>> {
    q
        .all(
            sql!(
                "SELECT s.id, s.name, s.base_url FROM space s LEFT JOIN agent a ON a.space_id = s.id AND a.revoked_at IS NULL ORDER BY CASE WHEN (a.id IS NOT NULL AND (a.connected_at IS NULL OR a.last_seen_at IS NULL OR a.last_seen_at < $1)) OR EXISTS (SELECT 1 FROM item_state i WHERE i.space_id = s.id AND i.state = 'failed') OR EXISTS (SELECT 1 FROM adoption d WHERE d.space_id = s.id AND d.decision IS NULL) OR EXISTS (SELECT 1 FROM sweep w WHERE w.space_id = s.id AND w.confirmed_at IS NULL) THEN 0 ELSE 1 END, s.name_key, s.id LIMIT $2"
            ),
            &[&stale, &limit],
        )
        .await
}

/// The bindings of a Space: JSON, time of the report, name of the group if ODCM has one with that id.
///
/// # Errors
/// Any storage error.
pub async fn bindings_named<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<(String, Timestamp, Option<String>)>> {
    q.all(
        sql!(
            "SELECT b.binding, b.reported_at, g.name FROM team_binding b LEFT JOIN grp g ON g.id = b.group_key WHERE b.space_id = $1 ORDER BY b.team_id, b.group_key"
        ),
        &[space],
    )
    .await
}

/// A page of them; `after` is the (team, folded group id) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn bindings_page<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Page<(String, Timestamp, Option<String>)>> {
    let (team, group) = after.cloned().unwrap_or_default();
    let rows = q
        .all(
            sql!(
                "SELECT b.binding, b.reported_at, g.name FROM team_binding b LEFT JOIN grp g ON g.id = b.group_key WHERE b.space_id = $1 AND (b.team_id, b.group_key) > ($2, $3) ORDER BY b.team_id, b.group_key LIMIT $4"
            ),
            &[space, &team, &group, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}
