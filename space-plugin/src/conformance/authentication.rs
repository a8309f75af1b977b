//! Sign-in settings: ours set and brought back, those of others untouched, secrets written and never read.

use super::{Bench, Outcome, Works, ensure};
use crate::adapter::{AdapterError, AuthenticationSeen, AuthenticationSetUp, Backup, Capability};
use odcm_wire::latest::AuthenticationState;
use serde_json::json;

const ISSUER: &str = "https://odcm.example";

fn set_up(secret: Option<&str>) -> AuthenticationSetUp {
    let state = AuthenticationState {
        issuer: ISSUER.into(),
        client_id: "space-mars".into(),
        display_name: "Sign in with ODCM".into(),
        secret_generation: 1,
    };
    AuthenticationSetUp { state, client_secret: secret.map(Into::into) }
}

async fn takes_secrets(bench: &dyn Bench) -> Result<bool, String> {
    Ok(bench.adapter().describe().await.works("describe")?.capabilities.contains(&Capability::ClientSecret))
}

fn points_at_us(seen: &AuthenticationSeen) -> Outcome {
    ensure!(seen.enabled && seen.issuer == ISSUER && seen.client_id == "space-mars", "{seen:?}");
    ensure!(!seen.auto_user_creation && !seen.self_service_identities, "a door is open: {seen:?}");
    Ok(())
}

pub(super) async fn points_the_provider_at_us(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    bench.open_doors().await;
    let others = bench.other_settings().await;
    let before = adapter.authentication().await.works("read")?;
    ensure!(before.auto_user_creation && before.self_service_identities, "open doors are not seen: {before:?}");
    let secret = takes_secrets(bench).await?.then_some("s3cret-one");
    let seen = adapter.set_authentication(&set_up(secret)).await.works("set")?;
    points_at_us(&seen)?;
    ensure!(seen.has_client_secret == secret.map(|_| true), "{seen:?}");
    ensure!(bench.client_secret().await.as_deref() == secret, "another secret is stored");
    let read = adapter.authentication().await.works("read")?;
    ensure!(read == seen, "read differently: {read:?}, {seen:?}");
    ensure!(bench.other_settings().await == others, "settings of others changed");
    let provider = adapter.provider().await.works("provider")?;
    ensure!(provider == seen.provider, "{provider:?}, {:?}", seen.provider);
    Ok(())
}

pub(super) async fn keeps_and_replaces_the_secret(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    if !takes_secrets(bench).await? {
        let refused = adapter.set_authentication(&set_up(Some("s3cret"))).await;
        ensure!(matches!(refused, Err(AdapterError::Unsupported(_))), "a secret where none can be: {refused:?}");
        return Ok(());
    }
    adapter.set_authentication(&set_up(Some("s3cret-one"))).await.works("set")?;
    let (_, cursor) = adapter.changes_since(None).await.works("cursor")?;
    let kept = adapter.set_authentication(&set_up(None)).await.works("set again")?;
    ensure!(kept.has_client_secret == Some(true), "{kept:?}");
    ensure!(bench.client_secret().await.as_deref() == Some("s3cret-one"), "the secret was not kept");
    let (changes, _) = adapter.changes_since(Some(&cursor)).await.works("changes")?;
    ensure!(changes.is_empty(), "the same again was written: {changes:?}");
    adapter.set_authentication(&set_up(Some("s3cret-two"))).await.works("replace")?;
    ensure!(bench.client_secret().await.as_deref() == Some("s3cret-two"), "the secret was not replaced");
    let backup = adapter.back_up_authentication(ISSUER).await.works("back up")?;
    let text = serde_json::to_string(&backup).map_err(|error| error.to_string())?;
    ensure!(!text.contains("s3cret"), "a secret can be read: {text}");
    Ok(())
}

pub(super) async fn closes_doors_again(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    adapter.set_authentication(&set_up(None)).await.works("set")?;
    bench.open_doors().await;
    bench.configure(false, "https://evil.example", "space-evil", None).await;
    let seen = adapter.authentication().await.works("read")?;
    ensure!(!seen.enabled && seen.issuer == "https://evil.example" && seen.client_id == "space-evil", "drift unseen: {seen:?}");
    let seen = adapter.set_authentication(&set_up(None)).await.works("repair")?;
    points_at_us(&seen)
}

pub(super) async fn brings_back_what_was(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    bench.open_doors().await;
    bench.configure(true, "https://old.example", "old", None).await;
    let before = adapter.authentication().await.works("read")?;
    let others = bench.other_settings().await;
    let backup = adapter.back_up_authentication(ISSUER).await.works("back up")?;
    // It travels through a file.
    let text = serde_json::to_string(&backup).map_err(|error| error.to_string())?;
    let backup: Backup = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let secret = takes_secrets(bench).await?.then_some("s3cret-one");
    adapter.set_authentication(&set_up(secret)).await.works("set")?;
    for round in ["restore", "restore again"] {
        adapter.restore_authentication(&backup).await.works(round)?;
        let after = adapter.authentication().await.works("read")?;
        ensure!(after == before, "{round}: {after:?}, before {before:?}");
        ensure!(bench.client_secret().await.is_none(), "{round}: our secret stayed");
        ensure!(bench.other_settings().await == others, "{round}: settings of others changed");
    }
    Ok(())
}

pub(super) async fn keeps_the_secret_of_the_backup(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    if !takes_secrets(bench).await? {
        return Ok(());
    }
    bench.configure(true, "https://old.example", "old", Some("of-the-owner")).await;
    let backup = adapter.back_up_authentication(ISSUER).await.works("back up")?;
    adapter.set_authentication(&set_up(None)).await.works("set")?;
    adapter.restore_authentication(&backup).await.works("restore")?;
    ensure!(bench.client_secret().await.as_deref() == Some("of-the-owner"), "the owner's secret is gone");
    let seen = adapter.authentication().await.works("read")?;
    ensure!(seen.enabled && seen.issuer == "https://old.example", "{seen:?}");
    Ok(())
}

pub(super) async fn refuses_a_strange_backup(bench: &dyn Bench) -> Outcome {
    let adapter = bench.adapter();
    let before = (adapter.authentication().await.works("read")?, bench.other_settings().await);
    for (section, values) in [("authentication-usernamepassword", json!({"IsEnabled": false})), ("../users", json!({}))] {
        let backup = Backup { sections: vec![(section.into(), values)] };
        let refused = adapter.restore_authentication(&backup).await;
        ensure!(matches!(refused, Err(AdapterError::Invalid(_))), "{section}: {refused:?}");
    }
    let after = (adapter.authentication().await.works("read")?, bench.other_settings().await);
    ensure!(before == after, "something was written");
    Ok(())
}
