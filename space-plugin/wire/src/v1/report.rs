//! What an agent tells: acknowledgements, drift, bindings, adoption candidates, alarms.

use super::{Millis, Section};
use crate::Digest;
use serde::{Deserialize, Serialize};

/// How one item of a revision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// True in the Space, read back.
    Applied,
    /// Failed; retried alone with back-off (rules B11).
    Failed,
    /// Waits for the decision about existing accounts (rules A6).
    NeedsDecision,
    /// The Space's own "no" stands (rules A4).
    LocallyDisabled,
    /// Refused by the agent's own policy (rules B7).
    RefusedByPolicy,
    /// A state of a newer version.
    #[serde(other)]
    Other,
}

/// Result of one item. Items are named `person/ID`, `member/GROUP/PERSON`, `team/TEAM` or `setting/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Name of the item.
    pub item: String,
    /// How it ended.
    pub state: ItemState,
    /// A sentence for people, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a revocation could not end (rules A9): password, keys that could not be removed, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<String>,
}

/// The pair person and account, as recorded in the Space (rules A7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLink {
    /// Person id.
    pub person: String,
    /// Account id, for example `Users-21`.
    pub account: String,
    /// User name recorded there.
    pub username: String,
    /// E-mail address recorded there.
    pub email: String,
    /// Display name recorded there.
    pub display_name: String,
    /// Whether the account is active.
    pub active: bool,
    /// Whether the Space, not the agent, set it inactive (rules A4).
    #[serde(default)]
    pub locally_disabled: bool,
}

/// Digest of what the agent read in the Space (rules B2, B6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Digest over the projection that the agent can read.
    pub digest: Digest,
    /// When it was read, on ODCM's clock.
    pub at: Millis,
}

/// A revision is applied in the Space and read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Section.
    pub section: Section,
    /// Epoch.
    pub epoch: u64,
    /// Revision.
    pub revision: u64,
    /// Digest of the document that led there.
    pub doc_digest: Digest,
    /// Fencing number (rules B5).
    pub connection_epoch: u64,
    /// Milliseconds from receipt to read back.
    pub took_ms: u64,
    /// Items that are not simply applied, and every removal.
    #[serde(default)]
    pub items: Vec<ItemResult>,
    /// Account links that are new or changed.
    #[serde(default)]
    pub links: Vec<AccountLink>,
    /// What the Space looks like now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// A team of the Space that names an ODCM group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamBinding {
    /// Team id.
    pub team: String,
    /// Team name.
    pub team_name: String,
    /// Inner space of the team, `None` for a system team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_space: Option<String>,
    /// ODCM group id.
    pub group: String,
    /// The team has administrator rights (rules A4).
    #[serde(default)]
    pub administrative: bool,
    /// The agent fills the team; `false` with the reason in `message`.
    pub managed: bool,
    /// Why it is not managed, or a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One of the spaces inside an Octopus server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InnerSpace {
    /// Id, for example `Spaces-2`.
    pub id: String,
    /// Name; empty if it cannot be read.
    #[serde(default)]
    pub name: String,
}

/// What the agent did about a difference that it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftAction {
    /// Put right.
    Repaired,
    /// Left as it is, because the Space's word counts.
    Respected,
    /// Additions to the item pause: repaired too often (rules B6).
    Paused,
    /// Could not be put right yet.
    Failed,
    /// An action of a newer version.
    #[serde(other)]
    Other,
}

/// Something in the Space was not as wanted, without ODCM having changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Name of the item, as in [`ItemResult`].
    pub item: String,
    /// What was found, for people.
    pub found: String,
    /// Who did it, where the Space's events say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the agent did.
    pub action: DriftAction,
}

/// An account that existed before and may be a person's (rules A6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionCandidate {
    /// Person id.
    pub person: String,
    /// Account id.
    pub account: String,
    /// User name there.
    pub username: String,
    /// E-mail address there, which nobody verified.
    pub email: String,
    /// Display name there.
    pub display_name: String,
    /// What matched: `email`, `username`.
    pub matched_on: Vec<String>,
    /// Whether the account is active.
    pub active: bool,
    /// Whether it may have a local password (`CanPasswordBeEdited`; the server does not say more).
    pub may_have_password: bool,
    /// Number of API keys, if they could be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_keys: Option<u32>,
    /// Names of other identity providers.
    #[serde(default)]
    pub identities: Vec<String>,
    /// Names of its teams.
    #[serde(default)]
    pub teams: Vec<String>,
}

/// A managed account in a newly bound team that no bound group names: removed only after a confirmation (rules A3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepCandidate {
    /// Team id.
    pub team: String,
    /// Team name.
    pub team_name: String,
    /// Person ids.
    pub people: Vec<String>,
}

/// Something an administrator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Stable code, for example `other_base_url`, `fork`, `item_paused`, `policy`, `unknown_section`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What a report is about. Lists are complete: they replace what was reported before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReportKind {
    /// All team bindings.
    Bindings {
        /// The bindings.
        bindings: Vec<TeamBinding>,
    },
    /// Differences found.
    Drift {
        /// The differences.
        items: Vec<Drift>,
    },
    /// All accounts that wait for a decision.
    Candidates {
        /// The candidates.
        candidates: Vec<AdoptionCandidate>,
    },
    /// All teams that wait for the one-time confirmation.
    Sweeps {
        /// The teams.
        sweeps: Vec<SweepCandidate>,
    },
    /// Account links that changed outside a revision.
    Links {
        /// The links.
        links: Vec<AccountLink>,
    },
    /// Items whose state changed outside a revision (a retry that succeeded, a local deactivation).
    Items {
        /// The items.
        items: Vec<ItemResult>,
    },
    /// Result of a look at the Space.
    Seen {
        /// Section looked at.
        section: Section,
        /// Digest and time.
        seen: Seen,
    },
    /// All inner spaces whose teams the agent's key may not see: what is bound there is neither touched nor known, and the
    /// bindings of it that were reported before still stand.
    ClosedSpaces {
        /// The inner spaces.
        spaces: Vec<InnerSpace>,
    },
    /// An alarm.
    Alarm(Alarm),
    /// A report of a newer version: logged, otherwise ignored.
    #[serde(other)]
    Unknown,
}

/// Something the agent saw or did. Kept in a bounded spool while ODCM cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Fencing number of the connection on which it is sent.
    pub connection_epoch: u64,
    /// When it happened, on ODCM's clock.
    pub at: Millis,
    /// What happened.
    pub what: ReportKind,
}
