//! Signing in: one stored flow, one dispatcher, one file per step; sessions kept on the server; and the pages of a person's
//! own (`/`, `/account`, one-time links).
//!
//! May use: `accounts`, `http`, `pages`, `connectors` and what lies below. Protocols call [`begin`] with a [`Demand`], get
//! the browser back at `Demand::return_to` and ask [`finished`] what came of it. Handlers that need to know who asks take
//! [`Person`] (session cookie) or [`Token`] (bearer API token).
//!
//! Example: `async fn page(person: Person) -> Response { … person.actor.may(&Act::ReadAll)? … }`

mod account;
mod dispatcher;
mod extract;
mod flow;
mod home;
mod invitation;
mod link;
mod logout;
mod own_identities;
mod passwords;
mod session;
mod steps;
mod throttle;

pub use crate::core::login::{Client, ConsentRule, Demand};
pub use crate::core::session::{Authentication, Method, Session};
pub use account::browser;
pub use extract::{Person, Token};
pub use flow::{Finished, Outcome, begin, finished};
pub use passwords::check_new as check_new_password;
pub use session::{clear_cookies, client_session, end_session, session};

use crate::deps::Deps;
use axum::Router;
use axum::http::{HeaderName, StatusCode, header};

/// `/login…`, `/logout`, `/`, `/account…`, `/link/…`, `/invitation/…`.
pub fn routes() -> Router<Deps> {
    Router::new()
        .merge(dispatcher::routes())
        .merge(steps::routes())
        .merge(logout::routes())
        .merge(link::routes())
        .merge(home::routes())
        .merge(account::routes())
        .merge(own_identities::routes())
        .merge(invitation::routes())
}

/// Refuses HEAD where GET does something once: begins or ends a sign-in, makes a code, ends a session (RFC 9110 §9.2.1; link
/// checkers ask by HEAD).
pub async fn not_by_head() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}
