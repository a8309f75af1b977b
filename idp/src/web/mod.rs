//! The top: the router, its middleware, and listening.
//!
//! May use: everything below. Example: `web::serve(web::router(&deps, rooms), web::bind(listen, "…")?, None, drain, stop).await`.

pub mod management;
mod observe;
mod serve;

pub use serve::{bind, serve, tls};

use crate::deps::Deps;
use crate::http::{Ctx, Problem, with_request_id};
use crate::{api, login, pages, portal, protocols};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Largest body of a request, in bytes; rooms that need less say so themselves.
const BODY_LIMIT: usize = 1024 * 1024;
/// Longest path and query, in bytes.
const ADDRESS_LIMIT: usize = 16 * 1024;
/// A request that takes longer is given up. Live pages and agents answer at once and then stream.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Every route of the public listener, with its middleware. `rooms` are routes of modules that were started before, such as
/// the agents' hub.
pub fn router(deps: &Deps, rooms: Router<Deps>) -> Router {
    Router::new()
        .merge(login::routes())
        .merge(pages::routes())
        .merge(portal::routes(deps))
        .merge(protocols::routes())
        .merge(api::routes(deps))
        .merge(rooms)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(deps.clone(), give_up))
        .layer(from_fn_with_state(deps.clone(), guard))
        .layer(from_fn_with_state(deps.clone(), observe::observe))
        .layer(from_fn_with_state(deps.clone(), with_request_id))
        .with_state(deps.clone())
}

async fn nothing_here(State(deps): State<Deps>, ctx: Ctx) -> Response {
    pages::not_found(&deps, &ctx)
}

async fn wrong_method(State(deps): State<Deps>, ctx: Ctx) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take that method.");
    pages::fault(&deps, &ctx, problem)
}

/// Gives up on a request after [`TIME_LIMIT`].
async fn give_up(State(deps): State<Deps>, ctx: Ctx, request: Request, next: Next) -> Response {
    // the pattern, not the address: that may hold a one-time secret
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |p| p.as_str().to_owned());
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(request_id = %ctx.request_id, route, "gave up after {TIME_LIMIT:?}");
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "This took too long. Try again in a moment.");
            pages::fault(&deps, &ctx, problem)
        }
    }
}

/// Headers that every answer has, and a bound on the address.
async fn guard(ctx: Ctx, request: Request, next: Next) -> Response {
    let open = protocols::oidc::answers_any_origin(request.uri().path());
    let mut response = if ctx.path.len() > ADDRESS_LIMIT {
        let text = format!("The address is longer than {ADDRESS_LIMIT} bytes.");
        Problem::new(StatusCode::URI_TOO_LONG, "address.too_long", text).of(&ctx).into_response()
    } else {
        next.run(request).await
    };
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
    response
}
