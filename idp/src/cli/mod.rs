//! The command line: what an operator types on the host. Output is for people; logs go to standard error.
//!
//! May use: everything (it belongs to the composition root). Example: `odcm config check --config odcm.toml`.

use crate::config::{self, Config};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// ODCM: one sign-in for every Octopus server, access pushed within a second.
#[derive(Debug, Parser)]
#[command(name = "odcm", version, about)]
pub struct Cli {
    /// Configuration file (TOML); `odcm config template` prints one.
    #[arg(long, short, global = true, value_name = "FILE", env = "ODCM_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the configuration, or that it is right.
    Check,
    /// Print a configuration file with every key and its default.
    Template,
    /// Print the reference in Markdown (docs/configuration.md).
    Reference,
}

/// Runs a command.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Config(ConfigCommand::Template) => {
            say(&config::template());
            Ok(())
        }
        Command::Config(ConfigCommand::Reference) => {
            say(&config::markdown());
            Ok(())
        }
        Command::Config(ConfigCommand::Check) => load(&cli).map(|config| {
            say(&format!(
                "The configuration is right: ODCM answers as {} and listens on {}.\n",
                config.settings.public.issuer(),
                config.listen
            ));
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn load(cli: &Cli) -> Result<Config, String> {
    Config::load(cli.config.as_deref(), std::env::vars()).map_err(|e| e.to_string())
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
fn say(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "the error of a command")]
fn complain(text: &str) {
    eprintln!("odcm: {text}");
}
