//! How questions and answers travel through browsers: forms of other sites, pages that lead on, form posts, programs on the
//! device, windows, HEAD; and what of a session or client may have changed on the way.

use crate::oidc_world::{BYE, CALLBACK, ORIGIN, SPACE_CALLBACK, VERIFIER, World, claims, client_id, query, root, world};
use crate::visitor::Answer;
use axum::Router;
use axum::http::StatusCode;
use odcm::accounts::clients::{EditClient, NewClient, create, edit, view};
use odcm::accounts::groups::{self, NewGroup};
use odcm::accounts::memberships;
use odcm::core::client::{ClientKind, ClientSettings};
use odcm::core::directory::{Span, Subject};
use odcm::core::text::DisplayName;
use odcm::crypto::jose::MAX_TOKEN;
use odcm::storage::groups::GroupKind;
use serde_json::json;

/// The parameters of an address, as the fields of a form.
fn fields(path: &str) -> Vec<(String, String)> {
    let url = url::Url::parse(&format!("{ORIGIN}{path}")).unwrap();
    url.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |v| v.to_str().unwrap())
}

/// Changes the settings of the application.
async fn change(world: &World, change: impl FnOnce(&mut ClientSettings)) {
    let id = client_id("app");
    let mut settings = view(&world.deps, &root(), &id).await.unwrap().0.settings;
    change(&mut settings);
    edit(&world.deps, &root(), &id, None, EditClient { settings: Some(settings), ..EditClient::default() }).await.unwrap();
}

#[tokio::test]
async fn a_form_of_another_site_asks_the_same_by_get() {
    let world = world().await;
    let mut bob = world.bob().await;
    let tokens = world.redeem(&world.code(&mut bob, "openid").await).await;
    let authorize = World::authorize("scope=openid&prompt=none");
    let bye = encoded(BYE);
    let logout = format!("/oauth2/logout?id_token_hint={}&post_logout_redirect_uri={bye}&state=s", tokens.text("id_token"));
    // the browser keeps its cookies back from a form of another site
    let mut elsewhere = world.visitor();
    elsewhere.origin = Some("https://app.example.com".into());
    for (path, address) in [("/oauth2/authorize", &authorize), ("/oauth2/logout", &logout)] {
        let pairs = fields(address);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let answer = elsewhere.post(path, &pairs).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert!(answer.location().starts_with(&format!("{path}?")), "{}", answer.location());
        assert_eq!(fields(answer.location()), fields(address), "all of it, in its order");
        assert_eq!(answer.headers.get("set-cookie"), None, "sign-ins of other tabs go on");
        // and sends them with the navigation that follows
        let back = bob.get(answer.location()).await;
        let expected = if path.ends_with("authorize") { CALLBACK } else { BYE };
        assert!(back.location().starts_with(expected), "{path}: {}", back.location());
        assert!(query(back.location(), "error").is_none(), "{path}: {}", back.location());
    }
    let silent = bob.get(&authorize).await;
    assert_eq!(query(silent.location(), "error").as_deref(), Some("login_required"), "signed out indeed");
    for path in ["/oauth2/authorize", "/oauth2/logout"] {
        // 3 bytes of the body become 9 of an address
        for long in ["a".repeat(16 * 1024), "é".repeat(3000)] {
            let answer = elsewhere.post(path, &[("x", &long)]).await;
            assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, ""), "{path}");
        }
        let odd = elsewhere.post(path, &[("a b", "1\n2"), ("a b", "#?/")]).await;
        assert_eq!(odd.location(), format!("{path}?a+b=1%0A2&a+b=%23%3F%2F"));
    }
}

#[tokio::test]
async fn after_a_form_a_page_of_ours_leads_on() {
    let world = world().await;
    let mut bob = world.visitor();
    let page = bob.open(&World::authorize("scope=openid")).await;
    let flow = page.action("/identify").trim_end_matches("/identify").to_owned();
    let page = bob.submit(&page, "/identify", &[("name", "bob")]).await;
    let (csrf, path) = (page.input("csrf"), page.action("/password"));
    let sent = bob.post(&path, &[("csrf", &csrf), ("password", "correct horse battery")]).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, flow.as_str()));
    let resume = format!("/oauth2/authorize/resume?flow={}", flow.trim_start_matches("/login/"));
    let page = bob.get(&flow).await;
    let leads_on = |page: &Answer, to: &str| {
        assert_eq!((page.status, page.location()), (StatusCode::OK, to));
        assert!(page.headers.get("location").is_none());
        assert!(header(page, "content-security-policy").contains("form-action 'self';"));
        assert_eq!(header(page, "cache-control"), "no-store");
        let link = page.text.split("<a class=\"button primary\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(link.replace("&amp;", "&"), to, "for browsers that do not refresh");
    };
    leads_on(&page, &resume);
    let back = bob.get(&resume).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert!(back.location().starts_with(CALLBACK), "no form led here, so the answer may be a redirect");
    assert!(!page.text.contains("code="), "the code is in the redirect alone");
    // whoever goes back is not sent on again
    for path in [&flow, &resume] {
        let again = bob.get(path).await;
        assert_eq!((again.status, again.location()), (StatusCode::GONE, ""), "{path}");
    }
    // a sign-out after a question likewise
    let page = bob.get(&format!("/oauth2/logout?client_id=app&post_logout_redirect_uri={}&state=s%26", encoded(BYE))).await;
    let done = bob.submit(&page, "/confirm", &[]).await;
    leads_on(&done, &format!("{BYE}?state=s%26"));
    assert!(bob.get("/account").await.location().starts_with("/login"), "and the session is over");
}

