//! Forms of the portal: tokens, input that is kept, the dry run before the act, secrets that are shown once.

use crate::portal_world::{acknowledge, says, want, world};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use odcm::accounts::access::admits;
use odcm::core::directory::Subject;
use odcm::storage::memberships;
use odcm::testing::{deps, deps_in_real_time};
use std::time::Duration;
use tower::ServiceExt;

#[tokio::test]
async fn a_form_needs_its_token_keeps_what_was_typed_and_says_what_is_wrong() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    for csrf in ["", "AAAA"] {
        let answer = ada.post("/admin/groups/new", &[("csrf", csrf), ("name", "X")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "token {csrf:?}");
    }
    let page = ada.get("/admin/people/new").await;
    let typed = [("display_name", "Dora <b>"), ("username", "dora@x"), ("email", "dora@example.com"), ("password_link", "true")];
    let answer = ada.submit(&page, "/people/new", &typed).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("id=\"username-error\"") && says(&answer, "It is not an e-mail address"), "{}", answer.text);
    assert_eq!(answer.input("username"), "dora@x");
    assert!(answer.input("display_name").starts_with("Dora &lt;b"));
    // taken
    let page = ada.get("/admin/groups/new").await;
    let answer = ada.submit(&page, "/groups/new", &[("name", "developers"), ("description", "d")]).await;
    assert!(answer.status == StatusCode::CONFLICT && answer.text.contains("id=\"name-error\""), "{}", answer.text);
    // a stale form
    let path = format!("/admin/groups/{}/edit", w.developers);
    let page = ada.get(&path).await;
    let version = page.input("version");
    let fields = [("name", "Engineers"), ("description", ""), ("version", version.as_str())];
    assert!(says(&ada.submit(&page, "/edit", &fields).await, "Saved."));
    let answer = ada.submit(&page, "/edit", &[("name", "Other"), ("version", version.as_str())]).await;
    assert!(answer.status == StatusCode::PRECONDITION_FAILED && says(&answer, "Reload and try again"));
    assert_eq!(answer.input("name"), "Other");
    let history = ada.get(&format!("/admin/groups/{}", w.developers)).await;
    assert!(history.text.contains("<del>Developers</del>") && history.text.contains("<ins>Engineers</ins>"), "{}", history.text);
}

#[tokio::test]
async fn a_person_is_created_with_a_link_that_is_shown_once() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let page = ada.get("/admin/people/new").await;
    let typed = [("display_name", "Dora"), ("username", "dora"), ("email", "dora@example.com"), ("password_link", "true")];
    let once = ada.submit(&page, "/people/new", &typed).await;
    let text = once.text.replace("&#x2f;", "/");
    let link = text.split("id.example.com/link/").nth(1).expect("the link").split('"').next().unwrap();
    assert!(link.len() >= 43);
    assert!(ada.get(&format!("/link/{link}")).await.status.is_success());
    assert!(!says(&ada.get("/admin/people?q=dora").await, link) && !says(&ada.get("/admin/audit").await, link));
}

