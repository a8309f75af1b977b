//! The userinfo endpoint (OpenID Connect Core §5.3): an access token of ours with the scope `openid`, alive, of a person who
//! may still enter (rules C1).

use super::client_auth::form;
use super::error::{OauthError, no_store};
use super::rules::bearer::{self, Refused};
use super::rules::own_token;
use super::rules::parameters::Params;
use super::{claims, cors};
use crate::accounts::{entry, keys};
use crate::core::client::OPENID;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::{self, clients, people, tokens};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `GET /oauth2/userinfo`.
pub(super) async fn by_get(State(deps): State<Deps>, headers: HeaderMap) -> Response {
    answer(&deps, &headers, Params::default()).await
}

/// `POST /oauth2/userinfo`, with the token in the header or in the form.
pub(super) async fn by_post(State(deps): State<Deps>, headers: HeaderMap, body: Body) -> Response {
    match form(&headers, body).await {
        Ok(params) => answer(&deps, &headers, params).await,
        Err(_) => refuse(Refused::InvalidRequest),
    }
}

async fn answer(deps: &Deps, headers: &HeaderMap, params: Params) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("Bearer"));
    let told = match bearer::token(authorization, &params) {
        Ok(token) => tell(deps, token).await,
        Err(refused) => return refuse(refused),
    };
    match told {
        Ok(Ok(claims)) => cors::open(no_store(Json(claims).into_response())),
        Ok(Err(refused)) => refuse(refused),
        Err(error) => cors::open(OauthError::internal(&error).into_response()),
    }
}

fn refuse(refused: Refused) -> Response {
    let (status, challenge) = refused.challenge();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = no_store(status.into_response());
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    cors::open(response)
}

async fn tell(deps: &Deps, token: &str) -> storage::Result<Result<Value, Refused>> {
    let (now, issuer) = (deps.clock.now(), deps.settings.public.issuer());
    let Some(access) = own_token::access(&*keys::ring(deps).await, issuer, token, now) else {
        return Ok(Err(Refused::InvalidToken));
    };
    // A token without a family belongs to a client, not to a person.
    let Some(family) = access.family().filter(|_| access.is_for(issuer)) else { return Ok(Err(Refused::InvalidToken)) };
    if !access.has(OPENID) {
        return Ok(Err(Refused::InsufficientScope));
    }
    let scopes: Vec<String> = access.scope.split(' ').map(str::to_owned).collect();
    run_tx!(deps.db, "userinfo", |tx| {
        if !tokens::alive(tx, &access.jti, family).await? {
            return Ok(Err(Refused::InvalidToken));
        }
        let Some(person) = people::by_sub(tx, "", &access.sub).await? else { return Ok(Err(Refused::InvalidToken)) };
        let Some(client) = clients::find(tx, &access.client_id).await? else { return Ok(Err(Refused::InvalidToken)) };
        let Ok(open) = entry::check(tx, &client, &person, now).await? else { return Ok(Err(Refused::InvalidToken)) };
        let Some(profile) = tokens::profile(tx, &person).await? else { return Ok(Err(Refused::InvalidToken)) };
        let claims = claims::of_person(tx, &profile, &person, open.link.as_ref(), &scopes, now).await?;
        let mut out = serde_json::to_value(claims).unwrap_or_default();
        if let Value::Object(members) = &mut out {
            members.insert("sub".into(), json!(profile.sub));
        }
        Ok::<_, storage::Error>(Ok(out))
    })
}
