//! How people sign in: identities, sessions, tokens and consents of a person, looked at and ended by whom it is right.

use super::*;
use odcm::accounts::identities::{self, NewIdentity};
use odcm::accounts::{api_tokens, sign_ins};
use odcm::core::ids::IdentityId;
use odcm::core::policy::TokenScopes;
use odcm::core::session::{Authentication, Method};
use odcm::storage::{J, consent, emails, throttle};

on_both! {
    an_identity_belongs_to_one_person
    unlinking_ends_what_rests_on_the_identity_only
    the_last_way_in_of_the_last_owner_stays
    of_eight_who_link_an_identity_one_gets_it
    a_session_is_ended_alone
    a_consent_is_withdrawn_with_what_it_gave
    only_with_rights_over_a_person
}

fn identity(provider: &str, subject: &str) -> NewIdentity {
    NewIdentity::parse(provider, subject, "").unwrap()
}

async fn an_identity_belongs_to_one_person(deps: TestDeps) {
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let new = NewIdentity::parse("entra", "Sub-1", "anna@contoso.com").unwrap();
    let id = identities::link(&deps, &root(), &anna, &new).await.unwrap();
    assert_eq!(code(identities::link(&deps, &root(), &anna, &new).await), (RefusalKind::Conflict, "identity.exists"));
    assert_eq!(code(identities::link(&deps, &root(), &bob, &new).await), (RefusalKind::Conflict, "identity.taken"));
    // another provider, or another spelling, is another identity: subjects are compared byte by byte
    for other in [identity("okta", "Sub-1"), identity("entra", "sub-1")] {
        identities::link(&deps, &root(), &bob, &other).await.unwrap();
    }
    let of = async |who: &PersonId| emails::identities(&mut &deps.db, who).await.unwrap();
    let row = of(&anna).await.remove(0);
    assert_eq!((&*row.provider, &*row.subject, &*row.label), ("entra", "Sub-1", "anna@contoso.com"));
    assert_eq!(of(&bob).await.len(), 2);
    let found = throttle::by_identity(&mut &deps.db, "entra", "Sub-1").await.unwrap();
    assert_eq!(found, Some((anna.clone(), id.clone())));
    let version = storage::people::find(&mut &deps.db, &anna).await.unwrap().unwrap().version;
    assert_eq!(code(identities::unlink(&deps, &root(), &bob, &id).await).0, RefusalKind::NotFound, "it is not Bob's");
    assert_eq!(identities::unlink(&deps, &root(), &anna, &id).await.unwrap(), 0);
    assert_eq!(code(identities::unlink(&deps, &root(), &anna, &id).await).0, RefusalKind::NotFound);
    assert_eq!(storage::people::find(&mut &deps.db, &anna).await.unwrap().unwrap().version, version + 1);
    assert_eq!(throttle::by_identity(&mut &deps.db, "entra", "Sub-1").await.unwrap(), None);
    identities::link(&deps, &root(), &bob, &new).await.unwrap();
    let lines = audit(&deps).await;
    let of_anna: Vec<_> = lines.iter().filter(|l| l.object_id == anna.as_str() && l.action.starts_with("identity.")).collect();
    assert_eq!(of_anna.iter().map(|l| &*l.action).collect::<Vec<_>>(), ["identity.unlink", "identity.link"]);
    let (gone, made) = (of_anna[0].before.as_deref().unwrap(), of_anna[1].after.as_deref().unwrap());
    assert!(gone == made && made.contains("Sub-1") && made.contains("anna@contoso.com"), "{gone} {made}");
}

/// Writes into the row of a session how the person proved who they are.
async fn proved(deps: &TestDeps, held: &Held, by: &[Option<&IdentityId>]) {
    let list: Vec<Authentication> = by
        .iter()
        .map(|identity| Authentication {
            method: if identity.is_some() { Method::Federated } else { Method::Password },
            at: deps.clock.now(),
            identity: identity.cloned(),
        })
        .collect();
    deps.db.exec(odcm::sql!("UPDATE session SET authentications = $2 WHERE id = $1"), &[&held.session, &J(list)]).await.unwrap();
}

