//! Which connectors there are now.

use super::{Password, Redirect, github::Github, local, oidc::OpenId};
use crate::core::provider::Settings;
use crate::core::text::fold;
use crate::crypto::seal::Place;
use crate::deps::Deps;
use crate::storage::providers::{self, Stored};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who answers a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A password.
    Password,
    /// A provider, by its id.
    Redirect(String),
}

/// Makes connectors of the providers that are stored, and keeps each as long as its version is the stored one: with it, what it
/// has read of the provider.
#[derive(Clone)]
pub struct Registry {
    password: Arc<dyn Password>,
    fixed: BTreeMap<String, Arc<dyn Redirect>>,
    made: Arc<Mutex<Made>>,
}

/// With the version each was made of; nothing when it could not be made.
type Made = BTreeMap<String, (i64, Option<Arc<dyn Redirect>>)>;

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("fixed", &self.fixed.keys()).finish_non_exhaustive()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { password: Arc::new(local::Local), fixed: BTreeMap::new(), made: Arc::default() }
    }
}

impl Registry {
    /// Adds a connector that is not stored: for tests.
    #[must_use]
    pub fn with(mut self, connector: Arc<dyn Redirect>) -> Self {
        self.fixed.insert(connector.provider().id.clone(), connector);
        self
    }

    /// Who checks passwords.
    #[must_use]
    pub fn password(&self) -> &dyn Password {
        &*self.password
    }

    /// The providers with which people can sign in at this moment. One statement, unless somebody changed a provider.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn doors(&self, deps: &Deps) -> crate::storage::Result<Doors> {
        let stored = providers::versions(&mut &deps.db).await?;
        let known =
            |made: &Made| stored.len() == made.len() && stored.iter().all(|(id, v)| made.get(id).is_some_and(|m| m.0 == *v));
        if !known(&self.made()) {
            let rows = providers::all(&mut &deps.db).await?;
            let mut made = self.made();
            let old = std::mem::take(&mut *made);
            for row in rows.into_iter().filter(|row| row.provider.enabled) {
                let (id, version) = (row.provider.id.clone(), row.provider.version);
                let kept = old.get(&id).filter(|(known, _)| *known == version).cloned();
                made.insert(id, kept.unwrap_or_else(|| (version, make(deps, row))));
            }
        }
        let made = self.made();
        let open = made.iter().filter_map(|(id, (_, connector))| Some((id.clone(), connector.clone()?)));
        Ok(Doors(open.chain(self.fixed.clone()).collect()))
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the secret of a provider is sealed.
#[must_use]
pub fn secret_of(id: &str) -> Place<'_> {
    Place::new("provider", "secret", id)
}

/// Makes the connector of a provider. One whose secret does not open is left out, loudly: nobody else must go without signing in.
pub fn make(deps: &Deps, Stored { provider, secret }: Stored) -> Option<Arc<dyn Redirect>> {
    let id = provider.id.clone();
    let secret = match secret.map(|sealed| deps.sealer.open(secret_of(&id), &sealed)).transpose() {
        Ok(secret) => secret.and_then(|bytes| String::from_utf8(bytes).ok()),
        Err(error) => {
            tracing::error!(provider = id, %error, "the secret of a provider cannot be read: nobody signs in with it");
            return None;
        }
    };
    match &provider.settings {
        Settings::Oidc(_) => OpenId::new(provider, secret).map(|c| Arc::new(c) as Arc<dyn Redirect>),
        Settings::Github(_) => Github::new(provider, secret).map(|c| Arc::new(c) as Arc<dyn Redirect>),
    }
}

/// The providers with which people can sign in.
#[derive(Clone)]
pub struct Doors(BTreeMap<String, Arc<dyn Redirect>>);

impl Doors {
    /// One of them.
    #[must_use]
    pub fn redirect(&self, id: &str) -> Option<&Arc<dyn Redirect>> {
        self.0.get(id)
    }

    /// Ids and labels of all, for buttons, in order of label.
    #[must_use]
    pub fn buttons(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.0.iter().map(|(id, c)| (id.clone(), c.provider().name.clone())).collect();
        all.sort_by_key(|(id, label)| (fold(label), id.clone()));
        all
    }

    /// Who answers a name: the provider that is authoritative for its domain, else a password.
    #[must_use]
    pub fn route(&self, name: &str, domain_hint: Option<&str>) -> Route {
        let domain = name.rsplit_once('@').map(|(_, d)| d).or(domain_hint);
        let found = domain.and_then(|d| self.0.iter().find(|(_, c)| c.provider().is_authoritative_for(d)));
        found.map_or(Route::Password, |(id, _)| Route::Redirect(id.clone()))
    }
}
