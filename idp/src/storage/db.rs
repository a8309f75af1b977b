//! The facade: an enum of two native pools, `sql!` texts, binds as `&[&a, &b]`, rows by `FromRow`, and `run_tx`.

use super::connect::Engine;
use super::pool::{Pool, Transaction};
use super::tape::{How, Roll, Tape, Values};
use super::{Error, Result, Retryable};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, Postgres, Sqlite, Type};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use sqlx::FromRow;

/// Anything both engines can bind.
pub trait Arg: Send + Sync {
    /// Adds the value for SQLite.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    fn lite(&self, to: &mut SqliteArguments) -> std::result::Result<(), sqlx::error::BoxDynError>;
    /// Adds the value for PostgreSQL.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    fn pg(&self, to: &mut PgArguments) -> std::result::Result<(), sqlx::error::BoxDynError>;
}

impl<T> Arg for T
where
    T: Send + Sync + Clone + Type<Sqlite> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + for<'q> Encode<'q, Postgres>,
{
    fn lite(&self, to: &mut SqliteArguments) -> std::result::Result<(), sqlx::error::BoxDynError> {
        to.add(self.clone())
    }
    fn pg(&self, to: &mut PgArguments) -> std::result::Result<(), sqlx::error::BoxDynError> {
        to.add(self.clone())
    }
}

/// Anything both engines can decode: tuples and `#[derive(FromRow)]` structs.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}
impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

/// A statement known to the two-engine test, with a count of its executions (for benchmarks and the counters of rule D1).
#[derive(Debug)]
pub struct Stmt {
    /// The text.
    pub sql: &'static str,
    /// Whether it writes.
    pub write: bool,
    /// How often it ran in this process.
    pub runs: AtomicU64,
}

/// Every `sql!` text of the program.
#[linkme::distributed_slice]
pub static STATEMENTS: [Stmt];

/// Registers a statement and gives a reference to it.
#[macro_export]
macro_rules! sql {
    ($text:literal) => {{
        #[allow(unsafe_code, reason = "the slice is gathered by the linker; linkme writes the attribute")]
        #[linkme::distributed_slice($crate::storage::STATEMENTS)]
        static STATEMENT: $crate::storage::Stmt = $crate::storage::Stmt {
            sql: $text,
            write: $crate::storage::is_write($text),
            runs: std::sync::atomic::AtomicU64::new(0),
        };
        &STATEMENT
    }};
}

/// A statement that begins with SELECT or WITH reads; anything else writes.
#[must_use]
pub const fn is_write(text: &str) -> bool {
    !matches!(text.as_bytes().first(), Some(b'S' | b'W'))
}

/// How a transaction begins.
pub(super) const BEGIN_LITE: &str = "BEGIN IMMEDIATE";
/// The same on PostgreSQL.
pub(super) const BEGIN_PG: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

type Args<'a> = &'a [&'a dyn Arg];

fn lite(args: Args<'_>) -> Result<SqliteArguments> {
    let mut out = SqliteArguments::default();
    args.iter().try_for_each(|a| a.lite(&mut out)).map_err(|e| Error::Engine(e.to_string()))?;
    Ok(out)
}

fn pg(args: Args<'_>) -> Result<PgArguments> {
    let mut out = PgArguments::default();
    args.iter().try_for_each(|a| a.pg(&mut out)).map_err(|e| Error::Engine(e.to_string()))?;
    Ok(out)
}

/// The database.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Inner,
    counts: Arc<Mutex<BTreeMap<&'static str, TxCount>>>,
    tape: Arc<Tape>,
}

#[derive(Clone, Debug)]
pub(super) enum Inner {
    Lite { read: Pool<Sqlite>, write: Pool<Sqlite> },
    Pg(Pool<Postgres>),
}

/// How often a named transaction ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxCount {
    /// Commits.
    pub commits: u64,
    /// Runs that met another transaction and ran again.
    pub retries: u64,
    /// Runs that ended in an error or refusal.
    pub failures: u64,
}

/// An open transaction.
#[derive(Debug)]
pub struct Tx {
    inner: TxInner,
    /// What a benchmark has noted of it.
    roll: Option<Roll>,
}

#[derive(Debug)]
enum TxInner {
    Lite(Transaction<Sqlite>),
    Pg(Transaction<Postgres>),
}

/// Rows as an engine gave them. They are fetched by code that is the same for every kind of row: a copy of it for each made
/// the program take minutes to build.
enum Rows {
    Lite(Vec<SqliteRow>),
    Pg(Vec<PgRow>),
}

