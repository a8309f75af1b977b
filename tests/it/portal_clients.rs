//! Whom a client admits, in the portal and in the API: a restriction is never lost by saving something else, and never
//! opened without being asked.

use crate::portal_world::{World, says, system, world};
use crate::visitor::Visitor;
use axum::http::StatusCode;
use odcm::accounts::clients::{EditClient, NewClient, create, edit};
use odcm::accounts::{self, access::admits_client};
use odcm::core::client::{ClientKind, ClientSettings};
use odcm::core::ids::{ClientId, GroupId, PersonId};
use odcm::storage::groups::{self, Group, GroupKind};
use odcm::storage::{self, clients};
use odcm::testing::deps;
use std::collections::BTreeSet;

async fn groups_of(w: &World) -> Vec<GroupId> {
    clients::groups(&mut &w.deps.db, &wiki()).await.unwrap()
}

fn wiki() -> ClientId {
    ClientId::parse("wiki").unwrap()
}

async fn admits(w: &World, person: &PersonId) -> bool {
    admits_client(&mut &w.deps.db, person, &wiki(), w.deps.clock.now()).await.unwrap()
}

async fn client(w: &World, name: &str, id: &ClientId, only: &[&GroupId]) {
    let kind = ClientKind::Confidential;
    let settings = ClientSettings::for_application(&kind, vec!["https://wiki.example.com/cb".into()]);
    let groups = only.iter().map(|g| (*g).clone()).collect();
    let new = NewClient { id: Some(id.clone()), kind, name: name.into(), settings, groups };
    create(&w.deps, &system(), new).await.unwrap();
}

/// Groups that are sorted before all others.
async fn crowd(w: &World, count: usize) -> Vec<GroupId> {
    let now = w.deps.clock.now();
    let ids: Vec<GroupId> = (0..count).map(|_| GroupId::from_uuid(w.deps.entropy.id(now))).collect();
    let made: storage::Result<()> = odcm::run_tx!(w.deps.db, "test.crowd", |tx| {
        for (n, id) in ids.iter().enumerate() {
            let name = format!("a crowd {n:04}");
            let id = id.clone();
            let (kind, description) = (GroupKind::Local, String::new());
            let group = Group { id, kind, name: name.clone(), description, created_at: now, updated_at: now, version: 1 };
            groups::insert(tx, &group, &name).await?;
        }
        Ok(())
    });
    made.unwrap();
    ids
}

async fn rename(ada: &mut Visitor, name: &str) {
    let form = ada.get("/admin/clients/wiki/edit").await;
    let version = form.input("version");
    let fields = [
        ("name", name),
        ("redirect_uris", "https://wiki.example.com/cb"),
        ("grant_types", "authorization_code"),
        ("scopes", "openid"),
        ("signing_alg", "RS256"),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("require_pkce", "true"),
        ("version", version.as_str()),
    ];
    let page = ada.submit(&form, "/edit", &fields).await;
    assert!(says(&page, "Saved.") && says(&page, name), "{}", page.text);
}

