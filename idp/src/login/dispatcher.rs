//! The one place that picks the next step: it reads the stored flow and this browser's session, asks `core::login`, and
//! lets the step show its page. Steps store their result and send the browser back here; they never name one another.

use super::flow::Current;
use super::session::session;
use super::{begin, steps};
use crate::core::login::{ConsentRule, Demand, Flow, Next};
use crate::core::session::Session;
use crate::deps::Deps;
use crate::http::{Ctx, Path, Query};
use crate::pages;
use crate::storage::{self, consent};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

/// `/login` and `/login/{flow}`.
pub(super) fn routes() -> Router<Deps> {
    Router::new().route("/login", get(start).head(super::not_by_head)).route("/login/{flow}", get(show).head(super::not_by_head))
}

#[derive(Deserialize)]
struct Start {
    return_to: Option<String>,
    login_hint: Option<String>,
}

/// Begins a sign-in for one of our own pages.
async fn start(State(deps): State<Deps>, ctx: Ctx, Query(query): Query<Start>) -> Response {
    let mut demand = Demand::to(query.return_to.as_deref().unwrap_or("/"));
    demand.login_hint = query.login_hint.filter(|h| h.len() <= 254);
    begin(&deps, &ctx, demand).await
}

async fn show(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>) -> Response {
    match Current::load(&deps, &ctx, &id).await {
        Ok(current) => proceed(current).await.unwrap_or_else(|error| pages::fault(&deps, &ctx, error)),
        Err(response) => response,
    }
}

/// What comes next in a flow.
pub(super) async fn next(deps: &Deps, flow: &Flow, session: Option<&Session>) -> Result<Next, storage::Error> {
    let remembered = match (session, &flow.demand.client, flow.demand.consent) {
        (Some(session), Some(client), ConsentRule::Remembered) => {
            consent::covers(&mut &deps.db, &session.person, &client.id, &flow.demand.scopes).await?
        }
        _ => false,
    };
    Ok(flow.next(session, remembered, deps.clock.now()))
}

async fn proceed(current: Current<'_>) -> Result<Response, storage::Error> {
    let session = session(current.deps, current.ctx).await?;
    let next = next(current.deps, &current.flow, session.as_ref()).await?;
    Ok(match (next, session) {
        (Next::Identify, _) => steps::identify::show(current).await,
        (Next::Password { name }, _) => steps::password::page(&current, &name, None),
        (Next::Await { provider }, _) => steps::upstream::waiting(&current, &provider).await,
        (Next::Select, Some(session)) => steps::select::page(&current, &session),
        (Next::Consent, Some(session)) => steps::consent::page(&current, &session),
        (Next::WrongPerson, Some(session)) => steps::select::wrong_person(&current, &session),
        (Next::Select | Next::Consent | Next::WrongPerson, None) => steps::identify::show(current).await,
        (Next::Finish | Next::Denied, _) => finish(current).await?,
    })
}

/// Sends the browser where the demand says. A protocol takes the flow itself and may answer elsewhere; ours end here.
async fn finish(current: Current<'_>) -> Result<Response, storage::Error> {
    let demand = &current.flow.demand;
    if let Some(client) = &demand.client {
        let to = format!("{}?flow={}", demand.return_to, current.id);
        return Ok(pages::onward(current.deps, current.ctx, &to, &client.name));
    }
    current.drop_row().await?;
    let denied = current.flow.stage == crate::core::login::Stage::Denied;
    Ok(pages::see_other(if denied { "/" } else { &demand.return_to }))
}
