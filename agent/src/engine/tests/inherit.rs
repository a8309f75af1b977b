//! An agent that was enrolled beside a Space where another one worked before (rules B5, B12).

use crate::cli::restore_auth;
use crate::state::{Folder, State};
use crate::testkit::{Rig, enrolment, state};
use odcm_space_plugin::SpaceAdapter as _;
use odcm_space_plugin::fake::LocalAccount;
use odcm_wire::latest::{
    AccountLink, DriftAction, FormerLink, FormerTeam, FromAgent, FromServer, Inheritance, ReportKind, Section,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What ODCM keeps of the links that an agent told.
fn former(links: &[AccountLink]) -> BTreeMap<String, FormerLink> {
    let of = |l: &AccountLink| FormerLink { account: l.account.clone(), active: l.active, locally_disabled: l.locally_disabled };
    links.iter().map(|l| (l.person.clone(), of(l))).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|i| (*i).to_owned()).collect()
}

/// Another agent beside the same Space, with a folder of its own.
fn successor(rig: &Rig, inheritance: Inheritance) -> Rig {
    let mut next = Rig::on(rig.space.clone());
    next.odcm.inheritance = inheritance;
    next.odcm.revision = rig.odcm.revision;
    next
}

#[tokio::test(start_paused = true)]
async fn a_new_agent_governs_what_the_one_before_it_left() {
    let mut rig = Rig::new();
    let team = rig.team("Deployers", "g1");
    let zoe = rig.space.create_local_account(LocalAccount::person("zoe", "zoe@x.example"));
    rig.go().await;
    let one = state(&["ann", "bob", "cyd", "dan"], &[("g1", &["ann", "bob", "cyd"])]);
    let links = former(&rig.apply(&one).await.links);
    assert_eq!(links.len(), 4);
    let (bob, cyd) = (rig.id("bob"), rig.id("cyd"));
    rig.kill().await;
    rig.space.create_api_key(&bob, "script").unwrap();
    rig.space.open_session(&bob).unwrap();
    rig.space.add_local_member(&team, &zoe).unwrap();
    rig.space.add_local_member(&team, &rig.id("dan")).unwrap();

    // While nobody was there bob lost the Space and cyd the group; dan's removal waits for a person.
    let teams = BTreeMap::from([(team.clone(), FormerTeam { groups: set(&["g1"]), unswept: set(&["dan"]) })]);
    let mut next = successor(&rig, Inheritance { links, teams });
    next.go().await;
    let two = state(&["ann", "cyd", "dan"], &[("g1", &["ann"])]);
    let ack = next.apply(&two).await;
    let account = next.space.stored_account(&bob).unwrap();
    assert!(!account.active && account.keys.is_empty() && account.sessions == 0, "{account:?}");
    assert_eq!(next.members(&team), ["ann", "dan", "zoe"], "cyd lost the place, dan waits, zoe is the Space's");
    assert_eq!(next.active("ann-2"), None);
    let item = ack.items.iter().find(|i| i.item == "person/bob").unwrap();
    assert!(!item.residual.is_empty(), "what is left over is told: {item:?}");
    let told: BTreeMap<_, _> = ack.links.iter().map(|l| (l.person.as_str(), l.account.as_str())).collect();
    assert_eq!((told["cyd"], told["bob"], told.len()), (cyd.as_str(), bob.as_str(), 4), "they are told upward again");
    assert!(ack.items.iter().all(|i| !i.item.starts_with("person/ann")), "{:?}", ack.items);

    // It survives a restart, counts once, and a new grant goes on with the same account.
    next.kill().await;
    next.go().await;
    next.apply(&one).await;
    assert_eq!((next.active("bob"), next.id("bob")), (Some(true), bob));
    assert_eq!(next.members(&team), ["ann", "bob", "cyd", "dan", "zoe"]);
    next.space.delete_account(&cyd).unwrap();
    next.pass(Duration::from_secs(20)).await;
    next.apply(&state(&["ann"], &[("g1", &[])])).await;
    next.apply(&one).await;
    assert_ne!(next.id("cyd"), cyd, "the link to a deleted account does not come back with the next snapshot");
}

#[tokio::test(start_paused = true)]
async fn who_was_off_by_the_agent_is_on_again_and_who_was_off_by_the_space_is_not() {
    let mut rig = Rig::new();
    rig.go().await;
    let one = state(&["ann", "bob", "cyd"], &[]);
    let mut links = former(&rig.apply(&one).await.links);
    links.extend(former(&rig.apply(&state(&["bob", "cyd"], &[])).await.links));
    rig.kill().await;
    assert!(!links["ann"].active && !links["ann"].locally_disabled);
    rig.space.create_api_key(&rig.id("ann"), "left over").unwrap();
    rig.space.set_local_active(&rig.id("bob"), false).unwrap();
    rig.space.set_local_active(&rig.id("cyd"), false).unwrap();
    links.get_mut("cyd").unwrap().locally_disabled = true;
    let mut next = successor(&rig, Inheritance { links, ..Inheritance::default() });
    next.go().await;
    next.apply(&one).await;
    assert_eq!((next.active("ann"), next.active("bob"), next.active("cyd")), (Some(true), Some(false), Some(false)));
    assert!(next.space.stored_account(&next.id("ann")).unwrap().keys.is_empty(), "a new grant revives no old key");
}

