//! The portal says what an act does before it is done, names people instead of ids, and shows long lists page by page.

use crate::portal_world::{says, system, world};
use axum::http::StatusCode;
use odcm::accounts::people::{NewPerson, create};
use odcm::accounts::{emails, links};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::PersonId;
use odcm::core::text::{DisplayName, Email, Username};
use odcm::deps::Deps;
use odcm::storage::{memberships, reports};
use odcm::testing::deps;
use serde_json::json;

/// Somebody without a password.
async fn plain(deps: &Deps, username: &str, name: &str) -> PersonId {
    let new = NewPerson {
        username: Username::parse(username).unwrap(),
        display_name: DisplayName::parse("name", name).unwrap(),
        email: Email::parse(&format!("{username}@example.com")).unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    create(deps, &system(), new).await.unwrap().id
}

#[tokio::test]
async fn a_one_time_link_and_the_removal_of_an_address_are_asked_first() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let here = format!("/admin/people/{}", w.bob);
    let old = links::create(&w.deps, &system(), &w.bob).await.unwrap();
    let ask = ada.get(&format!("{here}/link")).await;
    assert!(says(&ask, "present password of Bob Specialist is replaced") && says(&ask, "Links made before stop working"));
    assert!(links::look(&w.deps, &old.secret).await.unwrap().is_some(), "asking changes nothing");
    let once = ada.submit(&ask, "/link", &[]).await;
    assert!(says(&once, "id.example.com/link/"), "{}", once.text);
    assert!(links::look(&w.deps, &old.secret).await.unwrap().is_none());

    let address = Email::parse("bob@home.example").unwrap();
    let email = emails::add(&w.deps, &system(), &w.bob, &address, true).await.unwrap();
    let page = ada.get(&here).await;
    assert!(says(&page, &format!("{here}/emails/{email}/remove")), "{}", page.text);
    let ask = ada.get(&format!("{here}/emails/{email}/remove")).await;
    assert!(says(&ask, "Remove the address bob@home.example?") && says(&ask, "can no longer sign in with it"), "{}", ask.text);
    assert!(says(&ada.get(&here).await, "bob@home.example"), "asking changes nothing");
    let done = ada.submit(&ask, "/remove", &[]).await;
    assert!(says(&done, "Removed."));
    assert!(!ada.get(&here).await.text.contains(&format!("emails/{email}")));
    // an address of somebody else is not reached through this person
    let other = emails::add(&w.deps, &system(), &w.carl, &Email::parse("carl@home.example").unwrap(), false).await.unwrap();
    assert_eq!(ada.get(&format!("{here}/emails/{other}/remove")).await.status, StatusCode::NOT_FOUND);
    // the one that Spaces know stays, and the page says so instead of breaking
    let own = odcm::storage::emails::of_person(&mut &w.deps.db, &w.bob).await.unwrap().remove(0);
    let ask = ada.get(&format!("{here}/emails/{}/remove", own.id)).await;
    let refused = ada.submit(&ask, "/remove", &[]).await;
    assert!(refused.status == StatusCode::CONFLICT && refused.text.contains("role=\"alert\""), "{}", refused.text);
}

