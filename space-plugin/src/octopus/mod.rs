//! The Octopus REST API as a Space.
//!
//! May use the contract, reqwest and JSON. One file per resource; `client` is the only one that speaks HTTP, and `links`,
//! `paging` and `pace` know nothing of users and teams. What the adapter believes of a real server, and what happens where
//! the belief is wrong, is in `docs/octopus-api.md`.
//!
//! The habits: follow the links of the server (a missing link is a missing capability), edit the JSON as received, read
//! again just before and just after each write, compare exactly and never trust a filter.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use odcm_space_plugin::{SpaceAdapter, octopus::{OctopusAdapter, OctopusConfig}};
//! let mars = OctopusAdapter::new(OctopusConfig::new("http://127.0.0.1:8091", "API-…"))?;
//! println!("{}", mars.describe().await?.version);
//! # Ok(()) }
//! ```

mod api_keys;
mod client;
mod config;
mod configuration;
mod describe;
mod events;
mod json;
mod links;
mod locks;
mod pace;
mod paging;
mod probe;
mod provider;
mod roles;
mod teams;
mod users;

pub use config::{ConfigError, OctopusConfig};

use crate::adapter::{
    Account, AccountChange, ApiKey, AuthenticationSeen, AuthenticationSetUp, Backup, Change, Description, MemberChange,
    NewAccount, Provider, Result, SpaceAdapter, Team, Teams,
};
use async_trait::async_trait;
use client::{Api, Client};
use describe::Root;
use locks::Locks;
use odcm_wire::latest::InnerSpace;
use pace::Lane;
use provider::Found;
use roles::Administrators;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long the root document, the provider, the agent's own id, the inner spaces and the administrative roles are believed;
/// what the events say about roles is looked at sooner.
const CACHE: Duration = Duration::from_secs(60);

/// An Octopus server reached by its REST API with the API key of a service account.
#[derive(Debug)]
pub struct OctopusAdapter {
    client: Client,
    cache: Mutex<Cache>,
    locks: Locks,
}

#[derive(Debug, Default)]
struct Cache {
    root: Option<(Instant, Arc<Root>)>,
    me: Option<(Instant, Arc<str>)>,
    administrators: Option<(Instant, Arc<Administrators>)>,
    provider: Option<(Instant, Arc<Found>)>,
    spaces: Option<(Instant, Arc<Vec<InnerSpace>>)>,
}

impl OctopusAdapter {
    /// An adapter; nothing is sent yet.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and what would be right.
    pub fn new(config: OctopusConfig) -> std::result::Result<Self, ConfigError> {
        Ok(Self { client: Client::new(config)?, cache: Mutex::default(), locks: Locks::default() })
    }

    fn api(&self, lane: Lane) -> Api<'_> {
        self.client.api(lane)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root document, at most [`CACHE`] old.
    async fn root(&self, api: &Api<'_>) -> Result<Arc<Root>> {
        if let Some(root) = fresh(&self.cache().root) {
            return Ok(root);
        }
        self.read_root(api).await
    }

    /// The root document as it is now.
    async fn read_root(&self, api: &Api<'_>) -> Result<Arc<Root>> {
        let root = Arc::new(Root::read(api).await?);
        self.cache().root = Some((Instant::now(), root.clone()));
        Ok(root)
    }

    fn forget(&self) {
        *self.cache() = Cache::default();
    }
}

fn fresh<T: ?Sized>(slot: &Option<(Instant, Arc<T>)>) -> Option<Arc<T>> {
    slot.as_ref().filter(|(read, _)| read.elapsed() < CACHE).map(|(_, value)| value.clone())
}

#[async_trait]
impl SpaceAdapter for OctopusAdapter {
    async fn describe(&self) -> Result<Description> {
        self.forget();
        self.describe_server(&self.api(Lane::Normal)).await
    }

    async fn installation_id(&self) -> Result<String> {
        // Asked before removals, too: it must not wait where they need not.
        self.server_installation(&self.api(Lane::Removal)).await
    }

    async fn provider(&self) -> Result<Provider> {
        Ok(self.find_provider(&self.api(Lane::Normal)).await?.provider.clone())
    }

    async fn authentication(&self) -> Result<AuthenticationSeen> {
        self.read_authentication(&self.api(Lane::Normal)).await
    }

    async fn set_authentication(&self, set_up: &AuthenticationSetUp) -> Result<AuthenticationSeen> {
        let api = self.api(Lane::Normal);
        let _alone = self.locks.enter("authentication", api.deadline()).await?;
        self.write_authentication(&api, set_up).await
    }

    async fn back_up_authentication(&self, ours: &str) -> Result<Backup> {
        self.read_backup(&self.api(Lane::Normal), ours).await
    }

    async fn restore_authentication(&self, backup: &Backup) -> Result<()> {
        let api = self.api(Lane::Normal);
        let _alone = self.locks.enter("authentication", api.deadline()).await?;
        self.write_backup(&api, backup).await
    }

    async fn probe_sign_in(&self, code: &str) -> Result<()> {
        self.probe(&self.api(Lane::Normal), code).await
    }

    async fn accounts(&self) -> Result<Vec<Account>> {
        self.list_accounts(&self.api(Lane::Normal)).await
    }

    async fn account(&self, id: &str) -> Result<Option<Account>> {
        self.read_account(&self.api(Lane::Normal), id).await
    }

    async fn create_account(&self, new: &NewAccount) -> Result<Account> {
        let api = self.api(Lane::Normal);
        let _alone = self.locks.enter(&format!("user name {}", new.username), api.deadline()).await?;
        self.write_new_account(&api, new).await
    }

    async fn change_account(&self, id: &str, change: &AccountChange) -> Result<Account> {
        let lane = if change.active == Some(false) { Lane::Removal } else { Lane::Normal };
        let api = self.api(lane);
        let _alone = self.locks.enter(id, api.deadline()).await?;
        self.write_account(&api, id, change).await
    }

    async fn api_keys(&self, account: &str) -> Result<Vec<ApiKey>> {
        self.list_api_keys(&self.api(Lane::Removal), account).await
    }

    async fn delete_api_key(&self, account: &str, key: &str) -> Result<()> {
        self.remove_api_key(&self.api(Lane::Removal), account, key).await
    }

    async fn end_sessions(&self, account: &str) -> Result<()> {
        self.revoke_sessions(&self.api(Lane::Removal), account).await
    }

    async fn created_service_accounts(&self, account: &str) -> Result<Vec<Account>> {
        self.read_created_services(&self.api(Lane::Removal), account).await
    }

    async fn teams_of(&self, account: &str) -> Result<BTreeSet<String>> {
        self.read_teams_of(&self.api(Lane::Normal), account).await
    }

    async fn teams(&self) -> Result<Teams> {
        self.list_teams(&self.api(Lane::Normal)).await
    }

    async fn team(&self, id: &str) -> Result<Option<Team>> {
        self.read_team(&self.api(Lane::Normal), id).await
    }

    async fn change_members(&self, team: &str, change: &MemberChange) -> Result<Team> {
        let lane = if change.remove.is_empty() { Lane::Normal } else { Lane::Removal };
        let api = self.api(lane);
        let _alone = self.locks.enter(team, api.deadline()).await?;
        self.write_members(&api, team, change).await
    }

    async fn changes_since(&self, cursor: Option<&str>) -> Result<(Vec<Change>, String)> {
        let (changes, next) = self.read_changes(&self.api(Lane::Normal), cursor).await?;
        self.forget_roles(&changes);
        Ok((changes, next))
    }
}
