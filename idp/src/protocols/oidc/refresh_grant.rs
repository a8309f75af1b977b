//! `refresh_token` (RFC 6749 §6, RFC 9700 §4.14): rotate; a token that was rotated away before kills its family, since two
//! parties hold it. Whether the person may still enter is asked again (rules C1).

use super::claims::{self, Grant};
use super::error::OauthError;
use super::rules::parameters::Params;
use super::rules::scope;
use crate::accounts::entry;
use crate::core::authorization::RefreshState;
use crate::core::client::Client;
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::{self, tokens};
use serde_json::Value;

pub(super) async fn answer(deps: &Deps, client: &Client, params: &Params) -> Result<Value, OauthError> {
    let shown = params.get("refresh_token").ok_or_else(|| OauthError::invalid_request("refresh_token is missing."))?;
    let (hash, now) = (sha256(shown.as_bytes()), deps.clock.now());
    let next = deps.entropy.secret();
    let judged: storage::Result<Result<Grant, OauthError>> = run_tx!(deps.db, "token.refresh", |tx| {
        let token = match RefreshState::of(tokens::find_refresh(tx, &hash).await?, &client.id, now) {
            RefreshState::Fresh(token) => *token,
            RefreshState::Reused { family } => {
                tokens::revoke_family(tx, &family, now).await?;
                tracing::warn!(client = %client.id, "a refresh token was shown again: its family is revoked");
                return Ok(Err(OauthError::invalid_grant()));
            }
            RefreshState::Worthless => return Ok(Err(OauthError::invalid_grant())),
        };
        let mut scopes = match scope::narrowed(&token.data.scope, params.get("scope")) {
            Ok(scopes) => scopes,
            Err(refused) => return Ok(Err(refused)),
        };
        // what an administrator took from the client since then is not given any more
        scopes.retain(|scope| client.settings.scopes.contains(scope));
        let Ok(open) = entry::check(tx, client, &token.person, now).await? else {
            tokens::revoke_family(tx, &token.family, now).await?;
            return Ok(Err(OauthError::invalid_grant()));
        };
        let Some(profile) = tokens::profile(tx, &token.person).await? else {
            return Ok(Err(OauthError::invalid_grant()));
        };
        if !tokens::use_refresh(tx, &hash, now).await? {
            return Ok(Err(OauthError::invalid_grant()));
        }
        let until = now.plus_secs(deps.settings.tokens.refresh);
        tokens::insert_refresh(tx, &sha256(next.as_bytes()), &token.family, &token.data, now, until).await?;
        tokens::prolong_family(tx, &token.family, until).await?;
        let person = claims::of_person(tx, &profile, &token.person, open.link.as_ref(), &scopes, now).await?;
        // No nonce: the ID token of a refresh answers no authorization request (OpenID Connect Core §12.2).
        let (family, context) = (token.family, token.data.context);
        Ok(Ok(Grant { sub: profile.sub, family, scope: scopes, context, nonce: None, person }))
    });
    let grant = judged??;
    let minted = claims::mint(deps, client, &grant, now).await?;
    Ok(claims::body(&minted, &grant.scope, Some(&next)))
}
