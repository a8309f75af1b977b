//! What ODCM remembers of the work of an earlier agent of the Space. An agent that was enrolled anew knows nothing of the
//! accounts that its predecessor created or adopted: without this it could not take from them what ODCM revokes.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An account link as the Space last acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerLink {
    /// Account id, for example `Users-21`.
    pub account: String,
    /// Whether the account was active then.
    pub active: bool,
    /// Whether the Space, not the agent, had set it inactive (rules A4).
    #[serde(default)]
    pub locally_disabled: bool,
}

/// A team that an earlier agent filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerTeam {
    /// The groups of ODCM that it named.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// People whose removal still waits for the one-time confirmation (rules A3). Other managed members that no bound group
    /// names lost their place while there was no agent.
    #[serde(default)]
    pub unswept: BTreeSet<String>,
}

/// Everything that an earlier agent left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    /// Links by person id, also of people who lost the Space meanwhile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, FormerLink>,
    /// Filled teams by team id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, FormerTeam>,
}

impl Inheritance {
    /// Whether there was nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.teams.is_empty()
    }
}
