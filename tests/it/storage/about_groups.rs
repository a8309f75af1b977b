//! Groups, nested groups, memberships: which Spaces hear of a change, and what dies with access.

use super::*;
use odcm::accounts::{access, memberships};
use odcm::core::client::ClientSettings;

on_both! {
    a_membership_marks_exactly_the_spaces_that_see_it
    a_nested_group_carries_its_people
    a_cycle_is_refused_and_named
    codes_and_families_die_with_access_and_only_then
    a_client_restricted_to_groups_lets_go_of_who_leaves
    a_group_in_use_is_deleted_only_when_confirmed
    external_groups_are_filled_by_their_provider
    groups_are_renamed_under_their_version
    scoped_group_administrators_stay_in_their_scope
    a_space_is_enlisted_with_its_client
    a_space_is_removed_with_everything
    time_alone_changes_access_and_marks
    time_alone_ends_what_is_held_at_restricted_clients
    parts_of_the_facts_decide_like_all_of_them
}

async fn a_membership_marks_exactly_the_spaces_that_see_it(deps: TestDeps) {
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let (mars, venus) = (space(&deps, "mars").await, space(&deps, "venus").await);
    let (entry, listed, other) = (group(&deps, "entry").await, group(&deps, "listed").await, group(&deps, "other").await);
    grant(&deps, &mars, g(&entry)).await;
    grant(&deps, &venus, g(&other)).await;
    spaces::publish(&deps, &root(), &mars, &listed).await.unwrap();
    let add = |to: &GroupId, who: &PersonId| {
        let (deps, to, who) = (deps.clone(), to.clone(), p(who));
        async move { memberships::add(&deps, &root(), &to, &who, Span::ALWAYS).await.unwrap() }
    };
    assert_eq!(marked(&deps, add(&listed, &anna)).await.1, [], "published, but Anna may not enter Mars");
    assert_eq!(marked(&deps, add(&entry, &anna)).await.1, std::slice::from_ref(&mars));
    assert_eq!(marked(&deps, memberships::remove(&deps, &root(), &listed, &p(&anna))).await.1, std::slice::from_ref(&mars));
    assert_eq!(marked(&deps, add(&other, &bob)).await.1, [venus]);
    let span = Span { from: None, until: Some(deps.clock.now().plus_secs(60)) };
    let (changed, spaces) = marked(&deps, memberships::change_span(&deps, &root(), &entry, &p(&anna), span)).await;
    assert!(changed.unwrap());
    assert_eq!(spaces, std::slice::from_ref(&mars));
    assert!(!memberships::change_span(&deps, &root(), &entry, &p(&anna), span).await.unwrap());
    let unknown =
        memberships::add(&deps, &root(), &entry, &p(&PersonId::from_uuid(deps.entropy.id(deps.clock.now()))), span).await;
    assert_eq!(code(unknown).0, RefusalKind::NotFound);
    assert_eq!(code(memberships::add(&deps, &root(), &entry, &p(&anna), span).await).1, "membership.exists");
    let past = Span { from: None, until: Some(deps.clock.now()) };
    assert_eq!(code(memberships::add(&deps, &root(), &entry, &p(&bob), past).await).1, "span.past");
    let empty = Span { from: Some(deps.clock.now().plus_secs(9)), until: Some(deps.clock.now().plus_secs(9)) };
    assert_eq!(code(memberships::add(&deps, &root(), &entry, &p(&bob), empty).await).1, "span.empty");
    assert_eq!(code(memberships::remove(&deps, &root(), &entry, &p(&bob)).await).0, RefusalKind::NotFound);
}

async fn a_nested_group_carries_its_people(deps: TestDeps) {
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    grant(&deps, &mars, g(&outer)).await;
    join(&deps, &inner, p(&anna)).await;
    let may = async || access::admits(&mut &deps.db, &anna, &mars, deps.clock.now()).await.unwrap();
    assert!(!may().await);
    let (done, spaces) = marked(&deps, memberships::add(&deps, &root(), &outer, &g(&inner), Span::ALWAYS)).await;
    done.unwrap();
    assert_eq!(spaces, std::slice::from_ref(&mars));
    assert!(may().await);
    let held = holds(&deps, &anna, "mars").await;
    let (done, spaces) = marked(&deps, memberships::remove(&deps, &root(), &outer, &g(&inner))).await;
    done.unwrap();
    assert_eq!(spaces, std::slice::from_ref(&mars));
    assert!(!may().await);
    assert_eq!(held.alive(&deps).await, (true, false, false), "code and family die, the session does not");
}

