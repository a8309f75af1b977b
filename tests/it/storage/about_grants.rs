//! Grants, explanations, dry runs, and the audit trail.

use super::*;
use odcm::accounts::access::{self, ProposedChange};
use odcm::core::difference::Turn;
use odcm::storage::audit::{Filter, page};

on_both! {
    a_grant_lives_under_its_version
    scoped_space_administrators_stay_in_their_scope
    a_dry_run_says_what_then_happens
    an_explanation_names_the_way
    the_audit_is_read_by_pages_and_filters
}

async fn a_grant_lives_under_its_version(deps: TestDeps) {
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    let (id, spaces) = marked(&deps, accounts::grants::add(&deps, &root(), &mars, &p(&anna), Span::ALWAYS)).await;
    let id = id.unwrap();
    assert_eq!(spaces, std::slice::from_ref(&mars));
    assert_eq!(code(accounts::grants::add(&deps, &root(), &mars, &p(&anna), Span::ALWAYS).await).1, "grant.exists");
    let span = Span { from: None, until: Some(deps.clock.now().plus_secs(60)) };
    let row = accounts::grants::change_span(&deps, &root(), &id, Some(1), span).await.unwrap();
    assert_eq!((row.version, row.grant.span, &*row.subject_name, &*row.space_name), (2, span, "anna", "mars"));
    assert_eq!(code(accounts::grants::change_span(&deps, &root(), &id, Some(1), Span::ALWAYS).await).0, RefusalKind::Stale);
    assert_eq!(code(accounts::grants::revoke(&deps, &root(), &id, Some(1)).await).0, RefusalKind::Stale);
    accounts::grants::revoke(&deps, &root(), &id, Some(2)).await.unwrap();
    assert_eq!(code(accounts::grants::revoke(&deps, &root(), &id, None).await).0, RefusalKind::NotFound);
    let actions: Vec<_> = audit(&deps).await.into_iter().filter(|l| l.object_kind == "grant").map(|l| l.action).collect();
    assert_eq!(actions, ["grant.revoke", "grant.change", "grant.add"]);
}

async fn scoped_space_administrators_stay_in_their_scope(deps: TestDeps) {
    let (anna, own, other) = (person(&deps, "anna").await, space(&deps, "own").await, space(&deps, "other").await);
    let foreign = grant(&deps, &other, p(&anna)).await;
    let rights = vec![Right { role: Role::SpaceAdmin, scope: Scope::Space(own.clone()) }];
    let actor = Actor { via: Via::Session, rights, ..root() };
    let mine = accounts::grants::add(&deps, &actor, &own, &p(&anna), Span::ALWAYS).await.unwrap();
    let there = accounts::grants::add(&deps, &actor, &other, &p(&anna), Span::ALWAYS).await;
    assert_eq!(code(there).0, RefusalKind::NotFound);
    assert_eq!(code(accounts::grants::revoke(&deps, &actor, &foreign, None).await), (RefusalKind::NotFound, "not_found"));
    assert_eq!(code(spaces::enlist(&deps, &actor, new_space("third")).await).0, RefusalKind::Forbidden);
    assert_eq!(code(access::explain(&deps, &actor, &anna, &other).await).0, RefusalKind::Forbidden);
    let auditor = Actor { rights: vec![Right { role: Role::Auditor, scope: Scope::All }], ..actor };
    assert_eq!(code(accounts::grants::revoke(&deps, &auditor, &mine, None).await).0, RefusalKind::Forbidden);
    assert!(access::explain(&deps, &auditor, &anna, &other).await.unwrap().0.span.is_some());
}

async fn a_dry_run_says_what_then_happens(deps: TestDeps) {
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    let (outer, inner) = (group(&deps, "outer").await, group(&deps, "inner").await);
    grant(&deps, &mars, g(&outer)).await;
    join(&deps, &inner, p(&anna)).await;
    let nest = ProposedChange::AddMembership { group: outer.clone(), member: g(&inner), span: Span::ALWAYS };
    let before = audit(&deps).await.len();
    let (effects, _) = access::dry_run(&deps, &root(), &nest).await.unwrap();
    let gains = effects.iter().map(|e| (e.group.clone(), e.turn)).collect::<Vec<_>>();
    let always = Turn::Gains { span: Span::ALWAYS };
    assert_eq!(gains, [(None, always), (Some(outer.clone()), always)]);
    assert_eq!(audit(&deps).await.len(), before, "nothing is written");
    join(&deps, &outer, g(&inner)).await;
    let (effects, _) = access::dry_run(&deps, &root(), &ProposedChange::DisablePerson { person: anna.clone() }).await.unwrap();
    assert_eq!(effects.iter().filter(|e| e.turn == Turn::Loses).count(), 2);
    let cycle = ProposedChange::AddMembership { group: inner.clone(), member: g(&outer), span: Span::ALWAYS };
    assert_eq!(code(access::dry_run(&deps, &root(), &cycle).await).1, "group.cycle");
    let unknown = ProposedChange::DeleteGroup { group: GroupId::from_uuid(deps.entropy.id(deps.clock.now())) };
    assert_eq!(code(access::dry_run(&deps, &root(), &unknown).await).0, RefusalKind::NotFound);
    let text = serde_json::to_string(&nest).unwrap();
    assert_eq!(serde_json::from_str::<ProposedChange>(&text).unwrap(), nest);
}

