//! How an agent reads and writes a Space.
//!
//! [`SpaceAdapter`] is the contract; an adapter knows one kind of server and no policy: what should be true, in which
//! order and how often is the agent's business. [`octopus`] speaks the Octopus REST API, [`fake`] is a Space in memory,
//! and [`conformance`] is the suite that both pass.
#![warn(missing_docs)]

mod adapter;
pub mod conformance;
pub mod fake;
pub mod octopus;

pub use adapter::{
    Account, AccountChange, AdapterError, ApiKey, AuthenticationSeen, AuthenticationSetUp, Backup, Capability, Change,
    Description, ExternalGroup, MemberChange, NewAccount, Provider, Result, SpaceAdapter, Team, Teams,
};
