//! Account links: the stored pair person and account in a Space, as the Space acknowledged it (rules A7).

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{PersonId, SpaceId};
use crate::sql;

/// A person's account in a Space, with what is recorded **there**.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct LinkRow {
    /// The Space.
    pub space_id: SpaceId,
    /// The person.
    pub person_id: PersonId,
    /// Account id in the Space, such as `Users-21`.
    pub account_id: String,
    /// User name recorded in the Space.
    pub username: String,
    /// E-mail address recorded in the Space.
    pub email: String,
    /// Display name recorded in the Space.
    pub display_name: String,
    /// Whether the account is active.
    pub active: bool,
    /// Whether the Space itself set it inactive (rules A4).
    pub locally_disabled: bool,
    /// When the Space last said so.
    pub updated_at: Timestamp,
}

/// The link of one person in one Space, if the Space acknowledged one. Works on `&Db` (`&mut &db`) and inside a transaction.
///
/// # Errors
/// Any storage error.
pub async fn find<Q: Rowish>(q: &mut Q, space: &SpaceId, person: &PersonId) -> Result<Option<LinkRow>> {
    q.opt(
        sql!(
            "SELECT space_id, person_id, account_id, username, email, display_name, active, locally_disabled, updated_at FROM account_link WHERE space_id = $1 AND person_id = $2"
        ),
        &[space, person],
    )
    .await
}

/// All links of a person: for the launcher and the person's page.
///
/// # Errors
/// Any storage error.
pub async fn of_person<Q: Rowish>(q: &mut Q, person: &PersonId) -> Result<Vec<LinkRow>> {
    q.all(
        sql!(
            "SELECT space_id, person_id, account_id, username, email, display_name, active, locally_disabled, updated_at FROM account_link WHERE person_id = $1 ORDER BY space_id"
        ),
        &[person],
    )
    .await
}

/// All links of a Space in order of person id, after `after` (`""` for the first page).
///
/// # Errors
/// Any storage error.
pub async fn of_space<Q: Rowish>(q: &mut Q, space: &SpaceId, after: &str, limit: i64) -> Result<Vec<LinkRow>> {
    q.all(
        sql!(
            "SELECT space_id, person_id, account_id, username, email, display_name, active, locally_disabled, updated_at FROM account_link WHERE space_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3"
        ),
        &[space, &after, &limit],
    )
    .await
}

/// Who holds an account of a Space.
///
/// # Errors
/// Any storage error.
pub async fn holder<Q: Rowish>(q: &mut Q, space: &SpaceId, account: &str) -> Result<Option<PersonId>> {
    let row: Option<(PersonId,)> =
        q.opt(sql!("SELECT person_id FROM account_link WHERE space_id = $1 AND account_id = $2"), &[space, &account]).await?;
    Ok(row.map(|(person,)| person))
}

/// Stores a link as the Space reported it. The account belongs to one person: another person's link to it is dropped.
///
/// # Errors
/// Any storage error; [`super::Error::Reference`] for an unknown person.
pub async fn put(tx: &mut Tx, link: &LinkRow) -> Result<()> {
    tx.exec(
        sql!("DELETE FROM account_link WHERE space_id = $1 AND account_id = $2 AND person_id <> $3"),
        &[&link.space_id, &link.account_id, &link.person_id],
    )
    .await?;
    tx.one(
        "account link",
        sql!(
            "INSERT INTO account_link (space_id, person_id, account_id, username, email, display_name, active, locally_disabled, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (space_id, person_id) DO UPDATE SET account_id = excluded.account_id, username = excluded.username, email = excluded.email, display_name = excluded.display_name, active = excluded.active, locally_disabled = excluded.locally_disabled, updated_at = excluded.updated_at"
        ),
        &[
            &link.space_id, &link.person_id, &link.account_id, &link.username, &link.email, &link.display_name, &link.active,
            &link.locally_disabled, &link.updated_at,
        ],
    )
    .await
}

/// Forgets one link: the Space's agent knows no account of the person.
///
/// # Errors
/// Any storage error.
pub async fn remove(tx: &mut Tx, space: &SpaceId, person: &PersonId) -> Result<()> {
    tx.exec(sql!("DELETE FROM account_link WHERE space_id = $1 AND person_id = $2"), &[space, person]).await?;
    Ok(())
}

/// Forgets all links of a Space: its agent was enrolled at another installation, so old account ids mean nothing.
///
/// # Errors
/// Any storage error.
pub async fn forget_space(tx: &mut Tx, space: &SpaceId) -> Result<()> {
    tx.exec(sql!("DELETE FROM account_link WHERE space_id = $1"), &[space]).await?;
    Ok(())
}