async fn unlinking_ends_what_rests_on_the_identity_only(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    client(&deps, "wiki", &[]).await;
    let entra = identities::link(&deps, &root(), &anna, &identity("entra", "a")).await.unwrap();
    let okta = identities::link(&deps, &root(), &anna, &identity("okta", "a")).await.unwrap();
    let mut held = Vec::new();
    for by in [vec![Some(&entra)], vec![None, Some(&entra)], vec![Some(&okta)], vec![None], vec![Some(&entra)]] {
        let one = holds(&deps, &anna, "wiki").await;
        proved(&deps, &one, &by).await;
        held.push(one);
    }
    // what was asked for with offline_access outlives a sign-out, but not the identity that it rests on
    let offline = odcm::sql!("UPDATE token_family SET scope = 'openid offline_access' WHERE session_id = $1");
    let over = odcm::sql!("UPDATE session SET ended_at = $2 WHERE id = $1");
    deps.db.exec(offline, &[&held[4].session]).await.unwrap();
    deps.db.exec(over, &[&held[4].session, &deps.clock.now()]).await.unwrap();
    assert_eq!(held[4].alive(&deps).await, (false, true, true));
    assert_eq!(identities::unlink(&deps, &root(), &anna, &entra).await.unwrap(), 2);
    for (n, alive) in [(0, false), (1, false), (2, true), (3, true), (4, false)] {
        assert_eq!(held[n].alive(&deps).await, (alive, alive, alive), "session {n}");
    }
}

async fn the_last_way_in_of_the_last_owner_stays(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    rights::give(&deps, &root(), &anna, &Right { role: Role::Owner, scope: Scope::All }, None).await.unwrap();
    let id = identities::link(&deps, &root(), &anna, &identity("entra", "a")).await.unwrap();
    assert_eq!(code(identities::unlink(&deps, &root(), &anna, &id).await).1, "owner.last");
    assert_eq!(emails::identities(&mut &deps.db, &anna).await.unwrap().len(), 1, "nothing was done");
    password(&deps, &anna).await;
    identities::unlink(&deps, &root(), &anna, &id).await.unwrap();
}

async fn of_eight_who_link_an_identity_one_gets_it(deps: TestDeps) {
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(person(&deps, &format!("p{n}")).await);
    }
    let barrier = Arc::new(tokio::sync::Barrier::new(people.len()));
    let mut set = tokio::task::JoinSet::new();
    for id in people {
        let (deps, barrier) = (deps.deps.clone(), barrier.clone());
        set.spawn(async move {
            barrier.wait().await;
            identities::link(&deps, &root(), &id, &identity("entra", "same")).await
        });
    }
    let all = set.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for refused in lost {
        assert_eq!(code(refused), (RefusalKind::Conflict, "identity.taken"));
    }
}

async fn a_session_is_ended_alone(deps: TestDeps) {
    let (anna, as_anna) = owner(&deps, "anna").await;
    let bob = person(&deps, "bob").await;
    client(&deps, "wiki", &[]).await;
    let (first, second) = (holds(&deps, &bob, "wiki").await, holds(&deps, &bob, "wiki").await);
    for held in [&first, &second] {
        proved(&deps, held, &[None]).await;
    }
    let listed = sign_ins::sessions(&deps, &as_anna, &bob).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].authentications.0[0].method, Method::Password);
    assert_eq!(code(sign_ins::end_session(&deps, &as_anna, &anna, &first.session).await).0, RefusalKind::NotFound);
    sign_ins::end_session(&deps, &as_anna, &bob, &first.session).await.unwrap();
    assert_eq!(first.alive(&deps).await, (false, false, false));
    assert_eq!(second.alive(&deps).await, (true, true, true));
    assert_eq!(code(sign_ins::end_session(&deps, &as_anna, &bob, &first.session).await).0, RefusalKind::NotFound, "it is over");
    assert_eq!(sign_ins::sessions(&deps, &as_anna, &bob).await.unwrap().len(), 1);
    let line = audit(&deps).await.remove(0);
    assert_eq!((&*line.action, &*line.object_id, line.actor_id), ("session.end", bob.as_str(), Some(anna.to_string())));
    assert!(line.after.unwrap().contains(first.session.as_str()));
}