impl Rows {
    fn first<T: Row>(&self) -> Result<Option<T>> {
        Ok(match self {
            Self::Lite(rows) => rows.first().map(T::from_row).transpose()?,
            Self::Pg(rows) => rows.first().map(T::from_row).transpose()?,
        })
    }

    fn all<T: Row>(&self) -> Result<Vec<T>> {
        Ok(match self {
            Self::Lite(rows) => rows.iter().map(T::from_row).collect::<std::result::Result<_, _>>()?,
            Self::Pg(rows) => rows.iter().map(T::from_row).collect::<std::result::Result<_, _>>()?,
        })
    }
}

/// Runs a statement that gives rows, at most one if only one is wanted.
macro_rules! fetch {
    ($on:expr, $s:expr, $values:expr, $how:expr) => {{
        let query = sqlx::query_with($s.sql, $values);
        let rows = match $how {
            // A write is read to its end even for one row: SQLite commits it there, and only there says whether it could.
            How::Opt if !$s.write => query.fetch_optional($on.connection()?).await.map(|row| row.into_iter().collect()),
            _ => query.fetch_all($on.connection()?).await,
        };
        $on.ended(&rows);
        rows?
    }};
}

/// Runs a statement that gives a count.
macro_rules! execute {
    ($on:expr, $s:expr, $values:expr) => {{
        let done = sqlx::query_with($s.sql, $values).execute($on.connection()?).await;
        $on.ended(&done);
        done?.rows_affected()
    }};
}

fn exactly_one(what: &'static str, rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(Error::Rows { what, rows }) }
}

/// What `Db` and `Tx` have in common, for reads that are asked both inside and outside a transaction.
pub trait Rowish {
    /// One row or none.
    ///
    /// # Errors
    /// Any storage error.
    fn opt<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> impl Future<Output = Result<Option<T>>> + Send;
    /// All rows.
    ///
    /// # Errors
    /// Any storage error.
    fn all<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> impl Future<Output = Result<Vec<T>>> + Send;
}

impl Db {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner, counts: Arc::default(), tape: Arc::default() }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner {
            Inner::Lite { .. } => Engine::Sqlite,
            Inner::Pg(_) => Engine::Postgres,
        }
    }

    /// The tape of benchmarks.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// One row or none.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn opt<T: Row>(&self, s: &'static Stmt, a: Args<'_>) -> Result<Option<T>> {
        self.rows(s, a, How::Opt).await?.first()
    }

    /// All rows. Give the statement a LIMIT unless the table is small by nature.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn all<T: Row>(&self, s: &'static Stmt, a: Args<'_>) -> Result<Vec<T>> {
        self.rows(s, a, How::All).await?.all()
    }

    /// Runs one guarded statement outside a transaction; gives the number of rows.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn exec(&self, s: &'static Stmt, a: Args<'_>) -> Result<u64> {
        s.runs.fetch_add(1, Ordering::Relaxed);
        match &self.inner {
            Inner::Lite { read, write } => {
                let values = lite(a)?;
                self.note(s, How::Exec, || Values::Lite(values.clone()));
                let mut lease = if s.write { write } else { read }.lease().await?;
                Ok(execute!(lease, s, values))
            }
            Inner::Pg(pool) => {
                let values = pg(a)?;
                self.note(s, How::Exec, || Values::Pg(values.clone()));
                let mut lease = pool.lease().await?;
                Ok(execute!(lease, s, values))
            }
        }
    }

    async fn rows(&self, s: &'static Stmt, a: Args<'_>, how: How) -> Result<Rows> {
        s.runs.fetch_add(1, Ordering::Relaxed);
        Ok(match &self.inner {
            Inner::Lite { read, write } => {
                let values = lite(a)?;
                self.note(s, how, || Values::Lite(values.clone()));
                let mut lease = if s.write { write } else { read }.lease().await?;
                Rows::Lite(fetch!(lease, s, values, how))
            }
            Inner::Pg(pool) => {
                let values = pg(a)?;
                self.note(s, how, || Values::Pg(values.clone()));
                let mut lease = pool.lease().await?;
                Rows::Pg(fetch!(lease, s, values, how))
            }
        })
    }

    fn note(&self, s: &'static Stmt, how: How, values: impl FnOnce() -> Values) {
        if self.tape.is_on() {
            self.tape.alone(s, how, values());
        }
    }

    /// For [`crate::run_tx!`] only.
    #[must_use]
    pub fn attempt(&self, name: &'static str) -> Attempt<'_> {
        Attempt { db: self, name, runs: 0 }
    }

    async fn begin(&self) -> Result<Tx> {
        let inner = match &self.inner {
            Inner::Lite { write, .. } => TxInner::Lite(write.lease().await?.begin(BEGIN_LITE).await?),
            Inner::Pg(pool) => TxInner::Pg(pool.lease().await?.begin(BEGIN_PG).await?),
        };
        Ok(Tx { inner, roll: Roll::begin(&self.tape) })
    }

    fn count(&self, name: &'static str, change: impl FnOnce(&mut TxCount)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(counts.entry(name).or_default());
    }

    fn retries(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().map(|c| c.retries).sum()
    }

    /// Commits, retries and failures by name of transaction.
    #[must_use]
    pub fn tx_counts(&self) -> BTreeMap<&'static str, TxCount> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Prepares a statement without running it, for the two-engine test: names of columns and number of parameters.
    ///
    /// # Errors
    /// What the engine says about the text.
    pub async fn describe(&self, s: &'static Stmt) -> Result<(Vec<String>, usize)> {
        use sqlx::{Column, Either, Executor, SqlSafeStr, Statement};
        fn count<T>(p: Option<Either<&[T], usize>>) -> usize {
            p.map_or(0, |p| p.map_left(<[T]>::len).into_inner())
        }
        Ok(match &self.inner {
            Inner::Lite { write, .. } => {
                let mut lease = write.lease().await?;
                let prepared = lease.connection()?.prepare(s.sql.into_sql_str()).await;
                lease.ended(&prepared);
                let st = prepared?;
                (st.columns().iter().map(|c| c.name().to_owned()).collect(), count(st.parameters()))
            }
            Inner::Pg(pool) => {
                let mut lease = pool.lease().await?;
                let prepared = lease.connection()?.prepare(s.sql.into_sql_str()).await;
                lease.ended(&prepared);
                let st = prepared?;
                (st.columns().iter().map(|c| c.name().to_owned()).collect(), count(st.parameters()))
            }
        })
    }
}

