//! Sign-in sessions and the `sid` of each (session, client). Of the cookie only the SHA-256 is stored.

use super::{Db, Error, FromRow, J, Result, Rowish, Tx, tokens};
use crate::core::Timestamp;
use crate::core::ids::{ClientId, IdentityId, PersonId, SessionId};
use crate::core::session::{Authentication, Session};
use crate::sql;

#[derive(FromRow)]
struct Row {
    id: SessionId,
    person_id: PersonId,
    display_name: String,
    username: String,
    authentications: J<Vec<Authentication>>,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
}

impl Row {
    fn parse(self) -> Result<Session> {
        if self.authentications.0.is_empty() {
            let row = self.id.to_string();
            return Err(Error::Inconsistent { table: "session", column: "authentications", row });
        }
        Ok(Session {
            id: self.id,
            person: self.person_id,
            display_name: self.display_name,
            username: self.username,
            authentications: self.authentications.0,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
        })
    }
}

/// The live session of a cookie, if its person is active. `idle_ms` is the longest time without use.
///
/// # Errors
/// Any storage error.
pub async fn by_cookie(db: &mut impl Rowish, hash: &[u8], now: Timestamp, idle_ms: i64) -> Result<Option<Session>> {
    let row: Option<Row> = db
        .opt(
            sql!(
                "SELECT s.id, s.person_id, p.display_name, p.username, s.authentications, s.created_at, s.last_seen_at, s.expires_at FROM session s JOIN person p ON p.id = s.person_id WHERE s.hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = s.person_id)"
            ),
            &[&hash.to_vec(), &now, &now.plus_ms(-idle_ms)],
        )
        .await?;
    row.map(Row::parse).transpose()
}

/// Whether a session lives and its person is active; idle time does not matter to what was issued before.
///
/// # Errors
/// Any storage error.
pub async fn alive(db: &mut impl Rowish, id: &SessionId, now: Timestamp) -> Result<bool> {
    let row: Option<(SessionId,)> = db
        .opt(
            sql!(
                "SELECT s.id FROM session s WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND NOT EXISTS (SELECT 1 FROM person_disabled d WHERE d.person_id = s.person_id)"
            ),
            &[id, &now],
        )
        .await?;
    Ok(row.is_some())
}

/// Notes the use of a session.
///
/// # Errors
/// Any storage error.
pub async fn touch(db: &Db, id: &SessionId, now: Timestamp) -> Result<()> {
    db.exec(sql!("UPDATE session SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2"), &[id, &now]).await?;
    Ok(())
}

/// Where a sign-in came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Address of the peer.
    pub address: Option<String>,
    /// What the browser says it is.
    pub user_agent: Option<String>,
}

