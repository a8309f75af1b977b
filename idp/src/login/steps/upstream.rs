//! Sends the browser to another provider and takes what it brings back.

use super::super::flow::{Current, gone};
use super::super::session;
use super::super::throttle::Counted;
use super::About;
use crate::accounts::joining::{self, Arrival, Brings};
use crate::connectors::{self, Doors};
use crate::core::login::{Flow, Stage};
use crate::core::provider::Provider;
use crate::core::session::{Authentication, Method};
use crate::crypto::hash::{equal, unb64};
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
            Self { error: Some("login.upstream_waits"), ..plain.clone() },
            Self { error: Some("login.upstream_taken"), ..plain.clone() },
            plain,
        ]
    }
}
crate::page!(Upstream);

fn page(current: &Current<'_>, doors: &Doors, provider: &str, error: Option<&'static str>) -> Response {
    let label = doors.name(provider).to_owned();
    let status = if error.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
    pages::show(current.deps, current.ctx).status(status).csrf(current.csrf()).page(&Upstream {
        about: About::of(current),
        provider: provider.to_owned(),
        label,
        error,
    })
}

/// The browser came back to the dispatcher without an answer: the person pressed "back".
pub(in super::super) async fn waiting(current: &Current<'_>, provider: &str) -> Response {
    match current.deps.connectors.doors(current.deps).await {
        Ok(doors) => page(current, &doors, provider, None),
        Err(error) => current.fault(error),
    }
}

/// Sends the browser away.
pub(in super::super) async fn depart(current: Current<'_>, doors: &Doors, provider: &str, hint: Option<&str>) -> Response {
    let (deps, ctx) = (current.deps, current.ctx);
    let Some(connector) = doors.redirect(provider) else {
        return pages::not_found(deps, current.ctx);
    };
    let state = format!("{}.{}", current.id, deps.entropy.secret());
    let callback = deps.settings.public.link(&format!("/login/callback/{provider}"));
    match connector.depart(deps, &state, &callback, hint).await {
        Ok(departure) => {
            let (provider, label) = (provider.to_owned(), &connector.provider().name);
            let stored = current.store(|flow| flow.departed(provider, state, departure.memory)).await;
            stored.map_or_else(|response| response, |_| pages::onward(deps, ctx, &departure.to, label))
        }
        Err(error) => {
            tracing::warn!(provider, %error, request_id = ctx.request_id, "a provider cannot be reached");
            page(&current, doors, provider, Some("login.upstream_failed"))
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
    let doors = match deps.connectors.doors(&deps).await {
        Ok(doors) => doors,
        Err(error) => return current.fault(error),
    };
    let hint = current.flow.demand.login_hint.clone();
    depart(current, &doors, &choice.provider, hint.as_deref()).await
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
    let doors = match deps.connectors.doors(&deps).await {
        Ok(doors) => doors,
        Err(error) => return current.fault(error),
    };
    let Stage::Away { provider: expected, state: stored, memory } = &current.flow.stage else { return gone(&deps, &ctx) };
    let (true, true, Some(connector)) =
        (*expected == provider, equal(stored.as_bytes(), state.as_bytes()), doors.redirect(&provider))
    else {
        return gone(&deps, &ctx);
    };
    let refused = |error: &connectors::Error, key| {
        tracing::info!(provider, %error, request_id = ctx.request_id, "a provider vouched for nobody");
        page(&current, &doors, &provider, Some(key))
    };
    let identity = match connector.arrive(&deps, memory, &query).await {
        Ok(identity) => identity,
        Err(error @ connectors::Error::Denied(_)) => return refused(&error, "login.upstream_denied"),
        Err(error) => return refused(&error, "login.upstream_failed"),
    };
    let brings = match brings(&current).await {
        Ok(brings) => brings,
        Err(response) => return response,
    };
    match arrived(&deps, &ctx, connector.provider(), &identity, &brings, None).await {
        Ok(Ok(signed_in)) => {
            let session = signed_in.session.id.clone();
            let mut response = current.advance(|flow: Flow| flow.authenticated(session)).await;
            signed_in.set_cookies(&deps, &mut response);
            response
        }
        Ok(Err(key)) => page(&current, &doors, &provider, Some(key)),
        Err(problem) => current.fault(problem),
    }
}

/// What the browser brings to a provider's word, or the page that says that it is too late.
pub(super) async fn brings(current: &Current<'_>) -> Result<Brings, Response> {
    let (deps, ctx, demand) = (current.deps, current.ctx, &current.flow.demand);
    if let Some(joining) = &demand.joining {
        match session::look(deps, ctx).await {
            // whoever asked for it must be signed in here still
            Ok(Some(session)) if session.person == *joining => {}
            Ok(_) => return Err(gone(deps, ctx)),
            Err(error) => return Err(current.fault(error)),
        }
    }
    Ok(Brings {
        invitation: demand.invitation.as_deref().and_then(unb64),
        joining: demand.joining.clone(),
        address: Some(ctx.address.to_string()),
        request_id: Some(ctx.request_id.clone()),
    })
}

/// Signs in whom the provider vouches for; the inner error is the key of a text that says why not. Somebody who is not known and
/// somebody who is disabled read the same.
pub(super) async fn arrived(
    deps: &Deps,
    ctx: &Ctx,
    provider: &Provider,
    identity: &connectors::Identity,
    brings: &Brings,
    counted: Option<&Counted>,
) -> Result<Result<session::SignedIn, &'static str>, Problem> {
    let (person, id) = match joining::arrive(deps, provider, identity, brings).await? {
        Arrival::Person(person, id) => (person, id),
        Arrival::Waits => return Ok(Err("login.upstream_waits")),
        Arrival::Taken => return Ok(Err("login.upstream_taken")),
        Arrival::Unknown => return Ok(Err("login.upstream_unknown")),
    };
    // a directory was given the password by us
    let method = if counted.is_some() { Method::Password } else { Method::Federated };
    let authentication = Authentication { method, at: deps.clock.now(), identity: Some(id) };
    match session::sign_in(deps, ctx, &session::Proof { person, authentication, password_set_at: None }, counted).await {
        Ok(signed_in) => Ok(Ok(signed_in)),
        Err(crate::accounts::Error::Refused(_)) => Ok(Err("login.upstream_unknown")),
        Err(error) => Err(error.into()),
    }
}
