//! Authorize + token for a person who is signed in: two requests, as an application and as a Space makes them.

use crate::child::Server;
use crate::credentials::CLIENTS;
use crate::http::Client;
use crate::password::sign_in;
use crate::rounds::{Plan, Walk, measure};
use crate::table::Table;
use crate::world::{CALLBACK, Kind, SPACE_CALLBACK, SPACE_SECRET, World};
use tokio::runtime::Runtime;

/// Above the floor, in microseconds.
const BUDGET_US: f64 = 250.0;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct Flow {
    browser: Client,
    application: Client,
    authorize: String,
    form: Vec<(&'static str, String)>,
}

impl Flow {
    /// For one of the clients of the world; signs in first.
    pub async fn new(port: u16, world: &World, id: &str) -> Result<Self, String> {
        let (redirect, secret) = match id {
            "app" => (CALLBACK, world.made.app.as_str()),
            _ => (SPACE_CALLBACK, SPACE_SECRET),
        };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", id),
                ("response_type", "code"),
                ("redirect_uri", redirect),
                ("scope", "openid profile email"),
                ("state", "xyz"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("redirect_uri", redirect.into()),
            ("client_id", id.into()),
            ("client_secret", secret.into()),
            ("code_verifier", VERIFIER.into()),
        ];
        let mut browser = Client::new(port).await?;
        sign_in(&mut browser).await?;
        Ok(Self { browser, application: Client::new(port).await?, authorize: format!("/oauth2/authorize?{query}"), form })
    }
}

impl Walk for Flow {
    async fn walk(&mut self) -> Result<(), String> {
        let code = self.browser.get(&self.authorize).await?.query("code")?;
        let fields = self.form.iter().map(|(n, v)| (*n, v.as_str())).chain([("code", code.as_str())]);
        let fields: Vec<(&str, &str)> = fields.collect();
        let answer = self.application.form("/oauth2/token", &fields).await?.expect(200)?;
        if answer.body.contains("\"id_token\"") { Ok(()) } else { Err(format!("no id_token: {}", answer.body)) }
    }
}

/// Runs it on both engines.
pub fn run(runtime: &Runtime, quick: bool, table: &mut Table) -> Result<(), String> {
    for kind in Kind::available(runtime) {
        let world = World::seed(runtime, kind, 0)?;
        for (id, about) in [("app", "an application"), ("mars", "a Space")] {
            let mut server = Server::start("@server", &world)?;
            let port = server.port;
            let (walks, rounds) = if quick { (64, 3) } else { (160, 21) };
            // access token and ID token
            let plan = Plan { walks, clients: CLIENTS, rounds, bare: ("rs256", 2), parted: false };
            let sample = measure(&mut server, &world, plan, async || Flow::new(port, &world, id).await)?;
            table.cpu(&format!("authorize + token, {about}, {}", kind.name()), &sample, BUDGET_US);
        }
    }
    Ok(())
}