/// Runs the body in a transaction (`BEGIN IMMEDIATE` on SQLite, SERIALIZABLE on PostgreSQL) and commits it when the body
/// gives `Ok`; gives what the body gives, or a storage error. **The body may run twice**: on a conflict with another
/// transaction it runs again with jitter, at most thirty times. Nothing but the database may be changed in it; `return` and
/// `?` leave the body, not the function. (A macro, because a function over async closures cannot promise `Send` yet.)
///
/// ```ignore
/// let changed: Result<bool, Error> = run_tx!(deps.db, "grant.add", |tx| {
///     let row = grants::find(tx, &id).await?;
///     Ok(row.is_some())
/// });
/// ```
#[macro_export]
macro_rules! run_tx {
    ($db:expr, $name:literal, |$tx:ident| $body:expr) => {{
        let mut attempt = $db.attempt($name);
        loop {
            let settled = match attempt.begin().await {
                Err(error) => attempt.settle(None, Err(error.into())).await,
                Ok(mut open) => {
                    let outcome = {
                        let $tx: &mut $crate::storage::Tx = &mut open;
                        async { $body }.await
                    };
                    attempt.settle(Some(open), outcome).await
                }
            };
            if let std::ops::ControlFlow::Break(result) = settled {
                break result;
            }
        }
    }};
}

/// Repetitions of a transaction that meets others. Ten were too few: of 24 changes of the directory at once, which all write
/// the revision, PostgreSQL refused one eleven times.
const MOST_RUNS: u32 = 30;

/// One run of [`run_tx!`] and its repetitions.
#[derive(Debug)]
pub struct Attempt<'a> {
    db: &'a Db,
    name: &'static str,
    runs: u32,
}

impl Attempt<'_> {
    /// Opens the transaction.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn begin(&self) -> Result<Tx> {
        self.db.begin().await
    }

    /// Commits or rolls back, counts, and says whether to run again.
    pub async fn settle<T, E: From<Error> + Retryable>(
        &mut self,
        tx: Option<Tx>,
        outcome: std::result::Result<T, E>,
    ) -> ControlFlow<std::result::Result<T, E>> {
        let result = match (tx, outcome) {
            (Some(tx), Ok(value)) => tx.commit().await.map(|()| value).map_err(E::from),
            (Some(tx), Err(error)) => {
                tx.rollback().await;
                Err(error)
            }
            (None, outcome) => outcome,
        };
        let again = matches!(&result, Err(error) if error.retry()) && self.runs < MOST_RUNS;
        self.db.count(self.name, |c| match &result {
            Ok(_) => c.commits += 1,
            Err(_) if again => c.retries += 1,
            Err(_) => c.failures += 1,
        });
        if !again {
            return ControlFlow::Break(result);
        }
        // Jitter from the count of retries parts two losers; it need not be secret.
        let spread = (self.db.retries().wrapping_mul(2_654_435_761) >> 7) % (4 << self.runs.min(6));
        tokio::time::sleep(Duration::from_millis(1 + spread)).await;
        self.runs += 1;
        ControlFlow::Continue(())
    }
}

