//! Which entries changed. What they are now is read afterwards, see [`super::reread`].

use super::cursor::{Cookie, Cursor};
use super::full::page;
use super::pages::{Next, Pages};
use super::{Known, sync};
use crate::connectors::ldap::Ldap;
use crate::connectors::ldap::conn::Connection;
use crate::connectors::ldap::control::{DIRSYNC, DOMAIN_SCOPE, SHOW_DELETED, SYNC_REQUEST, dirsync, dirsync_answer, plain};
use crate::connectors::ldap::entry::{is_guid, key};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::proto::{Entry, Search};
use crate::connectors::ldap::root::Root;
use crate::connectors::ldap::standing::{generalized, to_generalized};
use crate::core::ldap_dn::Dn;
use crate::core::ldap_filter::Filter;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Most changed entries that are read one by one; beyond, the list of everything is cheaper.
pub const MOST: usize = 100_000;
/// Most rounds of one DirSync.
const ROUNDS: u32 = 100_000;
/// Seconds by which times overlap: servers of a directory do not agree on the time.
const OVERLAP: i64 = 60;
/// How long the server may think before the first answer to a question about changes.
const THINK: Duration = Duration::from_secs(120);

/// What changed.
#[derive(Debug)]
pub struct Changes {
    /// Keys of what is new or different.
    pub changed: BTreeSet<String>,
    /// Keys of what is gone.
    pub gone: BTreeSet<String>,
    /// Where to go on.
    pub next: Cursor,
    /// In Active Directory, the number of the last change that was known before.
    pub usn: Option<i64>,
}

/// What changed since; nothing when the directory cannot tell.
///
/// # Errors
/// Any.
pub async fn since(
    ldap: &Ldap,
    conn: &mut Connection,
    known: &Known,
    from: Cursor,
    end: Instant,
) -> Result<Option<Changes>, Error> {
    match from {
        Cursor::DirSync { cookie, invocation, usn } => {
            if known.invocation.as_ref() != Some(&invocation) {
                return Ok(None);
            }
            by_dirsync(ldap, conn, known, cookie, usn, end).await
        }
        Cursor::Usn { invocation, usn } => {
            if known.invocation.as_ref() != Some(&invocation) {
                return Ok(None);
            }
            by_usn(ldap, conn, known, usn, end).await
        }
        Cursor::Sync { cookie } => match tree(ldap, known) {
            Some(tree) => sync::since(conn, &tree, cookie, end).await,
            None => Ok(None),
        },
        Cursor::Modified { since } => by_time(ldap, conn, known, &since, end).await,
        Cursor::Nothing => Ok(None),
    }
}

/// Where a pull after a full list goes on; asked before the list.
///
/// # Errors
/// Any.
pub async fn begin(ldap: &Ldap, conn: &mut Connection, known: &Known, end: Instant) -> Result<Cursor, Error> {
    if ldap.is_ad() && is_guid(&ldap.attributes.key) {
        let root = Root::read(conn).await?;
        let (Some(usn), Some(invocation)) = (root.usn, known.invocation.clone()) else { return Ok(Cursor::Nothing) };
        if known.root.knows(DIRSYNC)
            && let Some(tree) = tree(ldap, known)
        {
            // nothing matches: only the cookie is wanted
            match dirsync_run(conn, &tree, Filter::equal("objectGUID", [0; 16]), &["objectGUID"], Vec::new(), end).await {
                Ok((cookie, _)) => return Ok(Cursor::DirSync { cookie: Cookie(cookie), invocation, usn }),
                Err(error @ Error::Refused { .. }) => tracing::info!(%error, "DirSync is refused; numbers of changes are used"),
                Err(error) => return Err(error),
            }
        }
        return Ok(Cursor::Usn { invocation, usn });
    }
    if known.root.knows(SYNC_REQUEST)
        && ldap.attributes.key.eq_ignore_ascii_case("entryUUID")
        && let Some(tree) = tree(ldap, known)
    {
        match sync::begin(conn, &tree, end).await {
            Ok(Some(cookie)) => return Ok(Cursor::Sync { cookie }),
            Ok(None) => {}
            Err(error @ Error::Refused { .. }) => tracing::info!(%error, "content synchronisation is refused; times are used"),
            Err(error) => return Err(error),
        }
    }
    // the time is put in when the list is complete
    Ok(Cursor::Modified { since: String::new() })
}

