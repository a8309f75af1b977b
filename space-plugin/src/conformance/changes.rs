//! Hints where to look.

use super::{Bench, Outcome, Works, ensure};
use crate::adapter::Change;

pub(super) async fn names_what_others_did(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let carol = bench.create_account("carol", "carol@x.example").await;
    let team = bench.create_team("Developers", &[], "group-1").await;
    let (_, cursor) = adapter.changes_since(None).await.works("cursor")?;
    let dave = bench.create_account("dave", "dave@x.example").await;
    bench.set_members(&team, &[&carol]).await;
    bench.set_active(&carol, false).await;
    let (changes, next) = adapter.changes_since(Some(&cursor)).await.works("changes")?;
    let named = |id: &str| changes.iter().any(|change| change.documents.iter().any(|document| document == id));
    for id in [&carol, &dave, &team] {
        ensure!(named(id), "{id} is not named: {changes:?}");
    }
    ensure!(changes.iter().all(|change| change.by.is_some()), "nobody did it: {changes:?}");
    let (changes, last) = adapter.changes_since(Some(&next)).await.works("no changes")?;
    ensure!(changes.is_empty() && last == next, "told twice: {changes:?}, {next}, {last}");
    bench.set_active(&carol, true).await;
    let (changes, _) = adapter.changes_since(Some(&last)).await.works("one more")?;
    ensure!(changes.len() == 1, "one more change: {changes:?}");
    Ok(())
}

pub(super) async fn starts_with_nothing(bench: &dyn Bench) -> Outcome {
    bench.create_account("carol", "carol@x.example").await;
    let (changes, cursor) = bench.adapter().changes_since(None).await.works("cursor")?;
    ensure!(changes.is_empty(), "a start is no change: {changes:?}");
    let (changes, _) = bench.adapter().changes_since(Some(&cursor)).await.works("changes")?;
    ensure!(changes.is_empty(), "nothing happened: {changes:?}");
    Ok(())
}

pub(super) async fn says_when_it_lost_track(bench: &dyn Bench) -> Outcome {
    let carol = bench.create_account("carol", "carol@x.example").await;
    for cursor in ["99999999", "", "nonsense", "-1", "18446744073709551616"] {
        let (changes, next) = bench.adapter().changes_since(Some(cursor)).await.works("strange cursor")?;
        ensure!(changes.contains(&Change { documents: Vec::new(), by: None }), "{cursor:?}: {changes:?}");
        let (changes, _) = bench.adapter().changes_since(Some(&next)).await.works("next")?;
        ensure!(changes.is_empty(), "{cursor:?} did not lead back: {changes:?}");
    }
    let (_, cursor) = bench.adapter().changes_since(Some("nonsense")).await.works("cursor")?;
    bench.set_active(&carol, false).await;
    let (changes, _) = bench.adapter().changes_since(Some(&cursor)).await.works("changes")?;
    ensure!(changes.iter().any(|change| change.documents.contains(&carol)), "{changes:?}");
    Ok(())
}
