//! The composition root: from [`Config`] to a running server.
//!
//! May use: everything. Example: `server::run(config, stop).await`.

use crate::accounts::{self, keys};
use crate::config::Config;
use crate::connectors::Registry;
use crate::crypto::jose;
use crate::crypto::keys::KeyStore;
use crate::crypto::password::{Hasher, HasherOptions};
use crate::crypto::seal::{MasterKey, Sealer};
use crate::deps::{Deps, Inner, Live, Wake};
use crate::jobs::{self, Job};
use crate::net::Http;
use crate::pages::Pages;
use crate::ports::{self, Clock, Entropy, Metrics};
use crate::push::Push;
use crate::storage::{self, ConnectOptions, Db};
use crate::web;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether a command may begin a new deployment. One that looks after an existing deployment must not: run with another
/// configuration, or none, it would make an empty database and a key, and say that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// Database and master key are made where they are missing.
    MayBeNew,
    /// Both are there, or the command refuses.
    Exists,
}

/// Opens the database as configured, without looking at its schema.
///
/// # Errors
/// A sentence for people.
pub async fn database(config: &Config, deployment: Deployment) -> Result<Db, String> {
    let options = ConnectOptions {
        url: config.database_url.clone(),
        connections: config.database_connections,
        wait: config.database_wait,
        create: deployment == Deployment::MayBeNew,
    };
    // The URL may hold a password: it is not repeated.
    let db = Db::connect(&options).await.map_err(|e| match deployment {
        Deployment::MayBeNew => format!("cannot open the database ([database] url): {e}"),
        Deployment::Exists => format!("{NO_DEPLOYMENT} (cannot open it: {e})"),
    })?;
    if deployment == Deployment::Exists && !exists(&db).await {
        return Err(NO_DEPLOYMENT.into());
    }
    Ok(db)
}

/// Whether a deployment is in the database. One without a schema has none.
async fn exists(db: &Db) -> bool {
    matches!(storage::deployment::read(&mut &*db).await, Ok(Some(_)))
}

const NO_DEPLOYMENT: &str = "there is no ODCM in the database of this configuration ([database] url). Name the configuration of \
    the one you mean with --config, or begin a new one with `odcm admin bootstrap` or `odcm serve`";

/// Everything that use cases need: database brought up to date, master key, deployment row, signing keys.
///
/// # Errors
/// A sentence for people that names the setting to look at.
pub async fn open(config: &Config, deployment: Deployment) -> Result<Deps, String> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let db = database(config, deployment).await?;
    let master = match &config.master_key {
        Some(text) => MasterKey::parse(text),
        // a new key would open nothing: better to say that the old one is not there
        None if !config.master_key_path.exists() && exists(&db).await => {
            let path = config.master_key_path.display();
            let why = "is missing, and the database needs the key that was made with it: put it back from where you keep it";
            return Err(format!("[secrets] master_key_path: {path} {why}"));
        }
        None => MasterKey::read_or_create(&config.master_key_path, &entropy),
    };
    let sealer = Sealer::new(master.map_err(|e| format!("[secrets] master key: {e}"))?, Vec::new(), entropy.clone());
    db.migrate().await.map_err(|e| format!("cannot bring the database up to date: {e}"))?;
    let settings = config.settings.clone();
    accounts::deployment::open(&db, &sealer, &settings.public, &clock, &entropy).await.map_err(|e| e.to_string())?;
    let store = KeyStore::default();
    let overlap_s = settings.tokens.key_overlap;
    let parts = keys::Parts { db: &db, sealer: &sealer, store: &store, clock: &clock, entropy: &entropy, overlap_s };
    keys::ensure(parts, jose::generate).await.map_err(|e| format!("cannot load the signing keys: {e}"))?;
    let sign_in = &settings.sign_in;
    let options = HasherOptions::new(sign_in.argon2_memory, sign_in.argon2_passes, sign_in.hash_threads);
    let hasher =
        Hasher::start(options, entropy.clone()).map_err(|e| format!("cannot start the password hashing threads: {e}"))?;
    let pages = Pages::from_settings(&settings);
    let roots = match &config.outbound_ca {
        Some(path) => std::fs::read(path).map_err(|e| format!("[outbound] ca_file: {}: {e}", path.display()))?,
        None => Vec::new(),
    };
    Ok(Deps::new(Inner {
        settings,
        db,
        clock,
        entropy,
        metrics: Metrics::default(),
        keys: store,
        sealer,
        hasher,
        wake: Wake::default(),
        agents: Wake::default(),
        live: Live::default(),
        pages,
        http: Http::new(config.guard.clone(), roots),
        connectors: Registry::default(),
    }))
}

