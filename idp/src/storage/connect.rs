//! Opening the database and bringing its schema up to date.

use super::db::{Db, Inner};
use super::pool::Pool;
use super::{Error, Result};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::str::FromStr;
use std::time::Duration;

/// The one migration sequence of both engines: version, name, text.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "foundation", include_str!("../../../migrations/0001_foundation.sql")),
    (2, "login network", include_str!("../../../migrations/0002_login_network.sql")),
    (3, "fleet_succession", include_str!("../../../migrations/0003_fleet_succession.sql")),
    (4, "providers", include_str!("../../../migrations/0004_providers.sql")),
];

fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// Statements kept prepared per connection: more than there are `sql!` texts.
const STATEMENT_CACHE: usize = 1024;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one node.
    Sqlite,
    /// PostgreSQL or an engine that speaks its protocol.
    Postgres,
}

/// How to open the database.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Connections of the PostgreSQL pool, or readers of SQLite.
    pub connections: u32,
    /// How long a caller waits for a connection.
    pub wait: Duration,
    /// Whether the file of SQLite may be made.
    pub create: bool,
}

impl ConnectOptions {
    /// With the usual pool.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), connections: 8, wait: Duration::from_secs(5), create: true }
    }
}

impl Db {
    /// Opens the database without touching its schema.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached, [`Error::Engine`] when the URL makes no sense.
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            let pg = PgConnectOptions::from_str(&options.url)?
                .statement_cache_capacity(STATEMENT_CACHE)
                .options([("synchronous_commit", "on")]); // a revocation must not come back after a power cut (rules C4)
            return Ok(Self::new(Inner::Pg(Pool::open(pg, options.connections, options.wait).await?)));
        }
        let lite = SqliteConnectOptions::from_str(&options.url)?
            .create_if_missing(options.create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENT_CACHE);
        // Opened once, the file is there: one that disappears later is not replaced by an empty one.
        SqlitePool::connect_with(lite.clone()).await?.close().await;
        let lite = lite.create_if_missing(false);
        let write = Pool::open(lite.clone(), 1, options.wait).await?;
        // a reader is a thread: more of them than cores only take turns
        let cores = std::thread::available_parallelism().map_or(2, |n| u32::try_from(n.get()).unwrap_or(4));
        let read = Pool::open(lite.read_only(true), options.connections.min(cores).clamp(2, 4), options.wait).await?;
        Ok(Self::new(Inner::Lite { read, write }))
    }

    /// Applies the migrations that are missing. Two nodes may do it at once.
    ///
    /// # Errors
    /// [`Error::Engine`] with the engine's words.
    pub async fn migrate(&self) -> Result<()> {
        // sqlx's migrations want a pool of sqlx
        let done = match self.inner() {
            Inner::Lite { write, .. } => {
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(write.options().clone()).await?;
                let done = migrator().run(&pool).await;
                pool.close().await;
                done
            }
            Inner::Pg(pool) => {
                let pool = PgPoolOptions::new().max_connections(1).connect_with(pool.options().clone()).await?;
                let done = migrator().run(&pool).await;
                pool.close().await;
                done
            }
        };
        done.map_err(|e| Error::Engine(e.to_string()))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self.inner() {
            Inner::Lite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Inner::Pg(pool) => pool.close().await,
        }
    }
}

/// Makes an empty database on a PostgreSQL server and gives its URL: for tests. Its name begins with `odcm_test_`.
///
/// # Errors
/// What the server says.
#[doc(hidden)]
pub async fn fresh_postgres(server: &str) -> Result<String> {
    made_from(server, "template0").await
}

/// Copies a PostgreSQL database to which nobody is connected, and gives the URL of the copy: for benchmarks.
///
/// # Errors
/// What the server says.
#[doc(hidden)]
pub async fn copied_postgres(server: &str, original: &str) -> Result<String> {
    let original = url::Url::parse(original).map_err(|e| Error::Engine(e.to_string()))?;
    let name = original.path().trim_start_matches('/');
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(Error::Engine(format!("{name} is no name that `fresh_postgres` gives")));
    }
    made_from(server, name).await
}

async fn made_from(server: &str, template: &str) -> Result<String> {
    let name = format!("odcm_test_{}", hex_name(&crate::ports::Entropy::system().bytes::<8>()));
    let pool = PgPoolOptions::new().max_connections(1).connect(server).await?;
    let sql = format!("CREATE DATABASE {name} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE {template}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
    pool.close().await;
    let mut url = url::Url::parse(server).map_err(|e| Error::Engine(e.to_string()))?;
    url.set_path(&name);
    Ok(url.into())
}

fn hex_name(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
