//! `authorization_code` (RFC 6749 §4.1.3): consume the code, ask every rule, ask again whether the person may enter; all in
//! one transaction (rules C1). A code that was shown wrongly is consumed all the same; one that is shown again revokes what
//! was issued for it.

use super::claims::{self, Grant};
use super::client_auth::Proven;
use super::error::OauthError;
use super::rules::parameters::Params;
use super::rules::pkce;
use crate::accounts::clients::{is_probe, record_probe};
use crate::accounts::entry;
use crate::core::Timestamp;
use crate::core::authorization::{CodeState, RefreshData, StoredCode};
use crate::core::client::{Client, GrantType, OFFLINE_ACCESS};
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::run_tx;
use crate::storage::tokens::{self, Family};
use crate::storage::{self, Tx, codes, sessions, visits};
use serde_json::Value;

/// A redeemed code, ready to be signed.
struct Redeemed {
    grant: Grant,
    offline: bool,
}

pub(super) async fn answer(deps: &Deps, proven: &Proven, params: &Params) -> Result<Value, OauthError> {
    let code = params.get("code").ok_or_else(|| OauthError::invalid_request("code is missing."))?;
    let (client, now) = (&proven.client, deps.clock.now());
    if is_probe(deps, &client.id, code, now) {
        if let Some(secret) = &proven.secret {
            record_probe(deps, client, secret).await?;
        }
        return Err(OauthError::invalid_grant());
    }
    let (hash, refresh) = (sha256(code.as_bytes()), deps.entropy.secret());
    let judged: storage::Result<Result<Redeemed, OauthError>> = run_tx!(deps.db, "token.code", |tx| {
        let Some(code) = codes::take(tx, &hash, &client.id, now).await? else {
            if let CodeState::Replayed { family } = CodeState::of(codes::find(tx, &hash).await?, &client.id, now) {
                let revoked = tokens::revoke_family(tx, &family, now).await?;
                tracing::warn!(client = %client.id, revoked, "a code was shown again: what was issued for it is revoked");
            }
            return Ok(Err(OauthError::invalid_grant()));
        };
        redeem(deps, tx, client, code, params, &refresh, now).await
    });
    let redeemed = judged??;
    let minted = claims::mint(deps, client, &redeemed.grant, now).await?;
    Ok(claims::body(&minted, &redeemed.grant.scope, redeemed.offline.then_some(refresh.as_str())))
}

/// What follows the consumption of a code. A refusal is a value, so that the consumption commits with it.
async fn redeem(
    deps: &Deps,
    tx: &mut Tx,
    client: &Client,
    code: StoredCode,
    params: &Params,
    refresh: &str,
    now: Timestamp,
) -> storage::Result<Result<Redeemed, OauthError>> {
    let StoredCode { person, session, family, data, .. } = code;
    let (mut request, context) = (data.request, data.context);
    // what an administrator took from the client since the sign-in began is not given any more
    request.scope.retain(|scope| client.settings.scopes.contains(scope));
    let Some(redirect_uri) = params.get("redirect_uri") else {
        return Ok(Err(OauthError::invalid_request("redirect_uri is missing: it was part of the authorization request.")));
    };
    if !client.redeems_at(&request.redirect_uri, redirect_uri) {
        return Ok(Err(OauthError::invalid_grant()));
    }
    if let Err(refused) = pkce::verify(request.challenge.as_deref(), params.get("code_verifier")) {
        return Ok(Err(refused));
    }
    if !sessions::alive(tx, &session, now).await? {
        return Ok(Err(OauthError::invalid_grant()));
    }
    let Ok(open) = entry::check(tx, client, &person, now).await? else {
        return Ok(Err(OauthError::invalid_grant()));
    };
    let Some(profile) = tokens::profile(tx, &person).await? else {
        return Ok(Err(OauthError::invalid_grant()));
    };
    let claims = claims::of_person(tx, &profile, &person, open.link.as_ref(), &request.scope, now).await?;
    let offline = gives_refresh(client, &request.scope);
    let lives = deps.settings.tokens.access.max(if offline { deps.settings.tokens.refresh } else { 0 });
    let row = Family {
        id: family.clone(),
        client: client.id.clone(),
        person: person.clone(),
        session,
        scope: request.scope.join(" "),
        expires_at: now.plus_secs(lives),
    };
    tokens::insert_family(tx, &row, now).await?;
    if offline {
        let data = RefreshData { scope: request.scope.clone(), context: context.clone() };
        let until = now.plus_secs(deps.settings.tokens.refresh);
        tokens::insert_refresh(tx, &sha256(refresh.as_bytes()), &family, &data, now, until).await?;
    }
    if let Some(space) = client.space() {
        visits::visited(tx, &person, space, now).await?;
    }
    let grant = Grant { sub: profile.sub, family, scope: request.scope, context, nonce: request.nonce, person: claims };
    Ok(Ok(Redeemed { grant, offline }))
}

/// A refresh token goes to clients that are registered for it and were granted `offline_access`; never to a Space.
fn gives_refresh(client: &Client, scope: &[String]) -> bool {
    client.space().is_none() && client.settings.allows(GrantType::RefreshToken) && scope.iter().any(|s| s == OFFLINE_ACCESS)
}
