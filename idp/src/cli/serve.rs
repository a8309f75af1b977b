//! `odcm serve`, and the runtime and logging that other commands need as well.

use crate::config::Config;
use crate::server;
use tokio::sync::watch;

/// Runs the server until Ctrl-C or SIGTERM.
///
/// # Errors
/// A sentence for people.
pub(super) fn serve(config: Config) -> Result<(), String> {
    let level = config.clone();
    block_on(&level, async move {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            asked_to_end().await;
            tracing::info!("stopping: open requests get time to finish");
            let _ = stop.send(true);
        });
        server::run(config, stopped).await
    })
}

/// Runs a future with logging, TLS provider and runtime set up.
///
/// # Errors
/// What the future says, or that the runtime cannot start.
pub fn block_on<T>(config: &Config, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    start_logging(config)?;
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // One core is left to the threads of SQLite and to password hashes: a request that finds its core taken waits, and two
    // workers on two cores spend more time on waking each other than on the requests (docs/performance.md).
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the async runtime: {e}"))?;
    runtime.block_on(work)
}

fn start_logging(config: &Config) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level).map_err(|e| format!("[log] level: {e}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A subscriber that somebody set before (tests) stays.
    let _ = if config.log_json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    Ok(())
}

/// Resolves at Ctrl-C or SIGTERM.
async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
