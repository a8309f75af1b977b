//! Section *authentication* (rules B9, B12).

use crate::cli::restore_auth;
use crate::state::State;
use crate::testkit::{Rig, busy};
use odcm_space_plugin::{SpaceAdapter, fake::FakeSpace};
use odcm_wire::Digest;
use odcm_wire::latest::{DriftAction, FromAgent, FromServer, ItemState, Probe, ReportKind, Section};
use std::time::Duration;

async fn offered(rig: &mut Rig) -> Vec<(u64, Digest)> {
    rig.pass(Duration::from_secs(1)).await;
    let of = |m: &FromAgent| match m {
        FromAgent::Secret { generation, sha256, .. } => Some((*generation, *sha256)),
        _ => None,
    };
    rig.heard.iter().filter_map(of).collect()
}

async fn stored(rig: &Rig, generation: u64) {
    rig.send(crate::engine::Input::Message(FromServer::SecretStored { generation })).await;
}

async fn set_up(rig: &mut Rig) {
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    assert_eq!(offered(rig).await.len(), 1);
    stored(rig, 1).await;
    rig.heard_ack(Section::Authentication, 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_secret_is_written_after_its_hash_is_stored() {
    let mut rig = Rig::new();
    rig.go().await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    let first = offered(&mut rig).await;
    assert_eq!(first.len(), 1);
    assert_eq!((rig.space.client_secret(), rig.space.calls_of("set_authentication")), (None, 0), "ODCM must know it first");
    stored(&rig, 9).await;
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.space.client_secret(), None, "another generation");

    // Killed while waiting: the same secret is offered again, not a second one.
    rig.kill().await;
    rig.heard.clear();
    rig.go().await;
    assert_eq!(offered(&mut rig).await, first);
    stored(&rig, 1).await;
    rig.heard_ack(Section::Authentication, 1).await;
    let secret = rig.space.client_secret().unwrap();
    assert_eq!(Digest::of(secret.as_bytes()), first[0].1);
    assert!(secret.len() >= 43, "32 random bytes");
    let seen = rig.space.authentication().await.unwrap();
    assert!(seen.enabled && seen.issuer == "http://localhost:8080" && seen.client_id == "space-1");
    assert!(!seen.auto_user_creation && !seen.self_service_identities, "held off (A7)");

    // The next generation: the old secret works until the new one is known.
    let document = rig.odcm.authentication(2, 2);
    rig.heard.clear();
    rig.say(&document).await;
    assert_eq!(offered(&mut rig).await[0].0, 2);
    assert_eq!(rig.space.client_secret().unwrap(), secret);
    stored(&rig, 2).await;
    rig.heard_ack(Section::Authentication, 2).await;
    assert_ne!(rig.space.client_secret().unwrap(), secret);
}

#[tokio::test(start_paused = true)]
async fn the_secret_never_leaves_in_a_message_or_a_log() {
    let mut rig = Rig::new();
    rig.go().await;
    set_up(&mut rig).await;
    rig.pass(Duration::from_secs(700)).await;
    let secret = rig.space.client_secret().unwrap();
    let said = serde_json::to_string(&rig.heard).unwrap();
    assert!(!said.contains(&secret));
    let kept = State::open(Box::new(rig.memory.clone())).unwrap().sign_in;
    assert!(!format!("{kept:?}").contains(&secret), "Debug hides it");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_secrets_is_configured_without_one() {
    let mut rig = Rig::on(FakeSpace::with_capabilities("installation-1", []));
    rig.go().await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.heard_ack(Section::Authentication, 1).await;
    assert!(offered(&mut rig).await.is_empty());
    assert!(rig.space.authentication().await.unwrap().enabled);
}

#[tokio::test(start_paused = true)]
async fn settings_changed_by_hand_are_put_right() {
    let mut rig = Rig::new();
    rig.go().await;
    set_up(&mut rig).await;
    let secret = rig.space.client_secret().unwrap();
    rig.space.set_local_enabled(false);
    rig.space.set_local_openness(true, true);
    rig.space.set_local_client_secret(None);
    rig.pass(Duration::from_secs(301)).await;
    let seen = rig.space.authentication().await.unwrap();
    assert!(seen.enabled && !seen.auto_user_creation && !seen.self_service_identities);
    assert_eq!(rig.space.client_secret().unwrap(), secret);
    let drift = |r: ReportKind| matches!(r, ReportKind::Drift { items } if items.iter().any(|d| d.item == "setting/authentication" && d.action == DriftAction::Repaired));
    assert_eq!(rig.reports().into_iter().filter(|r| drift(r.clone())).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn other_providers_are_left_alone() {
    let mut rig = Rig::new();
    let before = rig.space.other_providers();
    rig.go().await;
    set_up(&mut rig).await;
    assert_eq!(rig.space.other_providers(), before);
}

#[tokio::test(start_paused = true)]
async fn restore_auth_brings_the_old_settings_back() {
    let mut rig = Rig::new();
    let before = rig.space.authentication().await.unwrap();
    rig.go().await;
    rig.space.fail_next_of("set_authentication", 1, busy());
    set_up(&mut rig).await;
    rig.kill().await;
    let state = State::open(Box::new(rig.memory.clone())).unwrap();
    restore_auth(state, &rig.space).await.unwrap();
    let restored =
        |seen: odcm_space_plugin::AuthenticationSeen| (seen.enabled, seen.issuer, seen.client_id, seen.auto_user_creation);
    let was = restored(before);
    assert_eq!(restored(rig.space.authentication().await.unwrap()), was);

    rig.go().await;
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(restored(rig.space.authentication().await.unwrap()), was, "left alone until ODCM wants something new");
    // The same again under a higher revision (a fork, a new fleet key, an unrelated edit) is nothing new.
    let document = rig.odcm.authentication(2, 1);
    rig.say(&document).await;
    let ack = rig.heard_ack(Section::Authentication, 2).await;
    assert_eq!(ack.items[0].state, ItemState::RefusedByPolicy, "ODCM hears that its settings are not there");
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(restored(rig.space.authentication().await.unwrap()), was);
    rig.kill().await;
    rig.go().await;
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(restored(rig.space.authentication().await.unwrap()), was, "nor does a restart undo it");
    let document = rig.odcm.authentication(3, 2);
    rig.heard.clear();
    rig.say(&document).await;
    assert_eq!(offered(&mut rig).await[0].0, 2);
    stored(&rig, 2).await;
    let ack = rig.heard_ack(Section::Authentication, 3).await;
    assert_eq!(ack.items[0].state, ItemState::Applied);
    assert!(rig.space.authentication().await.unwrap().enabled);
    let state = State::open(Box::new(rig.memory.clone())).unwrap();
    restore_auth(state, &rig.space).await.unwrap();
    assert_eq!(restored(rig.space.authentication().await.unwrap()), was, "the first backup is the one that counts");
}

#[tokio::test(start_paused = true)]
async fn nothing_to_restore_is_said() {
    let rig = Rig::new();
    let state = State::open(Box::new(rig.memory.clone())).unwrap();
    let error = restore_auth(state, &rig.space).await.unwrap_err().to_string();
    assert!(error.contains("nothing to restore"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_goes_through_the_spaces_own_sign_in() {
    let mut rig = Rig::new();
    rig.go().await;
    let probe = |code: &str| FromServer::Probe(Probe { id: "1".into(), code: code.into() });
    rig.send(crate::engine::Input::Message(probe("early"))).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(rig.alarms(), ["probe_failed"], "not configured yet");
    set_up(&mut rig).await;
    rig.send(crate::engine::Input::Message(probe("dead"))).await;
    rig.pass(Duration::from_secs(1)).await;
    let probes = rig.space.probes();
    assert_eq!((probes.len(), probes[0].code.as_str()), (1, "dead"));
    assert_eq!(probes[0].client_secret, rig.space.client_secret());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_no_probe_proved_is_written_again() {
    let mut rig = Rig::new();
    rig.go().await;
    set_up(&mut rig).await;
    let secret = rig.space.client_secret().unwrap();
    // Somebody puts another secret into the Space: what is set cannot be read, so no look finds it.
    rig.space.set_local_client_secret(Some("another"));
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(rig.space.client_secret().as_deref(), Some("another"));
    let say = |generation| crate::engine::Input::Message(FromServer::WriteSecret { generation });
    rig.send(say(7)).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(rig.space.client_secret().as_deref(), Some("another"), "that is no secret of ours");
    rig.send(say(1)).await;
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(rig.space.client_secret(), Some(secret));
    let writes = rig.space.calls_of("set_authentication");
    rig.pass(Duration::from_secs(700)).await;
    assert_eq!(rig.space.calls_of("set_authentication"), writes, "once is enough");
}
