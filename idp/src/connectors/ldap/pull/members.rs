//! The members of groups: all of them, though Active Directory sends them in pieces, and though a primary group names none of
//! those who have it.

use super::Known;
use super::full::{page, scoped};
use super::pages::{Next, Pages};
use super::sink::Sink;
use crate::connectors::ldap::conn::Connection;
use crate::connectors::ldap::control::extended_dn;
use crate::connectors::ldap::entry::{ExtendedDn, is_guid, key};
use crate::connectors::ldap::error::Error;
use crate::connectors::ldap::proto::{Entry, Search};
use crate::connectors::ldap::{Ldap, MemberRef, Seen, SeenGroup};
use crate::core::ldap_filter::Filter;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// Most primary groups that are remembered; beyond, every group is asked about.
const MAX_PRIMARIES: usize = 10_000;
/// How often the pieces of a group that changes meanwhile are begun again.
const AGAIN: u32 = 3;

/// Which primary groups people have, by number.
#[derive(Debug, Default)]
pub struct Primaries(BTreeSet<i64>);

impl Primaries {
    /// Notes the primary group of a person.
    pub fn note(&mut self, ldap: &Ldap, entry: &Entry) {
        if self.0.len() < MAX_PRIMARIES {
            self.0.extend(entry.number(attribute(ldap)));
        }
    }

    fn may_be(&self, number: i64) -> bool {
        self.0.len() >= MAX_PRIMARIES || self.0.contains(&number)
    }
}

/// The attribute of a person that numbers their primary group.
fn attribute(ldap: &Ldap) -> &'static str {
    if ldap.is_ad() { "primaryGroupID" } else { "gidNumber" }
}

/// A group of which something is still to be asked.
struct Open {
    group: SeenGroup,
    /// Where the next piece begins.
    next: Option<usize>,
    usn: Option<i64>,
    primary: Option<i64>,
}

/// Makes groups of entries.
pub struct Resolver<'a> {
    ldap: &'a Ldap,
    known: &'a Known,
    /// Nothing: any group may be somebody's primary group.
    primaries: Option<Primaries>,
    open: Vec<Open>,
}

/// A piece of the members: `member;range=1500-2999`, or `…-*` for the last.
fn range(name: &str, member: &str) -> Option<(usize, Option<usize>)> {
    let (attribute, option) = name.split_once(';')?;
    if !attribute.eq_ignore_ascii_case(member) {
        return None;
    }
    let (from, to) = option.get(..6).filter(|o| o.eq_ignore_ascii_case("range=")).and(option.get(6..))?.split_once('-')?;
    let to = if to == "*" { None } else { Some(to.parse().ok()?) };
    Some((from.parse().ok()?, to))
}

impl<'a> Resolver<'a> {
    /// One for these groups.
    #[must_use]
    pub fn new(ldap: &'a Ldap, known: &'a Known, primaries: Option<Primaries>) -> Self {
        Self { ldap, known, primaries, open: Vec::new() }
    }

    fn most(&self) -> usize {
        usize::try_from(self.ldap.settings.limits.members).unwrap_or(usize::MAX)
    }

    /// Takes an entry: sends it, or keeps it until [`Self::resolve`].
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn take(&mut self, entry: &Entry, sink: &mut Sink) -> Result<(), Error> {
        let dn = ExtendedDn::parse(&entry.dn).dn;
        if !self.ldap.groups.holds(&dn) {
            sink.skip(&dn, "the server sent it, but it is not below the base that was asked for".into());
            return Ok(());
        }
        let a = &self.ldap.attributes;
        let key = match key(entry, a) {
            Ok(key) => key,
            Err(why) => {
                sink.skip(&dn, why);
                return Ok(());
            }
        };
        let sid = entry.sid();
        let number = if self.ldap.is_ad() {
            sid.as_ref().filter(|sid| sid.is_of_a_domain()).and_then(|sid| sid.rid()).map(i64::from)
        } else {
            entry.number("gidNumber")
        };
        let primary = number.filter(|n| self.primaries.as_ref().is_none_or(|p| p.may_be(*n)));
        let name = entry.text(&a.group_name).or_else(|| entry.text("cn")).unwrap_or_else(|| key.clone());
        let mut group = SeenGroup { key, dn, name, sid: sid.map(|sid| sid.to_string()), members: Vec::new() };
        match self.piece(entry, 0, &mut group.members) {
            Ok(None) if primary.is_none() => Self::send(group, self.most(), sink).await,
            Ok(next) => {
                self.open.push(Open { group, next, usn: entry.number("uSNChanged"), primary });
                Ok(())
            }
            Err(why) => {
                sink.hold(&group.dn, why);
                Ok(())
            }
        }
    }

