//! Answers of the authorization endpoint: by redirect to the client with `iss` (RFC 9207 §2), or as a page when there is no
//! way back.

use super::error::OauthError;
use super::rules::redirect_uri::NoWayBack;
use crate::accounts::entry::Closed;
use crate::core::client::Client;
use crate::deps::Deps;
use crate::http::Ctx;
use crate::pages::{self, Action};
use axum::http::StatusCode;
use axum::response::Response;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back<'a> {
    /// The redirect URI, known to be registered.
    pub uri: &'a str,
    /// Given back as it came.
    pub state: Option<&'a str>,
}

/// The address of an answer: the redirect URI keeps its own query (RFC 6749 §3.1.2).
pub(super) fn address(issuer: &str, back: Back<'_>, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    if let Some(state) = back.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    let joint = match back.uri.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{}{joint}{}", back.uri, query.finish())
}

/// Sends the browser back with a code.
pub(super) fn code(deps: &Deps, back: Back<'_>, code: &str) -> Response {
    pages::see_other(&address(deps.settings.public.issuer(), back, &[("code", code)]))
}

/// Sends the browser back with an error (RFC 6749 §4.1.2.1).
pub(super) fn error(deps: &Deps, back: Back<'_>, error: &OauthError) -> Response {
    pages::see_other(&error_address(deps, back, error))
}

fn error_address(deps: &Deps, back: Back<'_>, error: &OauthError) -> String {
    let pairs = [("error", error.error), ("error_description", &error.text())];
    address(deps.settings.public.issuer(), back, &pairs)
}

/// A page, because nothing may be sent to whoever asked.
pub(super) fn no_way_back(deps: &Deps, ctx: &Ctx, why: NoWayBack) -> Response {
    pages::message(deps, ctx, StatusCode::BAD_REQUEST, "oidc.request_wrong", why.text(), &[])
}

/// The person is known but may not enter (rules A7): a page with the reason, whose button tells the application.
pub(super) fn closed(deps: &Deps, ctx: &Ctx, client: &Client, back: Back<'_>, why: Closed) -> Response {
    let say = |key: &str| deps.pages.say(&ctx.lang, key, &[("name", client.name.clone())]);
    let denied = OauthError::new("access_denied", why.description());
    let actions = [
        Action { label: say("oidc.home"), href: "/".into() },
        Action { label: say("oidc.back"), href: error_address(deps, back, &denied) },
    ];
    let text = say(match why {
        Closed::NoAccess => "oidc.closed_text.no_access",
        Closed::NotReady => "oidc.closed_text.not_ready",
        Closed::DisabledThere => "oidc.closed_text.disabled_there",
    });
    pages::message(deps, ctx, StatusCode::FORBIDDEN, "oidc.closed", &text, &actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_query_and_their_state() {
        let issuer = "https://id.example.com";
        for (uri, expected) in [
            ("https://a/cb", "https://a/cb?code=c&state=s+1%26&iss=https%3A%2F%2Fid.example.com"),
            ("https://a/cb?x=1", "https://a/cb?x=1&code=c&state=s+1%26&iss=https%3A%2F%2Fid.example.com"),
            ("https://a/cb?", "https://a/cb?code=c&state=s+1%26&iss=https%3A%2F%2Fid.example.com"),
        ] {
            assert_eq!(address(issuer, Back { uri, state: Some("s 1&") }, &[("code", "c")]), expected);
        }
    }
}
