//! The authorization endpoint (OpenID Connect Core §3.1.2): judge the request, see whether the session satisfies it, else
//! hand it to the sign-in dispatcher and take it up again at [`resume`].

use super::answer::{self, Back};
use super::client_auth::as_address;
use super::error::OauthError;
use super::rules::authorization::{Asked, judge, state};
use super::rules::parameters::Params;
use super::rules::redirect_uri::{self, NoWayBack};
use super::rules::{max_age, own_token, response_type};
use super::{issue, path};
use crate::accounts::keys;
use crate::core::authorization::AuthorizationRequest;
use crate::core::client::Client;
use crate::core::ids::{ClientId, PersonId};
use crate::deps::Deps;
use crate::http::Ctx;
use crate::login::{self, ConsentRule, Demand, Outcome, Session};
use crate::pages;
use crate::storage::{self, clients, consent, people};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

/// `GET /oauth2/authorize`.
pub(super) async fn by_get(State(deps): State<Deps>, ctx: Ctx, RawQuery(query): RawQuery) -> Response {
    start(&deps, &ctx, Params::parse(query.unwrap_or_default().as_bytes())).await
}

/// `POST /oauth2/authorize` with the parameters in a form: answered by 303 to the same question by GET. Another site's form
/// brings none of our cookies (`SameSite=Lax`), the navigation that follows does.
pub(super) async fn by_post(State(deps): State<Deps>, ctx: Ctx, headers: HeaderMap, body: Body) -> Response {
    match as_address(path::AUTHORIZE, &headers, body).await {
        Ok(address) => pages::see_other(&address),
        Err(error) => start(&deps, &ctx, Err(error)).await,
    }
}

async fn start(deps: &Deps, ctx: &Ctx, params: Result<Params, OauthError>) -> Response {
    let params = match params {
        Ok(params) => params,
        Err(error) => return pages::message(deps, ctx, StatusCode::BAD_REQUEST, "oidc.request_wrong", &error.text(), &[]),
    };
    let client = match client_of(deps, &params).await {
        Ok(Some(client)) => client,
        Ok(None) => return answer::no_way_back(deps, ctx, NoWayBack::Client),
        Err(error) => return pages::fault(deps, ctx, error),
    };
    let uri = match redirect_uri::of(&params, &client) {
        Ok(uri) => uri,
        Err(why) => return answer::no_way_back(deps, ctx, why),
    };
    let back = Back { client: &client, uri, state: state(&params), mode: response_type::mode(&params) };
    match judge(&params, &client, uri) {
        Ok(asked) => proceed(deps, ctx, &client, &asked).await.unwrap_or_else(|fault| fault.answer(deps, ctx, back)),
        Err(error) => answer::error(deps, ctx, back, &error),
    }
}

async fn client_of(deps: &Deps, params: &Params) -> storage::Result<Option<Client>> {
    let id = params.get("client_id").filter(|_| !params.is_twice("client_id")).and_then(|id| ClientId::parse(id).ok());
    let Some(id) = id else { return Ok(None) };
    Ok(clients::find(&mut &deps.db, &id).await?.filter(|client| client.enabled))
}

/// Why there is no code and no sign-in either.
enum Fault {
    Oauth(OauthError),
    Storage(storage::Error),
}

impl From<storage::Error> for Fault {
    fn from(error: storage::Error) -> Self {
        Self::Storage(error)
    }
}

impl Fault {
    fn oauth(error: &'static str, text: &'static str) -> Self {
        Self::Oauth(OauthError::new(error, text))
    }
    fn answer(self, deps: &Deps, ctx: &Ctx, back: Back<'_>) -> Response {
        let error = match self {
            Self::Oauth(error) => error,
            // RFC 6749 §4.1.2.1: the client is told, now that it is known
            Self::Storage(error) => OauthError::internal(&error),
        };
        answer::error(deps, ctx, back, &error)
    }
}

/// Issues a code at once, or begins a sign-in, or says why neither (prompt=none).
async fn proceed(deps: &Deps, ctx: &Ctx, client: &Client, asked: &Asked) -> Result<Response, Fault> {
    let expected = expected_person(deps, client, asked).await?;
    let consent = consent_rule(client, asked);
    let session = login::session(deps, ctx).await?;
    let unfit = unfit(deps, asked, session.as_ref(), expected.as_ref());
    let agreed = match (&session, consent) {
        (_, ConsentRule::Skip) => true,
        (_, ConsentRule::Always) | (None, _) => false,
        (Some(session), ConsentRule::Remembered) => {
            consent::covers(&mut &deps.db, &session.person, &client.id, &asked.request.scope).await?
        }
    };
    if asked.prompt.none {
        if unfit {
            return Err(Fault::oauth("login_required", "The person must sign in, and prompt=none allows no page."));
        }
        if !agreed {
            return Err(Fault::oauth("consent_required", "The person must consent, and prompt=none allows no page."));
        }
    }
    if let Some(session) = session.filter(|_| !unfit && agreed && !asked.prompt.login && !asked.prompt.select_account) {
        return finish(deps, ctx, client, &asked.request, &session, asked.prompt.none).await;
    }
    let Ok(request) = serde_json::to_value(&asked.request) else {
        return Err(Fault::oauth("server_error", "The request could not be kept."));
    };
    let demand = Demand {
        request,
        client: Some(login::Client { id: client.id.clone(), name: client.name.clone() }),
        redirect_origin: destination(&asked.request.redirect_uri),
        login: asked.prompt.login,
        select_account: asked.prompt.select_account,
        max_age_s: asked.max_age,
        login_hint: asked.login_hint.clone(),
        expected,
        consent,
        scopes: asked.request.scope.clone(),
        ..Demand::to(path::RESUME)
    };
    Ok(login::begin(deps, ctx, demand).await)
}

