//! People: names that are unique for ever, addresses, reasons to be disabled, links, tokens, rights.

use super::*;
use odcm::accounts::{api_tokens, emails, launcher, links, recovery};
use odcm::core::policy::TokenScopes;

on_both! {
    a_person_has_names_an_address_and_a_sub
    names_are_unique_former_ones_included
    addresses_are_added_verified_and_removed
    disabled_is_a_set_of_reasons_and_ends_everything
    a_link_is_used_once_in_time_and_shown_once
    only_owners_touch_people_and_credentials
    rights_cannot_lock_everybody_out
    api_tokens_act_for_their_person_while_both_live
    people_are_listed_by_pages_and_found_by_parts
    a_person_signs_in_by_username_or_verified_address
    the_launcher_shows_what_may_be_entered
    recovery_is_one_act_and_puts_no_end_to_it
}

async fn a_person_has_names_an_address_and_a_sub(deps: TestDeps) {
    let created = people::create(&deps, &root(), people::NewPerson { password_link: true, ..new_person("Anna") }).await.unwrap();
    let row = storage::people::find(&mut &deps.db, &created.id).await.unwrap().unwrap();
    assert_eq!((&*row.username, &*row.space_email, row.version, row.active), ("Anna", "Anna@example.com", 1, true));
    let sub = storage::people::sub(&mut &deps.db, &created.id, "").await.unwrap().unwrap();
    assert_ne!(sub, created.id.as_str(), "rules C7: sub is not the primary key");
    assert_eq!(storage::people::by_sub(&mut &deps.db, "", &sub).await.unwrap(), Some(created.id.clone()));
    let link = created.link.unwrap();
    assert_eq!(link.url, format!("https://id.example.com/link/{}", link.secret));
    let lines = audit(&deps).await;
    assert_eq!(lines.iter().map(|l| &*l.action).collect::<Vec<_>>(), ["link.create", "person.create"]);
    assert!(!format!("{lines:?}").contains(&link.secret), "secrets never reach the audit");

    let edit = people::EditPerson { display_name: Some(DisplayName::parse("n", "Anna B").unwrap()), ..Default::default() };
    let after = people::edit(&deps, &root(), &created.id, Some(1), edit.clone()).await.unwrap();
    assert_eq!((&*after.display_name, after.version), ("Anna B", 2));
    assert_eq!(code(people::edit(&deps, &root(), &created.id, Some(1), edit.clone()).await).0, RefusalKind::Stale);
    let same = people::edit(&deps, &root(), &created.id, Some(2), edit).await.unwrap();
    assert_eq!(same.version, 2, "what changes nothing raises no version");
    assert_eq!(audit(&deps).await.len(), 3, "and writes no audit line");
}

async fn names_are_unique_former_ones_included(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    let other_mail = |name: &str| people::NewPerson { email: Email::parse("new@example.com").unwrap(), ..new_person(name) };
    assert_eq!(code(people::create(&deps, &root(), other_mail("ANNA")).await).1, "username.taken");
    let same_mail = people::NewPerson { email: Email::parse("ANNA@example.com").unwrap(), ..new_person("bob") };
    assert_eq!(code(people::create(&deps, &root(), same_mail).await).1, "email.taken");

    let rename = |name: &str, mail: &str| people::EditPerson {
        username: Some(Username::parse(name).unwrap()),
        space_email: Some(Email::parse(mail).unwrap()),
        ..Default::default()
    };
    people::edit(&deps, &root(), &anna, None, rename("anna2", "anna2@example.com")).await.unwrap();
    assert_eq!(code(people::create(&deps, &root(), other_mail("anna")).await).1, "username.former");
    // one's own former name comes back without a question
    people::edit(&deps, &root(), &anna, None, rename("anna", "anna@example.com")).await.unwrap();
    people::edit(&deps, &root(), &anna, None, rename("anna3", "anna3@example.com")).await.unwrap();
    let reuse = people::NewPerson { reuse_former_names: true, ..other_mail("anna2") };
    let bob = people::create(&deps, &root(), reuse.clone()).await.unwrap().id;
    assert_eq!(storage::people::find(&mut &deps.db, &bob).await.unwrap().unwrap().username, "anna2");
    let people_admin = Actor { via: Via::Session, rights: vec![Right { role: Role::GroupAdmin, scope: Scope::All }], ..root() };
    assert_eq!(code(people::create(&deps, &people_admin, reuse).await).0, RefusalKind::Forbidden);
    // a held name is not for owners either
    let held = people::NewPerson { reuse_former_names: true, ..new_person("anna3") };
    assert_eq!(code(people::create(&deps, &root(), held).await).1, "username.taken");
}

