//! The running server: what all handlers share, start and routes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    net::TcpListener,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, middleware};

use super::{
    config::StandinConfig, errors::ApiError, faults::Faults, front, handle::StandinHandle, persist, relying_party, seed,
    state::State, switches::Switches,
};

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Method, after an override.
    pub method: String,
    /// Path as it came.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// Who asked.
    pub user_id: Option<String>,
}

/// What all handlers share.
pub struct Shared {
    /// How the server was started.
    pub config: StandinConfig,
    /// Address that browsers use, without a trailing slash.
    pub public_url: String,
    /// Trouble on demand.
    pub faults: Faults,
    /// The relying party's memory and HTTP client.
    pub relying_party: relying_party::Memory,
    /// Failed password sign-ins by name: count and time of the last.
    pub failed: Mutex<BTreeMap<String, (u32, i64)>>,
    state: Mutex<State>,
    switches: RwLock<Switches>,
    dirty: AtomicBool,
    saving: Mutex<()>,
    count: AtomicU64,
    seen: Mutex<VecDeque<Seen>>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

const REMEMBERED: usize = 10_000;

impl App {
    /// Now, Unix milliseconds.
    pub fn now(&self) -> i64 {
        (self.config.clock)()
    }

    /// Locks the state for looking.
    pub fn read(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for changing; the data file is written soon after.
    pub fn write(&self) -> MutexGuard<'_, State> {
        let guard = self.read();
        self.dirty.store(true, Ordering::SeqCst);
        guard
    }

    /// The assumptions in force.
    pub fn switches(&self) -> Switches {
        self.switches.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the assumptions.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.switches.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Name of the node, such as `MARS`.
    pub fn node_name(&self) -> String {
        let letters = self.config.name.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_uppercase()
    }

    /// Remembers an answered request.
    pub fn note(&self, seen: Seen) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let mut list = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= REMEMBERED {
            list.pop_front();
        }
        list.push_back(seen);
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The newest requests, oldest first, at most 10 000.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Writes the data file if something changed; failures are logged and tried again with the next change.
    pub fn save(&self) {
        let Some(path) = &self.config.data else { return };
        // Whoever comes second waits, so that nobody stops the server while the file is being written.
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.dirty.swap(false, Ordering::SeqCst) {
            return;
        }
        let bytes = serde_json::to_vec(&*self.read());
        if let Err(error) = bytes.map_err(io::Error::other).and_then(|bytes| persist::save(path, &bytes)) {
            self.dirty.store(true, Ordering::SeqCst);
            tracing::error!(%error, path = %path.display(), "the stand-in's data file cannot be written");
        }
    }
}

/// Why a stand-in did not start.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Starts stand-ins.
pub struct OctopusStandin;

impl OctopusStandin {
    /// Starts a server and answers when it listens.
    ///
    /// # Errors
    /// A sentence: an address that is not loopback or taken, an unreadable data file, a malformed admin key.
    pub async fn start(config: StandinConfig) -> Result<StandinHandle, StartError> {
        if !config.listen.ip().is_loopback() {
            return Err(StartError(format!("listen {}: only loopback addresses are served", config.listen)));
        }
        let stored = match &config.data {
            Some(path) => persist::load(path).map_err(|error| StartError(format!("data {}: {error}", path.display())))?,
            None => None,
        };
        let (state, admin_key) = seed::state(&config, stored).map_err(StartError)?;
        let listener = TcpListener::bind(config.listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| StartError(format!("listen {}: {error}", config.listen)))?;
        let address = listener.local_addr().map_err(|error| StartError(error.to_string()))?;
        let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let shared = Shared {
            public_url: public_url.trim_end_matches('/').to_owned(),
            faults: Faults::default(),
            relying_party: relying_party::Memory::new().map_err(StartError)?,
            failed: Mutex::default(),
            state: Mutex::new(state),
            switches: RwLock::new(config.switches.clone()),
            dirty: AtomicBool::new(true),
            saving: Mutex::default(),
            count: AtomicU64::new(0),
            seen: Mutex::default(),
            config,
        };
        let app = App(Arc::new(shared));
        // Unlike axum's own loop, this one can close connections that clients keep open.
        let stop = axum_server::Handle::new();
        let service = axum_server::from_tcp(listener)
            .map_err(|error| StartError(error.to_string()))?
            .handle(stop.clone())
            .serve(router(&app).into_make_service());
        let server = tokio::spawn(async move {
            if let Err(error) = service.await {
                tracing::error!(%error, "the stand-in stopped serving");
            }
        });
        let saver = tokio::spawn(save_often(app.clone()));
        Ok(StandinHandle::new(app, address, admin_key, stop, server, saver))
    }
}

async fn save_often(app: App) {
    if app.config.data.is_none() {
        return;
    }
    let mut every = tokio::time::interval(Duration::from_millis(100));
    loop {
        every.tick().await;
        let app = app.clone();
        let _ = tokio::task::spawn_blocking(move || app.save()).await;
    }
}

fn router(app: &App) -> Router {
    let inner = Router::new()
        .merge(super::root::routes())
        .merge(super::status::routes())
        .merge(super::users::routes())
        .merge(super::api_keys::routes())
        .merge(super::sessions::routes())
        .merge(super::teams::routes())
        .merge(super::team_membership::routes())
        .merge(super::scoped_roles::routes())
        .merge(super::roles::routes())
        .merge(super::config_sections::routes())
        .merge(super::events::routes())
        .merge(super::spaces::routes())
        .merge(super::documents::routes())
        .merge(super::deployments::routes())
        .merge(super::executions::routes())
        .merge(super::dashboard::routes())
        .merge(super::server_documents::routes())
        .merge(super::external_groups::routes())
        .merge(super::capabilities::routes())
        .merge(relying_party::routes())
        .merge(super::pages::routes())
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async |method: axum::http::Method| ApiError::method(method.as_str()))
        .with_state(app.clone());
    Router::new().fallback_service(inner).layer(middleware::from_fn_with_state(app.clone(), front::front))
}
