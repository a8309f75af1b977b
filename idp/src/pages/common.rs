//! The pages that every room needs: a message with links, errors, "not found".

use super::{Page, show};
use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A link at the end of a message; the first one is the main one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Its text.
    pub label: String,
    /// Where it leads.
    pub href: String,
}

/// A message: an error, or something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Heading.
    pub title: String,
    /// What happened and what to do.
    pub text: String,
    /// `info`, `warning` or `error`.
    pub tone: &'static str,
    /// Links.
    pub actions: Vec<Action>,
    /// Code and request id, for whoever is asked for help.
    pub reference: Option<String>,
}

impl Page for Message {
    const TEMPLATE: &'static str = "message.html";
    fn samples() -> Vec<Self> {
        let action = |label: &str| Action { label: label.into(), href: "/".into() };
        vec![
            Self {
                title: "Not found".into(),
                text: "There is nothing here.".into(),
                tone: "error",
                actions: vec![action("Home"), action("Back")],
                reference: Some("not_found · 01890a5d-ac96-774b-bcce-b302099a8057".into()),
            },
            Self { title: "Done".into(), text: "All is well.".into(), tone: "info", actions: vec![], reference: None },
        ]
    }
}
crate::page!(Message);

/// A page with a heading (a locale key), a text and links.
#[must_use]
pub fn message(deps: &Deps, ctx: &Ctx, status: StatusCode, title_key: &str, text: &str, actions: &[Action]) -> Response {
    let tone = if status.is_success() { "info" } else { "error" };
    let title = deps.pages.say(&ctx.lang, title_key, &[]);
    let reference = (!status.is_success()).then(|| ctx.request_id.clone());
    show(deps, ctx).status(status).page(&Message { title, text: text.into(), tone, actions: actions.to_vec(), reference })
}

/// Leads on to another address.
#[derive(Clone, Debug, Serialize)]
pub struct Onward {
    /// Where.
    pub to: String,
    /// Who is there.
    pub name: String,
}

impl Page for Onward {
    const TEMPLATE: &'static str = "onward.html";
    fn samples() -> Vec<Self> {
        vec![Self { to: "https://mars.example.com/cb?code=x&state=y".into(), name: "Mars".into() }]
    }
}
crate::page!(Onward);

/// A page that leads on by itself, to be answered where a form would end in a redirect to another site. Browsers hold every
/// redirect after a form against `form-action`, those of the other site included, which nobody here can know; this page
/// ends the form, and what follows is a navigation like any other. Without scripts; a link serves browsers that do not
/// refresh by themselves, and programs on the device, which open on a person's press only. The page takes the place of
/// the form in the history of the browser, so that "back" does not lead on again.
#[must_use]
pub fn onward(deps: &Deps, ctx: &Ctx, to: &str, name: &str) -> Response {
    show(deps, ctx).page(&Onward { to: to.to_owned(), name: name.to_owned() })
}

/// A problem as a page for browsers, as a document for others.
#[must_use]
pub fn fault(deps: &Deps, ctx: &Ctx, problem: impl Into<Problem>) -> Response {
    let problem: Problem = problem.into().of(ctx);
    if !ctx.html {
        return problem.into_response();
    }
    let (status, retry) = (problem.status, problem.retry_after_s);
    let say = |key: &str| deps.pages.say(&ctx.lang, key, &[]);
    let title = match status {
        StatusCode::NOT_FOUND => say("error.not_found"),
        StatusCode::FORBIDDEN => say("error.forbidden"),
        StatusCode::TOO_MANY_REQUESTS => say("error.too_many"),
        StatusCode::SERVICE_UNAVAILABLE => say("error.unavailable"),
        status if status.is_server_error() => say("error.internal"),
        _ => say("error.bad_request"),
    };
    // well-known codes are said in the reader's language, others as the rule said them
    let key = format!("problem.{}", problem.code);
    let known = deps.pages.locales().raw(&ctx.lang.0, &key).is_some();
    let text = if known { say(&key) } else { problem.detail.clone() };
    let actions = vec![Action { label: say("error.home"), href: "/".into() }];
    let reference = Some(format!("{} · {}", problem.code, ctx.request_id));
    let mut response = show(deps, ctx).status(status).page(&Message { title, text, tone: "error", actions, reference });
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// 404.
#[must_use]
pub fn not_found(deps: &Deps, ctx: &Ctx) -> Response {
    fault(deps, ctx, Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address."))
}
