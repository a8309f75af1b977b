//! The command line of the server.

use clap::Parser;

fn main() -> std::process::ExitCode {
    odcm::cli::run(odcm::cli::Cli::parse())
}
