//! Standard protocols, each a thin skin: it reads a message, asks the rooms below, writes the answer in the shape that its
//! standard prescribes.
//!
//! May use: `login`, `accounts`, `http`, `pages` and what lies below. Example: `Router::new().merge(protocols::routes())`.

pub mod oidc;

use crate::deps::Deps;
use axum::Router;

/// The routes of every protocol.
pub fn routes() -> Router<Deps> {
    oidc::routes()
}
