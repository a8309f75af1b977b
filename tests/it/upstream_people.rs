//! What people do with providers: accept an invitation, add an identity and remove it, follow the provider's groups.

use crate::login_world::{PASSWORD, World, person};
use crate::upstream::{back, depart, provider, root, set_up, sign_in};
use crate::upstream_op::{Fault, Op};
use crate::visitor::{Answer, Visitor};
use axum::http::StatusCode;
use odcm::accounts::joining::{self, Verdict};
use odcm::accounts::{groups, merging, providers};
use odcm::core::directory::Subject;
use odcm::core::ids::{GroupId, PersonId};
use odcm::core::provider::{Creation, OidcSettings, Profile, Provider, Settings};
use odcm::core::text::DisplayName;
use odcm::storage::groups::GroupKind;
use odcm::storage::{emails, memberships};
use serde_json::json;
use url::Url;

fn oidc(p: &mut Provider, change: impl FnOnce(&mut OidcSettings)) {
    let Settings::Oidc(settings) = &mut p.settings else { unreachable!() };
    change(settings);
}

/// Follows the way to the provider that a page began; gives the address there.
async fn away(visitor: &mut Visitor, op: &Op, answer: Answer) -> Url {
    let flow = answer.location().to_owned();
    let away = visitor.open(&flow).await;
    let to = Url::parse(away.location()).unwrap();
    let value = |name: &str| to.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
    op.set(|op| (op.nonce, op.challenge) = (value("nonce"), value("code_challenge")));
    to
}

async fn arrive(visitor: &mut Visitor, op: &Op, to: &Url) -> Answer {
    let iss: String = url::form_urlencoded::byte_serialize(op.issuer().as_bytes()).collect();
    back(visitor, to, &format!("&code=good-code&iss={iss}")).await
}

async fn invited(world: &World, op: &Op, link: &str) -> Answer {
    let mut visitor = world.visitor();
    let path = Url::parse(link).unwrap().path().to_owned();
    let page = visitor.open(&path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("Geoff Outsider") && page.text.contains("Solar Okta"), "{}", page.text);
    let begun = visitor.post(&path, &fields(&page)).await;
    let to = away(&mut visitor, op, begun).await;
    arrive(&mut visitor, op, &to).await
}

fn fields(page: &Answer) -> Vec<(&'static str, &'static str)> {
    vec![("csrf", page.input("csrf").leak())]
}

async fn identities(world: &World, person: &PersonId) -> Vec<(String, String)> {
    let rows = emails::identities(&mut &world.deps.db, person).await.unwrap();
    rows.into_iter().map(|row| (row.provider, row.subject)).collect()
}

