//! What happens when several do something at once: nothing is lost, exactly one wins, no rule is got round.

use super::*;
use odcm::accounts::{emails, links, memberships};
use odcm::core::Timestamp;
use odcm::core::directory::Assertion;
use odcm::run_tx;
use odcm::storage::marks as dirty;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

on_both! {
    a_hundred_concurrent_changes_lose_none
    a_mark_set_while_the_projector_works_is_never_missed
    a_mark_set_after_the_projector_read_stays_pending
    of_eight_who_use_a_link_one_sets_the_password
    of_two_who_verify_an_address_one_gets_it
    two_opposite_edges_at_once_make_no_cycle
    two_owners_cannot_remove_each_other
    two_owners_cannot_disable_each_other
    of_eight_who_take_a_name_one_gets_it
    of_eight_who_grant_the_same_one_does
    concurrent_changes_of_the_directory_all_happen_and_are_counted
    an_edit_on_an_old_version_is_refused
}

/// Runs `n` tasks that start together; gives what they gave.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(n: usize, task: impl Fn(usize) -> F) -> Vec<T> {
    let barrier = Arc::new(tokio::sync::Barrier::new(n));
    let mut set = JoinSet::new();
    for i in 0..n {
        let (barrier, work) = (barrier.clone(), task(i));
        set.spawn(async move {
            barrier.wait().await;
            work.await
        });
    }
    set.join_all().await
}

async fn a_hundred_concurrent_changes_lose_none(deps: TestDeps) {
    let (anna, team) = (person(&deps, "anna").await, group(&deps, "team").await);
    let zero = Assertion {
        group: team.clone(),
        member: p(&anna),
        source: "rule:counter".into(),
        span: Span { from: None, until: Some(Timestamp(0)) },
    };
    let made: storage::Result<()> =
        run_tx!(deps.db, "test.zero", |tx| storage::memberships::insert(tx, &zero, Timestamp(0), "test").await);
    made.unwrap();
    let results = at_once(100, |_| {
        let (deps, zero) = (deps.clone(), zero.clone());
        async move {
            let done: storage::Result<()> = run_tx!(deps.db, "test.count", |tx| {
                let row = storage::memberships::find(tx, &zero.group, &zero.member, &zero.source).await?.unwrap();
                let next = Timestamp(row.span.until.unwrap().0 + 1);
                storage::memberships::update(tx, &Assertion { span: Span { from: None, until: Some(next) }, ..row }).await
            });
            done
        }
    })
    .await;
    let row = storage::memberships::find(&mut &deps.db, &team, &p(&anna), &zero.source).await.unwrap().unwrap();
    let succeeded = results.iter().filter(|r| r.is_ok()).count();
    assert_eq!(row.span.until, Some(Timestamp(succeeded as i64)), "a change that was reported as done is lost");
    assert_eq!(succeeded, 100, "{:?}", results.into_iter().find(Result::is_err));
    let count = deps.db.tx_counts()["test.count"];
    assert_eq!((count.commits, count.failures), (100, 0));
    if deps.db.engine() == storage::Engine::Postgres {
        assert!(count.retries > 0, "on PostgreSQL such transactions meet, and the retries are counted");
    }
}

async fn a_mark_set_after_the_projector_read_stays_pending(deps: TestDeps) {
    let mars = space(&deps, "mars").await;
    let done: storage::Result<()> = run_tx!(deps.db, "test.project", |tx| {
        let (counter, _, _) = dirty::read(tx, &mars).await?.unwrap();
        dirty::mark(tx, &BTreeSet::from([mars.clone()]), deps.clock.now()).await?;
        dirty::projected(tx, &mars, counter).await
    });
    done.unwrap();
    assert_eq!(dirty::pending(&deps.db, 10).await.unwrap(), [mars]);
}

