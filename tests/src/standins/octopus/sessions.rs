//! Cookie sessions, password sign-in and sign-out.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::post,
};
use serde_json::{Value, json};

use super::{
    auth::{self, Via},
    errors::{ApiError, ApiResult},
    events::{self, Actor},
    request::{Body, Req, member, ok},
    secrets,
    server::App,
    state::{Session, State, User, same},
    time,
    users::view,
};

/// Routes of password sign-in and sign-out.
pub fn routes() -> Router<App> {
    Router::new().route("/api/users/login", post(login)).route("/api/users/logout", post(logout))
}

/// A session that was just opened.
pub struct Opened {
    /// Value of the session cookie.
    pub token: String,
    /// Value of the anti-forgery cookie.
    pub csrf: String,
    remember: bool,
}

/// Idle and longest life of a session in milliseconds, from the section `authentication`.
pub fn limits(state: &State) -> (i64, i64) {
    let section = state.sections.get("authentication");
    let seconds = |name: &str| section.and_then(|section| section.get(name)?.as_i64()).filter(|seconds| *seconds > 0);
    (
        seconds("SessionTimeoutInSeconds").unwrap_or(1200) * 1000,
        seconds("MaximumSessionDurationInSeconds").unwrap_or(1_728_000) * 1000,
    )
}

/// Opens a session for a user.
pub fn open(app: &App, state: &mut State, user_id: &str, remember: bool) -> Opened {
    let remember = remember && setting(state, "RememberMeEnabled").and_then(Value::as_bool) != Some(false);
    let (token, csrf) = (secrets::token(&app.config.entropy), secrets::token(&app.config.entropy));
    let now = app.now();
    let session = Session { user_id: user_id.to_owned(), csrf: csrf.clone(), created: now, used: now, remember };
    state.sessions.insert(secrets::fingerprint(&token), session);
    Opened { token, csrf, remember }
}

/// A value of the section `authentication`.
fn setting<'a>(state: &'a State, name: &str) -> Option<&'a Value> {
    state.sections.get("authentication")?.get(name)
}

/// `; Domain=…` as the section `authentication` says; nothing on this very machine's name, as browsers want it.
fn domain(state: &State) -> String {
    let domain = setting(state, "CookieDomain").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let fits = domain.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-'));
    if domain.is_empty() || domain == "localhost" || !fits { String::new() } else { format!("; Domain={domain}") }
}

/// Sets the two cookies of a session: for https only when the server is reached so, or `secure` says that the browser
/// reaches it so.
pub fn set_cookies(app: &App, state: &State, response: &mut HeaderMap, opened: &Opened, secure: bool) {
    let secure = if secure || app.public_url.starts_with("https:") { "; Secure" } else { "" };
    let domain = domain(state);
    let end = app.now() + limits(state).1;
    let expires = if opened.remember { format!("; Expires={}", time::http_date(end)) } else { String::new() };
    let (session, csrf) = (auth::session_cookie(state), auth::csrf_cookie(state));
    add_cookie(response, &format!("{session}={}; Path=/; HttpOnly; SameSite=Lax{secure}{domain}{expires}", opened.token));
    add_cookie(response, &format!("{csrf}={}; Path=/; SameSite=Lax{secure}{domain}{expires}", opened.csrf));
}

/// Removes the two cookies of a session.
pub fn clear_cookies(state: &State, response: &mut HeaderMap) {
    let domain = domain(state);
    for name in [auth::session_cookie(state), auth::csrf_cookie(state)] {
        add_cookie(response, &format!("{name}=; Path=/; Max-Age=0; SameSite=Lax{domain}"));
    }
}

/// Adds one `Set-Cookie` header.
pub fn add_cookie(response: &mut HeaderMap, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.append(header::SET_COOKIE, value);
    }
}

const TOO_MANY: &str = "You have had too many failed login attempts in a short period of time. Please try again later.";
const BAN_AFTER: u32 = 10;
const BAN_MS: i64 = 60_000;

