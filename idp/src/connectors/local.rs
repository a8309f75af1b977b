//! Passwords kept by ODCM itself.

use super::{Attempt, Error, Identity, Password};
use crate::core::joining::Said;
use crate::core::text::fold;
use crate::deps::Deps;
use crate::storage::throttle;

/// Id of the local provider.
pub const PROVIDER: &str = "local";

/// Checks passwords against the database: one statement and one Argon2 evaluation, whoever exists.
#[derive(Clone, Copy, Debug)]
pub struct Local;

#[async_trait::async_trait]
impl Password for Local {
    async fn check(&self, deps: &Deps, attempt: Attempt<'_>) -> Result<Option<Identity>, Error> {
        let candidate = throttle::candidate(&mut &deps.db, &fold(attempt.name)).await?;
        // somebody who is disabled has no password that opens anything
        let phc = candidate.as_ref().filter(|c| c.active).and_then(|c| c.phc.as_deref());
        let verdict = deps.hasher.verify(attempt.lane, attempt.password, phc).await.map_err(|_| Error::Busy)?;
        let Some(found) = candidate.filter(|_| verdict.matches) else { return Ok(None) };
        // only the hash that was checked is replaced: never one that was set meanwhile
        if verdict.rehash
            && let Some(old) = &found.phc
            && let Ok(new) = deps.hasher.hash(attempt.lane, attempt.password).await
        {
            crate::storage::credentials::rehash(&deps.db, &found.person_id, old, &new).await?;
        }
        Ok(Some(Identity {
            provider: PROVIDER.into(),
            subject: found.person_id.to_string(),
            label: attempt.name.to_owned(),
            password_set_at: found.changed_at,
            said: Said::default(),
        }))
    }
}