/// The person of `id_token_hint`. One that cannot be read says nothing any more (the key that signed it was retired, the
/// person is gone): with `prompt=none` that is nobody who is signed in (OpenID Connect Core §3.1.2.1), else it is left out
/// of account. One that was issued to another client is an error.
async fn expected_person(deps: &Deps, client: &Client, asked: &Asked) -> Result<Option<PersonId>, Fault> {
    let Some(token) = &asked.id_token_hint else { return Ok(None) };
    let ring = keys::ring(deps).await;
    let person = match own_token::hint(&ring, deps.settings.public.issuer(), token) {
        Some(hint) if hint.aud != client.id => {
            return Err(Fault::oauth("invalid_request", "id_token_hint was issued to another client."));
        }
        Some(hint) => people::by_sub(&mut &deps.db, "", &hint.sub).await?,
        None => None,
    };
    if person.is_none() && asked.prompt.none {
        return Err(Fault::oauth("login_required", "id_token_hint names nobody who is known here."));
    }
    Ok(person)
}

fn consent_rule(client: &Client, asked: &Asked) -> ConsentRule {
    // RFC 8252 §8.6, RFC 6749 §10.2: no code without a person who presses a button, or any program on the device could have
    // one made for itself
    if client.may_be_impersonated(&asked.request.redirect_uri) {
        return ConsentRule::Always;
    }
    match (client.space(), asked.prompt.consent, client.settings.first_party) {
        (Some(_), _, _) | (None, false, true) => ConsentRule::Skip,
        (None, true, _) => ConsentRule::Always,
        (None, false, false) => ConsentRule::Remembered,
    }
}

/// Whether the session does not satisfy the request.
fn unfit(deps: &Deps, asked: &Asked, session: Option<&Session>, expected: Option<&PersonId>) -> bool {
    session.is_none_or(|session| {
        expected.is_some_and(|person| *person != session.person)
            || max_age::is_stale(asked.max_age, session.auth_time(), deps.clock.now())
    })
}

/// Where a redirect URI leads, for people: an origin, or the private scheme of a program.
fn destination(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    let origin = url.origin();
    Some(if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) })
}

async fn finish(
    deps: &Deps,
    ctx: &Ctx,
    client: &Client,
    request: &AuthorizationRequest,
    session: &Session,
    silent: bool,
) -> Result<Response, Fault> {
    let back = Back::of(client, request);
    Ok(match issue::code(deps, client, request, session).await? {
        Ok(code) => answer::code(deps, ctx, back, &code),
        Err(closed) if silent => answer::error(deps, ctx, back, &OauthError::new("access_denied", closed.description())),
        Err(closed) => answer::closed(deps, ctx, back, closed),
    })
}

/// `GET /oauth2/authorize/resume?flow=…`: the dispatcher is done.
pub(super) async fn resume(State(deps): State<Deps>, ctx: Ctx, RawQuery(query): RawQuery) -> Response {
    let over = || {
        let text = deps.pages.say(&ctx.lang, "oidc.over_text", &[]);
        let home = pages::Action { label: deps.pages.say(&ctx.lang, "oidc.home", &[]), href: "/".into() };
        pages::message(&deps, &ctx, StatusCode::GONE, "oidc.over", &text, &[home])
    };
    let params = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let Some(flow) = params.get("flow").filter(|id| id.len() <= 64) else { return over() };
    let finished = match login::finished(&deps, &ctx, flow).await {
        Ok(Some(finished)) => finished,
        Ok(None) => return over(),
        Err(error) => return pages::fault(&deps, &ctx, error),
    };
    let Ok(request) = serde_json::from_value::<AuthorizationRequest>(finished.demand.request) else { return over() };
    let client = match clients::find(&mut &deps.db, &request.client).await {
        Ok(Some(client)) if client.enabled && client.sends_to(&request.redirect_uri) => client,
        Ok(_) => return answer::no_way_back(&deps, &ctx, NoWayBack::Client),
        Err(error) => return pages::fault(&deps, &ctx, error),
    };
    let back = Back::of(&client, &request);
    match finished.outcome {
        Outcome::Denied => answer::error(&deps, &ctx, back, &OauthError::new("access_denied", "The person said no.")),
        Outcome::Granted(session) => {
            finish(&deps, &ctx, &client, &request, &session, false).await.unwrap_or_else(|fault| fault.answer(&deps, &ctx, back))
        }
    }
}
