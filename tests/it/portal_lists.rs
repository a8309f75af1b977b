//! Lists of the portal that are longer than a page: everything can be reached, figures are about everything.

use crate::portal_world::{World, says, system, world};
use crate::visitor::{Answer, Visitor};
use odcm::accounts::{grants, memberships, rights, spaces};
use odcm::core::directory::{Span, Subject};
use odcm::core::ids::{GroupId, PersonId, SpaceId};
use odcm::core::policy::{Right, Role, Scope};
use odcm::core::text::{DisplayName, Slug};
use odcm::storage;
use odcm::storage::groups::{self, Group, GroupKind};
use odcm::storage::people::{self, Person};
use odcm::storage::spaces::OfflinePolicy;
use odcm::testing::deps;
use std::collections::BTreeSet;

/// People and groups named "Crowd 000" and so on, in one transaction.
async fn crowd(w: &World, count: usize) -> (Vec<PersonId>, Vec<GroupId>) {
    let now = w.deps.clock.now();
    let ids: Vec<_> = (0..count).map(|_| (w.deps.entropy.id(now), w.deps.entropy.id(now))).collect();
    let made: storage::Result<()> = odcm::run_tx!(w.deps.db, "test.crowd", |tx| {
        for (n, (person, group)) in ids.iter().enumerate() {
            let name = format!("Crowd {n:03}");
            let person = Person {
                id: PersonId::from_uuid(*person),
                username: format!("crowd{n:03}"),
                space_email: format!("crowd{n:03}@example.com"),
                display_name: name.clone(),
                created_at: now,
                updated_at: now,
                version: 1,
                active: true,
            };
            people::insert(tx, &person, &name.to_lowercase()).await?;
            let (kind, description) = (GroupKind::Local, String::new());
            let group = Group {
                id: GroupId::from_uuid(*group),
                kind,
                name: name.clone(),
                description,
                created_at: now,
                updated_at: now,
                version: 1,
            };
            groups::insert(tx, &group, &name.to_lowercase()).await?;
        }
        Ok(())
    });
    made.unwrap();
    ids.into_iter().map(|(p, g)| (PersonId::from_uuid(p), GroupId::from_uuid(g))).unzip()
}

async fn fleet(w: &World, count: usize) -> Vec<SpaceId> {
    let mut made = Vec::new();
    for n in 0..count {
        let slug = format!("fleet{n:03}");
        let new = spaces::NewSpace {
            name: DisplayName::parse("name", &format!("Fleet {n:03}")).unwrap(),
            slug: Slug::parse(&slug).unwrap(),
            base_url: format!("https://{slug}.example.com"),
            description: String::new(),
            offline_policy: OfflinePolicy::Keep,
            revoke_api_keys: true,
        };
        made.push(spaces::enlist(&w.deps, &system(), new).await.unwrap());
    }
    made
}

/// What follows the heading with that id, to the end of its section.
fn section<'a>(page: &'a Answer, id: &str) -> &'a str {
    let rest = page.text.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {}", page.text));
    rest.split("</section>").next().unwrap()
}

/// The "next" link of the pager behind a heading's id.
fn next(page: &Answer, id: &str) -> Option<String> {
    let link = section(page, id).split("rel=\"next\" href=\"").nth(1)?;
    Some(link.split('"').next()?.replace("&amp;", "&"))
}

