//! Ways to prove who somebody is, each behind a small capability: [`Password`] for those that take a name and a password,
//! [`Redirect`] for those that the browser is sent to. What comes back is one flat [`Identity`].
//!
//! May use: `core`, `crypto`, `storage`, `deps`. The list of connectors is made where the program is put together, and
//! handed in as [`Registry`].
//!
//! Example: `registry.route("bob@example.com", None)` says whether a password or a journey answers that name. It depends on
//! the domain, the hints and the list alone, never on whether the person exists (rules D3).

pub mod local;

use crate::core::Timestamp;
use crate::crypto::password::Lane;
use crate::deps::Deps;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Somebody, as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which provider.
    pub provider: String,
    /// Stable id there; for the local provider the person's id.
    pub subject: String,
    /// What people read: an address or login name.
    pub label: String,
    /// When the local password that was checked had been set. If another one is set before the sign-in commits, the proof is
    /// worth nothing any more. `None` for other providers.
    pub password_set_at: Option<Timestamp>,
}

/// What can go wrong at a provider. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider says no, or the person gave up there.
    #[error("denied: {0}")]
    Denied(String),
    /// Our settings and the provider's do not fit.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
    /// The provider answered nonsense.
    #[error("upstream: {0}")]
    Upstream(String),
    /// Too busy or too slow; trying again makes sense.
    #[error("busy")]
    Busy,
    /// Our database failed.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
}

/// A name and a password, from a device with or without a good record.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// As typed.
    pub name: &'a str,
    /// As typed.
    pub password: &'a str,
    /// Which queue to stand in.
    pub lane: Lane,
}

/// Takes a name and a password.
#[async_trait::async_trait]
pub trait Password: Send + Sync {
    /// Checks them. Known and unknown names must cost the same (rules D1).
    ///
    /// # Errors
    /// Anything but a wrong name or password, which is `None`.
    async fn check(&self, deps: &Deps, attempt: Attempt<'_>) -> Result<Option<Identity>, Error>;
}

/// Where to send the browser, and what to remember meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Address at the provider.
    pub to: String,
    /// What [`Redirect::arrive`] gets back.
    pub memory: Value,
}

/// Sends the browser away and understands what it brings back.
#[async_trait::async_trait]
pub trait Redirect: Send + Sync {
    /// Name on buttons.
    fn label(&self) -> &str;
    /// Domains that the provider is authoritative for (rules D3), folded.
    fn domains(&self) -> &[String];
    /// Where to go. `state` must come back unchanged; `callback` is the absolute address to come back to.
    async fn depart(&self, deps: &Deps, state: &str, callback: &str, hint: Option<&str>) -> Result<Departure, Error>;
    /// What the browser brought back: the query of the callback.
    async fn arrive(&self, deps: &Deps, memory: &Value, query: &BTreeMap<String, String>) -> Result<Identity, Error>;
}

/// Who answers a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A password.
    Password,
    /// A provider, by its id.
    Redirect(String),
}

/// The connectors of this deployment.
#[derive(Clone)]
pub struct Registry {
    password: Arc<dyn Password>,
    redirects: BTreeMap<String, Arc<dyn Redirect>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("redirects", &self.redirects.keys()).finish_non_exhaustive()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { password: Arc::new(local::Local), redirects: BTreeMap::new() }
    }
}

impl Registry {
    /// Adds a provider under an id.
    #[must_use]
    pub fn with(mut self, id: &str, connector: Arc<dyn Redirect>) -> Self {
        self.redirects.insert(id.to_owned(), connector);
        self
    }

    /// Who checks passwords.
    #[must_use]
    pub fn password(&self) -> &dyn Password {
        &*self.password
    }

    /// A provider.
    #[must_use]
    pub fn redirect(&self, id: &str) -> Option<&dyn Redirect> {
        self.redirects.get(id).map(|c| &**c)
    }

    /// Ids and labels of all providers, for buttons.
    #[must_use]
    pub fn buttons(&self) -> Vec<(String, String)> {
        self.redirects.iter().map(|(id, c)| (id.clone(), c.label().to_owned())).collect()
    }

    /// Who answers a name: the provider that is authoritative for its domain, else a password.
    #[must_use]
    pub fn route(&self, name: &str, domain_hint: Option<&str>) -> Route {
        let domain = name.rsplit_once('@').map(|(_, d)| d).or(domain_hint).map(crate::core::text::fold);
        let found = domain.and_then(|d| self.redirects.iter().find(|(_, c)| c.domains().contains(&d)));
        found.map_or(Route::Password, |(id, _)| Route::Redirect(id.clone()))
    }
}
