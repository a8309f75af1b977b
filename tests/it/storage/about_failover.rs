//! PostgreSQL after a fail-over: the old primary answers, but writes nothing any more (SQLSTATE 25006, rules C4).

use odcm::storage::{ConnectOptions, Db, Error, Stmt, is_write};
use odcm_tests::harness::postgres;
use std::sync::atomic::AtomicU64;

async fn execute(db: &Db, text: String) {
    let text: &'static str = text.leak();
    let statement = Box::leak(Box::new(Stmt { sql: text, write: is_write(text), runs: AtomicU64::new(0) }));
    db.exec(statement, &[]).await.unwrap();
}

async fn write(db: &Db) -> Result<u64, Error> {
    odcm::run_tx!(db, "test.write", |tx| {
        let raise = query!("UPDATE deployment SET directory_revision = directory_revision + 1");
        tx.exec(raise, &[]).await
    })
}

#[tokio::test]
async fn a_connection_to_a_server_that_only_reads_is_not_used_again() {
    let Some(url) = postgres::url().await else { return };
    let (_, name) = url.rsplit_once('/').unwrap();
    let options = ConnectOptions { connections: 2, ..ConnectOptions::new(&url) };
    let before = Db::connect(&options).await.unwrap();
    before.migrate().await.unwrap();
    // the state of a session is that of its beginning, as it is for one that leads to the old primary
    execute(&before, format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let behind = Db::connect(&options).await.unwrap();
    execute(&before, format!("ALTER DATABASE {name} SET default_transaction_read_only = off")).await;
    assert!(matches!(write(&behind).await, Err(Error::Unavailable(_))));
    write(&behind).await.unwrap();
    assert!(write(&before).await.is_ok());
}

#[tokio::test]
async fn a_single_statement_tells_it_too() {
    let Some(url) = postgres::url().await else { return };
    let (_, name) = url.rsplit_once('/').unwrap();
    let options = ConnectOptions { connections: 2, ..ConnectOptions::new(&url) };
    let before = Db::connect(&options).await.unwrap();
    before.migrate().await.unwrap();
    execute(&before, format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let behind = Db::connect(&options).await.unwrap();
    execute(&before, format!("ALTER DATABASE {name} SET default_transaction_read_only = off")).await;
    let raise = query!("UPDATE deployment SET directory_revision = directory_revision + 1");
    assert!(matches!(behind.exec(raise, &[]).await, Err(Error::Unavailable(_))));
    behind.exec(raise, &[]).await.unwrap();
}

fn rows_of(text: String) -> &'static Stmt {
    let text: &'static str = text.leak();
    Box::leak(Box::new(Stmt { sql: text, write: is_write(text), runs: AtomicU64::new(0) }))
}

async fn few(connections: u32) -> Option<Db> {
    let url = postgres::url().await?;
    let db = Db::connect(&ConnectOptions { connections, ..ConnectOptions::new(&url) }).await.unwrap();
    db.migrate().await.unwrap();
    Some(db)
}

#[tokio::test]
async fn after_the_server_ended_all_connections_one_request_fails_at_most() {
    let Some(db) = few(4).await else { return };
    let one = rows_of("SELECT CAST(1 AS BIGINT)".into());
    let (a, b, c) = (db.opt::<(i64,)>(one, &[]), db.opt::<(i64,)>(one, &[]), db.opt::<(i64,)>(one, &[]));
    let _ = tokio::join!(a, b, c);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()";
    let _ = db.all::<(bool,)>(rows_of(end.into()), &[]).await; // ends itself too
    let mut failed = 0;
    for _ in 0..6 {
        failed += u32::from(db.opt::<(i64,)>(one, &[]).await.is_err());
    }
    assert!(failed <= 1, "{failed} requests failed");
}

#[tokio::test]
async fn a_statement_that_was_left_in_the_middle_disturbs_nobody() {
    let Some(db) = few(2).await else { return };
    let slow = rows_of("SELECT CAST(7 AS BIGINT) FROM pg_sleep(0.5)".into());
    for _ in 0..4 {
        let left = tokio::time::timeout(std::time::Duration::from_millis(50), db.opt::<(i64,)>(slow, &[])).await;
        assert!(left.is_err());
    }
    let count = rows_of("SELECT CAST(count(*) AS BIGINT) FROM pg_stat_activity WHERE datname = current_database()".into());
    for n in 0..8_i64 {
        let own = rows_of(format!("SELECT CAST({n} AS BIGINT)"));
        assert_eq!(db.opt::<(i64,)>(own, &[]).await.unwrap(), Some((n,)));
        let (open,) = db.opt::<(i64,)>(count, &[]).await.unwrap().unwrap();
        assert!(open <= 2, "{open} connections");
    }
}

#[tokio::test]
async fn a_transaction_that_was_left_is_not_committed_by_the_next_one() {
    let Some(db) = few(1).await else { return };
    let insert = query!("INSERT INTO lease (name, holder, until_at, generation) VALUES ('left', '', 0, 0)");
    let mut tx = db.attempt("test.left").begin().await.unwrap();
    tx.exec(insert, &[]).await.unwrap();
    drop(tx);
    write(&db).await.unwrap();
    let left: Option<(String,)> = db.opt(rows_of("SELECT name FROM lease WHERE name = 'left'".into()), &[]).await.unwrap();
    assert_eq!(left, None);
}

#[tokio::test]
async fn after_a_statement_that_failed_nothing_is_committed() {
    let Some(db) = few(1).await else { return };
    let insert = query!("INSERT INTO lease (name, holder, until_at, generation) VALUES ('twice', '', 0, 0)");
    let done: Result<(), Error> = odcm::run_tx!(db, "test.swallowed", |tx| {
        tx.exec(insert, &[]).await?;
        let _ = tx.exec(insert, &[]).await;
        Ok(())
    });
    assert!(matches!(done, Err(Error::Engine(_))), "{done:?}");
    write(&db).await.unwrap();
}
