//! A password sign-in in a new browser: all its requests, and the one request that checks the password.

use crate::child::Server;
use crate::http::{Answer, Client};
use crate::rounds::{Plan, Walk, measure};
use crate::table::Table;
use crate::world::{Kind, PASSWORD, World};
use tokio::runtime::Runtime;

/// Above the floor, in microseconds.
const BUDGET_US: f64 = 1000.0;

/// Up to the page that asks for the password.
async fn named(browser: &mut Client) -> Result<Answer, String> {
    browser.cookies.clear();
    let page = browser.open("/").await?.expect(200)?;
    let answer = browser.submit(&page, "/identify", ("name", "bob")).await?.expect(303)?;
    browser.open(&answer.location).await?.expect(200)
}

/// Signs Bob in.
pub async fn sign_in(browser: &mut Client) -> Result<(), String> {
    let page = named(browser).await?;
    let answer = browser.submit(&page, "/password", ("password", PASSWORD)).await?.expect(303)?;
    let home = browser.open(&answer.location).await?.expect(200)?;
    if home.body.contains("Bob") { Ok(()) } else { Err(format!("not signed in: {}", home.body)) }
}

/// All requests.
struct Whole(Client);

impl Walk for Whole {
    async fn walk(&mut self) -> Result<(), String> {
        sign_in(&mut self.0).await
    }
}

/// The one request.
struct Check {
    browser: Client,
    page: Option<Answer>,
}

impl Walk for Check {
    async fn before(&mut self) -> Result<(), String> {
        self.page = Some(named(&mut self.browser).await?);
        Ok(())
    }
    async fn walk(&mut self) -> Result<(), String> {
        let page = self.page.take().ok_or("no page")?;
        self.browser.submit(&page, "/password", ("password", PASSWORD)).await?.expect(303).map(drop)
    }
}

/// Runs it on both engines.
pub fn run(runtime: &Runtime, quick: bool, table: &mut Table) -> Result<(), String> {
    for kind in Kind::available(runtime) {
        let world = World::seed(runtime, kind, 0)?;
        let (walks, rounds) = if quick { (3, 3) } else { (8, 15) };
        let plan = Plan { walks, clients: 1, rounds, bare: ("argon2", 1), parted: true };
        let mut server = Server::start("@server", &world)?;
        let port = server.port;
        let sample = measure(&mut server, &world, plan, async || Ok(Check { browser: Client::new(port).await?, page: None }))?;
        table.cpu(&format!("password checked, one request, {}", kind.name()), &sample, BUDGET_US);
        drop(server);
        let mut server = Server::start("@server", &world)?;
        let plan = Plan { parted: false, ..plan };
        let sample = measure(&mut server, &world, plan, async || Ok(Whole(Client::new(port).await?)))?;
        table.cpu(&format!("password sign-in, all requests, {}", kind.name()), &sample, BUDGET_US);
    }
    Ok(())
}
