//! The web pages: who is signed in and what they may do; for administrators, users and teams.
//!
//! May use: the state, the permission check and the API's own functions for changes; every form carries the
//! session's anti-forgery token. The pages are a convenience of the stand-in, not part of the real server's API.
//! Example: `GET /app/sign-in?iss=https://id.example.org` begins a sign-in at the provider with that issuer.

mod home;
mod render;
mod sign_in;
mod teams;
mod users;
mod visitor;

use axum::{
    Router,
    response::{Redirect, Response},
    routing::{get, post},
};
use minijinja::context;

use super::{errors::ApiError, server::App};

/// Routes of the pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::to("/app")))
        .route("/app", get(home::show))
        .route("/app/deploy", post(home::deploy))
        .route("/app/sign-in", get(sign_in::show).post(sign_in::password))
        .route("/app/sign-in/{settings}", post(sign_in::provider))
        .route("/app/sign-out", post(sign_in::sign_out))
        .route("/app/users", get(users::list))
        .route("/app/users/{id}", post(users::activate))
        .route("/app/teams", get(teams::list).post(teams::create))
        .route("/app/teams/{id}", get(teams::show).post(teams::members))
        .route("/app/teams/{id}/groups", post(teams::groups))
        .route("/app/teams/{id}/roles", post(teams::roles))
        .route("/app/assets/style.css", get(render::style))
        .route("/app/assets/fragment.js", get(render::script))
}

/// A refusal for people.
pub fn problem(app: &App, error: &ApiError) -> Response {
    let text = std::iter::once(error.message.clone()).chain(error.errors.iter().cloned()).collect::<Vec<_>>();
    let mut response = render::page(app, "problem.html", context! { title => "That did not work", text });
    *response.status_mut() = error.status;
    response
}