async fn an_explanation_names_the_way(deps: TestDeps) {
    let (anna, mars, team) = (person(&deps, "anna").await, space(&deps, "mars").await, group(&deps, "Developers").await);
    grant(&deps, &mars, g(&team)).await;
    let (no, _) = access::explain(&deps, &root(), &anna, &mars).await.unwrap();
    assert!(no.span.is_none() && !no.ways.is_empty());
    join(&deps, &team, p(&anna)).await;
    let (yes, facts) = access::explain(&deps, &root(), &anna, &mars).await.unwrap();
    assert!(yes.span.is_some());
    assert!(yes.sentences(&facts).join(" ").contains("Developers"), "{:?}", yes.sentences(&facts));
    let nobody = PersonId::from_uuid(deps.entropy.id(deps.clock.now()));
    assert_eq!(code(access::explain(&deps, &root(), &nobody, &mars).await).0, RefusalKind::NotFound);
}

async fn the_audit_is_read_by_pages_and_filters(deps: TestDeps) {
    let (anna, as_anna) = owner(&deps, "anna").await;
    let (mars, venus) = (space(&deps, "mars").await, space(&deps, "venus").await);
    let at = deps.clock.now();
    deps.hand.advance_ms(1000);
    let to_mars = accounts::grants::add(&deps, &as_anna, &mars, &p(&anna), Span::ALWAYS).await.unwrap();
    accounts::grants::add(&deps, &as_anna, &venus, &p(&anna), Span::ALWAYS).await.unwrap();
    accounts::grants::revoke(&deps, &as_anna, &to_mars, None).await.unwrap();
    let count = async |filter: Filter| page(&mut &deps.db, &filter, None, 100).await.unwrap().items.len();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(count(Filter { action: some("grant."), ..Filter::default() }).await, 3);
    assert_eq!(count(Filter { action: some("grant.add"), ..Filter::default() }).await, 2);
    assert_eq!(count(Filter { action: some("grant"), ..Filter::default() }).await, 0);
    assert_eq!(count(Filter { action: some("%"), ..Filter::default() }).await, 0);
    assert_eq!(count(Filter { space: Some(mars.clone()), ..Filter::default() }).await, 3, "enlisted, granted, revoked");
    assert_eq!(count(Filter { actor: some(anna.as_str()), action: some("grant."), ..Filter::default() }).await, 3);
    assert_eq!(count(Filter { object_kind: some("grant"), object_id: some(to_mars.as_str()), ..Filter::default() }).await, 2);
    let of_anna = Filter { object_id: some(anna.as_str()), ..Filter::default() };
    assert_eq!(count(Filter { action: some("grant."), ..of_anna.clone() }).await, 3, "her history shows her grants");
    assert_eq!(count(Filter { action: some("grant."), object_kind: some("person"), ..of_anna }).await, 0);
    assert_eq!(count(Filter { from: Some(at.plus_ms(1)), ..Filter::default() }).await, 3);
    assert_eq!(count(Filter { until: Some(at.plus_ms(1)), action: some("grant."), ..Filter::default() }).await, 0);
    let all: Vec<_> = audit(&deps).await.into_iter().map(|l| l.id).collect();
    assert!(all.is_sorted_by(|a, b| a > b), "newest first");
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let part = page(&mut &deps.db, &Filter::default(), after.as_ref(), 3).await.unwrap();
        walked.extend(part.items.iter().map(|l| l.id.clone()));
        after = walked.last().cloned();
        if !part.more {
            break;
        }
    }
    assert_eq!(walked, all);
    let own = Actor { rights: vec![Right { role: Role::SpaceAdmin, scope: Scope::Space(mars.clone()) }], ..as_anna };
    let list = async |filter: &Filter| accounts::audit::list(&deps, &own, filter, None, 10).await;
    assert_eq!(code(list(&Filter::default()).await).0, RefusalKind::Forbidden);
    assert_eq!(code(list(&Filter { space: Some(venus), ..Filter::default() }).await).0, RefusalKind::NotFound);
    assert_eq!(list(&Filter { space: Some(mars), ..Filter::default() }).await.unwrap().items.len(), 3);
}
