//! A name and a password. Active Directory takes names as people type them; elsewhere the name is searched for, and the DN that
//! was found is bound with. Known and unknown names cost the same (rules D1): one question and one bind.

use super::conn::Connection;
use super::entry::shown;
use super::error::Error;
use super::ids::Sid;
use super::proto::{Entry, Outcome, Search};
use super::standing::{BindSays, Standing, ask_for_policy, of_bind};
use super::{Ldap, Person, groups};
use crate::core::ldap_dn::{Dn, escape};
use crate::core::ldap_filter::Filter;

/// Longest name and password that are looked at.
const MAX_NAME: usize = 256;
const MAX_PASSWORD: usize = 1024;

/// How a sign-in went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It is this person.
    In {
        /// Who. `standing` may hold a reservation such as a password that must be changed.
        person: Person,
        /// Keys of their groups, if they were asked for.
        groups: Option<Vec<String>>,
    },
    /// Wrong name or wrong password.
    Wrong,
    /// Not let in for this reason. Active Directory says it only after the right password, except for [`Standing::Locked`];
    /// others may say it before: who shows it may show that the account exists.
    Barred(Standing),
}

/// A name of Active Directory: what is bound with, and who it must turn out to be.
#[derive(Debug, PartialEq, Eq)]
struct AdName {
    bind: String,
    who: Who,
}

#[derive(Debug, PartialEq, Eq)]
enum Who {
    Upn(String),
    Account(String),
    Dn(String),
}

/// Checks a name and a password.
///
/// # Errors
/// Anything but a wrong name or password.
pub async fn sign_in(ldap: &Ldap, name: &str, password: &str, wanted: bool) -> Result<SignIn, Error> {
    let name = name.trim();
    // an empty password would be an anonymous bind, which servers answer with success (RFC 4513 §5.1.2)
    let odd = password.is_empty() || password.len() > MAX_PASSWORD || password.contains('\0');
    if odd || name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Ok(SignIn::Wrong);
    }
    if ldap.is_ad() { active_directory(ldap, name, password, wanted).await } else { other(ldap, name, password, wanted).await }
}

fn is_dn(name: &str) -> bool {
    name.contains('=') && Dn::parse(name).is_some_and(|dn| !dn.is_root())
}

fn ad_name(ldap: &Ldap, name: &str) -> Option<AdName> {
    let settings = &ldap.settings;
    if is_dn(name) {
        return ldap.people.holds(name).then(|| AdName { bind: name.into(), who: Who::Dn(name.into()) });
    }
    if let Some((domain, account)) = name.split_once('\\') {
        let known = settings.netbios.is_empty() || settings.netbios.iter().any(|n| n.eq_ignore_ascii_case(domain));
        let whole = !domain.is_empty() && !account.is_empty() && !account.contains(['\\', '@']);
        return (known && whole).then(|| AdName { bind: name.into(), who: Who::Account(account.into()) });
    }
    if let Some((left, suffix)) = name.rsplit_once('@') {
        let known = settings.upn_suffixes.is_empty() || settings.upn_suffixes.iter().any(|s| s.eq_ignore_ascii_case(suffix));
        return (known && !left.is_empty()).then(|| AdName { bind: name.into(), who: Who::Upn(name.into()) });
    }
    // Active Directory does not take a bare name
    let bind = match (settings.netbios.first(), ldap.people.dn.domain()) {
        (Some(netbios), _) => format!("{netbios}\\{name}"),
        (None, Some(domain)) => format!("{name}@{domain}"),
        (None, None) => return None,
    };
    Some(AdName { bind, who: Who::Account(name.into()) })
}

/// Blames the server for a fault, and passes the fault on.
fn blamed<T>(ldap: &Ldap, connection: &Connection, result: Result<T, Error>) -> Result<T, Error> {
    result.inspect_err(|error| ldap.servers.blame(connection.host(), error))
}

fn verdict(outcome: &Outcome) -> Result<Result<Option<Standing>, SignIn>, Error> {
    match of_bind(outcome) {
        BindSays::Right => Ok(Ok(None)),
        BindSays::RightBut(standing) => Ok(Ok(Some(standing))),
        BindSays::Wrong => Ok(Err(SignIn::Wrong)),
        BindSays::Barred(standing) => Ok(Err(SignIn::Barred(standing))),
        BindSays::Other => Err(Error::refused(outcome.code, &outcome.text)),
    }
}

async fn active_directory(ldap: &Ldap, name: &str, password: &str, wanted: bool) -> Result<SignIn, Error> {
    let Some(name) = ad_name(ldap, name) else { return Ok(SignIn::Wrong) };
    let mut lease = ldap.servers.guest().await?;
    let conn = &mut lease.conn;
    let bound = conn.bind(&name.bind, password, &[]).await;
    let reservation = match verdict(&blamed(ldap, conn, bound)?)? {
        Ok(reservation) => reservation,
        Err(end) => return Ok(end),
    };
    // from here on we are that person: the server says by SID who that is, whatever the name looked like
    let found = who_signed_in(ldap, conn, &name.who).await;
    let (entry, token) = match blamed(ldap, conn, found)? {
        Some(found) => found,
        None => return Ok(SignIn::Wrong),
    };
    let groups = match wanted {
        true => {
            let found = groups::of_ad(ldap, conn, &entry, &token).await;
            Some(blamed(ldap, conn, found)?)
        }
        false => None,
    };
    finish(ldap, &entry, reservation, groups)
}

