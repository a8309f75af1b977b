//! Stand-ins and helpers for the tests and the demo.
//!
//! For: anything that talks to ODCM from outside. May use all other crates; no other crate uses this one.
//! Example: see [`standins`].

pub mod harness;
pub mod standins;
