//! Ways to prove who somebody is, each behind a small capability: [`Password`] for those that take a name and a password,
//! [`Redirect`] for those that the browser is sent to. What comes back is one flat [`Identity`].
//!
//! May use: `core`, `crypto`, `net`, `storage`, `deps`. Administrators set providers up while the program runs; [`Registry`]
//! makes connectors of what is stored and keeps them as long as nobody changes it.
//!
//! Example: `registry.doors(deps).await?.answering("bob@example.com", None)` says whether a password or a journey answers that
//! name. It depends on the domain, the hints and the list alone, never on whether the person exists (rules D3).

pub mod github;
pub mod ldap;
mod ldap_door;
pub mod local;
pub mod oidc;
mod registry;

pub use ldap_door::LdapDoor;
pub use registry::{Connector, Doors, Registry, Route, make, secret_of};

use crate::core::Timestamp;
use crate::core::joining::Said;
use crate::core::provider::Provider;
use crate::crypto::password::Lane;
use crate::deps::Deps;
use serde_json::Value;
use std::collections::BTreeMap;

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
    /// What the provider says of them besides.
    pub said: Said,
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
    /// Something stands against the account, whatever its password.
    #[error("barred: {0:?}")]
    Barred(ldap::Standing),
    /// Too busy or too slow; trying again makes sense.
    #[error("busy")]
    Busy,
    /// Our database failed.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
}

impl From<crate::net::Error> for Error {
    fn from(error: crate::net::Error) -> Self {
        match error {
            crate::net::Error::Forbidden(why) => Self::Misconfigured(why),
            crate::net::Error::Unreachable(why) | crate::net::Error::Nonsense(why) => Self::Upstream(why),
        }
    }
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

/// How a step of an examination went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It works.
    Good,
    /// It works, and there is something to know.
    Note,
    /// It does not work.
    Bad,
}

/// What an examination of a provider's settings found, for an administrator.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What was tried.
    pub step: String,
    /// How it went.
    pub grade: Grade,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    /// Makes one.
    pub fn new(step: &str, grade: Grade, text: impl Into<String>) -> Self {
        Self { step: step.to_owned(), grade, text: text.into() }
    }
}

/// Who and what a set of claims means under the settings of a provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reading {
    /// The stable id.
    pub subject: String,
    /// The rest.
    pub said: Said,
}

/// Somebody signed out at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOut {
    /// Stable id there.
    pub subject: String,
    /// When: sessions that began later are not meant.
    pub at: Timestamp,
}

/// Sends the browser away and understands what it brings back.
#[async_trait::async_trait]
pub trait Redirect: Send + Sync {
    /// The provider as an administrator set it up.
    fn provider(&self) -> &Provider;
    /// Where to go. `state` must come back unchanged; `callback` is the absolute address to come back to.
    async fn depart(&self, deps: &Deps, state: &str, callback: &str, hint: Option<&str>) -> Result<Departure, Error>;
    /// What the browser brought back: the query of the callback.
    async fn arrive(&self, deps: &Deps, memory: &Value, query: &BTreeMap<String, String>) -> Result<Identity, Error>;
    /// Tries what can be tried without a person, step by step.
    async fn examine(&self, _: &Deps) -> Vec<Finding> {
        Vec::new()
    }
    /// Reads the provider's word that somebody signed out there.
    async fn signed_out(&self, _: &Deps, _: &str) -> Result<SignedOut, Error> {
        Err(Error::Misconfigured("providers of this kind say nothing of signing out".into()))
    }
    /// How claims would be read, whoever made them; for a page on which an administrator tries it. `None`: this kind of provider
    /// sends no claims.
    fn read(&self, _: &serde_json::Map<String, Value>) -> Option<Result<Reading, Error>> {
        None
    }
}