/// Writers change a name and mark; a projector notes what it sees. In the end it has seen the last state of each Space.
async fn a_mark_set_while_the_projector_works_is_never_missed(deps: TestDeps) {
    let mut ids = Vec::new();
    for name in ["mars", "venus", "pluto"] {
        ids.push(space(&deps, name).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let projector = {
        let (deps, over) = (deps.clone(), over.clone());
        tokio::spawn(async move {
            let (mut seen, mut rounds) = (BTreeMap::new(), 0u32);
            loop {
                let last = over.load(Ordering::SeqCst);
                let pending = dirty::pending(&deps.db, 2).await.unwrap();
                for id in &pending {
                    let text: storage::Result<String> = run_tx!(deps.db, "test.project", |tx| {
                        let (counter, _, _) = dirty::read(tx, id).await?.unwrap();
                        let text = storage::spaces::find(tx, id).await?.unwrap().description;
                        dirty::projected(tx, id, counter).await?;
                        Ok(text)
                    });
                    if let Ok(text) = text {
                        seen.insert(id.clone(), text);
                    }
                    rounds += 1;
                }
                if pending.is_empty() {
                    if last {
                        return (seen, rounds);
                    }
                    tokio::task::yield_now().await;
                }
            }
        })
    };
    let writers = at_once(6, |writer| {
        let (deps, ids) = (deps.clone(), ids.clone());
        async move {
            for step in 0..10 {
                let edit = spaces::EditSpace { description: Some(format!("{writer}.{step}")), ..Default::default() };
                spaces::edit(&deps, &root(), &ids[(writer + step) % 3], None, edit).await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(writers.len(), 6);
    over.store(true, Ordering::SeqCst);
    let (seen, rounds) = projector.await.unwrap();
    assert!(rounds >= 3);
    for id in &ids {
        let row = storage::spaces::find(&mut &deps.db, id).await.unwrap().unwrap();
        assert_eq!(seen.get(id), Some(&row.description), "the projector missed the last change");
    }
    assert_eq!(dirty::count_pending(&deps.db).await.unwrap(), 0);
}

async fn of_eight_who_use_a_link_one_sets_the_password(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    let link = links::create(&deps, &root(), &anna).await.unwrap();
    let results = at_once(8, |i| {
        let (deps, secret) = (deps.clone(), link.secret.clone());
        async move { links::set_password(&deps, &secret, &format!("$argon2id${i}"), None).await.map(|_| i) }
    })
    .await;
    let winners: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    let stored = storage::credentials::password(&mut &deps.db, &anna).await.unwrap().unwrap();
    assert_eq!(stored.phc, format!("$argon2id${}", winners[0]));
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost), (RefusalKind::Conflict, "link.invalid"));
    }
    assert_eq!(audit(&deps).await.iter().filter(|l| l.action == "password.set").count(), 1);
}

async fn of_two_who_verify_an_address_one_gets_it(deps: TestDeps) {
    for round in 0..5 {
        let address = Email::parse(&format!("shared{round}@example.com")).unwrap();
        let mut sides = Vec::new();
        for who in ["a", "b"] {
            let id = person(&deps, &format!("{who}{round}")).await;
            let email = emails::add(&deps, &root(), &id, &address, false).await.unwrap();
            sides.push((id, email));
        }
        let results = at_once(2, |i| {
            let (deps, (id, email)) = (deps.clone(), sides[i].clone());
            async move { emails::verify(&deps, &root(), &id, &email).await }
        })
        .await;
        let kinds: Vec<_> = results.into_iter().map(|r| r.map_err(|e| e.to_string())).collect();
        assert_eq!(kinds.iter().filter(|r| r.is_ok()).count(), 1, "round {round}: {kinds:?}");
    }
}

async fn two_opposite_edges_at_once_make_no_cycle(deps: TestDeps) {
    for round in 0..8 {
        // a ⊃ b and c ⊃ d stand; b ⊃ c and d ⊃ a would close a cycle together
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d"] {
            ids.push(group(&deps, &format!("{name}{round}")).await);
        }
        join(&deps, &ids[0], g(&ids[1])).await;
        join(&deps, &ids[2], g(&ids[3])).await;
        let results = at_once(2, |i| {
            let (deps, outer, inner) =
                (deps.clone(), ids[if i == 0 { 1 } else { 3 }].clone(), ids[if i == 0 { 2 } else { 0 }].clone());
            async move { memberships::add(&deps, &root(), &outer, &g(&inner), Span::ALWAYS).await }
        })
        .await;
        let codes: Vec<_> = results.into_iter().map(|r| if r.is_ok() { "ok" } else { code(r).1 }).collect();
        assert!(codes.contains(&"ok") && codes.contains(&"group.cycle"), "round {round}: {codes:?}");
    }
}

async fn two_owners_cannot_remove_each_other(deps: TestDeps) {
    let (anna, as_anna) = owner(&deps, "anna").await;
    let (barry, as_barry) = owner(&deps, "barry").await;
    let right = |id: PersonId| async { storage::rights::of_person(&mut &deps.db, &{ id }).await.unwrap()[0].id.clone() };
    let (of_anna, of_barry) = (right(anna).await, right(barry).await);
    let results = at_once(2, |i| {
        let deps = deps.clone();
        let (actor, target) = if i == 0 { (as_anna.clone(), of_barry.clone()) } else { (as_barry.clone(), of_anna.clone()) };
        async move { rights::take(&deps, &actor, &target).await }
    })
    .await;
    let codes: Vec<_> = results.into_iter().map(|r| if r.is_ok() { "ok" } else { code(r).1 }).collect();
    assert!(codes.contains(&"ok") && codes.contains(&"owner.last"), "{codes:?}");
    assert_eq!(storage::rights::owners(&mut &deps.db, deps.clock.now()).await.unwrap().len(), 1);
}

async fn two_owners_cannot_disable_each_other(deps: TestDeps) {
    let (anna, as_anna) = owner(&deps, "anna").await;
    let (barry, as_barry) = owner(&deps, "barry").await;
    let results = at_once(2, |i| {
        let deps = deps.clone();
        let (actor, target) = if i == 0 { (as_anna.clone(), barry.clone()) } else { (as_barry.clone(), anna.clone()) };
        async move { people::disable(&deps, &actor, &target, "manual").await }
    })
    .await;
    let codes: Vec<_> = results.into_iter().map(|r| if r.is_ok() { "ok" } else { code(r).1 }).collect();
    assert!(codes.contains(&"ok") && codes.contains(&"owner.last"), "{codes:?}");
}

async fn of_eight_who_take_a_name_one_gets_it(deps: TestDeps) {
    let results = at_once(8, |i| {
        let deps = deps.clone();
        let new = people::NewPerson { email: Email::parse(&format!("u{i}@x.org")).unwrap(), ..new_person("anna") };
        async move { people::create(&deps, &root(), new).await }
    })
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        let (kind, code) = code(lost);
        assert!(kind == RefusalKind::Conflict && ["username.taken", "name.taken"].contains(&code), "{code}");
    }
    assert_eq!(storage::people::count(&mut &deps.db).await.unwrap(), (1, 1));
}

async fn of_eight_who_grant_the_same_one_does(deps: TestDeps) {
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    let results = at_once(8, |_| {
        let (deps, anna, mars) = (deps.clone(), anna.clone(), mars.clone());
        async move { accounts::grants::add(&deps, &root(), &mars, &p(&anna), Span::ALWAYS).await }
    })
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost), (RefusalKind::Conflict, "grant.exists"));
    }
    assert_eq!(storage::grants::of_space(&mut &deps.db, &mars).await.unwrap().len(), 1);
}

