//! Does one step: the only place that writes accounts and teams.

use crate::plan::Step;
use odcm_space_plugin::{Account, AccountChange, AdapterError, MemberChange, SpaceAdapter, Team};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a step ended: what was read back, and what went wrong.
#[derive(Debug)]
pub(crate) struct Done {
    pub step: Step,
    /// Accounts of a team step.
    pub accounts: BTreeSet<String>,
    /// The account as read back.
    pub account: Option<Account>,
    /// The account does not exist any more.
    pub gone: bool,
    /// The team as read back.
    pub team: Option<Team>,
    /// Sessions and keys were ended as far as the server can.
    pub cleaned: bool,
    /// What could not be ended.
    pub residual: Vec<String>,
    /// The account to adopt has administrator rights, which the local policy forbids.
    pub administrator: bool,
    /// API keys among it.
    pub keys_left: Vec<String>,
    /// Accounts of a team step that failed.
    pub failed: BTreeMap<String, AdapterError>,
    /// Why the step failed.
    pub error: Option<AdapterError>,
}

/// Does `step`. `accounts` are those of the people of [`Step::Add`]; `password` is a fresh random one.
pub(crate) async fn run(space: Arc<dyn SpaceAdapter>, step: Step, accounts: BTreeSet<String>, password: Option<String>) -> Done {
    let mut done = Done {
        step,
        accounts,
        account: None,
        gone: false,
        team: None,
        cleaned: false,
        residual: Vec::new(),
        administrator: false,
        keys_left: Vec::new(),
        failed: BTreeMap::new(),
        error: None,
    };
    let step = done.step.clone();
    let result = match &step {
        Step::Deactivate { account, active, cleanup, delete_keys, .. } => {
            deactivate(&*space, &mut done, account, *active, *cleanup, *delete_keys).await
        }
        Step::Create { new, .. } => space.create_account(new).await.map(|a| done.account = Some(a)),
        Step::Update { account, change, cleanup, delete_keys, .. } => {
            update(&*space, &mut done, account, change, *cleanup, *delete_keys).await
        }
        Step::Adopt { account, change, reset_password, delete_keys, forbidden, .. } => {
            let change = AccountChange { password: password.filter(|_| *reset_password), ..change.clone() };
            match has_rights_of(&*space, account, forbidden).await {
                Ok(true) => {
                    done.administrator = true;
                    Ok(())
                }
                Ok(false) => update(&*space, &mut done, account, &change, true, *delete_keys).await,
                Err(e) => Err(e),
            }
        }
        Step::Remove { team, accounts } => members(&*space, &mut done, team, accounts, false).await,
        Step::Add { team, .. } => {
            let accounts = done.accounts.clone();
            members(&*space, &mut done, team, &accounts, true).await
        }
    };
    match result {
        // Who is gone has nothing left to lose. A team that is not found may be hidden from the key.
        Err(AdapterError::NotFound(_)) if matches!(step, Step::Deactivate { .. }) => done.gone = true,
        Err(e) => done.error = Some(e),
        Ok(()) => {}
    }
    done
}

async fn deactivate(
    space: &dyn SpaceAdapter,
    done: &mut Done,
    id: &str,
    active: bool,
    cleanup: bool,
    delete_keys: bool,
) -> Result<(), AdapterError> {
    if active {
        let change = AccountChange { active: Some(false), ..AccountChange::default() };
        let account = space.change_account(id, &change).await?;
        let still = account.active;
        done.account = Some(account);
        if still {
            return Err(AdapterError::NotHeld(format!("{id} is still active")));
        }
    }
    if cleanup {
        end_access(space, done, id, delete_keys).await?;
        // Read back after everything (rules A9).
        let account = space.account(id).await?.ok_or_else(|| AdapterError::NotFound(id.into()))?;
        if account.active {
            done.account = Some(account);
            return Err(AdapterError::NotHeld(format!("{id} is active again")));
        }
        done.residual.extend(service_accounts(space, id).await);
        if account.may_have_password {
            done.residual.push("a local password, if it has one, works again when the Space activates the account".into());
        }
        done.account = Some(account);
    }
    Ok(())
}

/// Service accounts that the person made and that still work: they are nobody's to deactivate, but somebody should know.
async fn service_accounts(space: &dyn SpaceAdapter, id: &str) -> Vec<String> {
    match space.created_service_accounts(id).await {
        Ok(found) => {
            found.into_iter().map(|a| format!("service account {} ({}), which this person created", a.username, a.id)).collect()
        }
        Err(e) => vec![format!("service accounts that this person created: cannot be determined ({e})")],
    }
}

