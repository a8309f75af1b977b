//! What a Space in memory remembers.

use super::authentication::Settings;
use super::{AGENT, authentication::ProbeSeen};
use crate::adapter::{Account, AdapterError, ApiKey, Change, Description, ExternalGroup, Provider, Result, Team};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Events kept; a cursor older than the oldest gets "anything may have changed".
const EVENTS_KEPT: usize = 4096;

/// An account with what the contract does not show.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// User name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// Display name.
    pub display_name: String,
    /// Whether it may enter.
    pub active: bool,
    /// Service account.
    pub service: bool,
    /// Identities.
    pub identities: Vec<StoredIdentity>,
    /// API keys, newest last.
    pub keys: Vec<ApiKey>,
    /// Live sessions.
    pub sessions: u32,
    /// The password, if any was ever set.
    pub password: Option<String>,
    /// External groups that its provider said at the last sign-in.
    pub groups: Vec<String>,
    /// Id of the account that created it.
    pub created_by: Option<String>,
}

/// An identity as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIdentity {
    /// `IdentityProviderName`.
    pub provider: String,
    /// E-mail claim.
    pub email: String,
}

/// A team as stored.
#[derive(Clone, Debug, Default)]
pub struct StoredTeam {
    /// Name.
    pub name: String,
    /// Inner space, `None` for a system team.
    pub inner_space: Option<String>,
    /// Account ids.
    pub members: BTreeSet<String>,
    /// External groups.
    pub external_groups: Vec<ExternalGroup>,
    /// Members are fixed.
    pub fixed_members: bool,
    /// Holds administrator rights.
    pub administrative: bool,
}

/// How an inner space is closed to the agent's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its teams are refused.
    Refused,
    /// Its teams are said not to exist.
    NotFound,
    /// Its teams are refused, and it is in no list.
    Unlisted,
}

impl Closed {
    /// What a question for one of its teams gets.
    pub(super) fn answer(self, team: &str) -> AdapterError {
        match self {
            Self::Refused | Self::Unlisted => AdapterError::Denied(format!("nobody may see {team} with this key")),
            Self::NotFound => AdapterError::NotFound(team.into()),
        }
    }
}

/// An entry of the Space's own record of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number, growing by one.
    pub id: u64,
    /// What was done, for example `account.deactivated`.
    pub what: &'static str,
    /// The document, for example `Users-3`.
    pub document: String,
    /// User name of who did it.
    pub by: &'static str,
}

pub(super) struct State {
    pub description: Description,
    pub provider: Provider,
    pub accounts: BTreeMap<String, Stored>,
    pub teams: BTreeMap<String, StoredTeam>,
    /// Inner spaces whose teams the agent's key may not see.
    pub closed: BTreeMap<String, Closed>,
    pub settings: Settings,
    pub probes: Vec<ProbeSeen>,
    pub on_probe: Option<super::authentication::ProbeHook>,
    pub events: VecDeque<Event>,
    next_event: u64,
    next_number: u64,
}

impl State {
    pub fn new(description: Description, provider: Provider) -> Self {
        let mut state = Self {
            description,
            provider,
            accounts: BTreeMap::new(),
            teams: BTreeMap::new(),
            closed: BTreeMap::new(),
            settings: Settings::default(),
            probes: Vec::new(),
            on_probe: None,
            events: VecDeque::new(),
            next_event: 1,
            next_number: 1,
        };
        let admin = state.number("Users");
        let agent = state.number("Users");
        let person = Stored { username: "admin".into(), display_name: "Administrator".into(), ..Stored::default() };
        let service = Stored { username: AGENT.into(), display_name: "ODCM agent".into(), ..Stored::default() };
        let person = Stored { active: true, sessions: 1, password: Some("local".into()), ..person };
        state.accounts.insert(admin.clone(), person);
        state.accounts.insert(agent.clone(), Stored { active: true, service: true, ..service });
        let administrators = StoredTeam {
            name: "Octopus Administrators".into(),
            members: BTreeSet::from([admin, agent]),
            administrative: true,
            ..StoredTeam::default()
        };
        let everyone = StoredTeam { name: "Everyone".into(), fixed_members: true, ..StoredTeam::default() };
        state.teams.insert("teams-administrators".into(), administrators);
        state.teams.insert("teams-everyone".into(), everyone);
        state
    }

    /// A fresh document id.
    pub fn number(&mut self, kind: &str) -> String {
        let id = format!("{kind}-{}", self.next_number);
        self.next_number += 1;
        id
    }

    pub fn record(&mut self, what: &'static str, document: &str, by: &'static str) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event { id: self.next_event, what, document: document.into(), by });
        self.next_event += 1;
    }

    /// The number after the newest event.
    pub fn cursor(&self) -> u64 {
        self.next_event
    }

    /// Changes from `cursor` on; one without documents when the cursor is not of this history.
    pub fn changes(&self, cursor: u64) -> Vec<Change> {
        let oldest = self.events.front().map_or(self.next_event, |event| event.id);
        if cursor > self.next_event || cursor < oldest {
            return vec![Change { documents: Vec::new(), by: None }];
        }
        let newer = self.events.iter().filter(|event| event.id >= cursor);
        newer.map(|event| Change { documents: vec![event.document.clone()], by: Some(event.by.into()) }).collect()
    }

    pub fn stored(&self, id: &str) -> Result<&Stored> {
        self.accounts.get(id).ok_or_else(|| AdapterError::NotFound(id.into()))
    }

    pub fn stored_mut(&mut self, id: &str) -> Result<&mut Stored> {
        self.accounts.get_mut(id).ok_or_else(|| AdapterError::NotFound(id.into()))
    }

    pub fn account(&self, id: &str) -> Option<Account> {
        let stored = self.accounts.get(id)?;
        let ours = stored.identities.iter().find(|identity| identity.provider == self.provider.name);
        Some(Account {
            id: id.into(),
            username: stored.username.clone(),
            email: stored.email.clone(),
            display_name: stored.display_name.clone(),
            active: stored.active,
            service: stored.service,
            may_have_password: !stored.service,
            identities: stored.identities.iter().map(|identity| identity.provider.clone()).collect(),
            our_identity_email: ours.map(|identity| identity.email.clone()),
        })
    }

    /// How a team is hidden from the agent's key, if it is.
    pub fn closed(&self, team: &StoredTeam) -> Option<Closed> {
        self.closed.get(team.inner_space.as_ref()?).copied()
    }

    pub fn team(&self, id: &str) -> Option<Team> {
        let team = self.teams.get(id)?;
        Some(Team {
            id: id.into(),
            name: team.name.clone(),
            inner_space: team.inner_space.clone(),
            members: team.members.clone(),
            external_groups: team.external_groups.clone(),
            can_change_members: !team.fixed_members,
            administrative: team.administrative,
        })
    }

    /// Refuses what a server refuses: names that are empty, too long or taken.
    pub fn check_names(&self, id: Option<&str>, username: &str, display_name: &str) -> Result<()> {
        let invalid = |text: &str| Err(AdapterError::Invalid(text.into()));
        if username.is_empty() || username.chars().count() > 64 {
            return invalid("Username must have 1 to 64 characters.");
        }
        if display_name.is_empty() || display_name.chars().count() > 64 {
            return invalid("DisplayName must have 1 to 64 characters.");
        }
        let taken = self
            .accounts
            .iter()
            .any(|(other, stored)| Some(other.as_str()) != id && stored.username.to_lowercase() == username.to_lowercase());
        if taken { invalid("A user with this username already exists.") } else { Ok(()) }
    }
}
