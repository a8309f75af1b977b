//! What ends when somebody loses the last grant: keys and sessions.

use super::{Bench, Outcome, Works, ensure};
use crate::adapter::{AdapterError, Capability};

pub(super) async fn lists_and_deletes_api_keys(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let id = bench.create_account("carol", "carol@x.example").await;
    let other = bench.create_account("dave", "dave@x.example").await;
    let none = adapter.api_keys(&id).await;
    if none == Err(AdapterError::Unsupported("list API keys")) {
        return Ok(());
    }
    ensure!(none == Ok(Vec::new()), "keys nobody made: {none:?}");
    for purpose in ["one", "two", "three"] {
        bench.create_api_key(&id, purpose).await;
    }
    bench.create_api_key(&other, "of another").await;
    let keys = adapter.api_keys(&id).await.works("list")?;
    let mut purposes: Vec<&str> = keys.iter().map(|key| key.purpose.as_str()).collect();
    purposes.sort_unstable();
    ensure!(purposes == ["one", "three", "two"], "{keys:?}");
    let (Some(first), Some(second)) = (keys.first(), keys.get(1)) else { return Err("too few".into()) };
    adapter.delete_api_key(&id, &first.id).await.works("delete")?;
    adapter.delete_api_key(&id, &first.id).await.works("delete again")?;
    let left = adapter.api_keys(&id).await.works("list")?;
    ensure!(left.len() == 2 && left.contains(second) && !left.contains(first), "{left:?}");
    let foreign = adapter.delete_api_key(&other, &second.id).await;
    let left = adapter.api_keys(&id).await.works("list")?;
    ensure!(left.contains(second), "a key was deleted through another account: {foreign:?}");
    ensure!(adapter.api_keys(&other).await.works("list")?.len() == 1, "the other account lost a key");
    let unknown = adapter.delete_api_key("Users-999999", &second.id).await;
    ensure!(matches!(unknown, Err(AdapterError::NotFound(_))), "unknown account: {unknown:?}");
    Ok(())
}

pub(super) async fn ends_sessions(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let id = bench.create_account("carol", "carol@x.example").await;
    let other = bench.create_account("dave", "dave@x.example").await;
    for account in [&id, &id, &other] {
        bench.open_session(account).await;
    }
    ensure!(bench.sessions(&id).await == 2, "the bench opened no sessions");
    let can = adapter.describe().await.works("describe")?.capabilities.contains(&Capability::RevokeSessions);
    let ended = adapter.end_sessions(&id).await;
    if !can {
        ensure!(matches!(ended, Err(AdapterError::Unsupported(_))), "without the capability: {ended:?}");
        return Ok(());
    }
    ended.works("end")?;
    ensure!(bench.sessions(&id).await == 0, "sessions live on");
    ensure!(bench.sessions(&other).await == 1, "a stranger was signed out");
    adapter.end_sessions(&id).await.works("end again")?;
    Ok(())
}
