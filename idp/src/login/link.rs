//! One-time links, with which people set their first password (`/link/{secret}`). The secret is in the path; what protects
//! the form is a token derived from it, and the origin.

use super::passwords;
use super::session::{Proof, sign_in};
use crate::accounts::{self, links};
use crate::core::Refusal;
use crate::core::session::{Authentication, Method};
use crate::crypto::password::Lane;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path, Problem, csrf};
use crate::pages::{self, Action, Page};
use crate::storage::people::Person;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};

const PURPOSE: &str = "one-time link";

/// `/link/{secret}`.
pub(super) fn routes() -> Router<Deps> {
    Router::new().route("/link/{secret}", get(show).post(submit))
}

/// The page. No `Debug`: the path holds the secret.
#[derive(Clone, Serialize)]
pub(crate) struct LinkPage {
    path: String,
    name: String,
    username: String,
    error: Option<String>,
    again_error: Option<String>,
}

impl Page for LinkPage {
    const TEMPLATE: &'static str = "login/link.html";
    fn samples() -> Vec<Self> {
        let plain = Self {
            path: "/link/x".into(),
            name: "Geoff Outsider".into(),
            username: "geoff".into(),
            error: None,
            again_error: None,
        };
        let error = Some("Too short.".to_owned());
        vec![Self { error: error.clone(), again_error: error, ..plain.clone() }, plain]
    }
}
crate::page!(LinkPage);

fn gone(deps: &Deps, ctx: &Ctx) -> Response {
    let text = deps.pages.say(&ctx.lang, "link.gone_text", &[]);
    let sign_in = deps.pages.say(&ctx.lang, "link.sign_in", &[]);
    pages::message(deps, ctx, StatusCode::GONE, "link.gone", &text, &[Action { label: sign_in, href: "/login".into() }])
}

fn page(deps: &Deps, ctx: &Ctx, secret: &str, person: &Person, error: Option<String>, again: Option<String>) -> Response {
    let status = if error.is_some() || again.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    pages::show(deps, ctx).status(status).csrf(csrf::token(secret, PURPOSE)).page(&LinkPage {
        path: format!("/link/{secret}"),
        name: person.display_name.clone(),
        username: person.username.clone(),
        error,
        again_error: again,
    })
}

async fn show(State(deps): State<Deps>, ctx: Ctx, Path(secret): Path<String>) -> Response {
    match links::look(&deps, &secret).await {
        Ok(Some(person)) => page(&deps, &ctx, &secret, &person, None, None),
        Ok(None) => gone(&deps, &ctx),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

#[derive(Deserialize)]
struct Input {
    csrf: String,
    password: String,
    again: String,
}

async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(secret): Path<String>, Form(input): Form<Input>) -> Response {
    if let Err(problem) = csrf::check(&deps.settings, &ctx, &secret, PURPOSE, &input.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    let person = match links::look(&deps, &secret).await {
        Ok(Some(person)) => person,
        Ok(None) => return gone(&deps, &ctx),
        Err(error) => return pages::fault(&deps, &ctx, error),
    };
    let names = [person.username.as_str(), &person.display_name, &person.space_email];
    if let Err(refusal) = passwords::check_new(&input.password, &names) {
        let text = passwords::sentence(&deps, &ctx, &refusal);
        return page(&deps, &ctx, &secret, &person, Some(text), None);
    }
    if input.password != input.again {
        let text = deps.pages.say(&ctx.lang, "password.differ", &[]);
        return page(&deps, &ctx, &secret, &person, None, Some(text));
    }
    let Ok(phc) = deps.hasher.hash(Lane::Unknown, &input.password).await else {
        let text = deps.pages.say(&ctx.lang, "password.busy", &[]);
        return page(&deps, &ctx, &secret, &person, Some(text), None);
    };
    match links::set_password(&deps, &secret, &phc, Some(ctx.address.to_string())).await {
        Ok(id) => {
            let authentication = Authentication { method: Method::OneTimeLink, at: deps.clock.now(), identity: None };
            match sign_in(&deps, &ctx, &Proof { person: id, authentication, password_set_at: None }, None).await {
                Ok(signed_in) => {
                    let mut response = pages::see_other("/");
                    signed_in.set_cookies(&deps, &mut response);
                    response
                }
                Err(error) => pages::fault(&deps, &ctx, error),
            }
        }
        Err(accounts::Error::Refused(Refusal { code: "link.invalid", .. })) => gone(&deps, &ctx),
        Err(error) => pages::fault(&deps, &ctx, Problem::from(error)),
    }
}
