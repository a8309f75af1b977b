//! The database: the only room that names sqlx. One SQL text and one migration sequence for SQLite and PostgreSQL.
//!
//! May use: `core`. One file per noun holds that noun's statements, each a `sql!` text with its binds.
//! Example: `db.opt(sql!("SELECT display_name FROM person WHERE id = $1"), &[&id]).await?`.
//!
//! Rules: a transaction is opened by [`crate::run_tx!`] only (its body may run twice); time is a parameter; there are
//! no list parameters (a subquery finds the rows, or a loop binds them); a write that must hit exactly one row checks the count.

pub mod adoption;
pub mod agents;
pub mod api_tokens;
pub mod audit;
pub mod bindings;
pub mod channel;
pub mod clients;
pub mod codes;
mod connect;
pub mod consent;
pub mod credentials;
mod db;
pub mod deployment;
pub mod directory;
pub mod documents;
pub mod emails;
mod error;
pub mod expiry;
pub mod grants;
pub mod groups;
pub mod identity_requests;
pub mod invitations;
pub mod jobs;
pub mod joins;
pub mod keys;
pub mod leases;
pub mod links;
pub mod logins;
pub mod marks;
pub mod memberships;
pub mod page;
pub mod people;
mod pool;
pub mod providers;
pub mod reports;
pub mod revocation;
pub mod rights;
pub mod sections;
pub mod sessions;
pub mod space_clients;
pub mod spaces;
pub mod successions;
mod tape;
pub mod throttle;
pub mod tokens;
mod types;
pub mod visits;

pub use connect::{ConnectOptions, Engine, copied_postgres, fresh_postgres};
pub use db::{Arg, Attempt, Db, FromRow, Row, Rowish, STATEMENTS, Stmt, Tx, TxCount, is_write};
pub use error::{Error, Result, Retryable};
pub use tape::{Recording, Tape};
pub use types::J;
