//! The server's start on an existing database, and its memory before anybody has signed in with a password.

use crate::child::Server;
use crate::credentials::Machine;
use crate::http::Client;
use crate::password::sign_in;
use crate::rounds::{Walk, lower_quartile};
use crate::table::Table;
use crate::world::{Kind, World};
use tokio::runtime::Runtime;

const READY_MS: f64 = 100.0;
const MEMORY_MB: f64 = 32.0;

/// Runs it.
pub fn run(runtime: &Runtime, quick: bool, table: &mut Table) -> Result<(), String> {
    for kind in Kind::available(runtime) {
        let world = World::seed(runtime, kind, 0)?;
        let mut ready = Vec::new();
        for _ in 0..if quick { 3 } else { 11 } {
            let server = Server::start("@odcm", &world)?;
            ready.push(server.cpu()?.as_secs_f64() * 1000.0);
        }
        table.figure(&format!("CPU until ready, {}", kind.name()), lower_quartile(ready.into_iter()), READY_MS, "ms");
        let server = Server::start("@odcm", &world)?;
        let mib = |server: &Server| server.resident_kib().map(|kib| kib / 1024.0);
        table.figure(&format!("resident memory when ready, {}", kind.name()), mib(&server)?, MEMORY_MB, "MiB");
        let tokens = if quick { 100 } else { 2000 };
        let mut browser = runtime.block_on(async {
            let mut machine = Machine::new(server.port, "machine-es", &world.made.machine_es).await?;
            for _ in 0..tokens {
                machine.walk().await?;
            }
            let mut browser = Client::new(server.port).await?;
            browser.open("/").await?.expect(200)?;
            Ok::<Client, String>(browser)
        })?;
        let what = format!("resident memory after {tokens} tokens and the sign-in page, {}", kind.name());
        table.figure(&what, mib(&server)?, MEMORY_MB, "MiB");
        runtime.block_on(sign_in(&mut browser))?;
        table.note("the same after the first password sign-in", mib(&server)?, "MiB");
    }
    Ok(())
}
