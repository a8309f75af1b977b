//! Answers of the authorization endpoint: to the client with `iss` (RFC 9207 §2), in the query of a redirect or in a form
//! (OAuth 2.0 Form Post Response Mode §2); or as a page when there is no way back.

use super::error::OauthError;
use super::rules::redirect_uri::NoWayBack;
use crate::accounts::entry::Closed;
use crate::core::authorization::{AuthorizationRequest, ResponseMode};
use crate::core::client::Client;
use crate::deps::Deps;
use crate::http::Ctx;
use crate::pages::{self, Action, Page};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back<'a> {
    /// To whom.
    pub client: &'a Client,
    /// The redirect URI, known to be registered.
    pub uri: &'a str,
    /// Given back as it came.
    pub state: Option<&'a str>,
    /// How.
    pub mode: ResponseMode,
}

impl<'a> Back<'a> {
    /// Of a request that passed the rules.
    pub fn of(client: &'a Client, request: &'a AuthorizationRequest) -> Self {
        Self { client, uri: &request.redirect_uri, state: request.state.as_deref(), mode: request.mode }
    }

    /// The parameters of an answer, in their order.
    fn fields(self, deps: &Deps, pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let state = self.state.map(|state| ("state", state));
        let iss = ("iss", deps.settings.public.issuer());
        pairs.iter().copied().chain(state).chain([iss]).map(|(name, value)| (name, value.to_owned())).collect()
    }
}

/// The answer as a form, for [`ResponseMode::FormPost`].
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FormPost {
    title: String,
    text: String,
    label: String,
    to: String,
    fields: Vec<(&'static str, String)>,
    /// Send it without being asked, where scripts run.
    at_once: bool,
}

impl Page for FormPost {
    const TEMPLATE: &'static str = "oidc/form_post.html";
    fn samples() -> Vec<Self> {
        let sent = Self {
            title: "On to App".into(),
            text: "If nothing happens, press the button.".into(),
            label: "Continue to App".into(),
            to: "https://app.example.com/cb".into(),
            fields: vec![("code", "c".into()), ("state", "\"s\"".into())],
            at_once: true,
        };
        vec![Self { title: "No entry to App".into(), at_once: false, ..sent.clone() }, sent]
    }
}
crate::page!(FormPost);

/// The address of an answer: the redirect URI keeps its own query (RFC 6749 §3.1.2).
fn address(uri: &str, fields: &[(&'static str, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let joint = match uri.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{joint}{query}")
}

fn send(deps: &Deps, ctx: &Ctx, back: Back<'_>, pairs: &[(&'static str, &str)]) -> Response {
    let fields = back.fields(deps, pairs);
    let name = &back.client.name;
    let say = |key: &str| deps.pages.say(&ctx.lang, key, &[("name", name.clone())]);
    match back.mode {
        ResponseMode::Query => {
            let to = address(back.uri, &fields);
            // browsers open another program on the device only when a person presses something, or ask first: a page has
            // the link for that, a redirect would end in nothing
            let web = ["https://", "http://"].iter().any(|scheme| back.uri.starts_with(scheme));
            if web { pages::see_other(&to) } else { pages::onward(deps, ctx, &to, name) }
        }
        ResponseMode::FormPost => {
            let (title, text, label) = (say("onward.title"), say("onward.text"), say("onward.go"));
            let page = FormPost { title, text, label, to: back.uri.to_owned(), fields, at_once: true };
            pages::show(deps, ctx).form_leaves().page(&page)
        }
    }
}

/// Sends the browser back with a code.
pub(super) fn code(deps: &Deps, ctx: &Ctx, back: Back<'_>, code: &str) -> Response {
    send(deps, ctx, back, &[("code", code)])
}

/// Sends the browser back with an error (RFC 6749 §4.1.2.1).
pub(super) fn error(deps: &Deps, ctx: &Ctx, back: Back<'_>, error: &OauthError) -> Response {
    send(deps, ctx, back, &[("error", error.error), ("error_description", &error.text())])
}

/// A page, because nothing may be sent to whoever asked.
pub(super) fn no_way_back(deps: &Deps, ctx: &Ctx, why: NoWayBack) -> Response {
    pages::message(deps, ctx, StatusCode::BAD_REQUEST, "oidc.request_wrong", why.text(), &[])
}

/// The person is known but may not enter (rules A7): a page with the reason, whose button tells the application.
pub(super) fn closed(deps: &Deps, ctx: &Ctx, back: Back<'_>, why: Closed) -> Response {
    let say = |key: &str| deps.pages.say(&ctx.lang, key, &[("name", back.client.name.clone())]);
    let fields = back.fields(deps, &[("error", "access_denied"), ("error_description", why.description())]);
    let text = say(match why {
        Closed::NoAccess => "oidc.closed_text.no_access",
        Closed::NotReady => "oidc.closed_text.not_ready",
        Closed::Undecided => "oidc.closed_text.undecided",
        Closed::DisabledThere => "oidc.closed_text.disabled_there",
    });
    match back.mode {
        ResponseMode::Query => {
            let actions = [
                Action { label: say("oidc.home"), href: "/".into() },
                Action { label: say("oidc.back"), href: address(back.uri, &fields) },
            ];
            pages::message(deps, ctx, StatusCode::FORBIDDEN, "oidc.closed", &text, &actions)
        }
        ResponseMode::FormPost => {
            let (title, label) = (say("oidc.closed"), say("oidc.back"));
            let page = FormPost { title, text, label, to: back.uri.to_owned(), fields, at_once: false };
            pages::show(deps, ctx).status(StatusCode::FORBIDDEN).form_leaves().page(&page)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_query_and_their_state() {
        let fields = [("code", "c".to_owned()), ("state", "s 1&".to_owned())];
        for (uri, expected) in [
            ("https://a/cb", "https://a/cb?code=c&state=s+1%26"),
            ("https://a/cb?x=1", "https://a/cb?x=1&code=c&state=s+1%26"),
            ("https://a/cb?", "https://a/cb?code=c&state=s+1%26"),
            ("com.example.app:/cb", "com.example.app:/cb?code=c&state=s+1%26"),
        ] {
            assert_eq!(address(uri, &fields), expected);
        }
    }
}
