//! What the agent remembers about the Space: never what is true there (it looks), only whose doing it was.

use odcm_space_plugin::Backup;
use odcm_wire::latest::{FleetKey, Inheritance};
use odcm_wire::{Digest, latest::ReportKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// What was agreed at enrolment. Written once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Id of this agent.
    pub agent: String,
    /// Id of the Space.
    pub space: String,
    /// Name of the Space, for people.
    pub space_name: String,
    /// Id of the deployment.
    pub deployment: String,
    /// ODCM's URL as given.
    pub server_url: String,
    /// ODCM's origin: that of `server_url`.
    pub origin: String,
    /// ODCM's pinned keys.
    pub fleet_keys: Vec<FleetKey>,
    /// InstallationId of the Space.
    pub installation_id: String,
    /// Base URL of the Space as told to ODCM.
    pub base_url: String,
    /// Where the agent reaches the Space.
    pub octopus_url: String,
    /// File with the API key of the agent.
    pub octopus_key_file: PathBuf,
    /// Certificates of a private authority for ODCM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to ODCM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Certificates of the private authority that vouches for the Space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octopus_ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to the Space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octopus_proxy: Option<String>,
    /// Plain http to a Space on another host was allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub octopus_plain_http: bool,
    /// Base64 of the seed of the agent's private key.
    pub private_key: String,
}

/// Without the private key and whatever the proxy's URL holds.
impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment")
            .field("agent", &self.agent)
            .field("space", &self.space)
            .field("deployment", &self.deployment)
            .field("origin", &self.origin)
            .field("installation_id", &self.installation_id)
            .finish_non_exhaustive()
    }
}

/// Who set an account inactive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Nobody.
    #[default]
    No,
    /// The agent, or it is about to: it may activate the account again.
    ByUs,
    /// The Space: it stays inactive (rules A4).
    Local,
}

/// The pair person and account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Account id.
    pub account: String,
    /// User name as last read.
    pub username: String,
    /// E-mail address as last read.
    pub email: String,
    /// Display name as last read.
    pub display_name: String,
    /// Active as last read.
    pub active: bool,
    /// Who set it inactive.
    #[serde(default)]
    pub off: Off,
    /// Somebody deleted the account in the Space.
    #[serde(default)]
    pub missing: bool,
    /// The account keeps its own user name (adopted, or the wanted one was taken).
    #[serde(default)]
    pub keep_username: bool,
    /// The person had the Space when this was last looked at.
    #[serde(default)]
    pub granted: bool,
    /// API keys and sessions are still to be ended (rules A9).
    #[serde(default)]
    pub cleanup: bool,
    /// What could not be ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<String>,
}

/// An account that is about to be created: lets a crash between creating and recording be told from a stranger's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creating {
    /// User name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// It is not the wanted user name.
    #[serde(default)]
    pub keep_username: bool,
    /// Complete lists of accounts, read after the request, that did not show it.
    #[serde(default)]
    pub missed: u8,
}

/// What the agent knows of a bound team. Members are account ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRecord {
    /// Added by the agent, or about to be.
    #[serde(default)]
    pub added: BTreeSet<String>,
    /// Managed members at the last look: the base line for finding edits by hand.
    #[serde(default)]
    pub held: BTreeSet<String>,
    /// Accounts that the agent is putting in or taking out: until the round is over, nobody else is blamed for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unsure: BTreeSet<String>,
    /// Managed members that were there before the team was bound and that no bound group names: they stay until a person
    /// confirms (rules A3).
    #[serde(default)]
    pub unswept: BTreeSet<String>,
    /// The groups of ODCM that bound it. One that the team still names binds it also after ODCM took the group back: then
    /// it names nobody.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Its inner space, empty for a team of the system; `None` when nobody has seen it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_space: Option<String>,
}

/// What the agent remembers for section *access*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    /// Links by person id.
    pub links: BTreeMap<String, Link>,
    /// Accounts about to be created, by person id.
    pub creating: BTreeMap<String, Creating>,
    /// Bound teams by team id.
    pub teams: BTreeMap<String, TeamRecord>,
    /// Teams whose confirmation was used (it counts once).
    pub swept: BTreeSet<String>,
    /// Where to go on reading the Space's events.
    pub cursor: Option<String>,
    /// What an earlier agent left, as ODCM remembers it, until it was compared with the Space.
    #[serde(skip_serializing_if = "Inheritance::is_empty")]
    pub inherited: Inheritance,
}

impl Records {
    /// Person of an account.
    #[must_use]
    pub fn person_of(&self, account: &str) -> Option<&str> {
        self.links.iter().find(|(_, link)| link.account == account).map(|(person, _)| person.as_str())
    }

    /// Account ids of all links, with their person.
    #[must_use]
    pub fn managed(&self) -> BTreeMap<&str, &str> {
        self.links.iter().map(|(person, link)| (link.account.as_str(), person.as_str())).collect()
    }
}

/// How far a client secret got (rules B9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretStage {
    /// Made; ODCM does not know its hash yet.
    Made,
    /// ODCM keeps its hash.
    Known,
    /// Written into the Space.
    Written,
}

/// The client secret that the agent made. It stays on this host, so that it can be written again when somebody clears it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// Generation that section *authentication* asked for.
    pub generation: u64,
    /// The secret.
    pub value: String,
    /// How far it got.
    pub stage: SecretStage,
}

impl ClientSecret {
    /// SHA-256 of the secret: all that ODCM learns of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.value.as_bytes())
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSecret").field("generation", &self.generation).field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// What the agent remembers for section *authentication*.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// Settings before ODCM's first write (rules B12).
    pub backup: Option<Backup>,
    /// `restore-auth` was used when ODCM wanted the state with this digest: the agent leaves the settings alone until
    /// ODCM wants something else. A revision that says the same again is nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Digest>,
    /// The client secret.
    pub secret: Option<ClientSecret>,
}

/// What a restart must not make better: the version in use, and that ODCM refused the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Floor {
    /// Wire version used last.
    pub wire: u32,
    /// ODCM refused this agent, and why: until it is accepted again it only takes away (rules B5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A report that ODCM may not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spooled {
    /// When it happened.
    pub at: i64,
    /// What happened.
    pub what: ReportKind,
}

/// Reports that ODCM may not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolFile {
    /// Oldest first.
    pub entries: VecDeque<Spooled>,
    /// How many were thrown away for want of room.
    pub dropped: u64,
}
