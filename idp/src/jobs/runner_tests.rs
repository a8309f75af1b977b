use super::*;
use crate::sql;
use crate::testing::{TestDeps, deps};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts its runs and fails the first few times.
struct Counting {
    every_s: Option<i64>,
    failures: usize,
    runs: AtomicUsize,
}

#[async_trait]
impl Job for Counting {
    fn kind(&self) -> &'static str {
        "counting"
    }
    fn every_s(&self) -> Option<i64> {
        self.every_s
    }
    async fn run(&self, _: &Deps, payload: &str) -> Result<(), String> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        if run < self.failures { Err(format!("no {payload}")) } else { Ok(()) }
    }
}

fn counting(every_s: Option<i64>, failures: usize) -> Arc<Counting> {
    Arc::new(Counting { every_s, failures, runs: AtomicUsize::new(0) })
}

async fn add(deps: &TestDeps, key: &str) -> bool {
    let now = deps.clock.now();
    run_tx!(deps.db, "test.enqueue", |tx| enqueue(tx, deps, "counting", key, "\"x\"", now).await).unwrap()
}

async fn rows(deps: &TestDeps) -> Vec<(i64, Option<String>, Option<i64>)> {
    deps.db.all(sql!("SELECT attempts, last_error, failed_at FROM job ORDER BY id"), &[]).await.unwrap()
}

#[tokio::test]
async fn a_recurring_job_runs_when_it_is_due_and_not_before() {
    let deps = deps().await;
    let job = counting(Some(300), 1);
    let runner = Runner::new(deps.deps.clone(), vec![job.clone()]);
    assert_eq!(runner.run_due().await.unwrap(), 1, "fails");
    deps.hand.advance_ms(1_999);
    assert_eq!(runner.run_due().await.unwrap(), 0, "waits two seconds after a failure");
    deps.hand.advance_ms(1);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    deps.hand.advance_ms(299_999);
    assert_eq!(runner.run_due().await.unwrap(), 0);
    deps.hand.advance_ms(1);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    assert_eq!(job.runs.load(Ordering::SeqCst), 3);
    assert_eq!(rows(&deps).await, [(0, None, None)], "one row, its failure forgotten");
}

#[tokio::test]
async fn a_job_is_enqueued_once_per_key_and_is_gone_when_done() {
    let deps = deps().await;
    let job = counting(None, 0);
    assert!(add(&deps, "a").await && !add(&deps, "a").await && add(&deps, "b").await);
    let runner = Runner::new(deps.deps.clone(), vec![job.clone()]);
    assert_eq!(runner.run_due().await.unwrap(), 2);
    assert!(rows(&deps).await.is_empty());
    assert!(add(&deps, "a").await, "done means that the key is free");
}

#[tokio::test]
async fn a_job_that_always_fails_backs_off_and_fails_for_good() {
    let deps = deps().await;
    add(&deps, "a").await;
    let job = counting(None, usize::MAX);
    let runner = Runner::new(deps.deps.clone(), vec![job.clone()]);
    let mut waited = Vec::new();
    while rows(&deps).await[0].2.is_none() {
        assert_eq!(runner.run_due().await.unwrap(), 1);
        let next = jobs::next_due(&deps.db).await.unwrap();
        if let Some(next) = next {
            waited.push(next.since(deps.clock.now()) / 1000);
            deps.hand.advance_ms(next.since(deps.clock.now()));
        }
    }
    assert_eq!(waited, [2, 4, 8, 16, 32, 64, 128, 256, 512]);
    assert_eq!(job.runs.load(Ordering::SeqCst), 10);
    let failed = rows(&deps).await;
    assert_eq!((failed[0].0, failed[0].1.as_deref()), (10, Some("no \"x\"")));
    assert_eq!(runner.run_due().await.unwrap(), 0);
    assert_eq!(runner.run_due().await.unwrap(), 0, "nobody runs it again");
}

#[tokio::test]
async fn who_lost_the_lease_cannot_finish_the_job() {
    let deps = deps().await;
    add(&deps, "a").await;
    let slow = jobs::lease(&deps.db, "one", deps.clock.now(), LEASE_MS).await.unwrap().unwrap();
    assert_eq!(jobs::lease(&deps.db, "two", deps.clock.now(), LEASE_MS).await.unwrap(), None);
    deps.hand.advance_ms(LEASE_MS);
    let fast = jobs::lease(&deps.db, "two", deps.clock.now(), LEASE_MS).await.unwrap().unwrap();
    assert_eq!(fast.generation, slow.generation + 1);
    assert!(!jobs::done(&deps.db, &slow).await.unwrap());
    assert!(!jobs::again(&deps.db, &slow, deps.clock.now(), 1, None).await.unwrap());
    assert!(!jobs::failed(&deps.db, &slow, "late", deps.clock.now()).await.unwrap());
    assert!(jobs::done(&deps.db, &fast).await.unwrap());
}

#[tokio::test]
async fn of_many_workers_one_gets_the_job() {
    let deps = deps().await;
    add(&deps, "a").await;
    let now = deps.clock.now();
    let holders: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let leases = futures_util::future::join_all(holders.iter().map(|h| jobs::lease(&deps.db, h, now, LEASE_MS))).await;
    assert_eq!(leases.into_iter().filter(|l| l.as_ref().is_ok_and(Option::is_some)).count(), 1);
}

#[tokio::test]
async fn a_kind_that_nobody_knows_waits_and_fails_at_last() {
    let deps = deps().await;
    add(&deps, "a").await;
    let runner = Runner::new(deps.deps.clone(), Vec::new());
    assert_eq!(runner.run_due().await.unwrap(), 1);
    let row = &rows(&deps).await[0];
    assert_eq!((row.0, row.2), (1, None));
    assert!(row.1.as_deref().unwrap().contains("does not know"));
}

#[tokio::test]
async fn the_clean_up_takes_what_ended_and_leaves_the_rest() {
    let deps = deps().await;
    let now = deps.clock.now();
    let statement = sql!("INSERT INTO login (hash, state, version, created_at, expires_at) VALUES ($1, '{}', 1, 0, $2)");
    for (hash, expires) in [(vec![1u8], now.plus_secs(-3601)), (vec![2u8], now.plus_secs(-60)), (vec![3u8], now.plus_secs(60))] {
        deps.db.exec(statement, &[&hash, &expires]).await.unwrap();
    }
    let runner = Runner::new(deps.deps.clone(), vec![Arc::new(crate::jobs::CleanUp)]);
    assert_eq!(runner.run_due().await.unwrap(), 1);
    let left: Vec<(Vec<u8>,)> = deps.db.all(sql!("SELECT hash FROM login ORDER BY hash"), &[]).await.unwrap();
    assert_eq!(left, [(vec![2],), (vec![3],)]);
}
