//! The integration tests: one binary, a module per subject.

mod standin_octopus_api;
mod standin_octopus_client;