#[tokio::test]
async fn editing_a_client_loses_no_restriction_however_many_groups_there_are() {
    let w = world(deps().await).await;
    crowd(&w, 230).await;
    client(&w, "Wiki", &wiki(), &[&w.developers, &w.staff]).await;
    let mut ada = w.signed_in("ada").await;
    let page = ada.get("/admin/clients/wiki").await;
    assert!(says(&page, "Developers") && says(&page, "Staff"), "both sort behind the crowd: {}", page.text);
    let mut before = vec![w.developers.clone(), w.staff.clone()];
    before.sort();
    rename(&mut ada, "Encyclopedia").await;
    assert_eq!(groups_of(&w).await, before);
    // one of them, by hand: the other stays
    let ask = ada.get(&format!("/admin/clients/wiki/groups/remove?who=group:{}", w.developers)).await;
    assert!(says(&ask, "Take Developers from Encyclopedia?") && !says(&ask, "every active person"), "{}", ask.text);
    let (who, version) = (ask.input("who"), ask.input("version"));
    ada.submit(&ask, "/groups/remove", &[("who", &who), ("version", &version)]).await;
    assert_eq!(groups_of(&w).await, std::slice::from_ref(&w.staff));
    // somebody who saw another state changes nothing
    let stale = ada.submit(&ask, "/groups/remove", &[("who", &who), ("version", &version)]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    // more than a screen of groups can be searched
    let pick = ada.get("/admin/clients/wiki/groups/add?q=velop").await;
    assert!(says(&pick, "Developers") && !says(&pick, "crowd"), "{}", pick.text);
}

#[tokio::test]
async fn opening_a_client_is_said_and_asked() {
    let w = world(deps().await).await;
    client(&w, "Wiki", &wiki(), &[&w.developers]).await;
    let gina = storage::people::by_sign_in_name(&mut &w.deps.db, "gina").await.unwrap().unwrap().id;
    assert!(admits(&w, &w.bob).await && !admits(&w, &gina).await);
    let mut ada = w.signed_in("ada").await;
    let ask = ada.get(&format!("/admin/clients/wiki/groups/remove?who=group:{}", w.developers)).await;
    assert!(says(&ask, "It is the last group: from then on every active person may use the client"), "{}", ask.text);
    assert!(says(&ask, "gains") && says(&ask, "Gina Groups") && !says(&ask, "loses"), "{}", ask.text);
    let (who, version) = (ask.input("who"), ask.input("version"));
    let refused = ada.submit(&ask, "/groups/remove", &[("who", &who), ("version", &version)]).await;
    assert!(refused.status == StatusCode::CONFLICT && says(&refused, "Confirm that"), "{}", refused.text);
    assert!(!admits(&w, &gina).await, "nothing happened");
    let fields = [("who", who.as_str()), ("version", version.as_str()), ("confirmed", "true")];
    ada.submit(&ask, "/groups/remove", &fields).await;
    assert!(admits(&w, &gina).await);
    // and shut again, one sees who loses it
    let ask = ada.get(&format!("/admin/clients/wiki/groups/check?who=group:{}", w.developers)).await;
    assert!(says(&ask, "Until now every active person may use it"), "{}", ask.text);
    assert!(says(&ask, "loses") && says(&ask, "Gina Groups") && !says(&ask, "Bob Specialist"), "{}", ask.text);
    let version = ask.input("version");
    ada.submit(&ask, "/groups/add", &[("who", &who), ("version", &version)]).await;
    assert!(!admits(&w, &gina).await && admits(&w, &w.bob).await);
    // off and on: by a question each, with the people
    let ask = ada.get("/admin/clients/wiki/disable").await;
    assert!(says(&ask, "loses") && says(&ask, "Bob Specialist") && !says(&ask, "Gina Groups"), "{}", ask.text);
    ada.submit(&ask, "/disable", &[]).await;
    let ask = ada.get("/admin/clients/wiki/enable").await;
    assert!(says(&ask, "gains") && says(&ask, "Bob Specialist"), "{}", ask.text);
    let page = ada.submit(&ask, "/enable", &[]).await;
    assert!(says(&page, "Disable") && groups_of(&w).await == [w.developers.clone()]);
}

#[tokio::test]
async fn a_client_is_restricted_to_so_many_groups_and_no_more() {
    let w = world(deps().await).await;
    let many = crowd(&w, 101).await;
    let of = |count: usize| many.iter().take(count).cloned().collect::<BTreeSet<_>>();
    let refused = |error: accounts::Error| match error {
        accounts::Error::Refused(refusal) => (refusal.code, refusal.field),
        other => panic!("{other}"),
    };
    let kind = ClientKind::Confidential;
    let settings = ClientSettings::for_application(&kind, vec!["https://wiki.example.com/cb".into()]);
    let new =
        |groups| NewClient { id: Some(wiki()), kind: kind.clone(), name: "Wiki".into(), settings: settings.clone(), groups };
    let error = create(&w.deps, &system(), new(of(101))).await.err().expect("too many");
    assert_eq!(refused(error), ("client.groups", Some("groups")));
    create(&w.deps, &system(), new(of(100))).await.unwrap();
    let more = EditClient { groups: Some(of(101)), ..EditClient::default() };
    assert_eq!(refused(edit(&w.deps, &system(), &wiki(), None, more).await.unwrap_err()), ("client.groups", Some("groups")));
    assert_eq!(groups_of(&w).await.len(), 100);
    // in the portal it is said beside what was picked
    let mut ada = w.signed_in("ada").await;
    let ask = ada.get(&format!("/admin/clients/wiki/groups/check?who=group:{}", w.developers)).await;
    let (who, version) = (ask.input("who"), ask.input("version"));
    let page = ada.submit(&ask, "/groups/add", &[("who", &who), ("version", &version)]).await;
    assert!(says(&page, "at most 100 groups"), "{}", page.text);
}

#[tokio::test]
async fn a_third_secret_says_which_one_ends() {
    let w = world(deps().await).await;
    client(&w, "Wiki", &wiki(), &[]).await;
    let mut ada = w.signed_in("ada").await;
    let ask = ada.get("/admin/clients/wiki/rotate").await;
    assert!(!says(&ask, "ends at once."), "one secret: it stays for a week: {}", ask.text);
    ada.submit(&ask, "/rotate", &[]).await;
    let ask = ada.get("/admin/clients/wiki/rotate").await;
    assert!(says(&ask, "The secret of generation 1 is still valid and ends at once."), "{}", ask.text);
}

#[tokio::test]
async fn clients_are_found_on_every_page() {
    let w = world(deps().await).await;
    for n in 0..60 {
        client(&w, &format!("Application {n}"), &ClientId::parse(&format!("app{n:03}")).unwrap(), &[]).await;
    }
    client(&w, "Übersicht", &ClientId::parse("zz-last").unwrap(), &[&w.developers]).await;
    let mut ada = w.signed_in("ada").await;
    let first = ada.get("/admin/clients").await;
    assert!(!says(&first, "zz-last") && says(&first, "rel=\"next\""), "it is on the second page");
    for q in ["zz-", "ZZ-LAST", "Übersicht", "bersicht"] {
        let found = ada.get(&format!("/admin/clients?q={}", q.replace('Ü', "%C3%9C"))).await;
        assert!(says(&found, "zz-last") && says(&found, "1 group") && !says(&found, "app000"), "{q}: {}", found.text);
    }
    let none = ada.get("/admin/clients?q=app%25").await;
    assert!(says(&none, "Nothing found"), "a wildcard is a plain character");
}
