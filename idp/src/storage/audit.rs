//! The audit trail: append only, written in the transaction of the change.

use super::page::Page;
use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::change::Change;
use crate::core::ids::{AuditId, SpaceId};
use crate::core::policy::{Actor, Via};
use crate::ports::Entropy;
use crate::sql;
use std::sync::atomic::{AtomicU64, Ordering};

/// An id after all earlier ones of this process: UUIDv7 whose 12 bits after the time count the lines of a millisecond
/// (RFC 9562 §6.2, method 1), so that the order of ids is the order of writing.
fn next_id(entropy: &Entropy, now: Timestamp) -> AuditId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let floor = u64::try_from(now.0).unwrap_or_default() << 12;
    let after = |last: u64| floor.max(last.saturating_add(1));
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(after(last))).unwrap_or(floor);
    let [.., high, low] = after(last).to_be_bytes();
    let [_, _, rest @ ..] = entropy.bytes::<10>();
    let mut random = [high, low, 0, 0, 0, 0, 0, 0, 0, 0];
    random.iter_mut().skip(2).zip(rest).for_each(|(slot, byte)| *slot = byte);
    AuditId::from_uuid(uuid::Builder::from_unix_timestamp_millis(after(last) >> 12, &random).into_uuid())
}

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
    let id = next_id(entropy, now);
    let json = |v: &Option<serde_json::Value>| v.as_ref().map(ToString::to_string);
    tx.one(
        "audit",
        sql!(
            "INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, address, request_id, action, object_kind, object_id, object_name, space_id, before, after, other_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        ),
        &[
            &id, &now, &kind, &actor.person, &actor.name, &actor.address, &actor.request_id, &change.action, &change.object_kind,
            &change.object_id, &change.object_name, &change.space, &json(&change.before), &json(&change.after), &change.other,
        ],
    )
    .await
}

/// An audit line as stored.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct Line {
    /// Id, in order of time.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// `person`, `token`, `host`, `system` or `agent`.
    pub actor_kind: String,
    /// The person, if it is one.
    pub actor_id: Option<String>,
    /// Name at that time.
    pub actor_name: String,
    /// Address of the peer.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// What happened.
    pub action: String,
    /// To what kind of object.
    pub object_kind: String,
    /// To which.
    pub object_id: String,
    /// Its name at that time.
    pub object_name: String,
    /// The Space it concerns.
    pub space_id: Option<SpaceId>,
    /// What it was, as JSON.
    pub before: Option<String>,
    /// What it is, as JSON.
    pub after: Option<String>,
}

/// Which lines to read; every field that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Kind of the object.
    pub object_kind: Option<String>,
    /// Id of the object. Without a kind, also lines that concern it as the other object: a person's memberships and grants.
    pub object_id: Option<String>,
    /// The Space it concerns.
    pub space: Option<SpaceId>,
    /// Who did it (id of the person).
    pub actor: Option<String>,
    /// `noun.verb`, or `noun.` for all verbs of a noun.
    pub action: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// A page, newest first. `after` is the id of the last line seen.
///
/// # Errors
/// Any storage error.
pub async fn page(db: &mut impl Rowish, filter: &Filter, after: Option<&AuditId>, limit: i64) -> Result<Page<Line>> {
    let action = filter.action.as_deref().map(|a| {
        let exact = a.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        if exact.ends_with('.') { exact + "%" } else { exact }
    });
    let rows = db
        .all(
            sql!(
                "SELECT id, at, actor_kind, actor_id, actor_name, address, request_id, action, object_kind, object_id, object_name, space_id, before, after FROM audit WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) AND (CAST($2 AS TEXT) IS NULL OR object_kind = $2) AND (CAST($3 AS TEXT) IS NULL OR object_id = $3 OR (CAST($2 AS TEXT) IS NULL AND other_id = $3)) AND (CAST($4 AS TEXT) IS NULL OR space_id = $4) AND (CAST($5 AS TEXT) IS NULL OR actor_id = $5) AND (CAST($6 AS TEXT) IS NULL OR action LIKE $6 ESCAPE '\\') AND (CAST($7 AS BIGINT) IS NULL OR at >= $7) AND (CAST($8 AS BIGINT) IS NULL OR at < $8) ORDER BY id DESC LIMIT $9"
            ),
            &[
                &after.cloned(), &filter.object_kind, &filter.object_id, &filter.space, &filter.actor, &action, &filter.from,
                &filter.until, &(limit + 1),
            ],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}
