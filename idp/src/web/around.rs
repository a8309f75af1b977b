//! What stands around every request of the public listener, as one layer: an id, headers that every answer has, bounds on the
//! address and on time, one line in the log and one count. As a layer each, these cost as much as a third of an ES256
//! signature: every layer clones the service behind it and boxes two futures.
//!
//! The route is logged as its pattern, never as the address that was asked (rules C12); query strings are not logged, they may
//! hold codes.

use crate::deps::Deps;
use crate::http::{Ctx, Problem, RequestId};
use crate::{pages, protocols};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::time::Duration;

/// Longest path and query, in bytes.
const ADDRESS_LIMIT: usize = 16 * 1024;
/// A request that takes longer is given up. Live pages and agents answer at once and then stream.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// What a page about a failure reads of the request.
const KEPT: [header::HeaderName; KEPT_COUNT] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::COOKIE,
    header::USER_AGENT,
    header::HeaderName::from_static("x-forwarded-for"),
];

const KEPT_COUNT: usize = 5;

/// What is kept of a request for the rare answers that are made here; keeping it copies nothing.
struct Kept {
    method: Method,
    uri: Uri,
    headers: [Vec<HeaderValue>; KEPT_COUNT],
    peer: Option<ConnectInfo<SocketAddr>>,
    id: RequestId,
}

impl Kept {
    fn of(request: &Request, id: &RequestId) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: KEPT.map(|name| request.headers().get_all(name).iter().cloned().collect()),
            peer: request.extensions().get().copied(),
            id: id.clone(),
        }
    }

    fn ctx(self, deps: &Deps) -> Ctx {
        let mut request = Request::new(());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for (name, values) in KEPT.into_iter().zip(self.headers) {
            values.into_iter().for_each(|value| {
                request.headers_mut().append(name.clone(), value);
            });
        }
        let extensions = request.extensions_mut();
        extensions.insert(self.id);
        self.peer.map(|peer| extensions.insert(peer));
        Ctx::of(deps, &request.into_parts().0)
    }
}

/// The middleware.
pub(super) async fn around(State(deps): State<Deps>, mut request: Request, next: Next) -> Response {
    let began = deps.clock.now();
    let id = RequestId(deps.entropy.id(began).hyphenated().to_string());
    request.extensions_mut().insert(id.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    // the pattern, not the address: that may hold a one-time secret
    let route = || route.as_ref().map_or("none", MatchedPath::as_str);
    let kept = Kept::of(&request, &id);
    let method = kept.method.clone();
    let open = protocols::oidc::answers_any_origin(kept.uri.path());
    let mut response = if kept.uri.path_and_query().is_some_and(|p| p.as_str().len() > ADDRESS_LIMIT) {
        let text = format!("The address is longer than {ADDRESS_LIMIT} bytes.");
        Problem::new(StatusCode::URI_TOO_LONG, "address.too_long", text).of(&kept.ctx(&deps)).into_response()
    } else {
        match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                tracing::warn!(request_id = %id.0, route = route(), "gave up after {TIME_LIMIT:?}");
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "This took too long. Try again in a moment.");
                pages::fault(&deps, &kept.ctx(&deps), problem)
            }
        }
    };
    finish(&mut response, &id, open);
    let (status, ms) = (response.status().as_u16(), deps.clock.now().since(began));
    count(&deps, &method, status);
    if status >= 500 {
        tracing::warn!(request_id = %id.0, %method, route = route(), status, ms, "request");
    } else {
        tracing::debug!(request_id = %id.0, %method, route = route(), status, ms, "request");
    }
    response
}

/// Headers that every answer has; `open` says that pages of any origin may read it.
fn finish(response: &mut Response, id: &RequestId, open: bool) {
    let headers = response.headers_mut();
    if open {
        headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    }
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert("x-request-id", value);
    }
}

fn count(deps: &Deps, method: &Method, status: u16) {
    let class = match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    let verb = match *method {
        Method::GET => "get",
        Method::POST => "post",
        _ => "other",
    };
    deps.metrics.count("odcm_requests_total", &[("method", verb), ("status", class)]);
}
