//! Connections that wait to be used again. What ended well comes back as it is; a connection whose work was left in the middle
//! (the client hung up, a time limit struck) or failed in a way that is not a plain answer of the database is closed, so that
//! nobody meets an open transaction or half an answer.
//!
//! sqlx's own pool asks the database for a sign of life after each use, in a task of its own: a second way to the server and
//! back, or to the thread of SQLite, for every statement (docs/decisions/0003).

use super::{Error, Result};
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use sqlx::postgres::PgDatabaseError;
use sqlx::{Connection, Database, Executor, Postgres, Sqlite};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A connection over the network is opened anew after this time, so that a balancer in front of the database can move us.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A connection over the network that was not used for so long is not trusted: something on the way may have forgotten it.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// How long a connection that is closed in the middle of something may take to end what it does.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a hot standby of PostgreSQL says to `BEGIN ISOLATION LEVEL SERIALIZABLE`: `feature_not_supported`.
const HOT_STANDBY: &str = "0A000";

/// When connections were last heard to be useless: a PostgreSQL server said that it is not the primary any more, or one of
/// them broke. Those that are older are not used again: the pool would otherwise hand out, for ever, what leads to a server
/// that refuses every write (rules C4).
#[derive(Debug, Default)]
struct Useless(Mutex<Option<Instant>>);

impl Useless {
    fn since_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn admits(&self, age: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|heard| heard.elapsed() > age)
    }
}

/// How an engine runs a text without values: the texts that begin and end a transaction.
pub(super) trait Plain: Database {
    /// Whether there is a network between us and it.
    const REMOTE: bool;
    /// Whether the engine ends the connection with this error.
    fn is_farewell(error: &dyn sqlx::error::DatabaseError) -> bool;
    /// Runs it.
    fn run(on: &mut Self::Connection, text: &'static str) -> impl Future<Output = std::result::Result<(), sqlx::Error>> + Send;
}

impl Plain for Sqlite {
    const REMOTE: bool = false;

    fn is_farewell(_: &dyn sqlx::error::DatabaseError) -> bool {
        false
    }

    async fn run(on: &mut Self::Connection, text: &'static str) -> std::result::Result<(), sqlx::Error> {
        on.execute(text).await.map(|_| ())
    }
}

impl Plain for Postgres {
    const REMOTE: bool = true;

    /// What is fatal, and a server that only reads (25006).
    fn is_farewell(error: &dyn sqlx::error::DatabaseError) -> bool {
        use sqlx::postgres::PgSeverity::{Fatal, Panic};
        let severity = error.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
        matches!(severity, Some(Fatal | Panic)) || error.code().is_some_and(|code| code == super::error::READ_ONLY)
    }

    async fn run(on: &mut Self::Connection, text: &'static str) -> std::result::Result<(), sqlx::Error> {
        on.execute(text).await.map(|_| ())
    }
}

type Options<D> = <<D as Database>::Connection as Connection>::Options;

struct Manager<D: Plain> {
    options: Options<D>,
    useless: Useless,
    patience: Duration,
    closing: AtomicBool,
}

impl<D: Plain> managed::Manager for Manager<D> {
    type Type = D::Connection;
    type Error = sqlx::Error;

