//! Who acts: a person with the rights in force now.

use crate::core::Timestamp;
use crate::core::ids::PersonId;
use crate::core::policy::{Actor, Via};
use crate::storage::{Result, Rowish, people, rights};

/// The actor that a person is, with the rights in force at `now`. `None`: there is no such person, or they are disabled.
/// The caller adds address and request id.
///
/// # Errors
/// Any storage error.
pub async fn actor_for_person(db: &mut impl Rowish, person: &PersonId, via: Via, now: Timestamp) -> Result<Option<Actor>> {
    let Some(row) = people::find(db, person).await?.filter(|p| p.active) else { return Ok(None) };
    let rights = rights::in_force(db, person, now).await?;
    Ok(Some(Actor { person: Some(row.id), name: row.username, via, credential: None, rights, address: None, request_id: None }))
}