#[tokio::test(start_paused = true)]
async fn the_word_of_odcm_alone_gives_it_no_administrator_and_no_service() {
    let mut rig = Rig::new();
    let admin = LocalAccount { teams: vec!["teams-administrators".into()], ..LocalAccount::person("root", "root@x.example") };
    let admin = rig.space.create_local_account(admin);
    let robot = LocalAccount { service: true, ..LocalAccount::person("robot", "robot@x.example") };
    let robot = rig.space.create_local_account(robot);
    let link = |account: &str| FormerLink { account: account.into(), active: true, locally_disabled: false };
    rig.odcm.inheritance.links = [("p1".to_owned(), link(&admin)), ("p2".to_owned(), link(&robot))].into();
    rig.go().await;
    let ack = rig.apply(&state(&[], &[])).await;
    assert_eq!((rig.active("root"), rig.active("robot"), ack.links.len()), (Some(true), Some(true), 0));
    let drift = |r: &ReportKind| match r {
        ReportKind::Drift { items } => items.iter().filter(|d| d.action == DriftAction::Respected).count(),
        _ => 0,
    };
    assert_eq!(rig.reports().iter().map(drift).sum::<usize>(), 2, "and it is said");
}

#[tokio::test(start_paused = true)]
async fn settings_that_point_at_odcm_are_nobodys_way_back() {
    let mut rig = Rig::new();
    rig.space.set_local_provider(true, "http://localhost:8080/", "an earlier agent's");
    rig.go().await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.send(crate::engine::Input::Message(FromServer::SecretStored { generation: 1 })).await;
    rig.heard_ack(Section::Authentication, 1).await;
    rig.kill().await;
    assert!(rig.space.authentication().await.unwrap().enabled);
    restore_auth(State::open(Box::new(rig.memory.clone())).unwrap(), &rig.space).await.unwrap();
    assert!(!rig.space.authentication().await.unwrap().enabled, "back before ODCM is not back to ODCM");
}

#[tokio::test(start_paused = true)]
async fn an_agent_enrolled_again_in_its_folder_remembers() {
    let mut rig = Rig::new();
    rig.space.set_local_provider(true, "https://old.example", "old");
    rig.go().await;
    let document = rig.odcm.authentication(1, 1);
    rig.say(&document).await;
    rig.pass(Duration::from_secs(1)).await;
    rig.send(crate::engine::Input::Message(FromServer::SecretStored { generation: 1 })).await;
    rig.heard_ack(Section::Authentication, 1).await;
    rig.apply(&state(&["ann"], &[])).await;
    rig.send(crate::engine::Input::Refused("revoked".into())).await;
    rig.kill().await;

    let mut anew = enrolment(&rig.odcm, "installation-1");
    anew.agent = "agent-2".into();
    for wrong in ["space", "installation"] {
        let mut other = anew.clone();
        if wrong == "space" {
            other.space = "space-2".into()
        } else {
            other.installation_id = "installation-2".into()
        }
        let error = State::enrol_again(&mut rig.memory, &other).unwrap_err().to_string();
        assert!(error.contains("--again") && error.contains("empty --state"), "{error}");
    }
    State::enrol_again(&mut rig.memory, &anew).unwrap();
    let kept = State::open(Box::new(rig.memory.clone())).unwrap();
    assert_eq!((kept.enrolment.agent.as_str(), kept.access.position().revision), ("agent-2", 0));
    assert!(kept.floor.refused.is_none());
    rig.odcm.revision = 0;
    assert!(rig.heard.iter().any(|m| matches!(m, FromAgent::Secret { .. })));
    rig.heard.clear();
    rig.go().await;
    let ack = rig.apply(&state(&[], &[])).await;
    assert_eq!((ack.revision, rig.active("ann")), (1, Some(false)), "the link was kept");
    rig.kill().await;
    restore_auth(State::open(Box::new(rig.memory.clone())).unwrap(), &rig.space).await.unwrap();
    assert_eq!(rig.space.authentication().await.unwrap().issuer, "https://old.example");

    let folder = tempfile::tempdir().unwrap();
    State::enrol_again(&mut Folder::open(folder.path()).unwrap(), &anew).unwrap();
    assert!(State::open(Box::new(Folder::open(folder.path()).unwrap())).is_ok(), "an empty folder is enrolled as usual");
}
