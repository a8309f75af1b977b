//! The web pages: who is signed in and what they may do; for administrators, users and teams.
//!
//! May use: the state and the permission check; every form carries the session's anti-forgery token. They are
//! a convenience of the stand-in and no part of the real server's API.

mod render;

use axum::{
    Router,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use minijinja::context;

use super::{errors::ApiError, server::App};

/// Routes of the pages.
pub fn routes() -> Router<App> {
    Router::new().route("/", get(async || Redirect::to("/app"))).route("/app/assets/style.css", get(render::style))
}

/// A refusal for people.
pub fn problem(app: &App, error: &ApiError) -> Response {
    let text = std::iter::once(error.message.clone()).chain(error.errors.iter().cloned()).collect::<Vec<_>>();
    let mut response = render::page(app, "problem.html", context! { title => "That did not work", text }).into_response();
    *response.status_mut() = error.status;
    response
}
