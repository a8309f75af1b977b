//! What a server says of itself in its root entry.

use super::conn::Connection;
use super::error::{Error, clean};
use super::ids::guid;
use super::proto::{Entry, Search};
use crate::core::ldap::Profile;
use crate::core::ldap_dn::Dn;
use std::collections::BTreeSet;

/// The root entry, as far as we use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Trees that the server holds.
    pub contexts: Vec<String>,
    /// The tree of the domain, in Active Directory.
    pub domain: Option<String>,
    /// Controls that it knows.
    pub controls: BTreeSet<String>,
    /// Who made it.
    pub vendor: String,
    /// Whose habits it has.
    pub profile: Option<Profile>,
    /// Number of its last change, in Active Directory.
    pub usn: Option<i64>,
    /// Entry of the server itself, in Active Directory.
    service: Option<String>,
}

const ATTRIBUTES: [&str; 9] = [
    "namingContexts",
    "defaultNamingContext",
    "supportedControl",
    "supportedCapabilities",
    "vendorName",
    "vendorVersion",
    "highestCommittedUSN",
    "dsServiceName",
    "objectClass",
];

impl Root {
    /// Asks for it.
    ///
    /// # Errors
    /// Any.
    pub async fn read(connection: &mut Connection) -> Result<Self, Error> {
        let mut search = Search::at("", &ATTRIBUTES);
        // some servers send it only when asked for "everything" in both ways
        search.attributes.extend(["*".into(), "+".into()]);
        let entry = connection.entry(&search).await?;
        Ok(entry.map(|e| Self::of(&e)).unwrap_or_default())
    }

    fn of(entry: &Entry) -> Self {
        let list = |name| entry.texts(name).map(str::to_owned).take(1_000).collect::<Vec<String>>();
        let vendor = [entry.text("vendorName"), entry.text("vendorVersion")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let is_ad = entry.texts("supportedCapabilities").any(|c| c == "1.2.840.113556.1.4.800");
        let is_openldap = entry.texts("objectClass").any(|c| c.eq_ignore_ascii_case("OpenLDAProotDSE"));
        let is_389 =
            ["389 project", "389-directory", "fedora", "red hat"].iter().any(|v| vendor.to_ascii_lowercase().contains(v));
        let profile = match (is_ad, is_openldap, is_389) {
            (true, ..) => Some(Profile::ActiveDirectory),
            (_, true, _) => Some(Profile::Openldap),
            (.., true) => Some(Profile::Dirsrv),
            _ => None,
        };
        Self {
            contexts: list("namingContexts"),
            domain: entry.text("defaultNamingContext"),
            controls: list("supportedControl").into_iter().collect(),
            vendor: clean(&vendor),
            profile,
            usn: entry.number("highestCommittedUSN"),
            service: entry.text("dsServiceName"),
        }
    }

    /// Whether the server knows a control.
    #[must_use]
    pub fn knows(&self, control: &str) -> bool {
        self.controls.contains(control)
    }

    /// The tree in which an entry is: the smallest, if they are nested.
    #[must_use]
    pub fn tree_of(&self, dn: &Dn) -> Option<&str> {
        let holds = |tree: &&String| Dn::parse(tree).is_some_and(|t| !t.is_root() && dn.is_within(&t));
        self.contexts.iter().filter(holds).max_by_key(|tree| tree.len()).map(String::as_str)
    }

    /// Which copy of the domain's data this is: changes when a server is restored, so that numbers of changes mean something.
    ///
    /// # Errors
    /// Any.
    pub async fn invocation(&self, connection: &mut Connection) -> Result<Option<String>, Error> {
        let Some(service) = &self.service else { return Ok(None) };
        let entry = connection.entry(&Search::at(service, &["invocationId"])).await?;
        Ok(entry.and_then(|e| e.single("invocationId").and_then(guid)))
    }
}
