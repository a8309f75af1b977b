//! Wire version 1. Frozen once released: a change that an older peer would misread belongs in a new version.

mod access;
mod authentication;
mod covered;
mod document;
mod fleet;
mod inheritance;
mod message;
mod projection;
mod report;

pub use access::{AccessDelta, AccessState, AdoptionDecision, Group, Interval, Person};
pub use authentication::AuthenticationState;
pub use document::{Body, Document, DocumentError, MAX_DOCUMENT_BYTES, Offline, Section, SignedDocument};
pub use fleet::{SignedSuccession, Succession};
pub use inheritance::{FormerLink, FormerTeam, Inheritance};
pub use message::{
    Challenge, EnrolmentAccepted, EnrolmentRequest, FleetKey, FromAgent, FromServer, Heartbeat, Hello, MAX_MESSAGE_BYTES,
    Position, Probe, Proof, RefusalCode, Refused, Welcome, proof_bytes,
};
pub use projection::{Projection, SeenPerson};
pub use report::{
    AccountLink, Ack, AdoptionCandidate, Alarm, Drift, DriftAction, InnerSpace, ItemResult, ItemState, Report, ReportKind, Seen,
    SweepCandidate, TeamBinding,
};

/// The number of this version.
pub const VERSION: u32 = 1;

/// Milliseconds since 1970-01-01 UTC, on ODCM's clock.
pub type Millis = i64;
