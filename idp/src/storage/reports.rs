//! What agents say besides acknowledgements: states of items that are not simply applied, and a bounded list of events.

use super::page::Page;
use super::{Db, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::ports::Entropy;
use crate::sql;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

/// Newest state of an item.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ItemRow {
    /// Section.
    pub section: String,
    /// Name: `person/ID`, `member/GROUP/PERSON`, `team/TEAM`, `setting/NAME`.
    pub item: String,
    /// `applied`, `failed`, `needs_decision`, `locally_disabled`, `refused_by_policy`, `other`.
    pub state: String,
    /// A sentence for people.
    pub message: Option<String>,
    /// JSON list: what a revocation could not end (rules A9).
    pub residual: String,
    /// When it was reported.
    pub updated_at: Timestamp,
}

/// All items of a Space that are not simply applied, or left something over.
///
/// # Errors
/// Any storage error.
pub async fn items<Q: Rowish>(q: &mut Q, space: &SpaceId, limit: i64) -> Result<Vec<ItemRow>> {
    q.all(
        sql!(
            "SELECT section, item, state, message, residual, updated_at FROM item_state WHERE space_id = $1 ORDER BY section, item LIMIT $2"
        ),
        &[space, &limit],
    )
    .await
}

/// Items of a Space, those after (section, item) of the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn items_page<Q: Rowish>(
    q: &mut Q,
    space: &SpaceId,
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Page<ItemRow>> {
    let (section, item) = after.cloned().unwrap_or_default();
    let rows = q
        .all(
            sql!(
                "SELECT section, item, state, message, residual, updated_at FROM item_state WHERE space_id = $1 AND (section, item) > ($2, $3) ORDER BY section, item LIMIT $4"
            ),
            &[space, &section, &item, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// Names of the items of a section whose revocation left something over.
///
/// # Errors
/// Any storage error.
pub async fn with_residual<Q: Rowish>(q: &mut Q, space: &SpaceId, section: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = q
        .all(
            sql!(
                "SELECT item FROM item_state WHERE space_id = $1 AND section = $2 AND residual <> '[]' ORDER BY item LIMIT 10000"
            ),
            &[space, &section],
        )
        .await?;
    Ok(rows.into_iter().map(|(item,)| item).collect())
}

/// The stored items of a section.
///
/// # Errors
/// Any storage error.
pub async fn section_items<Q: Rowish>(q: &mut Q, space: &SpaceId, section: &str) -> Result<Vec<ItemRow>> {
    q.all(
        sql!(
            "SELECT section, item, state, message, residual, updated_at FROM item_state WHERE space_id = $1 AND section = $2 ORDER BY item"
        ),
        &[space, &section],
    )
    .await
}

/// Names of the stored items of a section.
///
/// # Errors
/// Any storage error.
pub async fn item_names<Q: Rowish>(q: &mut Q, space: &SpaceId, section: &str) -> Result<BTreeSet<String>> {
    let rows: Vec<(String,)> =
        q.all(sql!("SELECT item FROM item_state WHERE space_id = $1 AND section = $2"), &[space, &section]).await?;
    Ok(rows.into_iter().map(|(item,)| item).collect())
}

/// Forgets the items of a section that left nothing over; what a revocation could not end stays until the item is reported
/// again.
///
/// # Errors
/// Any storage error.
pub async fn clear_items(tx: &mut Tx, space: &SpaceId, section: &str) -> Result<()> {
    tx.exec(sql!("DELETE FROM item_state WHERE space_id = $1 AND section = $2 AND residual = '[]'"), &[space, &section]).await?;
    Ok(())
}

/// Stores the state of an item.
///
/// # Errors
/// Any storage error.
pub async fn put_item(tx: &mut Tx, space: &SpaceId, row: &ItemRow) -> Result<()> {
    tx.one(
        "item",
        sql!(
            "INSERT INTO item_state (space_id, section, item, state, message, residual, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (space_id, section, item) DO UPDATE SET state = excluded.state, message = excluded.message, residual = excluded.residual, updated_at = excluded.updated_at"
        ),
        &[space, &row.section, &row.item, &row.state, &row.message, &row.residual, &row.updated_at],
    )
    .await
}

/// An item is simply applied.
///
/// # Errors
/// Any storage error.
pub async fn remove_item(tx: &mut Tx, space: &SpaceId, section: &str, item: &str) -> Result<()> {
    tx.exec(sql!("DELETE FROM item_state WHERE space_id = $1 AND section = $2 AND item = $3"), &[space, &section, &item]).await?;
    Ok(())
}

/// Forgets all items of a Space.
///
/// # Errors
/// Any storage error.
pub async fn forget_items(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(sql!("DELETE FROM item_state WHERE space_id = $1"), &[space]).await?;
    Ok(())
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventRow {
    /// Id, in order of time of storing.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// `drift`, `alarm`, `probe` or `agent`.
    pub kind: String,
    /// JSON.
    pub detail: String,
}

/// Keeps events of one millisecond in the order in which this process stored them.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

/// Stores an event.
///
/// # Errors
/// Any storage error.
pub async fn add_event(
    tx: &mut Tx,
    entropy: &Entropy,
    space: &SpaceId,
    now: Timestamp,
    at: Timestamp,
    kind: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let place = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:015}-{place:010}-{:08x}", now.0.max(0), u32::from_be_bytes(entropy.bytes::<4>()));
    tx.one(
        "event",
        sql!("INSERT INTO space_event (id, space_id, at, kind, detail) VALUES ($1, $2, $3, $4, $5)"),
        &[&id, space, &at, &kind, &detail.to_string()],
    )
    .await
}

/// Newest events of a Space, those before the event `before` if it is given.
///
/// # Errors
/// Any storage error.
pub async fn events<Q: Rowish>(q: &mut Q, space: &SpaceId, before: Option<&str>, limit: i64) -> Result<Vec<EventRow>> {
    // Ids begin with fifteen digits of milliseconds: a 9 comes after all of them, in every collation.
    let before = before.unwrap_or("9");
    q.all(
        sql!("SELECT id, at, kind, detail FROM space_event WHERE space_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
        &[space, &before, &limit],
    )
    .await
}

/// Newest event of a kind.
///
/// # Errors
/// Any storage error.
pub async fn newest_event<Q: Rowish>(q: &mut Q, space: &SpaceId, kind: &str) -> Result<Option<EventRow>> {
    q.opt(
        sql!("SELECT id, at, kind, detail FROM space_event WHERE space_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1"),
        &[space, &kind],
    )
    .await
}

/// Keeps the newest `keep` events of a Space.
///
/// # Errors
/// Any storage error.
pub async fn trim_events(tx: &mut Tx, space: &SpaceId, keep: i64) -> Result<u64> {
    tx.exec(
        sql!(
            "DELETE FROM space_event WHERE space_id = $1 AND id <= (SELECT e.id FROM space_event e WHERE e.space_id = $1 ORDER BY e.id DESC LIMIT 1 OFFSET $2)"
        ),
        &[space, &keep],
    )
    .await
}

/// Deletes events older than `before`.
///
/// # Errors
/// Any storage error.
pub async fn expire_events(db: &Db, before: Timestamp) -> Result<u64> {
    db.exec(sql!("DELETE FROM space_event WHERE at < $1"), &[&before]).await
}
