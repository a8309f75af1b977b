//! Issuing a code: whether the person may enter is decided in the transaction that stores it (rules C1).

use crate::accounts::entry::{self, Closed};
use crate::core::authorization::{AuthenticationContext, AuthorizationRequest, CodeData, StoredCode};
use crate::core::client::Client;
use crate::crypto::hash::sha256;
use crate::deps::Deps;
use crate::login::{self, Session};
use crate::run_tx;
use crate::storage::{self, clients, codes, sessions};

/// Stores a code for a request that is satisfied by `session`, and gives it.
///
/// # Errors
/// Any storage error; the inner result says why the person may not enter.
pub(super) async fn code(
    deps: &Deps,
    client: &Client,
    request: &AuthorizationRequest,
    session: &Session,
) -> storage::Result<Result<String, Closed>> {
    let (now, code) = (deps.clock.now(), deps.entropy.secret());
    let family = deps.entropy.id(now).hyphenated().to_string();
    let hash = sha256(code.as_bytes());
    let judged: storage::Result<Result<(), Closed>> = run_tx!(deps.db, "authorize.code", |tx| {
        // Read again: it may have been disabled while the person signed in.
        let Some(client) = clients::find(tx, &client.id).await? else { return Ok(Err(Closed::NoAccess)) };
        if !sessions::alive(tx, &session.id, now).await? {
            return Ok(Err(Closed::NoAccess));
        }
        if let Err(closed) = entry::check(tx, &client, &session.person, now).await? {
            return Ok(Err(closed));
        }
        let sid = login::client_session(tx, &deps.entropy, now, &session.id, &client.id).await?;
        let context = AuthenticationContext {
            auth_time: session.auth_time().secs(),
            amr: session.amr().into_iter().map(str::to_owned).collect(),
            acr: session.acr().into(),
            sid,
        };
        let stored = StoredCode {
            client: client.id,
            person: session.person.clone(),
            session: session.id.clone(),
            family: family.clone(),
            data: CodeData { request: request.clone(), context },
            expires_at: now.plus_secs(deps.settings.tokens.code),
            used_at: None,
        };
        codes::insert(tx, &hash, &stored, now).await?;
        Ok(Ok(()))
    });
    Ok(judged?.map(|()| code))
}
