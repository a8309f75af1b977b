//! For tests only, of this crate and of `odcm-tests`: a whole set of [`Deps`] over a fresh database, with a clock that stands
//! still, seeded randomness and cheap password hashing.
//!
//! The engine is SQLite in a temporary folder, or PostgreSQL when `ODCM_TEST_POSTGRES` holds the URL of a server on which
//! databases may be made.

use crate::accounts::{deployment, keys};
use crate::config::{PublicUrl, Settings};
use crate::connectors::Registry;
use crate::core::Timestamp;
use crate::crypto::CryptoError;
use crate::crypto::jose::{self, Alg};
use crate::crypto::keys::KeyStore;
use crate::crypto::password::{Hasher, HasherOptions};
use crate::crypto::seal::{MasterKey, Sealer};
use crate::deps::{Deps, Inner, Live, Wake};
use crate::pages::Pages;
use crate::ports::{Clock, Entropy, Hand, Metrics};
use crate::storage::{ConnectOptions, Db};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// When the clock of a test stands at first: 2026-11-22T13:00:00Z.
pub const START: Timestamp = Timestamp(1_795_352_400_000);

/// Deps, the hand of their clock, and the folder that goes with them.
#[derive(Clone)]
pub struct TestDeps {
    /// The deps.
    pub deps: Deps,
    /// Moves the clock.
    pub hand: Hand,
    /// Removed with the last clone.
    pub folder: Arc<Folder>,
}

impl std::ops::Deref for TestDeps {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

/// A folder under the system's temporary folder that goes away with its value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn new() -> Self {
        let name = format!("odcm-test-{}", crate::crypto::hash::hex(&Entropy::system().bytes::<12>()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Deps over a fresh database, for `https://id.example.com`.
pub async fn deps() -> TestDeps {
    deps_with(|_| {}).await
}

/// Deps with other settings.
///
/// # Panics
/// When the database cannot be made.
pub async fn deps_with(change: impl FnOnce(&mut Settings)) -> TestDeps {
    let (clock, hand) = Clock::manual(START);
    deps_on(clock, hand, change).await
}

/// Deps whose clock is the machine's: for the few tests of what happens by itself in real time. The hand moves nothing.
pub async fn deps_in_real_time(change: impl FnOnce(&mut Settings)) -> TestDeps {
    deps_on(Clock::system(), Clock::manual(START).1, change).await
}

async fn deps_on(clock: Clock, hand: Hand, change: impl FnOnce(&mut Settings)) -> TestDeps {
    let folder = Arc::new(Folder::new());
    let db = database(&folder).await;
    with_keys(put_together(db, folder, (clock, hand), change).await).await
}

/// Adds the signing keys.
///
/// # Panics
/// When the database does not work.
#[expect(clippy::expect_used, reason = "for tests")]
pub async fn with_keys(made: TestDeps) -> TestDeps {
    let Inner { db, sealer, keys: store, clock, entropy, settings, .. } = &**made;
    let parts = keys::Parts { db, sealer, store, clock, entropy, overlap_s: settings.tokens.key_overlap };
    keys::ensure(parts, ready_key).await.expect("keys");
    made
}

/// Deps over a database that is there and migrated, with a deployment row and without signing keys.
///
/// # Panics
/// When the database does not work.
pub async fn deps_over(db: Db, folder: Arc<Folder>, change: impl FnOnce(&mut Settings)) -> TestDeps {
    put_together(db, folder, Clock::manual(START), change).await
}

#[expect(clippy::expect_used, reason = "for tests")]
async fn put_together(db: Db, folder: Arc<Folder>, (clock, hand): (Clock, Hand), change: impl FnOnce(&mut Settings)) -> TestDeps {
    let mut settings = Settings::with_public(PublicUrl::parse("https://id.example.com").expect("a URL"));
    settings.sign_in.argon2_memory = 64;
    settings.sign_in.argon2_passes = 1;
    change(&mut settings);
    let entropy = Entropy::seeded(7);
    let sealer = Sealer::new(MasterKey::generate(&entropy), Vec::new(), entropy.clone());
    deployment::open(&db, &sealer, &settings.public, &clock, &entropy).await.expect("a deployment");
    let options = HasherOptions::new(settings.sign_in.argon2_memory, settings.sign_in.argon2_passes, 1);
    let hasher = Hasher::start(options, entropy.clone()).expect("a hasher");
    let pages = Pages::from_settings(&settings);
    let deps = Deps::new(Inner {
        settings,
        db,
        clock,
        entropy,
        metrics: Metrics::default(),
        keys: KeyStore::default(),
        sealer,
        hasher,
        wake: Wake::default(),
        agents: Wake::default(),
        live: Live::default(),
        pages,
        http: crate::net::Http::new(crate::net::Guard::parse(&["127.0.0.0/8", "localhost"]).unwrap_or_default(), Vec::new()),
        connectors: Registry::default(),
    });
    TestDeps { deps, hand, folder }
}

/// An empty, migrated database.
///
/// # Panics
/// When it cannot be made.
#[expect(clippy::expect_used, reason = "for tests")]
pub async fn database(folder: &Folder) -> Db {
    let mut options = ConnectOptions::new(format!("sqlite:{}", folder.path().join("odcm.db").display()));
    if let Some(server) = std::env::var("ODCM_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) {
        options.url = crate::storage::fresh_postgres(&server).await.expect("a fresh database");
    }
    let db = Db::connect(&options).await.expect("a connection");
    db.migrate().await.expect("migrations");
    db
}

/// One key pair per algorithm and process: an RSA key takes long to make, and tests do not need different ones.
///
/// # Errors
/// Only if the library fails.
pub fn ready_key(alg: Alg) -> Result<Vec<u8>, CryptoError> {
    static KEYS: [OnceLock<Result<Vec<u8>, CryptoError>>; 3] = [const { OnceLock::new() }; 3];
    let [rs, es, ed] = &KEYS;
    let slot = match alg {
        Alg::Rs256 => rs,
        Alg::Es256 => es,
        Alg::EdDsa => ed,
    };
    slot.get_or_init(|| jose::generate(alg)).clone()
}