#[tokio::test]
async fn an_invitation_binds_the_account_that_proves_the_invited_address() {
    let (world, op) = set_up(|p| p.domains = ["example.com".to_owned()].into()).await;
    let geoff = person(&world.deps, "geoff", "Geoff Outsider").await;
    let link = joining::invite(&world.deps, &root(), &geoff, "okta", None).await.unwrap();
    op.person(json!({ "sub": "g1", "email": "GEOFF@example.com", "email_verified": true }));
    assert_eq!(invited(&world, &op, &link.url).await.status, StatusCode::OK);
    assert_eq!(identities(&world, &geoff).await, [("okta".to_owned(), "g1".to_owned())]);
    assert_eq!(sign_in(&world, &op).await.text, "granted geoff fed \"xyz\"");
    // it works once
    let path = Url::parse(&link.url).unwrap().path().to_owned();
    assert_eq!(world.visitor().open(&path).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn an_invitation_that_the_provider_does_not_prove_waits_for_an_administrator() {
    let (world, op) = set_up(|_| {}).await; // authoritative for solar.test, not for example.com
    let geoff = person(&world.deps, "geoff", "Geoff Outsider").await;
    let link = joining::invite(&world.deps, &root(), &geoff, "okta", None).await.unwrap();
    op.person(json!({ "sub": "g1", "email": "geoff@example.com", "email_verified": true }));
    let answer = invited(&world, &op, &link.url).await;
    assert!(answer.text.contains("administrator must now decide"), "{}", answer.text);
    assert!(identities(&world, &geoff).await.is_empty());
    let waiting = joining::requests(&world.deps, &root(), "", 10).await.unwrap().items;
    assert_eq!((waiting.len(), waiting[0].person_id.as_ref()), (1, Some(&geoff)));
    joining::settle(&world.deps, &root(), &waiting[0].id, &Verdict::Join(geoff.clone())).await.unwrap();
    assert_eq!(sign_in(&world, &op).await.text, "granted geoff fed \"xyz\"");
    assert_eq!(
        joining::settle(&world.deps, &root(), &waiting[0].id, &Verdict::Refuse).await.unwrap_err().to_string(),
        joining::settle(&world.deps, &root(), "nothing", &Verdict::Refuse).await.unwrap_err().to_string(),
        "what is decided is decided"
    );
}

#[tokio::test]
async fn a_pinned_organisation_must_vouch_whatever_address_is_proven() {
    let tenant = |last: u8| format!("11111111-2222-3333-4444-55555555555{last}");
    let (world, op) = set_up(|p| {
        p.domains = ["example.com".to_owned()].into();
        oidc(p, |oidc| oidc.profile = Profile::Entra);
    })
    .await;
    let geoff = person(&world.deps, "geoff", "Geoff Outsider").await;
    let pinned = tenant(1);
    let link = joining::invite(&world.deps, &root(), &geoff, "okta", Some(&pinned)).await.unwrap();
    let claims =
        |tid: String| json!({ "sub": "pairwise", "oid": "o1", "tid": tid, "email": "geoff@example.com", "xms_edov": true });
    op.person(claims(tenant(2)));
    assert!(invited(&world, &op, &link.url).await.text.contains("administrator must now decide"));
    op.person(claims(tenant(1)));
    assert_eq!(invited(&world, &op, &link.url).await.status, StatusCode::OK);
    assert_eq!(identities(&world, &geoff).await, [("okta".to_owned(), format!("{}.o1", tenant(1)))]);
}

#[tokio::test]
async fn a_person_adds_an_identity_by_proving_both_and_removes_it() {
    let (world, op) = set_up(|_| {}).await;
    let mut bob = world.visitor();
    world.sign_in(&mut bob, "/login", "bob", PASSWORD).await;
    let page = bob.open("/account/identities/add").await;
    assert!(page.text.contains("Continue with Solar Okta"), "{}", page.text);
    // no address that anybody wrote there matters
    op.person(json!({ "sub": "b1", "email": "somebody@else.test", "email_verified": false }));
    let begun = bob.post("/account/identities/add", &[("csrf", page.input("csrf").leak()), ("provider", "okta")]).await;
    let to = away(&mut bob, &op, begun).await;
    let done = arrive(&mut bob, &op, &to).await;
    assert!(done.text.contains("Solar Okta"), "the account page: {}", done.text);
    assert_eq!(identities(&world, &world.bob).await, [("okta".to_owned(), "b1".to_owned())]);
    assert_eq!(sign_in(&world, &op).await.text, "granted bob fed \"xyz\"");
    // somebody else cannot have it
    let eve = person(&world.deps, "eve", "Eve").await;
    crate::login_world::set_password(&world.deps, &eve, PASSWORD).await;
    let mut eves = world.visitor();
    world.sign_in(&mut eves, "/login", "eve", PASSWORD).await;
    let page = eves.open("/account/identities/add").await;
    let begun = eves.post("/account/identities/add", &[("csrf", page.input("csrf").leak()), ("provider", "okta")]).await;
    let to = away(&mut eves, &op, begun).await;
    assert!(arrive(&mut eves, &op, &to).await.text.contains("belongs to somebody else"));
    // removing it
    let account = bob.open("/account").await;
    let path = account.text.split("href=\"").find_map(|rest| {
        let href = rest.split('"').next()?;
        (href.starts_with("/account/identities/") && href.ends_with("/remove")).then(|| href.to_owned())
    });
    let path = path.unwrap();
    assert_eq!(eves.get(&path).await.status, StatusCode::NOT_FOUND, "it is not hers");
    let ask = bob.open(&path).await;
    let removed = bob.submit(&ask, "/remove", &[]).await;
    assert!(removed.text.contains("User name or e-mail address"), "the session ended with it: {}", removed.text);
    assert!(identities(&world, &world.bob).await.is_empty());
    assert!(sign_in(&world, &op).await.text.contains("no account here"));
}

#[tokio::test]
async fn the_only_way_in_is_not_removed_and_an_old_session_must_prove_itself_again() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    op.person(json!({ "sub": "n1", "email": "new@solar.test", "email_verified": true, "preferred_username": "newbie" }));
    let mut newbie = world.visitor();
    let to = depart(&mut newbie, &op).await;
    arrive(&mut newbie, &op, &to).await;
    let account = newbie.open("/account").await;
    let at = account.text.find("/account/identities/0").unwrap();
    let path = account.text[at..].split('"').next().unwrap().to_owned();
    let ask = newbie.open(&path).await;
    let refused = newbie.submit(&ask, "/remove", &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("your only way in"), "{}", refused.text);
    world.deps.hand.advance_ms(601_000);
    for path in [path.as_str(), "/account/identities/add"] {
        let answer = newbie.get(path).await;
        assert!(answer.location().starts_with("/login/"), "{path}: {}", answer.text);
        let answer = newbie.post(path, &[fields(&ask)[0], ("provider", "okta")]).await;
        assert!(answer.location().starts_with("/login/"), "{path}: {}", answer.text);
        assert!(!newbie.open(answer.location()).await.text.contains("Away"), "{path}");
    }
}

#[tokio::test]
async fn joining_needs_the_session_that_asked_for_it() {
    let (world, op) = set_up(|_| {}).await;
    let mut bob = world.visitor();
    world.sign_in(&mut bob, "/login", "bob", PASSWORD).await;
    let page = bob.open("/account/identities/add").await;
    op.person(json!({ "sub": "b1" }));
    let begun = bob.post("/account/identities/add", &[("csrf", page.input("csrf").leak()), ("provider", "okta")]).await;
    let to = away(&mut bob, &op, begun).await;
    let session = bob.cookies.keys().find(|name| name.contains("session")).unwrap().clone();
    bob.cookies.remove(&session);
    assert_eq!(arrive(&mut bob, &op, &to).await.status, StatusCode::GONE);
    assert!(identities(&world, &world.bob).await.is_empty());
}

async fn node(world: &World, name: &str, external_id: &str) -> GroupId {
    let kind = GroupKind::External { provider: "okta".into(), external_id: external_id.into() };
    let name = DisplayName::parse("name", name).unwrap();
    groups::create(&world.deps, &root(), groups::NewGroup { name, description: String::new(), kind }).await.unwrap()
}

#[tokio::test]
async fn groups_follow_what_the_provider_says_at_each_sign_in() {
    let (world, op) = set_up(|p| {
        p.creation = Creation::Everybody;
        oidc(p, |oidc| oidc.userinfo = false);
    })
    .await;
    let (dev, ops) = (node(&world, "Okta developers", "g-dev").await, node(&world, "Okta operators", "g-ops").await);
    let says = |groups: serde_json::Value| {
        let mut claims =
            json!({ "sub": "n1", "email": "new@solar.test", "email_verified": true, "preferred_username": "newbie" });
        if !groups.is_null() {
            claims["groups"] = groups;
        }
        op.person(claims);
    };
    let held = async || {
        assert_eq!(sign_in(&world, &op).await.text, "granted newbie fed \"xyz\"");
        let found = emails::identity(&mut &world.deps.db, "okta", "n1").await.unwrap().unwrap().person_id;
        let rows = memberships::of_member(&mut &world.deps.db, &Subject::Person(found)).await.unwrap();
        assert!(rows.iter().all(|row| row.assertion.source == "directory:okta"));
        rows.into_iter().map(|row| row.assertion.group).collect::<std::collections::BTreeSet<_>>()
    };
    says(json!(["g-dev", "g-unknown"]));
    assert_eq!(held().await, [dev.clone()].into());
    says(json!(["g-ops", "g-dev"]));
    assert_eq!(held().await, [dev.clone(), ops.clone()].into());
    says(json!(null));
    assert_eq!(held().await, [dev, ops.clone()].into(), "it said nothing of groups");
    says(json!(["g-ops"]));
    assert_eq!(held().await, [ops].into());
    says(json!([]));
    assert!(held().await.is_empty());
}

#[tokio::test]
async fn an_administrator_tries_settings_and_claims() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    let found = providers::examine(&world.deps, &root(), "okta").await.unwrap();
    let steps: Vec<_> = found.iter().map(|f| (f.step.as_str(), f.grade)).collect();
    assert_eq!(
        steps[..2],
        [("Discovery document", odcm::connectors::Grade::Good), ("Signing keys", odcm::connectors::Grade::Good)],
        "{found:?}"
    );
    let other = provider(&op, |p| {
        p.id = "other".into();
        oidc(p, |oidc| oidc.issuer = format!("{}/wrong", op.issuer()));
    });
    providers::create(&world.deps, &root(), &other, Some("s")).await.unwrap();
    let found = providers::examine(&world.deps, &root(), "other").await.unwrap();
    assert_eq!(found[0].grade, odcm::connectors::Grade::Bad, "{found:?}");

    let claims =
        json!({ "sub": "x", "email": "n@solar.test", "email_verified": true, "preferred_username": "n", "groups": ["g"] });
    let trial = providers::try_claims(&world.deps, &root(), "okta", &claims.to_string()).await.unwrap();
    assert_eq!((trial.reading.unwrap().subject.as_str(), trial.decision), ("x", Some(odcm::core::joining::Decision::Create)));
    let token = format!("e30.{}.x", odcm::crypto::hash::b64(claims.to_string()));
    let same = providers::try_claims(&world.deps, &root(), "okta", &token).await.unwrap();
    assert_eq!(same.reading.unwrap().subject, "x");
    for wrong in ["", "x", "[1]", "a.b.c", &"{".repeat(70_000)] {
        assert!(providers::try_claims(&world.deps, &root(), "okta", wrong).await.is_err(), "{:.10}", wrong);
    }
    assert!(emails::identity(&mut &world.deps.db, "okta", "x").await.unwrap().is_none(), "nothing was changed");
}

