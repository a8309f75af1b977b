//! What an administrator sets for a directory (Active Directory or another LDAP server), and which settings make no sense. The
//! password of the service account is not among them: it is sealed and given apart.

use super::Refusal;
use super::ldap_dn::Dn;
use super::ldap_filter::{Filter, is_attribute};
pub use super::ldap_profile::{Attributes, GroupStrategy, Kind, Profile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How the way to a server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// TLS from the first byte, port 636.
    #[default]
    Ldaps,
    /// TLS begun by an operation, port 389. Nothing secret is said before.
    Starttls,
    /// None. Only towards hosts that the operator allowed.
    Plain,
}

/// How long and how much; each has a maximum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds for a name, a connection and its TLS.
    pub connect_s: u32,
    /// Seconds for an operation; in long lists, for each entry.
    pub operation_s: u32,
    /// Seconds for a whole pull.
    pub pull_s: u32,
    /// Entries asked for at a time.
    pub page: u32,
    /// Entries taken in one pull.
    pub entries: u32,
    /// Members of one group.
    pub members: u32,
    /// Groups of one person.
    pub groups: u32,
    /// Mebibytes of one entry.
    pub entry_mib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_s: 5,
            operation_s: 15,
            pull_s: 3600,
            page: 500,
            entries: 1_000_000,
            members: 200_000,
            groups: 2_000,
            entry_mib: 16,
        }
    }
}

/// A directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LdapSettings {
    /// Whose habits it has.
    pub profile: Profile,
    /// `host` or `host:port`, tried in this order.
    pub servers: Vec<String>,
    /// Instead of servers: the DNS domain that lists them.
    pub domain: String,
    /// How the way is protected.
    pub security: Security,
    /// Certificates (PEM) of the authorities to trust instead of the system's.
    pub ca: Option<String>,
    /// Name of the service account: a DN, or for Active Directory `svc@corp.example` or `CORP\svc`. Empty: without one.
    pub bind_name: String,
    /// Where everything is.
    pub base: String,
    /// Where people are; empty: the base.
    pub people_base: String,
    /// Who is a person; empty: as the profile says.
    pub people_filter: String,
    /// Where groups are; empty: the base.
    pub groups_base: String,
    /// What is a group; empty: as the profile says.
    pub groups_filter: String,
    /// Which attributes say what.
    pub attributes: Attributes,
    /// Active Directory: short names of the domain; others before a backslash are refused. The first completes a bare name.
    pub netbios: BTreeSet<String>,
    /// Active Directory: what may stand after the `@` of a name; empty: anything.
    pub upn_suffixes: BTreeSet<String>,
    /// How groups are found; nothing: as the profile says.
    pub strategy: Option<GroupStrategy>,
    /// How long and how much.
    pub limits: Limits,
}

const MAX_TEXT: usize = 500;
const MAX_PEM: usize = 64 * 1024;
const MAX_SERVERS: usize = 16;
const MAX_NAMES: usize = 200;

/// A host and its port, if one is named.
///
/// # Errors
/// What is wrong with it.
pub fn host_port(text: &str) -> Result<(String, Option<u16>), String> {
    let bad = || format!("`{}` is not a host such as dc1.corp.example or dc1.corp.example:636", shown(text));
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(bad)?) };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(digits) => Some(digits.parse::<u16>().ok().filter(|p| *p > 0).ok_or_else(bad)?),
        None => None,
    };
    (host.contains(':') || is_host(host)).then(|| (host.to_ascii_lowercase(), port)).ok_or_else(bad)
}

fn is_host(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !l.starts_with('-')
    };
    let number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && (!number || text.parse::<std::net::Ipv4Addr>().is_ok())
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn text(field: &'static str, text: &str, most: usize) -> Result<(), Refusal> {
    if text.len() > most || text.trim() != text || text.chars().any(char::is_control) {
        let message = format!("At most {most} characters, without line breaks or space around them.");
        return Err(Refusal::invalid(field, "ldap.text", message));
    }
    Ok(())
}

fn base(field: &'static str, dn: &str) -> Result<(), Refusal> {
    text(field, dn, MAX_TEXT)?;
    Dn::parse(dn).map(drop).ok_or_else(|| {
        let message = format!("`{}` is not a name such as OU=People,DC=corp,DC=example.", shown(dn));
        Refusal::invalid(field, "ldap.dn", message)
    })
}

fn filter(field: &'static str, text: &str) -> Result<Filter, Refusal> {
    Filter::parse(text).map_err(|why| {
        Refusal::invalid(field, "ldap.filter", format!("This is not a filter such as (objectClass=person): {why}."))
    })
}

fn number(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), Refusal> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Refusal::invalid(field, "ldap.limit", format!("A number from {least} to {most}.")))
}

