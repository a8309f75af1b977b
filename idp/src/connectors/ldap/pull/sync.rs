//! Content synchronisation (RFC 4533), refresh only.

use super::changes::{Changes, MOST};
use super::cursor::{Cookie, Cursor};
use crate::connectors::ldap::conn::{Connection, Item};
use crate::connectors::ldap::control::{
    SYNC_DONE, SYNC_INFO, SYNC_STATE, State, SyncInfo, sync_done, sync_info, sync_request, sync_state,
};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::ids::uuid;
use crate::connectors::ldap::proto::{Entry, Search};
use crate::core::ldap_filter::Filter;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// "You need to start again" (RFC 4533 §4).
const REFRESH_REQUIRED: i64 = 4096;

/// What was told.
#[derive(Debug, Default)]
struct Told {
    changed: BTreeSet<String>,
    gone: BTreeSet<String>,
    /// The server names what is there, not what is gone.
    present: bool,
    cookie: Option<Vec<u8>>,
    too_many: bool,
}

impl Told {
    fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let control = entry.controls.iter().find(|c| c.oid == SYNC_STATE).and_then(|c| c.value.as_deref());
        let (state, id) = sync_state(control.ok_or(crate::connectors::ldap::ber::Malformed)?)?;
        match state {
            State::Present => self.present = true,
            State::Changed => self.add(&id, false),
            State::Deleted => self.add(&id, true),
        }
        Ok(())
    }

    fn add(&mut self, id: &[u8; 16], gone: bool) {
        if self.changed.len() + self.gone.len() >= MOST {
            self.too_many = true;
        } else if let Some(id) = uuid(id) {
            if gone {
                self.gone.insert(id)
            } else {
                self.changed.insert(id)
            };
        }
    }

    fn between(&mut self, value: &[u8]) -> Result<(), Error> {
        match sync_info(value)? {
            SyncInfo::Cookie(cookie) => self.cookie = Some(cookie),
            SyncInfo::DeletesNamed => {}
            SyncInfo::PresentNamed | SyncInfo::Ids(false, _) => self.present = true,
            SyncInfo::Ids(true, ids) => ids.iter().for_each(|id| self.add(id, true)),
        }
        Ok(())
    }
}

/// Runs a refresh; nothing when the server wants to start again.
async fn run(
    conn: &mut Connection,
    tree: &str,
    filter: Filter,
    cookie: Option<&[u8]>,
    end: Instant,
) -> Result<Option<Told>, Error> {
    conn.search(&Search::below(tree, filter, &["1.1"]).with(sync_request(cookie))).await?;
    let mut told = Told::default();
    loop {
        match conn.item(conn.deadline().min(end)).await? {
            Item::Entry(entry) => told.entry(&entry)?,
            Item::Between(oid, value) if oid == SYNC_INFO => told.between(&value)?,
            Item::Between(..) => {}
            Item::Done(outcome) if outcome.code == REFRESH_REQUIRED => return Ok(None),
            Item::Done(outcome) if outcome.code != 0 => return Err(Error::refused(outcome.code, &outcome.text)),
            Item::Done(outcome) => {
                let (cookie, deletes_named) = outcome.control(SYNC_DONE).map_or(Ok((None, true)), sync_done)?;
                told.cookie = cookie.or(told.cookie);
                // what changed is there; without the deleted, what was not named at all is gone
                told.present |= !deletes_named && told.cookie.is_some();
                return Ok(Some(told));
            }
        }
    }
}

/// The cookie of this moment.
///
/// # Errors
/// Any.
pub async fn begin(conn: &mut Connection, tree: &str, end: Instant) -> Result<Option<Cookie>, Error> {
    // nothing matches: only the cookie is wanted
    let nothing = Filter::equal("entryUUID", "00000000-0000-0000-0000-000000000000");
    Ok(run(conn, tree, nothing, None, end).await?.and_then(|told| told.cookie).map(Cookie))
}

/// What changed since; nothing when the server can only say what is there.
///
/// # Errors
/// Any.
pub async fn since(conn: &mut Connection, tree: &str, from: Cookie, end: Instant) -> Result<Option<Changes>, Error> {
    let Some(told) = run(conn, tree, Filter::everything(), Some(&from.0), end).await? else { return Ok(None) };
    if told.present || told.too_many {
        return Ok(None);
    }
    let Told { mut changed, gone, cookie, .. } = told;
    changed.retain(|key| !gone.contains(key));
    // no change, no cookie: the old one stays good
    let next = Cursor::Sync { cookie: cookie.map_or(from, Cookie) };
    Ok(Some(Changes { changed, gone, next, usn: None }))
}
