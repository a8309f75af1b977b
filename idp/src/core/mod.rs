//! The decisions: pure values and functions. No http, no sql, no async, no clock: time and randomness come in as
//! parameters, so that every rule is a table test or a property.
//!
//! May use: nothing of this crate. Example: `core::policy::Actor::may` is the only place that says no to an administrator.

pub mod access;
mod access_graph;
pub mod authorization;
pub mod change;
pub mod client;
pub mod difference;
pub mod directory;
pub mod explain;
mod explain_text;
pub mod ids;
pub mod joining;
pub mod keyset;
pub mod ldap;
pub mod ldap_dn;
pub mod ldap_filter;
pub mod ldap_profile;
pub mod login;
#[cfg(test)]
mod login_tests;
#[cfg(test)]
mod naive;
pub mod policy;
pub mod projection;
pub mod provider;
pub mod refusal;
pub mod session;
pub mod text;
pub mod text_rule;
pub mod time;

pub use refusal::Refusal;
pub use time::Timestamp;
