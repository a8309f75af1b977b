//! Jobs: rows of the `job` table that one worker at a time leases, runs, and repeats with back-off when they fail. The list
//! of kinds is composed in the composition root: `jobs::Runner::start(deps, vec![Arc::new(jobs::CleanUp)])`.
//!
//! May use: `accounts`, `storage`, `deps`. A job may run twice (a worker that lost its lease), so it must be harmless to
//! repeat.

mod clean_up;
mod runner;

pub use clean_up::CleanUp;
pub use runner::{Job, Runner, enqueue};
