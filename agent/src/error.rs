//! What can go wrong in an agent, told to the person who runs it.

use odcm_space_plugin::AdapterError;
use std::path::PathBuf;

/// Why the agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A file of the state folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the state folder does not hold what it should. It is never reset silently.
    #[error(
        "{file} in the state folder cannot be understood: {reason}. Nothing was changed. Restore the file from a backup; \
         if there is none, revoke this agent in ODCM, move the state folder aside and enrol again"
    )]
    Corrupt {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The folder holds no enrolment.
    #[error("this folder holds no enrolment: run `odcm-agent enroll` first ({0})")]
    NotEnrolled(PathBuf),
    /// The folder holds one already.
    #[error("this folder holds the enrolment of agent {0} already: use another --state folder, or --again for the same Space")]
    AlreadyEnrolled(String),
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// ODCM refused the enrolment.
    #[error("ODCM refused the enrolment: {0}")]
    Refused(String),
    /// ODCM cannot be reached or answers something else.
    #[error("cannot talk to ODCM: {0}")]
    Server(String),
    /// The Space.
    #[error(transparent)]
    Space(#[from] AdapterError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no random numbers")]
    Entropy,
}
