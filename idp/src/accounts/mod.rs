//! Use cases on people, groups, grants, Spaces and clients: load -> core decision -> store + audit + dirty marks, all in one
//! `run_tx`. Portal, API and command line write through here only, so that nothing escapes the audit.
//!
//! May use: `connectors`, `storage`, `crypto`, `net`, config types, `core`, `ports`. Every function takes `&Deps` and the
//! `&Actor`, asks `actor.may(…)` first, and rings `deps.wake` after a commit that left marks.

pub mod access;
pub mod actors;
pub mod agent_status;
pub mod agents;
pub mod api_tokens;
pub mod audit;
pub mod claimed;
pub mod clients;
pub mod deployment;
mod desk;
pub mod emails;
pub mod entry;
mod error;
pub mod grants;
pub mod groups;
pub mod identities;
pub mod input;
pub mod joining;
pub mod keys;
pub mod launcher;
pub mod links;
pub mod memberships;
pub mod merging;
mod names;
pub mod people;
pub mod providers;
pub mod recovery;
pub mod rights;
pub mod sign_ins;
pub mod spaces;

pub use actors::actor_for_person;
pub use error::{Error, Result};
