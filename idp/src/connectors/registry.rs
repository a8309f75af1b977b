//! Which connectors there are now.

use super::{Finding, LdapDoor, Password, Redirect, github::Github, local, oidc::OpenId};
use crate::core::ldap::LdapSettings;
use crate::core::provider::{Provider, Settings};
use crate::core::text::fold;
use crate::crypto::seal::Place;
use crate::deps::Deps;
use crate::storage::providers::{self, Stored};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who answers a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A password that ODCM keeps.
    Password,
    /// A password of a directory, by the id of its provider.
    Directory(String),
    /// A provider, by its id.
    Redirect(String),
}

/// What was made of a provider.
#[derive(Clone)]
pub enum Connector {
    /// The browser is sent there.
    Redirect(Arc<dyn Redirect>),
    /// It checks names and passwords.
    Directory(Arc<LdapDoor>),
}

impl Connector {
    /// The provider as an administrator set it up.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        match self {
            Self::Redirect(connector) => connector.provider(),
            Self::Directory(connector) => connector.provider(),
        }
    }

    /// Tries what can be tried without a person, step by step.
    pub async fn examine(&self, deps: &Deps) -> Vec<Finding> {
        match self {
            Self::Redirect(connector) => connector.examine(deps).await,
            Self::Directory(connector) => connector.examine().await,
        }
    }
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
type Made = BTreeMap<String, (i64, Option<Connector>)>;

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
        let fixed = self.fixed.iter().map(|(id, connector)| (id.clone(), Connector::Redirect(connector.clone())));
        Ok(Doors(open.chain(fixed).collect()))
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
pub fn make(deps: &Deps, Stored { provider, secret }: Stored) -> Option<Connector> {
    let id = provider.id.clone();
    let secret = match secret.map(|sealed| deps.sealer.open(secret_of(&id), &sealed)).transpose() {
        Ok(secret) => secret.and_then(|bytes| String::from_utf8(bytes).ok()),
        Err(error) => {
            tracing::error!(provider = id, %error, "the secret of a provider cannot be read: nobody signs in with it");
            return None;
        }
    };
    match &provider.settings {
        Settings::Oidc(_) => OpenId::new(provider, secret).map(|c| Connector::Redirect(Arc::new(c))),
        Settings::Github(_) => Github::new(provider, secret).map(|c| Connector::Redirect(Arc::new(c))),
        Settings::Ldap(_) => match LdapDoor::new(deps, provider, secret) {
            Ok(door) => Some(Connector::Directory(Arc::new(door))),
            Err(error) => {
                tracing::error!(provider = id, %error, "a directory cannot be used: nobody signs in with it");
                None
            }
        },
    }
}

/// The providers with which people can sign in.
#[derive(Clone)]
pub struct Doors(BTreeMap<String, Connector>);

impl Doors {
    /// One of them.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Connector> {
        self.0.get(id)
    }

    /// One of them, if browsers are sent there.
    #[must_use]
    pub fn redirect(&self, id: &str) -> Option<&Arc<dyn Redirect>> {
        if let Connector::Redirect(connector) = self.0.get(id)? { Some(connector) } else { None }
    }

    /// One of them, if it checks passwords.
    #[must_use]
    pub fn directory(&self, id: &str) -> Option<&Arc<LdapDoor>> {
        if let Connector::Directory(connector) = self.0.get(id)? { Some(connector) } else { None }
    }

    /// The name of one for people; an id that none has is its own name.
    #[must_use]
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, |connector| &connector.provider().name)
    }

    /// Ids and names of those to which browsers are sent, for buttons, in order of name.
    #[must_use]
    pub fn buttons(&self) -> Vec<(String, String)> {
        self.names(|connector| matches!(connector, Connector::Redirect(_)))
    }

    /// Ids and names of all, in order of name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String)> {
        self.names(|_| true)
    }

    fn names(&self, wanted: fn(&Connector) -> bool) -> Vec<(String, String)> {
        let named = |(id, c): (&String, &Connector)| (id.clone(), c.provider().name.clone());
        let mut all: Vec<_> = self.0.iter().filter(|(_, connector)| wanted(connector)).map(named).collect();
        all.sort_by_key(|(id, label)| (fold(label), id.clone()));
        all
    }

    /// Who answers a name: the directory whose short name stands before a backslash, the provider that is authoritative for the
    /// domain, the directory that knows the suffix, else a password that ODCM keeps.
    #[must_use]
    pub fn answering(&self, name: &str, domain_hint: Option<&str>) -> Route {
        if let Some((short, _)) = name.split_once('\\') {
            let known = |c: &Connector| ldap_of(c).is_some_and(|s| s.netbios.iter().any(|n| n.eq_ignore_ascii_case(short)));
            let found = self.0.iter().find(|(_, connector)| known(connector));
            return found.map_or(Route::Password, |(id, _)| Route::Directory(id.clone()));
        }
        let Some(domain) = name.rsplit_once('@').map(|(_, d)| d).or(domain_hint) else { return Route::Password };
        let suffix = |c: &Connector| ldap_of(c).is_some_and(|s| s.upn_suffixes.iter().any(|n| n.eq_ignore_ascii_case(domain)));
        let own = self.0.iter().find(|(_, c)| c.provider().is_authoritative_for(domain));
        let found = own.or_else(|| self.0.iter().find(|(_, connector)| suffix(connector)));
        match found {
            Some((id, Connector::Redirect(_))) => Route::Redirect(id.clone()),
            Some((id, Connector::Directory(_))) => Route::Directory(id.clone()),
            None => Route::Password,
        }
    }
}

fn ldap_of(connector: &Connector) -> Option<&LdapSettings> {
    match &connector.provider().settings {
        Settings::Ldap(settings) => Some(settings),
        Settings::Oidc(_) | Settings::Github(_) => None,
    }
}