async fn a_consent_is_withdrawn_with_what_it_gave(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    for id in ["wiki", "chat"] {
        client(&deps, id, &[]).await;
    }
    let scopes = ["openid", "email"].map(str::to_owned);
    let (wiki, chat) = (ClientId::parse("wiki").unwrap(), ClientId::parse("chat").unwrap());
    for id in [&wiki, &chat] {
        consent::grant(&deps.db, &anna, id, &scopes, deps.clock.now()).await.unwrap();
    }
    let (at_wiki, at_chat) = (holds(&deps, &anna, "wiki").await, holds(&deps, &anna, "chat").await);
    let me = actor(&deps, &anna).await;
    let listed = sign_ins::consents(&deps, &me, &anna).await.unwrap();
    assert_eq!(
        listed.iter().map(|c| (c.client_id.as_str(), &*c.scope)).collect::<Vec<_>>(),
        [("chat", "email openid"), ("wiki", "email openid")]
    );
    sign_ins::withdraw(&deps, &me, &anna, &wiki).await.unwrap();
    assert_eq!(at_wiki.alive(&deps).await, (true, false, false), "the session is not the application's");
    assert_eq!(at_chat.alive(&deps).await, (true, true, true));
    assert!(!consent::covers(&mut &deps.db, &anna, &wiki, &scopes).await.unwrap(), "it asks again");
    assert!(consent::covers(&mut &deps.db, &anna, &chat, &scopes).await.unwrap());
    assert_eq!(code(sign_ins::withdraw(&deps, &me, &anna, &wiki).await).0, RefusalKind::NotFound);
    let line = audit(&deps).await.remove(0);
    assert_eq!((&*line.action, &*line.object_id), ("consent.withdraw", anna.as_str()));
    assert!(line.before.unwrap().contains("email openid"));
}

async fn only_with_rights_over_a_person(deps: TestDeps) {
    let (anna, _) = owner(&deps, "anna").await;
    let bob = person(&deps, "bob").await;
    client(&deps, "wiki", &[]).await;
    let wiki = ClientId::parse("wiki").unwrap();
    consent::grant(&deps.db, &anna, &wiki, &["openid".to_owned()], deps.clock.now()).await.unwrap();
    let held = holds(&deps, &anna, "wiki").await;
    proved(&deps, &held, &[None]).await;
    let id = identities::link(&deps, &root(), &anna, &identity("entra", "a")).await.unwrap();
    let name = DisplayName::parse("name", "ci").unwrap();
    let token = api_tokens::create(&deps, &root(), &anna, &name, TokenScopes { write: true }, 3600).await.unwrap();
    let team = group(&deps, "team").await;
    for (role, scope, reads) in [
        (None, Scope::All, false),
        (Some(Role::Auditor), Scope::All, true),
        (Some(Role::GroupAdmin), Scope::All, false),
        (Some(Role::SpaceAdmin), Scope::All, false),
        (Some(Role::Owner), Scope::Group(team), false),
    ] {
        let rights = role.map(|role| Right { role, scope }).into_iter().collect();
        let actor = Actor { via: Via::Session, person: Some(bob.clone()), rights, ..root() };
        let before = audit(&deps).await.len();
        assert_eq!(code(identities::link(&deps, &actor, &anna, &identity("entra", "b")).await).0, RefusalKind::Forbidden);
        assert_eq!(code(identities::unlink(&deps, &actor, &anna, &id).await).0, RefusalKind::Forbidden);
        assert_eq!(
            code(identities::link(&deps, &actor, &bob, &identity("entra", "b")).await).0,
            RefusalKind::Forbidden,
            "oneself"
        );
        assert_eq!(code(sign_ins::end_session(&deps, &actor, &anna, &held.session).await).0, RefusalKind::Forbidden);
        assert_eq!(code(sign_ins::withdraw(&deps, &actor, &anna, &wiki).await).0, RefusalKind::Forbidden);
        assert_eq!(code(api_tokens::revoke(&deps, &actor, &token.id).await).0, RefusalKind::NotFound);
        assert_eq!(sign_ins::sessions(&deps, &actor, &anna).await.is_ok(), reads, "{role:?}");
        assert_eq!(sign_ins::tokens(&deps, &actor, &anna).await.is_ok(), reads, "{role:?}");
        assert_eq!(sign_ins::consents(&deps, &actor, &anna).await.is_ok(), reads, "{role:?}");
        assert_eq!(audit(&deps).await.len(), before);
        // one's own are there for everybody
        assert!(sign_ins::sessions(&deps, &actor, &bob).await.unwrap().is_empty());
    }
    assert_eq!(held.alive(&deps).await, (true, true, true));
    // a token that may only read ends nothing, not even what is its owner's
    let reader = Actor { via: Via::Token(TokenScopes { write: false }), ..actor(&deps, &anna).await };
    assert_eq!(code(sign_ins::end_session(&deps, &reader, &anna, &held.session).await).1, "token.read_only");
    assert_eq!(code(sign_ins::withdraw(&deps, &reader, &anna, &wiki).await).1, "token.read_only");
    assert_eq!(code(identities::unlink(&deps, &reader, &anna, &id).await).1, "token.read_only");
    assert_eq!(sign_ins::tokens(&deps, &reader, &anna).await.unwrap().len(), 1);
}