/// Ends sessions and API keys. What the server cannot do becomes residual access; what may work later is an error.
async fn end_access(space: &dyn SpaceAdapter, done: &mut Done, id: &str, delete_keys: bool) -> Result<(), AdapterError> {
    if delete_keys {
        match space.api_keys(id).await {
            Ok(keys) => {
                for key in keys {
                    match space.delete_api_key(id, &key.id).await {
                        Err(e) if e.is_temporary() => return Err(e),
                        // Read again below: what is left counts, whatever the answer was.
                        Err(e) => tracing::warn!(account = id, key = key.id, error = %e, "an API key cannot be deleted"),
                        Ok(()) => {}
                    }
                }
                let left = space.api_keys(id).await?;
                done.keys_left = left.into_iter().map(|key| format!("API key {} ({})", key.id, key.purpose)).collect();
                done.residual.extend(done.keys_left.iter().cloned());
            }
            Err(e) if e.is_temporary() => return Err(e),
            Err(e) => done.residual.push(format!("API keys: {e}")),
        }
    }
    match space.end_sessions(id).await {
        Err(e) if e.is_temporary() => return Err(e),
        Err(e) => done.residual.push(format!("sessions: {e}")),
        Ok(()) => {}
    }
    done.cleaned = true;
    Ok(())
}

/// Whether the account has the rights of one of `teams`. Direct members are known; here it is about external groups.
async fn has_rights_of(space: &dyn SpaceAdapter, id: &str, teams: &BTreeSet<String>) -> Result<bool, AdapterError> {
    if teams.is_empty() {
        return Ok(false);
    }
    match space.teams_of(id).await {
        Ok(found) => Ok(!found.is_disjoint(teams)),
        Err(AdapterError::Unsupported(_)) => Ok(false),
        Err(e) => Err(e),
    }
}

async fn update(
    space: &dyn SpaceAdapter,
    done: &mut Done,
    id: &str,
    change: &AccountChange,
    cleanup: bool,
    delete_keys: bool,
) -> Result<(), AdapterError> {
    // Before the account works again: re-granting revives no old key or session (rules A9).
    if cleanup {
        end_access(space, done, id, delete_keys).await?;
        if let (Some(true), Some(key)) = (change.active, done.keys_left.first()) {
            done.cleaned = false;
            return Err(AdapterError::NotHeld(format!(
                "{id} stays inactive: {key} of before would work again and cannot be deleted; delete it in the Space"
            )));
        }
    }
    let account = space.change_account(id, change).await?;
    let held = change.active.is_none_or(|wanted| account.active == wanted);
    done.account = Some(account);
    if held { Ok(()) } else { Err(AdapterError::NotHeld(format!("{id} is not active"))) }
}

async fn members(
    space: &dyn SpaceAdapter,
    done: &mut Done,
    team: &str,
    accounts: &BTreeSet<String>,
    add: bool,
) -> Result<(), AdapterError> {
    match change(space, team, accounts, add).await {
        Ok(read) => done.team = Some(read),
        // One that the server does not accept must not keep the others out (rules B11).
        Err(e) if !e.is_temporary() && accounts.len() > 1 && !about_team(&e) => {
            for account in accounts {
                match change(space, team, &BTreeSet::from([account.clone()]), add).await {
                    Ok(read) => done.team = Some(read),
                    Err(e) => {
                        done.failed.insert(account.clone(), e);
                    }
                }
            }
        }
        Err(e) => return Err(e),
    }
    Ok(())
}

/// Whether the server says something of the team, so that it would say the same for each account.
fn about_team(error: &AdapterError) -> bool {
    matches!(error, AdapterError::Denied(_) | AdapterError::NotFound(_))
}

async fn change(space: &dyn SpaceAdapter, team: &str, accounts: &BTreeSet<String>, add: bool) -> Result<Team, AdapterError> {
    let mut change = MemberChange::default();
    if add {
        change.add.clone_from(accounts);
    } else {
        change.remove.clone_from(accounts);
    }
    let read = space.change_members(team, &change).await?;
    match accounts.iter().find(|a| read.members.contains(*a) != add) {
        Some(account) if add => Err(AdapterError::NotHeld(format!("{account} is not in {team}"))),
        Some(account) => Err(AdapterError::NotHeld(format!("{account} is still in {team}"))),
        None => Ok(read),
    }
}
