//! What "somebody" does in the Space by hand.

use super::state::{Closed, Event, Stored, StoredIdentity, StoredTeam};
use super::{FakeSpace, SOMEBODY};
use crate::adapter::{Account, AdapterError, ApiKey, ExternalGroup, Result, Team};

/// An account that somebody creates.
#[derive(Clone, Debug, Default)]
pub struct LocalAccount {
    /// User name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// Display name.
    pub display_name: String,
    /// Service account.
    pub service: bool,
    /// Pairs of provider name and e-mail claim.
    pub identities: Vec<(String, String)>,
    /// Purposes of API keys to create with it.
    pub keys: Vec<String>,
    /// Ids of teams it becomes a member of; unknown ones are skipped.
    pub teams: Vec<String>,
    /// Id of the account that creates it.
    pub created_by: Option<String>,
}

impl LocalAccount {
    /// A person with a password and nothing else.
    #[must_use]
    pub fn person(username: &str, email: &str) -> Self {
        Self { username: username.into(), email: email.into(), display_name: username.into(), ..Self::default() }
    }
}

impl FakeSpace {
    /// Creates an account, active; returns its id.
    pub fn create_local_account(&self, new: LocalAccount) -> String {
        let mut state = self.state();
        let id = state.number("Users");
        let identities = new.identities.into_iter().map(|(provider, email)| StoredIdentity { provider, email }).collect();
        let keys = new.keys.into_iter().map(|purpose| ApiKey { id: state.number("apikeys"), purpose }).collect();
        let stored = Stored {
            username: new.username,
            email: new.email,
            display_name: new.display_name,
            active: true,
            service: new.service,
            identities,
            keys,
            sessions: 0,
            password: (!new.service).then(|| "local".into()),
            groups: Vec::new(),
            created_by: new.created_by,
        };
        state.accounts.insert(id.clone(), stored);
        state.record("account.created", &id, SOMEBODY);
        for team in new.teams {
            let joined = state.teams.get_mut(&team).is_some_and(|team| team.members.insert(id.clone()));
            if joined {
                state.record("team.changed", &team, SOMEBODY);
            }
        }
        id
    }

    /// Changes an account in any way. Fails if there is none.
    pub fn edit_account(&self, id: &str, edit: impl FnOnce(&mut Stored)) -> Result<()> {
        let mut state = self.state();
        edit(state.stored_mut(id)?);
        state.record("account.changed", id, SOMEBODY);
        Ok(())
    }

    /// Deactivates or activates an account.
    pub fn set_local_active(&self, id: &str, active: bool) -> Result<()> {
        self.edit_account(id, |account| account.active = active)
    }

    /// Deletes an account, also out of its teams.
    pub fn delete_account(&self, id: &str) -> Result<()> {
        let mut state = self.state();
        state.accounts.remove(id).ok_or_else(|| AdapterError::NotFound(id.into()))?;
        for team in state.teams.values_mut() {
            team.members.remove(id);
        }
        state.record("account.deleted", id, SOMEBODY);
        Ok(())
    }

    /// Gives an account an API key; returns its id.
    pub fn create_api_key(&self, account: &str, purpose: &str) -> Result<String> {
        let mut state = self.state();
        let id = state.number("apikeys");
        state.stored_mut(account)?.keys.push(ApiKey { id: id.clone(), purpose: purpose.into() });
        state.record("key.created", account, SOMEBODY);
        Ok(id)
    }

    /// Opens a session for an account.
    pub fn open_session(&self, account: &str) -> Result<()> {
        self.state().stored_mut(account)?.sessions += 1;
        Ok(())
    }

    /// Creates a team; returns its id.
    pub fn create_team(&self, name: &str, inner_space: Option<&str>) -> String {
        let mut state = self.state();
        let id = state.number("Teams");
        let team = StoredTeam { name: name.into(), inner_space: inner_space.map(Into::into), ..StoredTeam::default() };
        state.teams.insert(id.clone(), team);
        state.record("team.created", &id, SOMEBODY);
        id
    }

    /// Changes a team in any way. Fails if there is none.
    pub fn edit_team(&self, id: &str, edit: impl FnOnce(&mut StoredTeam)) -> Result<()> {
        let mut state = self.state();
        edit(state.teams.get_mut(id).ok_or_else(|| AdapterError::NotFound(id.into()))?);
        state.record("team.changed", id, SOMEBODY);
        Ok(())
    }

    /// Puts an account into a team.
    pub fn add_local_member(&self, team: &str, account: &str) -> Result<()> {
        self.edit_team(team, |team| {
            team.members.insert(account.into());
        })
    }

    /// Takes an account out of a team.
    pub fn remove_local_member(&self, team: &str, account: &str) -> Result<()> {
        self.edit_team(team, |team| {
            team.members.remove(account);
        })
    }

    /// Names an external group in a team (a team binding when the id is an ODCM group's).
    pub fn bind_group(&self, team: &str, group: &str, name: &str) -> Result<()> {
        self.edit_team(team, |team| team.external_groups.push(ExternalGroup { id: group.into(), name: name.into() }))
    }

    /// Takes an external group out of a team; its id is compared without case.
    pub fn unbind_group(&self, team: &str, group: &str) -> Result<()> {
        self.edit_team(team, |team| team.external_groups.retain(|bound| !bound.id.eq_ignore_ascii_case(group)))
    }

    /// Takes the right away from the agent's key to see the teams of an inner space.
    pub fn close_space(&self, inner_space: &str) {
        self.close_space_as(inner_space, Closed::Refused);
    }

    /// The same, on a server that says it in another way.
    pub fn close_space_as(&self, inner_space: &str, how: Closed) {
        self.state().closed.insert(inner_space.into(), how);
    }

    /// Gives it back.
    pub fn open_space(&self, inner_space: &str) {
        self.state().closed.remove(inner_space);
    }

    /// Deletes a team.
    pub fn delete_team(&self, id: &str) -> Result<()> {
        let mut state = self.state();
        state.teams.remove(id).ok_or_else(|| AdapterError::NotFound(id.into()))?;
        state.record("team.deleted", id, SOMEBODY);
        Ok(())
    }

    /// An account as the agent would see it.
    #[must_use]
    pub fn look_at_account(&self, id: &str) -> Option<Account> {
        self.state().account(id)
    }

    /// An account with what the contract hides: sessions, password, keys.
    #[must_use]
    pub fn stored_account(&self, id: &str) -> Option<Stored> {
        self.state().accounts.get(id).cloned()
    }

    /// The account with this user name; case is ignored.
    #[must_use]
    pub fn find_account(&self, username: &str) -> Option<Account> {
        let state = self.state();
        let found = state.accounts.iter().find(|(_, stored)| stored.username.eq_ignore_ascii_case(username));
        found.and_then(|(id, _)| state.account(id))
    }

    /// A team as the agent would see it.
    #[must_use]
    pub fn look_at_team(&self, id: &str) -> Option<Team> {
        self.state().team(id)
    }

    /// Everything that was done, oldest first: shows in which order the agent worked.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state().events.iter().cloned().collect()
    }
}
