//! `client_credentials` (RFC 6749 §4.4): a token for the client itself. One statement (the client, read before) and one
//! signature.

use super::error::OauthError;
use super::rules::parameters::Params;
use super::{claims, rules::scope};
use crate::core::client::Client;
use crate::deps::Deps;
use serde_json::Value;

pub(super) async fn answer(deps: &Deps, client: &Client, params: &Params) -> Result<Value, OauthError> {
    let scopes = scope::own(client, params.get("scope"))?;
    let minted = claims::mint_own(deps, client, &scopes, deps.clock.now()).await?;
    Ok(claims::body(&minted, &scopes, None))
}