/// Checks a name (or an e-mail address that exactly one account has) and a password.
///
/// # Errors
/// 400 with the server's texts.
pub fn check_password(app: &App, state: &State, name: &str, password: &str) -> Result<User, ApiError> {
    let provider = state.sections.get("authentication-usernamepassword");
    let enabled = provider.and_then(|section| section.get("IsEnabled")?.as_bool()) == Some(true);
    if !enabled {
        return Err(ApiError::refused("This authentication provider is disabled."));
    }
    let now = app.now();
    let mut failed = app.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.retain(|_, (_, last)| now - *last < BAN_MS);
    let key = name.to_lowercase();
    if failed.get(&key).is_some_and(|(count, _)| *count >= BAN_AFTER) {
        return Err(ApiError::refused(TOO_MANY));
    }
    let mut by_mail = state.users.values().filter(|user| user.email.as_deref().is_some_and(|email| same(email, name)));
    let mailed = by_mail.next().filter(|_| by_mail.next().is_none());
    let user = state.user_named(name).or(mailed);
    let right = user.filter(|user| user.password.as_deref().is_some_and(|stored| secrets::password_matches(stored, password)));
    let Some(user) = right else {
        let entry = failed.entry(key).or_default();
        *entry = (entry.0 + 1, now);
        return Err(ApiError::refused("Invalid username or password."));
    };
    failed.remove(&key);
    may_enter(user)?;
    Ok(user.clone())
}

/// Refuses disabled users and service accounts.
///
/// # Errors
/// 400 with the server's texts.
pub fn may_enter(user: &User) -> Result<(), ApiError> {
    let name = &user.username;
    if !user.is_active {
        return Err(ApiError::refused(format!(
            "The Octopus User Account '{name}' has been disabled by an Administrator. If you believe this to be a mistake, \
             please contact your Octopus Administrator to have your account re-enabled."
        )));
    }
    if user.is_service {
        return Err(ApiError::refused(format!(
            "The Octopus User Account '{name}' is a Service Account, which are prevented from using Octopus interactively. \
             Service Accounts are designed to authorize external systems to access the Octopus API using an API Key."
        )));
    }
    Ok(())
}

async fn login(req: Req, body: Body) -> ApiResult {
    let (name, password) = (body.required("Username", 256)?, body.text("Password")?.unwrap_or_default());
    let remember = body.flag("RememberMe")?.unwrap_or(false);
    let mut state = req.app.write();
    let user = match check_password(&req.app, &state, &name, &password) {
        Ok(user) => user,
        Err(error) => {
            events::record(
                &mut state,
                &Actor::system(req.app.now()),
                "LoginFailed",
                format!("Login failed for {name}"),
                vec![],
                None,
                vec![],
            );
            return Err(error);
        }
    };
    let given = body.field("State").and_then(|state| member(state, "UsingSecureConnection")?.as_bool());
    let (mut response, opened) = signed_in(&req, &mut state, &user, remember)?;
    set_cookies(&req.app, &state, response.headers_mut(), &opened, given.unwrap_or(false));
    Ok(response)
}

/// Opens a session after a password, with its event.
fn signed_in(req: &Req, state: &mut State, user: &User, remember: bool) -> Result<(Response, Opened), ApiError> {
    let opened = open(&req.app, state, &user.id, remember);
    password_event(&req.app, state, user);
    Ok((ok(&view::shown(req, user, true))?, opened))
}

/// Writes the event of a password sign-in (sign-ins through providers leave none).
pub fn password_event(app: &App, state: &mut State, user: &User) {
    let message = format!("{} logged in", user.username);
    let related = if app.config.version.at_least(2024, 3) { vec![user.id.clone()] } else { vec![] };
    events::record(state, &Actor::local(&user.username, app.now()), "LoginSucceeded", message, related, None, vec![]);
}

async fn logout(req: Req) -> ApiResult {
    let mut state = req.app.write();
    if let Via::Session(fingerprint) = &req.facts.caller.via {
        state.sessions.remove(fingerprint);
    }
    let mut response = ok(&json!({}))?;
    clear_cookies(&state, response.headers_mut());
    Ok(response)
}
