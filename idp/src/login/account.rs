//! `/account`: how a person is known, their password, their sessions, their language.

use super::extract::Person;
use super::session::end;
use super::{passwords, throttle};
use crate::accounts;
use crate::connectors::{self, Attempt};
use crate::core::Refusal;
use crate::core::change::Change;
use crate::core::ids::{ClientId, SessionId};
use crate::core::text::fold;
use crate::crypto::password::Lane;
use crate::deps::Deps;
use crate::http::cookies::{self, Cookie};
use crate::http::{Ctx, Form, Path, Problem};
use crate::pages::{self, Page};
use crate::storage::{audit, consent, credentials, emails, people, revocation, sessions, throttle as stored};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// `/account…`.
pub(super) fn routes() -> Router<Deps> {
    Router::new()
        .route("/account", get(show))
        .route("/account/password", post(change_password))
        .route("/account/sessions/end-others", post(end_others))
        .route("/account/sessions/{id}/end", post(end_one))
        .route("/account/consents/{client}/withdraw", post(withdraw))
        .route("/account/language", post(language))
}

#[derive(Clone, Debug, Serialize)]
struct Address {
    address: String,
    verified: bool,
    used_in_spaces: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Identity {
    id: String,
    /// Its name, or its id when it is not connected any more.
    provider: String,
    label: String,
    last_used_at: Option<i64>,
}

/// What the person allowed an application.
#[derive(Clone, Debug, Serialize)]
struct Allowed {
    client: String,
    name: String,
    scopes: Vec<String>,
    since: i64,
}

#[derive(Clone, Debug, Serialize)]
struct Listed {
    id: String,
    browser: Option<String>,
    address: Option<String>,
    created_at: i64,
    last_seen_at: i64,
    current: bool,
}

/// What is wrong with a change of password.
#[derive(Clone, Debug, Default)]
struct Errors {
    current: Option<String>,
    password: Option<String>,
    again: Option<String>,
    status: StatusCode,
}

/// The page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Account {
    name: String,
    username: String,
    emails: Vec<Address>,
    identities: Vec<Identity>,
    /// There is a provider to add an identity of.
    may_add: bool,
    has_password: bool,
    sessions: Vec<Listed>,
    allowed: Vec<Allowed>,
    current_error: Option<String>,
    password_error: Option<String>,
    again_error: Option<String>,
}

impl Page for Account {
    const TEMPLATE: &'static str = "account/index.html";
    fn samples() -> Vec<Self> {
        let listed = |browser: Option<&str>, current: bool| Listed {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            browser: browser.map(str::to_owned),
            address: current.then(|| "192.0.2.7".into()),
            created_at: 1_795_352_400_000,
            last_seen_at: 1_795_352_400_000,
            current,
        };
        let identity = |last_used_at| Identity {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".into(),
            provider: "Contoso".into(),
            label: "bob@contoso.com".into(),
            last_used_at,
        };
        let full = Self {
            name: "Bob Specialist".into(),
            username: "bob".into(),
            emails: vec![
                Address { address: "bob@example.com".into(), verified: true, used_in_spaces: true },
                Address { address: "bob@example.org".into(), verified: false, used_in_spaces: false },
            ],
            identities: vec![identity(Some(1_795_352_400_000)), identity(None)],
            may_add: true,
            has_password: true,
            sessions: vec![listed(Some("Firefox on Linux"), true), listed(None, false)],
            allowed: vec![Allowed {
                client: "wiki".into(),
                name: "Wiki".into(),
                scopes: ["openid", "offline_access", "made.up"].map(str::to_owned).to_vec(),
                since: 1_795_352_400_000,
            }],
            current_error: Some("Wrong.".into()),
            password_error: Some("Short.".into()),
            again_error: Some("Differ.".into()),
        };
        let bare = Self {
            emails: vec![],
            identities: vec![],
            may_add: false,
            has_password: false,
            sessions: vec![listed(None, true)],
            allowed: vec![],
            current_error: None,
            password_error: None,
            again_error: None,
            ..full.clone()
        };
        vec![full, bare]
    }
}
crate::page!(Account);

/// A user agent in words: browser and system, as far as it says.
#[must_use]
pub fn browser(user_agent: &str) -> Option<String> {
    let first = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ])?;
    let system = first(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    Some(system.map_or_else(|| name.to_owned(), |system| format!("{name} · {system}")))
}

