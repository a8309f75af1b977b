//! Sends the browser to another provider and takes what it brings back.

use super::super::flow::{Current, gone};
use super::super::session;
use super::About;
use crate::connectors;
use crate::core::login::{Flow, Stage};
use crate::core::session::Method;
use crate::crypto::hash::equal;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path, Problem, Query};
use crate::pages::{self, Page};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The page that is seen when somebody comes back without the provider's answer, or with a bad one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Upstream {
    about: About,
    provider: String,
    label: String,
    error: Option<&'static str>,
}

impl Page for Upstream {
    const TEMPLATE: &'static str = "login/upstream.html";
    fn samples() -> Vec<Self> {
        let plain = Self { about: About::sample(), provider: "entra".into(), label: "Contoso".into(), error: None };
        vec![
            Self { error: Some("login.upstream_failed"), ..plain.clone() },
            Self { error: Some("login.upstream_denied"), ..plain.clone() },
            Self { error: Some("login.upstream_unknown"), ..plain.clone() },
            plain,
        ]
    }
}
crate::page!(Upstream);

fn page(current: &Current<'_>, provider: &str, error: Option<&'static str>) -> Response {
    let registry = &current.deps.connectors;
    let label = registry.redirect(provider).map_or(provider, connectors::Redirect::label).to_owned();
    let status = if error.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
    pages::show(current.deps, current.ctx).status(status).csrf(current.csrf()).page(&Upstream {
        about: About::of(current),
        provider: provider.to_owned(),
        label,
        error,
    })
}

/// The browser came back to the dispatcher without an answer: the person pressed "back".
pub(in super::super) fn waiting(current: &Current<'_>, provider: &str) -> Response {
    page(current, provider, None)
}

/// Sends the browser away.
pub(in super::super) async fn depart(current: Current<'_>, provider: &str, hint: Option<&str>) -> Response {
    let (deps, ctx) = (current.deps, current.ctx);
    let Some(connector) = deps.connectors.redirect(provider) else {
        return pages::not_found(deps, current.ctx);
    };
    let state = format!("{}.{}", current.id, deps.entropy.secret());
    let callback = deps.settings.public.link(&format!("/login/callback/{provider}"));
    match connector.depart(deps, &state, &callback, hint).await {
        Ok(departure) => {
            let (provider, label) = (provider.to_owned(), connector.label());
            let stored = current.store(|flow| flow.departed(provider, state, departure.memory)).await;
            stored.map_or_else(|response| response, |_| pages::onward(deps, ctx, &departure.to, label))
        }
        Err(error) => {
            tracing::warn!(provider, %error, "a provider cannot be reached");
            page(&current, provider, Some("login.upstream_failed"))
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Choice {
    csrf: String,
    provider: String,
}

/// The person chose a provider's button.
pub(super) async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(choice): Form<Choice>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&choice.csrf) {
        return response;
    }
    let hint = current.flow.demand.login_hint.clone();
    depart(current, &choice.provider, hint.as_deref()).await
}

/// The browser comes back from a provider. What proves that it is the same sign-in: the flow's cookie and the state.
pub(super) async fn callback(
    State(deps): State<Deps>,
    ctx: Ctx,
    Path(provider): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let state = query.get("state").cloned().unwrap_or_default();
    let Some((id, _)) = state.split_once('.') else { return gone(&deps, &ctx) };
    let current = match Current::load(&deps, &ctx, id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    let Stage::Away { provider: expected, state: stored, memory } = &current.flow.stage else { return gone(&deps, &ctx) };
    let (true, true, Some(connector)) =
        (*expected == provider, equal(stored.as_bytes(), state.as_bytes()), deps.connectors.redirect(&provider))
    else {
        return gone(&deps, &ctx);
    };
    let refused = |error: &connectors::Error, key| {
        tracing::info!(provider, %error, request_id = ctx.request_id, "a provider vouched for nobody");
        page(&current, &provider, Some(key))
    };
    let identity = match connector.arrive(&deps, memory, &query).await {
        Ok(identity) => identity,
        Err(error @ connectors::Error::Denied(_)) => return refused(&error, "login.upstream_denied"),
        Err(error) => return refused(&error, "login.upstream_failed"),
    };
    match arrived(&deps, &ctx, &identity).await {
        Ok(Some(signed_in)) => {
            let session = signed_in.session.id.clone();
            let mut response = current.advance(|flow: Flow| flow.authenticated(session)).await;
            signed_in.set_cookies(&deps, &mut response);
            response
        }
        Ok(None) => page(&current, &provider, Some("login.upstream_unknown")),
        Err(problem) => current.fault(problem),
    }
}

async fn arrived(deps: &Deps, ctx: &Ctx, identity: &connectors::Identity) -> Result<Option<session::SignedIn>, Problem> {
    let Some(proof) = session::person_of(deps, identity, Method::Federated).await? else { return Ok(None) };
    match session::sign_in(deps, ctx, &proof, None).await {
        Ok(signed_in) => Ok(Some(signed_in)),
        Err(crate::accounts::Error::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
