//! Guessing: what names cost and show, who is slowed down, what is bounded (rules D1).

use crate::login_world::*;
use axum::http::{StatusCode, header};
use odcm::core::policy::Actor;
use odcm::storage::STATEMENTS;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// What a refused attempt cost and showed.
async fn refused(world: &World, name: &str) -> (u64, String) {
    let mut visitor = world.visitor();
    let page = visitor.open("/protocol").await;
    let page = visitor.submit(&page, "/identify", &[("name", name)]).await;
    assert_eq!(page.status, StatusCode::OK);
    let seen = page.text.replace(name, "NAME");
    let evaluations = world.deps.hasher.evaluations();
    let wrong = visitor.submit(&page, "/password", &[("password", "wrong password")]).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN, "{}", wrong.text);
    assert!(wrong.text.contains("The user name or password is wrong."));
    let strip = |text: &str| -> String {
        // tokens, flow ids and initials differ by nature
        let mut out = String::new();
        for (n, part) in text.split('"').enumerate() {
            let varies = n % 2 == 1 && (part.len() == 43 || part.starts_with("/login/"));
            out.push_str(if varies { "" } else { part });
        }
        let start = out.find("avatar").unwrap();
        let end = start + out[start..].find("</span>").unwrap();
        out.replace_range(start..end, "");
        out
    };
    (world.deps.hasher.evaluations() - evaluations, strip(&seen) + &strip(&wrong.text.replace(name, "NAME")))
}

#[tokio::test]
async fn known_and_unknown_names_cost_and_see_the_same() {
    let world = world().await;
    let silent = person(&world.deps, "silent", "No Password").await;
    let gone = person(&world.deps, "leaver", "Disabled").await;
    set_password(&world.deps, &gone, PASSWORD).await;
    odcm::accounts::people::disable(&world.deps, &Actor::system("test"), &gone, "manual").await.unwrap();
    let _ = silent;
    let mut seen = Vec::new();
    for name in ["bobx", "bob", "silent", "leaver", "bob@example.com", "nobody@example.com"] {
        let (evaluations, pages) = refused(&world, name).await;
        assert_eq!(evaluations, 1, "{name}");
        seen.push((name, pages));
    }
    for (name, pages) in &seen {
        assert_eq!(pages, &seen[0].1, "{name}");
    }
    // a disabled person with the right password sees the same as well
    let mut visitor = world.visitor();
    let answer = world.sign_in(&mut visitor, "/protocol", "leaver", PASSWORD).await;
    assert!(answer.text.contains("The user name or password is wrong."));
}

/// Executions of statements by a refused password, by text. The counters belong to the process: run alone.
async fn statements_of(world: &World, name: &str) -> BTreeMap<&'static str, u64> {
    let mut visitor = world.visitor();
    let page = visitor.open("/protocol").await;
    let page = visitor.submit(&page, "/identify", &[("name", name)]).await;
    let count = || STATEMENTS.iter().map(|s| (s.sql, s.runs.load(Ordering::SeqCst))).collect::<BTreeMap<_, _>>();
    let before = count();
    visitor.submit(&page, "/password", &[("password", "wrong password")]).await;
    count().into_iter().map(|(sql, n)| (sql, n - before[sql])).filter(|(_, n)| *n > 0).collect()
}

#[tokio::test]
#[ignore = "run alone in its process by `known_and_unknown_names_run_the_same_statements`"]
async fn statements_alone() {
    let world = world().await;
    let expected = statements_of(&world, "bob").await;
    assert!((4..12).contains(&expected.values().sum::<u64>()), "{expected:#?}");
    for name in ["nobody", "bob@example.com", "nobody@example.com", "BOB"] {
        assert_eq!(statements_of(&world, name).await, expected, "{name}");
    }
}

