//! A Space in memory, for tests and benchmarks of what stands above the adapter.
//!
//! May use the contract only. [`FakeSpace`] is a handle: clones share one Space. The agent's side is
//! [`SpaceAdapter`](crate::SpaceAdapter); everything else on the handle is "somebody" who works in the Space by hand, the
//! faults of a bad day, and counters.
//!
//! ```
//! use odcm_space_plugin::{SpaceAdapter, fake::{FakeSpace, LocalAccount}};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let mars = FakeSpace::new("mars");
//! let (_, cursor) = mars.changes_since(None).await.unwrap();
//! let bob = mars.create_local_account(LocalAccount::person("bob", "bob@x.example"));
//! let (changes, _) = mars.changes_since(Some(&cursor)).await.unwrap();
//! assert_eq!(changes[0].documents, [bob]);
//! # });
//! ```

mod adapter;
mod authentication;
mod bench;
mod faults;
mod local;
mod state;

pub use authentication::ProbeSeen;
pub use local::LocalAccount;
pub use state::{Closed, Event, Stored, StoredIdentity, StoredTeam};

use crate::adapter::{Capability, Description, Provider};
use faults::Faults;
use state::State;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// User name of the account whose key the agent has.
pub const AGENT: &str = "odcm-agent";
/// User name that stands in events for edits made through the test handles.
pub const SOMEBODY: &str = "somebody";

/// A Space in memory; clones are the same Space.
#[derive(Clone)]
pub struct FakeSpace {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    faults: Mutex<Faults>,
}

impl FakeSpace {
    /// A Space with generic OpenID Connect and all other capabilities. It has what a fresh server has: the person
    /// `admin`, the agent's service account, and the teams `teams-administrators` and `teams-everyone`.
    #[must_use]
    pub fn new(installation_id: &str) -> Self {
        use Capability::{ClientSecret, EventCursor, GenericOidc, InnerSpaces, ListApiKeys, RevokeSessions};
        let all = [InnerSpaces, RevokeSessions, ListApiKeys, GenericOidc, ClientSecret, EventCursor];
        Self::with_capabilities(installation_id, all)
    }

    /// A Space that can do just this; without [`Capability::GenericOidc`] its provider is Okta.
    #[must_use]
    pub fn with_capabilities(installation_id: &str, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        let capabilities: BTreeSet<Capability> = capabilities.into_iter().collect();
        let (section, name, redirect) = if capabilities.contains(&Capability::GenericOidc) {
            ("authentication-generic-oidc", "Generic OIDC", "/api/users/authenticatedToken/GenericOidc")
        } else {
            ("authentication-od", "Okta", "/api/users/authenticatedToken/Okta")
        };
        let provider = Provider { section: section.into(), name: name.into(), redirect_path: redirect.into() };
        let description = Description { installation_id: installation_id.into(), version: "2025.4.1".into(), capabilities };
        Self { inner: Arc::new(Inner { state: Mutex::new(State::new(description, provider)), faults: Mutex::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.inner.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for FakeSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeSpace").field("installation_id", &self.state().description.installation_id).finish_non_exhaustive()
    }
}