#[tokio::test]
async fn programs_on_the_device_get_nothing_without_a_press() {
    let world = world().await;
    let (private, loopback) = ("com.example.app:/cb", "http://127.0.0.1/cb");
    let uris = vec![private.to_owned(), loopback.to_owned(), CALLBACK.to_owned()];
    let mut settings = ClientSettings::for_application(&ClientKind::Public, uris);
    settings.first_party = true;
    let (id, name) = (Some(client_id("native")), "Native".to_owned());
    create(&world.deps, &root(), NewClient { id, kind: ClientKind::Public, name, settings, groups: [].into() }).await.unwrap();
    let mut bob = world.bob().await;
    let ask = |uri: &str, more: &str| {
        World::authorize(&format!("scope=openid{more}"))
            .replace("client_id=app", "client_id=native")
            .replace(&encoded(CALLBACK), &encoded(uri))
    };
    assert!(query(bob.get(&ask(CALLBACK, "")).await.location(), "code").is_some(), "https is claimed by its owner alone");
    for uri in [private, "http://127.0.0.1:51004/cb"] {
        for _ in 0..2 {
            let silent = bob.get(&ask(uri, "&prompt=none")).await;
            assert!(silent.location().starts_with(uri), "{}", silent.location());
            assert_eq!(query(silent.location(), "error").as_deref(), Some("consent_required"));
            let page = bob.open(&ask(uri, "")).await;
            assert!(page.text.contains("Allow Native?") && !page.text.contains("is remembered"), "{}", page.text);
            let shown = if uri == private { "com.example.app:" } else { "http://127.0.0.1:51004" };
            assert!(page.text.contains(shown), "{}", page.text);
            let back = bob.submit(&page, "/consent", &[("decision", "allow")]).await;
            assert!(back.location().starts_with(uri), "{}", back.location());
            // a redirect cannot open a program without a press: there is a link
            assert_eq!(back.status == StatusCode::OK, uri == private);
            assert_eq!(back.text.contains("href=\"com.example.app:/cb?code="), uri == private);
            let code = query(back.location(), "code").unwrap();
            let form = [
                ("grant_type", "authorization_code"),
                ("client_id", "native"),
                ("code", &code),
                ("redirect_uri", uri),
                ("code_verifier", VERIFIER),
            ];
            assert_eq!(world.post("/oauth2/token", None, &form).await.status, StatusCode::OK);
        }
    }
    // the port of the request is the port of the redemption
    let page = bob.open(&ask("http://127.0.0.1:51004/cb", "")).await;
    let back = bob.submit(&page, "/consent", &[("decision", "allow")]).await;
    let code = query(back.location(), "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:51005/cb"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(world.post("/oauth2/token", None, &form).await.error(), (400, "invalid_grant"));
    for wrong in ["http://127.0.0.1:51004/other", "http://localhost:51004/cb", "https://127.0.0.1:51004/cb"] {
        assert_eq!(bob.get(&ask(wrong, "")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn answers_by_form_post() {
    let world = world().await;
    let mut bob = world.bob().await;
    let sent = |page: &Answer, uri: &str| {
        assert_eq!(page.location(), "");
        let policy = header(page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("form-action"), "{policy}");
        let hidden = page.hidden(uri);
        assert!(hidden.iter().all(|(name, _)| name != "csrf"), "no token of ours leaves");
        hidden.into_iter().collect::<std::collections::BTreeMap<_, _>>()
    };
    let ask = World::authorize("scope=openid&response_mode=form_post").replace("state=xyz", "state=%22x%26y%3C");
    let page = bob.get(&ask).await;
    let answer = sent(&page, CALLBACK);
    assert_eq!((page.status, page.text.contains("js/post.js")), (StatusCode::OK, true));
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("\"x&y<", ORIGIN));
    assert_eq!(world.redeem(&answer["code"]).await.status, StatusCode::OK);
    // errors, also those found before anybody signed in
    for (more, error) in [("&prompt=none&max_age=0", "login_required"), ("&prompt=wrong", "invalid_request")] {
        world.deps.hand.advance_ms(1000);
        let page = bob.get(&format!("{ask}{more}")).await;
        let answer = sent(&page, CALLBACK);
        assert_eq!(answer["error"], error);
        assert!(answer.contains_key("error_description") && !answer.contains_key("code"));
    }
    // after pages of the sign-in
    let page = bob.open(&format!("{ask}&prompt=login")).await;
    let page = bob.submit(&page, "/cancel", &[]).await;
    assert_eq!(sent(&page, CALLBACK)["error"], "access_denied");
    // somebody who may not enter sees why, and the button tells the application
    let page = bob.get(&format!("{}&response_mode=form_post", World::authorize_space())).await;
    assert_eq!((page.status, page.text.contains("js/post.js")), (StatusCode::FORBIDDEN, false));
    assert!(page.text.contains("no access"), "{}", page.text);
    assert_eq!(sent(&page, SPACE_CALLBACK)["error"], "access_denied");
    let discovery = world.call("GET", "/.well-known/openid-configuration", &[], String::new()).await;
    assert_eq!(discovery.json["response_modes_supported"], json!(["query", "form_post"]));
}

#[tokio::test]
async fn head_does_nothing() {
    let world = world().await;
    let mut bob = world.bob().await;
    let hint = world.redeem(&world.code(&mut bob, "openid").await).await.text("id_token").to_owned();
    let page = bob.open(&World::authorize("scope=openid&prompt=login")).await;
    let flow = page.action("/cancel").trim_end_matches("/cancel").to_owned();
    let (csrf, path) = (page.input("csrf"), page.action("/cancel"));
    bob.post(&path, &[("csrf", &csrf)]).await;
    let resume = format!("/oauth2/authorize/resume?flow={}", flow.trim_start_matches("/login/"));
    for path in [&World::authorize("scope=openid"), &resume, &flow, &format!("/oauth2/logout?id_token_hint={hint}")] {
        let answer = bob.head(path).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::METHOD_NOT_ALLOWED, ""), "{path}");
        assert!(header(&answer, "allow").contains("GET"));
    }
    assert_eq!(query(bob.get(&resume).await.location(), "error").as_deref(), Some("access_denied"), "the flow was not used up");
    assert_eq!(bob.get("/account").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn a_hint_ends_the_session_that_it_was_issued_under_alone() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    world.link(true, false).await;
    let (mut bob, mut other) = (world.bob().await, world.bob().await);
    let old = world.redeem(&world.code(&mut bob, "openid").await).await.text("id_token").to_owned();
    let logout = |hint: &str| format!("/oauth2/logout?id_token_hint={hint}");
    // another session of the same person: whoever kept the token may ask, not do
    let ask = other.get(&logout(&old)).await;
    assert_eq!((ask.status, ask.location()), (StatusCode::OK, ""));
    ask.action("/confirm");
    assert_eq!(other.get("/account").await.status, StatusCode::OK);
    // the same browser, after a new sign-in
    let ended = bob.get(&logout(&old)).await;
    assert_eq!(ended.location(), "/logout/done");
    let page = bob.open("/").await;
    world.sign_in(&mut bob, page).await;
    let new = world.redeem(&world.code(&mut bob, "openid").await).await.text("id_token").to_owned();
    bob.get(&logout(&old)).await.action("/confirm");
    assert_eq!(bob.get("/account").await.status, StatusCode::OK);
    // any client of this session may end it, with its own sid
    let code = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    let space = world.redeem_space(&code, SPACE_CALLBACK).await.text("id_token").to_owned();
    assert_ne!(claims(&space)["sid"], claims(&new)["sid"]);
    assert_eq!(bob.get(&logout(&space)).await.location(), "/logout/done");
    assert!(bob.get("/account").await.location().starts_with("/login"));
}

#[tokio::test]
async fn a_hint_that_cannot_be_read_names_nobody() {
    let world = world().await;
    world.space_secret().await;
    world.grant().await;
    world.link(true, false).await;
    let mut bob = world.bob().await;
    let code = query(bob.get(&World::authorize_space()).await.location(), "code").unwrap();
    let foreign = world.redeem_space(&code, SPACE_CALLBACK).await.text("id_token").to_owned();
    let own = world.redeem(&world.code(&mut bob, "openid").await).await.text("id_token").to_owned();
    for (hint, silent, shown) in [
        (own.as_str(), None, None),
        ("x.y.z", Some("login_required"), None),
        (&own[..own.len() - 8], Some("login_required"), None),
        (&foreign, Some("invalid_request"), Some("invalid_request")),
    ] {
        for (prompt, expected) in [("&prompt=none", silent), ("", shown)] {
            let answer = bob.get(&World::authorize(&format!("scope=openid{prompt}&id_token_hint={hint}"))).await;
            assert_eq!(query(answer.location(), "error").as_deref(), expected, "{prompt} {hint:.20}");
            assert_eq!(query(answer.location(), "code").is_some(), expected.is_none());
        }
    }
}

#[tokio::test]
async fn what_was_taken_from_a_client_is_not_given_any_more() {
    let world = world().await;
    let mut bob = world.bob().await;
    let code = world.code(&mut bob, "openid+email+groups+offline_access").await;
    change(&world, |settings| {
        settings.scopes.remove("groups");
        settings.scopes.remove("offline_access");
    })
    .await;
    let tokens = world.redeem(&code).await;
    assert_eq!((tokens.text("scope"), tokens.text("refresh_token")), ("openid email", ""));
    assert!(claims(tokens.text("id_token")).get("groups").is_none());
    assert!(world.userinfo(tokens.text("access_token")).await.json.get("groups").is_none());
}

#[tokio::test]
async fn a_client_that_is_known_hears_that_the_database_is_away() {
    let world = world().await;
    let mut bob = world.bob().await;
    let broken = odcm::sql!("UPDATE session SET authentications = '[]'");
    world.deps.db.exec(broken, &[]).await.unwrap();
    for prompt in ["&prompt=none", ""] {
        let answer = bob.get(&World::authorize(&format!("scope=openid{prompt}"))).await;
        let to = answer.location();
        assert_eq!((answer.status, query(to, "state").as_deref()), (StatusCode::SEE_OTHER, Some("xyz")), "{}", answer.text);
        assert_eq!(query(to, "error").as_deref(), Some("temporarily_unavailable"), "RFC 6749 section 4.1.2.1");
    }
}

#[tokio::test]
async fn many_groups_are_left_to_userinfo() {
    let world = world().await;
    for n in 0..110 {
        let name = DisplayName::parse("name", &format!("Group {n:03} {}", "x".repeat(50))).unwrap();
        let new = NewGroup { name, description: String::new(), kind: GroupKind::Local };
        let group = groups::create(&world.deps, &root(), new).await.unwrap();
        memberships::add(&world.deps, &root(), &group, &Subject::Person(world.bob.clone()), Span::default()).await.unwrap();
    }
    let mut bob = world.bob().await;
    let tokens = world.redeem(&world.code(&mut bob, "openid+email+groups").await).await;
    let id = tokens.text("id_token");
    assert!(id.len() < MAX_TOKEN && claims(id).get("groups").is_none() && claims(id).get("email").is_some());
    let info = world.userinfo(tokens.text("access_token")).await;
    assert_eq!(info.json["groups"].as_array().unwrap().len(), 110);
    let silent = bob.get(&World::authorize(&format!("scope=openid&prompt=none&id_token_hint={id}"))).await;
    assert!(query(silent.location(), "code").is_some(), "it can be shown as a hint");
}

#[tokio::test]
async fn other_origins_may_read_refusals_of_the_whole_server() {
    let world = world().await;
    let whole = World { router: odcm::web::router(&world.deps, Router::new()), ..world };
    for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/jwks", "/.well-known/openid-configuration"] {
        let wrong = whole.call("PATCH", path, &[], String::new()).await;
        assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(wrong.header("access-control-allow-origin"), "*", "{path}");
        let long = whole.call("GET", &format!("{path}?x={}", "a".repeat(17_000)), &[], String::new()).await;
        assert_eq!((long.status, long.header("access-control-allow-origin")), (StatusCode::URI_TOO_LONG, "*"), "{path}");
    }
    for path in ["/oauth2/authorize", "/oauth2/logout", "/account", "/api/v1/people"] {
        let closed = whole.call("PATCH", path, &[], String::new()).await;
        assert_eq!(closed.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn cookies_of_other_hosts_lock_nobody_out() {
    let world = world().await;
    let mut bob = world.visitor();
    bob.cookies.insert("a".into(), "é".into());
    bob.cookies.insert("z".into(), "\u{1F600}".into());
    let page = bob.open(&World::authorize("scope=openid")).await;
    let back = world.sign_in(&mut bob, page).await;
    assert!(query(back.location(), "code").is_some(), "{}", back.text);
}