async fn addresses_are_added_verified_and_removed(deps: TestDeps) {
    let (anna, bob) = (person(&deps, "anna").await, person(&deps, "bob").await);
    let work = Email::parse("work@example.org").unwrap();
    let a = emails::add(&deps, &root(), &anna, &work, false).await.unwrap();
    let b = emails::add(&deps, &root(), &bob, &Email::parse("WORK@example.org").unwrap(), false).await.unwrap();
    assert_eq!(code(emails::add(&deps, &root(), &anna, &work, false).await).1, "email.exists");
    assert!(emails::verify(&deps, &root(), &anna, &a).await.unwrap());
    assert!(!emails::verify(&deps, &root(), &anna, &a).await.unwrap());
    assert_eq!(code(emails::verify(&deps, &root(), &bob, &b).await).1, "email.taken");
    assert_eq!(code(emails::verify(&deps, &root(), &bob, &a).await).0, RefusalKind::NotFound, "not bob's address");
    // nobody verifies what Spaces know somebody else by
    let of_anna = emails::add(&deps, &root(), &bob, &Email::parse("anna@example.com").unwrap(), false).await.unwrap();
    assert_eq!(code(emails::verify(&deps, &root(), &bob, &of_anna).await).1, "email.taken");
    let verified = emails::add(&deps, &root(), &bob, &Email::parse("anna@EXAMPLE.com").unwrap(), true).await;
    assert_eq!(code(verified).1, "email.taken");
    // … be it verified or not, held or former
    let carl =
        people::create(&deps, &root(), people::NewPerson { email_verified: false, ..new_person("carl") }).await.unwrap().id;
    let of_carl = emails::add(&deps, &root(), &bob, &Email::parse("carl@example.com").unwrap(), false).await.unwrap();
    assert_eq!(code(emails::verify(&deps, &root(), &bob, &of_carl).await).1, "email.taken");
    let move_on = people::EditPerson { space_email: Some(Email::parse("c@example.com").unwrap()), ..Default::default() };
    people::edit(&deps, &root(), &carl, None, move_on).await.unwrap();
    assert_eq!(code(emails::verify(&deps, &root(), &bob, &of_carl).await).1, "email.taken");
    let rows = storage::emails::of_person(&mut &deps.db, &anna).await.unwrap();
    let own = rows.iter().find(|r| r.address_key == "anna@example.com").unwrap();
    assert_eq!(code(emails::remove(&deps, &root(), &anna, &own.id).await).1, "email.in_use");
    emails::remove(&deps, &root(), &anna, &a).await.unwrap();
    assert!(emails::verify(&deps, &root(), &bob, &b).await.unwrap(), "free again");
}

