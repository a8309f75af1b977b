//! Everything: people, then groups.

use super::cursor::Cursor;
use super::members::{Primaries, Resolver};
use super::pages::{Next, Pages};
use super::sink::Sink;
use super::{Known, changes};
use crate::connectors::ldap::conn::Connection;
use crate::connectors::ldap::control::{DOMAIN_SCOPE, PAGED, extended_dn, plain};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::proto::Search;
use crate::connectors::ldap::{Ldap, Seen};

/// Most groups of a page: their members wait in memory until the page is over.
const GROUPS: u32 = 100;

/// Entries asked for at a time, if the server knows pages.
pub fn page(ldap: &Ldap, known: &Known) -> Option<u32> {
    (ldap.is_ad() || known.root.knows(PAGED)).then_some(ldap.settings.limits.page)
}

/// A search that stays in its domain.
pub fn scoped(ldap: &Ldap, search: Search) -> Search {
    if ldap.is_ad() { search.with(plain(DOMAIN_SCOPE, false)) } else { search }
}

/// Lists people.
pub fn people(ldap: &Ldap) -> Search {
    let mut attributes = ldap.person_attributes();
    if !ldap.is_ad() {
        attributes.push("modifyTimestamp");
    }
    scoped(ldap, Search::below(&ldap.people.base, ldap.people.filter.clone(), &attributes))
}

/// Lists groups.
pub fn groups(ldap: &Ldap) -> Search {
    let mut attributes = ldap.group_attributes();
    if !ldap.is_ad() {
        attributes.push("modifyTimestamp");
    }
    let search = scoped(ldap, Search::below(&ldap.groups.base, ldap.groups.filter.clone(), &attributes));
    if ldap.is_ad() { search.with(extended_dn()) } else { search }
}

/// Lists everything. Where to go on is asked first: what changes meanwhile is told again, not missed.
///
/// # Errors
/// Any.
pub async fn list(ldap: &Ldap, conn: &mut Connection, known: &Known, sink: &mut Sink) -> Result<Cursor, Error> {
    let begun = ldap.world.now();
    let mut next = changes::begin(ldap, conn, known, sink.end).await?;
    let mut latest: Option<String> = None;
    let mut primaries = Primaries::default();
    let mut pages = Pages::new(people(ldap), page(ldap, known), sink.end);
    loop {
        match pages.next(conn).await? {
            Next::Entry(entry) => {
                sink.count()?;
                changes::later(&mut latest, &entry);
                match ldap.person(&entry) {
                    Ok(person) => {
                        primaries.note(ldap, &entry);
                        sink.put(Seen::Person(person)).await?;
                    }
                    Err(why) => sink.skip(&entry.dn, why),
                }
            }
            Next::PageOver => {}
            Next::Over => break,
        }
    }
    sink.flush().await?;
    let size = page(ldap, known).map(|size| size.min(GROUPS));
    let mut pages = Pages::new(groups(ldap), size, sink.end);
    let mut resolver = Resolver::new(ldap, known, Some(primaries));
    loop {
        match pages.next(conn).await? {
            Next::Entry(entry) => {
                sink.count()?;
                changes::later(&mut latest, &entry);
                resolver.take(&entry, sink).await?;
            }
            Next::PageOver => resolver.resolve(conn, sink).await?,
            Next::Over => break,
        }
    }
    if let Cursor::Modified { since } = &mut next {
        *since = changes::no_later(latest, begun);
    }
    Ok(next)
}
