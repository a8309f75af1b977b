//! The steps of a sign-in, one file each: it shows a page, stores what the person said, and sends the browser back to the
//! dispatcher.

pub(super) mod consent;
pub(super) mod identify;
pub(super) mod password;
pub(super) mod select;
pub(super) mod upstream;
pub(super) mod upstream_logout;

use super::flow::Current;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// `/login/{flow}/<step>` and `/login/callback/{provider}`.
pub(super) fn routes() -> Router<Deps> {
    Router::new()
        .route("/login/{flow}/identify", post(identify::submit))
        .route("/login/{flow}/password", post(password::submit))
        .route("/login/{flow}/provider", post(upstream::submit))
        .route("/login/{flow}/select", post(select::submit))
        .route("/login/{flow}/consent", post(consent::submit))
        .route("/login/{flow}/another", post(another))
        .route("/login/{flow}/cancel", post(cancel))
        .route("/login/backchannel/{provider}", post(upstream_logout::receive))
        .route("/login/callback/{provider}", get(upstream::callback).head(super::not_by_head))
}

/// What every page of a flow shows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    /// Path of the flow; steps are below it.
    pub(super) path: String,
    /// Name of the client, unless the sign-in is for our own pages.
    pub(super) client: Option<String>,
}

impl About {
    pub(super) fn of(current: &Current<'_>) -> Self {
        Self { path: current.path(), client: current.flow.demand.client.as_ref().map(|c| c.name.clone()) }
    }
    pub(super) fn sample() -> Self {
        Self { path: "/login/x".into(), client: Some("Mars".into()) }
    }
}

#[derive(Deserialize)]
pub(super) struct Plain {
    csrf: String,
}

/// The person wants another account, or to type another name.
async fn another(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(form): Form<Plain>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&form.csrf) {
        return response;
    }
    current.advance(crate::core::login::Flow::another).await
}

/// The person gives up.
async fn cancel(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(form): Form<Plain>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&form.csrf) {
        return response;
    }
    current.advance(|flow| Ok(flow.denied())).await
}
