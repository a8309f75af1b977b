//! What every use case needs, built once in the composition root and shared.

use crate::config::Settings;
use crate::core::ids::SpaceId;
use crate::crypto::keys::KeyStore;
use crate::crypto::password::Hasher;
use crate::crypto::seal::Sealer;
use crate::ports::{Clock, Entropy, Metrics};
use crate::storage::Db;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Shared by everything above storage. Cheap to clone.
#[derive(Clone)]
pub struct Deps(Arc<Inner>);

/// The parts.
pub struct Inner {
    /// Settings.
    pub settings: Settings,
    /// Database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Counters.
    pub metrics: Metrics,
    /// Signing keys; filled by `accounts::keys::ensure`.
    pub keys: KeyStore,
    /// Seals secrets at rest.
    pub sealer: Sealer,
    /// Argon2id on threads of its own.
    pub hasher: Hasher,
    /// Wakes the projector and live pages after a commit.
    pub wake: Wake,
    /// Wakes the hub after a commit that revoked an agent.
    pub agents: Wake,
    /// Tells live pages which Space has news.
    pub live: Live,
    /// Renders pages.
    pub pages: crate::pages::Pages,
    /// The way out to providers.
    pub http: crate::net::Http,
    /// Ways to prove who somebody is.
    pub connectors: crate::connectors::Registry,
}

impl Deps {
    /// Puts the parts together.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Changes a part while nobody else holds the whole yet: for tests that bring a part of their own.
    ///
    /// # Panics
    /// When somebody does.
    #[doc(hidden)]
    #[must_use]
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::get_mut(&mut self.0).expect("nobody else holds it"));
        self
    }
}

impl std::ops::Deref for Deps {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A wake-up without content: after a commit that left dirty marks, call [`Wake::ring`]. A slow poll is the net under it.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<u64>>);

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Wake {
    /// Something changed.
    pub fn ring(&self) {
        self.0.send_modify(|n| *n = n.wrapping_add(1));
    }
    /// A receiver whose `changed()` resolves after the next ring.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// News for live pages: the id of a Space whose status changed. A receiver that lags reads everything anew.
#[derive(Clone, Debug)]
pub struct Live {
    news: broadcast::Sender<SpaceId>,
    ends: Arc<watch::Sender<bool>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { news: broadcast::Sender::new(256), ends: Arc::new(watch::Sender::new(false)) }
    }
}

impl Live {
    /// Ends all streams to pages: the server stops, and must not wait for them.
    pub fn end(&self) {
        self.ends.send_replace(true);
    }
    /// Turns true when streams shall end.
    #[must_use]
    pub fn ends(&self) -> watch::Receiver<bool> {
        self.ends.subscribe()
    }
    /// The status of `space` changed.
    pub fn ring(&self, space: &SpaceId) {
        // without a listener there is nobody to tell
        let _ = self.news.send(space.clone());
    }
    /// Receives ids from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<SpaceId> {
        self.news.subscribe()
    }
}
