//! What can go wrong with the database.

/// A storage error. Its text is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction came first; running again is right.
    #[error("the transaction met another one: {0}")]
    Busy(String),
    /// A UNIQUE constraint refused a row; the text names the constraint or columns, as the engine gives it.
    #[error("not unique: {0}")]
    Unique(String),
    /// A FOREIGN KEY refused a row.
    #[error("refers to nothing: {0}")]
    Reference(String),
    /// The database cannot be reached, or has no connection to give.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row cannot be read as what it should be.
    #[error("inconsistent data in {table} {column} of {row}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Id of the row.
        row: String,
    },
    /// A write hit another number of rows than it must.
    #[error("{what}: expected to change one row, changed {rows}")]
    Rows {
        /// Which write.
        what: &'static str,
        /// Rows changed.
        rows: u64,
    },
    /// Anything else the engine says.
    #[error("database: {0}")]
    Engine(String),
}

/// PostgreSQL's `read_only_sql_transaction`: after a fail-over, the server behind this connection is not the primary.
pub(super) const READ_ONLY: &str = "25006";

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of bodies given to [`crate::run_tx!`]: tells whether the transaction may simply run again.
pub trait Retryable {
    /// True for a conflict with another transaction.
    fn retry(&self) -> bool;
}

impl Retryable for Error {
    fn retry(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match &error {
            sqlx::Error::Database(db) => {
                let code = db.code().unwrap_or_default();
                // 40001 and 40P01: PostgreSQL; 5 and 6 with their extended forms: SQLITE_BUSY and SQLITE_LOCKED
                if matches!(&*code, "40001" | "40P01" | "5" | "6" | "261" | "262" | "517") {
                    return Self::Busy(text);
                }
                // 57P01..05: the server goes down; 25P03: it ended an idle transaction; 53300: too many connections; 25006: read
                // only after a fail-over; 14: SQLite cannot open the file
                if matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" | READ_ONLY | "14") {
                    return Self::Unavailable(text);
                }
                match db.kind() {
                    sqlx::error::ErrorKind::UniqueViolation => Self::Unique(db.constraint().map_or(text, str::to_owned)),
                    sqlx::error::ErrorKind::ForeignKeyViolation => Self::Reference(text),
                    _ => Self::Engine(text),
                }
            }
            // a connection that ends in the middle of an answer is a matter of protocol to sqlx
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Tls(_) => Self::Unavailable(text),
            _ => Self::Engine(text),
        }
    }
}
