//! Asks which account to go on with.

use super::super::flow::Current;
use super::super::session::session;
use super::About;
use crate::core::session::Session;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path};
use crate::pages::{self, Page};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Select {
    about: About,
    name: String,
    username: String,
    wrong: bool,
    seen: String,
}

impl Page for Select {
    const TEMPLATE: &'static str = "login/select.html";
    fn samples() -> Vec<Self> {
        let seen = "s".to_owned();
        let plain = Self { about: About::sample(), name: "Bob Specialist".into(), username: "bob".into(), wrong: false, seen };
        vec![Self { wrong: true, ..plain.clone() }, plain]
    }
}
crate::page!(Select);

fn show(current: &Current<'_>, session: &Session, wrong: bool) -> Response {
    let status = if wrong { StatusCode::FORBIDDEN } else { StatusCode::OK };
    let page = Select {
        about: About::of(current),
        name: session.display_name.clone(),
        username: session.username.clone(),
        wrong,
        seen: current.seen(session),
    };
    pages::show(current.deps, current.ctx).status(status).csrf(current.csrf()).page(&page)
}

/// Shows the account of the session and the way to another one.
pub(in super::super) fn page(current: &Current<'_>, session: &Session) -> Response {
    show(current, session, false)
}

/// Somebody signed in whom the client did not ask for (`id_token_hint`).
pub(in super::super) fn wrong_person(current: &Current<'_>, session: &Session) -> Response {
    show(current, session, true)
}

#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    #[serde(default)]
    seen: String,
}

/// The person goes on with the account of the session.
pub(super) async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(input): Form<Input>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&input.csrf) {
        return response;
    }
    match session(&deps, &ctx).await {
        Ok(Some(session)) if !current.was_seen(&session, &input.seen) => current.advance(Ok).await,
        Ok(Some(session)) => current.advance(|flow| flow.chosen(session.id)).await,
        Ok(None) => current.advance(crate::core::login::Flow::another).await,
        Err(error) => current.fault(error),
    }
}