/// The tree of the server that holds people and groups: what moves out of their bases is still seen there.
fn tree(ldap: &Ldap, known: &Known) -> Option<String> {
    let root = &known.root;
    let tree = match &root.domain {
        Some(domain) if ldap.is_ad() => domain.as_str(),
        _ => root.tree_of(&ldap.people.dn)?,
    };
    let dn = Dn::parse(tree)?;
    (ldap.people.dn.is_within(&dn) && ldap.groups.dn.is_within(&dn)).then(|| tree.to_owned())
}

async fn by_dirsync(
    ldap: &Ldap,
    conn: &mut Connection,
    known: &Known,
    from: Cookie,
    usn: i64,
    end: Instant,
) -> Result<Option<Changes>, Error> {
    let Some(tree) = tree(ldap, known) else { return Ok(None) };
    let Some(invocation) = known.invocation.clone() else { return Ok(None) };
    // an entry is told of only if one of the attributes asked for changed
    let mut attributes = ldap.person_attributes();
    attributes.extend(ldap.group_attributes());
    attributes.extend(["isDeleted", "objectClass", "name", "memberOf"]);
    attributes.retain(|a| !matches!(*a, "uSNChanged" | "uSNCreated" | "memberOf" | "msDS-User-Account-Control-Computed"));
    let (cookie, entries) = dirsync_run(conn, &tree, Filter::everything(), &attributes, from.0, end).await?;
    let Some(entries) = entries else { return Ok(None) };
    let (mut changed, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for (key, deleted) in entries {
        if deleted {
            gone.insert(key)
        } else {
            changed.insert(key)
        };
    }
    changed.retain(|key| !gone.contains(key));
    // the number only tells new people from changed ones, so the old one will do when nothing changed
    let last = if changed.is_empty() { Some(usn) } else { Root::read(conn).await?.usn };
    let next = Cursor::DirSync { cookie: Cookie(cookie), invocation, usn: last.unwrap_or(usn) };
    Ok(Some(Changes { changed, gone, next, usn: Some(usn) }))
}

/// Keys, and whether they are of something deleted; nothing when there are too many.
type Told = Option<Vec<(String, bool)>>;

async fn dirsync_run(
    conn: &mut Connection,
    tree: &str,
    filter: Filter,
    attributes: &[&str],
    mut cookie: Vec<u8>,
    end: Instant,
) -> Result<(Vec<u8>, Told), Error> {
    let guid_only = crate::core::ldap::Profile::ActiveDirectory.attributes();
    let mut told = Some(Vec::new());
    for _ in 0..ROUNDS {
        let search = Search::below(tree, filter.clone(), attributes).with(dirsync(&cookie));
        let mut pages = Pages::new(search, None, end).thinking(THINK);
        loop {
            match pages.next(conn).await? {
                Next::Entry(entry) => {
                    let deleted = entry.text("isDeleted").is_some_and(|t| t.eq_ignore_ascii_case("true"));
                    let full = told.as_ref().is_some_and(|t| t.len() >= MOST);
                    if full {
                        told = None;
                    }
                    if let (Some(told), Ok(key)) = (&mut told, key(&entry, &guid_only)) {
                        told.push((key, deleted));
                    }
                }
                Next::PageOver => {}
                Next::Over => break,
            }
        }
        let value = pages
            .outcome()
            .and_then(|o| o.control(DIRSYNC))
            .ok_or_else(|| Error::Nonsense("the server forgot DirSync's answer".into()))?;
        let (more, next) = dirsync_answer(value)?;
        let stuck = more && next == cookie;
        cookie = next;
        if !more {
            return Ok((cookie, told));
        }
        if stuck {
            break;
        }
    }
    Err(Error::Nonsense("DirSync does not come to an end".into()))
}

async fn by_usn(ldap: &Ldap, conn: &mut Connection, known: &Known, usn: i64, end: Instant) -> Result<Option<Changes>, Error> {
    let (Some(tree), Some(invocation)) = (tree(ldap, known), known.invocation.clone()) else { return Ok(None) };
    let last = match Root::read(conn).await?.usn {
        // lower than before: the server was restored
        Some(last) if last >= usn => last,
        _ => return Ok(None),
    };
    let next = Cursor::Usn { invocation, usn: last };
    let (mut changed, mut gone) = (BTreeSet::new(), BTreeSet::new());
    if last > usn {
        let newer = Filter::AtLeast("uSNChanged".into(), (usn + 1).to_string().into_bytes());
        let search = Search::below(&tree, newer.clone(), &["objectGUID"]).with(plain(DOMAIN_SCOPE, false));
        if !collect(ldap, conn, Pages::new(search, page(ldap, known), end), &mut changed).await? {
            return Ok(None);
        }
        // where the account may not look, there is nothing to see: then only the next full list tells
        let deleted = Filter::equal("isDeleted", "TRUE").and(newer);
        let search =
            Search::below(&format!("CN=Deleted Objects,{tree}"), deleted, &["objectGUID"]).with(plain(SHOW_DELETED, true));
        match collect(ldap, conn, Pages::new(search, page(ldap, known), end), &mut gone).await {
            Ok(true) | Err(Error::Refused { .. }) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(error),
        }
        changed.retain(|key| !gone.contains(key));
    }
    Ok(Some(Changes { changed, gone, next, usn: Some(usn) }))
}

/// Collects keys; `false`: there are too many.
async fn collect(ldap: &Ldap, conn: &mut Connection, mut pages: Pages, into: &mut BTreeSet<String>) -> Result<bool, Error> {
    let mut fits = true;
    loop {
        match pages.next(conn).await? {
            Next::Entry(entry) => match key(&entry, &ldap.attributes) {
                Ok(key) if into.len() < MOST => {
                    into.insert(key);
                }
                Ok(_) => fits = false,
                Err(_) => {}
            },
            Next::PageOver if !fits => return Ok(false),
            Next::PageOver => {}
            Next::Over => return Ok(fits),
        }
    }
}

async fn by_time(ldap: &Ldap, conn: &mut Connection, known: &Known, since: &str, end: Instant) -> Result<Option<Changes>, Error> {
    let Some(from) = generalized(since) else { return Ok(None) };
    let begun = ldap.world.now();
    let mut changed = BTreeSet::new();
    let mut latest = Some(since.to_owned());
    let newer = Filter::AtLeast("modifyTimestamp".into(), to_generalized(from - OVERLAP).into_bytes());
    let mut bases = vec![ldap.people.base.as_str()];
    if ldap.groups.dn != ldap.people.dn {
        bases.push(&ldap.groups.base);
    }
    for base in bases {
        let search = Search::below(base, newer.clone(), &[&ldap.attributes.key, "modifyTimestamp"]);
        let mut pages = Pages::new(search, page(ldap, known), end);
        loop {
            match pages.next(conn).await? {
                Next::Entry(entry) => {
                    later(&mut latest, &entry);
                    if let Ok(key) = key(&entry, &ldap.attributes) {
                        changed.insert(key);
                    }
                    if changed.len() > MOST {
                        return Err(Error::refused(4, "too many entries changed"));
                    }
                }
                Next::PageOver => {}
                Next::Over => break,
            }
        }
    }
    let next = Cursor::Modified { since: no_later(latest, begun) };
    Ok(Some(Changes { changed, gone: BTreeSet::new(), next, usn: None }))
}

/// Notes when an entry was changed, if that is the latest so far.
pub fn later(latest: &mut Option<String>, entry: &Entry) {
    let Some(seconds) = entry.text("modifyTimestamp").and_then(|t| generalized(&t)) else { return };
    if latest.as_deref().and_then(generalized).is_none_or(|l| seconds > l) {
        *latest = Some(to_generalized(seconds));
    }
}

/// The latest time that was seen, but not after the list was begun: what changed while it was read may have been passed by.
pub fn no_later(latest: Option<String>, begun: i64) -> String {
    let seen = latest.as_deref().and_then(generalized);
    seen.map_or(String::new(), |seconds| to_generalized(seconds.min(begun)))
}
