//! First start and every start: the deployment row, the master key that belongs to it, the issuer that is frozen.

use super::{Error, Result};
use crate::config::PublicUrl;
use crate::core::Refusal;
use crate::crypto::hash::equal;
use crate::crypto::seal::{Place, Sealer};
use crate::ports::{Clock, Entropy};
use crate::run_tx;
use crate::storage::deployment::{self, Deployment};
use crate::storage::{self, Db};

/// Reads the deployment row, or makes it. Refuses to go on with another master key than the one it was made with (rules C9),
/// or with another issuer once a Space exists (rules C7).
///
/// # Errors
/// A refusal that says which setting is wrong, or a storage error.
pub async fn open(db: &Db, sealer: &Sealer, public: &PublicUrl, clock: &Clock, entropy: &Entropy) -> Result<Deployment> {
    let now = clock.now();
    let issuer = public.issuer();
    let fresh_id = entropy.id(now).hyphenated().to_string();
    let result: Result<Deployment> = run_tx!(db, "deployment.open", |tx| {
        let Some(found) = deployment::read(tx).await? else {
            let check = sealer.seal(place(&fresh_id), fresh_id.as_bytes()).map_err(|e| Error::Internal(e.0))?;
            let new = Deployment {
                id: fresh_id.clone(),
                issuer: issuer.into(),
                epoch: 1,
                directory_revision: 1,
                master_key_id: sealer.key_id(),
                master_key_check: check,
            };
            deployment::insert(tx, &new, now).await?;
            return Ok(new);
        };
        let opened = sealer.open(place(&found.id), &found.master_key_check).unwrap_or_default();
        if found.master_key_id != sealer.key_id() || !equal(&opened, found.id.as_bytes()) {
            return Err(Error::Refused(Refusal::conflict(
                "master_key.other",
                format!(
                    "The database belongs to the master key {}, this process was given {}. Give it the key file that was made at the first start.",
                    found.master_key_id,
                    sealer.key_id()
                ),
            )));
        }
        if found.issuer == issuer {
            return Ok(found);
        }
        if deployment::issuer_is_frozen(tx).await? {
            return Err(Error::Refused(Refusal::conflict(
                "issuer.frozen",
                format!("Spaces know this ODCM as {}; the public URL may no longer change to {issuer}.", found.issuer),
            )));
        }
        deployment::set_issuer(tx, issuer).await?;
        Ok(Deployment { issuer: issuer.into(), ..found })
    });
    match result {
        // Two nodes made it at once: the other one's row is there now.
        Err(Error::Storage(storage::Error::Unique(_))) => deployment::read(&mut &*db)
            .await?
            .filter(|found| found.master_key_id == sealer.key_id() && found.issuer == issuer)
            .ok_or_else(|| Error::Internal("another node made the deployment with other settings; start again".into())),
        other => other,
    }
}

fn place(id: &str) -> Place<'_> {
    Place::new("deployment", "master_key_check", id)
}
