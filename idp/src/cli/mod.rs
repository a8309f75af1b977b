//! The command line: what an operator types on the host. Output is for people; logs go to standard error.
//!
//! May use: everything (it belongs to the composition root). Example: `odcm config check --config odcm.toml`.

mod admin;
mod serve;
#[cfg(test)]
mod tests;

pub use serve::block_on;

use crate::config::{self, Config};
use crate::core::policy::{Actor, Right, Role, Scope, Via};
use crate::crypto::jose::Alg;
use crate::server::Deployment;
use crate::{accounts, server};
use clap::{Parser, Subcommand, ValueEnum};
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
    /// Run the server.
    Serve,
    /// Bring the database up to date, without running the server.
    Migrate,
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The first owner, tokens for programs, and the way back in.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Signing keys.
    #[command(subcommand)]
    Keys(KeysCommand),
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

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Publish a new signing key; it signs a little later, and the old one stays published until its tokens have expired.
    Rotate {
        /// Which algorithm.
        #[arg(value_enum)]
        alg: KeyAlg,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyAlg {
    /// RSA 2048 with SHA-256: what Octopus servers need.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519: signs the documents for agents.
    Fleet,
}

/// Runs a command.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match execute(&cli) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: &Cli) -> Result<String, String> {
    match &cli.command {
        Command::Config(ConfigCommand::Template) => Ok(config::template()),
        Command::Config(ConfigCommand::Reference) => Ok(config::markdown()),
        Command::Config(ConfigCommand::Check) => {
            let config = load(cli)?;
            block_on(&config, server::check_files(&config))?;
            Ok(format!(
                "The configuration is right: ODCM answers as {} and listens on {}.\n",
                config.settings.public.issuer(),
                config.listen
            ))
        }
        Command::Serve => serve::serve(load(cli)?).map(|()| String::new()),
        Command::Migrate => {
            let config = load(cli)?;
            block_on(&config, async {
                let db = server::database(&config, Deployment::MayBeNew).await?;
                db.migrate().await.map_err(|e| format!("cannot bring the database up to date: {e}"))?;
                db.close().await;
                Ok("The database is up to date.\n".to_owned())
            })
        }
        Command::Admin(command) => {
            let config = load(cli)?;
            block_on(&config, async {
                let deps = server::open(&config, command.deployment()).await?;
                admin::run(&deps, command).await
            })
        }
        Command::Keys(KeysCommand::Rotate { alg }) => {
            let config = load(cli)?;
            let alg = match alg {
                KeyAlg::Rs256 => Alg::Rs256,
                KeyAlg::Es256 => Alg::Es256,
                KeyAlg::Fleet => Alg::EdDsa,
            };
            block_on(&config, async {
                let deps = server::open(&config, Deployment::Exists).await?;
                let kid = accounts::keys::rotate(&deps, &host(), alg).await.map_err(|e| e.to_string())?;
                let minutes = accounts::keys::LEAD_S / 60;
                Ok(match alg {
                    Alg::EdDsa => format!(
                        "The new key {kid} is announced to the agents and will sign their documents in {minutes} minutes. Agents that are away hear of it when they come back.\n"
                    ),
                    _ => format!("The new key {kid} is published and will sign in {minutes} minutes.\n"),
                })
            })
        }
    }
}

/// Whoever has a shell on the host: may do everything, and the audit says so.
fn host() -> Actor {
    let name = ["SUDO_USER", "USER"].iter().find_map(|v| std::env::var(v).ok()).unwrap_or_else(|| "unknown".into());
    let rights = vec![Right { role: Role::Owner, scope: Scope::All }];
    Actor {
        person: None,
        name: format!("{name} on the host"),
        via: Via::Host,
        credential: None,
        rights,
        address: None,
        request_id: None,
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
