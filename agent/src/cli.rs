//! The command line of `odcm-agent`.

use crate::clock::{Clock as _, SystemClock};
use crate::engine::Timing;
use crate::enrol::{Order, enrol};
use crate::entropy::SystemEntropy;
use crate::state::{Enrolment, Folder, State};
use crate::{AgentError, Config, run};
use clap::{Args, Parser, Subcommand};
use odcm_space_plugin::SpaceAdapter;
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Stands beside one Octopus Deploy server and keeps its users, teams and sign-in as ODCM says.
///
/// First `enroll` it with a one-time code from the portal, then `run` it as a service on a host that reaches the Octopus
/// server. It opens one connection to ODCM and never listens.
#[derive(Parser)]
#[command(name = "odcm-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ties this host to a Space with a one-time code from the portal
    #[command(alias = "enrol")]
    Enroll(Box<Enroll>),
    /// Does the work until it is stopped (SIGTERM or ctrl-c)
    Run(Run),
    /// Shows what the agent holds and since when it is without ODCM
    Status(Folders),
    /// Puts the Octopus server's sign-in settings back as they were before ODCM; works without ODCM
    ///
    /// Stop the agent first. It leaves the settings alone afterwards, until ODCM wants other ones: rotate the Space's client
    /// secret to hand them to ODCM again. A client secret that the server had before cannot be read and therefore not be
    /// restored.
    RestoreAuth(Folders),
}

#[derive(Args)]
struct Folders {
    /// Folder with the agent's key and state
    #[arg(long, env = "ODCM_AGENT_STATE", default_value = "odcm-agent", value_name = "DIR")]
    state: PathBuf,
}

#[derive(Args)]
struct Run {
    /// Seconds between two looks at the teams and at what the Octopus server's events name
    #[arg(long, env = "ODCM_AGENT_LOOK_SECONDS", default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    look_seconds: u64,
    /// Seconds between two full reads of users, teams and sign-in settings
    #[arg(long, env = "ODCM_AGENT_FULL_READ_SECONDS", default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(30..=86_400))]
    full_read_seconds: u64,
    #[command(flatten)]
    folders: Folders,
}

impl Run {
    fn timing(&self) -> Timing {
        let (tick, full) = (Duration::from_secs(self.look_seconds), Duration::from_secs(self.full_read_seconds));
        Timing { tick, full: full.max(tick), ..Timing::default() }
    }
}

#[derive(Args)]
struct Enroll {
    /// Address of ODCM, such as https://odcm.example.com
    #[arg(long)]
    url: String,
    /// The one-time code that the portal shows
    #[arg(long, env = "ODCM_AGENT_CODE", hide_env_values = true)]
    code: String,
    /// Where this host reaches the Octopus server
    #[arg(long, value_name = "URL")]
    octopus_url: String,
    /// Where people reach the Octopus server, when that is another address
    #[arg(long, value_name = "URL")]
    octopus_public_url: Option<String>,
    /// File with the API key of the agent's service account
    #[arg(long, value_name = "FILE")]
    octopus_key_file: PathBuf,
    /// Certificate of a private authority that vouches for ODCM, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to ODCM, such as http://proxy.example.com:3128
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Certificates of the private authority that vouches for the Octopus server, PEM; nothing else is trusted then
    #[arg(long, value_name = "FILE")]
    octopus_ca_file: Option<PathBuf>,
    /// HTTP proxy on the way to the Octopus server
    #[arg(long, value_name = "URL")]
    octopus_proxy: Option<String>,
    /// Allows plain http to an Octopus server on another host: the API key then travels in the clear
    #[arg(long)]
    octopus_allow_plain_http: bool,
    /// Enrols a host again whose state folder is of the same Space: what the agent remembers of it is kept
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    folders: Folders,
}

