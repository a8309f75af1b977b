//! `/login/backchannel/{provider}`: a provider says that somebody signed out there (OpenID Connect Back-Channel Logout §2.5, §2.8).

use crate::accounts::identities;
use crate::core::policy::Actor;
use crate::deps::Deps;
use crate::http::{Ctx, Form, Path};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
pub(super) struct Logout {
    logout_token: String,
}

fn answer(status: StatusCode, error: Option<&str>) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    match error {
        None => (status, headers).into_response(),
        Some(text) => (status, headers, Json(json!({ "error": "invalid_request", "error_description": text }))).into_response(),
    }
}

/// A token that is sent again does nothing: only sessions from before it end.
pub(super) async fn receive(
    State(deps): State<Deps>,
    ctx: Ctx,
    Path(provider): Path<String>,
    Form(form): Form<Logout>,
) -> Response {
    let wrong = || answer(StatusCode::BAD_REQUEST, Some("This logout token is not accepted."));
    let doors = match deps.connectors.doors(&deps).await {
        Ok(doors) => doors,
        Err(error) => return crate::http::Problem::from(error).of(&ctx).into_response(),
    };
    let Some(connector) = doors.redirect(&provider) else { return wrong() };
    let out = match connector.signed_out(&deps, &form.logout_token).await {
        Ok(out) => out,
        Err(error) => {
            tracing::info!(provider, %error, request_id = ctx.request_id, "a logout token was refused");
            return wrong();
        }
    };
    let actor = Actor { address: Some(ctx.address.to_string()), ..Actor::system(&provider) };
    match identities::signed_out(&deps, &actor, &provider, &out).await {
        Ok(_) => answer(StatusCode::OK, None),
        Err(error) => crate::http::Problem::from(error).of(&ctx).into_response(),
    }
}