async fn disabled_is_a_set_of_reasons_and_ends_everything(deps: TestDeps) {
    let (anna, mars) = (person(&deps, "anna").await, space(&deps, "mars").await);
    space(&deps, "venus").await;
    grant(&deps, &mars, p(&anna)).await;
    client(&deps, "app", &[]).await;
    let (in_mars, in_app) = (holds(&deps, &anna, "mars").await, holds(&deps, &anna, "app").await);
    let as_anna = actor(&deps, &anna).await;
    let name = DisplayName::parse("name", "ci").unwrap();
    let token = api_tokens::create(&deps, &as_anna, &anna, &name, TokenScopes { write: true }, 3600).await.unwrap();
    let link = links::create(&deps, &root(), &anna).await.unwrap();
    assert!(links::look(&deps, &link.secret).await.unwrap().is_some());

    let (done, spaces) = marked(&deps, people::disable(&deps, &root(), &anna, "manual")).await;
    assert!(done.unwrap());
    assert_eq!(spaces, std::slice::from_ref(&mars), "the Spaces of the person, and no other");
    assert_eq!(in_mars.alive(&deps).await, (false, false, false));
    assert_eq!(in_app.alive(&deps).await, (false, false, false));
    assert!(api_tokens::authenticate(&deps, &token.secret).await.unwrap().is_none());
    assert!(links::look(&deps, &link.secret).await.unwrap().is_none());
    assert_eq!(code(links::create(&deps, &root(), &anna).await).1, "person.disabled");

    assert!(!people::disable(&deps, &root(), &anna, "manual").await.unwrap(), "the reason is there");
    let (done, spaces) = marked(&deps, people::disable(&deps, &root(), &anna, "provider:ad")).await;
    assert!(done.unwrap() && spaces.is_empty(), "a second reason changes nothing in Spaces");
    assert!(people::enable(&deps, &root(), &anna, "manual").await.unwrap());
    assert!(!storage::people::find(&mut &deps.db, &anna).await.unwrap().unwrap().active, "one reason remains");
    assert!(people::enable(&deps, &root(), &anna, "provider:ad").await.unwrap());
    assert!(storage::people::find(&mut &deps.db, &anna).await.unwrap().unwrap().active);
    assert!(api_tokens::authenticate(&deps, &token.secret).await.unwrap().is_none(), "nothing old comes back");
    assert_eq!(in_mars.alive(&deps).await, (false, false, false));
    assert_eq!(code(people::disable(&deps, &root(), &anna, "Because!").await).1, "reason.invalid");
}

async fn a_link_is_used_once_in_time_and_shown_once(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    let first = links::create(&deps, &root(), &anna).await.unwrap();
    let second = links::create(&deps, &root(), &anna).await.unwrap();
    assert!(links::look(&deps, &first.secret).await.unwrap().is_none(), "a new link makes the old one useless");
    assert_eq!(code(links::set_password(&deps, &first.secret, "x", None).await).1, "link.invalid");
    assert_eq!(code(links::set_password(&deps, "nonsense", "x", None).await).1, "link.invalid");
    client(&deps, "app", &[]).await;
    let held = holds(&deps, &anna, "app").await;
    links::set_password(&deps, &second.secret, "$phc", Some("192.0.2.1".into())).await.unwrap();
    assert_eq!(held.alive(&deps).await, (false, false, false), "a new password ends what was open");
    assert_eq!(code(links::set_password(&deps, &second.secret, "x", None).await).1, "link.invalid");
    let line = audit(&deps).await.into_iter().find(|l| l.action == "password.set").unwrap();
    assert_eq!((line.actor_id.as_deref(), line.address.as_deref()), (Some(anna.as_str()), Some("192.0.2.1")));
    let third = links::create(&deps, &root(), &anna).await.unwrap();
    assert_eq!(third.expires_at, deps.clock.now().plus_secs(deps.settings.sign_in.one_time_link));
    deps.hand.advance_ms(deps.settings.sign_in.one_time_link * 1000);
    assert_eq!(code(links::set_password(&deps, &third.secret, "x", None).await).1, "link.invalid", "expired");
}