/// All labels that begin so, page by page; no label comes twice.
async fn walk(visitor: &mut Visitor, path: &str, id: &str, label: &str) -> Vec<String> {
    let (mut at, mut found, mut pages) = (Some(path.to_owned()), Vec::new(), 0);
    while let Some(path) = at {
        let page = visitor.get(&path).await;
        assert!(page.status.is_success(), "{path}: {}", page.text);
        found.extend(page.text.split(label).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        at = next(&page, id);
        pages += 1;
        assert!(pages < 20, "{path} does not end");
    }
    assert!(pages > 1, "one page only");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{found:?}");
    found
}

#[tokio::test]
async fn members_grants_and_publications_are_on_pages() {
    let w = world(deps().await).await;
    let (people, groups) = crowd(&w, 60).await;
    for (person, group) in people.iter().zip(&groups) {
        memberships::add(&w.deps, &system(), &w.staff, &Subject::Person(person.clone()), Span::ALWAYS).await.unwrap();
        grants::add(&w.deps, &system(), &w.mars, &Subject::Group(group.clone()), Span::ALWAYS).await.unwrap();
        spaces::publish(&w.deps, &system(), &w.mars, group).await.unwrap();
    }
    let mut ada = w.signed_in("ada").await;
    let group = format!("/admin/groups/{}", w.staff);
    let members = walk(&mut ada, &group, "members", "aria-label=\"Remove ").await;
    assert_eq!(members.len(), 61, "sixty people and the group Developers");
    let found = ada.get(&format!("{group}?q=crowd05")).await;
    // the members only: the history below names others
    let found = section(&found, "members");
    assert!(found.contains("Crowd 050") && found.contains("Crowd 059") && !found.contains("Crowd 049"), "by user name: {found}");
    let found = ada.get(&format!("{group}?q=DEVEL")).await;
    let found = section(&found, "members");
    assert!(found.contains("Remove Developers") && !found.contains("Crowd"), "{found}");
    let access = format!("/admin/spaces/{}/access", w.mars);
    assert_eq!(walk(&mut ada, &access, "grants", "aria-label=\"Revoke the grant of ").await.len(), 61);
    assert_eq!(walk(&mut ada, &access, "published", "aria-label=\"Take ").await.len(), 60);
    let found = ada.get(&format!("{access}?q=staff")).await;
    assert!(says(&found, "Revoke the grant of Staff") && !says(&found, "Revoke the grant of Crowd"), "{}", found.text);
}

#[tokio::test]
async fn rights_are_on_pages_and_their_scope_is_searched() {
    let w = world(deps().await).await;
    let (people, groups) = crowd(&w, 60).await;
    for (person, group) in people.iter().zip(&groups) {
        let right = Right { role: Role::GroupAdmin, scope: Scope::Group(group.clone()) };
        rights::give(&w.deps, &system(), person, &right, None).await.unwrap();
    }
    let mut ada = w.signed_in("ada").await;
    let all = walk(&mut ada, "/admin/rights", "main", "aria-label=\"Take the right ").await;
    assert_eq!(all.len(), 64);
    let pick = ada.get(&format!("/admin/rights/scope?who=person:{}", w.bob)).await;
    assert!(says(&pick, "There are more") && !says(&pick, "Staff"), "{}", pick.text);
    let pick = ada.get(&format!("/admin/rights/scope?who=person:{}&q=staff", w.bob)).await;
    assert!(pick.text.contains(&format!("value=\"group:{}\"", w.staff)) && pick.input("who").ends_with(w.bob.as_str()));
}

#[tokio::test]
async fn a_fleet_is_counted_whole_and_found_by_name() {
    let w = world(deps().await).await;
    let made = fleet(&w, 60).await;
    let mut ada = w.signed_in("ada").await;
    let page = ada.get("/admin").await;
    assert!(says(&page, "1 of 62") && says(&page, "These are 50 of 62 Spaces"), "{}", page.text);
    // Mars has something to decide and comes first, although its name does not
    let at = |text: &str| page.text.find(text).unwrap_or(usize::MAX);
    assert!(at(">Mars</a>") < at(">Fleet 000</a>") && at(">Fleet 000</a>") < usize::MAX);
    assert_eq!(at(">Fleet 059</a>"), usize::MAX);
    // what happens beyond the first fifty counts
    let item = storage::reports::ItemRow {
        section: "access".into(),
        item: "team/Teams-1".into(),
        state: "failed".into(),
        message: None,
        residual: "[]".into(),
        updated_at: w.deps.clock.now(),
    };
    let last = made.last().unwrap();
    odcm::run_tx!(w.deps.db, "test.item", |tx| storage::reports::put_item(tx, last, &item).await).unwrap();
    let page = ada.get("/admin").await;
    assert!(says(&page, ">Fleet 059</a>"), "it needs a look: {}", page.text);
    let failed = page.text.split("Failed items").nth(1).unwrap();
    assert!(failed.starts_with("</span><strong><span class=\"status bad\">2</span>"), "{failed}");
    // questions about a Space that no list shows
    for (typed, answer) in [("Fleet 059", true), ("fleet059", true), (last.as_str(), true), ("Fleet", false)] {
        let typed = typed.replace(' ', "+");
        let page = ada.get(&format!("/admin/explain?who=bob&space={typed}")).await;
        assert!(says(&page, "Bob Specialist may not enter Fleet 059") == answer, "{typed}: {}", page.text);
        assert!(says(&page, "Which Space do you mean?") != answer && !page.text.contains("<select"), "{typed}: {}", page.text);
        let page = ada.get(&format!("/admin/audit?space={typed}")).await;
        assert!(says(&page, "space.enlist") == answer && !says(&page, "Fleet 058"), "{typed}: {}", page.text);
    }
    let page = ada.get("/admin/explain/change?change=grant&who=bob&target=fleet059").await;
    assert!(says(&page, "gains") && says(&page, "Fleet 059"), "{}", page.text);
}

#[tokio::test]
async fn however_many_inner_spaces_are_closed_failures_are_shown_and_the_other_way_round() {
    let w = world(deps().await).await;
    let now = w.deps.clock.now();
    let item = |section: &str, item: String, state: &str| storage::reports::ItemRow {
        section: section.into(),
        item,
        state: state.into(),
        message: None,
        residual: "[]".into(),
        updated_at: now,
    };
    let closed = (0..130).map(|n| item("inner_spaces", format!("inner-space/Spaces-{n:03}"), "closed"));
    let failed = (0..130).map(|n| item("access", format!("team/Teams-{n:03}"), "failed"));
    let rows: Vec<_> = closed.chain(failed).collect();
    let stored: storage::Result<()> = odcm::run_tx!(w.deps.db, "test.items", |tx| {
        for row in &rows {
            storage::reports::put_item(tx, &w.mars, row).await?;
        }
        Ok(())
    });
    stored.unwrap();
    let mut ada = w.signed_in("ada").await;
    let page = ada.get(&format!("/admin/spaces/{}", w.mars)).await;
    let count = |text: &str| page.text.matches(text).count();
    assert!(says(&page, "inner-space/Spaces-000") && says(&page, "team/Teams-000"), "{}", page.text);
    assert!(count("<code>inner-space/") <= 100 && count("<code>team/") <= 100, "{}", page.text);
}

#[tokio::test]
async fn decisions_are_on_pages_and_the_open_ones_can_be_seen_alone() {
    let w = world(deps().await).await;
    let (people, _) = crowd(&w, 40).await;
    let now = w.deps.clock.now();
    let candidate = |person: &PersonId| {
        serde_json::json!({"person": person, "account": format!("Users-{person}"), "username": "u", "email": "e@example.com",
            "display_name": "D", "matched_on": ["email"], "active": true, "may_have_password": true, "identities": [], "teams": []})
        .to_string()
    };
    let made: storage::Result<()> = odcm::run_tx!(w.deps.db, "test.candidates", |tx| {
        for person in &people {
            storage::adoption::put(tx, &w.mars, person, &format!("Users-{person}"), &candidate(person), now).await?;
        }
        Ok(())
    });
    made.unwrap();
    let decided = odcm_wire_decision();
    odcm::accounts::agents::decide_adoption(&w.deps, &system(), &w.mars, &people[7], &decided).await.unwrap();
    let mut ada = w.signed_in("ada").await;
    let path = format!("/admin/spaces/{}/decisions", w.mars);
    assert_eq!(walk(&mut ada, &path, "adoptions", "<h3 id=\"a-").await.len(), 41, "forty and Bob");
    let open = walk(&mut ada, &format!("{path}?show=open"), "adoptions", "<h3 id=\"a-").await;
    assert!(open.len() == 40 && !open.iter().any(|id| id.starts_with(people[7].as_str())), "{open:?}");
}

fn odcm_wire_decision() -> odcm_wire::v1::AdoptionDecision {
    odcm_wire::v1::AdoptionDecision::CreateNew
}
