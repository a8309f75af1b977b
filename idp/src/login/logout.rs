//! Signing out. GET shows a question, because any page of the site may make a browser GET something.

use super::extract::Person;
use super::session::{clear_cookies, end_session};
use crate::deps::Deps;
use crate::http::{Ctx, Form};
use crate::pages::{self, Page};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};

/// `/logout` and `/logout/done`.
pub(super) fn routes() -> Router<Deps> {
    Router::new().route("/logout", get(ask).post(submit)).route("/logout/done", get(done))
}

/// The question.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Logout {}

impl Page for Logout {
    const TEMPLATE: &'static str = "login/logout.html";
    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}
crate::page!(Logout);

/// After it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SignedOut {}

impl Page for SignedOut {
    const TEMPLATE: &'static str = "login/signed_out.html";
    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}
crate::page!(SignedOut);

async fn ask(State(deps): State<Deps>, ctx: Ctx) -> Response {
    match Person::find(&deps, &ctx).await {
        Ok(Some(person)) => pages::show(&deps, &ctx).signed(person.signed()).page(&Logout {}),
        Ok(None) => pages::see_other("/logout/done"),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

#[derive(Deserialize)]
struct Input {
    csrf: String,
}

async fn submit(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(input): Form<Input>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &input.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    if let Err(error) = end_session(&deps, &ctx, &person.session).await {
        return pages::fault(&deps, &ctx, error);
    }
    let mut response = pages::see_other("/logout/done");
    clear_cookies(&deps, &mut response);
    response
}

async fn done(State(deps): State<Deps>, ctx: Ctx) -> Response {
    pages::show(&deps, &ctx).page(&SignedOut {})
}