async fn only_owners_touch_people_and_credentials(deps: TestDeps) {
    let (anna, _) = owner(&deps, "anna").await;
    let bob = person(&deps, "bob").await;
    let team = group(&deps, "team").await;
    for (role, scope) in [
        (Role::Auditor, Scope::All),
        (Role::GroupAdmin, Scope::All),
        (Role::SpaceAdmin, Scope::All),
        (Role::GroupAdmin, Scope::Group(team.clone())),
    ] {
        let actor = Actor { via: Via::Session, person: Some(bob.clone()), rights: vec![Right { role, scope }], ..root() };
        let before = audit(&deps).await.len();
        for (kind, _) in [
            code(people::create(&deps, &actor, new_person("eve")).await),
            code(people::disable(&deps, &actor, &anna, "manual").await),
            code(people::enable(&deps, &actor, &anna, "manual").await),
            code(people::end_sessions(&deps, &actor, &anna).await),
            code(links::create(&deps, &actor, &anna).await),
            code(emails::add(&deps, &actor, &anna, &Email::parse("e@x.y").unwrap(), true).await),
            code(rights::give(&deps, &actor, &bob, &Right { role: Role::Owner, scope: Scope::All }, None).await),
        ] {
            assert_eq!(kind, RefusalKind::Forbidden, "{role:?}");
        }
        assert_eq!(audit(&deps).await.len(), before);
    }
    // a token that may only read changes nothing, whoever owns it
    let reader = Actor { via: Via::Token(TokenScopes { write: false }), ..actor(&deps, &anna).await };
    assert_eq!(code(people::disable(&deps, &reader, &bob, "manual").await).1, "token.read_only");
}

async fn rights_cannot_lock_everybody_out(deps: TestDeps) {
    let whole = Right { role: Role::Owner, scope: Scope::All };
    let (anna, as_anna) = owner(&deps, "anna").await;
    let of_anna = storage::rights::held(&mut &deps.db, &anna, &whole).await.unwrap().unwrap().0;
    assert_eq!(code(rights::take(&deps, &as_anna, &of_anna).await).1, "owner.last");
    assert_eq!(code(people::disable(&deps, &as_anna, &anna, "manual").await).1, "owner.last");
    let soon = deps.clock.now().plus_secs(60);
    assert_eq!(code(rights::give(&deps, &as_anna, &anna, &whole, Some(soon)).await).1, "owner.last");
    // an owner without a password, or with an end, does not count
    let bob = person(&deps, "bob").await;
    rights::give(&deps, &as_anna, &bob, &whole, None).await.unwrap();
    assert_eq!(code(rights::take(&deps, &as_anna, &of_anna).await).1, "owner.last");
    password(&deps, &bob).await;
    rights::take(&deps, &as_anna, &of_anna).await.unwrap();
    assert_eq!(code(rights::take(&deps, &actor(&deps, &anna).await, &of_anna).await).0, RefusalKind::Forbidden);
    let team = group(&deps, "team").await;
    let nonsense = Right { role: Role::SpaceAdmin, scope: Scope::Group(team) };
    assert_eq!(code(rights::give(&deps, &root(), &bob, &nonsense, None).await).1, "right.nonsense");
    // an end takes effect by itself
    let auditor = Right { role: Role::Auditor, scope: Scope::All };
    rights::give(&deps, &root(), &anna, &auditor, Some(soon)).await.unwrap();
    assert_eq!(actor(&deps, &anna).await.rights, [auditor]);
    deps.hand.advance_ms(60_000);
    assert!(actor(&deps, &anna).await.rights.is_empty());
}

