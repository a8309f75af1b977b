//! The groups of one person, by four ways of finding them. What comes out is the keys of groups that lie below the groups'
//! base and match its filter; what does not is passed over, and not followed.

use super::Ldap;
use super::conn::Connection;
use super::control::{DOMAIN_SCOPE, plain};
use super::entry::key;
use super::error::Error;
use super::ids::Sid;
use super::proto::{Entry, Search};
use crate::core::ldap::GroupStrategy;
use crate::core::ldap_dn::Dn;
use crate::core::ldap_filter::Filter;
use std::collections::{BTreeMap, BTreeSet};

/// Most values in one question.
const CHUNK: usize = 200;
/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 32;

const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// What was found so far: keys by name of the entry.
type Found = BTreeMap<Dn, String>;

fn too_many(ldap: &Ldap) -> Error {
    Error::TooMuch(format!("somebody is in more than {} groups", ldap.settings.limits.groups))
}

fn most(ldap: &Ldap) -> usize {
    usize::try_from(ldap.settings.limits.groups).unwrap_or(usize::MAX)
}

fn search(ldap: &Ldap, filter: Filter) -> Search {
    let a = &ldap.attributes;
    let search = Search::below(&ldap.groups.base, ldap.groups.filter.clone().and(filter), &[&a.key, "objectSid"]);
    if ldap.is_ad() { search.with(plain(DOMAIN_SCOPE, false)) } else { search }
}

/// Adds groups to what was found; returns those that are new. One without a good key is passed over: it can give nothing.
fn add(ldap: &Ldap, found: &mut Found, entries: Vec<Entry>) -> Result<Vec<Entry>, Error> {
    let mut fresh = Vec::new();
    for entry in entries {
        let Some(dn) = Dn::parse(&entry.dn).filter(|dn| dn.is_within(&ldap.groups.dn)) else { continue };
        let Ok(key) = key(&entry, &ldap.attributes) else { continue };
        if found.insert(dn, key).is_none() {
            fresh.push(entry);
        }
        if found.len() > most(ldap) {
            return Err(too_many(ldap));
        }
    }
    Ok(fresh)
}

fn keys(found: Found) -> Vec<String> {
    found.into_values().collect::<BTreeSet<_>>().into_iter().collect()
}

async fn by_sids(ldap: &Ldap, conn: &mut Connection, sids: &[Sid], found: &mut Found) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    for some in sids.chunks(CHUNK) {
        let filter = Filter::any_of("objectSid", some.iter().map(Sid::to_bytes));
        let entries = conn.find(&search(ldap, filter), some.len() * 2).await?;
        all.extend(add(ldap, found, entries)?);
    }
    Ok(all)
}

/// The groups of a person of Active Directory, asked on their own connection.
///
/// # Errors
/// Any.
pub async fn of_ad(ldap: &Ldap, conn: &mut Connection, entry: &Entry, token: &[Sid]) -> Result<Vec<String>, Error> {
    let own = entry.sid();
    let mut found = Found::new();
    if ldap.settings.strategy() == GroupStrategy::TokenGroups {
        let mut sids: Vec<Sid> = token.to_vec();
        if sids.is_empty() {
            let person = conn.entry(&Search::at(&entry.dn, &["tokenGroups"])).await?.unwrap_or_default();
            sids = person.values("tokenGroups").iter().filter_map(|b| Sid::from_bytes(b)).collect();
        }
        sids.retain(|sid| sid.is_of_a_domain() && Some(sid) != own.as_ref());
        sids.sort();
        sids.dedup();
        if sids.len() > most(ldap) {
            return Err(too_many(ldap));
        }
        by_sids(ldap, conn, &sids, &mut found).await?;
        return Ok(keys(found));
    }
    // the primary group is in no member attribute
    let rid = entry.number("primaryGroupID").and_then(|n| u32::try_from(n).ok());
    let primary = own.zip(rid).map(|(sid, rid)| sid.sibling(rid));
    let above = match &primary {
        Some(sid) => by_sids(ldap, conn, std::slice::from_ref(sid), &mut found).await?,
        None => Vec::new(),
    };
    let mut start = vec![entry.dn.clone()];
    start.extend(above.into_iter().map(|e| e.dn));
    walk(ldap, conn, start, None, &mut found).await?;
    Ok(keys(found))
}

