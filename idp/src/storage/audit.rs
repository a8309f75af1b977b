//! The audit trail: append only, written in the transaction of the change.

use super::{Result, Tx};
use crate::core::Timestamp;
use crate::core::change::Change;
use crate::core::ids::AuditId;
use crate::core::policy::{Actor, Via};
use crate::ports::Entropy;
use crate::sql;

/// Writes one audit line.
///
/// # Errors
/// Any storage error.
pub async fn write(tx: &mut Tx, entropy: &Entropy, now: Timestamp, actor: &Actor, change: &Change) -> Result<()> {
    let kind = match actor.via {
        Via::Session => "person",
        Via::Token(_) => "token",
        Via::Host => "host",
        Via::System => "system",
        Via::Agent => "agent",
    };
    let id = AuditId::from_uuid(entropy.id(now));
    let json = |v: &Option<serde_json::Value>| v.as_ref().map(ToString::to_string);
    tx.one(
        "audit",
        sql!(
            "INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, address, request_id, action, object_kind, object_id, object_name, space_id, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        ),
        &[
            &id, &now, &kind, &actor.person, &actor.name, &actor.address, &actor.request_id, &change.action, &change.object_kind,
            &change.object_id, &change.object_name, &change.space, &json(&change.before), &json(&change.after),
        ],
    )
    .await
}