async fn api_tokens_act_for_their_person_while_both_live(deps: TestDeps) {
    let (anna, as_anna) = owner(&deps, "anna").await;
    let name = DisplayName::parse("name", "ci").unwrap();
    let make = |actor: Actor, life| {
        let (deps, anna, name) = (deps.clone(), anna.clone(), name.clone());
        async move { api_tokens::create(&deps, &actor, &anna, &name, TokenScopes { write: false }, life).await }
    };
    let token = make(as_anna.clone(), 3600).await.unwrap();
    assert!(token.secret.starts_with("odcm_") && token.secret.len() == 48);
    let found = api_tokens::authenticate(&deps, &token.secret).await.unwrap().unwrap();
    assert_eq!((found.person, found.via), (Some(anna.clone()), Via::Token(TokenScopes { write: false })));
    assert_eq!(found.rights, as_anna.rights);
    let stored = storage::api_tokens::of_person(&mut &deps.db, &anna).await.unwrap();
    assert_eq!(stored[0].last_used_at, Some(deps.clock.now()));
    for bad in ["", "odcm_", "odcm_x", &token.secret[..47], &format!("{}x", token.secret), &token.secret.replace("odcm", "ODCM")]
    {
        assert!(api_tokens::authenticate(&deps, bad).await.unwrap().is_none(), "{bad}");
    }
    let as_token = Actor { via: Via::Token(TokenScopes { write: true }), ..as_anna.clone() };
    assert_eq!(code(make(as_token, 3600).await).1, "token.from_token");
    let (_, as_bob) = owner(&deps, "bob").await;
    assert_eq!(code(make(as_bob.clone(), 3600).await).0, RefusalKind::Forbidden, "not even an owner acts as somebody else");
    assert_eq!(code(make(as_anna.clone(), 59).await).1, "token.life");
    let host = make(root(), 3600).await.unwrap();
    let eve = person(&deps, "eve").await;
    assert_eq!(code(api_tokens::revoke(&deps, &actor(&deps, &eve).await, &host.id).await).0, RefusalKind::NotFound);
    assert!(api_tokens::revoke(&deps, &as_bob, &host.id).await.unwrap());
    assert!(!api_tokens::revoke(&deps, &as_anna, &host.id).await.unwrap());
    assert!(api_tokens::authenticate(&deps, &host.secret).await.unwrap().is_none());
    let draft = |name| {
        let name = DisplayName::parse("name", name).unwrap();
        groups::NewGroup { name, description: String::new(), kind: GroupKind::Local }
    };
    // a request that began before the token was revoked writes nothing after it; only the revocation itself may
    let write = api_tokens::create(&deps, &as_anna, &anna, &name, TokenScopes { write: true }, 3600).await.unwrap();
    let under_way = api_tokens::authenticate(&deps, &write.secret).await.unwrap().unwrap();
    groups::create(&deps, &under_way, draft("before")).await.unwrap();
    assert!(api_tokens::revoke(&deps, &under_way, &write.id).await.unwrap());
    assert_eq!(code(groups::create(&deps, &under_way, draft("after")).await).1, "session.ended");
    deps.hand.advance_ms(3_600_000);
    assert!(api_tokens::authenticate(&deps, &token.secret).await.unwrap().is_none(), "expired");
}

async fn people_are_listed_by_pages_and_found_by_parts(deps: TestDeps) {
    for name in ["bob", "Anna", "eve", "Zoe", "carl"] {
        person(&deps, name).await;
    }
    let all = storage::people::Filter::default();
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = storage::people::page(&mut &deps.db, &all, after.as_ref(), 2).await.unwrap();
        names.extend(page.items.iter().map(|p| p.username.clone()));
        let last = page.items.last().unwrap();
        after = Some((odcm::core::text::fold(&last.display_name), last.id.clone()));
        if !page.more {
            break;
        }
    }
    assert_eq!(names, ["Anna", "bob", "carl", "eve", "Zoe"]);
    for (text, found) in [("ANN", 1), ("example.com", 5), ("%", 0), ("_", 0), ("o", 5), ("zo", 1), ("nobody", 0)] {
        let filter = storage::people::Filter { text: Some(text.into()), active: None };
        assert_eq!(storage::people::page(&mut &deps.db, &filter, None, 50).await.unwrap().items.len(), found, "{text}");
    }
    let eve = storage::people::by_sign_in_name(&mut &deps.db, "eve").await.unwrap().unwrap();
    people::disable(&deps, &root(), &eve.id, "manual").await.unwrap();
    for (active, found) in [(Some(true), 4), (Some(false), 1), (None, 5)] {
        let filter = storage::people::Filter { text: None, active };
        assert_eq!(storage::people::page(&mut &deps.db, &filter, None, 50).await.unwrap().items.len(), found);
    }
    assert_eq!(storage::people::count(&mut &deps.db).await.unwrap(), (5, 4));
}

