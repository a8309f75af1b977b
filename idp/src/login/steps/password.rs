//! Asks for the password of a name. Known and unknown names cost the same and see the same (rules D1).

use super::super::flow::Current;
use super::super::{session, throttle};
use super::{About, upstream};
use crate::connectors::ldap::Standing;
use crate::connectors::{self, Attempt, Password as _, Route};
use crate::core::login::Stage;
use crate::core::session::Method;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path, Problem};
use crate::pages::{self, Page};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Password {
    about: About,
    name: String,
    error: Option<&'static str>,
    wait_s: Option<u32>,
}

impl Page for Password {
    const TEMPLATE: &'static str = "login/password.html";
    fn samples() -> Vec<Self> {
        let plain = Self { about: About::sample(), name: "bob".into(), error: None, wait_s: None };
        vec![
            Self { error: Some("login.wrong"), ..plain.clone() },
            Self { error: Some("login.wait"), wait_s: Some(75), ..plain.clone() },
            Self { error: Some("login.busy"), wait_s: Some(1), ..plain.clone() },
            Self { error: Some("login.directory_away"), ..plain.clone() },
            Self { error: Some("login.directory_unknown"), ..plain.clone() },
            Self { error: Some("login.barred_locked"), ..plain.clone() },
            plain,
        ]
    }
}
crate::page!(Password);

