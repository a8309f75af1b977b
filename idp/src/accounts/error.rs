//! What a use case can say.

use crate::core::Refusal;
use crate::storage;

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule said no; the text is for people.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed; the text is for the log.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// Something else inside failed; the text is for the log.
    #[error("{0}")]
    Internal(String),
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

impl storage::Retryable for Error {
    fn retry(&self) -> bool {
        matches!(self, Self::Storage(error) if error.retry())
    }
}