async fn a_person_signs_in_by_username_or_verified_address(deps: TestDeps) {
    let anna = person(&deps, "Anna").await;
    let bob = people::create(&deps, &root(), people::NewPerson { email_verified: false, ..new_person("bob") }).await.unwrap().id;
    let who = |name: &'static str| {
        let deps = deps.clone();
        async move { storage::people::by_sign_in_name(&mut &deps.db, name).await.unwrap().map(|p| p.id) }
    };
    assert_eq!(who("anna").await, Some(anna.clone()));
    assert_eq!(who("anna@example.com").await, Some(anna));
    assert_eq!(who("bob").await, Some(bob));
    assert_eq!(who("bob@example.com").await, None, "an unverified address is nobody's");
    assert_eq!(who("nobody").await, None);
}

async fn the_launcher_shows_what_may_be_entered(deps: TestDeps) {
    let anna = person(&deps, "anna").await;
    let mut ids = Vec::new();
    for name in ["mars", "venus", "pluto", "earth"] {
        let id = space(&deps, name).await;
        grant(&deps, &id, p(&anna)).await;
        ids.push(id);
    }
    let hidden = space(&deps, "hidden").await;
    assert_eq!(code(launcher::star(&deps, &anna, &hidden, true).await).0, RefusalKind::NotFound);
    launcher::star(&deps, &anna, &ids[3], true).await.unwrap();
    for i in [0, 1] {
        deps.hand.advance_ms(1000);
        let visit: storage::Result<()> =
            odcm::run_tx!(deps.db, "test.visit", |tx| storage::visits::visited(tx, &anna, &ids[i], deps.clock.now()).await);
        visit.unwrap();
    }
    let mine = launcher::my_spaces(&deps, &anna).await.unwrap();
    let names = |tiles: &[launcher::Tile]| tiles.iter().map(|t| t.standing.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&mine.starred), ["earth"]);
    assert_eq!(names(&mine.recent), ["venus", "mars"], "newest first");
    assert_eq!(names(&mine.others), ["pluto"]);
    assert!(mine.others.iter().all(|t| t.state == launcher::State::Waiting), "no account link yet (rules A7)");
    launcher::star(&deps, &anna, &ids[3], false).await.unwrap();
    assert!(launcher::my_spaces(&deps, &anna).await.unwrap().starred.is_empty());
    people::disable(&deps, &root(), &anna, "manual").await.unwrap();
    assert_eq!(launcher::my_spaces(&deps, &anna).await.unwrap(), launcher::MySpaces::default());
}

async fn recovery_is_one_act_and_puts_no_end_to_it(deps: TestDeps) {
    let (anna, _) = owner(&deps, "anna").await;
    let whole = Right { role: Role::Owner, scope: Scope::All };
    let bob = person(&deps, "bob").await;
    rights::give(&deps, &root(), &bob, &whole, Some(deps.clock.now().plus_secs(60))).await.unwrap();
    people::disable(&deps, &root(), &bob, "manual").await.unwrap();
    people::disable(&deps, &root(), &bob, "left").await.unwrap();
    let as_anna = actor(&deps, &anna).await;
    let plain = Actor { rights: vec![Right { role: Role::GroupAdmin, scope: Scope::All }], ..as_anna };
    assert_eq!(code(recovery::recover(&deps, &plain, &bob).await).0, RefusalKind::Forbidden);
    let link = recovery::recover(&deps, &root(), &bob).await.unwrap();
    deps.hand.advance_ms(120_000);
    assert_eq!(actor(&deps, &bob).await.rights, [whole], "enabled, and an owner beyond the end that was set");
    links::set_password(&deps, &link.secret, "$argon2id$test", None).await.unwrap();
    let lines = audit(&deps).await;
    let of_bob: Vec<_> = lines.iter().filter(|l| l.action == recovery::ACTION).collect();
    assert!(matches!(of_bob[..], [line] if line.object_id == bob.as_str()), "{of_bob:?}");
}