#[tokio::test]
async fn who_gains_and_loses_is_shown_before_it_is_done() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let now = || w.deps.clock.now();
    let may = async || admits(&mut &w.deps.db, &w.bob, &w.mars, now()).await.unwrap();
    let (here, who) = (format!("/admin/groups/{}", w.developers), format!("person:{}", w.bob));
    // out
    let ask = ada.get(&format!("{here}/members/remove?who={who}")).await;
    assert!(says(&ask, "2 lost") || says(&ask, "lost"), "{}", ask.text);
    assert!(says(&ask, "Bob Specialist") && says(&ask, "Mars") && may().await, "asking changes nothing");
    let done = ada.submit(&ask, "/members/remove", &[("who", &who)]).await;
    assert!(says(&done, "Removed.") && !may().await);
    // in, with an end
    let ask = ada.get(&format!("{here}/members/check?who={who}&from=&until=2027-01-31T18:00")).await;
    assert!(says(&ask, "gains") && says(&ask, "2027-01-31") && !may().await);
    let until = ask.input("until");
    let done = ada.submit(&ask, "/members/add", &[("who", &who), ("from", ""), ("until", &until)]).await;
    assert!(says(&done, "Added.") && may().await);
    let row =
        memberships::find(&mut &w.deps.db, &w.developers, &Subject::Person(w.bob.clone()), "manual").await.unwrap().unwrap();
    assert_eq!(row.span.until.unwrap().rfc3339(), "2027-01-31T18:00:00.000Z");
    // again: refused on the same page
    let again = ada.submit(&ask, "/members/add", &[("who", &who), ("from", ""), ("until", &until)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    // a cycle is refused before it is tried
    let ask = ada.get(&format!("{here}/members/check?who=group:{}", w.staff)).await;
    assert!(ask.text.contains("role=\"alert\"") && says(&ask, "Staff"), "{}", ask.text);
    // disabling says what is lost, and enabling gives it back
    let person = format!("/admin/people/{}", w.bob);
    let ask = ada.get(&format!("{person}/disable")).await;
    assert!(says(&ask, "loses") && may().await);
    let page = ada.submit(&ask, "/disable", &[]).await;
    assert!(says(&page, "disabled") && says(&page, "/enable?reason=manual") && !may().await);
    let ask = ada.get(&format!("{person}/enable?reason=manual")).await;
    assert!(says(&ask, "gains") && says(&ask, "Mars") && !may().await, "asking changes nothing: {}", ask.text);
    // with another reason nothing is gained
    odcm::accounts::people::disable(&w.deps, &crate::portal_world::system(), &w.bob, "provider:x").await.unwrap();
    let other = ada.get(&format!("{person}/enable?reason=provider:x")).await;
    assert!(says(&other, "stays disabled") && !says(&other, "gains"), "{}", other.text);
    ada.submit(&other, "/enable", &[("reason", "provider:x")]).await;
    assert!(!may().await);
    assert_eq!(ada.get(&format!("{person}/enable?reason=other")).await.status, StatusCode::NOT_FOUND);
    ada.submit(&ask, "/enable", &[("reason", "manual")]).await;
    assert!(may().await);
}

#[tokio::test]
async fn a_space_is_enlisted_enrolled_decided_and_granted() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    let page = ada.get("/admin/spaces/new").await;
    let typed = [("name", "Pluto"), ("slug", "Pluto!"), ("base_url", "https://pluto.example.com"), ("offline_policy", "shut")];
    let answer = ada.submit(&page, "/spaces/new", &typed).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.text.contains("id=\"slug-error\""));
    let typed = [("name", "Pluto"), ("slug", "pluto"), ("base_url", "https://pluto.example.com"), ("offline_policy", "shut")];
    let space = ada.submit(&page, "/spaces/new", &typed).await;
    assert!(says(&space, "No agent yet"), "{}", space.text);
    // the code, once, with the whole command
    let settings = format!("/admin/spaces/{}/settings", w.venus);
    let page = ada.get(&settings).await;
    let once = ada.submit(&page, "/code", &[]).await;
    assert!(
        says(&once, "odcm-agent enroll --url https://id.example.com --code odcm_enrol_")
            && says(&once, "--octopus-url https://venus.example.com"),
        "{}",
        once.text
    );
    assert!(!says(&ada.get(&settings).await, "odcm_enrol_"));
    // adoption: nothing chosen, then asked, then done
    let page = ada.get(&format!("/admin/spaces/{}/decisions", w.mars)).await;
    let end = format!("/adoptions/{}", w.bob);
    assert_eq!(ada.submit(&page, &end, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ask = ada.submit(&page, &end, &[("account", "Users-21"), ("reset_password", "true")]).await;
    assert!(
        says(&ask, "API keys of the account stay valid") && says(&ask, "Give the account bob to Bob Specialist?"),
        "{}",
        ask.text
    );
    let fields = [("account", "Users-21"), ("reset_password", "true"), ("confirmed", "true")];
    let done = ada.submit(&ask, &end, &fields).await;
    assert!(says(&done, "takes over bob") && says(&done, "Decided."), "{}", done.text);
    // the sweep
    let ask = ada.get(&format!("/admin/spaces/{}/sweeps?team=Teams-7", w.mars)).await;
    let stale = ada.submit(&ask, "/sweeps", &[("team", "Teams-7"), ("seen", w.bob.as_str())]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "another list than the one shown");
    let done = ada.submit(&ask, "/sweeps", &[("team", "Teams-7"), ("seen", w.carl.as_str())]).await;
    assert!(says(&done, "confirmed by Ada Owner") || says(&done, "confirmed by ada"), "{}", done.text);
    // a grant, and away again
    let ask = ada.get(&format!("/admin/spaces/{}/grants/check?who=group:{}", w.venus, w.developers)).await;
    assert!(says(&ask, "gains") && says(&ask, "Bob Specialist"));
    let page = ada.submit(&ask, "/grants/add", &[("who", &format!("group:{}", w.developers))]).await;
    assert!(admits(&mut &w.deps.db, &w.bob, &w.venus, w.deps.clock.now()).await.unwrap());
    let at = page
        .text
        .split("/grants/")
        .find(|p| p.contains("Revoke the grant of Developers"))
        .unwrap()
        .split("/revoke")
        .next()
        .unwrap();
    let ask = ada.get(&format!("/admin/spaces/{}/grants/{at}/revoke", w.venus)).await;
    assert!(says(&ask, "loses"), "{}", ask.text);
    let version = ask.input("version");
    ada.submit(&ask, "/revoke", &[("version", &version)]).await;
    assert!(!admits(&mut &w.deps.db, &w.bob, &w.venus, w.deps.clock.now()).await.unwrap());
}

#[tokio::test]
async fn rights_tokens_keys_and_clients() {
    let w = world(deps().await).await;
    let mut ada = w.signed_in("ada").await;
    // the last owner stays
    let page = ada.get("/admin/rights").await;
    let own = page
        .text
        .split("/admin/rights/")
        .find(|p| p.contains("Take the right Owner from Ada Owner"))
        .unwrap()
        .split("/take")
        .next()
        .unwrap();
    let ask = ada.get(&format!("/admin/rights/{own}/take")).await;
    let answer = ada.submit(&ask, "/take", &[]).await;
    assert!(answer.status == StatusCode::CONFLICT && says(&answer, "At least one owner must remain"));
    let step = ada.get(&format!("/admin/rights/new?who=person:{}", w.bob)).await;
    let pick = ada.get(step.location()).await;
    assert!(says(&pick, "Everything") && says(&pick, "Venus") && says(&pick, "Developers"), "{}", pick.text);
    let scope = format!("space:{}", w.venus);
    let form = ada.get(&format!("/admin/rights/new?who=person:{}&scope={scope}", w.bob)).await;
    assert!(says(&form, "It holds over Space Venus"), "{}", form.text);
    let (who, scope) = (form.input("who"), form.input("scope"));
    let page = ada.submit(&form, "/rights/new", &[("who", &who), ("role", "space-admin"), ("scope", &scope)]).await;
    assert!(says(&page, "Bob Specialist") && says(&page, "Space Venus"), "{}", page.text);
    // a token, once
    let page = ada.get("/admin/tokens/new").await;
    let once = ada.submit(&page, "/tokens/new", &[("name", "report"), ("days", "7")]).await;
    assert!(once.text.contains("value=\"odcm_"), "{}", once.text);
    let list = ada.get("/admin/tokens").await;
    assert!(!list.text.contains("value=\"odcm_"));
    let at = list.text.split("/admin/tokens/").find(|p| p.contains("Revoke report")).unwrap().split("/revoke").next().unwrap();
    let ask = ada.get(&format!("/admin/tokens/{at}/revoke")).await;
    assert!(says(&ask, "It reads on your behalf. It was never used."), "{}", ask.text);
    assert!(says(&ada.submit(&ask, "/revoke", &[]).await, "revoked"));
    // a client, its secret once, another secret, off
    let page = ada.get("/admin/clients/new").await;
    let wrong = [("name", "Wiki"), ("kind", "confidential"), ("id", "wiki"), ("redirect_uris", "http://wiki.example.com/cb")];
    let answer = ada.submit(&page, "/clients/new", &wrong).await;
    assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && says(&answer, "use https"), "{}", answer.text);
    let right = [("name", "Wiki"), ("kind", "confidential"), ("id", "wiki"), ("redirect_uris", "https://wiki.example.com/cb")];
    let once = ada.submit(&page, "/clients/new", &right).await;
    assert!(says(&once, "Client secret"), "{}", once.text);
    let ask = ada.get("/admin/clients/wiki/rotate").await;
    assert!(says(&ada.submit(&ask, "/rotate", &[]).await, "Client secret"));
    let form = ada.get("/admin/clients/wiki/edit").await;
    assert!(says(&form, "https://wiki.example.com/cb"));
    let ask = ada.get("/admin/clients/wiki/disable").await;
    assert!(says(&ada.submit(&ask, "/disable", &[]).await, "disabled"));
    // a key
    let ask = ada.get("/admin/keys/ES256/rotate").await;
    assert!(says(&ada.submit(&ask, "/rotate", &[]).await, "published, signs soon"));
}

