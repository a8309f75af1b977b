//! What dies with access, in the transaction of the change (rules C1): codes, refresh families, sessions, API tokens.

use super::{FromRow, Result, Rowish, Tx};
use crate::core::Timestamp;
use crate::core::ids::{ClientId, GroupId, PersonId, SessionId, SpaceId};
use crate::sql;

/// A person who holds something alive of a client: a code or a token family.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Holder {
    /// Who.
    pub person_id: PersonId,
    /// Of which client.
    pub client_id: ClientId,
}

/// What a person holds.
///
/// # Errors
/// Any storage error.
pub async fn held_by(db: &mut impl Rowish, person: &PersonId, now: Timestamp) -> Result<Vec<Holder>> {
    db.all(
        sql!(
            "SELECT person_id, client_id FROM auth_code WHERE person_id = $1 AND expires_at > $2 UNION SELECT person_id, client_id FROM token_family WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY person_id, client_id"
        ),
        &[person, &now],
    )
    .await
}

/// What the people in a group hold, nested groups included, whatever the times of the edges.
///
/// # Errors
/// Any storage error.
pub async fn held_below(db: &mut impl Rowish, group: &GroupId, now: Timestamp) -> Result<Vec<Holder>> {
    db.all(
        sql!(
            "WITH RECURSIVE down (id) AS (SELECT CAST($1 AS TEXT) UNION SELECT m.member_id FROM membership m JOIN down ON m.group_id = down.id WHERE m.member_kind = 'group'), below (id) AS (SELECT m.member_id FROM membership m WHERE m.member_kind = 'person' AND m.group_id IN (SELECT id FROM down)) SELECT c.person_id, c.client_id FROM auth_code c WHERE c.expires_at > $2 AND c.person_id IN (SELECT id FROM below) UNION SELECT f.person_id, f.client_id FROM token_family f WHERE f.revoked_at IS NULL AND f.expires_at > $2 AND f.person_id IN (SELECT id FROM below) ORDER BY person_id, client_id"
        ),
        &[group, &now],
    )
    .await
}

/// What people hold of a client.
///
/// # Errors
/// Any storage error.
pub async fn held_of_client(db: &mut impl Rowish, client: &ClientId, now: Timestamp) -> Result<Vec<Holder>> {
    db.all(
        sql!(
            "SELECT person_id, client_id FROM auth_code WHERE client_id = $1 AND expires_at > $2 UNION SELECT person_id, client_id FROM token_family WHERE client_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY person_id, client_id"
        ),
        &[client, &now],
    )
    .await
}

/// What people hold of the client of a Space.
///
/// # Errors
/// Any storage error.
pub async fn held_of_space(db: &mut impl Rowish, space: &SpaceId, now: Timestamp) -> Result<Vec<Holder>> {
    let client: Option<(ClientId,)> = db.opt(sql!("SELECT id FROM client WHERE space_id = $1"), &[space]).await?;
    match client {
        Some((client,)) => held_of_client(db, &client, now).await,
        None => Ok(Vec::new()),
    }
}

/// What decides whether a client admits a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Entry to this Space.
    Space(SpaceId),
    /// Being in one of these groups.
    Groups(Vec<GroupId>),
    /// Being active, which the person is or is not.
    Open {
        /// Whether the person is known and active.
        active: bool,
    },
}

/// The door of a client as a person finds it; `None` if there is no such client.
///
/// # Errors
/// Any storage error.
pub async fn door(db: &mut impl Rowish, client: &ClientId, person: &PersonId) -> Result<Option<Door>> {
    let rows: Vec<(Option<SpaceId>, Option<GroupId>, bool)> = db
        .all(
            sql!(
                "SELECT c.space_id, g.group_id, EXISTS (SELECT 1 FROM person p WHERE p.id = $2 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = p.id)) AS active FROM client c LEFT JOIN client_group g ON g.client_id = c.id WHERE c.id = $1 ORDER BY g.group_id"
            ),
            &[client, person],
        )
        .await?;
    let Some((space, _, active)) = rows.first() else { return Ok(None) };
    let open = Door::Open { active: *active };
    if let Some(space) = space {
        return Ok(Some(Door::Space(space.clone())));
    }
    let groups: Vec<_> = rows.into_iter().filter_map(|(_, group, _)| group).collect();
    Ok(Some(if groups.is_empty() { open } else { Door::Groups(groups) }))
}

/// Ends what a person holds of a client: codes are deleted, families revoked.
///
/// # Errors
/// Any storage error.
pub async fn end_of_client(tx: &mut Tx, holder: &Holder, now: Timestamp) -> Result<()> {
    let Holder { person_id, client_id } = holder;
    tx.exec(sql!("DELETE FROM auth_code WHERE person_id = $1 AND client_id = $2"), &[person_id, client_id]).await?;
    tx.exec(
        sql!("UPDATE token_family SET revoked_at = $3 WHERE person_id = $1 AND client_id = $2 AND revoked_at IS NULL"),
        &[person_id, client_id, &now],
    )
    .await?;
    Ok(())
}

/// Ends codes and families of a person at every client.
///
/// # Errors
/// Any storage error.
pub async fn end_tokens(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<()> {
    tx.exec(sql!("DELETE FROM auth_code WHERE person_id = $1"), &[person]).await?;
    tx.exec(sql!("UPDATE token_family SET revoked_at = $2 WHERE person_id = $1 AND revoked_at IS NULL"), &[person, &now]).await?;
    Ok(())
}

/// Ends the sessions of a person, except one if it is given; gives their number.
///
/// # Errors
/// Any storage error.
pub async fn end_sessions(tx: &mut Tx, person: &PersonId, except: Option<&SessionId>, now: Timestamp) -> Result<u64> {
    tx.exec(
        sql!(
            "UPDATE session SET ended_at = $2 WHERE person_id = $1 AND ended_at IS NULL AND (CAST($3 AS TEXT) IS NULL OR id <> $3)"
        ),
        &[person, &now, &except.cloned()],
    )
    .await
}

/// Revokes the API tokens of a person; gives their number.
///
/// # Errors
/// Any storage error.
pub async fn end_api_tokens(tx: &mut Tx, person: &PersonId, now: Timestamp) -> Result<u64> {
    tx.exec(sql!("UPDATE api_token SET revoked_at = $2 WHERE person_id = $1 AND revoked_at IS NULL"), &[person, &now]).await
}
