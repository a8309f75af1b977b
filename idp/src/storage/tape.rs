//! A tape of what was asked of the database, for benchmarks: the statements that a path really executed, with their values
//! and their transactions, can be executed once more on a copy of the database. What they cost there alone is the floor that
//! the path is held against. Off unless a benchmark starts it; then it is one branch per statement. It keeps values in
//! memory and shows them to nobody.

use super::db::{BEGIN_LITE, BEGIN_PG, Db, Inner};
use super::{Error, Result, Retryable, Stmt};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many rows a statement is asked for.
#[derive(Clone, Copy)]
pub(super) enum How {
    Opt,
    All,
    Exec,
}

/// The values of a statement, encoded.
pub(super) enum Values {
    Lite(SqliteArguments),
    Pg(PgArguments),
}

struct Step {
    stmt: &'static Stmt,
    how: How,
    values: Values,
}

enum Unit {
    Alone(Step),
    Tx { steps: Vec<Step>, committed: bool },
}

/// The tape of a [`Db`].
#[derive(Default)]
pub struct Tape {
    on: AtomicBool,
    units: Mutex<Vec<Unit>>,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape({})", if self.is_on() { "on" } else { "off" })
    }
}

impl Tape {
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    fn add(&self, unit: Unit) {
        self.units.lock().unwrap_or_else(PoisonError::into_inner).push(unit);
    }

    /// Notes a statement outside a transaction.
    pub(super) fn alone(&self, stmt: &'static Stmt, how: How, values: Values) {
        self.add(Unit::Alone(Step { stmt, how, values }));
    }

    /// From now on everything is noted.
    pub fn start(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Ends it and gives what was noted; transactions that are open now are not part of it.
    pub fn stop(&self) -> Recording {
        self.on.store(false, Ordering::Relaxed);
        Recording(std::mem::take(&mut *self.units.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The part of the tape that one transaction writes.
pub(super) struct Roll {
    tape: Arc<Tape>,
    steps: Vec<Step>,
}

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roll({})", self.steps.len())
    }
}

impl Roll {
    /// For a transaction that begins, if the tape runs.
    pub(super) fn begin(tape: &Arc<Tape>) -> Option<Self> {
        tape.is_on().then(|| Self { tape: tape.clone(), steps: Vec::new() })
    }

    pub(super) fn note(&mut self, stmt: &'static Stmt, how: How, values: Values) {
        self.steps.push(Step { stmt, how, values });
    }

    /// The transaction ended.
    pub(super) fn end(self, committed: bool) {
        self.tape.add(Unit::Tx { steps: self.steps, committed });
    }
}

/// What was noted, in the order in which statements and transactions came to their end.
pub struct Recording(Vec<Unit>);

macro_rules! play {
    ($step:expr, $kind:ident, $on:expr) => {{
        let Step { stmt, how, values } = $step;
        let on = $on;
        let Values::$kind(values) = values else { return Err(Error::Engine("taped on the other engine".into())) };
        let query = sqlx::query_with(stmt.sql, values.clone());
        let outcome = match how {
            How::Opt if !stmt.write => query.fetch_optional(on.connection()?).await.map(|_| ()),
            How::Opt | How::All => query.fetch_all(on.connection()?).await.map(|_| ()),
            How::Exec => query.execute(on.connection()?).await.map(|_| ()),
        };
        on.ended(&outcome);
        outcome?
    }};
}

macro_rules! play_unit {
    ($unit:expr, $kind:ident, $pool:expr, $begin:expr) => {{
        let pool = |write: bool| $pool(write).lease();
        match $unit {
            Unit::Alone(step) => play!(step, $kind, &mut pool(step.stmt.write).await?),
            Unit::Tx { steps, committed } => {
                let mut tx = pool(true).await?.begin($begin).await?;
                let played: Result<()> = async {
                    for step in steps {
                        play!(step, $kind, &mut tx);
                    }
                    Ok(())
                }
                .await;
                if *committed && played.is_ok() {
                    tx.commit().await?
                } else {
                    tx.rollback().await?
                }
                played?
            }
        }
    }};
}

impl Unit {
    async fn play(&self, db: &Db) -> Result<()> {
        match db.inner() {
            Inner::Lite { read, write } => play_unit!(self, Lite, |w: bool| if w { write } else { read }, BEGIN_LITE),
            Inner::Pg(both) => play_unit!(self, Pg, |_: bool| both, BEGIN_PG),
        }
        Ok(())
    }
}

impl Recording {
    /// Statements and transactions.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let of = |unit: &Unit| match unit {
            Unit::Alone(_) => (1, 0),
            Unit::Tx { steps, .. } => (steps.len(), 1),
        };
        self.0.iter().map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The texts, in order; those of a transaction after a line of their own.
    #[must_use]
    pub fn texts(&self) -> Vec<&'static str> {
        let of = |unit: &Unit| match unit {
            Unit::Alone(step) => vec![step.stmt.sql],
            Unit::Tx { steps, .. } => std::iter::once("-- transaction").chain(steps.iter().map(|s| s.stmt.sql)).collect(),
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Executes it on another database of the same engine, through the same driver, pools and kinds of transaction as
    /// [`Db`]; rows are fetched and not decoded.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn play(self, db: &Db) -> Result<()> {
        for unit in self.0 {
            // as `run_tx!`: what met another transaction runs again
            let mut runs = 0;
            while let Err(error) = unit.play(db).await {
                runs += 1;
                if !error.retry() || runs > 30 {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(runs)).await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::sql;
    use crate::storage::{Db, Error, Result};

    async fn leases(db: &Db) -> Vec<(String, i64)> {
        db.all(sql!("SELECT name, generation FROM lease ORDER BY name"), &[]).await.unwrap()
    }

    async fn put(db: &Db, name: &str, keep: bool) -> Result<()> {
        crate::run_tx!(db, "test.tape", |tx| {
            let insert = sql!("INSERT INTO lease (name, holder, until_at, generation) VALUES ($1, '', 0, $2)");
            tx.exec(insert, &[&name.to_owned(), &7_i64]).await?;
            if keep { Ok(()) } else { Err(Error::Engine("no".into())) }
        })
    }

    #[tokio::test]
    async fn a_recording_does_again_what_was_done() {
        let (one, two) = (crate::testing::Folder::new(), crate::testing::Folder::new());
        let (db, copy) = (crate::testing::database(&one).await, crate::testing::database(&two).await);
        put(&db, "before", true).await.unwrap();
        db.tape().start();
        put(&db, "kept", true).await.unwrap();
        put(&db, "refused", false).await.unwrap_err();
        let raise = sql!("UPDATE lease SET generation = generation + $1 WHERE name = 'kept'");
        db.exec(raise, &[&3_i64]).await.unwrap();
        assert_eq!(leases(&db).await.len(), 2);
        let recording = db.tape().stop();
        put(&db, "after", true).await.unwrap();
        assert_eq!(recording.size(), (4, 2));
        recording.play(&copy).await.unwrap();
        assert_eq!(leases(&copy).await, [("kept".to_owned(), 10)]);
        assert_eq!(db.tape().stop().size(), (0, 0), "nothing is noted while it is off");
    }
}