/// Stores a new session under the hash of its cookie.
///
/// # Errors
/// Any storage error.
pub async fn insert(tx: &mut Tx, session: &Session, hash: &[u8], origin: &Origin) -> Result<()> {
    tx.one(
        "session",
        sql!(
            "INSERT INTO session (id, hash, person_id, authentications, created_at, last_seen_at, expires_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        ),
        &[
            &session.id, &hash.to_vec(), &session.person, &J(session.authentications.clone()), &session.created_at,
            &session.last_seen_at, &session.expires_at, &origin.address, &origin.user_agent,
        ],
    )
    .await
}

/// Gives a session a new cookie and a longer list of authentications: the person signed in again.
///
/// # Errors
/// [`Error::Rows`] when it ended meanwhile.
pub async fn renew(tx: &mut Tx, session: &Session, hash: &[u8], origin: &Origin) -> Result<()> {
    tx.one(
        "session renewal",
        sql!(
            "UPDATE session SET hash = $2, authentications = $3, last_seen_at = $4, expires_at = $5, address = $6, user_agent = $7 WHERE id = $1 AND ended_at IS NULL"
        ),
        &[
            &session.id, &hash.to_vec(), &J(session.authentications.clone()), &session.last_seen_at, &session.expires_at,
            &origin.address, &origin.user_agent,
        ],
    )
    .await
}

/// Ends a session of a person, and with it what was issued under it and does not outlive it (see
/// [`tokens::end_of_session`]); gives whether it lived.
///
/// # Errors
/// Any storage error.
pub async fn end(tx: &mut Tx, id: &SessionId, person: &PersonId, now: Timestamp) -> Result<bool> {
    let rows = tx
        .exec(sql!("UPDATE session SET ended_at = $3 WHERE id = $1 AND person_id = $2 AND ended_at IS NULL"), &[id, person, &now])
        .await?;
    if rows == 1 {
        tokens::end_of_session(tx, id, now).await?;
    }
    Ok(rows == 1)
}

/// Ends all sessions of a person but one, and what was issued under them; gives their number.
///
/// # Errors
/// Any storage error.
pub async fn end_others(tx: &mut Tx, person: &PersonId, keep: Option<&SessionId>, now: Timestamp) -> Result<u64> {
    let keep = keep.map_or(String::new(), |id| id.as_str().to_owned());
    tokens::end_of_other_sessions(tx, person, &keep, now).await?;
    tx.exec(
        sql!("UPDATE session SET ended_at = $3 WHERE person_id = $1 AND id <> $2 AND ended_at IS NULL"),
        &[person, &keep, &now],
    )
    .await
}

/// Ends what rests on an identity: every session in which it was used, whoever else vouched later, and everything that was
/// ever issued under such a session, `offline_access` or not. Gives the number of sessions that lived.
///
/// # Errors
/// Any storage error.
pub async fn end_resting_on(tx: &mut Tx, person: &PersonId, identity: &IdentityId, now: Timestamp) -> Result<u64> {
    end_proven_by(tx, person, identity, Timestamp(i64::MAX), now).await
}

/// The same for sessions in which the identity was proven at `until` or before, and not since.
///
/// # Errors
/// Any storage error.
pub async fn end_proven_by(
    tx: &mut Tx,
    person: &PersonId,
    identity: &IdentityId,
    until: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    let rows: Vec<(SessionId, J<Vec<Authentication>>)> =
        tx.all(sql!("SELECT id, authentications FROM session WHERE person_id = $1 ORDER BY id"), &[person]).await?;
    let mut ended = 0;
    for (id, authentications) in rows {
        let newest = authentications.0.iter().filter(|a| a.identity.as_ref() == Some(identity)).map(|a| a.at).max();
        if newest.is_none_or(|at| at > until) {
            continue;
        }
        let s = sql!("UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL");
        ended += tx.exec(s, &[&id, &now]).await?;
        tx.exec(sql!("DELETE FROM auth_code WHERE session_id = $1"), &[&id]).await?;
        tx.exec(sql!("UPDATE token_family SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL"), &[&id, &now])
            .await?;
    }
    Ok(ended)
}

/// A session as its owner and administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Listed {
    /// Its id.
    pub id: SessionId,
    /// How the person proved who they are, oldest first.
    pub authentications: J<Vec<Authentication>>,
    /// Begin.
    pub created_at: Timestamp,
    /// Last use.
    pub last_seen_at: Timestamp,
    /// Latest end.
    pub expires_at: Timestamp,
    /// Address.
    pub address: Option<String>,
    /// Browser.
    pub user_agent: Option<String>,
}

/// Live sessions of a person, newest use first, at most 100.
///
/// # Errors
/// Any storage error.
pub async fn of_person(db: &mut impl Rowish, person: &PersonId, now: Timestamp, idle_ms: i64) -> Result<Vec<Listed>> {
    db.all(
        sql!(
            "SELECT id, authentications, created_at, last_seen_at, expires_at, address, user_agent FROM session WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3 ORDER BY last_seen_at DESC, id LIMIT 100"
        ),
        &[person, &now, &now.plus_ms(-idle_ms)],
    )
    .await
}

/// Whether a `sid` is that of a session at a client.
///
/// # Errors
/// Any storage error.
pub async fn has_client(db: &mut impl Rowish, session: &SessionId, client: &ClientId, sid: &str) -> Result<bool> {
    let row: Option<(String,)> = db
        .opt(
            sql!("SELECT sid FROM client_session WHERE sid = $1 AND session_id = $2 AND client_id = $3"),
            &[&sid, session, client],
        )
        .await?;
    Ok(row.is_some())
}

/// The `sid` of a session at a client; made with `new` the first time.
///
/// # Errors
/// Any storage error.
pub async fn client_session(tx: &mut Tx, session: &SessionId, client: &ClientId, new: &str, now: Timestamp) -> Result<String> {
    if let Some(sid) = sid_of(tx, session, client).await? {
        return Ok(sid);
    }
    tx.exec(
        sql!(
            "INSERT INTO client_session (sid, session_id, client_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (session_id, client_id) DO NOTHING"
        ),
        &[&new, session, client, &now],
    )
    .await?;
    sid_of(tx, session, client).await?.ok_or(Error::Rows { what: "client session", rows: 0 })
}

async fn sid_of(tx: &mut Tx, session: &SessionId, client: &ClientId) -> Result<Option<String>> {
    let row: Option<(String,)> =
        tx.opt(sql!("SELECT sid FROM client_session WHERE session_id = $1 AND client_id = $2"), &[session, client]).await?;
    Ok(row.map(|(sid,)| sid))
}