async fn concurrent_changes_of_the_directory_all_happen_and_are_counted(deps: TestDeps) {
    let (team, mars) = (group(&deps, "team").await, space(&deps, "mars").await);
    grant(&deps, &mars, g(&team)).await;
    let mut people = Vec::new();
    for i in 0..24 {
        people.push(person(&deps, &format!("p{i}")).await);
    }
    let (revision, marked) = (storage::directory::revision(&mut &deps.db).await.unwrap(), marks(&deps).await[&mars]);
    let results = at_once(people.len(), |i| {
        let (deps, team, who) = (deps.clone(), team.clone(), people[i].clone());
        async move { memberships::add(&deps, &root(), &team, &p(&who), Span::ALWAYS).await }
    })
    .await;
    assert!(results.iter().all(Result::is_ok), "{:?} {:?}", results.iter().find(|r| r.is_err()), deps.db.tx_counts());
    assert_eq!(storage::directory::revision(&mut &deps.db).await.unwrap(), revision + 24, "rules C2: one revision each");
    assert_eq!(marks(&deps).await[&mars], marked + 24);
    assert_eq!(storage::memberships::of_group(&mut &deps.db, &team).await.unwrap().len(), 24);
}

async fn an_edit_on_an_old_version_is_refused(deps: TestDeps) {
    let team = group(&deps, "team").await;
    let edit = |text: &str| groups::EditGroup { description: Some(text.into()), ..Default::default() };
    let results = at_once(4, |i| {
        let (deps, team, edit) = (deps.clone(), team.clone(), edit(&format!("text {i}")));
        async move { groups::edit(&deps, &root(), &team, Some(1), edit).await }
    })
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost).0, RefusalKind::Stale);
    }
    let row = storage::groups::find(&mut &deps.db, &team).await.unwrap().unwrap();
    assert_eq!(row.version, 2);
}
