//! Pages of lists: together they are the whole list, in its order, each row once; searches and counts.

use super::*;
use odcm::core::ids::AgentId;
use odcm::storage::page::Page;
use odcm::storage::{adoption, agents, api_tokens, bindings, channel, clients, emails, grants, memberships, people, reports};
use std::fmt::Debug;

on_both! {
    members_are_read_in_pages
    grants_and_publications_are_read_in_pages
    rights_tokens_and_addresses_are_read_in_pages
    what_agents_report_is_read_in_pages
    clients_come_with_their_groups
    the_fleet_is_counted
    names_are_looked_up_together
}

/// Reads a list by pages of so many; `read` gets the last row seen.
async fn walk<T: Clone + Debug>(limit: i64, mut read: impl AsyncFnMut(Option<T>, i64) -> storage::Result<Page<T>>) -> Vec<T> {
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let page = read(last, limit).await.unwrap();
        let count = i64::try_from(page.items.len()).unwrap();
        assert!(count <= limit && (count == limit || !page.more), "{count} of {limit}");
        found.extend(page.items);
        last = found.last().cloned();
        if !page.more {
            return found;
        }
        assert!(found.len() < 1000, "it does not end");
    }
}

async fn members_are_read_in_pages(deps: TestDeps) {
    let (team, other) = (group(&deps, "Team").await, group(&deps, "Other").await);
    for name in ["anna", "Bob", "carl", "Dora", "emil"] {
        let (person, inner) = (person(&deps, name).await, group(&deps, &format!("G {name}")).await);
        join(&deps, &team, p(&person)).await;
        join(&deps, &team, g(&inner)).await;
        join(&deps, &other, p(&person)).await;
        // the same person by another source: told apart by it
        let twice = odcm::core::directory::Assertion {
            group: team.clone(),
            member: p(&person),
            source: "directory:x".into(),
            span: Span::ALWAYS,
        };
        let now = deps.clock.now();
        let done: storage::Result<()> =
            odcm::run_tx!(deps.db, "test.twice", |tx| memberships::insert(tx, &twice, now, "test").await);
        done.unwrap();
    }
    let db = &mut &deps.db;
    let whole = memberships::of_group(db, &team).await.unwrap();
    assert_eq!(whole.len(), 15);
    for limit in [1, 2, 7, 15, 16] {
        let found = walk(limit, async |last: Option<memberships::Membership>, limit| {
            memberships::page_of_group(&mut &deps.db, &team, None, last.map(|m| m.cursor()).as_ref(), limit).await
        });
        assert_eq!(found.await, whole, "by {limit}");
    }
    let count =
        async |text: &str| memberships::page_of_group(&mut &deps.db, &team, Some(text), None, 50).await.unwrap().items.len();
    assert_eq!((count("BOB").await, count("g ").await, count("g dora").await, count("%").await), (3, 5, 1, 0));
}

async fn grants_and_publications_are_read_in_pages(deps: TestDeps) {
    let (mars, venus) = (space(&deps, "mars").await, space(&deps, "venus").await);
    for name in ["anna", "Bob", "carl", "Dora"] {
        let (person, team) = (person(&deps, name).await, group(&deps, &format!("G {name}")).await);
        for space in [&mars, &venus] {
            grant(&deps, space, p(&person)).await;
            grant(&deps, space, g(&team)).await;
            spaces::publish(&deps, &root(), space, &team).await.unwrap();
        }
    }
    let whole = grants::of_space(&mut &deps.db, &mars).await.unwrap();
    let published = storage::spaces::published(&mut &deps.db, &mars).await.unwrap();
    assert_eq!((whole.len(), published.len()), (8, 4));
    for limit in [1, 3, 8] {
        let found = walk(limit, async |last: Option<grants::GrantRow>, limit| {
            grants::page_of_space(&mut &deps.db, &mars, None, last.map(|g| g.cursor()).as_ref(), limit).await
        });
        assert_eq!(found.await, whole, "by {limit}");
        let found = walk(limit, async |last: Option<(GroupId, String)>, limit| {
            let after = last.map(|(id, name)| (name.to_lowercase(), id));
            storage::spaces::published_page(&mut &deps.db, &mars, after.as_ref(), limit).await
        });
        assert_eq!(found.await, published, "by {limit}");
    }
    let found = grants::page_of_space(&mut &deps.db, &mars, Some("DORA"), None, 50).await.unwrap();
    assert_eq!(found.items.len(), 2);
}

