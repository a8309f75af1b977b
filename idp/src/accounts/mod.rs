//! Use cases on people, groups, grants, Spaces and clients: load -> core decision -> store + audit + dirty marks, all in one
//! `run_tx`. Portal, API and command line write through here only, so that nothing escapes the audit.
//!
//! May use: `connectors`, `storage`, `crypto`, `net`, config types, `core`, `ports`. Every function takes `&Deps` and the
//! `&Actor`, asks `actor.may(…)` first, and rings `deps.wake` after a commit that left marks.

pub mod agents;
pub mod deployment;
mod error;
pub mod keys;

pub use error::{Error, Result};