async fn load(deps: &Deps, person: &Person, errors: Errors) -> Result<Account, crate::storage::Error> {
    let (id, now) = (&person.session.person, deps.clock.now());
    let idle_ms = deps.settings.sign_in.session_idle.saturating_mul(1000);
    let row = people::find(&mut &deps.db, id).await?;
    let space_email = row.as_ref().map(|p| fold(&p.space_email)).unwrap_or_default();
    let addresses = emails::of_person(&mut &deps.db, id).await?.into_iter().map(|e| Address {
        used_in_spaces: e.address_key == space_email,
        verified: e.verified_at.is_some(),
        address: e.address,
    });
    let doors = deps.connectors.doors(deps).await?;
    let identities = emails::identities(&mut &deps.db, id).await?.into_iter().map(|i| Identity {
        id: i.id.to_string(),
        provider: doors.name(&i.provider).to_owned(),
        label: i.label,
        last_used_at: i.last_used_at.map(|at| at.0),
    });
    let listed = sessions::of_person(&mut &deps.db, id, now, idle_ms).await?.into_iter().map(|s| Listed {
        current: s.id == person.session.id,
        id: s.id.to_string(),
        browser: s.user_agent.as_deref().and_then(browser),
        address: s.address,
        created_at: s.created_at.0,
        last_seen_at: s.last_seen_at.0,
    });
    let allowed = consent::of_person(&mut &deps.db, id).await?.into_iter().map(|c| Allowed {
        client: c.client_id.to_string(),
        name: c.client_name,
        scopes: c.scope.split(' ').map(str::to_owned).collect(),
        since: c.granted_at.0,
    });
    Ok(Account {
        allowed: allowed.collect(),
        name: person.session.display_name.clone(),
        username: person.session.username.clone(),
        emails: addresses.collect(),
        identities: identities.collect(),
        may_add: !doors.all().is_empty(),
        has_password: credentials::password(&mut &deps.db, id).await?.is_some(),
        sessions: listed.collect(),
        current_error: errors.current,
        password_error: errors.password,
        again_error: errors.again,
    })
}

async fn page(deps: &Deps, ctx: &Ctx, person: &Person, errors: Errors) -> Response {
    let status = errors.status;
    match load(deps, person, errors).await {
        Ok(account) => pages::show(deps, ctx).status(status).signed(person.signed()).page(&account),
        Err(error) => pages::fault(deps, ctx, error),
    }
}

async fn show(State(deps): State<Deps>, ctx: Ctx, person: Person) -> Response {
    page(&deps, &ctx, &person, Errors::default()).await
}

#[derive(Deserialize)]
struct NewPassword {
    csrf: String,
    current: String,
    password: String,
    again: String,
}

async fn change_password(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(form): Form<NewPassword>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    match try_change(&deps, &ctx, &person, &form).await {
        Ok(None) => pages::with_flash(pages::see_other("/account"), &deps, "password_changed"),
        Ok(Some(errors)) => page(&deps, &ctx, &person, errors).await,
        Err(problem) => pages::fault(&deps, &ctx, problem),
    }
}

