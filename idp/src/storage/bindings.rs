//! Team bindings: which ODCM group stands in which team, as the Space says (rules A1, A5).

use super::page::Page;
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{GroupId, SpaceId};
use crate::sql;

/// A binding as reported.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct BindingRow {
    /// Team id in the Space.
    pub team_id: String,
    /// Group id as the Space wrote it, folded.
    pub group_key: String,
    /// JSON of the wire's binding.
    pub binding: String,
    /// When it was last reported.
    pub reported_at: Timestamp,
}

/// All bindings of a Space.
///
/// # Errors
/// Any storage error.
pub async fn of_space<Q: Rowish>(q: &mut Q, space: &SpaceId) -> Result<Vec<BindingRow>> {
    q.all(
        sql!("SELECT team_id, group_key, binding, reported_at FROM team_binding WHERE space_id = $1 ORDER BY team_id, group_key"),
        &[space],
    )
    .await
}

/// A page of the bindings of a Space, in order of team and group. `after` is the (team, group) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Page<BindingRow>> {
    let (team, group) = after.cloned().unwrap_or_default();
    let rows = q
        .all(
            sql!(
                "SELECT team_id, group_key, binding, reported_at FROM team_binding WHERE space_id = $1 AND (team_id, group_key) > ($2, $3) ORDER BY team_id, group_key LIMIT $4"
            ),
            &[space, &team, &group, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// Replaces all bindings of a Space by `rows`.
///
/// # Errors
/// Any storage error.
pub async fn replace(tx: &mut Tx, space: &SpaceId, rows: &[BindingRow]) -> Result<()> {
    tx.exec(sql!("DELETE FROM team_binding WHERE space_id = $1"), &[space]).await?;
    for row in rows {
        tx.one(
            "team binding",
            sql!(
                "INSERT INTO team_binding (space_id, team_id, group_key, binding, reported_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (space_id, team_id, group_key) DO UPDATE SET binding = excluded.binding"
            ),
            &[space, &row.team_id, &row.group_key, &row.binding, &row.reported_at],
        )
        .await?;
    }
    Ok(())
}

/// The teams that name a group: Space, its name, JSON of the wire's binding.
///
/// # Errors
/// Any storage error.
pub async fn of_group<Q: Rowish>(q: &mut Q, group: &GroupId) -> Result<Vec<(SpaceId, String, String)>> {
    q.all(
        sql!(
            "SELECT s.id, s.name, b.binding FROM team_binding b JOIN space s ON s.id = b.space_id WHERE b.group_key = $1 ORDER BY s.name_key, b.team_id"
        ),
        &[group],
    )
    .await
}
