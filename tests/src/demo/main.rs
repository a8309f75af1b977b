//! `odcm-demo`: ODCM on an embedded database, two stand-in Octopus servers, an agent beside each, people and groups: the main
//! job of the product on one machine, from one command.
//!
//! This program is every process of the demo: without a role it is the conductor, which starts itself again as the server, the
//! stand-ins and the agents.

mod children;
mod conduct;
mod octopus;
mod print;
mod seed;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// ODCM, two Octopus servers and their agents, running on this machine.
#[derive(Debug, Parser)]
#[command(name = "odcm-demo", version)]
struct Demo {
    /// Folder for the data of the demo.
    #[arg(long, default_value = "demo-data")]
    data: PathBuf,
    /// Forget the data of earlier runs.
    #[arg(long)]
    reset: bool,
    /// Give everybody a new password and print it (they are printed at the first run only).
    #[arg(long)]
    new_passwords: bool,
    /// Write addresses, ids, passwords and an API token to this file, for scripts that test the demo.
    #[arg(long, hide = true)]
    describe: Option<PathBuf>,
    /// Port of ODCM; its health page takes the next, Mars and Venus the ports 11 and 12 above.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this process is, when it is not the conductor.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Role {
    /// The server.
    Server {
        /// Arguments of `odcm`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// A stand-in Octopus server.
    Standin(octopus::StandinRole),
    /// An agent.
    Agent {
        /// Arguments of `odcm-agent`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let demo = Demo::parse();
    match demo.role {
        None => conduct::run(&demo),
        Some(Role::Server { args }) => {
            children::end_with_parent();
            odcm::cli::run(odcm::cli::Cli::parse_from(std::iter::once("odcm".to_owned()).chain(args)))
        }
        Some(Role::Standin(role)) => {
            children::end_with_parent();
            octopus::run(role)
        }
        Some(Role::Agent { args }) => {
            if args.first().is_some_and(|a| a == "run") {
                children::end_with_parent();
            }
            odcm_agent::cli(std::iter::once("odcm-agent".to_owned()).chain(args).map(Into::into))
        }
    }
}