impl LdapSettings {
    /// How to speak with it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.profile.kind()
    }

    /// Attributes, with what the profile adds.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.attributes.or(self.profile.attributes())
    }

    /// How groups are found.
    #[must_use]
    pub fn strategy(&self) -> GroupStrategy {
        self.strategy.unwrap_or_else(|| self.profile.strategy())
    }

    /// Where people are.
    #[must_use]
    pub fn people_base(&self) -> &str {
        if self.people_base.is_empty() { &self.base } else { &self.people_base }
    }

    /// Where groups are.
    #[must_use]
    pub fn groups_base(&self) -> &str {
        if self.groups_base.is_empty() { &self.base } else { &self.groups_base }
    }

    /// Who is a person.
    ///
    /// # Errors
    /// The filter is none.
    pub fn people_filter(&self) -> Result<Filter, Refusal> {
        let own = &self.people_filter;
        filter("people_filter", if own.is_empty() { self.profile.people_filter() } else { own })
    }

    /// What is a group.
    ///
    /// # Errors
    /// The filter is none.
    pub fn groups_filter(&self) -> Result<Filter, Refusal> {
        let own = &self.groups_filter;
        filter("groups_filter", if own.is_empty() { self.profile.groups_filter() } else { own })
    }

    /// Checks it as a whole.
    ///
    /// # Errors
    /// A refusal that names the field and says what would be right.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.check_servers()?;
        text("bind_name", &self.bind_name, MAX_TEXT)?;
        base("base", &self.base)?;
        base("people_base", &self.people_base)?;
        base("groups_base", &self.groups_base)?;
        if self.people_base().is_empty() || self.groups_base().is_empty() {
            let message = "Name where people and groups are, such as DC=corp,DC=example.";
            return Err(Refusal::invalid("base", "ldap.base", message));
        }
        if self.profile == Profile::Custom {
            for (field, value) in [
                ("people_filter", &self.people_filter),
                ("groups_filter", &self.groups_filter),
                ("attributes.key", &self.attributes.key),
                ("attributes.username", &self.attributes.username),
            ] {
                if value.is_empty() {
                    return Err(Refusal::invalid(field, "ldap.custom", "The profile `custom` knows no usual one: name it."));
                }
            }
        }
        self.people_filter()?;
        self.groups_filter()?;
        self.check_attributes()?;
        self.check_names()?;
        if self.kind() != Kind::Ad && matches!(self.strategy, Some(GroupStrategy::TokenGroups | GroupStrategy::InChain)) {
            return Err(Refusal::invalid("strategy", "ldap.strategy", "Only Active Directory finds groups in this way."));
        }
        let l = &self.limits;
        number("limits.connect_s", l.connect_s, 1, 30)?;
        number("limits.operation_s", l.operation_s, 1, 120)?;
        number("limits.pull_s", l.pull_s, 10, 6 * 3600)?;
        number("limits.page", l.page, 10, 5_000)?;
        number("limits.entries", l.entries, 100, 5_000_000)?;
        number("limits.members", l.members, 100, 1_000_000)?;
        number("limits.groups", l.groups, 10, 20_000)?;
        number("limits.entry_mib", l.entry_mib, 1, 64)
    }

    fn check_servers(&self) -> Result<(), Refusal> {
        let bad = |field, message: String| Err(Refusal::invalid(field, "ldap.servers", message));
        if self.servers.len() > MAX_SERVERS {
            return bad("servers", format!("At most {MAX_SERVERS} servers."));
        }
        for server in &self.servers {
            if let Err(why) = host_port(server) {
                return bad("servers", format!("{why}."));
            }
        }
        match (self.servers.is_empty(), self.domain.is_empty()) {
            (true, true) => bad("servers", "Name servers, or the domain that lists them.".into()),
            (false, false) => bad("domain", "Name servers or a domain, not both.".into()),
            (true, false) if !(is_host(&self.domain) && self.domain.contains('.')) => {
                bad("domain", format!("`{}` is not a domain such as corp.example.", shown(&self.domain)))
            }
            _ => Ok(()),
        }?;
        match &self.ca {
            Some(pem) if pem.len() > MAX_PEM || !pem.contains("-----BEGIN CERTIFICATE-----") => {
                let message = "One or more certificates in PEM (-----BEGIN CERTIFICATE-----), at most 64 KiB.";
                Err(Refusal::invalid("ca", "ldap.ca", message))
            }
            _ => Ok(()),
        }
    }

    fn check_attributes(&self) -> Result<(), Refusal> {
        let a = &self.attributes;
        for (field, name) in [
            ("attributes.key", &a.key),
            ("attributes.username", &a.username),
            ("attributes.name", &a.name),
            ("attributes.email", &a.email),
            ("attributes.member", &a.member),
            ("attributes.member_of", &a.member_of),
            ("attributes.group_name", &a.group_name),
        ] {
            if !name.is_empty() && (!is_attribute(name) || name.contains(';')) {
                let message = format!("`{}` is not the name of an attribute such as displayName.", shown(name));
                return Err(Refusal::invalid(field, "ldap.attribute", message));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Refusal> {
        if self.netbios.len() > MAX_NAMES || self.upn_suffixes.len() > MAX_NAMES {
            return Err(Refusal::invalid("netbios", "ldap.names", format!("At most {MAX_NAMES} names.")));
        }
        let short =
            |n: &String| (1..=15).contains(&n.len()) && !n.contains(|c: char| c.is_control() || "\\/:*?\"<>|@ ".contains(c));
        if let Some(bad) = self.netbios.iter().find(|n| !short(n)) {
            let message = format!("`{}` is not the short name of a domain such as CORP.", shown(bad));
            return Err(Refusal::invalid("netbios", "ldap.netbios", message));
        }
        if let Some(bad) = self.upn_suffixes.iter().find(|s| !is_host(s)) {
            let message = format!("`{}` is not a suffix such as corp.example.", shown(bad));
            return Err(Refusal::invalid("upn_suffixes", "ldap.suffix", message));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "ldap_tests.rs"]
mod tests;
