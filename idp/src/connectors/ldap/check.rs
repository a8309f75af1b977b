//! Looks at every step from the name of a server to the entries, and says in words what works, what does not, and what to do.

use super::conn::Connection;
use super::control::{DIRSYNC, PAGED, SYNC_REQUEST};
use super::entry::shown;
use super::error::Error;
use super::proto::{Entry, Search};
use super::pull::Sample;
use super::root::Root;
use super::{Ldap, Place};
use crate::core::ldap::{Profile, Security};
use serde::{Deserialize, Serialize};

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Names of servers.
    Names,
    /// Connection and TLS.
    Connection,
    /// The service account.
    Account,
    /// What kind of server it is.
    Server,
    /// Where entries are.
    Base,
    /// People.
    People,
    /// Groups.
    Groups,
    /// How changes are told.
    Changes,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Well.
    Fine,
    /// Well, but.
    Doubtful,
    /// Not.
    Failed,
}

/// A finding for an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub step: Step,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, and what to do.
    pub text: String,
}

/// Most entries that are counted.
const COUNTED: u32 = 1_000;
/// How many are shown.
const SAMPLES: usize = 3;

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, step: Step, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Finding { step, verdict, text: text.into() });
    }

    fn fine(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Verdict::Fine, text);
    }

    fn doubt(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Verdict::Doubtful, text);
    }

    fn fail(&mut self, step: Step, text: impl Into<String>) {
        self.add(step, Verdict::Failed, text);
    }
}

/// Looks at everything; what cannot be reached ends it.
pub async fn run(ldap: &Ldap) -> Vec<Finding> {
    let mut report = Report::default();
    if ldap.settings.security == Security::Plain {
        report.doubt(Step::Connection, "Names and passwords travel unprotected. Use ldaps or starttls.");
    }
    let Some(mut conn) = connect(ldap, &mut report).await else { return report.0 };
    if account(ldap, &mut conn, &mut report).await
        && let Some(root) = server(ldap, &mut conn, &mut report).await
    {
        let people = bases(&mut conn, &ldap.people, "people", &mut report).await;
        let groups = bases(&mut conn, &ldap.groups, "groups", &mut report).await;
        if people {
            self::people(ldap, &mut conn, &root, &mut report).await;
        }
        if groups && conn.is_sound() {
            self::groups(ldap, &mut conn, &root, &mut report).await;
        }
        if conn.is_sound() {
            changes(ldap, &mut conn, &root, &mut report).await;
        }
    }
    conn.close().await;
    report.0
}

/// Tries every server; goes on with the first that can be used.
async fn connect(ldap: &Ldap, report: &mut Report) -> Option<Connection> {
    let servers = match ldap.servers.list().await {
        Ok(servers) => servers,
        Err(error) => {
            report.fail(Step::Names, format!("{error}."));
            return None;
        }
    };
    let mut first = None;
    for server in servers {
        let (host, port) = &server;
        match ldap.servers.addresses(host, *port).await {
            Ok(addresses) => {
                let list = addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ");
                report.fine(Step::Names, format!("{host} is {list}."));
            }
            Err(error) => {
                report.fail(Step::Names, format!("{error}."));
                continue;
            }
        }
        let most = usize::try_from(ldap.settings.limits.entry_mib).unwrap_or(16) * 1024 * 1024;
        match ldap.servers.open(&server, most).await {
            Ok(connection) => {
                let how = match ldap.settings.security {
                    Security::Ldaps => "with TLS",
                    Security::Starttls => "with TLS (StartTLS)",
                    Security::Plain => "without TLS",
                };
                report.fine(Step::Connection, format!("{host}:{port} answers, {how}."));
                first = first.or(Some(connection));
            }
            Err(error) => report.fail(Step::Connection, format!("{error}.{}", advice(&error))),
        }
    }
    first
}

fn advice(error: &Error) -> &'static str {
    let text = error.to_string();
    if text.contains("no authority") {
        " Paste the certificate of the authority that issued it (PEM) into the settings."
    } else if text.contains("another name") {
        " Use the name that is in the certificate."
    } else if text.contains("takes no connection") {
        " Is the port right, and does a firewall let us through?"
    } else {
        ""
    }
}

async fn account(ldap: &Ldap, conn: &mut Connection, report: &mut Report) -> bool {
    if !ldap.servers.has_service_account() {
        report.doubt(Step::Account, "There is no service account: only what the directory shows to anybody can be read.");
        return true;
    }
    match ldap.servers.bind(conn).await {
        Ok(()) => {
            report.fine(Step::Account, format!("The directory knows {}.", ldap.settings.bind_name));
            true
        }
        Err(error) => {
            let advice = match error.code() {
                Some(8 | 13) => " Use ldaps or starttls.",
                _ => " Look at the name (a DN, or for Active Directory user@domain) and the password.",
            };
            report.fail(Step::Account, format!("{error}.{advice}"));
            false
        }
    }
}

