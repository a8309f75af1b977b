//! The composition root: from [`Config`] to a running server.
//!
//! May use: everything. Example: `server::run(config, stop).await`.

use crate::accounts::{deployment, keys};
use crate::config::Config;
use crate::connectors::Registry;
use crate::crypto::jose;
use crate::crypto::keys::KeyStore;
use crate::crypto::password::{Hasher, HasherOptions};
use crate::crypto::seal::{MasterKey, Sealer};
use crate::deps::{Deps, Inner, Live, Wake};
use crate::jobs::{self, Job};
use crate::pages::Pages;
use crate::ports::{Clock, Entropy, Metrics};
use crate::push::Push;
use crate::storage::{ConnectOptions, Db};
use crate::web;
use std::sync::Arc;
use tokio::sync::watch;

/// Opens the database as configured, without looking at its schema.
///
/// # Errors
/// A sentence for people.
pub async fn database(config: &Config) -> Result<Db, String> {
    let options =
        ConnectOptions { url: config.database_url.clone(), connections: config.database_connections, wait: config.database_wait };
    // The URL may hold a password: it is not repeated.
    Db::connect(&options).await.map_err(|e| format!("cannot open the database ([database] url): {e}"))
}

/// Everything that use cases need: database brought up to date, master key, deployment row, signing keys.
///
/// # Errors
/// A sentence for people that names the setting to look at.
pub async fn open(config: &Config) -> Result<Deps, String> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let master = match &config.master_key {
        Some(text) => MasterKey::parse(text),
        None => MasterKey::read_or_create(&config.master_key_path, &entropy),
    };
    let sealer = Sealer::new(master.map_err(|e| format!("[secrets] master key: {e}"))?, Vec::new(), entropy.clone());
    let db = database(config).await?;
    db.migrate().await.map_err(|e| format!("cannot bring the database up to date: {e}"))?;
    let settings = config.settings.clone();
    deployment::open(&db, &sealer, &settings.public, &clock, &entropy).await.map_err(|e| e.to_string())?;
    let store = KeyStore::default();
    let overlap_s = settings.tokens.key_overlap;
    let parts = keys::Parts { db: &db, sealer: &sealer, store: &store, clock: &clock, entropy: &entropy, overlap_s };
    keys::ensure(parts, jose::generate).await.map_err(|e| format!("cannot load the signing keys: {e}"))?;
    let sign_in = &settings.sign_in;
    let options = HasherOptions::new(sign_in.argon2_memory, sign_in.argon2_passes, sign_in.hash_threads);
    let hasher =
        Hasher::start(options, entropy.clone()).map_err(|e| format!("cannot start the password hashing threads: {e}"))?;
    let pages = Pages::from_settings(&settings);
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
        connectors: Registry::default(),
    }))
}

/// Opens, and serves until `stop` turns true.
///
/// # Errors
/// A sentence for people.
pub async fn run(config: Config, stop: watch::Receiver<bool>) -> Result<(), String> {
    let deps = open(&config).await?;
    serve(config, deps, stop).await
}

/// Serves what [`open`] gave until `stop` turns true, then drains.
///
/// # Errors
/// A sentence for people.
pub async fn serve(config: Config, deps: Deps, stop: watch::Receiver<bool>) -> Result<(), String> {
    tracing::info!(issuer = deps.settings.public.issuer(), listen = %config.listen, engine = ?deps.db.engine(), "ODCM serves");
    let management = config.management.map(|listen| {
        let router = web::management::routes().with_state(deps.clone());
        tokio::spawn(web::serve(router, listen, None, config.drain, stop.clone()))
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
    let served = web::serve(web::router(&deps, push.routes()), config.listen, config.tls, config.drain, stop).await;
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
