//! The top: the router, its middleware, and listening.
//!
//! May use: everything below. Example: `web::serve(router, listen, None, drain, stop).await`.

pub mod management;
mod serve;

pub use serve::serve;

use crate::deps::Deps;
use axum::Router;

/// Every route of the public listener, with its middleware.
pub fn router(deps: &Deps) -> Router {
    Router::new().with_state(deps.clone())
}