    /// Opens a connection. A server that is starting up (it refuses, or says so) is asked again until the patience ends.
    async fn create(&self) -> std::result::Result<D::Connection, sqlx::Error> {
        let (deadline, mut pause) = (Instant::now() + self.patience, Duration::from_millis(10));
        loop {
            let error = match D::Connection::connect_with(&self.options).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let starting = match &error {
                sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
                sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
                _ => false,
            };
            if !starting || Instant::now() + pause > deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    async fn recycle(&self, _: &mut D::Connection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        let age = metrics.age();
        let fresh = !D::REMOTE || (age < LIFETIME && metrics.last_used() < IDLE);
        if fresh && self.useless.admits(age) { Ok(()) } else { Err(RecycleError::message("too old")) }
    }
}

/// A pool of one engine.
pub(super) struct Pool<D: Plain>(managed::Pool<Manager<D>>);

impl<D: Plain> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Plain> std::fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({:?})", self.0.status())
    }
}

impl<D: Plain> Pool<D> {
    /// Makes a pool of at most `size` connections and opens the first. `patience` bounds waiting for a connection, opening one
    /// included.
    pub(super) async fn open(options: Options<D>, size: u32, patience: Duration) -> Result<Self> {
        let size = usize::try_from(size).unwrap_or(1).max(1);
        let manager = Manager { options, useless: Useless::default(), patience, closing: AtomicBool::new(false) };
        let pool = managed::Pool::builder(manager)
            .max_size(size)
            // what was used last is warm
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|e| Error::Engine(e.to_string()))?;
        let pool = Self(pool);
        pool.lease().await?.ended(&Ok(()));
        Ok(pool)
    }

    /// How its connections are opened.
    pub(super) fn options(&self) -> &Options<D> {
        &self.0.manager().options
    }

    /// Takes a connection.
    pub(super) async fn lease(&self) -> Result<Lease<D>> {
        let manager = self.0.manager();
        if manager.closing.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("it was closed".into()));
        }
        let Ok(object) = tokio::time::timeout(manager.patience, self.0.get()).await else {
            return Err(Error::Unavailable("it gave no connection in time".into()));
        };
        let object = object.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Error::Unavailable("it was closed".into()),
            other => Error::Engine(other.to_string()),
        })?;
        Ok(Lease { object: Some(object), whole: false })
    }

    /// Closes all connections; those in use get a moment to come back.
    pub(super) async fn close(&self) {
        self.0.manager().closing.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + FAREWELL;
        loop {
            for connection in self.0.retain(|_, _| false).removed {
                let _ = connection.close().await;
            }
            if self.0.status().size == 0 || Instant::now() > deadline {
                return self.0.close();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A connection in use. It is closed when it is dropped before [`Lease::ended`] was told of a good end.
pub(super) struct Lease<D: Plain> {
    object: Option<Object<Manager<D>>>,
    whole: bool,
}

impl<D: Plain> std::fmt::Debug for Lease<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({})", self.whole)
    }
}

impl<D: Plain> Lease<D> {
    /// The connection, to begin something with it.
    pub(super) fn connection(&mut self) -> Result<&mut D::Connection> {
        self.whole = false;
        self.object.as_deref_mut().ok_or_else(|| Error::Engine("a connection was used after its end".into()))
    }

    /// Notes how it ended.
    pub(super) fn ended<T>(&mut self, outcome: &std::result::Result<T, sqlx::Error>) {
        let Err(error) = outcome else {
            self.whole = true;
            return;
        };
        let farewell = match error {
            sqlx::Error::Database(error) => D::is_farewell(&**error),
            sqlx::Error::Io(_) => true,
            // half an answer, perhaps: this connection is closed, the others are as good as before
            _ => return,
        };
        self.whole = !farewell;
        if farewell {
            self.useless(error);
        }
    }

    /// Has this connection closed, and all that are older opened anew.
    fn useless(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.whole = false;
        let Some(object) = &self.object else { return };
        if let Some(pool) = Object::pool(object)
            && pool.manager().useless.admits(Object::metrics(object).age())
        {
            tracing::warn!(error, "a connection to the database is of no use any more; all that are older are opened anew");
            pool.manager().useless.since_now();
        }
    }

    /// Runs a text without values.
    async fn run(&mut self, text: &'static str) -> Result<()> {
        let done = D::run(self.connection()?, text).await;
        self.ended(&done);
        Ok(done?)
    }

    /// Begins a transaction.
    pub(super) async fn begin(mut self, text: &'static str) -> Result<Transaction<D>> {
        let begun = D::run(self.connection()?, text).await;
        self.ended(&begun);
        if let Err(sqlx::Error::Database(error)) = &begun
            && error.code().is_some_and(|code| code == HOT_STANDBY)
        {
            self.useless(&**error);
            return Err(Error::Unavailable(error.to_string()));
        }
        begun?;
        self.whole = false;
        Ok(Transaction { lease: self, failed: false, broken: false })
    }
}

impl<D: Plain> Drop for Lease<D> {
    fn drop(&mut self) {
        let Some(object) = self.object.take_if(|_| !self.whole) else { return };
        let mut doomed = Doomed(Some(object));
        // Its place is free when the database is done with it, so that there are never more than the pool may have.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(connection) = doomed.0.as_deref_mut() {
                    let _ = tokio::time::timeout(FAREWELL, connection.ping()).await;
                }
                if let Some(object) = doomed.0.take() {
                    let _ = tokio::time::timeout(FAREWELL, Object::take(object).close()).await;
                }
            });
        }
    }
}

