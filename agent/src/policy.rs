//! What ODCM may not do here: a file of this host that ODCM cannot change (rules B7).
//!
//! ```toml
//! # policy.toml in the state folder; every key may be left out
//! sections = ["authentication", "access"]   # what ODCM may govern
//! administrator_teams = false               # may fill teams that hold administrator rights
//! adopt_administrators = false              # may take over existing accounts of such teams
//! ```

use crate::AgentError;
use odcm_wire::latest::Section;
use serde::Deserialize;

/// Name of the file in the state folder.
pub const FILE: &str = "policy.toml";

/// The local policy. The default denies what gives ODCM administrator rights over the Space.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Sections that ODCM may govern.
    pub sections: Vec<String>,
    /// Whether teams with administrator rights may be filled (rules A4).
    pub administrator_teams: bool,
    /// Whether existing accounts that are members of such teams may be adopted.
    pub adopt_administrators: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sections: vec![Section::Authentication.as_str().into(), Section::Access.as_str().into()],
            administrator_teams: false,
            adopt_administrators: false,
        }
    }
}

impl Policy {
    /// Reads the text of a policy file.
    ///
    /// # Errors
    /// [`AgentError::Config`] naming the key and what would be right.
    pub fn parse(text: &str) -> Result<Self, AgentError> {
        let policy: Self = toml::from_str(text).map_err(|e| AgentError::Config(format!("{FILE}: {e}")))?;
        let known = [Section::Authentication.as_str(), Section::Access.as_str()];
        match policy.sections.iter().find(|s| !known.contains(&s.as_str())) {
            Some(other) => Err(AgentError::Config(format!(
                "{FILE}: sections: \"{other}\" is no section; there are {}",
                known.map(|k| format!("\"{k}\"")).join(" and ")
            ))),
            None => Ok(policy),
        }
    }

    /// Whether ODCM may govern `section`.
    #[must_use]
    pub fn allows(&self, section: Section) -> bool {
        section != Section::Unknown && self.sections.iter().any(|s| s == section.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_no_administrator_rights() {
        let policy = Policy::parse("").unwrap();
        assert!(!policy.administrator_teams && !policy.adopt_administrators);
        assert!(policy.allows(Section::Access) && policy.allows(Section::Authentication));
        assert!(!policy.allows(Section::Unknown));
    }

    #[test]
    fn unknown_keys_and_sections_are_refused_by_name() {
        let text = |t: &str| Policy::parse(t).unwrap_err().to_string();
        assert!(text("administrator_team = true").contains("administrator_teams"), "names the keys that exist");
        assert!(text("sections = [\"acess\"]").contains("\"acess\" is no section"));
        assert!(text("sections = [\"unknown\"]").contains("is no section"));
    }

    #[test]
    fn sections_can_be_switched_off() {
        let policy = Policy::parse("sections = [\"access\"]").unwrap();
        assert!(policy.allows(Section::Access) && !policy.allows(Section::Authentication));
    }
}
