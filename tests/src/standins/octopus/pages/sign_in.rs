//! Sign-in and sign-out with a browser.

use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::context;
use serde_json::Value;

use super::{
    problem, render,
    visitor::{Fields, sender},
};
use crate::standins::octopus::{
    auth::Via,
    errors::ApiError,
    relying_party::{self, Provider},
    request::Req,
    root, sessions,
    state::State,
    users,
};

/// `GET /app/sign-in{?iss,returnUrl,manual}`: with the issuer of an enabled provider, or with automatic sign-in and one
/// provider, the way to it begins at once.
pub async fn show(req: Req) -> Response {
    let target = target(req.query.get("returnUrl"));
    let found = {
        let state = req.app.read();
        let named = req.query.get("iss").and_then(|issuer| root::initiated(&req.app, &state, issuer));
        named.or_else(|| automatic(&req, &state))
    };
    match found {
        Some(provider) => go(&req, &provider, &target).await,
        None => form(&req, &target, None),
    }
}

/// A target on this server, `/app` otherwise.
fn target(asked: Option<&str>) -> String {
    asked.filter(|target| relying_party::is_local(target)).unwrap_or("/app").to_owned()
}

/// The only provider that is no form, when automatic sign-in is on (the guest counts as one).
fn automatic(req: &Req, state: &State) -> Option<Provider> {
    let on = state.sections.get("authentication").and_then(|section| section.get("AutoLoginEnabled")?.as_bool()) == Some(true);
    let mut enabled = users::providers(&req.app).filter(|provider| provider.enabled(state));
    let first = enabled.next()?;
    let guest = state.sections.get("authentication-guest").and_then(|section| section.get("IsEnabled")?.as_bool()) == Some(true);
    (on && !guest && enabled.next().is_none() && req.query.get("manual").is_none()).then_some(first)
}

/// Begins a sign-in, as the portal does by `POST /users/authenticate/…`, and sends the browser on.
async fn go(req: &Req, provider: &Provider, target: &str) -> Response {
    let secure = req.app.public_url.starts_with("https:");
    let scheme = if secure { "https" } else { "http" };
    let own = format!("{scheme}://{}", req.facts.host);
    match relying_party::begin(&req.app, provider, &own, target, secure).await {
        Ok(begun) => {
            let mut response = Redirect::to(&begun.url).into_response();
            begun.set_cookies(response.headers_mut());
            response
        }
        Err(error) => problem(&req.app, &error),
    }
}

fn form(req: &Req, target: &str, error: Option<&ApiError>) -> Response {
    let state = req.app.read();
    let enabled = users::providers(&req.app).filter(|provider| provider.enabled(&state));
    let providers =
        enabled.map(|provider| context! { settings => provider.settings, label => relying_party::label(&provider, &state) });
    let passwords = state.sections.get("authentication-usernamepassword").and_then(|section| section.get("IsEnabled")?.as_bool());
    let values = context! {
        title => "Sign in",
        providers => providers.collect::<Vec<_>>(),
        passwords => passwords == Some(true),
        target,
        error => error.map(|error| error.message.clone()),
    };
    render::page(&req.app, "sign_in.html", values)
}

/// `POST /app/sign-in/{settings}`: the provider's button.
pub async fn provider(req: Req, Path(settings): Path<String>, fields: Fields) -> Response {
    match relying_party::provider(&req.app, &settings) {
        Ok(provider) => go(&req, &provider, &target(fields.get("returnUrl"))).await,
        Err(error) => problem(&req.app, &error),
    }
}

/// `POST /app/sign-in`: name and password.
pub async fn password(req: Req, fields: Fields) -> Response {
    let (name, password) = (fields.get("username").unwrap_or_default(), fields.get("password").unwrap_or_default());
    let target = target(fields.get("returnUrl"));
    let checked = sessions::check_password(&req.app, &req.app.read(), name, password);
    let user = match checked {
        Ok(user) => user,
        Err(error) => {
            let mut response = form(&req, &target, Some(&error));
            *response.status_mut() = error.status;
            return response;
        }
    };
    let mut state = req.app.write();
    let opened = sessions::open(&req.app, &mut state, &user.id, false);
    sessions::password_event(&req.app, &mut state, &user);
    let mut response = Redirect::to(&target).into_response();
    sessions::set_cookies(&req.app, &state, response.headers_mut(), &opened, false);
    response
}

/// `POST /app/sign-out`.
pub async fn sign_out(req: Req, fields: Fields) -> Response {
    let mut state = req.app.write();
    if let Err(refusal) = sender(&req, &state, &fields) {
        return refusal.answer(&req.app);
    }
    if let Via::Session(fingerprint) = &req.facts.caller.via {
        state.sessions.remove(fingerprint);
    }
    let mut response = (StatusCode::SEE_OTHER, [("location", "/app/sign-in?manual=1")]).into_response();
    sessions::clear_cookies(&state, response.headers_mut());
    response
}

/// Text of a JSON value.
pub fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}