/// A connection that must not come back, whatever becomes of the task that says farewell to it.
struct Doomed<D: Plain>(Option<Object<Manager<D>>>);

impl<D: Plain> Drop for Doomed<D> {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

/// An open transaction. Dropped, it is rolled back, because its connection is closed.
#[derive(Debug)]
pub(super) struct Transaction<D: Plain> {
    lease: Lease<D>,
    /// A statement failed, or was left in the middle.
    failed: bool,
    /// The connection is to be closed whatever comes.
    broken: bool,
}

impl<D: Plain> Transaction<D> {
    /// The connection, for a statement.
    pub(super) fn connection(&mut self) -> Result<&mut D::Connection> {
        if self.failed {
            // PostgreSQL says so itself (25P02); SQLite may have ended the transaction and would keep the next statement
            return Err(Error::Engine("a statement of the transaction had failed".into()));
        }
        // until it has ended well
        self.failed = true;
        self.lease.connection()
    }

    /// Notes how a statement ended; a transaction is not whole before its own end.
    pub(super) fn ended<T>(&mut self, outcome: &std::result::Result<T, sqlx::Error>) {
        self.lease.ended(outcome);
        self.broken |= !self.lease.whole;
        self.failed = outcome.is_err();
        self.lease.whole = false;
    }

    /// Commits. After a statement that failed this is refused: PostgreSQL would answer `COMMIT` with a quiet rollback.
    pub(super) async fn commit(mut self) -> Result<()> {
        if self.failed {
            self.rollback().await?;
            return Err(Error::Engine("a statement of the transaction had failed, so it was not committed".into()));
        }
        let done = self.lease.run("COMMIT").await;
        if done.is_err() && self.lease.whole {
            // PostgreSQL has ended it, SQLite may have not
            let _ = self.lease.run("ROLLBACK").await;
        }
        done
    }

    /// Rolls back.
    pub(super) async fn rollback(mut self) -> Result<()> {
        if self.broken {
            return Ok(()); // closing the connection does it
        }
        let done = self.lease.run("ROLLBACK").await;
        self.lease.whole = done.is_ok();
        done
    }
}

#[cfg(test)]
mod tests {
    use crate::sql;
    use crate::storage::{ConnectOptions, Db};
    use std::time::Duration;

    #[tokio::test]
    async fn a_transaction_that_is_dropped_leaves_nothing_and_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        let db = Db::connect(&ConnectOptions { wait: Duration::from_secs(2), ..ConnectOptions::new(url) }).await.unwrap();
        db.migrate().await.unwrap();
        let insert = sql!("INSERT INTO lease (name, holder, until_at, generation) VALUES ($1, '', 0, 0)");
        for _ in 0..3 {
            let mut tx = db.attempt("test.dropped").begin().await.unwrap();
            tx.exec(insert, &[&"a".to_owned()]).await.unwrap();
            // the client hangs up
            drop(tx);
        }
        assert_eq!(db.exec(insert, &[&"a".to_owned()]).await.unwrap(), 1);
        let all: Vec<(String,)> = db.all(sql!("SELECT name FROM lease"), &[]).await.unwrap();
        assert_eq!(all.len(), 1);
    }
}
