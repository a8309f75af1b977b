//! The clean-up of rows that can no longer matter.

use super::Job;
use crate::accounts::clients;
use crate::deps::Deps;
use crate::storage::{self, agents, expiry, jobs, reports};
use async_trait::async_trait;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Every few minutes: codes, sessions, flows, links, throttles, devices, events, failed jobs.
#[derive(Debug)]
pub struct CleanUp;

#[async_trait]
impl Job for CleanUp {
    fn kind(&self) -> &'static str {
        "clean-up"
    }

    fn every_s(&self) -> Option<i64> {
        Some(300)
    }

    async fn run(&self, deps: &Deps, _: &str) -> Result<(), String> {
        let now = deps.clock.now();
        // Codes and tokens first: sessions that they refer to stay.
        let mut rows = clients::sweep(deps).await.map_err(|e| e.to_string())?;
        let run = async {
            rows += expiry::ended_before(&deps.db, now.plus_secs(-HOUR)).await?;
            rows += expiry::unused_since(&deps.db, now.plus_secs(-180 * DAY)).await?;
            rows += agents::expire_codes(&deps.db, now.plus_secs(-DAY)).await?;
            rows += reports::expire_events(&deps.db, now.plus_secs(-90 * DAY)).await?;
            rows += jobs::expire_failed(&deps.db, now.plus_secs(-30 * DAY)).await?;
            Ok::<_, storage::Error>(rows)
        };
        let rows = run.await.map_err(|e| e.to_string())?;
        if rows > 0 {
            tracing::debug!(rows, "cleaned up");
        }
        Ok(())
    }
}