async fn rights_tokens_and_addresses_are_read_in_pages(deps: TestDeps) {
    let (anna, now) = (person(&deps, "anna").await, deps.clock.now());
    for n in 0..5 {
        let email = Email::parse(&format!("anna.{n}@example.com")).unwrap();
        accounts::emails::add(&deps, &root(), &anna, &email, false).await.unwrap();
        let name = DisplayName::parse("name", &format!("t{n}")).unwrap();
        let scopes = odcm::core::policy::TokenScopes { write: false };
        accounts::api_tokens::create(&deps, &root(), &anna, &name, scopes, 600).await.unwrap();
        let other = person(&deps, &format!("P{n}")).await;
        for role in [Role::Auditor, Role::SpaceAdmin] {
            rights::give(&deps, &root(), &other, &Right { role, scope: Scope::All }, None).await.unwrap();
        }
    }
    assert!(now <= deps.clock.now());
    let all_rights = storage::rights::all(&mut &deps.db).await.unwrap();
    let all_emails = emails::of_person(&mut &deps.db, &anna).await.unwrap();
    let mut all_tokens = api_tokens::of_person(&mut &deps.db, &anna).await.unwrap();
    all_tokens.reverse();
    assert_eq!((all_rights.len(), all_emails.len(), all_tokens.len()), (10, 6, 5));
    for limit in [1, 3, 10] {
        let found = walk(limit, async |last: Option<storage::rights::RightRow>, limit| {
            let after = last.map(|r| (r.person_name.to_lowercase(), r.id));
            storage::rights::page(&mut &deps.db, after.as_ref(), limit).await
        });
        assert_eq!(found.await, all_rights, "by {limit}");
        let found = walk(limit, async |last: Option<emails::EmailRow>, limit| {
            let after = last.map(|e| e.address_key).unwrap_or_default();
            emails::page_of_person(&mut &deps.db, &anna, &after, limit).await
        });
        assert_eq!(found.await, all_emails, "by {limit}");
        let found = walk(limit, async |last: Option<api_tokens::ApiToken>, limit| {
            api_tokens::page_of_person(&mut &deps.db, &anna, last.map(|t| t.id).as_ref(), limit).await
        });
        assert_eq!(found.await, all_tokens, "by {limit}");
    }
}

async fn what_agents_report_is_read_in_pages(deps: TestDeps) {
    let (mars, venus, now) = (space(&deps, "mars").await, space(&deps, "venus").await, deps.clock.now());
    let team = group(&deps, "Team").await;
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(person(&deps, &format!("p{n}")).await);
    }
    all.sort();
    let row = |team_id: &str, group: &str| bindings::BindingRow {
        team_id: team_id.into(),
        group_key: group.into(),
        binding: "{}".into(),
        reported_at: now,
    };
    let rows: Vec<_> = ["T1", "T2", "T3"].iter().flat_map(|t| [row(t, team.as_str()), row(t, "other")]).collect();
    let done: storage::Result<()> = odcm::run_tx!(deps.db, "test.reports", |tx| {
        for space in [&mars, &venus] {
            bindings::replace(tx, space, &rows).await?;
            for (n, person) in all.iter().enumerate() {
                for account in ["Users-1", "Users-2"] {
                    adoption::put(tx, space, person, account, "{}", now).await?;
                }
                adoption::put_sweep(tx, space, &format!("T{n}"), "{}", false, now).await?;
            }
        }
        adoption::decide(tx, &mars, &all[2], "{}", "test", now).await?;
        Ok(())
    });
    done.unwrap();
    let whole = bindings::of_space(&mut &deps.db, &mars).await.unwrap();
    let sweeps = adoption::sweeps(&mut &deps.db, &mars).await.unwrap();
    assert_eq!((whole.len(), sweeps.len()), (6, 5));
    for limit in [1, 4, 6] {
        let found = walk(limit, async |last: Option<bindings::BindingRow>, limit| {
            bindings::page(&mut &deps.db, &mars, last.map(|b| (b.team_id, b.group_key)).as_ref(), limit).await
        });
        assert_eq!(found.await, whole, "by {limit}");
        let found = walk(limit, async |last: Option<adoption::SweepRow>, limit| {
            adoption::sweeps_page(&mut &deps.db, &mars, &last.map(|s| s.team_id).unwrap_or_default(), limit).await
        });
        assert_eq!(found.await, sweeps, "by {limit}");
    }
    let named = channel::bindings_page(&mut &deps.db, &mars, Some(&("T1".into(), "zzz".into())), 2).await.unwrap();
    assert!(named.more && named.items.len() == 2);
    assert_eq!(named.items.iter().filter(|(.., name)| name.as_deref() == Some("Team")).count(), 1);
    let people_of = async |open: bool, after: &str, limit: i64| -> Vec<PersonId> {
        let rows = adoption::page_named(&mut &deps.db, &mars, open, after, limit).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|(row, ..)| row.person_id.clone()).collect();
        assert!(ids.chunks(2).all(|pair| pair.len() == 2 && pair[0] == pair[1]), "all accounts of a person together");
        ids.into_iter().step_by(2).collect()
    };
    assert_eq!(people_of(false, "", 2).await, all[..2]);
    assert_eq!(people_of(false, all[1].as_str(), 9).await, all[2..]);
    assert_eq!(people_of(true, all[1].as_str(), 9).await, all[3..], "the third was decided");
}

