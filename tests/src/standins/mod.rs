//! Servers that stand in for products which cannot run here.
//!
//! For: the demo and the tests, which need something that behaves like an Octopus Server or an upstream
//! provider over real HTTP. Uses no room of ODCM itself: a stand-in must not share a mistake with what it tests.
//! Example: `OctopusStandin::start(StandinConfig::default()).await?` gives a server on a free loopback port.

pub mod octopus;
pub mod op;
