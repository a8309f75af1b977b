//! `octopus-standin`: the stand-in Octopus Server as a program.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use odcm_tests::standins::octopus::{OctopusStandin, StandinConfig, StandinHandle, Switches, Version};

/// A server that behaves like Octopus Server, for tests and the demo.
#[derive(Parser)]
#[command(name = "octopus-standin")]
struct Arguments {
    /// Loopback address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Address for browsers, such as http://mars.localhost:8091.
    #[arg(long)]
    public_url: Option<String>,
    /// Name shown on the pages.
    #[arg(long, default_value = "Octopus")]
    name: String,
    /// File that keeps the state across restarts.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Version to imitate: 2022.2.4498 or newer; from 2025.4 with the generic OIDC provider.
    #[arg(long, default_value = "2023.1.9626")]
    version: Version,
    /// API key of the administrators' service account; a random one is printed when absent.
    #[arg(long, env = "OCTOPUS_STANDIN_ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
    /// Password of the local user `admin`.
    #[arg(long, env = "OCTOPUS_STANDIN_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// Address of ODCM, for the link back.
    #[arg(long)]
    odcm_url: Option<String>,
    /// Assumption to set, NAME=on or NAME=off; may be repeated. `strict_roundtrip=KEY` holds a key's PUTs to full bodies.
    #[arg(long = "switch", value_name = "NAME=VALUE")]
    switches: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the program tells its address and its key on standard output")]
fn announce(standin: &StandinHandle) {
    println!("listening on {} for {}", standin.url(), standin.public_url());
    if !standin.admin_key().is_empty() {
        println!("administrator's API key {}", standin.admin_key());
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let mut switches = Switches::default();
    for switch in &arguments.switches {
        switches.set(switch)?;
    }
    let config = StandinConfig {
        listen: arguments.listen,
        public_url: arguments.public_url,
        name: arguments.name,
        data: arguments.data,
        version: arguments.version,
        admin_key: arguments.admin_key,
        admin_password: arguments.admin_password,
        odcm_url: arguments.odcm_url,
        switches,
        ..StandinConfig::default()
    };
    let standin = OctopusStandin::start(config).await.map_err(|error| error.to_string())?;
    announce(&standin);
    wait_for_end().await;
    standin.stop().await;
    Ok(())
}

/// Ctrl-C, or SIGTERM where there is one.
async fn wait_for_end() {
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