async fn clients_come_with_their_groups(deps: TestDeps) {
    let (one, two) = (group(&deps, "One").await, group(&deps, "Two").await);
    client(&deps, "a", &[one.clone(), two.clone()]).await;
    client(&deps, "b", &[]).await;
    client(&deps, "c", std::slice::from_ref(&two)).await;
    space(&deps, "mars").await;
    let list =
        async |text: Option<&str>, after: &str, limit| accounts::clients::list(&deps, &root(), text, after, limit).await.unwrap();
    let first = list(None, "", 2).await;
    let mut both = vec![one, two.clone()];
    both.sort();
    assert!(first.more);
    let shown: Vec<_> = first.items.into_iter().map(|(c, groups)| (c.id.to_string(), groups)).collect();
    assert_eq!(shown, [("a".to_owned(), both), ("b".to_owned(), vec![])]);
    let rest = list(None, "b", 2).await;
    assert_eq!((rest.more, rest.items.len(), &rest.items[0].1), (false, 1, &vec![two]));
    assert_eq!((list(Some("C"), "", 9).await.items.len(), list(Some("app"), "", 9).await.items.len()), (1, 3), "id, name");
    let named = clients::groups_named(&mut &deps.db, &ClientId::parse("a").unwrap()).await.unwrap();
    assert_eq!(named.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), ["One", "Two"]);
}

async fn the_fleet_is_counted(deps: TestDeps) {
    let now = deps.clock.now();
    let stale = now.plus_secs(-30);
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let mut all = Vec::new();
    for name in ["a-idle", "b-fine", "c-lost", "d-failed", "e-open"] {
        all.push(space(&deps, name).await);
    }
    let count = async || channel::totals(&mut &deps.db, stale).await.unwrap();
    assert_eq!(count().await, channel::Totals { spaces: 5, ..Default::default() });
    let agent = |space: &SpaceId| agents::AgentRow {
        id: AgentId::from_uuid(deps.entropy.id(now)),
        space_id: space.clone(),
        public_key: deps.entropy.bytes::<32>().to_vec(),
        installation_id: format!("i-{space}"),
        base_url: "https://x".into(),
        connection_epoch: 0,
        wire_floor: 1,
        server_version: "1".into(),
        agent_version: "1".into(),
        capabilities: "[]".into(),
        created_at: now,
        node: None,
        connected_at: None,
        last_seen_at: None,
        revoked_at: None,
    };
    let agents_of: Vec<_> = all[1..].iter().map(agent).collect();
    let item = reports::ItemRow {
        section: "access".into(),
        item: "x".into(),
        state: "failed".into(),
        message: None,
        residual: "[]".into(),
        updated_at: now,
    };
    let done: storage::Result<()> = odcm::run_tx!(deps.db, "test.fleet", |tx| {
        for row in &agents_of {
            agents::insert(tx, row).await?;
        }
        reports::put_item(tx, &all[3], &item).await?;
        adoption::put(tx, &all[4], &anna, "Users-1", "{}", now).await?;
        adoption::put(tx, &all[4], &anna, "Users-2", "{}", now).await?;
        adoption::put(tx, &all[4], &bob, "Users-1", "{}", now).await?;
        adoption::put_sweep(tx, &all[4], "T", "{}", false, now).await
    });
    done.unwrap();
    for (row, at) in agents_of.iter().zip([now, now.plus_secs(-60), now, now]) {
        let c = agents::Connected { node: "n", wire: 1, server_version: "1", agent_version: "1", capabilities: "[]", now: at };
        agents::connect(&deps.db, &row.id, &c).await.unwrap();
    }
    assert_eq!(count().await, channel::Totals { spaces: 5, enrolled: 4, connected: 3, failed: 1, undecided: 3 });
    let names =
        channel::foremost(&mut &deps.db, stale, 4).await.unwrap().into_iter().map(|(_, name, _)| name).collect::<Vec<_>>();
    assert_eq!(names, ["c-lost", "d-failed", "e-open", "a-idle"], "what needs something first");
}

async fn names_are_looked_up_together(deps: TestDeps) {
    let mut ids = vec![PersonId::from_uuid(deps.entropy.id(deps.clock.now()))];
    for n in 0..35 {
        ids.push(person(&deps, &format!("p{n:02}")).await);
    }
    let names = people::names(&mut &deps.db, &ids).await.unwrap();
    assert_eq!((names.len(), names.get(&ids[0])), (35, None));
    assert!(ids[1..].iter().enumerate().all(|(n, id)| names[id] == format!("p{n:02}")));
    assert!(people::names(&mut &deps.db, &[]).await.unwrap().is_empty());
}
