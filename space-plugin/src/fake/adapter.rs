//! The agent's side of a Space in memory.

use super::state::{Closed, State, Stored, StoredIdentity, StoredTeam};
use super::{AGENT, FakeSpace};
use crate::adapter::{
    Account, AccountChange, AdapterError, ApiKey, AuthenticationSeen, AuthenticationSetUp, Backup, Capability, Change,
    Description, MemberChange, NewAccount, Provider, Result, SpaceAdapter, Team, Teams,
};
use async_trait::async_trait;
use odcm_wire::latest::InnerSpace;
use std::collections::BTreeSet;

#[async_trait]
impl SpaceAdapter for FakeSpace {
    async fn describe(&self) -> Result<Description> {
        self.enter("describe").await?;
        Ok(self.state().description.clone())
    }

    async fn provider(&self) -> Result<Provider> {
        self.enter("provider").await?;
        Ok(self.state().provider.clone())
    }

    async fn authentication(&self) -> Result<AuthenticationSeen> {
        self.enter("authentication").await?;
        Ok(self.state().authentication_seen())
    }

    async fn set_authentication(&self, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen> {
        self.enter("set_authentication").await?;
        let outcome = self.state().set_authentication(set_up);
        self.leave("set_authentication", outcome)
    }

    async fn back_up_authentication(&self, ours: &str) -> Result<Backup> {
        self.enter("back_up_authentication").await?;
        Ok(self.state().back_up(ours))
    }

    async fn restore_authentication(&self, backup: &Backup) -> Result<()> {
        self.enter("restore_authentication").await?;
        let outcome = self.state().restore(backup);
        self.leave("restore_authentication", outcome)
    }

    async fn probe_sign_in(&self, code: &str) -> Result<()> {
        self.enter("probe_sign_in").await?;
        let (seen, hook) = self.state().probe(code)?;
        if let Some(hook) = hook {
            hook(&seen);
        }
        Ok(())
    }

    async fn accounts(&self) -> Result<Vec<Account>> {
        self.enter("accounts").await?;
        let hidden = self.hidden();
        let state = self.state();
        Ok(state.accounts.keys().filter(|id| !hidden.contains(*id)).filter_map(|id| state.account(id)).collect())
    }

    async fn account(&self, id: &str) -> Result<Option<Account>> {
        self.enter("account").await?;
        Ok(self.state().account(id))
    }

    async fn create_account(&self, new: &NewAccount) -> Result<Account> {
        self.enter("create_account").await?;
        let outcome = self.state().create(new);
        self.leave("create_account", outcome)
    }

    async fn change_account(&self, id: &str, change: &AccountChange) -> Result<Account> {
        self.enter("change_account").await?;
        let outcome = self.state().change(id, change);
        self.leave("change_account", outcome)
    }

    async fn api_keys(&self, account: &str) -> Result<Vec<ApiKey>> {
        self.enter("api_keys").await?;
        let state = self.state();
        if !state.description.capabilities.contains(&Capability::ListApiKeys) {
            return Err(AdapterError::Unsupported("list API keys"));
        }
        Ok(state.stored(account)?.keys.clone())
    }

    async fn delete_api_key(&self, account: &str, key: &str) -> Result<()> {
        self.enter("delete_api_key").await?;
        let outcome = self.state().delete_key(account, key);
        self.leave("delete_api_key", outcome)
    }

    async fn end_sessions(&self, account: &str) -> Result<()> {
        self.enter("end_sessions").await?;
        let outcome = self.state().end_sessions(account);
        self.leave("end_sessions", outcome)
    }

    async fn created_service_accounts(&self, account: &str) -> Result<Vec<Account>> {
        self.enter("created_service_accounts").await?;
        let state = self.state();
        if !state.description.capabilities.contains(&Capability::EventCursor) {
            return Err(AdapterError::Unsupported("tell who created its accounts"));
        }
        let created = |stored: &Stored| stored.service && stored.active && stored.created_by.as_deref() == Some(account);
        Ok(state.accounts.iter().filter(|(_, stored)| created(stored)).filter_map(|(id, _)| state.account(id)).collect())
    }

    async fn teams_of(&self, account: &str) -> Result<BTreeSet<String>> {
        self.enter("teams_of").await?;
        let state = self.state();
        let groups = &state.stored(account)?.groups;
        let theirs = |team: &&StoredTeam| {
            team.members.contains(account)
                || team.external_groups.iter().any(|g| groups.iter().any(|k| k.eq_ignore_ascii_case(&g.id)))
        };
        // The server names only teams that the caller may see.
        let shown = state.teams.iter().filter(|(_, team)| theirs(team) && state.closed(team).is_none());
        Ok(shown.map(|(id, _)| id.clone()).collect())
    }

    async fn teams(&self) -> Result<Teams> {
        self.enter("teams").await?;
        let hidden = self.hidden();
        let state = self.state();
        let shown = state.teams.iter().filter(|(id, team)| !hidden.contains(*id) && state.closed(team).is_none());
        let listed = state.closed.iter().filter(|(_, how)| **how != Closed::Unlisted);
        let closed = listed.map(|(id, _)| InnerSpace { id: id.clone(), name: format!("Space {id}") }).collect();
        Ok(Teams { seen: shown.filter_map(|(id, _)| state.team(id)).collect(), closed })
    }

    async fn team(&self, id: &str) -> Result<Option<Team>> {
        self.enter("team").await?;
        let state = self.state();
        match state.teams.get(id).and_then(|team| state.closed(team)) {
            Some(Closed::NotFound) => Ok(None),
            Some(how) => Err(how.answer(id)),
            None => Ok(state.team(id)),
        }
    }

    async fn change_members(&self, team: &str, change: &MemberChange) -> Result<Team> {
        self.enter("change_members").await?;
        let outcome = self.state().change_members(team, change);
        self.leave("change_members", outcome)
    }

    async fn changes_since(&self, cursor: Option<&str>) -> Result<(Vec<Change>, String)> {
        self.enter("changes_since").await?;
        let state = self.state();
        let next = state.cursor().to_string();
        let Some(cursor) = cursor else { return Ok((Vec::new(), next)) };
        // A cursor that is no number is of another history: the number after all others says the same.
        Ok((state.changes(cursor.parse().unwrap_or(u64::MAX)), next))
    }
}

impl State {
    fn create(&mut self, new: &NewAccount) -> Result<Account> {
        self.check_names(None, &new.username, &new.display_name)?;
        let id = self.number("Users");
        let ours = StoredIdentity { provider: self.provider.name.clone(), email: new.email.clone() };
        let stored = Stored {
            username: new.username.clone(),
            email: new.email.clone(),
            display_name: new.display_name.clone(),
            active: true,
            identities: vec![ours],
            ..Stored::default()
        };
        self.accounts.insert(id.clone(), stored);
        self.record("account.created", &id, AGENT);
        self.account(&id).ok_or(AdapterError::NotFound(id))
    }

