//! What can go wrong while state is projected and pushed.

use crate::storage;

/// An error of this room. Its text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// Another node is the projector now; its work is not disturbed.
    #[error("another node holds the projector's lease")]
    LeaseLost,
    /// The agent is gone.
    #[error("the connection is gone")]
    Gone,
    /// A document could not be written or signed.
    #[error("document: {0}")]
    Document(String),
}

/// Result in this room.
pub type Result<T> = std::result::Result<T, Error>;

impl storage::Retryable for Error {
    fn retry(&self) -> bool {
        matches!(self, Self::Storage(error) if error.retry())
    }
}

impl From<odcm_wire::latest::DocumentError> for Error {
    fn from(error: odcm_wire::latest::DocumentError) -> Self {
        Self::Document(error.to_string())
    }
}
