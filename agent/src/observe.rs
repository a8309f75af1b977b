//! Looking at the Space (rules B6): everything, what may have changed since the last look, or what a document touches.

use crate::plan::View;
use odcm_space_plugin::{Account, AdapterError, Description, SpaceAdapter, Team, Teams};
use odcm_wire::latest::InnerSpace;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Everything.
    Full { cursor: Option<String> },
    /// All teams, and the accounts that the Space's events name. Reading all teams in one call costs less than reading
    /// the bound ones one by one, and finds new bindings on servers without events too.
    Tick { cursor: Option<String>, events: bool },
    /// What a new document touches; all accounts when somebody shall be created (an account of theirs may exist).
    Touched { accounts: BTreeSet<String>, teams: BTreeSet<String>, all_accounts: bool },
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub description: Option<Description>,
    accounts: Option<Vec<Account>>,
    some_accounts: Vec<(String, Option<Account>)>,
    teams: Option<Teams>,
    some_teams: Vec<Team>,
    /// Teams that are there, as far as the agent knows, and that its key may not see.
    hidden: BTreeSet<String>,
    /// Who changed a document last, as the events say.
    pub by: BTreeMap<String, String>,
    pub cursor: Option<String>,
    /// The events do not reach back to the cursor: anything may have changed.
    pub gap: bool,
}

/// What the agent believes to exist. A list that lacks one of these proves nothing: while a long list is read page by page,
/// an entry that is deleted lets another one slip through. So it is asked for by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Account ids.
    pub accounts: BTreeSet<String>,
    /// Team ids, with the inner space of each as far as it is known; that of a team of the system is empty.
    pub teams: BTreeMap<String, Option<String>>,
}

/// Looks. Reads are sequential: the Space's own users come first (rules B10).
pub(crate) async fn look(space: Arc<dyn SpaceAdapter>, what: Look, expected: Expected) -> Result<Sight, AdapterError> {
    let mut sight = read(&*space, what).await?;
    if let Some(listed) = &mut sight.accounts {
        let there: BTreeSet<&str> = listed.iter().map(|a| a.id.as_str()).collect();
        let missing: Vec<&String> = expected.accounts.iter().filter(|id| !there.contains(id.as_str())).collect();
        let mut found = Vec::new();
        for id in missing {
            found.extend(space.account(id).await?);
        }
        listed.extend(found);
    }
    if let Some(listed) = &mut sight.teams {
        let there: BTreeSet<&str> = listed.seen.iter().map(|t| t.id.as_str()).collect();
        let missing: Vec<_> = expected.teams.iter().filter(|(id, _)| !there.contains(id.as_str())).collect();
        let mut found = Vec::new();
        for (id, inner_space) in missing {
            // One whose inner space is not known may be in any that is closed.
            let of = |closed: &InnerSpace| inner_space.as_ref().is_none_or(|known| *known == closed.id);
            if listed.closed.iter().any(of) {
                sight.hidden.insert(id.clone());
                continue;
            }
            match space.team(id).await {
                Ok(team) => found.extend(team),
                // Its inner space is closed, although the server does not list it.
                Err(AdapterError::Denied(_)) => {
                    sight.hidden.insert(id.clone());
                    let known = inner_space.iter().filter(|space| !space.is_empty());
                    listed.closed.extend(known.map(|id| InnerSpace { id: id.clone(), name: String::new() }));
                }
                Err(error) => return Err(error),
            }
        }
        listed.seen.extend(found);
    }
    Ok(sight)
}

async fn read(space: &dyn SpaceAdapter, what: Look) -> Result<Sight, AdapterError> {
    let mut sight = Sight::default();
    match what {
        Look::Full { cursor } => {
            sight.description = Some(space.describe().await?);
            // The cursor first: what changes during the read is then named by the next events.
            events(space, cursor, &mut sight).await?;
            sight.accounts = Some(space.accounts().await?);
            sight.teams = Some(space.teams().await?);
        }
        Look::Tick { cursor, events: has_events } => {
            let named = if has_events { events(space, cursor, &mut sight).await? } else { BTreeSet::new() };
            sight.teams = Some(space.teams().await?);
            for id in named.into_iter().filter(|id| id.starts_with("Users-")) {
                let account = space.account(&id).await?;
                sight.some_accounts.push((id, account));
            }
        }
        Look::Touched { accounts, teams, all_accounts } => {
            for id in teams {
                match space.team(&id).await {
                    Ok(Some(team)) => sight.some_teams.push(team),
                    // Its inner space was closed since the last look, which some servers say as "not found", or it is gone:
                    // the next list of all teams tells.
                    Ok(None) | Err(AdapterError::Denied(_)) => drop(sight.hidden.insert(id)),
                    Err(error) => return Err(error),
                }
            }
            if all_accounts {
                sight.accounts = Some(space.accounts().await?);
            } else {
                for id in accounts {
                    let account = space.account(&id).await?;
                    sight.some_accounts.push((id, account));
                }
            }
        }
    }
    Ok(sight)
}

/// Reads the events since the cursor: documents they name. A server without events is no error.
async fn events(space: &dyn SpaceAdapter, cursor: Option<String>, sight: &mut Sight) -> Result<BTreeSet<String>, AdapterError> {
    let mut named = BTreeSet::new();
    match space.changes_since(cursor.as_deref()).await {
        Ok((changes, next)) => {
            sight.cursor = Some(next);
            for change in changes {
                sight.gap |= change.documents.is_empty();
                for document in change.documents {
                    if let Some(by) = &change.by {
                        sight.by.insert(document.clone(), by.clone());
                    }
                    named.insert(document);
                }
            }
            Ok(named)
        }
        Err(AdapterError::Unsupported(_)) => Ok(named),
        Err(e) => Err(e),
    }
}

impl Sight {
    /// Brings the view up to what was seen.
    pub fn enter(&mut self, view: &mut View) {
        if let Some(accounts) = self.accounts.take() {
            view.accounts = accounts.into_iter().map(|a| (a.id.clone(), a)).collect();
            view.complete = true;
            // Asked anew when somebody shall be adopted.
            view.administrators.clear();
        }
        if let Some(teams) = self.teams.take() {
            view.teams = teams.seen.into_iter().map(|t| (t.id.clone(), t)).collect();
            if view.closed != teams.closed {
                let closed: Vec<String> = teams.closed.iter().map(|space| format!("{} ({})", space.name, space.id)).collect();
                tracing::warn!(?closed, "inner spaces whose teams the key may not see");
            }
            view.closed = teams.closed;
            view.hidden.clear();
        }
        for id in std::mem::take(&mut self.hidden) {
            view.teams.remove(&id);
            view.hidden.insert(id);
        }
        for (id, account) in self.some_accounts.drain(..) {
            match account {
                Some(account) => view.accounts.insert(id, account),
                None => view.accounts.remove(&id),
            };
        }
        for team in self.some_teams.drain(..) {
            view.hidden.remove(&team.id);
            view.teams.insert(team.id.clone(), team);
        }
    }
}
