//! A hundred agents connected, with Spaces in memory: how fast one change is applied, and what an agent costs in memory.

use crate::applied::{changes, round_trips};
use crate::child::Server;
use crate::site::Site;
use crate::table::Table;
use crate::world::{Kind, World};
use odcm::sql;
use odcm::storage::{ConnectOptions, Db};
use odcm_tests::harness::until;
use std::ops::Range;
use std::time::Duration;
use tokio::runtime::Runtime;

const AGENTS: usize = 100;
/// Connected later, to see what one more costs.
const MORE: usize = 400;
const APPLIED_MS: f64 = 50.0;
const AGENT_KIB: f64 = 16.0;

/// Runs it, on SQLite.
pub fn run(runtime: &Runtime, quick: bool, table: &mut Table) -> Result<(), String> {
    let (more, count) = if quick { (0, 20) } else { (MORE, 500) };
    let world = World::seed(runtime, Kind::Sqlite, AGENTS + more)?;
    let mut server = Server::start("@server", &world)?;
    runtime.block_on(async {
        let db = Db::connect(&ConnectOptions::new(world.url.as_str())).await.map_err(|e| e.to_string())?;
        // What is used once is in memory before the weighing: all are enrolled, one has worked.
        let mut sites = Vec::new();
        for n in 0..AGENTS + more {
            sites.push(Site::enrol(&world, n).await?);
        }
        connect(&db, &mut sites, 0..1).await?;
        changes(&world, &db, 10).await?;
        let alone = settled(&server).await?;
        connect(&db, &mut sites, 1..AGENTS).await?;
        let hundred = settled(&server).await?;
        let applied = changes(&world, &db, count).await?;
        let port = server.ask("echo")?.parse().map_err(|_| "no port")?;
        let floor = round_trips(port, &db, count).await?;
        let (half, most) = (quantile(&applied, 50), quantile(&applied, 99));
        let (floor_half, floor_most) = (quantile(&floor, 50), quantile(&floor, 99));
        table.figure("applied in, p99, 100 agents connected", most, APPLIED_MS, "ms");
        table.note("applied in, p50", half, "ms");
        table.note("applied in, p90", quantile(&applied, 90), "ms");
        table.note("bare round trip of the same bytes + one commit, p50", floor_half, "ms");
        table.note("bare round trip of the same bytes + one commit, p99", floor_most, "ms");
        table.note("ratio of the p50", half / floor_half, "");
        table.note("ratio of the p99", most / floor_most, "");
        let each = (hundred - alone) / (AGENTS - 1) as f64;
        table.figure("memory per connected agent, from 1 to 100", each, AGENT_KIB, "KiB");
        if more > 0 {
            let before = settled(&server).await?;
            connect(&db, &mut sites, AGENTS..AGENTS + more).await?;
            let each = (settled(&server).await? - before) / more as f64;
            table.figure("memory per connected agent, from 100 to 500", each, AGENT_KIB, "KiB");
        }
        db.close().await;
        Ok(())
    })
}

/// Starts agents and waits until everything that their Spaces should have is acknowledged.
async fn connect(db: &Db, sites: &mut [Site], which: Range<usize>) -> Result<(), String> {
    let count = which.end;
    sites.get_mut(which).unwrap_or_default().iter_mut().for_each(Site::start);
    quiet(db, count).await
}

/// Waits until every section of so many Spaces is acknowledged.
async fn quiet(db: &Db, count: usize) -> Result<(), String> {
    let sections = sql!("SELECT COUNT(*) FROM section WHERE acked_epoch = epoch AND acked_revision = revision AND revision > 0");
    until(Duration::from_secs(120), Duration::from_millis(100), || async {
        let row: Option<(i64,)> = db.opt(sections, &[]).await.map_err(|e| e.to_string())?;
        let done = row.map_or(0, |(n,)| n);
        if usize::try_from(done).is_ok_and(|done| done >= 2 * count) {
            return Ok(());
        }
        Err(format!("{done} of {} sections are applied", 2 * count))
    })
    .await
}

/// Resident memory of the server in KiB, when nothing is under way any more.
async fn settled(server: &Server) -> Result<f64, String> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.resident_kib()
}

fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(f64::NAN)
}