    /// Adds the members that an entry names; says where the next piece begins.
    fn piece(&self, entry: &Entry, from: usize, members: &mut Vec<MemberRef>) -> Result<Option<usize>, String> {
        let member = &self.ldap.attributes.member;
        let mut next = None;
        let mut found = false;
        for (name, values) in &entry.attributes {
            let other = !self.ldap.is_ad() && name.eq_ignore_ascii_case("uniqueMember");
            let taken = if name.eq_ignore_ascii_case(member) || other {
                name.as_str()
            } else if let Some((start, to)) = range(name, member) {
                if start != from || found || (to.is_some() && values.is_empty()) {
                    return Err("the server does not send its members in order".into());
                }
                found = true;
                next = to.map(|_| start.saturating_add(values.len()));
                member
            } else {
                continue;
            };
            members.extend(values.iter().filter_map(|value| self.ldap.member(taken, value)));
        }
        if from > 0 && !found {
            return Err("the server does not send the rest of its members".into());
        }
        if members.len() > self.most() { Err(self.too_many()) } else { Ok(next) }
    }

    fn too_many(&self) -> String {
        format!("it has more than {} members", self.most())
    }

    async fn send(mut group: SeenGroup, most: usize, sink: &mut Sink) -> Result<(), Error> {
        group.members.sort();
        group.members.dedup();
        debug_assert!(group.members.len() <= most, "counted while taken");
        sink.put(Seen::Group(group)).await
    }

    /// Asks what is still to be asked, and sends the groups. Only between searches.
    ///
    /// # Errors
    /// Any.
    pub async fn resolve(&mut self, conn: &mut Connection, sink: &mut Sink) -> Result<(), Error> {
        for open in std::mem::take(&mut self.open) {
            let mut group = open.group;
            let mut fault = None;
            if let Some(next) = open.next {
                fault = self.rest(conn, &mut group, next, open.usn, sink.end).await?;
            }
            if let (None, Some(number)) = (&fault, open.primary) {
                fault = self.having(conn, number, &mut group.members, sink).await?;
            }
            match fault {
                Some(why) => sink.hold(&group.dn, why),
                None => Self::send(group, self.most(), sink).await?,
            }
        }
        Ok(())
    }

    /// The other pieces. Begins again when the group changes meanwhile: pieces of two states make up a third.
    async fn rest(
        &self,
        conn: &mut Connection,
        group: &mut SeenGroup,
        next: usize,
        usn: Option<i64>,
        end: Instant,
    ) -> Result<Option<String>, Error> {
        let a = &self.ldap.attributes;
        let base = if is_guid(&a.key) { format!("<GUID={}>", group.key) } else { group.dn.clone() };
        let (mut from, mut was, mut left) = (next, usn, AGAIN);
        loop {
            if Instant::now() >= end {
                return Err(Error::Slow(conn.host().to_owned(), self.ldap.settings.limits.pull_s.into()));
            }
            let ranged = format!("{};range={from}-*", a.member);
            let search = Search::at(&base, &[&ranged, &a.key, "uSNChanged"]).with(extended_dn());
            let Some(entry) = conn.entry(&search).await? else { return Ok(Some("it was removed meanwhile".into())) };
            if key(&entry, a).as_ref() != Ok(&group.key) {
                return Ok(Some("the server sent another entry in its place".into()));
            }
            let now = entry.number("uSNChanged");
            if now != was {
                left -= 1;
                if left == 0 {
                    return Ok(Some("it changes all the time".into()));
                }
                group.members.clear();
                was = now;
                if from != 0 {
                    from = 0;
                    continue;
                }
            }
            match self.piece(&entry, from, &mut group.members) {
                Ok(Some(further)) => from = further,
                Ok(None) => return Ok(None),
                Err(why) => return Ok(Some(why)),
            }
        }
    }

    /// Those whose primary group it is.
    async fn having(
        &self,
        conn: &mut Connection,
        number: i64,
        members: &mut Vec<MemberRef>,
        sink: &mut Sink,
    ) -> Result<Option<String>, Error> {
        let filter = self.ldap.people.filter.clone().and(Filter::equal(attribute(self.ldap), number.to_string()));
        let search = scoped(self.ldap, Search::below(&self.ldap.people.base, filter, &[&self.ldap.attributes.key]));
        let mut pages = Pages::new(search, page(self.ldap, self.known), sink.end);
        let mut fault = None;
        loop {
            match pages.next(conn).await? {
                Next::Entry(entry) => {
                    if members.len() >= self.most() {
                        // the list is read to its end: the connection is needed
                        fault = Some(self.too_many());
                        sink.count()?;
                    } else if let (true, Ok(key)) = (self.ldap.people.holds(&entry.dn), key(&entry, &self.ldap.attributes)) {
                        members.push(MemberRef::Key(key));
                    }
                }
                Next::PageOver => {}
                Next::Over => return Ok(fault),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_both_forms() {
        assert_eq!(range("member;range=0-1499", "member"), Some((0, Some(1499))));
        assert_eq!(range("Member;Range=1500-*", "member"), Some((1500, None)));
        for bad in ["member", "member;range=", "member;range=a-b", "member;range=1", "member;binary", "x;range=0-1", "member;é"]
        {
            assert_eq!(range(bad, "member"), None, "{bad}");
        }
    }
}