/// The groups of a person of another directory, asked by the service account.
///
/// # Errors
/// Any.
pub async fn of_ldap(ldap: &Ldap, conn: &mut Connection, entry: &Entry) -> Result<Vec<String>, Error> {
    let mut found = Found::new();
    if let Some(gid) = entry.text("gidNumber") {
        let filter = Filter::equal("gidNumber", gid);
        let entries = conn.find(&search(ldap, filter), CHUNK).await?;
        add(ldap, &mut found, entries)?;
    }
    let uid = entry.text(&ldap.attributes.username);
    walk(ldap, conn, vec![entry.dn.clone()], uid, &mut found).await?;
    Ok(keys(found))
}

/// Upwards from some entries until nothing new is found.
async fn walk(
    ldap: &Ldap,
    conn: &mut Connection,
    start: Vec<String>,
    uid: Option<String>,
    found: &mut Found,
) -> Result<(), Error> {
    match ldap.settings.strategy() {
        GroupStrategy::MemberOfWalk => by_member_of(ldap, conn, start, found).await,
        GroupStrategy::InChain => {
            for dn in start {
                let rule = Filter::Rule {
                    attribute: ldap.attributes.member.clone(),
                    rule: IN_CHAIN.into(),
                    value: dn.into_bytes(),
                    dn: false,
                };
                let entries = conn.find(&search(ldap, rule), most(ldap)).await?;
                add(ldap, found, entries)?;
            }
            Ok(())
        }
        GroupStrategy::TokenGroups | GroupStrategy::MemberSearchWalk => by_member(ldap, conn, start, uid, found).await,
    }
}

async fn by_member(
    ldap: &Ldap,
    conn: &mut Connection,
    start: Vec<String>,
    uid: Option<String>,
    found: &mut Found,
) -> Result<(), Error> {
    let member = &ldap.attributes.member;
    if member.eq_ignore_ascii_case("memberUid") {
        let Some(uid) = uid else { return Ok(()) };
        let entries = conn.find(&search(ldap, Filter::equal(member, uid)), most(ldap)).await?;
        return add(ldap, found, entries).map(drop);
    }
    let mut level = start;
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for some in level.chunks(CHUNK / 4) {
            let mut either = vec![Filter::any_of(member, some)];
            if !ldap.is_ad() && !member.eq_ignore_ascii_case("uniqueMember") {
                either.push(Filter::any_of("uniqueMember", some));
            }
            let entries = conn.find(&search(ldap, Filter::Or(either)), most(ldap)).await?;
            next.extend(add(ldap, found, entries)?.into_iter().map(|e| e.dn));
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
    }
    Ok(())
}

async fn by_member_of(ldap: &Ldap, conn: &mut Connection, start: Vec<String>, found: &mut Found) -> Result<(), Error> {
    let a = &ldap.attributes;
    let mut seen: BTreeSet<Dn> = BTreeSet::new();
    let mut level = start;
    for depth in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for dn in level {
            let mut search = Search::at(&dn, &[&a.key, &a.member_of]);
            if depth > 0 {
                search.filter = ldap.groups.filter.clone();
            }
            let Some(entry) = conn.entry(&search).await? else { continue };
            // somebody else's entry would bring somebody else's groups
            if Dn::parse(&entry.dn) != Dn::parse(&dn) {
                continue;
            }
            let above: Vec<String> = entry.texts(&a.member_of).map(str::to_owned).collect();
            if depth > 0 {
                add(ldap, found, vec![entry])?;
            }
            for group in above {
                if Dn::parse(&group).is_some_and(|dn| dn.is_within(&ldap.groups.dn) && seen.insert(dn)) {
                    next.push(group);
                }
                if seen.len() > most(ldap) {
                    return Err(too_many(ldap));
                }
            }
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
    }
    Ok(())
}
