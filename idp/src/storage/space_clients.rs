//! The OAuth client that comes with each Space. Everything else about clients is in `storage::clients`.

use super::spaces::Space;
use super::{J, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::client::ClientSettings;
use crate::core::ids::ClientId;
use crate::sql;

/// Whether there is a client with this id, of whatever kind.
///
/// # Errors
/// Any storage error.
pub async fn exists(db: &mut impl Rowish, id: &ClientId) -> Result<bool> {
    let row: Option<(ClientId,)> = db.opt(sql!("SELECT id FROM client WHERE id = $1"), &[id]).await?;
    Ok(row.is_some())
}

/// The client of a new Space. It has no secret until the agent makes one (rules B9).
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, space: &Space, settings: &ClientSettings, now: Timestamp) -> Result<()> {
    tx.one(
        "client of a Space",
        sql!(
            "INSERT INTO client (id, kind, space_id, name, settings, enabled, created_at, updated_at, version) VALUES ($1, 'space', $2, $3, $4, TRUE, $5, $5, 1)"
        ),
        &[&space.client_id, &space.id, &space.name, &J(settings.clone()), &now],
    )
    .await
}

/// Lets name and redirect URIs follow the Space.
///
/// # Errors
/// Any storage error.
pub async fn follow(tx: &mut Tx, space: &Space, now: Timestamp) -> Result<()> {
    let row: Option<(J<ClientSettings>,)> = tx.opt(sql!("SELECT settings FROM client WHERE space_id = $1"), &[&space.id]).await?;
    let mut settings = row.map_or_else(|| ClientSettings::for_space(&space.base_url), |(J(settings),)| settings);
    settings.redirect_uris = ClientSettings::for_space(&space.base_url).redirect_uris;
    tx.one(
        "client of a Space",
        sql!("UPDATE client SET name = $2, settings = $3, updated_at = $4, version = version + 1 WHERE space_id = $1"),
        &[&space.id, &space.name, &J(settings), &now],
    )
    .await
}
