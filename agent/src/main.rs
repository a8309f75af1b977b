//! The binary `odcm-agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    odcm_agent::cli(std::env::args_os())
}
