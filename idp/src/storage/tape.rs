//! A tape of what was asked of the database, for benchmarks: the statements that a path really executed, with their values
//! and their transactions, can be executed once more on a copy of the database. What they cost there alone is the floor that
//! the path is held against. Off unless a benchmark starts it; then it is one branch per statement. It keeps values in
//! memory and shows them to nobody.

use super::db::{Db, Inner};
use super::{Result, Stmt};
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many rows a statement was asked for.
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
        if let Values::$kind(values) = values {
            let query = sqlx::query_with(stmt.sql, values);
            match how {
                How::Opt => query.fetch_optional($on).await.map(|_| ())?,
                How::All => query.fetch_all($on).await.map(|_| ())?,
                How::Exec => query.execute($on).await.map(|_| ())?,
            }
        }
    }};
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

    /// Executes it on another database of the same engine, through the same driver, pools and kinds of transaction as
    /// [`Db`]; rows are fetched and not decoded.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn play(self, db: &Db) -> Result<()> {
        for unit in self.0 {
            match (db.inner(), unit) {
                (Inner::Lite { read, write }, Unit::Alone(step)) => {
                    play!(step, Lite, if step.stmt.write { write } else { read });
                }
                (Inner::Pg(pool, _), Unit::Alone(step)) => play!(step, Pg, pool),
                (Inner::Lite { write, .. }, Unit::Tx { steps, committed }) => {
                    let mut tx = write.begin_with("BEGIN IMMEDIATE").await?;
                    for step in steps {
                        play!(step, Lite, &mut *tx);
                    }
                    if committed { tx.commit().await? } else { tx.rollback().await? }
                }
                (Inner::Pg(pool, _), Unit::Tx { steps, committed }) => {
                    let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
                    for step in steps {
                        play!(step, Pg, &mut *tx);
                    }
                    if committed { tx.commit().await? } else { tx.rollback().await? }
                }
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