async fn server(ldap: &Ldap, conn: &mut Connection, report: &mut Report) -> Option<Root> {
    let root = match Root::read(conn).await {
        Ok(root) => root,
        Err(error) => {
            report.fail(Step::Server, format!("The server says nothing of itself: {error}."));
            return None;
        }
    };
    let vendor = if root.vendor.is_empty() { "It does not name its maker" } else { &root.vendor };
    let trees = root.contexts.join("; ");
    report.fine(Step::Server, format!("{vendor}. It holds: {trees}."));
    if let Some(found) = root.profile
        && found != ldap.settings.profile
        && !(matches!(ldap.settings.profile, Profile::Posix | Profile::Custom) && found != Profile::ActiveDirectory)
    {
        let name = serde_json::to_string(&found).unwrap_or_default();
        report.doubt(Step::Server, format!("It looks like {name}. Is the profile right?"));
    }
    Some(root)
}

async fn bases(conn: &mut Connection, place: &Place, what: &str, report: &mut Report) -> bool {
    match conn.entry(&Search::at(&place.base, &["objectClass"])).await {
        Ok(Some(_)) => {
            report.fine(Step::Base, format!("{} is there ({what}).", place.base));
            true
        }
        Ok(None) => {
            let words = "There is no such entry, or the service account may not see it.";
            report.fail(Step::Base, format!("{}: {words}", place.base));
            false
        }
        Err(error) => {
            report.fail(Step::Base, format!("{}: {error}.", place.base));
            false
        }
    }
}

/// Counts up to a limit and keeps the first few.
async fn sample(ldap: &Ldap, conn: &mut Connection, root: &Root, search: Search) -> Result<(u32, bool, Vec<Entry>), Error> {
    let pages = root.knows(PAGED).then_some(100);
    let Sample { entries, count, more } = super::pull::sample(conn, search, pages, COUNTED, SAMPLES).await?;
    if more && pages.is_none() {
        tracing::debug!(dir = ?ldap, "counted as far as the server sends without pages");
    }
    Ok((count, more, entries))
}

fn counted(count: u32, more: bool) -> String {
    if more { format!("at least {count}") } else { count.to_string() }
}

async fn people(ldap: &Ldap, conn: &mut Connection, root: &Root, report: &mut Report) {
    let (count, more, entries) = match sample(ldap, conn, root, super::pull::people(ldap)).await {
        Ok(found) => found,
        Err(error) => return report.fail(Step::People, format!("People cannot be listed: {error}.")),
    };
    if count == 0 {
        let words = "No people found below the base with this filter; or the service account may not see them.";
        return report.fail(Step::People, words);
    }
    report.fine(Step::People, format!("Found {} people.", counted(count, more)));
    for entry in &entries {
        match ldap.person(entry) {
            Ok(person) => {
                let a = &ldap.attributes;
                let parts = [(&a.username, &person.username), (&a.name, &person.name), (&a.email, &person.email)];
                let show =
                    |(name, value): (&String, &Option<String>)| format!("{name}: {}", value.as_deref().unwrap_or("missing"));
                let text = parts.map(show).join(", ");
                let verdict = if person.username.is_none() { Verdict::Doubtful } else { Verdict::Fine };
                report.add(Step::People, verdict, format!("{} ({}: {}, {text}).", shown(&person.dn), a.key, person.key));
            }
            Err(why) => report.fail(Step::People, format!("{}: {why}.", shown(&entry.dn))),
        }
    }
}

async fn groups(ldap: &Ldap, conn: &mut Connection, root: &Root, report: &mut Report) {
    let (count, more, entries) = match sample(ldap, conn, root, super::pull::groups(ldap)).await {
        Ok(found) => found,
        Err(error) => return report.fail(Step::Groups, format!("Groups cannot be listed: {error}.")),
    };
    if count == 0 {
        let words = "No groups found below the base with this filter; or the service account may not see them.";
        return report.doubt(Step::Groups, words);
    }
    report.fine(Step::Groups, format!("Found {} groups.", counted(count, more)));
    for entry in &entries {
        let (dn, a) = (shown(&super::entry::ExtendedDn::parse(&entry.dn).dn), &ldap.attributes);
        match super::entry::key(entry, a) {
            Ok(key) => {
                let name = entry.text(&a.group_name).unwrap_or_else(|| "missing".into());
                report.fine(Step::Groups, format!("{dn} ({}: {key}, {}: {name}).", a.key, a.group_name));
            }
            Err(why) => report.fail(Step::Groups, format!("{dn}: {why}.")),
        }
    }
}

async fn changes(ldap: &Ldap, conn: &mut Connection, root: &Root, report: &mut Report) {
    if !root.knows(PAGED) {
        report.doubt(Step::Changes, "The server knows no pages: if it limits how much it sends at once, lists fail.");
    }
    let known = root.knows(DIRSYNC) || root.knows(SYNC_REQUEST);
    match super::pull::how(ldap, conn).await {
        Ok(Some(how)) => report.fine(Step::Changes, format!("What changed is told by {how}.")),
        Ok(None) => report.doubt(Step::Changes, "The server cannot tell what changed: every pull lists everything."),
        Err(error) => report.doubt(Step::Changes, format!("What changed cannot be asked (offered: {known}): {error}.")),
    }
}
