//! Directories: Active Directory and other LDAP servers. [`Ldap`] signs people in, sends what changed to whoever keeps it, and
//! tells an administrator what is wrong with the settings.
//!
//! Whatever a server sends is hostile until it has been looked at. From the socket upwards: `conn` takes bounded messages, one
//! operation at a time, each with an end; `ber` and `proto` read them without recursion; `entry` and `ids` believe no length,
//! no number of values and no name; `signin` and `pull` take only entries below the base that was asked.
//!
//! May use: `core`, `net`. What it needs of the world (names, the guard, the time) is handed in as [`World`]; [`Guarded`] is the
//! product's.
//!
//! Example: `Ldap::new(settings, secret, world)?.sign_in("alice@corp.example", "pw", true).await`.

mod ber;
mod check;
mod conn;
mod control;
mod entry;
mod error;
mod groups;
mod guarded;
mod ids;
mod map;
mod proto;
mod pull;
mod root;
mod servers;
mod signin;
mod standing;
mod tls;
mod world;

pub use check::{Finding, Step, Verdict};
pub use error::Error;
pub use guarded::{Guarded, Now};
pub use ids::Sid;
pub use pull::{Counts, Pulled, Skipped};
pub use signin::SignIn;
pub use standing::Standing;
pub use world::{Service, World, system_services};

use crate::core::ldap::{Attributes, Kind, LdapSettings};
use crate::core::ldap_dn::Dn;
use crate::core::ldap_filter::Filter;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// What a directory said of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A person.
    Person(SeenPerson),
    /// A group, with all its members.
    Group(SeenGroup),
    /// This key is no person and no group of ours any more. It may never have been one.
    Gone {
        /// Its key.
        key: String,
    },
}

/// A person as a directory has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPerson {
    /// What never changes.
    pub key: String,
    /// Name of the entry, for people to read.
    pub dn: String,
    /// What to call the account.
    pub label: String,
    /// Name that they type.
    pub username: Option<String>,
    /// Name to show.
    pub name: Option<String>,
    /// Address. What it proves is for others to decide (rules D3).
    pub email: Option<String>,
    /// What keeps them out.
    pub standing: Option<Standing>,
    /// SID, in Active Directory.
    pub sid: Option<String>,
}

/// A group as a directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenGroup {
    /// What never changes.
    pub key: String,
    /// Name of the entry, for people to read.
    pub dn: String,
    /// Name to show.
    pub name: String,
    /// SID, in Active Directory.
    pub sid: Option<String>,
    /// All members, people and groups, each once.
    pub members: Vec<MemberRef>,
}

/// How a directory names a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberRef {
    /// By key: survives renaming.
    Key(String),
    /// By the name of the entry; compare with [`Dn`].
    Dn(String),
    /// By user name (`memberUid`).
    Uid(String),
    /// By SID: somebody of another domain.
    Sid(String),
}

/// Somebody who has just signed in.
pub type Person = SeenPerson;

/// A directory that can be kept in step with.
#[async_trait::async_trait]
pub trait Directory: Send + Sync {
    /// Sends what changed since the last pull, or everything when `since` is nothing or of no use any more: people first, then
    /// groups, in batches of at most 500. `Gone` may come between. Waits when nobody takes.
    ///
    /// # Errors
    /// Any; what was sent until then is right, and the old cursor is still the one to go on from.
    async fn pull(&self, since: Option<&Value>, out: Sender<Vec<Seen>>) -> Result<Pulled, Error>;

    /// Looks at every step from the name of the server to the entries, for an administrator.
    async fn test(&self) -> Vec<Finding>;

    /// Checks a name and a password. With `groups`, also says in which groups the person is, by key.
    ///
    /// # Errors
    /// Anything but a wrong name or password.
    async fn sign_in(&self, name: &str, password: &str, groups: bool) -> Result<SignIn, Error>;

    /// Waits until something may have changed, at most so long; `true`: the directory said so. Only wakes the next pull.
    ///
    /// # Errors
    /// The directory could not be asked.
    async fn wait_for_change(&self, at_most: Duration) -> Result<bool, Error>;
}

/// A connector to one directory.
pub struct Ldap {
    settings: LdapSettings,
    attributes: Attributes,
    people: Place,
    groups: Place,
    servers: servers::Servers,
    world: Arc<dyn World>,
}

/// Where entries of a kind are, and how they are told from others.
struct Place {
    base: String,
    dn: Dn,
    filter: Filter,
}

impl Place {
    /// Whether an entry of this name can be an answer to a question about this place.
    fn holds(&self, dn: &str) -> bool {
        Dn::parse(dn).is_some_and(|dn| dn.is_within(&self.dn))
    }
}

impl std::fmt::Debug for Ldap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ldap").field("profile", &self.settings.profile).field("base", &self.settings.base).finish_non_exhaustive()
    }
}

impl Ldap {
    /// Makes one. `secret` is the password of the service account. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] with what is wrong.
    pub fn new(settings: LdapSettings, secret: String, world: Arc<dyn World>) -> Result<Self, Error> {
        let wrong = |refusal: crate::core::Refusal| {
            Error::Misconfigured(format!("{}: {}", refusal.field.unwrap_or("settings"), refusal.message))
        };
        settings.validate().map_err(wrong)?;
        if !settings.bind_name.is_empty() && secret.is_empty() {
            return Err(Error::Misconfigured("the service account needs a password".into()));
        }
        let place = |base: &str, filter: Filter| {
            let dn = Dn::parse(base).ok_or_else(|| Error::Misconfigured(format!("`{base}` is not a name of an entry")))?;
            Ok::<_, Error>(Place { base: base.to_owned(), dn, filter })
        };
        let people = place(settings.people_base(), settings.people_filter().map_err(wrong)?)?;
        let groups = place(settings.groups_base(), settings.groups_filter().map_err(wrong)?)?;
        let servers = servers::Servers::new(&settings, secret, world.clone())?;
        Ok(Self { attributes: settings.attributes(), settings, people, groups, servers, world })
    }

    fn is_ad(&self) -> bool {
        self.settings.kind() == Kind::Ad
    }
}

#[async_trait::async_trait]
impl Directory for Ldap {
    async fn pull(&self, since: Option<&Value>, out: Sender<Vec<Seen>>) -> Result<Pulled, Error> {
        pull::pull(self, since, out).await
    }

    async fn test(&self) -> Vec<Finding> {
        check::run(self).await
    }

    async fn sign_in(&self, name: &str, password: &str, groups: bool) -> Result<SignIn, Error> {
        signin::sign_in(self, name, password, groups).await
    }

    async fn wait_for_change(&self, at_most: Duration) -> Result<bool, Error> {
        pull::wait(self, at_most).await
    }
}