#[tokio::test]
async fn groups_that_do_not_fit_into_the_token_are_asked_for_or_nobody_is_let_in() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    let entra = provider(&op, |p| {
        p.creation = Creation::Everybody;
        oidc(p, |oidc| {
            (oidc.profile, oidc.userinfo) = (Profile::Entra, false);
            (oidc.vendor_groups, oidc.vendor_url) = (true, Some(op.issuer()));
        });
    });
    providers::update(&world.deps, &root(), &entra, None, None).await.unwrap();
    let (dev, ops) = (node(&world, "Okta developers", "g-dev").await, node(&world, "Okta operators", "g-ops").await);
    let claims = json!({
        "sub": "s", "tid": "11111111-2222-3333-4444-555555555555", "oid": "o1", "email": "new@solar.test",
        "preferred_username": "newbie", "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://evil.example/groups" } },
    });
    op.person(claims);
    assert_eq!(sign_in(&world, &op).await.text, "granted newbie fed \"xyz\"");
    let key = "11111111-2222-3333-4444-555555555555.o1";
    let found = emails::identity(&mut &world.deps.db, "okta", key).await.unwrap().unwrap().person_id;
    let rows = memberships::of_member(&mut &world.deps.db, &Subject::Person(found)).await.unwrap();
    let held: std::collections::BTreeSet<_> = rows.into_iter().map(|row| row.assertion.group).collect();
    assert_eq!(held, [dev, ops].into());
    for fault in [Fault::Redirects, Fault::Endless] {
        op.set(|op| op.graph_fault = Some(fault));
        assert_eq!(sign_in(&world, &op).await.status, StatusCode::FORBIDDEN, "{fault:?}");
    }
}

