//! The top: the router, its middleware, and listening.
//!
//! May use: everything below. Example: `web::serve(web::router(&deps, rooms), web::bind(listen, "…")?, None, drain, stop).await`.

mod around;
pub mod management;
mod serve;

pub use serve::{bind, serve, tls};

use crate::deps::Deps;
use crate::http::{Ctx, Problem};
use crate::{api, login, pages, portal, protocols};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;

/// Largest body of a request, in bytes; rooms that need less say so themselves.
const BODY_LIMIT: usize = 1024 * 1024;

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
        .layer(from_fn_with_state(deps.clone(), around::around))
        .with_state(deps.clone())
}

async fn nothing_here(State(deps): State<Deps>, ctx: Ctx) -> Response {
    pages::not_found(&deps, &ctx)
}

async fn wrong_method(State(deps): State<Deps>, ctx: Ctx) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take that method.");
    pages::fault(&deps, &ctx, problem)
}