/// Changes the password; gives what is wrong with the input, if anything is. The current one is asked for under the same
/// throttle as a sign-in: a browser left open is no way to guess.
async fn try_change(deps: &Deps, ctx: &Ctx, person: &Person, form: &NewPassword) -> Result<Option<Errors>, Problem> {
    let say = |key: &str| Some(deps.pages.say(&ctx.lang, key, &[]));
    let errors = || Errors { status: StatusCode::UNPROCESSABLE_ENTITY, ..Errors::default() };
    let name = person.session.username.clone();
    let addresses = emails::of_person(&mut &deps.db, &person.session.person).await?;
    let mut names: Vec<&str> = addresses.iter().map(|e| e.address.as_str()).collect();
    names.extend([name.as_str(), person.session.display_name.as_str()]);
    if let Err(refusal) = passwords::check_new(&form.password, &names) {
        return Ok(Some(Errors { password: Some(passwords::sentence(deps, ctx, &refusal)), ..errors() }));
    }
    if form.password != form.again {
        return Ok(Some(Errors { again: say("password.differ"), ..errors() }));
    }
    let counted = match throttle::count(deps, ctx, &name).await? {
        throttle::Verdict::Go(counted) => counted,
        throttle::Verdict::Wait(s) => {
            let text = deps.pages.say(&ctx.lang, "password.wait", &[("count", s.to_string())]);
            return Ok(Some(Errors { current: Some(text), status: StatusCode::TOO_MANY_REQUESTS, ..errors() }));
        }
    };
    let busy = || Errors { current: say("password.busy"), status: StatusCode::SERVICE_UNAVAILABLE, ..errors() };
    let attempt = Attempt { name: &name, password: &form.current, lane: counted.lane };
    let set_at = match deps.connectors.password().check(deps, attempt).await {
        Ok(Some(identity)) if identity.subject == person.session.person.as_str() => identity.password_set_at,
        Ok(_) => return Ok(Some(Errors { current: say("password.wrong"), ..errors() })),
        Err(connectors::Error::Busy) => {
            counted.not_made(deps).await?;
            return Ok(Some(busy()));
        }
        Err(connectors::Error::Storage(error)) => return Err(error.into()),
        Err(other) => return Err(Problem::internal(&other)),
    };
    let Ok(phc) = deps.hasher.hash(Lane::Known, &form.password).await else {
        counted.not_made(deps).await?;
        return Ok(Some(busy()));
    };
    let (id, now) = (&person.session.person, deps.clock.now());
    crate::run_tx!(deps.db, "password.change", |tx| {
        // while we hashed, a one-time link may have set another password and ended this session
        if !sessions::alive(tx, &person.session.id, now).await?
            || set_at.is_some() && credentials::set_at(tx, id).await? != set_at
        {
            let text = "Your session or your password was changed meanwhile. Sign in again.";
            return Err(Refusal::forbidden("password.changed", text).into());
        }
        credentials::set_password(tx, id, &phc, now).await?;
        credentials::drop_links(tx, id).await?;
        sessions::end_others(tx, id, Some(&person.session.id), now).await?;
        revocation::end_tokens(tx, id, now).await?;
        // who changes a password because somebody else knew it must not have to think of what that one left behind
        revocation::end_api_tokens(tx, id, now).await?;
        stored::forget_devices(tx, id).await?;
        if let Some(device) = ctx.cookie(Cookie::Device) {
            stored::remember_device(tx, &crate::crypto::hash::sha256(device.as_bytes()), id, now).await?;
        }
        counted.succeeded(tx).await?;
        let change = Change::new("password.set", "person", id.as_str(), &person.session.display_name)
            .after(serde_json::json!({ "by": "the person" }));
        audit::write(tx, &deps.entropy, now, &person.actor, &change).await?;
        Ok::<_, accounts::Error>(())
    })?;
    Ok(None)
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn end_one(
    State(deps): State<Deps>,
    ctx: Ctx,
    person: Person,
    Path(id): Path<SessionId>,
    Form(form): Form<Plain>,
) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    let session = &person.session;
    match end(&deps, &ctx, &session.person, &session.display_name, &id).await {
        Ok(true) => pages::with_flash(pages::see_other("/account"), &deps, "session_ended"),
        Ok(false) => pages::not_found(&deps, &ctx),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

async fn end_others(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(form): Form<Plain>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    let (session, now) = (&person.session, deps.clock.now());
    let ended = crate::run_tx!(deps.db, "session.end_others", |tx| {
        let count = sessions::end_others(tx, &session.person, Some(&session.id), now).await?;
        let change = Change::new("session.end", "person", session.person.as_str(), &session.display_name)
            .after(serde_json::json!({ "others": count }));
        audit::write(tx, &deps.entropy, now, &person.actor, &change).await?;
        Ok::<_, accounts::Error>(())
    });
    match ended {
        Ok(()) => pages::with_flash(pages::see_other("/account"), &deps, "sessions_ended"),
        Err(error) => pages::fault(&deps, &ctx, error),
    }
}

async fn withdraw(
    State(deps): State<Deps>,
    ctx: Ctx,
    person: Person,
    Path(client): Path<ClientId>,
    Form(form): Form<Plain>,
) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    match accounts::sign_ins::withdraw(&deps, &person.actor, &person.session.person, &client).await {
        Ok(()) => pages::with_flash(pages::see_other("/account"), &deps, "consent_withdrawn"),
        Err(error) => pages::fault(&deps, &ctx, Problem::from(error)),
    }
}

#[derive(Deserialize)]
struct Language {
    csrf: String,
    language: String,
}

async fn language(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(form): Form<Language>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &form.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    // only the name of a language that exists is ever stored
    let chosen = deps.pages.pick_language(Some(&form.language), None);
    let mut response = pages::with_flash(pages::see_other("/account"), &deps, "language_changed");
    cookies::set(&mut response, &deps.settings, Cookie::Lang, &chosen.0, Some(400 * 86_400));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_in_words() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(browser(firefox).as_deref(), Some("Firefox · Linux"));
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";
        assert_eq!(browser(edge).as_deref(), Some("Edge · Windows"));
        assert_eq!(browser("something"), None);
    }
}
