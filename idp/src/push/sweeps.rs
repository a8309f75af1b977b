//! Teams whose members wait for the one-time confirmation of a person (rules A3).

use super::connection::Peer;
use super::reports::{Known, MAX_NAME};
use super::{Result, closed};
use crate::core::Timestamp;
use crate::storage::{Tx, adoption, marks};
use odcm_wire::latest::SweepCandidate;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Stores what the agent lists; what stands in a closed inner space stays as it is. Gives whether a confirmation went away,
/// so that the wanted state changes.
pub(super) async fn put(tx: &mut Tx, c: &Peer, list: &[SweepCandidate], now: Timestamp) -> Result<bool> {
    let mut old: BTreeMap<_, _> =
        adoption::sweeps(tx, &c.space).await?.into_iter().map(|row| (row.team_id.clone(), row)).collect();
    let mut known = Known::load(tx, c).await?;
    let mut marked = false;
    for sweep in list {
        let mut people = Vec::new();
        for person in &sweep.people {
            people.extend(known.person(tx, c, person).await?.map(|p| p.to_string()));
        }
        if sweep.team.is_empty() || sweep.team.len() > MAX_NAME || sweep.team_name.len() > MAX_NAME {
            tracing::warn!(space = %c.space, "a sweep with an impossible name is ignored");
            continue;
        }
        let before = old.remove(&sweep.team);
        // A confirmation covers the people whom the administrator saw, nobody else.
        let seen: BTreeSet<String> = before
            .as_ref()
            .and_then(|row| serde_json::from_str::<SweepCandidate>(&row.sweep).ok())
            .map(|s| s.people.into_iter().collect())
            .unwrap_or_default();
        let keep = people.iter().all(|p| seen.contains(p));
        marked |= !keep && before.is_some_and(|row| row.confirmed_at.is_some());
        let text = json!(SweepCandidate { people, ..sweep.clone() }).to_string();
        adoption::put_sweep(tx, &c.space, &sweep.team, &text, keep, now).await?;
    }
    let hidden = if old.is_empty() { BTreeSet::new() } else { closed::hidden_teams(tx, c).await? };
    for (team, row) in old.into_iter().filter(|(team, _)| !hidden.contains(team)) {
        marked |= row.confirmed_at.is_some();
        adoption::remove_sweep(tx, &c.space, &team).await?;
    }
    if marked {
        marks::mark(tx, &BTreeSet::from([c.space.clone()]), now).await?;
    }
    Ok(marked)
}
