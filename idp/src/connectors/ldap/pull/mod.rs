//! Keeping in step with a directory. A pull without a cursor lists everything; with one, it first learns which entries changed
//! (by what the server offers: DirSync, numbers of changes, content synchronisation, times), then reads those entries again. So
//! each entry is always judged by the same code, wherever it moved, and whatever filter it now matches or does not.

mod changes;
mod cursor;
mod full;
mod members;
mod pages;
mod reread;
mod sink;
mod sync;
mod watch;

pub use full::{groups, people};
pub use sink::{Counts, Pulled, Skipped};
pub use watch::wait;

use super::conn::Connection;
use super::control::{SHOW_DELETED, paged, plain};
use super::error::Error;
use super::proto::{Entry, Search};
use super::root::Root;
use super::{Ldap, Seen};
use crate::core::ldap_dn::Dn;
use crate::core::ldap_filter::Filter;
use cursor::{Cursor, Stored};
use pages::{Next, Pages};
use serde_json::Value;
use sink::Sink;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

/// What a server said of itself, kept with its connection.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its root entry.
    pub root: Root,
    /// Which copy of the data it has.
    pub invocation: Option<String>,
    /// Active Directory: whether the account may look at what was deleted. An ordinary one may not, neither by DirSync nor by
    /// searching.
    pub sees_deleted: bool,
}

/// Asks a server about itself, once in a connection.
async fn known(conn: &mut Connection) -> Result<Known, Error> {
    if let Some(known) = &conn.known {
        return Ok(known.clone());
    }
    let root = Root::read(conn).await?;
    let invocation = root.invocation(conn).await?;
    let sees_deleted = match &root.domain {
        Some(tree) => sees_deleted(conn, tree).await?,
        None => false,
    };
    let known = Known { root, invocation, sees_deleted };
    conn.known = Some(known.clone());
    Ok(known)
}

/// Whether something deleted can be seen. That the place where it is can be seen means nothing.
async fn sees_deleted(conn: &mut Connection, tree: &str) -> Result<bool, Error> {
    let bin = format!("CN=Deleted Objects,{tree}");
    let deleted = Filter::equal("isDeleted", "TRUE");
    // a page of two, for Samba does not mind the limit
    let search = Search::below(&bin, deleted, &["isDeleted"]).with(plain(SHOW_DELETED, true)).with(paged(2, &[]));
    let (found, _) = conn.few(&search, 2).await?;
    Ok(found.iter().any(|entry| Dn::parse(&entry.dn) != Dn::parse(&bin)))
}

/// See [`super::Directory::pull`].
///
/// # Errors
/// Any.
pub async fn pull(ldap: &Ldap, since: Option<&Value>, out: Sender<Vec<Seen>>) -> Result<Pulled, Error> {
    let end = Instant::now() + Duration::from_secs(ldap.settings.limits.pull_s.into());
    let mut lease = ldap.servers.service().await?;
    let mut sink = Sink::new(out, end, ldap.settings.limits.entries);
    let result = run(ldap, &mut lease.conn, since, &mut sink).await;
    let references = lease.conn.references();
    match result {
        Ok((cursor, whole)) => {
            let tells_gone = match &cursor {
                Cursor::DirSync { .. } | Cursor::Usn { .. } => lease.conn.known.as_ref().is_some_and(|k| k.sees_deleted),
                Cursor::Sync { .. } => true,
                Cursor::Modified { .. } | Cursor::Nothing => false,
            };
            ldap.servers.done(lease);
            if references > 0 {
                tracing::debug!(references, "a directory refers to others; they are not asked");
            }
            sink.finish(Stored::of(ldap, cursor).to_json(), whole, tells_gone).await
        }
        Err(error) => {
            ldap.servers.blame(lease.conn.host(), &error);
            Err(error)
        }
    }
}

/// Where to go on from, and whether everything was listed.
async fn run(ldap: &Ldap, conn: &mut Connection, since: Option<&Value>, sink: &mut Sink) -> Result<(Cursor, bool), Error> {
    let known = known(conn).await?;
    if let Some(cursor) = since.and_then(|v| Stored::read(ldap, v)) {
        match changes::since(ldap, conn, &known, cursor, sink.end).await {
            Ok(Some(changes)) => {
                let next = changes.next.clone();
                reread::apply(ldap, conn, changes, sink).await?;
                return Ok((next, false));
            }
            Ok(None) => tracing::info!("a directory cannot say what changed since the last pull: everything is listed"),
            // an old cookie, a right that was taken away: the list of everything is always right
            Err(error @ Error::Refused { .. }) => {
                tracing::info!(%error, "a directory does not say what changed since the last pull: everything is listed");
            }
            Err(error) => return Err(error),
        }
    }
    let next = full::list(ldap, conn, &known, sink).await?;
    Ok((next, true))
}

/// The beginning of a list, and how long it is.
#[derive(Debug, Default)]
pub struct Sample {
    /// The first entries.
    pub entries: Vec<Entry>,
    /// How many there are, as far as was counted.
    pub count: u32,
    /// There are more.
    pub more: bool,
}

/// Counts entries up to a limit, and keeps the first few.
///
/// # Errors
/// Any.
pub async fn sample(conn: &mut Connection, search: Search, size: Option<u32>, most: u32, keep: usize) -> Result<Sample, Error> {
    let mut pages = Pages::new(search, size, Instant::now() + Duration::from_secs(60));
    let mut sample = Sample::default();
    loop {
        match pages.next(conn).await {
            Ok(Next::Entry(entry)) => {
                sample.count += 1;
                if sample.entries.len() < keep {
                    sample.entries.push(entry);
                }
                // without pages there is no good place to stop before the end
                if sample.count > most.saturating_mul(100) {
                    return Err(Error::TooMuch(format!("{} sends no end of entries", conn.host())));
                }
            }
            Ok(Next::PageOver) if sample.count >= most => return Ok(Sample { more: true, ..sample }),
            Ok(Next::PageOver) => {}
            Ok(Next::Over) => return Ok(sample),
            Err(error) => return Err(error),
        }
    }
}

/// How changes will be told, in words.
///
/// # Errors
/// Any.
pub async fn how(ldap: &Ldap, conn: &mut Connection) -> Result<Option<&'static str>, Error> {
    let known = known(conn).await?;
    let end = Instant::now() + Duration::from_secs(60);
    Ok(match (changes::begin(ldap, conn, &known, end).await?, known.sees_deleted) {
        (Cursor::DirSync { .. }, true) => Some("DirSync, deletions included"),
        (Cursor::DirSync { .. }, false) => {
            Some("DirSync, but deletions only by a full list: the account may not see deleted entries")
        }
        (Cursor::Usn { .. }, true) => Some("numbers of changes (USN), deletions included"),
        (Cursor::Usn { .. }, false) => Some("numbers of changes (USN), but deletions only by a full list"),
        (Cursor::Sync { .. }, _) => Some("content synchronisation (syncrepl), deletions included"),
        (Cursor::Modified { .. }, _) => Some("times of changes, but deletions only by a full list"),
        (Cursor::Nothing, _) => None,
    })
}