/// The entry of whoever this connection is bound as, with the SIDs that Active Directory holds for them: their own among them.
async fn who_signed_in(ldap: &Ldap, conn: &mut Connection, who: &Who) -> Result<Option<(Entry, Vec<Sid>)>, Error> {
    let root = conn.entry(&Search::at("", &["tokenGroups"])).await?.unwrap_or_default();
    let token: Vec<Sid> = root.values("tokenGroups").iter().filter_map(|b| Sid::from_bytes(b)).collect();
    let filter = match who {
        Who::Account(account) => Filter::equal("sAMAccountName", account),
        Who::Dn(_) => Filter::everything(),
        Who::Upn(upn) => {
            let account = upn.rsplit_once('@').map_or(upn.as_str(), |(left, _)| left);
            Filter::Or(vec![Filter::equal("userPrincipalName", upn), Filter::equal("sAMAccountName", account)])
        }
    };
    let attributes = ldap.person_attributes();
    let mut search = Search::below(&ldap.people.base, ldap.people.filter.clone().and(filter), &attributes).most(10);
    if let Who::Dn(dn) = who {
        search.base.clone_from(dn);
        search.scope = super::proto::Scope::Base;
    }
    search = search.with(super::control::plain(super::control::DOMAIN_SCOPE, false));
    let (found, outcome) = conn.few(&search, 10).await?;
    if !matches!(outcome.code, 0 | 4 | 32) {
        return Err(Error::refused(outcome.code, &outcome.text));
    }
    let mut mine = found.into_iter().filter(|entry| match (token.is_empty(), who) {
        (false, _) => entry.sid().is_some_and(|sid| token.contains(&sid)),
        // without SIDs a name is only as good as it is unique: an explicit UPN, a DN, an account of the named domain
        (true, Who::Upn(upn)) => entry.text("userPrincipalName").is_some_and(|u| u.eq_ignore_ascii_case(upn)),
        (true, Who::Account(_)) => ldap.settings.netbios.len() == 1,
        (true, Who::Dn(_)) => true,
    });
    match (mine.next(), mine.next()) {
        (Some(one), None) => Ok(Some((one, token))),
        (Some(_), Some(_)) => {
            tracing::warn!("a directory has several entries for one name: nobody signs in with it");
            Ok(None)
        }
        (None, _) => Ok(None),
    }
}

fn finish(ldap: &Ldap, entry: &Entry, reservation: Option<Standing>, groups: Option<Vec<String>>) -> Result<SignIn, Error> {
    let mut person =
        ldap.person(entry).map_err(|why| Error::Nonsense(format!("the entry {} cannot be used: {why}", shown(&entry.dn))))?;
    match person.standing {
        // some servers let them bind all the same
        Some(standing @ (Standing::Disabled | Standing::AccountExpired)) => Ok(SignIn::Barred(standing)),
        _ => {
            person.standing = reservation.or(person.standing);
            Ok(SignIn::In { person, groups })
        }
    }
}

async fn other(ldap: &Ldap, name: &str, password: &str, wanted: bool) -> Result<SignIn, Error> {
    let a = &ldap.attributes;
    let attributes = ldap.person_attributes();
    let mut wide = vec![a.member_of.as_str()];
    wide.extend(attributes);
    let search = if is_dn(name) {
        // a name from elsewhere costs a question too, to which there is no answer
        let (base, filter) = match ldap.people.holds(name) {
            true => (name, ldap.people.filter.clone()),
            false => (ldap.people.base.as_str(), Filter::Not(Box::new(Filter::everything()))),
        };
        Search { filter, ..Search::at(base, &wide) }
    } else {
        let by_name = Filter::equal(&a.username, name);
        let either = if name.contains('@') { Filter::Or(vec![by_name, Filter::equal(&a.email, name)]) } else { by_name };
        Search::below(&ldap.people.base, ldap.people.filter.clone().and(either), &wide).most(2)
    };
    let mut service = ldap.servers.service().await?;
    let asked = service.conn.few(&search, 2).await;
    let (found, outcome) = blamed(ldap, &service.conn, asked)?;
    if !matches!(outcome.code, 0 | 4 | 32) {
        return Err(Error::refused(outcome.code, &outcome.text));
    }
    let one = match found.as_slice() {
        [one] if outcome.code == 0 && ldap.people.holds(&one.dn) && (!is_dn(name) || Dn::parse(&one.dn) == Dn::parse(name)) => {
            Some(one)
        }
        [] | [_] => None,
        _ => {
            tracing::warn!("a directory has several entries for one name: nobody signs in with it");
            None
        }
    };
    // nobody has this DN; binding with it takes as long as with a real one
    let nobody = || format!("{}={},{}", a.username, escape(name), ldap.people.base);
    let dn = one.map_or_else(nobody, |entry| entry.dn.clone());
    let mut guest = ldap.servers.guest().await?;
    let bound = guest.conn.bind(&dn, password, &[ask_for_policy()]).await;
    let said = blamed(ldap, &guest.conn, bound)?;
    guest.conn.close().await;
    let Some(entry) = one else {
        ldap.servers.done(service);
        return match of_bind(&said) {
            BindSays::Other => Err(Error::refused(said.code, &said.text)),
            _ => Ok(SignIn::Wrong),
        };
    };
    let reservation = match verdict(&said)? {
        Ok(reservation) => reservation,
        Err(end) => {
            ldap.servers.done(service);
            return Ok(end);
        }
    };
    let groups = if wanted { Some(groups::of_ldap(ldap, &mut service.conn, entry).await?) } else { None };
    ldap.servers.done(service);
    finish(ldap, entry, reservation, groups)
}

#[cfg(test)]
#[path = "signin_tests.rs"]
mod tests;