    fn change(&mut self, id: &str, change: &AccountChange) -> Result<Account> {
        let before = self.stored(id)?.clone();
        let mut after = before.clone();
        let set = |field: &mut String, wanted: &Option<String>| {
            if let Some(wanted) = wanted {
                field.clone_from(wanted);
            }
        };
        set(&mut after.username, &change.username);
        set(&mut after.email, &change.email);
        set(&mut after.display_name, &change.display_name);
        after.active = change.active.unwrap_or(before.active);
        self.check_names(Some(id), &after.username, &after.display_name)?;
        let name = &self.provider.name;
        if change.remove_foreign_identities {
            after.identities.retain(|identity| identity.provider == *name);
        }
        let email = after.email.clone();
        match after.identities.iter_mut().find(|identity| identity.provider == *name) {
            Some(ours) if change.ensure_our_identity || change.email.is_some() => ours.email = email,
            None if change.ensure_our_identity => {
                after.identities.push(StoredIdentity { provider: name.clone(), email });
            }
            _ => {}
        }
        if let Some(password) = &change.password {
            if after.service {
                return Err(AdapterError::Invalid("Passwords cannot be set for service user accounts.".into()));
            }
            after.password = Some(password.clone());
            after.sessions = 0;
        }
        if let Some(what) = what_changed(&before, &after) {
            *self.stored_mut(id)? = after;
            self.record(what, id, AGENT);
        }
        self.account(id).ok_or_else(|| AdapterError::NotFound(id.into()))
    }

    fn delete_key(&mut self, account: &str, key: &str) -> Result<()> {
        let stored = self.stored_mut(account)?;
        let before = stored.keys.len();
        stored.keys.retain(|kept| kept.id != key);
        if stored.keys.len() < before {
            self.record("key.deleted", account, AGENT);
        }
        Ok(())
    }

    fn end_sessions(&mut self, account: &str) -> Result<()> {
        if !self.description.capabilities.contains(&Capability::RevokeSessions) {
            return Err(AdapterError::Unsupported("end sessions"));
        }
        self.stored_mut(account)?.sessions = 0;
        self.record("sessions.ended", account, AGENT);
        Ok(())
    }

    fn change_members(&mut self, id: &str, change: &MemberChange) -> Result<Team> {
        if let Some(how) = self.teams.get(id).and_then(|team| self.closed(team)) {
            return Err(how.answer(id));
        }
        let Self { teams, accounts, .. } = self;
        let team = teams.get_mut(id).ok_or_else(|| AdapterError::NotFound(id.into()))?;
        if team.fixed_members {
            return Err(AdapterError::Invalid(format!("{id} does not let its members be changed")));
        }
        if let Some(unknown) = change.add.difference(&change.remove).find(|account| !accounts.contains_key(*account)) {
            return Err(AdapterError::Invalid(format!("{unknown} does not exist")));
        }
        let before = team.members.clone();
        team.members.extend(change.add.iter().cloned());
        team.members.retain(|member| !change.remove.contains(member));
        if team.members != before {
            self.record("members.changed", id, AGENT);
        }
        self.team(id).ok_or_else(|| AdapterError::NotFound(id.into()))
    }
}

/// The most telling name for a change, `None` when nothing changed.
fn what_changed(before: &Stored, after: &Stored) -> Option<&'static str> {
    match (before.active, after.active) {
        (true, false) => return Some("account.deactivated"),
        (false, true) => return Some("account.activated"),
        _ => {}
    }
    let same = before.username == after.username
        && before.email == after.email
        && before.display_name == after.display_name
        && before.identities == after.identities
        && before.password == after.password;
    (!same).then_some("account.changed")
}
