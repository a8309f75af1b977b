//! The way out: one HTTP client towards upstreams, and the guard that keeps it (and the LDAP client) away from addresses that
//! an upstream must not lead us to.
//!
//! May use: `config`. Example: `Http::new(Guard::parse(&["idp.corp.example"])?, vec![]).get(&url, None, 64 * 1024).await`.

mod client;

pub use crate::config::Guard;
pub use client::{Answer, Error, Http};
