//! The stand-in Octopus Server: users, teams, permissions, configuration sections, events and sign-in,
//! as strict as the real one (facts: `docs/standin-octopus.md`).
//!
//! May use: axum, reqwest, aws-lc-rs; nothing of ODCM. One `Mutex<State>` holds everything; handlers lock it
//! for the length of one synchronous block.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use odcm_tests::standins::octopus::{OctopusStandin, StandinConfig};
//! let mars = OctopusStandin::start(StandinConfig::default()).await?;
//! println!("{} {}", mars.url(), mars.admin_key());
//! mars.stop().await;
//! # Ok(()) }
//! ```

mod api_keys;
mod auth;
mod capabilities;
mod config;
mod config_sections;
mod dashboard;
mod deployments;
mod documents;
mod errors;
mod events;
mod executions;
mod external_groups;
mod faults;
mod front;
mod handle;
mod kinds;
mod pages;
mod paging;
mod permission_names;
mod permissions;
mod persist;
mod relying_party;
mod request;
mod roles;
mod root;
mod roundtrip;
mod scope;
mod scoped_roles;
mod secrets;
mod section_data;
mod seed;
mod server;
mod server_documents;
mod sessions;
mod spaces;
mod state;
mod status;
mod switches;
mod team_membership;
mod teams;
mod time;
mod users;

pub use config::{Clock, Entropy, StandinConfig, Version};
pub use faults::Fault;
pub use handle::{CookieSession, StandinHandle};
pub use server::{OctopusStandin, StartError};
pub use state::{ApiKey, Claim, Event, ExternalGroups, Identity, ScopedUserRole, Session, State, Team, User, UserRole};
pub use switches::Switches;
