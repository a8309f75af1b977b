//! What a person agreed that a client may have.

use super::page::Page;
use super::{Db, FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{ClientId, PersonId};
use crate::sql;
use std::collections::BTreeSet;

async fn scopes(db: &mut impl Rowish, person: &PersonId, client: &ClientId) -> Result<BTreeSet<String>> {
    let row: Option<(String,)> =
        db.opt(sql!("SELECT scope FROM consent WHERE person_id = $1 AND client_id = $2"), &[person, client]).await?;
    Ok(row.map(|(text,)| text.split(' ').map(str::to_owned).collect()).unwrap_or_default())
}

/// Whether the person agreed to all these scopes before.
///
/// # Errors
/// Any storage error.
pub async fn covers(db: &mut impl Rowish, person: &PersonId, client: &ClientId, wanted: &[String]) -> Result<bool> {
    let agreed = scopes(db, person, client).await?;
    Ok(!agreed.is_empty() && wanted.iter().all(|scope| agreed.contains(scope)))
}

/// Adds scopes to what the person agreed to.
///
/// # Errors
/// Any storage error.
pub async fn grant(db: &Db, person: &PersonId, client: &ClientId, new: &[String], now: Timestamp) -> Result<()> {
    crate::run_tx!(db, "consent.grant", |tx| {
        let mut all = scopes(tx, person, client).await?;
        all.extend(new.iter().cloned());
        let text = all.into_iter().collect::<Vec<_>>().join(" ");
        tx.one(
            "consent",
            sql!(
                "INSERT INTO consent (person_id, client_id, scope, granted_at) VALUES ($1, $2, $3, $4) ON CONFLICT (person_id, client_id) DO UPDATE SET scope = $3, granted_at = $4"
            ),
            &[person, client, &text, &now],
        )
        .await
    })
}

/// What a person agreed that a client may have.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Agreed {
    /// The client.
    pub client_id: ClientId,
    /// Its name.
    pub client_name: String,
    /// Space-separated, sorted.
    pub scope: String,
    /// When it was last agreed to.
    pub granted_at: Timestamp,
}

/// Everything a person agreed to, by name of the client.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId) -> Result<Vec<Agreed>> {
    db.all(
        sql!(
            "SELECT a.client_id, c.name AS client_name, a.scope, a.granted_at FROM consent a JOIN client c ON c.id = a.client_id WHERE a.person_id = $1 ORDER BY lower(c.name), a.client_id"
        ),
        &[person],
    )
    .await
}

/// What a person agreed to, by id of the client, those after the last one seen.
///
/// # Errors
/// Any storage error.
pub async fn page_of_person(db: &mut impl Rowish, person: &PersonId, after: &str, limit: i64) -> Result<Page<Agreed>> {
    let rows = db
        .all(
            sql!(
                "SELECT a.client_id, c.name AS client_name, a.scope, a.granted_at FROM consent a JOIN client c ON c.id = a.client_id WHERE a.person_id = $1 AND a.client_id > $2 ORDER BY a.client_id LIMIT $3"
            ),
            &[person, &after, &(limit + 1)],
        )
        .await?;
    Ok(Page::cut(rows, limit))
}

/// What a person agreed to at one client.
///
/// # Errors
/// Any storage error.
pub async fn find(db: &mut impl Rowish, person: &PersonId, client: &ClientId) -> Result<Option<Agreed>> {
    db.opt(
        sql!(
            "SELECT a.client_id, c.name AS client_name, a.scope, a.granted_at FROM consent a JOIN client c ON c.id = a.client_id WHERE a.person_id = $1 AND a.client_id = $2"
        ),
        &[person, client],
    )
    .await
}

/// Forgets what a person agreed to at a client.
///
/// # Errors
/// Any storage error.
pub async fn withdraw(tx: &mut Tx, person: &PersonId, client: &ClientId) -> Result<()> {
    tx.one("consent", sql!("DELETE FROM consent WHERE person_id = $1 AND client_id = $2"), &[person, client]).await
}