fn note(roll: &mut Option<Roll>, s: &'static Stmt, how: How, values: impl FnOnce() -> Values) {
    if let Some(roll) = roll {
        roll.note(s, how, values());
    }
}

impl Tx {
    /// One row or none.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn opt<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Option<T>> {
        self.rows(s, a, How::Opt).await?.first()
    }

    /// All rows.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn all<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Vec<T>> {
        self.rows(s, a, How::All).await?.all()
    }

    /// Runs a statement; gives the number of rows.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn exec(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<u64> {
        s.runs.fetch_add(1, Ordering::Relaxed);
        match &mut self.inner {
            TxInner::Lite(tx) => {
                let values = lite(a)?;
                note(&mut self.roll, s, How::Exec, || Values::Lite(values.clone()));
                Ok(execute!(tx, s, values))
            }
            TxInner::Pg(tx) => {
                let values = pg(a)?;
                note(&mut self.roll, s, How::Exec, || Values::Pg(values.clone()));
                Ok(execute!(tx, s, values))
            }
        }
    }

    async fn rows(&mut self, s: &'static Stmt, a: Args<'_>, how: How) -> Result<Rows> {
        s.runs.fetch_add(1, Ordering::Relaxed);
        Ok(match &mut self.inner {
            TxInner::Lite(tx) => {
                let values = lite(a)?;
                note(&mut self.roll, s, how, || Values::Lite(values.clone()));
                Rows::Lite(fetch!(tx, s, values, how))
            }
            TxInner::Pg(tx) => {
                let values = pg(a)?;
                note(&mut self.roll, s, how, || Values::Pg(values.clone()));
                Rows::Pg(fetch!(tx, s, values, how))
            }
        })
    }

    /// Runs a statement that must hit exactly one row.
    ///
    /// # Errors
    /// [`Error::Rows`] otherwise.
    pub async fn one(&mut self, what: &'static str, s: &'static Stmt, a: Args<'_>) -> Result<()> {
        let rows = self.exec(s, a).await?;
        exactly_one(what, rows)
    }

    async fn commit(self) -> Result<()> {
        match self.inner {
            TxInner::Lite(tx) => tx.commit().await?,
            TxInner::Pg(tx) => tx.commit().await?,
        }
        if let Some(roll) = self.roll {
            roll.end(true);
        }
        Ok(())
    }

    async fn rollback(self) {
        if let Some(roll) = self.roll {
            roll.end(false);
        }
        let done = match self.inner {
            TxInner::Lite(tx) => tx.rollback().await,
            TxInner::Pg(tx) => tx.rollback().await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "rolling back failed; the connection is dropped");
        }
    }
}

impl Rowish for &Db {
    async fn opt<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Option<T>> {
        Db::opt(self, s, a).await
    }
    async fn all<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Vec<T>> {
        Db::all(self, s, a).await
    }
}

impl Rowish for Tx {
    async fn opt<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Option<T>> {
        Self::opt(self, s, a).await
    }
    async fn all<T: Row>(&mut self, s: &'static Stmt, a: Args<'_>) -> Result<Vec<T>> {
        Self::all(self, s, a).await
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::{ConnectOptions, Db, Error, Result};

    async fn insert(db: &Db, name: &str) -> Result<u64> {
        crate::run_tx!(db, "test.insert", |tx| {
            tx.exec(sql!("INSERT INTO lease (name, holder, until_at, generation) VALUES ($1, '', 0, 0)"), &[&name.to_owned()])
                .await
        })
    }

    // `run_tx!` must stay usable from handlers, whose futures are `Send`.
    fn sendable<T: Send>(value: T) -> T {
        value
    }

    #[tokio::test]
    async fn a_refused_transaction_leaves_nothing_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&ConnectOptions::new(format!("sqlite:{}", folder.path().join("t.db").display()))).await.unwrap();
        db.migrate().await.unwrap();
        assert_eq!(sendable(insert(&db, "a")).await.unwrap(), 1);
        assert!(matches!(insert(&db, "a").await, Err(Error::Unique(_))));
        let count = db.tx_counts()["test.insert"];
        assert_eq!((count.commits, count.retries, count.failures), (1, 0, 1));
    }
}