#[tokio::test]
async fn signing_out_at_the_provider_ends_the_sessions_that_it_vouched_for() {
    let (world, op) = set_up(|p| p.creation = Creation::Everybody).await;
    op.person(json!({ "sub": "n1", "email": "new@solar.test", "email_verified": true, "preferred_username": "newbie" }));
    let mut newbie = world.visitor();
    let to = depart(&mut newbie, &op).await;
    arrive(&mut newbie, &op, &to).await;
    let signed_in = async |visitor: &mut Visitor| visitor.get("/account").await.status == StatusCode::OK;
    assert!(signed_in(&mut newbie).await);
    let mut provider = world.visitor();
    provider.origin = None;
    type Change = fn(&mut serde_json::Map<String, serde_json::Value>);
    let wrong: [(&str, Change); 9] = [
        ("iss", |c| drop(c.insert("iss".into(), json!("https://evil.example")))),
        ("aud", |c| drop(c.insert("aud".into(), json!("other")))),
        ("old", |c| drop(c.insert("iat".into(), json!(1)))),
        ("over", |c| drop(c.insert("exp".into(), json!(1)))),
        ("nonce", |c| drop(c.insert("nonce".into(), json!("n")))),
        ("events", |c| drop(c.remove("events"))),
        ("other event", |c| drop(c.insert("events".into(), json!({ "x": {} })))),
        ("jti", |c| drop(c.remove("jti"))),
        ("sub", |c| drop(c.remove("sub"))),
    ];
    for (what, change) in wrong {
        let token = op.logout_token(change);
        let answer = provider.post("/login/backchannel/okta", &[("logout_token", &token)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(signed_in(&mut newbie).await, "{what}");
    }
    let token = op.logout_token(|_| {});
    assert_eq!(provider.post("/login/backchannel/other", &[("logout_token", &token)]).await.status, StatusCode::BAD_REQUEST);
    let answer = provider.post("/login/backchannel/okta", &[("logout_token", &token)]).await;
    assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-store"));
    assert!(!signed_in(&mut newbie).await);
    // sent again it ends nothing that began since
    world.deps.hand.advance_ms(5_000);
    assert_eq!(sign_in(&world, &op).await.text, "granted newbie fed \"xyz\"");
    let mut again = world.visitor();
    let to = depart(&mut again, &op).await;
    arrive(&mut again, &op, &to).await;
    assert_eq!(provider.post("/login/backchannel/okta", &[("logout_token", &token)]).await.status, StatusCode::OK);
    assert!(signed_in(&mut again).await);
}

#[tokio::test]
async fn two_people_become_one_and_two_again() {
    let (world, op) = set_up(|_| {}).await;
    let other = person(&world.deps, "bob2", "Bob Twice").await;
    let new = odcm::accounts::identities::NewIdentity::parse("okta", "b2", "bob2").unwrap();
    odcm::accounts::identities::link(&world.deps, &root(), &other, &new).await.unwrap();
    op.person(json!({ "sub": "b2" }));
    assert_eq!(sign_in(&world, &op).await.text, "granted bob2 fed \"xyz\"");
    let name = DisplayName::parse("name", "Developers").unwrap();
    let new = groups::NewGroup { name, description: String::new(), kind: GroupKind::Local };
    let developers = groups::create(&world.deps, &root(), new).await.unwrap();
    let span = odcm::core::directory::Span::ALWAYS;
    odcm::accounts::memberships::add(&world.deps, &root(), &developers, &Subject::Person(other.clone()), span).await.unwrap();
    let held = async |who: &PersonId| {
        let rows = memberships::of_member(&mut &world.deps.db, &Subject::Person(who.clone())).await.unwrap();
        rows.into_iter().map(|row| row.assertion.group).collect::<Vec<_>>()
    };
    let facts = odcm::storage::directory::everything(&mut &world.deps.db).await.unwrap();
    let expected = merging::facts_after(&facts, &world.bob, &other).unwrap();

    let join = merging::join(&world.deps, &root(), &world.bob, &other).await.unwrap();
    let after = odcm::storage::directory::everything(&mut &world.deps.db).await.unwrap();
    assert_eq!(after.people, expected.people, "the dry run tells the truth");
    assert_eq!((held(&world.bob).await, held(&other).await), (vec![developers.clone()], vec![]));
    assert_eq!(sign_in(&world, &op).await.text, "granted bob fed \"xyz\"");
    assert!(merging::join(&world.deps, &root(), &world.bob, &world.bob).await.is_err());
    assert!(merging::join(&world.deps, &root(), &other, &world.bob).await.is_err(), "the one who went keeps nobody");

    merging::undo(&world.deps, &root(), &join).await.unwrap();
    assert_eq!((held(&world.bob).await, held(&other).await), (vec![], vec![developers]));
    assert_eq!(sign_in(&world, &op).await.text, "granted bob2 fed \"xyz\"");
    assert_eq!(odcm::storage::directory::everything(&mut &world.deps.db).await.unwrap().people, facts.people);
    assert!(merging::undo(&world.deps, &root(), &join).await.is_err(), "once");
}
