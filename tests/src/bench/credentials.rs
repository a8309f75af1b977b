//! `client_credentials`: one request, one statement, one signature, all middleware.

use crate::child::Server;
use crate::http::Client;
use crate::rounds::{Plan, Walk, measure, one_thread, weigh_alone};
use crate::table::Table;
use crate::world::{Kind, World};
use futures_util::future::try_join_all;
use tokio::runtime::Runtime;

/// Above the floor, in microseconds.
const BUDGET_US: f64 = 80.0;

/// As the fact sheet's trials had them.
pub const CLIENTS: usize = 32;

/// A machine that fetches tokens.
pub struct Machine {
    pub client: Client,
    pub body: String,
}

impl Machine {
    /// Of a client of the world.
    pub async fn new(port: u16, id: &str, secret: &str) -> Result<Self, String> {
        let pairs = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", "read")];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Ok(Self { client: Client::new(port).await?, body })
    }
}

impl Walk for Machine {
    async fn walk(&mut self) -> Result<(), String> {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.client.send("POST", "/oauth2/token", &kind, &self.body).await?.expect(200).map(drop)
    }
}

/// Runs it on both engines.
pub fn run(runtime: &Runtime, quick: bool, table: &mut Table) -> Result<(), String> {
    for kind in Kind::available(runtime) {
        let world = World::seed(runtime, kind, 0)?;
        for (alg, id, secret, walks) in
            [("es256", "machine-es", &world.made.machine_es, 1600), ("rs256", "machine-rs", &world.made.machine_rs, 480)]
        {
            let mut server = Server::start("@server", &world)?;
            let port = server.port;
            if kind == Kind::Sqlite && alg == "es256" {
                let hello: u16 = server.ask("hello")?.parse().map_err(|_| "no port")?;
                let thread = one_thread()?;
                let clients = (0..CLIENTS).map(|_| Machine::new(hello, id, secret));
                let mut clients = thread.block_on(try_join_all(clients))?;
                let plan = Plan { walks, clients: CLIENTS, rounds: 7, bare: (alg, 0), parted: false };
                let cost = weigh_alone(&thread, &server, plan, &mut clients)?;
                table.note("the same exchange with bare axum, for comparison", cost / 1000.0, "ms");
            }
            let plan = if quick {
                Plan { walks: 320, clients: CLIENTS, rounds: 3, bare: (alg, 1), parted: false }
            } else {
                Plan { walks, clients: CLIENTS, rounds: 31, bare: (alg, 1), parted: false }
            };
            let sample = measure(&mut server, &world, plan, async || Machine::new(port, id, secret).await)?;
            table.cpu(&format!("client_credentials {alg}, {}", kind.name()), &sample, BUDGET_US);
        }
    }
    Ok(())
}
