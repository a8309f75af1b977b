//! What ODCM itself executes, by instructions outside the kernel: repeatable, where time on a machine that is shared is not. What
//! it leaves out is the price of waking threads and of the network, which depends on the machine more than on the program.

use crate::child::Server;
use crate::credentials::Machine;
use crate::rounds::{Plan, count};
use crate::sign_on::Flow;
use crate::table::Table;
use crate::world::{Kind, World};
use tokio::runtime::Runtime;

/// Runs it on both engines.
pub fn run(runtime: &Runtime, table: &mut Table) -> Result<(), String> {
    for kind in Kind::available(runtime) {
        let world = World::seed(runtime, kind, 0)?;
        for (alg, id, secret) in
            [("es256", "machine-es", &world.made.machine_es), ("rs256", "machine-rs", &world.made.machine_rs)]
        {
            let mut server = Server::counted(&world)?;
            let port = server.port;
            let plan = Plan { walks: 64, clients: 4, rounds: 1, bare: (alg, 1), parted: false };
            let sample = count(&mut server, &world, plan, async || Machine::new(port, id, secret).await)?;
            table.instructions(&format!("client_credentials {alg}, {}", kind.name()), &sample);
        }
        for (id, about) in [("app", "an application"), ("mars", "a Space")] {
            let mut server = Server::counted(&world)?;
            let port = server.port;
            let plan = Plan { walks: 64, clients: 4, rounds: 1, bare: ("rs256", 2), parted: false };
            let sample = count(&mut server, &world, plan, async || Flow::new(port, &world, id).await)?;
            table.instructions(&format!("authorize + token, {about}, {}", kind.name()), &sample);
        }
    }
    Ok(())
}
