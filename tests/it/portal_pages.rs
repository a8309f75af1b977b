//! Every page of the portal for nobody, for somebody without the right, and for whoever may; and what scoped
//! administrators see.

use crate::portal_world::{ORIGIN, World, says, world};
use crate::visitor::Visitor;
use axum::http::StatusCode;
use odcm::testing::deps;

async fn pages(w: &World) -> Vec<(String, &'static str)> {
    let (group, space, bob) =
        (format!("/admin/groups/{}", w.developers), format!("/admin/spaces/{}", w.mars), format!("/admin/people/{}", w.bob));
    vec![
        ("/admin".into(), "Dashboard"),
        ("/admin/people".into(), "Bob Specialist"),
        ("/admin/people?q=SPECI&state=active".into(), "Bob Specialist"),
        ("/admin/people?q=nobody-at-all".into(), "Nothing found"),
        ("/admin/people/new".into(), "Create person"),
        (bob.clone(), "Why?"),
        (format!("{bob}/edit"), "Edit person"),
        (format!("{bob}/disable"), "loses"),
        (format!("{bob}/sessions"), "End all sessions"),
        (format!("{bob}/emails/add"), "Add an e-mail address"),
        ("/admin/groups".into(), "Developers"),
        ("/admin/groups/new".into(), "Create group"),
        (group.clone(), w.developers.as_str().to_owned().leak()),
        (format!("{group}/edit"), "Edit group"),
        (format!("{group}/delete"), "loses"),
        (format!("{group}/delete"), "2 members, 1 place in another group"),
        (format!("{group}?q=specia"), "Bob Specialist"),
        (format!("{group}?q=xyz"), "No member fits the search"),
        (format!("{group}/members/add?q=gina"), "Gina Groups"),
        (format!("{group}/members/span?who=person:{}", w.carl), "Until (UTC)"),
        (format!("{group}/members/remove?who=person:{}", w.bob), "loses"),
        ("/admin/spaces".into(), "https://mars.example.com"),
        ("/admin/spaces/new".into(), "Enlist a Space"),
        (space.clone(), "revision 5"),
        (format!("{space}/access"), "Space Managers"),
        (format!("{space}/decisions"), "bobby"),
        (format!("{space}/events"), "Drift found and repaired"),
        (format!("{space}/settings"), "Make enrolment code"),
        (format!("{space}/edit"), "Edit Space"),
        (format!("{space}/remove"), "restore-auth"),
        (format!("{space}/remove"), "loses"),
        (format!("{space}/agent/revoke"), "The agent is connected at this moment"),
        (format!("{space}/grants/add?q=Dev"), "Developers"),
        (format!("{space}/groups/publish?q=Dev"), "Developers"),
        (format!("{space}/sweeps?team=Teams-7"), "Carl Contractor"),
        (format!("/admin/explain?who=bob&space={}", w.mars), "Bob Specialist may enter Mars"),
        (format!("/admin/explain?who=gina&space={}", w.mars), "Gina Groups may not enter Mars"),
        ("/admin/explain?who=o".into(), "Whom do you mean?"),
        ("/admin/explain?who=bob&space=mars".into(), "Bob Specialist may enter Mars"),
        ("/admin/explain?who=bob&space=s".into(), "Which Space do you mean?"),
        ("/admin/explain?who=bob&space=pluto".into(), "No Space is found under that name"),
        ("/admin/audit?space=venus".into(), "space.enlist"),
        ("/admin/audit?space=s".into(), "Write the whole name"),
        ("/admin/audit?space=pluto".into(), "Nothing found"),
        ("/admin/explain/change?change=join&who=gina&target=Developers".into(), "Gina Groups"),
        ("/admin/explain/change?change=revoke&who=Staff&target=Mars".into(), "loses"),
        ("/admin/audit".into(), "grant.add"),
        ("/admin/audit?action=right.&kind=person".into(), "right.give"),
        ("/admin/rights".into(), "Olga Auditor"),
        ("/admin/rights/give?q=bob".into(), "Bob Specialist"),
        (format!("/admin/rights/scope?who=person:{}&q=Devel", w.bob), "Developers"),
        (format!("/admin/rights/new?who=person:{}&scope=group:{}", w.bob, w.developers), "group Developers"),
        ("/admin/tokens".into(), "No tokens yet"),
        ("/admin/tokens/new".into(), "Create an API token"),
        ("/admin/keys".into(), "RS256"),
        ("/admin/keys/RS256/rotate".into(), "Rotate the RS256 key"),
        ("/admin/clients".into(), "No clients yet"),
        ("/admin/clients/new".into(), "Create client"),
    ]
}

