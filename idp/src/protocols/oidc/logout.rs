//! RP-Initiated Logout 1.0: with an ID token of the person who is signed in here, the session ends at once; without one the
//! person is asked, because any page of the site may send a browser here.

use super::client_auth::as_address;
use super::error::OauthError;
use super::path;
use super::rules::own_token::{self, Hint};
use super::rules::parameters::Params;
use super::rules::post_logout;
use crate::accounts::keys;
use crate::core::ids::ClientId;
use crate::crypto::jose::MAX_TOKEN;
use crate::deps::Deps;
use crate::http::{Ctx, Form};
use crate::login::{self, Person, Session};
use crate::pages::{self, Page};
use crate::run_tx;
use crate::storage::{self, clients, people, sessions, tokens};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

const KNOWN: [&str; 6] = ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];
const DONE: &str = "/logout/done";

/// The question, with what the form must bring back.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AskLogout {
    client: Option<String>,
    client_id: String,
    post_logout_redirect_uri: String,
    state: String,
}

impl Page for AskLogout {
    const TEMPLATE: &'static str = "oidc/logout.html";
    fn samples() -> Vec<Self> {
        let text = |t: &str| t.to_owned();
        vec![
            Self { client: None, client_id: text(""), post_logout_redirect_uri: text(""), state: text("") },
            Self {
                client: Some(text("App")),
                client_id: text("app"),
                post_logout_redirect_uri: text("https://a/"),
                state: text("x"),
            },
        ]
    }
}
crate::page!(AskLogout);

/// `GET /oauth2/logout`.
pub(super) async fn by_get(State(deps): State<Deps>, ctx: Ctx, RawQuery(query): RawQuery) -> Response {
    start(&deps, &ctx, Params::parse(query.unwrap_or_default().as_bytes())).await
}

/// `POST /oauth2/logout`: answered by 303 to the same question by GET. Another site's form brings none of our cookies
/// (`SameSite=Lax`), so nobody would seem to be signed in.
pub(super) async fn by_post(State(deps): State<Deps>, ctx: Ctx, headers: HeaderMap, body: Body) -> Response {
    match as_address(path::LOGOUT, &headers, body).await {
        Ok(address) => pages::see_other(&address),
        Err(error) => fault_page(&deps, &ctx, error.into()),
    }
}

enum Fault {
    Oauth(OauthError),
    Storage(storage::Error),
}
impl From<OauthError> for Fault {
    fn from(error: OauthError) -> Self {
        Self::Oauth(error)
    }
}
impl From<storage::Error> for Fault {
    fn from(error: storage::Error) -> Self {
        Self::Storage(error)
    }
}

async fn start(deps: &Deps, ctx: &Ctx, params: Result<Params, OauthError>) -> Response {
    let answered = match params {
        Ok(params) => answer(deps, ctx, &params).await,
        Err(error) => Err(error.into()),
    };
    answered.unwrap_or_else(|fault| fault_page(deps, ctx, fault))
}

fn fault_page(deps: &Deps, ctx: &Ctx, fault: Fault) -> Response {
    match fault {
        Fault::Oauth(error) => pages::message(deps, ctx, StatusCode::BAD_REQUEST, "oidc.request_wrong", &error.text(), &[]),
        Fault::Storage(error) => pages::fault(deps, ctx, error),
    }
}

async fn answer(deps: &Deps, ctx: &Ctx, params: &Params) -> Result<Response, Fault> {
    params.once(&KNOWN)?;
    let ring = keys::ring(deps).await;
    let read = |token: &str| own_token::hint(&ring, deps.settings.public.issuer(), token);
    // A hint that cannot be read (its key may be gone by now) counts as none: the person is asked.
    let hint = params.get("id_token_hint").filter(|token| token.len() <= MAX_TOKEN).and_then(read);
    let client = match post_logout::client(params, hint.as_ref())? {
        Some(id) => clients::find(&mut &deps.db, &id).await?,
        None => None,
    };
    let target = post_logout::target(params, client.as_ref())?;
    let to = target.as_deref().unwrap_or(DONE);
    let Some(person) = Person::find(deps, ctx).await? else { return Ok(pages::see_other(to)) };
    if let Some(hint) = &hint
        && is_of(deps, hint, &person.session).await?
    {
        return Ok(end(deps, ctx, &person.session, pages::see_other(to)).await?);
    }
    let text = |name: &str| params.get(name).unwrap_or_default().to_owned();
    let page = AskLogout {
        client_id: client.as_ref().map(|c| c.id.to_string()).unwrap_or_default(),
        client: client.map(|c| c.name),
        post_logout_redirect_uri: text("post_logout_redirect_uri"),
        state: text("state"),
    };
    Ok(pages::show(deps, ctx).signed(person.signed()).page(&page))
}

/// Whether the hint was issued under this very session: to the client that it names, and with its `sid` there. One of an
/// earlier session proves nothing about this one, and any site may have kept it.
async fn is_of(deps: &Deps, hint: &Hint, session: &Session) -> storage::Result<bool> {
    let Some(sid) = &hint.sid else { return Ok(false) };
    if people::by_sub(&mut &deps.db, "", &hint.sub).await?.is_none_or(|person| person != session.person) {
        return Ok(false);
    }
    sessions::has_client(&mut &deps.db, &session.id, &hint.aud, sid).await
}

async fn end(deps: &Deps, ctx: &Ctx, session: &Session, mut response: Response) -> storage::Result<Response> {
    let now = deps.clock.now();
    login::end_session(deps, ctx, session).await?;
    let done: storage::Result<()> = run_tx!(deps.db, "logout.tokens", |tx| tokens::end_of_session(tx, &session.id, now).await);
    done?;
    login::clear_cookies(deps, &mut response);
    Ok(response)
}

/// The answer to the question.
#[derive(Deserialize)]
pub(super) struct Answer {
    csrf: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    post_logout_redirect_uri: String,
    #[serde(default)]
    state: String,
}

/// `POST /oauth2/logout/confirm`.
pub(super) async fn confirm(State(deps): State<Deps>, ctx: Ctx, person: Person, Form(answer): Form<Answer>) -> Response {
    if let Err(problem) = person.check(&deps, &ctx, &answer.csrf) {
        return pages::fault(&deps, &ctx, problem);
    }
    confirmed(&deps, &ctx, &person, &answer).await.unwrap_or_else(|fault| fault_page(&deps, &ctx, fault))
}

async fn confirmed(deps: &Deps, ctx: &Ctx, person: &Person, answer: &Answer) -> Result<Response, Fault> {
    // The form went through the browser: its target is judged again.
    let client = match ClientId::parse(&answer.client_id) {
        Ok(id) => clients::find(&mut &deps.db, &id).await?,
        Err(_) => None,
    };
    let pairs = [("post_logout_redirect_uri", &answer.post_logout_redirect_uri), ("state", &answer.state)];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let target = post_logout::target(&Params::parse(form.as_bytes())?, client.as_ref())?;
    let onward = match (&target, &client) {
        (Some(to), Some(client)) => pages::onward(deps, ctx, to, &client.name),
        _ => pages::see_other(DONE),
    };
    Ok(end(deps, ctx, &person.session, onward).await?)
}