/// Whether the files that the configuration names can be used, as far as that can be told without changing anything.
///
/// # Errors
/// A sentence for people that names the setting.
pub async fn check_files(config: &Config) -> Result<(), String> {
    if let Some((cert, key)) = &config.tls {
        web::tls(cert, key).await.map_err(|e| format!("[server] tls_cert_file, tls_key_file: {e}"))?;
    }
    if config.master_key.is_none() && config.master_key_path.exists() {
        let read = MasterKey::read_or_create(&config.master_key_path, &Entropy::system());
        read.map_err(|e| format!("[secrets] master_key_path: {e}"))?;
    }
    Ok(())
}

/// Opens, and serves until `stop` turns true.
///
/// # Errors
/// A sentence for people.
pub async fn run(config: Config, stop: watch::Receiver<bool>) -> Result<(), String> {
    let deps = open(&config, Deployment::MayBeNew).await?;
    serve(config, deps, stop).await
}

/// Serves what [`open`] gave until `stop` turns true, then drains.
///
/// # Errors
/// A sentence for people.
pub async fn serve(config: Config, deps: Deps, stop: watch::Receiver<bool>) -> Result<(), String> {
    // Both addresses are taken before anything starts: a management listener that is missing is noticed at once.
    let public = web::bind(config.listen, "[server] listen")?;
    let management = config.management.map(|listen| web::bind(listen, "[management] listen")).transpose()?;
    if let Some(listen) = config.management.filter(|listen| !listen.ip().is_loopback()) {
        tracing::warn!(%listen, "the management listener has no sign-in of its own: keep it inside the operator's network");
    }
    tracing::info!(issuer = deps.settings.public.issuer(), listen = %config.listen, engine = ?deps.db.engine(), "ODCM serves");
    let management = management.map(|listener| {
        let router = web::management::routes().with_state(deps.clone());
        tokio::spawn(web::serve(router, listener, None, config.drain, stop.clone()))
    });
    let push = Push::start(deps.clone());
    let runner = jobs::Runner::start(deps.clone(), job_kinds());
    // Streams to pages end and agents are told to come back at once: their connections would keep the drain waiting.
    let leaving = tokio::spawn({
        let (push, live, mut stop) = (push.clone(), deps.live.clone(), stop.clone());
        async move {
            // an error means that nobody can say stop any more
            let _ = stop.wait_for(|stop| *stop).await;
            live.end();
            push.shutdown().await;
        }
    });
    let router = web::router(&deps, push.routes());
    ports::give_back_freed_memory();
    let served = web::serve(router, public, config.tls, config.drain, stop).await;
    if served.is_ok() {
        if let Err(error) = leaving.await {
            tracing::error!(%error, "the push channel did not stop as it should");
        }
    } else {
        leaving.abort();
        push.shutdown().await;
    }
    runner.shutdown().await;
    if let Some(management) = management
        && let Ok(Err(message)) = management.await
    {
        tracing::error!("the management listener failed: {message}");
    }
    deps.db.close().await;
    served
}

/// The kinds of jobs that a node runs.
fn job_kinds() -> Vec<Arc<dyn Job>> {
    vec![Arc::new(jobs::CleanUp)]
}