#[tokio::test]
async fn every_page_for_nobody_the_wrong_and_the_right_caller() {
    let w = world(deps().await).await;
    let (mut nobody, mut bob, mut ada) =
        (Visitor::new(w.router.clone(), ORIGIN), w.signed_in("bob").await, w.signed_in("ada").await);
    for (path, text) in pages(&w).await {
        let answer = nobody.get(&path).await;
        assert!(answer.status == StatusCode::SEE_OTHER && answer.location().starts_with("/login?"), "{path}: {}", answer.status);
        let answer = bob.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} for somebody without a right");
        assert!(!says(&answer, "Carl Contractor"));
        let answer = ada.get(&path).await;
        assert!(
            answer.status == StatusCode::OK && says(&answer, text),
            "{path}: {} without {text}: {}",
            answer.status,
            answer.text
        );
        assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    // what does not exist, and what is no id
    for path in
        ["/admin/nothing", "/admin/people/x", "/admin/groups/01890a5d-ac96-774b-bcce-b302099a8057", "/admin/keys/none/rotate"]
    {
        assert_eq!(ada.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn scoped_administrators_and_auditors_see_what_they_may() {
    let w = world(deps().await).await;
    let (group, mars, venus) =
        (format!("/admin/groups/{}", w.developers), format!("/admin/spaces/{}", w.mars), format!("/admin/spaces/{}", w.venus));
    // the administrator of one group
    let mut gina = w.signed_in("gina").await;
    let list = gina.get("/admin/groups").await;
    assert!(says(&list, "Developers") && !says(&list, "Staff") && !says(&list, "Create group"));
    assert!(!says(&list, "/admin/people\"") && !says(&list, "/admin/spaces\""), "the navigation offers what may be opened");
    for hidden in [
        format!("/admin/groups/{}", w.staff),
        mars.clone(),
        format!("/admin/people/{}", w.bob),
        format!("{group}/edit"),
        "/admin/people".into(),
        "/admin/audit".into(),
        "/admin/explain".into(),
        "/admin/rights".into(),
        "/admin/spaces".into(),
        "/admin/clients".into(),
    ] {
        assert_eq!(gina.get(&hidden).await.status, StatusCode::NOT_FOUND, "{hidden}");
    }
    let pick = gina.get(&format!("{group}/members/add?q=a")).await;
    assert!(says(&pick, "Nobody found") && !says(&pick, "Carl"), "the directory is not to be searched through");
    assert!(says(&gina.get(&format!("{group}/members/add?q=sam")).await, "Sam Spaces"));
    let ask = gina.get(&format!("{group}/members/remove?who=person:{}", w.bob)).await;
    assert!(says(&ask, "It has effects in Spaces that you may not see") && !says(&ask, "Mars"), "{}", ask.text);
    // the administrator of one Space
    let mut sam = w.signed_in("sam").await;
    assert!(says(&sam.get("/admin/spaces").await, "Mars") && !says(&sam.get("/admin/spaces").await, "Venus"));
    assert!(says(&sam.get("/admin").await, "Mars") && !says(&sam.get("/admin").await, "Venus"));
    assert!(says(&sam.get(&format!("{mars}/events")).await, "grant.add"), "the history of the Space");
    for hidden in [venus, group, format!("{mars}/remove"), "/admin/people".into(), "/admin/groups".into()] {
        assert_eq!(sam.get(&hidden).await.status, StatusCode::NOT_FOUND, "{hidden}");
    }
    // who grants and publishes what they can name, without searching through the directory
    let add = format!("{mars}/grants/add");
    for (q, found) in [("developers", true), (w.developers.as_str(), true), ("Devel", false), ("staff", true), ("", false)] {
        for page in [sam.get(&format!("{add}?q={q}")).await, sam.get(&format!("{mars}/groups/publish?q={q}")).await] {
            let offered = page.text.contains("value=\"group:");
            assert!(offered == found && !says(&page, "Who writes software"), "{q}: {}", page.text);
        }
    }
    let people = (sam.get(&format!("{add}?q=gina")).await, sam.get(&format!("{mars}/groups/publish?q=gina")).await);
    assert!(says(&people.0, "Gina Groups") && !says(&people.1, "Gina Groups"), "only groups are published");
    let who = format!("group:{}", w.developers);
    let ask = sam.get(&format!("{mars}/groups/publish?who={who}")).await;
    let page = sam.submit(&ask, "/groups/publish", &[("who", &who)]).await;
    assert!(says(&page, "Added.") && says(&page, "Take Developers back"), "{}", page.text);
    let ask = sam.get(&format!("{mars}/grants/check?who={who}")).await;
    let page = sam.submit(&ask, "/grants/add", &[("who", &who)]).await;
    assert!(says(&page, "Added.") && says(&page, "Revoke the grant of Developers"), "{}", page.text);
    // somebody who reads everything and changes nothing
    let mut olga = w.signed_in("olga").await;
    let page = olga.get(&format!("/admin/people/{}", w.bob)).await;
    assert!(page.status == StatusCode::OK && !page.text.contains("method=\"post\""));
    for hidden in ["/admin/people/new", "/admin/groups/new", "/admin/spaces/new", "/admin/clients/new", "/admin/rights/give"] {
        assert_eq!(olga.get(hidden).await.status, StatusCode::NOT_FOUND, "{hidden}");
    }
    // the console is in English and says so, whatever the browser prefers
    olga.headers.push(("accept-language", "de".into()));
    let (console, account) = (olga.get("/admin").await, olga.get("/account").await);
    assert!(console.text.contains("<html lang=\"en\"") && says(&console, "Skip to content"), "{}", console.text);
    assert!(account.text.contains("<html lang=\"de\""), "{}", account.text);
    let csrf = olga.get("/admin/tokens/new").await.input("csrf");
    let answer = olga.post("/admin/groups/new", &[("csrf", &csrf), ("name", "Mine")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