#[test]
fn known_and_unknown_names_run_the_same_statements() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "login_guesses::statements_alone"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&alone.stdout).into_owned() + &String::from_utf8_lossy(&alone.stderr);
    assert!(alone.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn failures_slow_strangers_down_but_not_known_devices() {
    let world = world().await;
    let mut bob = world.visitor();
    world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    let mut stranger = world.visitor();
    let page = stranger.open("/protocol").await;
    let page = stranger.submit(&page, "/identify", &[("name", "bob")]).await;
    for n in 1..=6 {
        let wrong = stranger.submit(&page, "/password", &[("password", "wrong password")]).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN, "attempt {n}");
    }
    // locked: not even the right password is tried
    let evaluations = world.deps.hasher.evaluations();
    let locked = stranger.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(locked.headers[header::RETRY_AFTER], "5");
    assert!(locked.text.contains("Try again in 5 seconds"), "{}", locked.text);
    assert_eq!(world.deps.hasher.evaluations(), evaluations);
    // Bob's own browser is not held up
    let page_bob = bob.open("/protocol?login=1").await;
    let page_bob = bob.submit(&page_bob, "/identify", &[("name", "bob")]).await;
    assert_eq!(bob.submit(&page_bob, "/password", &[("password", PASSWORD)]).await.text, "granted bob pwd \"xyz\"");
    // his success opens no door to the stranger; time does, and success clears the count
    assert_eq!(stranger.submit(&page, "/password", &[("password", PASSWORD)]).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.deps.hand.advance_ms(5_000);
    assert_eq!(stranger.submit(&page, "/password", &[("password", PASSWORD)]).await.text, "granted bob pwd \"xyz\"");
    // never longer than 15 minutes
    let mut again = world.visitor();
    again.address = "198.51.100.1:1".parse().unwrap();
    let mut longest = 0;
    for _ in 0..25 {
        let page = again.open("/protocol").await;
        let page = again.submit(&page, "/identify", &[("name", "somebody")]).await;
        again.submit(&page, "/password", &[("password", "wrong password")]).await;
        let answer = again.submit(&page, "/password", &[("password", "wrong password")]).await;
        if let Some(wait) = answer.headers.get(header::RETRY_AFTER) {
            let wait: i64 = wait.to_str().unwrap().parse().unwrap();
            longest = longest.max(wait);
            world.deps.hand.advance_ms(wait * 1000);
        }
    }
    assert_eq!(longest, 900);
    // one address, many names
    let mut sprayer = world.visitor();
    sprayer.address = "203.0.113.9:1".parse().unwrap();
    let mut statuses = Vec::new();
    for n in 0..40 {
        let page = sprayer.open("/protocol").await;
        let page = sprayer.submit(&page, "/identify", &[("name", &format!("name{n}"))]).await;
        statuses.push(sprayer.submit(&page, "/password", &[("password", "wrong password")]).await.status);
    }
    assert_eq!(statuses[10], StatusCode::FORBIDDEN);
    assert_eq!(statuses[39], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn one_person_has_one_count_whatever_name_is_typed() {
    let world = world().await;
    let mut stranger = world.visitor();
    for n in 0..6 {
        let name = if n % 2 == 0 { "bob" } else { "bob@example.com" };
        let answer = world.sign_in(&mut world.visitor(), "/protocol", name, "wrong password").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "attempt {n}");
    }
    // the person is locked, under no name visibly: not even the right password opens, and costs what a wrong one costs
    for name in ["BOB", "bob@example.com"] {
        let evaluations = world.deps.hasher.evaluations();
        let answer = world.sign_in(&mut stranger, "/protocol", name, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(answer.text.contains("The user name or password is wrong."), "{}", answer.text);
        assert_eq!(world.deps.hasher.evaluations() - evaluations, 1);
    }
    world.deps.hand.advance_ms(5_000);
    assert_eq!(world.sign_in(&mut stranger, "/protocol", "bob", PASSWORD).await.text, "granted bob pwd \"xyz\"");
}

#[tokio::test]
async fn a_lock_tells_nothing_about_other_names() {
    let world = world().await;
    for name in ["bob", "nobody"] {
        for _ in 0..7 {
            world.sign_in(&mut world.visitor(), "/protocol", name, "wrong password").await;
        }
        let same = world.sign_in(&mut world.visitor(), "/protocol", name, "wrong password").await;
        assert_eq!(same.status, StatusCode::TOO_MANY_REQUESTS, "{name} itself is locked for all to see");
        let other = world.sign_in(&mut world.visitor(), "/protocol", &format!("{name}@example.com"), "wrong password").await;
        assert_eq!(other.status, StatusCode::FORBIDDEN, "{name}@example.com: nobody learns whether it is the same person");
    }
}

#[tokio::test]
async fn sign_ins_under_way_are_bounded_per_network() {
    let world = world().await;
    let flow = odcm::core::login::Flow::begin(odcm::login::Demand::to("/"), odcm::core::Timestamp(0));
    let ends = world.deps.clock.now().plus_secs(60);
    let fill = async |network: &str, count: i64| {
        for n in 0..count {
            let hash = odcm::crypto::hash::sha256(format!("{network} {n}").as_bytes());
            odcm::storage::logins::insert(&world.deps.db, &hash, &flow, ends, network, 5000).await.unwrap();
        }
    };
    let count = odcm::sql!("SELECT count(*) AS n FROM login WHERE network = $1");
    let open = async |network: &str| world.deps.db.opt::<(i64,)>(count, &[&network]).await.unwrap().unwrap().0;
    fill("192.0.2.10", 1003).await;
    fill("192.0.2.11", 3).await;
    let mut bob = world.visitor();
    let page = bob.open("/protocol").await;
    assert_eq!((open("192.0.2.10").await, open("192.0.2.11").await), (1000, 3), "the oldest of the network gave way");
    let page = bob.submit(&page, "/identify", &[("name", "bob")]).await;
    let done = bob.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert_eq!(done.text, "granted bob pwd \"xyz\"", "the newest stays");
}