/// Does what the command line says.
pub fn cli(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(e) => {
            // Nothing can be said when even that cannot be printed.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ODCM_AGENT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second subscriber in one process (tests, the demo) is no error.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(obey(arguments.command)),
        Err(e) => Err(AgentError::Config(format!("the runtime cannot be started: {e}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "odcm-agent: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> Result<(), AgentError> {
    match command {
        Command::Enroll(enroll) => do_enroll(*enroll).await,
        Command::Run(given) => {
            let timing = given.timing();
            let folder = given.folders.state;
            let _lock = lock(&folder)?;
            let state = open(&folder)?;
            let adapter = octopus(&state.enrolment)?;
            drop(state);
            run(Config { timing, ..Config::new(folder) }, adapter, stop_signal()).await
        }
        Command::Status(folders) => say(&status(&folders.state)?),
        Command::RestoreAuth(folders) => {
            let _lock = lock(&folders.state)?;
            let state = open(&folders.state)?;
            let adapter = octopus(&state.enrolment)?;
            let text = restore_auth(state, &*adapter).await?;
            say(&text)
        }
    }
}

async fn do_enroll(enroll: Enroll) -> Result<(), AgentError> {
    let order = Order {
        url: enroll.url,
        code: enroll.code,
        octopus_url: enroll.octopus_url,
        octopus_public_url: enroll.octopus_public_url,
        octopus_key_file: enroll.octopus_key_file,
        ca_file: enroll.ca_file,
        proxy: enroll.proxy,
        octopus_ca_file: enroll.octopus_ca_file,
        octopus_proxy: enroll.octopus_proxy,
        octopus_plain_http: enroll.octopus_allow_plain_http,
        again: enroll.again,
    };
    // An agent that runs on would not know of its new key.
    let _lock = if order.again { Some(lock(&enroll.folders.state)?) } else { None };
    let mut folder = Folder::open(&enroll.folders.state)?;
    let adapter = octopus_at(&Way {
        url: &order.octopus_url,
        public_url: order.octopus_public_url.as_deref(),
        key_file: &order.octopus_key_file,
        ca_file: order.octopus_ca_file.as_deref(),
        proxy: order.octopus_proxy.as_deref(),
        plain_http: order.octopus_plain_http,
    })?;
    let done = enrol(&order, &*adapter, &SystemEntropy::default(), &mut folder).await?;
    say(&format!(
        "Enrolled as agent {} of \"{}\" ({}).\nState: {}. Now start it: odcm-agent run --state {}\n",
        done.agent,
        done.space_name,
        done.base_url,
        folder.path().display(),
        folder.path().display(),
    ))
}

/// The adapter of an enrolled Octopus server.
///
/// # Errors
/// [`AgentError::Config`] when its address, its key file, its certificates or its proxy cannot be used.
pub fn octopus(who: &Enrolment) -> Result<Arc<dyn SpaceAdapter>, AgentError> {
    octopus_at(&Way {
        url: &who.octopus_url,
        public_url: Some(&who.base_url),
        key_file: &who.octopus_key_file,
        ca_file: who.octopus_ca_file.as_deref(),
        proxy: who.octopus_proxy.as_deref(),
        plain_http: who.octopus_plain_http,
    })
}

/// How the Octopus server is reached.
struct Way<'a> {
    url: &'a str,
    public_url: Option<&'a str>,
    key_file: &'a Path,
    ca_file: Option<&'a Path>,
    proxy: Option<&'a str>,
    plain_http: bool,
}

fn octopus_at(way: &Way<'_>) -> Result<Arc<dyn SpaceAdapter>, AgentError> {
    let shown = way.key_file.display();
    let key = std::fs::read_to_string(way.key_file)
        .map_err(|e| AgentError::Config(format!("--octopus-key-file {shown}: {e}; a file with the API key is wanted")))?;
    let key = key.trim();
    if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(AgentError::Config(format!("--octopus-key-file {shown}: it must hold the API key and nothing else")));
    }
    let read_ca = |file: &Path| {
        let problem = |e| AgentError::Config(format!("--octopus-ca-file {}: {e}; a PEM file is wanted", file.display()));
        std::fs::read(file).map_err(problem)
    };
    let config = OctopusConfig {
        public_url: way.public_url.map(str::to_owned),
        ca_pem: way.ca_file.map(read_ca).transpose()?,
        proxy: way.proxy.map(str::to_owned),
        allow_plain_http: way.plain_http,
        ..OctopusConfig::new(way.url, key)
    };
    let adapter = OctopusAdapter::new(config).map_err(|e| {
        let option = match e.setting {
            "ca_pem" => "--octopus-ca-file",
            "proxy" => "--octopus-proxy",
            "api_key" => "--octopus-key-file",
            "public_url" => "--octopus-public-url",
            _ if e.problem.contains("allow_plain_http") => "--octopus-url (or --octopus-allow-plain-http)",
            _ => "--octopus-url",
        };
        AgentError::Config(format!("{option}: {}", e.problem))
    })?;
    Ok(Arc::new(adapter))
}

/// Puts the sign-in settings of the Space back as they were before ODCM's first write (rules B12), and remembers to leave
/// them alone until ODCM wants other settings.
///
/// # Errors
/// [`AgentError::Config`] when nothing was ever written; else what the Space or the disk says.
pub async fn restore_auth(mut state: State, adapter: &dyn SpaceAdapter) -> Result<String, AgentError> {
    let Some(backup) = state.sign_in.backup.clone() else {
        return Err(AgentError::Config("ODCM never changed the sign-in of this Space: there is nothing to restore".into()));
    };
    if adapter.installation_id().await? != state.enrolment.installation_id {
        return Err(AgentError::Config("another server answers under the Space's address than was enrolled".into()));
    }
    // Remembered first: a crash in between must not make the agent write ODCM's settings over the restored ones.
    state.sign_in.restored = state.authentication.accepted.as_ref().and_then(|h| h.state.digest().ok());
    state.save_sign_in()?;
    adapter.restore_authentication(&backup).await?;
    let sections: Vec<&str> = backup.sections.iter().map(|(id, _)| id.as_str()).collect();
    Ok(format!("Restored the sign-in settings from before ODCM: {}.\n", sections.join(", ")))
}

/// What the agent holds, for people.
///
/// # Errors
/// [`AgentError`] when the state folder cannot be read.
pub fn status(folder: &Path) -> Result<String, AgentError> {
    let state = open(folder)?;
    let who = &state.enrolment;
    let mut text = format!(
        "Space          {} ({})\nODCM           {}\nAgent          {}\nInstallation   {}\nOctopus        {}\n",
        who.space_name, who.space, who.origin, who.agent, who.installation_id, who.octopus_url
    );
    for p in state.positions() {
        let applied = if p.revision == 0 {
            "nothing applied yet".into()
        } else {
            format!("epoch {}, revision {} applied", p.epoch, p.revision)
        };
        text.push_str(&format!("{:<15}{applied}\n", p.section.as_str()));
    }
    let records = &state.records;
    let off = |off: crate::state::Off| records.links.values().filter(|l| l.off == off).count();
    text.push_str(&format!(
        "Accounts       {} linked, {} deactivated by ODCM, {} by the Space\nTeams          {} bound\nReports        {} waiting for ODCM\n",
        records.links.len(),
        off(crate::state::Off::ByUs),
        off(crate::state::Off::Local),
        records.teams.len(),
        state.spool.entries.len(),
    ));
    if let Some(why) = &state.floor.refused {
        text.push_str(&format!("Refused        by ODCM ({why}); it gives no access until it is accepted again\n"));
    }
    let heard = match state.anchor {
        None => "never".into(),
        Some(a) => {
            let seconds = SystemClock::new().wall().saturating_sub(a.wall).max(0) / 1000;
            format!("{} ago (noted once a minute)", span(seconds))
        }
    };
    text.push_str(&format!("ODCM heard     {heard}\n"));
    Ok(text)
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// Opens a state folder; one without enrolment is named.
fn open(folder: &Path) -> Result<State, AgentError> {
    State::open(Box::new(Folder::open(folder)?)).map_err(|e| match e {
        AgentError::NotEnrolled(_) => AgentError::NotEnrolled(folder.to_owned()),
        e => e,
    })
}

/// One process per state folder. The lock falls with the process.
fn lock(folder: &Path) -> Result<std::fs::File, AgentError> {
    let folder = Folder::open(folder)?;
    let path = folder.path().join("lock");
    let io = |source| AgentError::Io { path: path.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(AgentError::Config(format!(
            "an agent is running with this state folder ({}): stop it first",
            folder.path().display()
        ))),
        Err(std::fs::TryLockError::Error(e)) => Err(io(e)),
    }
}

/// Ready when the process is asked to stop.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("asked to stop");
            return;
        }
    }
    // Without a handler the process ends by the signal itself.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    tracing::info!("asked to stop");
}

fn say(text: &str) -> Result<(), AgentError> {
    let io = |source| AgentError::Io { path: "standard output".into(), source };
    std::io::stdout().write_all(text.as_bytes()).map_err(io)
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
