//! How a person signs in, on their page in the portal: identities, sessions, API tokens, consents; and external groups.

use crate::portal_world::{says, world};
use axum::http::StatusCode;
use odcm::accounts::identities::{self, NewIdentity};
use odcm::accounts::{api_tokens, clients};
use odcm::core::client::{ClientKind, ClientSettings};
use odcm::core::ids::ClientId;
use odcm::core::policy::{Actor, TokenScopes, Via};
use odcm::core::text::DisplayName;
use odcm::storage::{consent, emails};
use odcm::testing::deps;

#[tokio::test]
async fn an_identity_is_linked_and_unlinked() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let bob = format!("/admin/people/{}", w.bob);
    let form = ada.get(&format!("{bob}/identities/add")).await;
    assert!(says(&form, "No provider is connected yet") && says(&form, "signs in as Bob Specialist"), "{}", form.text);
    let wrong = [("provider", "Entra!"), ("subject", "S-1"), ("label", "bob@contoso.com")];
    let answer = ada.submit(&form, "/identities/add", &wrong).await;
    assert!(
        answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.text.contains("id=\"provider-error\""),
        "{}",
        answer.text
    );
    assert_eq!(answer.input("subject"), "S-1", "what was typed is kept");
    let right = [("provider", "entra"), ("subject", "S-1"), ("label", "bob@contoso.com")];
    let page = ada.submit(&form, "/identities/add", &right).await;
    assert!(says(&page, "bob@contoso.com") && says(&page, "S-1") && says(&page, "never used"), "{}", page.text);
    assert!(says(&page, "identity.link"), "the history says so");
    // one identity, one person
    let form = ada.get(&format!("/admin/people/{}/identities/add", w.carl)).await;
    let answer = ada.submit(&form, "/identities/add", &right).await;
    assert!(answer.status == StatusCode::CONFLICT && says(&answer, "belongs to somebody else"), "{}", answer.text);
    // asked before it is done
    let id = emails::identities(&mut &w.deps.db, &w.bob).await.unwrap().remove(0).id;
    let ask = ada.get(&format!("{bob}/identities/{id}/remove")).await;
    assert!(says(&ask, "Sessions in which it was used end") && !says(&ask, "only way in"), "{}", ask.text);
    assert!(says(&ada.get(&bob).await, "bob@contoso.com"), "asking changes nothing");
    let page = ada.submit(&ask, "/remove", &[]).await;
    assert!(says(&page, "Removed.") && says(&page, "None.") && says(&page, "identity.unlink"), "{}", page.text);
    // who has nothing else is warned of
    let dora = crate::login_world::person(&w.deps, "dora", "Dora").await;
    let new = NewIdentity::parse("entra", "S-2", "").unwrap();
    let id = identities::link(&w.deps, &crate::portal_world::system(), &dora, &new).await.unwrap();
    let ask = ada.get(&format!("/admin/people/{dora}/identities/{id}/remove")).await;
    assert!(says(&ask, "It is the only way in"), "{}", ask.text);
    // not for those who may only read
    let mut olga = w.signed_in("olga").await;
    let page = olga.get(&format!("/admin/people/{dora}")).await;
    assert!(says(&page, "S-2") && !says(&page, "Unlink") && !says(&page, "Link identity"));
    for hidden in [format!("{bob}/identities/add"), format!("/admin/people/{dora}/identities/{id}/remove")] {
        assert_eq!(olga.get(&hidden).await.status, StatusCode::NOT_FOUND, "{hidden}");
    }
    let csrf = olga.get("/admin/tokens/new").await.input("csrf");
    let answer = olga.post(&format!("/admin/people/{dora}/identities/{id}/remove"), &[("csrf", &csrf)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(emails::identities(&mut &w.deps.db, &dora).await.unwrap().len(), 1);
}

#[tokio::test]
async fn sessions_tokens_and_consents_of_somebody_are_listed_and_ended() {
    let w = world(deps().await).await;
    let (mut ada, mut first, mut second) = (w.signed_in("ada").await, w.signed_in("bob").await, w.signed_in("bob").await);
    let bob = format!("/admin/people/{}", w.bob);
    let page = ada.get(&bob).await;
    assert_eq!(page.text.matches("End the session of").count(), 2, "{}", page.text);
    assert!(says(&page, "192.0.2.10") && says(&page, "password"));
    let done = ada.submit(&page, "/end", &[]).await;
    assert!(says(&done, "The session has ended") && done.text.matches("End the session of").count() == 1, "{}", done.text);
    let over = [first.get("/account").await, second.get("/account").await].iter().filter(|a| a.status.is_redirection()).count();
    assert_eq!(over, 1, "one of the two");
    // a token
    let name = DisplayName::parse("name", "nightly").unwrap();
    let host = Actor { via: Via::Host, ..Actor::system("test") };
    let token = api_tokens::create(&w.deps, &host, &w.bob, &name, TokenScopes { write: false }, 3600).await.unwrap();
    assert!(says(&ada.get(&bob).await, "nightly"));
    let ask = ada.get(&format!("{bob}/tokens/{}/revoke", token.id)).await;
    assert!(says(&ask, "Revoke the token “nightly” of Bob Specialist?"), "{}", ask.text);
    let wrong = ada.get(&format!("/admin/people/{}/tokens/{}/revoke", w.carl, token.id)).await;
    assert_eq!(wrong.status, StatusCode::NOT_FOUND, "it is not Carl's");
    assert!(says(&ada.submit(&ask, "/revoke", &[]).await, "revoked"));
    assert!(api_tokens::authenticate(&w.deps, &token.secret).await.unwrap().is_none());
    // a consent
    let wiki = ClientId::parse("wiki").unwrap();
    let settings = ClientSettings::for_application(&ClientKind::Confidential, vec!["https://wiki.example.com/cb".into()]);
    let (kind, groups) = (ClientKind::Confidential, Default::default());
    let new = clients::NewClient { id: Some(wiki.clone()), kind, name: "Wiki".into(), settings, groups };
    clients::create(&w.deps, &host, new).await.unwrap();
    consent::grant(&w.deps.db, &w.bob, &wiki, &["openid".to_owned(), "email".to_owned()], w.deps.clock.now()).await.unwrap();
    let page = ada.get(&bob).await;
    assert!(says(&page, "What the person allowed applications") && says(&page, "see your e-mail address"), "{}", page.text);
    let ask = ada.get(&format!("{bob}/consents/wiki/withdraw")).await;
    assert!(says(&ask, "Withdraw what Bob Specialist allowed Wiki?"));
    let page = ada.submit(&ask, "/withdraw", &[]).await;
    assert!(says(&page, "Withdrawn") && says(&page, "consent.withdraw"), "{}", page.text);
    assert!(consent::of_person(&mut &w.deps.db, &w.bob).await.unwrap().is_empty());
    assert_eq!(ada.get(&format!("{bob}/consents/wiki/withdraw")).await.status, StatusCode::NOT_FOUND);
    // an auditor reads them, and ends nothing
    let mut olga = w.signed_in("olga").await;
    let page = olga.get(&bob).await;
    assert!(says(&page, "192.0.2.10") && !says(&page, "End the session of"), "{}", page.text);
}

#[tokio::test]
async fn an_external_group_waits_for_its_directory() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let form = ada.get("/admin/groups/new").await;
    assert!(says(&form, "stays empty until its directory is connected"), "{}", form.text);
    let answer = ada
        .submit(&form, "/groups/new", &[("name", "Cloud"), ("kind", "external"), ("provider", ""), ("external_id", "x")])
        .await;
    assert!(
        answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.text.contains("id=\"provider-error\""),
        "{}",
        answer.text
    );
    let answer = ada.submit(&form, "/groups/new", &[("name", "Cloud"), ("kind", "other")]).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.text.contains("id=\"kind-error\""), "{}", answer.text);
    let typed = [("name", "Cloud"), ("kind", "external"), ("provider", "entra"), ("external_id", "0b9f")];
    let page = ada.submit(&form, "/groups/new", &typed).await;
    assert!(
        says(&page, "An external group") && says(&page, "0b9f") && says(&page, "It fills once its directory is connected"),
        "{}",
        page.text
    );
    assert!(!says(&page, "Add member"));
    assert!(says(&ada.get("/admin/groups").await, "external: entra"));
    let again = ada
        .submit(
            &form,
            "/groups/new",
            &[("name", "Cloud 2"), ("kind", "external"), ("provider", "entra"), ("external_id", "0b9f")],
        )
        .await;
    assert!(
        again.status == StatusCode::CONFLICT && again.text.contains("id=\"external_id-error\""),
        "{} {}",
        again.status,
        again.text
    );
    // what the form says of owners is what they may
    let rights = ada.get(&format!("/admin/rights/new?who=person:{}&scope=all", w.bob)).await;
    assert!(says(&rights, "of one Space or group, what its administrator may"), "{}", rights.text);
}
