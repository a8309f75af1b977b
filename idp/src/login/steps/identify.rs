//! Asks for a name. What answers it depends on its domain and the client's hints alone, never on whether the person exists
//! (rules D3).

use super::super::flow::Current;
use super::{About, upstream};
use crate::connectors::{Doors, Route};
use crate::core::login::Stage;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path};
use crate::pages::{self, Page};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Identify {
    about: About,
    name: String,
    error: Option<&'static str>,
    providers: Vec<(String, String)>,
}

impl Page for Identify {
    const TEMPLATE: &'static str = "login/identify.html";
    fn samples() -> Vec<Self> {
        let plain =
            Self { about: About { client: None, ..About::sample() }, name: String::new(), error: None, providers: Vec::new() };
        vec![
            plain.clone(),
            Self {
                about: About::sample(),
                name: "bob".into(),
                error: Some("login.name_missing"),
                providers: vec![("entra".into(), "Contoso".into())],
            },
        ]
    }
}
crate::page!(Identify);

/// Shows the page, or goes straight to the provider that the demand or its domain hint names.
pub(in super::super) async fn show(current: Current<'_>) -> Response {
    let doors = match current.deps.connectors.doors(current.deps).await {
        Ok(doors) => doors,
        Err(error) => return current.fault(error),
    };
    let demand = &current.flow.demand;
    if current.flow.stage == Stage::Open {
        let hinted = demand.domain_hint.as_deref().and_then(|domain| match doors.answering("", Some(domain)) {
            Route::Redirect(provider) => Some(provider),
            Route::Password | Route::Directory(_) => None,
        });
        if let Some(provider) = demand.provider.clone().or(hinted).filter(|id| doors.redirect(id).is_some()) {
            let hint = demand.login_hint.clone();
            return upstream::depart(current, &doors, &provider, hint.as_deref()).await;
        }
    }
    let name = demand.login_hint.clone().unwrap_or_default();
    page(&current, &doors, name, None)
}

fn page(current: &Current<'_>, doors: &Doors, name: String, error: Option<&'static str>) -> Response {
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    pages::show(current.deps, current.ctx).status(status).csrf(current.csrf()).page(&Identify {
        about: About::of(current),
        name,
        error,
        providers: doors.buttons(),
    })
}

#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    name: String,
}

/// Stores the name, or sends the browser to the provider that answers it.
pub(super) async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(input): Form<Input>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&input.csrf) {
        return response;
    }
    let doors = match deps.connectors.doors(&deps).await {
        Ok(doors) => doors,
        Err(error) => return current.fault(error),
    };
    let name = input.name.trim().to_owned();
    if name.is_empty() || name.len() > 254 || name.chars().any(char::is_control) {
        return page(&current, &doors, String::new(), Some("login.name_missing"));
    }
    let route = doors.answering(&name, current.flow.demand.domain_hint.as_deref());
    match route {
        Route::Password | Route::Directory(_) => current.advance(|flow| flow.named(name)).await,
        Route::Redirect(provider) => upstream::depart(current, &doors, &provider, Some(&name)).await,
    }
}
