//! Reads entries again of which it is known that they changed, and says what they are now: a person, a group, or nothing of
//! ours any more.

use super::changes::Changes;
use super::full::{groups, people};
use super::members::Resolver;
use super::pages::{Next, Pages};
use super::sink::Sink;
use super::{Known, known};
use crate::connectors::ldap::conn::Connection;
use crate::connectors::ldap::entry::{ExtendedDn, key, key_value};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::ids::Sid;
use crate::connectors::ldap::proto::{Entry, Search};
use crate::connectors::ldap::{Ldap, Place, Seen};
use crate::core::ldap_filter::Filter;
use std::collections::BTreeSet;

/// Most keys of one question.
const PEOPLE: usize = 100;
/// Fewer groups, for their members come along.
const GROUPS: usize = 20;

/// Sends what changed.
///
/// # Errors
/// Any.
pub async fn apply(ldap: &Ldap, conn: &mut Connection, changes: Changes, sink: &mut Sink) -> Result<(), Error> {
    for key in changes.gone {
        sink.put(Seen::Gone { key }).await?;
    }
    if changes.changed.is_empty() {
        return Ok(());
    }
    let known = known(conn).await?;
    let keys: Vec<String> = changes.changed.into_iter().collect();
    let mut found = BTreeSet::new();
    // groups that are not told of, though they have a member more
    let mut primary: BTreeSet<Vec<u8>> = BTreeSet::new();
    for some in keys.chunks(PEOPLE) {
        let mut pages = Pages::new(asking(people(ldap), &ldap.attributes.key, some), None, sink.end);
        while let Some(entry) = next(&mut pages, conn).await? {
            sink.count()?;
            if !is_answer(ldap, &entry, &ldap.people, Some(some)) {
                continue;
            }
            found.extend(key(&entry, &ldap.attributes));
            match ldap.person(&entry) {
                Ok(person) => {
                    primary.extend(primary_of(ldap, &entry, changes.usn));
                    sink.put(Seen::Person(person)).await?;
                }
                Err(why) => sink.hold(&entry.dn, why),
            }
        }
    }
    sink.flush().await?;
    for some in keys.chunks(GROUPS) {
        let search = asking(groups(ldap), &ldap.attributes.key, some);
        send(ldap, conn, &known, search, Some(some), &mut primary, &mut found, sink).await?;
    }
    let values: Vec<Vec<u8>> = primary.iter().cloned().collect();
    for some in values.chunks(GROUPS) {
        let mut search = groups(ldap);
        search.filter = search.filter.and(Filter::any_of(number(ldap), some));
        send(ldap, conn, &known, search, None, &mut primary, &mut found, sink).await?;
    }
    for key in keys {
        if !found.contains(&key) {
            sink.put(Seen::Gone { key }).await?;
        }
    }
    Ok(())
}

/// The attribute of a group that people name as their primary group's.
fn number(ldap: &Ldap) -> &'static str {
    if ldap.is_ad() { "objectSid" } else { "gidNumber" }
}

/// The next entry of a list without pages.
async fn next(pages: &mut Pages, conn: &mut Connection) -> Result<Option<Entry>, Error> {
    loop {
        match pages.next(conn).await? {
            Next::Entry(entry) => return Ok(Some(entry)),
            Next::PageOver => {}
            Next::Over => return Ok(None),
        }
    }
}

async fn send(
    ldap: &Ldap,
    conn: &mut Connection,
    known: &Known,
    search: Search,
    keys: Option<&[String]>,
    primary: &mut BTreeSet<Vec<u8>>,
    found: &mut BTreeSet<String>,
    sink: &mut Sink,
) -> Result<(), Error> {
    let mut resolver = Resolver::new(ldap, known, None);
    let mut pages = Pages::new(search, None, sink.end);
    while let Some(entry) = next(&mut pages, conn).await? {
        sink.count()?;
        if !is_answer(ldap, &entry, &ldap.groups, keys) {
            continue;
        }
        found.extend(key(&entry, &ldap.attributes));
        // sent now, so not once more
        if let Some(value) = entry.single(number(ldap)) {
            primary.remove(value);
        }
        resolver.take(&entry, sink).await?;
    }
    resolver.resolve(conn, sink).await
}

/// A question about these keys.
fn asking(mut search: Search, name: &str, keys: &[String]) -> Search {
    search.filter = search.filter.and(Filter::any_of(name, keys.iter().filter_map(|key| key_value(name, key))));
    search
}

/// Whether it is an answer to the question: what was not asked for, or is elsewhere, is taken for not found.
fn is_answer(ldap: &Ldap, entry: &Entry, place: &Place, keys: Option<&[String]>) -> bool {
    let asked = keys.is_none_or(|keys| key(entry, &ldap.attributes).is_ok_and(|key| keys.contains(&key)));
    asked && place.holds(&ExtendedDn::parse(&entry.dn).dn)
}

/// The primary group of a person, where it is not told of by itself.
///
/// Active Directory changes both groups when a person's primary group is changed, but not the primary group of a new person.
fn primary_of(ldap: &Ldap, entry: &Entry, usn: Option<i64>) -> Option<Vec<u8>> {
    if !ldap.is_ad() {
        return entry.single("gidNumber").map(<[u8]>::to_vec);
    }
    let created = entry.number("uSNCreated");
    if created.zip(usn).is_some_and(|(created, usn)| created <= usn) {
        return None;
    }
    let rid = u32::try_from(entry.number("primaryGroupID")?).ok()?;
    entry.sid().filter(Sid::is_of_a_domain).map(|sid| sid.sibling(rid).to_bytes())
}
