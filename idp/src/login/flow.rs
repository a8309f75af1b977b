//! Flows: their ids, their binding to a browser, their rows. The id is in the address, a secret of the browser in a cookie;
//! only both together find the row, so that several tabs work and no flow moves to another browser.

use super::dispatcher;
use super::session::session;
use super::throttle::network;
use crate::core::login::{Demand, Flow, Next, WrongStage};
use crate::core::session::Session;
use crate::crypto::hash::{b64, equal, sha256};
use crate::deps::Deps;
use crate::http::cookies::{self, Cookie};
use crate::http::{Ctx, Problem, csrf};
use crate::pages;
use crate::storage::{self, logins};
use axum::http::StatusCode;
use axum::response::Response;

/// A flow that was found.
pub(super) struct Current<'a> {
    pub(super) deps: &'a Deps,
    pub(super) ctx: &'a Ctx,
    pub(super) id: String,
    pub(super) flow: Flow,
    secret: String,
    version: i64,
}

fn row_key(id: &str, secret: &str) -> [u8; 32] {
    sha256(format!("odcm flow\0{id}\0{secret}").as_bytes())
}

/// Sign-ins under way that are kept per network: anybody can begin them, each is a row of some kilobytes for half an hour,
/// and a whole company may sit behind one address. Beyond it the oldest give way.
const MOST_OPEN: i64 = 1000;

/// Stores a flow and sends the browser to its first page.
pub async fn begin(deps: &Deps, ctx: &Ctx, demand: Demand) -> Response {
    let now = deps.clock.now();
    let secret = ctx.cookie(Cookie::Login).filter(|s| s.len() == 43).map_or_else(|| deps.entropy.secret(), str::to_owned);
    let id = b64(deps.entropy.bytes::<16>());
    let flow = Flow::begin(demand, now);
    let ends = now.plus_secs(deps.settings.sign_in.flow);
    if let Err(error) = logins::insert(&deps.db, &row_key(&id, &secret), &flow, ends, &network(ctx.address), MOST_OPEN).await {
        return pages::fault(deps, ctx, error);
    }
    let mut response = pages::see_other(&format!("/login/{id}"));
    cookies::set(&mut response, &deps.settings, Cookie::Login, &secret, None);
    response
}

/// What came of a flow.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// This session satisfies the demand.
    Granted(Session),
    /// The person said no.
    Denied,
}

/// A flow that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was asked for.
    pub demand: Demand,
    /// What came of it.
    pub outcome: Outcome,
}

/// Takes a flow that is over. `None` when there is none for this browser, it is not over, or it was taken before.
///
/// # Errors
/// Any storage error.
pub async fn finished(deps: &Deps, ctx: &Ctx, id: &str) -> Result<Option<Finished>, storage::Error> {
    let Some(secret) = ctx.cookie(Cookie::Login) else { return Ok(None) };
    let (key, now) = (row_key(id, secret), deps.clock.now());
    let Some(stored) = logins::find(&mut &deps.db, &key, now).await? else { return Ok(None) };
    let session = session(deps, ctx).await?;
    let next = dispatcher::next(deps, &stored.state.0, session.as_ref()).await?;
    let outcome = match (next, session) {
        (Next::Denied, _) => Outcome::Denied,
        (Next::Finish, Some(session)) => Outcome::Granted(session),
        _ => return Ok(None),
    };
    let taken = logins::take(&deps.db, &key, now).await?;
    // it must be the very state that was judged
    Ok(taken.filter(|flow| *flow == stored.state.0).map(|flow| Finished { demand: flow.demand, outcome }))
}

/// The page for a flow that is gone.
pub(super) fn gone(deps: &Deps, ctx: &Ctx) -> Response {
    let text = deps.pages.say(&ctx.lang, "login.gone_text", &[]);
    let label = deps.pages.say(&ctx.lang, "login.start_again", &[]);
    let again = pages::Action { label, href: "/".into() };
    pages::message(deps, ctx, StatusCode::GONE, "login.gone", &text, &[again])
}

impl<'a> Current<'a> {
    /// Finds a flow, or gives the page that says why not.
    pub(super) async fn load(deps: &'a Deps, ctx: &'a Ctx, id: &str) -> Result<Self, Response> {
        let Some(secret) = ctx.cookie(Cookie::Login) else { return Err(gone(deps, ctx)) };
        let found = logins::find(&mut &deps.db, &row_key(id, secret), deps.clock.now()).await;
        match found.map_err(|e| pages::fault(deps, ctx, e))? {
            Some(row) => {
                let (flow, version) = (row.state.0, row.version);
                Ok(Self { deps, ctx, id: id.to_owned(), flow, secret: secret.to_owned(), version })
            }
            None => Err(gone(deps, ctx)),
        }
    }

    /// The token for its forms.
    pub(super) fn csrf(&self) -> String {
        csrf::token(&self.secret, &format!("flow {}", self.id))
    }

    /// Checks a form's token and origin.
    pub(super) fn check(&self, given: &str) -> Result<(), Response> {
        csrf::check(&self.deps.settings, self.ctx, &self.secret, &format!("flow {}", self.id), given)
            .map_err(|problem| self.fault(problem))
    }

    /// What a page that speaks of a person carries, so that its answer counts for that person alone.
    pub(super) fn seen(&self, session: &Session) -> String {
        csrf::token(&self.secret, &format!("flow {} seen by {}", self.id, session.id))
    }

    /// Whether a page was made for the person of this session. When another tab signed somebody else in meanwhile, the
    /// dispatcher asks them anew.
    pub(super) fn was_seen(&self, session: &Session, given: &str) -> bool {
        equal(self.seen(session).as_bytes(), given.as_bytes())
    }

    pub(super) fn fault(&self, problem: impl Into<Problem>) -> Response {
        pages::fault(self.deps, self.ctx, problem)
    }

    /// Path of the flow.
    pub(super) fn path(&self) -> String {
        format!("/login/{}", self.id)
    }

    /// Stores the next state; the browser asks the dispatcher again, which decides.
    pub(super) async fn advance(self, to: impl FnOnce(Flow) -> Result<Flow, WrongStage>) -> Response {
        match self.store(to).await {
            Ok(path) => pages::see_other(&path),
            Err(response) => response,
        }
    }

    /// Stores the next state; gives the path of the flow.
    pub(super) async fn store(self, to: impl FnOnce(Flow) -> Result<Flow, WrongStage>) -> Result<String, Response> {
        let path = self.path();
        // a form of a page that is out of date changes nothing: the dispatcher shows where things stand
        let Ok(next) = to(self.flow.clone()) else { return Ok(path) };
        let stored = logins::update(&self.deps.db, &row_key(&self.id, &self.secret), &next, self.version).await;
        match stored {
            // when another tab or a second click was faster, the dispatcher shows where things stand
            Ok(_) => Ok(path),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Forgets the flow.
    pub(super) async fn drop_row(&self) -> Result<(), storage::Error> {
        logins::take(&self.deps.db, &row_key(&self.id, &self.secret), self.deps.clock.now()).await.map(drop)
    }
}
