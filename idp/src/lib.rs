//! ODCM, the server: identity provider, administration and push to agents.
//!
//! The rooms and who may use whom: `ARCHITECTURE.md`.

pub mod accounts;
pub mod api;
pub mod cli;
pub mod config;
pub mod connectors;
pub mod core;
pub mod crypto;
pub mod deps;
pub mod http;
pub mod jobs;
pub mod login;
pub mod net;
pub mod pages;
pub mod portal;
pub mod ports;
pub mod protocols;
pub mod push;
pub mod server;
pub mod storage;
#[doc(hidden)]
pub mod testing;
pub mod web;

#[cfg(test)]
mod layering;