/// Why the page is shown again.
pub(in super::super) enum Trouble {
    Wrong,
    /// The directory, or we, say why not; the key of a text.
    Barred(&'static str),
    /// The directory does not answer.
    Away,
    Wait(u32),
    Busy,
}

/// Shows the page.
pub(in super::super) fn page(current: &Current<'_>, name: &str, trouble: Option<Trouble>) -> Response {
    let (status, error, wait_s) = match trouble {
        None => (StatusCode::OK, None, None),
        Some(Trouble::Wrong) => (StatusCode::FORBIDDEN, Some("login.wrong"), None),
        Some(Trouble::Barred(key)) => (StatusCode::FORBIDDEN, Some(key), None),
        Some(Trouble::Away) => (StatusCode::SERVICE_UNAVAILABLE, Some("login.directory_away"), None),
        Some(Trouble::Wait(s)) => (StatusCode::TOO_MANY_REQUESTS, Some("login.wait"), Some(s)),
        Some(Trouble::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some("login.busy"), Some(1)),
    };
    let mut response = pages::show(current.deps, current.ctx).status(status).csrf(current.csrf()).page(&Password {
        about: About::of(current),
        name: name.to_owned(),
        error,
        wait_s,
    });
    if let Some(seconds) = wait_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[derive(Deserialize)]
pub(super) struct Input {
    csrf: String,
    password: String,
}

/// Checks the password.
pub(super) async fn submit(State(deps): State<Deps>, ctx: Ctx, Path(id): Path<String>, Form(input): Form<Input>) -> Response {
    let current = match Current::load(&deps, &ctx, &id).await {
        Ok(current) => current,
        Err(response) => return response,
    };
    if let Err(response) = current.check(&input.csrf) {
        return response;
    }
    let Stage::Named { name } = current.flow.stage.clone() else {
        return current.advance(Ok).await;
    };
    match check(&current, &name, &input.password).await {
        Ok(Checked::Right(signed_in)) => {
            let session = signed_in.session.id.clone();
            let mut response = current.advance(|flow| flow.authenticated(session)).await;
            signed_in.set_cookies(&deps, &mut response);
            response
        }
        Ok(Checked::Trouble(trouble)) => {
            let result = match trouble {
                Trouble::Wrong => "wrong",
                Trouble::Barred(_) => "barred",
                Trouble::Away => "away",
                Trouble::Wait(_) => "throttled",
                Trouble::Busy => "busy",
            };
            deps.metrics.count("odcm_sign_ins_total", &[("result", result)]);
            tracing::info!(request_id = ctx.request_id, address = %ctx.address, result, "a sign-in was refused");
            page(&current, &name, Some(trouble))
        }
        Ok(Checked::Gone(response)) => response,
        Err(problem) => current.fault(problem),
    }
}

enum Checked {
    /// The flow is over.
    Gone(Response),
    Right(session::SignedIn),
    Trouble(Trouble),
}

async fn check(current: &Current<'_>, name: &str, password: &str) -> Result<Checked, Problem> {
    let (deps, ctx) = (current.deps, current.ctx);
    let doors = deps.connectors.doors(deps).await?;
    let directory = match doors.answering(name, current.flow.demand.domain_hint.as_deref()) {
        Route::Directory(id) => doors.directory(&id).cloned(),
        Route::Password | Route::Redirect(_) => None,
    };
    let counted = match throttle::count(deps, ctx, name).await? {
        throttle::Verdict::Go(counted) => counted,
        throttle::Verdict::Wait(seconds) => return Ok(Checked::Trouble(Trouble::Wait(seconds))),
    };
    // nobody has the empty name
    let attempt = Attempt { name: if counted.in_vain { "" } else { name }, password, lane: counted.lane };
    let asked = match &directory {
        Some(directory) => directory.check(deps, attempt).await,
        None => deps.connectors.password().check(deps, attempt).await,
    };
    let identity = match asked {
        Ok(Some(identity)) => identity,
        Ok(None) => return Ok(Checked::Trouble(Trouble::Wrong)),
        Err(connectors::Error::Barred(standing)) => return Ok(Checked::Trouble(Trouble::Barred(barred(standing)))),
        Err(connectors::Error::Busy) => {
            counted.not_made(deps).await?;
            return Ok(Checked::Trouble(Trouble::Busy));
        }
        Err(connectors::Error::Storage(error)) => return Err(error.into()),
        Err(error) if directory.is_some() => {
            tracing::warn!(%error, request_id = ctx.request_id, "a directory could not be asked");
            counted.not_made(deps).await?;
            return Ok(Checked::Trouble(Trouble::Away));
        }
        Err(other) => return Err(Problem::internal(&other)),
    };
    if let Some(directory) = &directory {
        let brings = match upstream::brings(current).await {
            Ok(brings) => brings,
            Err(response) => return Ok(Checked::Gone(response)),
        };
        return Ok(match upstream::arrived(deps, ctx, directory.provider(), &identity, &brings, Some(&counted)).await? {
            Ok(signed_in) => Checked::Right(signed_in),
            Err("login.upstream_waits") => Checked::Trouble(Trouble::Barred("login.directory_waits")),
            Err("login.upstream_taken") => Checked::Trouble(Trouble::Barred("login.directory_taken")),
            Err(_) => Checked::Trouble(Trouble::Barred("login.directory_unknown")),
        });
    }
    let Some(proof) = session::person_of(deps, &identity, Method::Password).await? else {
        return Ok(Checked::Trouble(Trouble::Wrong));
    };
    match session::sign_in(deps, ctx, &proof, Some(&counted)).await {
        Ok(signed_in) => Ok(Checked::Right(signed_in)),
        // disabled between the check and the commit
        Err(crate::accounts::Error::Refused(_)) => Ok(Checked::Trouble(Trouble::Wrong)),
        Err(error) => Err(error.into()),
    }
}

/// What the directory says, in words. Whoever reads it typed the right password; only a locked account says so to anybody, as the
/// directory itself does.
fn barred(standing: Standing) -> &'static str {
    match standing {
        Standing::Disabled => "login.barred_disabled",
        Standing::AccountExpired => "login.barred_expired",
        Standing::PasswordExpired => "login.barred_password_expired",
        Standing::MustChangePassword => "login.barred_must_change",
        Standing::Locked => "login.barred_locked",
        Standing::OutsideHours => "login.barred_hours",
        Standing::OtherWorkstation => "login.barred_workstation",
    }
}