async fn a_cycle_is_refused_and_named(deps: TestDeps) {
    let (a, b, c) = (group(&deps, "Alpha").await, group(&deps, "Beta").await, group(&deps, "Gamma").await);
    join(&deps, &a, g(&b)).await;
    join(&deps, &b, g(&c)).await;
    for (outer, inner, words) in [(&c, &a, "Alpha → Gamma → Beta → Alpha"), (&a, &a, "Alpha → Alpha")] {
        let before = audit(&deps).await.len();
        match memberships::add(&deps, &root(), outer, &g(inner), Span::ALWAYS).await {
            Err(Error::Refused(refusal)) => {
                assert_eq!(refusal.code, "group.cycle");
                assert!(refusal.message.contains(words), "{}", refusal.message);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(audit(&deps).await.len(), before);
    }
    join(&deps, &a, g(&c)).await; // a diamond is no cycle
}

async fn codes_and_families_die_with_access_and_only_then(deps: TestDeps) {
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let mars = space(&deps, "mars").await;
    let (one, two) = (group(&deps, "one").await, group(&deps, "two").await);
    let (to_one, to_two) = (grant(&deps, &mars, g(&one)).await, grant(&deps, &mars, g(&two)).await);
    client(&deps, "app", &[]).await;
    for team in [&one, &two] {
        join(&deps, team, p(&anna)).await;
    }
    join(&deps, &one, p(&bob)).await;
    let (a, b, app) = (holds(&deps, &anna, "mars").await, holds(&deps, &bob, "mars").await, holds(&deps, &bob, "app").await);
    accounts::grants::revoke(&deps, &root(), &to_one, Some(1)).await.unwrap();
    assert_eq!(a.alive(&deps).await, (true, true, true), "another way remains");
    assert_eq!(b.alive(&deps).await, (true, false, false));
    assert_eq!(app.alive(&deps).await, (true, true, true), "another client");
    let past = Span { from: Some(deps.clock.now().plus_secs(60)), until: None };
    accounts::grants::change_span(&deps, &root(), &to_two, None, past).await.unwrap();
    assert_eq!(a.alive(&deps).await, (true, false, false), "it holds no longer now");
}

async fn a_client_restricted_to_groups_lets_go_of_who_leaves(deps: TestDeps) {
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    join(&deps, &outer, g(&inner)).await;
    join(&deps, &inner, p(&anna)).await;
    client(&deps, "app", std::slice::from_ref(&outer)).await;
    let id = ClientId::parse("app").unwrap();
    let admits = async |who: &PersonId, client: &ClientId| {
        access::admits_client(&mut &deps.db, who, client, deps.clock.now()).await.unwrap()
    };
    assert!(admits(&anna, &id).await && !admits(&bob, &id).await);
    assert!(!admits(&anna, &ClientId::parse("unknown").unwrap()).await);
    let held = holds(&deps, &anna, "app").await;
    memberships::remove(&deps, &root(), &inner, &p(&anna)).await.unwrap();
    assert!(!admits(&anna, &id).await);
    assert_eq!(held.alive(&deps).await, (true, false, false));
    assert_eq!(code(groups::delete(&deps, &root(), &outer, None, true).await).1, "group.restricts_client");
    client(&deps, "open", &[]).await;
    let open = ClientId::parse("open").unwrap();
    assert!(admits(&bob, &open).await);
    people::disable(&deps, &root(), &bob, "manual").await.unwrap();
    assert!(!admits(&bob, &open).await);
}

async fn a_group_in_use_is_deleted_only_when_confirmed(deps: TestDeps) {
    let (anna, mars, venus) = (person(&deps, "anna").await, space(&deps, "mars").await, space(&deps, "venus").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    grant(&deps, &mars, g(&outer)).await;
    spaces::publish(&deps, &root(), &venus, &inner).await.unwrap();
    join(&deps, &outer, g(&inner)).await;
    join(&deps, &inner, p(&anna)).await;
    let held = holds(&deps, &anna, "mars").await;
    assert_eq!(code(groups::delete(&deps, &root(), &inner, Some(1), false).await).1, "group.in_use");
    assert_eq!(code(groups::delete(&deps, &root(), &inner, Some(7), true).await).0, RefusalKind::Stale);
    let (effects, facts) =
        access::dry_run(&deps, &root(), &access::ProposedChange::DeleteGroup { group: inner.clone() }).await.unwrap();
    assert_eq!(effects.len(), 2, "entry to Mars, and being in `outer` there: {effects:?}");
    assert!(effects.iter().all(|e| e.person == anna && e.space == mars && facts.people.contains_key(&e.person)));
    let (done, spaces) = marked(&deps, groups::delete(&deps, &root(), &inner, Some(1), true)).await;
    done.unwrap();
    assert_eq!(spaces, [mars, venus]);
    assert_eq!(held.alive(&deps).await, (true, false, false));
    assert!(storage::groups::find(&mut &deps.db, &inner).await.unwrap().is_none());
    let free = group(&deps, "free").await;
    groups::delete(&deps, &root(), &free, None, false).await.unwrap();
}

async fn external_groups_are_filled_by_their_provider(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    let new = |name: &str| groups::NewGroup {
        name: DisplayName::parse("name", name).unwrap(),
        description: String::new(),
        kind: GroupKind::External { provider: "ad".into(), external_id: "S-1-5".into() },
    };
    let id = groups::create(&deps, &root(), new("AD Developers")).await.unwrap();
    assert_eq!(code(groups::create(&deps, &root(), new("Other")).await).1, "group.external_taken");
    assert_eq!(code(memberships::add(&deps, &root(), &id, &p(&anna), Span::ALWAYS).await).1, "group.external");
    let local = group(&deps, "local").await;
    join(&deps, &local, g(&id)).await;
    assert_eq!(storage::groups::by_external(&mut &deps.db, "ad", "S-1-5").await.unwrap(), Some(id));
}

async fn groups_are_renamed_under_their_version(deps: TestDeps) {
    let (team, mars) = (group(&deps, "Team").await, space(&deps, "mars").await);
    grant(&deps, &mars, g(&team)).await;
    group(&deps, "Other").await;
    let edit = |name: Option<&str>, text: Option<&str>| groups::EditGroup {
        name: name.map(|n| DisplayName::parse("name", n).unwrap()),
        description: text.map(Into::into),
    };
    assert_eq!(code(groups::edit(&deps, &root(), &team, None, edit(Some("OTHER"), None)).await).1, "group.name_taken");
    assert_eq!(
        code(groups::edit(&deps, &root(), &team, None, edit(None, Some(&"x".repeat(501)))).await).1,
        "description.invalid"
    );
    let (done, spaces) = marked(&deps, groups::edit(&deps, &root(), &team, Some(1), edit(None, Some("text")))).await;
    assert!(done.unwrap().version == 2 && spaces.is_empty(), "Spaces do not know descriptions");
    let (done, spaces) = marked(&deps, groups::edit(&deps, &root(), &team, Some(2), edit(Some("TEAM"), None))).await;
    assert_eq!((done.unwrap().name.as_str(), spaces), ("TEAM", vec![mars]));
    let page = storage::groups::page(&mut &deps.db, Some("tEx"), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

async fn scoped_group_administrators_stay_in_their_scope(deps: TestDeps) {
    let (anna, own, other) = (person(&deps, "anna").await, group(&deps, "own").await, group(&deps, "other").await);
    let rights = vec![Right { role: Role::GroupAdmin, scope: Scope::Group(own.clone()) }];
    let actor = Actor { via: Via::Session, rights, ..root() };
    memberships::add(&deps, &actor, &own, &p(&anna), Span::ALWAYS).await.unwrap();
    let foreign = memberships::add(&deps, &actor, &other, &p(&anna), Span::ALWAYS).await;
    assert_eq!(code(foreign).0, RefusalKind::NotFound, "may not even know that it exists");
    let nested = memberships::add(&deps, &actor, &own, &g(&other), Span::ALWAYS).await;
    assert_eq!(code(nested).0, RefusalKind::Forbidden, "nesting would import people of other groups");
    assert_eq!(code(groups::delete(&deps, &actor, &own, None, true).await).0, RefusalKind::Forbidden);
}

async fn a_space_is_enlisted_with_its_client(deps: TestDeps) {
    let id = space(&deps, "mars").await;
    let row = storage::spaces::find(&mut &deps.db, &id).await.unwrap().unwrap();
    assert_eq!((&*row.base_url, row.client_id.as_str()), ("https://mars.example.com", "mars"));
    let uris = async || {
        let row: (storage::J<ClientSettings>, String) =
            deps.db.opt(odcm::sql!("SELECT settings, kind FROM client WHERE space_id = $1"), &[&id]).await.unwrap().unwrap();
        assert_eq!(row.1, "space");
        row.0.0.redirect_uris
    };
    let both = |base: &str| {
        vec![format!("{base}/api/users/authenticatedToken/Okta"), format!("{base}/api/users/authenticatedToken/GenericOidc")]
    };
    assert_eq!(uris().await, both("https://mars.example.com"));
    assert_eq!(marks(&deps).await[&id], 1, "a new Space is projected");
    let refused = async |change: fn(&mut spaces::NewSpace)| {
        let mut new = new_space("venus");
        change(&mut new);
        code(spaces::enlist(&deps, &root(), new).await).1
    };
    assert_eq!(refused(|n| n.slug = Slug::parse("mars").unwrap()).await, "space.slug_taken");
    assert_eq!(refused(|n| n.name = DisplayName::parse("name", "MARS").unwrap()).await, "space.name_taken");
    assert_eq!(refused(|n| n.base_url = "https://MARS.example.com:443".into()).await, "space.url_taken");
    assert_eq!(refused(|n| n.base_url = "http://venus.example.com".into()).await, "base_url.invalid");
    client(&deps, "pluto", &[]).await;
    assert_eq!(code(spaces::enlist(&deps, &root(), new_space("pluto")).await).1, "space.slug_taken", "the client id is taken");

    let edit = spaces::EditSpace { base_url: Some("http://mars.localhost:8091/".into()), ..Default::default() };
    let (after, marked) = marked(&deps, spaces::edit(&deps, &root(), &id, Some(1), edit.clone())).await;
    assert_eq!((after.unwrap().version, marked), (2, vec![id.clone()]));
    assert_eq!(uris().await, both("http://mars.localhost:8091"), "redirect URIs follow the address");
    assert_eq!(code(spaces::edit(&deps, &root(), &id, Some(1), edit).await).0, RefusalKind::Stale);
}

async fn a_space_is_removed_with_everything(deps: TestDeps) {
    let (anna, team, id) = (person(&deps, "anna").await, group(&deps, "team").await, space(&deps, "mars").await);
    grant(&deps, &id, g(&team)).await;
    spaces::publish(&deps, &root(), &id, &team).await.unwrap();
    join(&deps, &team, p(&anna)).await;
    let held = holds(&deps, &anna, "mars").await;
    accounts::launcher::star(&deps, &anna, &id, true).await.unwrap();
    rights::give(&deps, &root(), &anna, &Right { role: Role::SpaceAdmin, scope: Scope::Space(id.clone()) }, None).await.unwrap();
    let own = actor(&deps, &anna).await;
    assert_eq!(code(spaces::remove(&deps, &own, &id, None, true).await).0, RefusalKind::Forbidden);
    spaces::remove(&deps, &root(), &id, Some(1), false).await.unwrap();
    assert_eq!(held.alive(&deps).await, (true, false, false));
    assert!(actor(&deps, &anna).await.rights.is_empty());
    assert!(storage::directory::everything(&mut &deps.db).await.unwrap().grants.is_empty());
    assert!(audit(&deps).await.iter().any(|l| l.action == "space.remove"));
    space(&deps, "mars").await; // the names are free again
}

async fn time_alone_changes_access_and_marks(deps: TestDeps) {
    let now = deps.clock.now();
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let (mars, venus) = (space(&deps, "mars").await, space(&deps, "venus").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    grant(&deps, &mars, g(&outer)).await;
    join(&deps, &outer, g(&inner)).await;
    let until = Span { from: None, until: Some(now.plus_secs(10)) };
    memberships::add(&deps, &root(), &inner, &p(&anna), until).await.unwrap();
    let from = Span { from: Some(now.plus_secs(20)), until: None };
    accounts::grants::add(&deps, &root(), &venus, &p(&bob), from).await.unwrap();
    let may = async |who: &PersonId, space: &SpaceId| access::admits(&mut &deps.db, who, space, deps.clock.now()).await.unwrap();
    let due = async |since, now| {
        let work = async {
            let spaces: storage::Result<_> = odcm::run_tx!(deps.db, "test.due", |tx| access::due_changes(tx, since, now).await);
            spaces.unwrap()
        };
        let (spaces, marked) = marked(&deps, work).await;
        assert_eq!(spaces.iter().cloned().collect::<Vec<_>>(), marked);
        marked
    };
    let next = async |after| storage::directory::next_due(&mut &deps.db, after).await.unwrap();
    assert_eq!(next(now).await, Some(now.plus_secs(10)));
    assert_eq!(next(now.plus_secs(10)).await, Some(now.plus_secs(20)));
    assert_eq!(next(now.plus_secs(20)).await, None);
    assert!(may(&anna, &mars).await && !may(&bob, &venus).await);
    deps.hand.advance_ms(9_999);
    assert!(may(&anna, &mars).await);
    assert_eq!(due(now, deps.clock.now()).await, []);
    deps.hand.advance_ms(1);
    assert!(!may(&anna, &mars).await, "the end takes effect without anyone touching it");
    assert_eq!(due(now, deps.clock.now()).await, [mars]);
    assert_eq!(due(now.plus_secs(10), deps.clock.now()).await, [], "marked once");
    deps.hand.advance_ms(10_000);
    assert!(may(&bob, &venus).await);
    assert_eq!(due(now.plus_secs(10), deps.clock.now()).await, [venus]);
}

async fn time_alone_ends_what_is_held_at_restricted_clients(deps: TestDeps) {
    let now = deps.clock.now();
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    join(&deps, &outer, g(&inner)).await;
    let until = Span { from: None, until: Some(now.plus_secs(10)) };
    memberships::add(&deps, &root(), &inner, &p(&anna), until).await.unwrap();
    join(&deps, &inner, p(&bob)).await;
    client(&deps, "app", std::slice::from_ref(&outer)).await;
    client(&deps, "open", &[]).await;
    let (held, other, open) =
        (holds(&deps, &anna, "app").await, holds(&deps, &bob, "app").await, holds(&deps, &anna, "open").await);
    let due = async |since, now| {
        let spaces: storage::Result<_> = odcm::run_tx!(deps.db, "test.due", |tx| access::due_changes(tx, since, now).await);
        assert!(spaces.unwrap().is_empty(), "no Space is concerned");
    };
    deps.hand.advance_ms(9_999);
    due(now, deps.clock.now()).await;
    assert_eq!(held.alive(&deps).await, (true, true, true), "not yet");
    deps.hand.advance_ms(1);
    due(now, deps.clock.now()).await;
    assert_eq!(held.alive(&deps).await, (true, false, false), "a later membership must not revive them");
    assert_eq!(other.alive(&deps).await, (true, true, true), "still in the group");
    assert_eq!(open.alive(&deps).await, (true, true, true), "a client for everybody");
}

async fn parts_of_the_facts_decide_like_all_of_them(deps: TestDeps) {
    let now = deps.clock.now();
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    person(&deps, "stranger").await;
    let chain = [group(&deps, "a").await, group(&deps, "b").await, group(&deps, "c").await];
    group(&deps, "foreign").await;
    space(&deps, "venus").await;
    grant(&deps, &mars, g(&chain[0])).await;
    join(&deps, &chain[0], g(&chain[1])).await;
    join(&deps, &chain[1], g(&chain[2])).await;
    join(&deps, &chain[2], p(&anna)).await;
    let all = storage::directory::everything(&mut &deps.db).await.unwrap();
    let of_person = storage::directory::of_person(&mut &deps.db, &anna).await.unwrap();
    let of_space = storage::directory::of_space(&mut &deps.db, &mars).await.unwrap();
    assert_eq!((of_person.people.len(), of_person.groups.len(), of_person.spaces.len()), (1, 3, 1));
    assert_eq!((of_space.people.len(), of_space.groups.len(), of_space.spaces.len()), (1, 3, 1), "rules A10");
    use odcm::core::access::{may_enter, space_access};
    assert_eq!(may_enter(&of_person, &anna, &mars, now), may_enter(&all, &anna, &mars, now));
    assert!(may_enter(&all, &anna, &mars, now).is_some());
    assert_eq!(space_access(&of_space, &mars, now), space_access(&all, &mars, now));
}
