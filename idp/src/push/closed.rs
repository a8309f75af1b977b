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
use std::collections::BTreeSet;

/// Closed inner spaces that are stored.
const MAX_CLOSED: usize = 1000;

/// What stands in an inner space that is closed to the agent's key is not gone because the agent does not name it.
pub(super) async fn keep_hidden(tx: &mut Tx, c: &Peer, rows: &mut Vec<BindingRow>) -> Result<()> {
    let closed = table::item_names(tx, &c.space, CLOSED).await?;
    if closed.is_empty() {
        return Ok(());
    }
    let named: BTreeSet<_> = rows.iter().map(|row| (row.team_id.clone(), row.group_key.clone())).collect();
    for mut row in bindings::of_space(tx, &c.space).await? {
        let Ok(mut binding) = serde_json::from_str::<TeamBinding>(&row.binding) else { continue };
        let hidden = binding.inner_space.as_ref().is_some_and(|id| closed.contains(&closed_item(id)));
        if hidden && !named.contains(&(row.team_id.clone(), row.group_key.clone())) {
            binding.message = Some("the inner space is closed to the agent's key: the team stays as it is".into());
            row.binding = json!(binding).to_string();
            rows.push(row);
        }
    }
    Ok(())
}

fn closed_item(inner_space: &str) -> String {
    format!("inner-space/{inner_space}")
}

/// Stores which they are now.
pub(super) async fn put(tx: &mut Tx, c: &Peer, list: &[InnerSpace]) -> Result<()> {
    let mut before = table::item_names(tx, &c.space, CLOSED).await?;
    for space in list.iter().take(MAX_CLOSED) {
        if space.id.is_empty()
            || [&space.id, &space.name].into_iter().any(|t| t.len() > MAX_NAME || t.chars().any(char::is_control))
        {
            tracing::warn!(space = %c.space, "an inner space with an impossible name is ignored");
            continue;
        }
        let item = closed_item(&space.id);
        // Since when it is closed stays.
        if before.remove(&item) {
            continue;
        }
        let name = if space.name.is_empty() { &space.id } else { &space.name };
        let row = ItemRow {
            section: CLOSED.into(),
            item,
            state: "closed".into(),
            message: Some(format!("The agent's key may not see the teams of the inner space {name}. Nothing is changed there.")),
            residual: "[]".into(),
            updated_at: c.deps.clock.now(),
        };
        table::put_item(tx, &c.space, &row).await?;
    }
    for item in before {
        table::remove_item(tx, &c.space, CLOSED, &item).await?;
    }
    Ok(())
}
