//! The agent dies at every step in turn, before or after its effect, and starts again (rules B1, A7).

use crate::testkit::{Rig, state};
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::{AccessState, AdoptionDecision, ReportKind};
use std::time::Duration;

fn story() -> Vec<AccessState> {
    let mut first = state(&["ann", "bob", "old"], &[("g1", &["ann", "old"]), ("g2", &["bob"])]);
    first.people.get_mut("old").unwrap().adoption = Some(AdoptionDecision::Adopt {
        account: "Users-3".into(),
        reset_password: true,
        remove_foreign_identities: true,
        revoke_api_keys: true,
    });
    let mut second = first.clone();
    second.people.remove("ann");
    second.groups.get_mut("g1").unwrap().members.remove("ann");
    second.people.extend(state(&["cyd"], &[]).people);
    second.groups.get_mut("g2").unwrap().members = state(&[], &[("g", &["cyd", "old"])]).groups["g"].members.clone();
    let mut third = second.clone();
    third.people.extend(state(&["ann"], &[]).people);
    third.groups.get_mut("g1").unwrap().members.extend(state(&[], &[("g", &["ann"])]).groups["g"].members.clone());
    vec![first, second, third]
}

/// Lives the story; `true` if the agent died on the way.
async fn live(dies_at: Option<u64>) -> bool {
    let mut rig = Rig::new();
    let old =
        rig.space.create_local_account(LocalAccount { keys: vec!["key".into()], ..LocalAccount::person("old", "old@x.example") });
    assert_eq!(old, "Users-3");
    let (one, two) = (rig.team("One", "g1"), rig.team("Two", "g2"));
    rig.go().await;
    rig.fate.die_at(dies_at);
    let mut died = false;
    for (n, wanted) in story().iter().enumerate() {
        let document = rig.odcm.snapshot(wanted);
        rig.say(&document).await;
        let revision = rig.odcm.revision;
        if !died {
            let fate = rig.fate.clone();
            tokio::select! {
                biased;
                () = fate.death() => died = true,
                _ = rig.acked() => {}
            }
            if died || rig.fate.dead() {
                died = true;
                rig.kill().await;
                if n % 2 == 0 {
                    // First without ODCM, which must not undo what the newest document began.
                    rig.start();
                    rig.pass(Duration::from_secs(5)).await;
                    rig.connect().await;
                } else {
                    rig.go().await;
                }
                rig.say(&document).await;
            }
        }
        assert_eq!(rig.acked().await.revision, revision);
        rig.pass(Duration::from_secs(20)).await;
        let names = |state: &AccessState, g: &str| state.groups[g].members.keys().cloned().collect::<Vec<_>>();
        assert_eq!(rig.members(&one), names(wanted, "g1"), "revision {revision}, died at {dies_at:?}");
        assert_eq!(rig.members(&two), names(wanted, "g2"), "revision {revision}, died at {dies_at:?}");
        for name in ["ann", "bob", "cyd", "old"] {
            let expected = wanted.people.contains_key(name);
            assert_eq!(rig.active(name).unwrap_or(false), expected, "{name} at {revision}, died at {dies_at:?}");
            assert_eq!(rig.active(&format!("{name}-2")), None, "no second account, died at {dies_at:?}");
        }
        assert_eq!(rig.space.look_at_account(&old).unwrap().email, "old@x.example");
        assert!(rig.space.stored_account(&old).unwrap().keys.is_empty(), "died at {dies_at:?}");
    }
    // Nothing of it was the Space's doing.
    for report in rig.reports() {
        assert!(!matches!(report, ReportKind::Drift { .. }), "died at {dies_at:?}: {report:?}");
        if let ReportKind::Links { links } = report {
            assert!(links.iter().all(|l| !l.locally_disabled), "died at {dies_at:?}: {links:?}");
        }
    }
    died
}

#[tokio::test(start_paused = true)]
async fn crash_between_any_two_steps() {
    assert!(!live(None).await);
    let mut deaths = 0;
    for act in 0.. {
        if !live(Some(act)).await {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 40, "only {deaths} places to die");
}