#[tokio::test]
async fn a_person_comes_into_a_group_from_their_own_page() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let here = format!("/admin/people/{}", w.carl);
    assert!(says(&ada.get(&here).await, &format!("{here}/groups/add")));
    let pick = ada.get(&format!("{here}/groups/add?q=staff")).await;
    assert!(says(&pick, "Put Carl Contractor into a group") && says(&pick, &format!("group:{}", w.staff)));
    assert!(!says(&pick, "person:"), "only groups are offered");
    let ask = ada.open(&format!("{here}/groups/add?who=group:{}&until=2027-01-31T18:00", w.staff)).await;
    assert!(says(&ask, "Put Carl Contractor into Staff?") && ask.input("until").contains("2027-01-31"), "{}", ask.text);
    let done =
        ada.submit(&ask, "/members/add", &[("who", &ask.input("who")), ("from", ""), ("until", &ask.input("until"))]).await;
    assert!(says(&done, "Added."));
    let row = memberships::find(&mut &w.deps.db, &w.staff, &Subject::Person(w.carl.clone()), "manual").await.unwrap();
    assert!(row.is_some());
    // who may not change groups is not led there
    let mut olga = w.signed_in("olga").await;
    assert!(!says(&olga.get(&here).await, "/groups/add"));
    assert_eq!(olga.get(&format!("{here}/groups/add")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn events_name_people_and_come_page_by_page() {
    let w = world(deps().await).await;
    let now = w.deps.clock.now();
    let item = format!("member/{}/{}", w.developers, w.bob);
    odcm::run_tx!(w.deps.db, "test.events", |tx| {
        for n in 0..60 {
            let detail = json!({"item": item, "found": format!("edit {n} of bob"), "by": "admin", "action": "repaired"});
            reports::add_event(tx, &w.deps.entropy, &w.mars, now, now, "drift", &detail).await?;
        }
        Ok::<_, odcm::storage::Error>(())
    })
    .unwrap();
    let here = format!("/admin/spaces/{}/events", w.mars);
    let mut ada = w.signed_in("ada").await;
    let page = ada.get(&here).await;
    assert!(says(&page, "edit 59 of bob by admin, inside the Space") && !says(&page, "edit 9 of bob"), "{}", page.text);
    assert!(says(&page, "Bob Specialist</a>") && says(&page, "Developers</a>"), "names, as links");
    assert!(!page.text.contains(&item), "no raw ids");
    let next = page.text.split("?before=").nth(1).expect("there are more").split('"').next().unwrap().to_owned();
    let second = ada.get(&format!("{here}?before={next}")).await;
    assert!(says(&second, "edit 9 of bob") && !says(&second, "edit 10 of bob by"), "{}", second.text);
    // the administrator of the Space reads the names, without links to pages that are closed to them
    let mut sam = w.signed_in("sam").await;
    let page = sam.get(&here).await;
    assert!(says(&page, "Bob Specialist") && !page.text.contains(&format!("/admin/people/{}", w.bob)), "{}", page.text);
    let status = sam.get(&format!("/admin/spaces/{}", w.mars)).await;
    assert!(says(&status, "Carl Contractor") && !status.text.contains("/admin/people/"), "{}", status.text);
}

#[tokio::test]
async fn long_lists_of_members_are_searched_and_come_page_by_page() {
    let w = world(deps().await).await;
    for n in 0..60 {
        let id = plain(&w.deps, &format!("extra{n:02}"), &format!("Extra Person {n:02}")).await;
        let member = Subject::Person(id);
        odcm::accounts::memberships::add(&w.deps, &system(), &w.developers, &member, Span::ALWAYS).await.unwrap();
        odcm::accounts::grants::add(&w.deps, &system(), &w.mars, &member, Span::ALWAYS).await.unwrap();
    }
    // as links: the history below names them too
    let mut ada = w.signed_in("ada").await;
    for page in [format!("/admin/groups/{}", w.developers), format!("/admin/spaces/{}/access", w.mars)] {
        let first = ada.get(&page).await;
        assert!(says(&first, "Extra Person 01</a>") && !says(&first, "Extra Person 59</a>"), "{}", first.text);
        let next = first.text.split("rel=\"next\" href=\"").nth(1).expect("more").split('"').next().unwrap();
        let second = ada.get(&next.replace("&amp;", "&")).await;
        assert!(!says(&second, "Extra Person 01</a>") && says(&second, "Extra Person 59</a>"), "{}", second.text);
        let found = ada.get(&format!("{page}?q=extra+person+59")).await;
        assert!(says(&found, "Extra Person 59</a>") && !says(&found, "Extra Person 58</a>"), "{}", found.text);
        let none = ada.get(&format!("{page}?q=nobody+like+that")).await;
        assert!(says(&none, "found") && says(&none, "Show all") && none.input("q") == "nobody like that", "{}", none.text);
    }
}

#[tokio::test]
async fn a_no_leads_to_the_step_that_makes_it_a_yes_and_forgetting_a_space_says_who_loses_it() {
    let w = world(deps().await).await;
    let dora = plain(&w.deps, "dora", "Dora Newcomer").await;
    let mut ada = w.signed_in("ada").await;
    let page = ada.get(&format!("/admin/explain?who=dora&space={}", w.mars)).await;
    assert!(says(&page, "Put Dora Newcomer into Staff") && says(&page, "Grant Mars to Dora Newcomer"), "{}", page.text);
    let step = format!("/admin/groups/{}/members/check?who=person%3A{dora}", w.staff);
    assert!(says(&page, &step), "{}", page.text);
    let ask = ada.get(&step).await;
    assert!(says(&ask, "Put Dora Newcomer into Staff?") && says(&ask, "gains"), "{}", ask.text);
    // an auditor may ask, and is offered nothing that is closed to them
    let mut olga = w.signed_in("olga").await;
    let page = olga.get(&format!("/admin/explain?who=dora&space={}", w.mars)).await;
    assert!(says(&page, "Dora Newcomer may not enter Mars") && !says(&page, "/members/check"), "{}", page.text);
    // un-enlisting
    let ask = ada.get(&format!("/admin/spaces/{}/remove", w.mars)).await;
    assert!(says(&ask, "Bob Specialist</strong> entry") && says(&ask, "Carl Contractor</strong> entry"), "{}", ask.text);
    assert!(!says(&ask, "Venus"), "only what hangs on this Space");
}

#[tokio::test]
async fn a_recovery_on_the_host_is_announced_for_a_week() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    assert!(!says(&ada.get("/admin").await, "was made an owner"));
    odcm::accounts::recovery::recover(&w.deps, &system(), &w.bob).await.unwrap();
    let page = ada.get("/admin").await;
    assert!(says(&page, "was made an owner") && says(&page, "Bob Specialist"), "{}", page.text);
    let line = ada.get("/admin/audit?action=admin.recover").await;
    assert!(says(&line, "admin.recover"), "{}", line.text);
    w.deps.hand.advance_ms(8 * 86_400_000);
    let mut ada = w.signed_in("ada").await;
    assert!(!says(&ada.get("/admin").await, "was made an owner"));
}
