//! Asks whether a client may have what it wants to know.

use super::super::flow::Current;
use super::super::session::session;
use super::About;
use crate::core::login::ConsentRule;
use crate::core::session::Session;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path};
use crate::pages::{self, Page};
use crate::storage::{self, consent};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Consent {
    about: About,
    name: String,
    username: String,
    destination: Option<String>,
    scopes: Vec<String>,
    remembered: bool,
    seen: String,
}

impl Page for Consent {
    const TEMPLATE: &'static str = "login/consent.html";
    fn samples() -> Vec<Self> {
        let scopes = ["openid", "profile", "email", "groups", "offline_access", "made.up"];
        vec![Self {
            about: About::sample(),
            name: "Bob Specialist".into(),
            username: "bob".into(),
            destination: Some("https://mars.example.com".into()),
            scopes: scopes.map(str::to_owned).to_vec(),
            remembered: true,
            seen: "s".into(),
        }]
    }
}
crate::page!(Consent);

/// Shows who asks for what.
pub(in super::super) fn page(current: &Current<'_>, session: &Session) -> Response {
    let demand = &current.flow.demand;
    pages::show(current.deps, current.ctx).csrf(current.csrf()).page(&Consent {
        about: About::of(current),
        name: session.display_name.clone(),
        username: session.username.clone(),
        destination: demand.redirect_origin.clone(),
        scopes: demand.scopes.clone(),
        remembered: demand.consent == ConsentRule::Remembered,
        seen: current.seen(session),
    })
}

#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    #[serde(default)]
    seen: String,
    decision: Decision,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
}

/// Remembers the answer.
pub(super) async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(input): Form<Input>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&input.csrf) {
        return response;
    }
    if input.decision == Decision::Deny {
        return current.advance(|flow| Ok(flow.denied())).await;
    }
    match session(&deps, &ctx).await {
        Ok(Some(session)) if !current.was_seen(&session, &input.seen) => current.advance(Ok).await,
        Ok(Some(session)) => {
            // only what the dispatcher would ask now may be agreed to: never skip a sign-in that is due
            let due = super::super::dispatcher::next(&deps, &current.flow, Some(&session)).await;
            match due {
                Ok(crate::core::login::Next::Consent) => {}
                Ok(_) => return current.advance(Ok).await,
                Err(error) => return current.fault(error),
            }
            if let Err(error) = remember(&deps, &current, &session).await {
                return current.fault(error);
            }
            current.advance(|flow| flow.consented(session.id)).await
        }
        Ok(None) => current.advance(Ok).await,
        Err(error) => current.fault(error),
    }
}

async fn remember(deps: &Deps, current: &Current<'_>, session: &Session) -> Result<(), storage::Error> {
    let demand = &current.flow.demand;
    let Some(client) = &demand.client else { return Ok(()) };
    consent::grant(&deps.db, &session.person, &client.id, &demand.scopes, deps.clock.now()).await
}
