//! Who asks, from where, in which language, under which request id.

use super::cookies;
use crate::deps::Deps;
use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The language of a page: the name of a locale file, such as `en`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lang(pub String);

/// The id under which everything about a request is logged. Set by the middleware of `web`.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The context of a request. As an extractor it never fails.
#[derive(Clone)]
pub struct Ctx {
    /// The peer, or what a trusted proxy says of it.
    pub address: IpAddr,
    /// Id of the request, for logs, problems and the audit.
    pub request_id: String,
    /// Language for pages.
    pub lang: Lang,
    /// Path and query as requested.
    pub path: String,
    /// What the client says it is, at most 200 characters.
    pub user_agent: Option<String>,
    /// Whether the client wants a page rather than a document; the JSON API never answers with pages.
    pub html: bool,
    /// GET or HEAD.
    pub safe: bool,
    headers: HeaderMap,
    secure: bool,
}

impl std::fmt::Debug for Ctx {
    // without headers (cookies, tokens) and path (one-time links, codes)
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("address", &self.address).field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl Ctx {
    /// The value of one of our cookies.
    #[must_use]
    pub fn cookie(&self, cookie: cookies::Cookie) -> Option<&str> {
        cookies::find(&self.headers, &cookie.name(self.secure))
    }
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
    /// The bearer token of the Authorization header (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header(header::AUTHORIZATION)?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
    /// From the parts of a request.
    #[must_use]
    pub fn of(deps: &Deps, parts: &Parts) -> Self {
        let headers = &parts.headers;
        let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
        let request_id = match parts.extensions.get::<RequestId>() {
            Some(id) => id.0.clone(),
            None => deps.entropy.id(deps.clock.now()).hyphenated().to_string(),
        };
        let secure = deps.settings.public.secure();
        // a nested router sees the rest of the path only
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let chosen = cookies::find(headers, &cookies::Cookie::Lang.name(secure));
        Self {
            address: client_address(peer.to_canonical(), headers, &deps.settings.trusted_proxies),
            request_id,
            lang: deps.pages.pick_language(chosen, text(header::ACCEPT_LANGUAGE)),
            path: uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
            user_agent: text(header::USER_AGENT).map(|ua| ua.chars().filter(|c| !c.is_control()).take(200).collect()),
            html: !uri.path().starts_with("/api/") && text(header::ACCEPT).is_some_and(|a| a.contains("text/html")),
            safe: matches!(parts.method, Method::GET | Method::HEAD),
            headers: headers.clone(),
            secure,
        }
    }
}

impl FromRequestParts<Deps> for Ctx {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Infallible> {
        Ok(Self::of(deps, parts))
    }
}

/// The address that counts: the peer, unless it is a trusted proxy; then the nearest entry of `X-Forwarded-For`, read from
/// the right, that is not one. What stands left of that entry was written by strangers.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let mut last = peer;
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let entry = entry.trim();
        let parsed = entry.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|s| s.ip()));
        let Ok(address) = parsed else { return last };
        last = address.to_canonical();
        if !trusted.contains(&last) {
            return last;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        let with = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            headers
        };
        for (peer, lines, expected) in [
            ("192.0.2.1", vec!["198.51.100.9"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", vec!["1.1.1.1, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
            ("10.0.0.1", vec!["1.1.1.1", "198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", vec!["1.1.1.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
        ] {
            assert_eq!(client_address(ip(peer), &with(&lines), &proxies), ip(expected), "{peer} {lines:?}");
        }
    }
}