#[tokio::test]
async fn the_status_of_a_space_arrives_without_reloading() {
    let w = world(deps_in_real_time(|_| {}).await).await;
    let sam = w.signed_in("sam").await;
    let cookie = sam.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
    let request = Request::get(format!("/admin/spaces/{}/live", w.mars)).header("cookie", &cookie).body(Body::empty()).unwrap();
    let response = w.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut read = async |until: &str| {
        let mut text = String::new();
        while !text.contains(until) {
            let chunk = tokio::time::timeout(Duration::from_secs(10), stream.next())
                .await
                .unwrap_or_else(|_| panic!("no {until} in {text}"));
            text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on").unwrap()).unwrap());
        }
        text
    };
    assert!(read("revision 5").await.contains("event: html"));
    want(&w.deps, &w.mars, "access", 6).await;
    read("pending since").await;
    acknowledge(&w.deps, &w.mars, "access", 6, 23).await;
    read("revision 6").await;
    // the right goes, and the stream with it
    let all = odcm::storage::rights::all(&mut &w.deps.db).await.unwrap();
    let right = all.iter().find(|r| r.person_name == "Sam Spaces").unwrap();
    odcm::accounts::rights::take(&w.deps, &crate::portal_world::system(), &right.id).await.unwrap();
    w.deps.live.ring(&w.mars);
    read("event: gone").await;
}

#[tokio::test]
#[ignore = "serves a seeded portal until it is ended: ODCM_PORTAL=127.0.0.1:8130, users ada, gina, sam, olga"]
async fn serve() {
    let address = std::env::var("ODCM_PORTAL").unwrap_or_else(|_| "127.0.0.1:8130".into());
    let deps = deps_in_real_time(|settings| {
        settings.themes = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../themes").into());
        settings.public = odcm::config::PublicUrl::parse(&format!("http://{address}")).unwrap();
        settings.push.heartbeat_ms = 3_600_000;
    })
    .await;
    let w = world(deps).await;
    println!("developers={} staff={} mars={} venus={} bob={} carl={}", w.developers, w.staff, w.mars, w.venus, w.bob, w.carl);
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    let service = w.router.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, service).await.unwrap();
}
