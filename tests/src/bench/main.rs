//! `odcm-bench`: what ODCM costs, held against the floor of what it cannot avoid and against the budgets of the project.
//!
//! The server runs as a process of its own (this program again, in another role); one client with one kept connection walks a
//! path many times. Cost is the CPU time of the server process. The floor is measured in the same round and process: the
//! statements that the path executed, taped and executed once more on a copy of the database, and the bare signatures or
//! password hash. How the figures are made: `docs/performance.md`.

mod agents;
mod applied;
mod bare;
mod child;
mod credentials;
mod http;
mod instructions;
mod password;
mod role;
mod rounds;
mod sign_on;
mod site;
mod start;
mod table;
mod world;

use clap::Parser;
use std::process::ExitCode;
use table::{Table, say};

/// Measures what ODCM costs. Build it with --release.
#[derive(Debug, Parser)]
#[command(name = "odcm-bench", version)]
struct Bench {
    /// Which benchmarks; all when none is named.
    names: Vec<String>,
    /// Few repetitions: whether it works, rather than figures.
    #[arg(long)]
    quick: bool,
    /// Fail when a figure is over its budget.
    #[arg(long)]
    check: bool,
    /// Name the benchmarks.
    #[arg(long)]
    list: bool,
}

const BENCHES: [(&str, &str); 6] = [
    ("credentials", "client_credentials with ES256 and RS256, all middleware"),
    ("sign-on", "authorize + token for a signed-in person, application and Space"),
    ("instructions", "the same by instructions instead of time, under callgrind"),
    ("password", "password sign-in in a new browser"),
    ("start", "CPU until ready on an existing database, memory before the first sign-in"),
    ("agents", "\"applied in\" with 100 agents connected, memory per agent"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let Some(role) = arguments.next().filter(|a| a.starts_with('@')) {
        return role::run(&role, arguments.next().unwrap_or_default());
    }
    let bench = Bench::parse();
    if bench.list {
        BENCHES.iter().for_each(|(name, about)| say(&format!("{name:<12} {about}")));
        return ExitCode::SUCCESS;
    }
    if let Some(name) = bench.names.iter().find(|n| !BENCHES.iter().any(|(known, _)| known == n)) {
        say(&format!("there is no benchmark `{name}`; --list names them"));
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        say("this is a debug build: the figures mean nothing");
    }
    let mut table = Table::default();
    match run(&bench, &mut table) {
        Ok(()) if bench.check && table.is_over() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("odcm-bench: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(bench: &Bench, table: &mut Table) -> Result<(), String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    table.head();
    for (name, _) in BENCHES
        .iter()
        .filter(|(name, _)| (bench.names.is_empty() && *name != "instructions") || bench.names.iter().any(|n| n == name))
    {
        match *name {
            "credentials" => credentials::run(&runtime, bench.quick, table)?,
            "sign-on" => sign_on::run(&runtime, bench.quick, table)?,
            "instructions" => instructions::run(&runtime, table)?,
            "password" => password::run(&runtime, bench.quick, table)?,
            "start" => start::run(&runtime, bench.quick, table)?,
            _ => agents::run(&runtime, bench.quick, table)?,
        }
    }
    Ok(())
}
