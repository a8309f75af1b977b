//! Inner spaces of a Space that are closed to the agent's key: told to administrators among the items, and what is bound in
//! them stays as it was reported.

use super::Result;
use super::connection::Peer;
use super::reports::MAX_NAME;
use crate::accounts::agent_status::CLOSED_SPACES as CLOSED;
use crate::storage::Tx;
use crate::storage::bindings::{self, BindingRow};
use crate::storage::reports::{self as table, ItemRow};
use odcm_wire::latest::{InnerSpace, TeamBinding};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Closed inner spaces that are stored.
const MAX_CLOSED: usize = 1000;
/// Bindings of a Space that are stored: as many as an agent tells at once.
const MAX_BINDINGS: usize = 20_000;

/// The stored bindings of teams in inner spaces that are closed to the agent's key.
async fn hidden(tx: &mut Tx, c: &Peer) -> Result<Vec<(BindingRow, TeamBinding)>> {
    let closed = table::item_names(tx, &c.space, CLOSED).await?;
    if closed.is_empty() {
        return Ok(Vec::new());
    }
    let stored = bindings::of_space(tx, &c.space).await?.into_iter();
    let read = stored.filter_map(|row| serde_json::from_str::<TeamBinding>(&row.binding).ok().map(|binding| (row, binding)));
    let is_hidden = |binding: &TeamBinding| binding.inner_space.as_ref().is_some_and(|id| closed.contains(&closed_item(id)));
    Ok(read.filter(|(_, binding)| is_hidden(binding)).collect())
}

/// Teams that are bound in an inner space that is closed to the agent's key: what is stored of them is not gone because the
/// agent does not name it.
pub(super) async fn hidden_teams(tx: &mut Tx, c: &Peer) -> Result<BTreeSet<String>> {
    Ok(hidden(tx, c).await?.into_iter().map(|(row, _)| row.team_id).collect())
}

/// Adds the bindings of such teams that the agent does not name. They stay managed: a later agent has to know of them.
pub(super) async fn keep_hidden(tx: &mut Tx, c: &Peer, rows: &mut Vec<BindingRow>) -> Result<()> {
    let named: BTreeSet<_> = rows.iter().map(|row| (row.team_id.clone(), row.group_key.clone())).collect();
    for (mut row, mut binding) in hidden(tx, c).await? {
        if !named.contains(&(row.team_id.clone(), row.group_key.clone())) {
            binding.message = Some("the inner space is closed to the agent's key: the team stays as it is".into());
            row.binding = json!(binding).to_string();
            rows.push(row);
        }
    }
    if rows.len() > MAX_BINDINGS {
        // What the agent names now goes first.
        tracing::warn!(space = %c.space, dropped = rows.len() - MAX_BINDINGS, "the Space has too many bindings; the rest is not stored");
        c.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "bindings")]);
        rows.truncate(MAX_BINDINGS);
    }
    Ok(())
}

fn closed_item(inner_space: &str) -> String {
    format!("inner-space/{inner_space}")
}

/// Stores which they are now.
pub(super) async fn put(tx: &mut Tx, c: &Peer, list: &[InnerSpace]) -> Result<()> {
    let mut before: BTreeMap<_, _> =
        table::section_items(tx, &c.space, CLOSED).await?.into_iter().map(|row| (row.item.clone(), row)).collect();
    for space in list.iter().take(MAX_CLOSED) {
        if space.id.is_empty()
            || [&space.id, &space.name].into_iter().any(|t| t.len() > MAX_NAME || t.chars().any(char::is_control))
        {
            tracing::warn!(space = %c.space, "an inner space with an impossible name is ignored");
            continue;
        }
        let item = closed_item(&space.id);
        let name = if space.name.is_empty() { &space.id } else { &space.name };
        let message = Some(format!("The agent's key may not see the teams of the inner space {name}. Nothing is changed there."));
        let known = before.remove(&item);
        if known.as_ref().is_some_and(|row| row.message == message) {
            continue;
        }
        let row = ItemRow {
            section: CLOSED.into(),
            item,
            state: "closed".into(),
            message,
            residual: "[]".into(),
            // Since when it is closed stays.
            updated_at: known.map_or_else(|| c.deps.clock.now(), |row| row.updated_at),
        };
        table::put_item(tx, &c.space, &row).await?;
    }
    for item in before.into_keys() {
        table::remove_item(tx, &c.space, CLOSED, &item).await?;
    }
    Ok(())
}
