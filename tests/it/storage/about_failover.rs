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
