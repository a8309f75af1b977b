//! Events of a Space: bounded in number, told to live pages.

use super::{Error, Result};
use crate::core::Timestamp;
use crate::core::ids::SpaceId;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::{Tx, reports};
use serde_json::Value;

/// Events kept per Space.
const KEEP: i64 = 500;

/// Stores an event in `tx`.
pub(super) async fn add(tx: &mut Tx, deps: &Deps, space: &SpaceId, at: Timestamp, kind: &str, detail: &Value) -> Result<()> {
    reports::add_event(tx, &deps.entropy, space, deps.clock.now(), at, kind, detail).await?;
    Ok(())
}

/// Keeps the newest events of a Space.
pub(super) async fn trim(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    reports::trim_events(tx, space, KEEP).await?;
    Ok(())
}

/// Stores an alarm that ODCM itself raises, and logs it.
pub(super) async fn alarm(deps: &Deps, space: &SpaceId, detail: Value) -> Result<()> {
    tracing::warn!(%space, detail = %detail, "alarm");
    let now = deps.clock.now();
    run_tx!(deps.db, "push.alarm", |tx| {
        add(tx, deps, space, now, "alarm", &detail).await?;
        trim(tx, space).await?;
        Ok::<_, Error>(())
    })?;
    deps.live.ring(space);
    Ok(())
}
