//! What an earlier agent of a Space left there, for the one that was enrolled after it.

use super::{Error, Result};
use crate::core::ids::SpaceId;
use crate::storage::{Tx, adoption, bindings, links};
use odcm_wire::latest::{FormerLink, Inheritance, SweepCandidate, TeamBinding};

/// Links, filled teams and unconfirmed sweeps of a Space, as its agents reported them.
pub(super) async fn of_space(tx: &mut Tx, space: &SpaceId) -> Result<Inheritance> {
    let unreadable = |e: serde_json::Error| Error::Document(format!("stored report: {e}"));
    let mut left = Inheritance::default();
    for link in links::of_space(tx, space, "", i64::MAX).await? {
        let former = FormerLink { account: link.account_id, active: link.active, locally_disabled: link.locally_disabled };
        left.links.insert(link.person_id.to_string(), former);
    }
    for row in bindings::of_space(tx, space).await? {
        let binding: TeamBinding = serde_json::from_str(&row.binding).map_err(unreadable)?;
        if binding.managed {
            left.teams.entry(binding.team).or_default().groups.insert(binding.group);
        }
    }
    for row in adoption::sweeps(tx, space).await?.into_iter().filter(|row| row.confirmed_at.is_none()) {
        let sweep: SweepCandidate = serde_json::from_str(&row.sweep).map_err(unreadable)?;
        if let Some(team) = left.teams.get_mut(&sweep.team) {
            team.unswept.extend(sweep.people);
        }
    }
    Ok(left)
}
