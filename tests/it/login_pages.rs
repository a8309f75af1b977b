//! Signing in, out and around, through the pages, in process.

use crate::login_world::*;
use crate::visitor::Answer;
use axum::http::{StatusCode, header};
use odcm::accounts::identities::{self, NewIdentity};
use odcm::accounts::{api_tokens, links, spaces};
use odcm::core::policy::Actor;
use odcm::core::text::{DisplayName, Slug};
#[tokio::test]
async fn a_person_signs_in_sees_their_spaces_and_signs_out() {
    let world = world().await;
    let mut bob = world.visitor();
    let home = world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    assert_eq!(home.status, StatusCode::OK);
    assert!(home.text.contains("No Spaces yet") && home.text.contains("Bob Specialist"), "{}", home.text);
    assert!(bob.cookies.contains_key("__Host-odcm-session"));
    assert!(!bob.cookies.keys().any(|n| n == "s" || n == "n"));
    // by address as well, in another case
    let mut other = world.visitor();
    assert!(world.sign_in(&mut other, "/account", "BOB@Example.com", PASSWORD).await.text.contains("Your account"));
    // GET asks, POST ends, the cookie is worth nothing afterwards
    let stolen = bob.clone();
    let ask = bob.get("/logout").await;
    assert!(ask.text.contains("Sign out?"));
    let done = bob.submit(&ask, "/logout", &[]).await;
    assert!(done.text.contains("You are signed out"));
    for mut visitor in [bob, stolen] {
        assert!(visitor.get("/").await.location().starts_with("/login?return_to="));
    }
    assert!(other.get("/account").await.text.contains("Your account"), "the other session lives");
}

#[tokio::test]
async fn security_headers_are_on_every_page() {
    let world = world().await;
    let mut visitor = world.visitor();
    for path in ["/protocol", "/logout/done", "/nothing", "/link/nothing", "/assets/0/../x"] {
        let page = visitor.open(path).await;
        if page.headers.get(header::CONTENT_TYPE).is_none() {
            continue; // the router's own 404 belongs to the web room
        }
        let header = |name: &str| page.headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        let csp = header("content-security-policy");
        assert!(csp.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{path}: {csp}");
        assert!(csp.contains("frame-ancestors 'none'; base-uri 'none'") && !csp.contains("unsafe"), "{csp}");
        assert!(csp.contains("; form-action 'self';"), "{path}: {csp}");
        let opener = path == "/protocol"; // a window that an application opened keeps its opener
        assert_eq!(header("cross-origin-opener-policy") == "same-origin", !opener, "{path}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert!(header("strict-transport-security").contains("max-age"));
    }
}

#[tokio::test]
async fn forms_need_their_token_and_our_origin() {
    let world = world().await;
    let mut bob = world.visitor();
    let page = bob.open("/").await;
    let (action, csrf) = (page.action("/identify"), page.input("csrf"));
    for (origin, csrf, code) in [
        (Some(ORIGIN), "", "csrf.token"),
        (Some(ORIGIN), "AAAA", "csrf.token"),
        (Some("https://evil.example.com"), csrf.as_str(), "csrf.origin"),
        (Some("https://mars.id.example.com"), &csrf, "csrf.origin"),
        (Some("null"), &csrf, "csrf.origin"),
        (Some("http://id.example.com"), &csrf, "csrf.origin"),
    ] {
        bob.origin = origin.map(str::to_owned);
        let answer = bob.post(&action, &[("csrf", csrf), ("name", "bob")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?}");
        assert!(answer.text.contains(code), "{origin:?} {}", answer.text);
    }
    // a browser that hides the origin but says that the request is cross-site
    bob.origin = None;
    bob.headers = vec![("sec-fetch-site", "same-site".into())];
    assert_eq!(bob.post(&action, &[("csrf", &csrf), ("name", "bob")]).await.status, StatusCode::FORBIDDEN);
    bob.headers = vec![("referer", "https://evil.example.com/x".into())];
    assert_eq!(bob.post(&action, &[("csrf", &csrf), ("name", "bob")]).await.status, StatusCode::FORBIDDEN);
    bob.headers.clear();
    bob.origin = Some(ORIGIN.into());
    // a token of another browser's flow
    let foreign = world.visitor().open("/").await.input("csrf");
    assert_eq!(bob.post(&action, &[("csrf", &foreign), ("name", "bob")]).await.status, StatusCode::FORBIDDEN);
    // the right one, and a form without the field
    assert_eq!(bob.post(&action, &[("csrf", &csrf), ("name", "bob")]).await.status, StatusCode::SEE_OTHER);
    let missing = bob.post(&action, &[("csrf", &csrf)]).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(missing.text.contains("name"), "{}", missing.text);
    // forms of the session: a token of one person is worth nothing to another
    let (mut one, mut two) = (world.visitor(), world.visitor());
    let account = world.sign_in(&mut one, "/account", "bob", PASSWORD).await;
    world.sign_in(&mut two, "/account", "bob", PASSWORD).await;
    let token = account.input("csrf");
    assert_eq!(two.post("/account/sessions/end-others", &[("csrf", &token)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(two.post("/logout", &[("csrf", &token)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(two.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_planted_session_or_flow_is_worth_nothing() {
    let world = world().await;
    let mallory_id = person(&world.deps, "mallory", "Mallory").await;
    set_password(&world.deps, &mallory_id, PASSWORD).await;
    let mut mallory = world.visitor();
    world.sign_in(&mut mallory, "/account", "mallory", PASSWORD).await;
    let planted = mallory.cookies["__Host-odcm-session"].clone();
    // Bob signs in over Mallory's planted session: it ends, and Bob's cookie is another one
    let mut bob = world.visitor();
    bob.cookies.insert("__Host-odcm-session".into(), planted.clone());
    assert!(bob.open("/account").await.text.contains("Mallory"));
    let page = bob.open("/protocol?select=1").await;
    let page = bob.submit(&page, "/another", &[]).await;
    let page = bob.submit(&page, "/identify", &[("name", "bob")]).await;
    bob.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert_ne!(bob.cookies["__Host-odcm-session"], planted);
    assert!(bob.open("/account").await.text.contains("Bob Specialist"));
    assert!(mallory.get("/account").await.location().starts_with("/login"), "the planted session is over");
    // signing in again as the same person changes the cookie, too
    let before = bob.cookies["__Host-odcm-session"].clone();
    let mut old = bob.clone();
    let page = bob.open("/protocol?login=1").await;
    let page = bob.submit(&page, "/identify", &[("name", "bob")]).await;
    bob.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert_ne!(bob.cookies["__Host-odcm-session"], before);
    assert!(old.get("/account").await.location().starts_with("/login"));
    // a flow of one browser does not open in another, nor end there
    let mut victim = world.visitor();
    victim.open("/protocol").await;
    let path = mallory.get("/protocol").await.location().to_owned();
    assert_eq!(victim.get(&path).await.status, StatusCode::GONE);
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(victim.get(&format!("/protocol/resume?flow={id}")).await.text, "nothing");
}

#[tokio::test]
async fn one_dispatcher_serves_passwords_and_providers() {
    let world = world().await;
    let new = NewIdentity::parse("contoso", "bob-at-contoso", "bob@contoso.com").unwrap();
    let identity = identities::link(&world.deps, &Actor::system("test"), &world.bob, &new).await.unwrap();
    // an address of the provider's domain goes there, whoever it is
    for name in ["bob@contoso.com", "nobody@CONTOSO.com"] {
        let mut visitor = world.visitor();
        let page = visitor.open("/protocol").await;
        let away = visitor.submit(&page, "/identify", &[("name", name)]).await;
        assert_eq!(away.status, StatusCode::OK, "no redirect follows a form to another site");
        assert!(away.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self';"));
        assert!(away.location().starts_with("https://login.contoso.com/?state="), "{name}");
    }
    let state_of = |away: &Answer| away.location().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    // the button, the hint of the client; then back: the demand is met by the same dispatcher
    let mut bob = world.visitor();
    let page = bob.open("/protocol?max_age=60").await;
    let away = bob.submit(&page, "/provider", &[("provider", "contoso")]).await;
    let state = state_of(&away);
    let back = |state: &str, rest: &str| format!("/login/callback/contoso?state={state}{rest}");
    // forged answers: another state, another browser, another provider, no answer
    let (flow, _) = state.split_once('.').unwrap();
    assert_eq!(bob.get(&back(&format!("{flow}.x"), "&subject=bob-at-contoso")).await.status, StatusCode::GONE);
    let mut other = world.visitor();
    other.open("/protocol").await;
    assert_eq!(other.get(&back(&state, "&subject=bob-at-contoso")).await.status, StatusCode::GONE);
    let other_provider = back(&state, "&subject=bob-at-contoso").replace("/contoso?", "/other?");
    assert_eq!(bob.get(&other_provider).await.status, StatusCode::GONE);
    assert!(bob.get(&back(&state, "")).await.text.contains("did not confirm"));
    assert!(bob.get(&back(&state, "&subject=stranger")).await.text.contains("no account here"));
    assert!(bob.get("/account").await.location().starts_with("/login"), "nobody is signed in so far");
    // pressing "back" shows where things stand
    assert!(bob.get(&format!("/login/{flow}")).await.text.contains("not finished"));
    assert_eq!(bob.open(&back(&state, "&subject=bob-at-contoso")).await.text, "granted bob fed \"xyz\"");
    assert_eq!(bob.get(&back(&state, "&subject=bob-at-contoso")).await.status, StatusCode::GONE, "an answer counts once");
    let mut hinted = world.visitor();
    let away = hinted.open("/protocol?domain=contoso.com&hint=bob").await;
    assert!(away.location().contains("hint=bob"), "{}", away.location());
    // single sign-on afterwards; then a password on top of it: both methods are in the session
    assert_eq!(bob.open("/protocol").await.text, "granted bob fed \"xyz\"");
    assert_eq!(world.sign_in(&mut bob, "/protocol?login=1", "bob", PASSWORD).await.text, "granted bob fed+pwd \"xyz\"");
    // unlinked: the session in which it was used is over, whatever else vouched, and the provider's word opens nothing
    let mut plain = world.visitor();
    world.sign_in(&mut plain, "/account", "bob", PASSWORD).await;
    identities::unlink(&world.deps, &Actor::system("test"), &world.bob, &identity).await.unwrap();
    assert!(bob.get("/account").await.location().starts_with("/login"));
    assert_eq!(plain.get("/account").await.status, StatusCode::OK, "a session of the password alone goes on");
    let page = bob.open("/protocol").await;
    let away = bob.submit(&page, "/provider", &[("provider", "contoso")]).await;
    let state = state_of(&away);
    assert!(bob.get(&back(&state, "&subject=bob-at-contoso")).await.text.contains("no account here"));
}

#[tokio::test]
async fn demands_are_met_before_anybody_is_let_through() {
    let world = world().await;
    let anna = person(&world.deps, "anna", "Anna").await;
    set_password(&world.deps, &anna, PASSWORD).await;
    let mut bob = world.visitor();
    assert_eq!(world.sign_in(&mut bob, "/protocol", "bob", PASSWORD).await.text, "granted bob pwd \"xyz\"");
    // max_age by the clock
    world.deps.hand.advance_ms(61_000);
    assert_eq!(bob.open("/protocol?max_age=61").await.text, "granted bob pwd \"xyz\"");
    assert!(bob.open("/protocol?max_age=60").await.text.contains("User name or e-mail"));
    // choose an account
    let page = bob.open("/protocol?select=1").await;
    assert!(page.text.contains("Choose an account"));
    assert_eq!(bob.submit(&page, "/select", &[]).await.text, "granted bob pwd \"xyz\"");
    // the client asks for somebody else: another account is needed, and Bob is never handed over
    let page = bob.open(&format!("/protocol?expected={anna}&hint=anna")).await;
    assert_eq!(page.input("name"), "anna");
    let page = bob.submit(&page, "/identify", &[("name", "bob")]).await;
    let wrong = bob.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert!(wrong.text.contains("Another account is needed"), "{}", wrong.text);
    let flow = wrong.action("/another").split('/').nth(2).unwrap().to_owned();
    assert_eq!(bob.get(&format!("/protocol/resume?flow={flow}")).await.text, "nothing");
    let page = bob.submit(&wrong, "/another", &[]).await;
    let page = bob.submit(&page, "/identify", &[("name", "anna")]).await;
    let done = bob.submit(&page, "/password", &[("password", PASSWORD)]).await;
    assert_eq!(done.text, "granted anna pwd \"xyz\"");
    assert_eq!(bob.get(&format!("/protocol/resume?flow={flow}")).await.text, "nothing", "a flow is taken once");
    // giving up
    let page = bob.open("/protocol?login=1").await;
    assert_eq!(bob.submit(&page, "/cancel", &[]).await.text, "denied");
    // a flow expires
    let path = bob.get("/protocol?login=1").await.location().to_owned();
    world.deps.hand.advance_ms(1_800_000);
    assert_eq!(bob.get(&path).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn consent_is_asked_once_and_remembered() {
    let world = world().await;
    let mut bob = world.visitor();
    let page = world.sign_in(&mut bob, "/protocol?consent=ask", "bob", PASSWORD).await;
    assert!(page.text.contains("Allow Wiki?") && page.text.contains("see your e-mail address"), "{}", page.text);
    assert_eq!(bob.submit(&page, "/consent", &[("decision", "deny")]).await.text, "denied");
    let page = bob.open("/protocol?consent=ask").await;
    assert!(page.text.contains("Allow Wiki?"), "a no is not remembered");
    let wrong = bob.submit(&page, "/consent", &[("decision", "perhaps")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bob.submit(&page, "/consent", &[("decision", "allow")]).await.text, "granted bob pwd \"xyz\"");
    assert_eq!(bob.open("/protocol?consent=ask").await.text, "granted bob pwd \"xyz\"");
    // until it is withdrawn, by the one who gave it and by nobody else
    let anna = person(&world.deps, "anna", "Anna").await;
    set_password(&world.deps, &anna, PASSWORD).await;
    let mut eve = world.visitor();
    let page = world.sign_in(&mut eve, "/account", "anna", PASSWORD).await;
    assert!(!page.text.contains("Applications you allowed"));
    let withdraw = "/account/consents/wiki/withdraw";
    assert_eq!(eve.post(withdraw, &[("csrf", &page.input("csrf"))]).await.status, StatusCode::NOT_FOUND);
    let account = bob.get("/account").await;
    assert!(account.text.contains("Applications you allowed") && account.text.contains("see your e-mail address"));
    assert_eq!(bob.post(withdraw, &[("csrf", "wrong")]).await.status, StatusCode::FORBIDDEN);
    let done = bob.submit(&account, "/wiki/withdraw", &[]).await;
    assert!(done.text.contains("Withdrawn") && !done.text.contains("Applications you allowed"), "{}", done.text);
    let page = bob.open("/protocol?consent=ask").await;
    assert!(page.text.contains("Allow Wiki?"), "it asks again");
    bob.submit(&page, "/consent", &[("decision", "allow")]).await;
    let page = bob.open("/protocol?consent=always").await;
    assert!(page.text.contains("Allow Wiki?"));
    // consent does not stand in for a sign-in that is due
    let page = bob.open("/protocol?consent=always&login=1").await;
    let (action, csrf) = (page.action("/identify").replace("/identify", "/consent"), page.input("csrf"));
    bob.post(&action, &[("csrf", &csrf), ("decision", "allow")]).await;
    let flow = action.split('/').nth(2).unwrap();
    assert_eq!(bob.get(&format!("/protocol/resume?flow={flow}")).await.text, "nothing");
}

#[tokio::test]
async fn a_link_sets_a_password_once() {
    let world = world().await;
    let geoff = person(&world.deps, "geoff", "Geoff Outsider").await;
    let link = links::create(&world.deps, &Actor::system("test"), &geoff).await.unwrap();
    let path = format!("/link/{}", link.secret);
    let mut visitor = world.visitor();
    let page = visitor.get(&path).await;
    assert!(page.text.contains("Geoff Outsider"));
    for (password, again, message) in [
        ("short", "short", "at least 8 characters"),
        ("password1", "password1", "first that an attacker tries"),
        ("geoff2026", "geoff2026", "must not be your name"),
        ("a fine passphrase", "another passphrase", "The two passwords differ"),
    ] {
        let answer = visitor.submit(&page, &path, &[("password", password), ("again", again)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(message), "{password}: {}", answer.text);
    }
    let fine = [("password", "a fine passphrase"), ("again", "a fine passphrase")];
    let home = visitor.submit(&page, &path, &fine).await;
    assert!(home.text.contains("Your Spaces"), "{}", home.text);
    assert_eq!(world.visitor().get(&path).await.status, StatusCode::GONE);
    let mut late = world.visitor();
    assert_eq!(late.post(&path, &[("csrf", &page.input("csrf")), fine[0], fine[1]]).await.status, StatusCode::GONE);
    let mut geoff = world.visitor();
    assert_eq!(world.sign_in(&mut geoff, "/", "geoff", "a fine passphrase").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_account_page_changes_the_password_and_ends_sessions() {
    let world = world().await;
    let (mut here, mut there) = (world.visitor(), world.visitor());
    let page = world.sign_in(&mut here, "/account", "bob", PASSWORD).await;
    world.sign_in(&mut there, "/account", "bob", PASSWORD).await;
    let new = "another fine phrase";
    let wrong = here.submit(&page, "/password", &[("current", "wrong password"), ("password", new), ("again", new)]).await;
    assert!(wrong.text.contains("not your current password"), "{}", wrong.text);
    assert_eq!(there.get("/account").await.status, StatusCode::OK);
    let label = DisplayName::parse("name", "nightly").unwrap();
    let scopes = odcm::core::policy::TokenScopes { write: false };
    let host = Actor { via: odcm::core::policy::Via::Host, ..Actor::system("test") };
    let token = api_tokens::create(&world.deps, &host, &world.bob, &label, scopes, 3600).await.unwrap();
    assert!(api_tokens::authenticate(&world.deps, &token.secret).await.unwrap().is_some(), "a wrong password ends nothing");
    assert!(page.text.contains("and your API tokens"), "the page says so before");
    let done = here.submit(&page, "/password", &[("current", PASSWORD), ("password", new), ("again", new)]).await;
    assert!(done.text.contains("Your password was changed"), "{}", done.text);
    assert!(!here.get("/account").await.text.contains("Your password was changed"), "a message is shown once");
    assert!(there.get("/account").await.location().starts_with("/login"));
    assert!(api_tokens::authenticate(&world.deps, &token.secret).await.unwrap().is_none(), "API tokens end with the password");
    let mut old = world.visitor();
    assert!(world.sign_in(&mut old, "/", "bob", PASSWORD).await.text.contains("is wrong"));
    world.sign_in(&mut there, "/", "bob", new).await;
    // ending one session
    let account = here.get("/account").await;
    let ended = here.submit(&account, "/end", &[]).await;
    assert!(ended.text.contains("The session has ended"), "{}", ended.text);
    assert!(there.get("/account").await.location().starts_with("/login"));
    // nobody ends a session of somebody else
    let anna = person(&world.deps, "anna", "Anna").await;
    set_password(&world.deps, &anna, PASSWORD).await;
    let mut eve = world.visitor();
    let page = world.sign_in(&mut eve, "/account", "anna", PASSWORD).await;
    let id = odcm::sql!("SELECT id FROM session WHERE person_id = $1 AND ended_at IS NULL LIMIT 1");
    let (id,): (String,) = world.deps.db.opt(id, &[&world.bob]).await.unwrap().unwrap();
    let answer = eve.post(&format!("/account/sessions/{id}/end"), &[("csrf", &page.input("csrf"))]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(here.get("/account").await.status, StatusCode::OK);
    // language
    let page = here.get("/account").await;
    let german = here.submit(&page, "/language", &[("language", "de")]).await;
    assert!(german.text.contains("Ihr Konto") && german.text.contains("lang=\"de\""));
}

#[tokio::test]
async fn sessions_end_by_time_and_with_the_person() {
    let world = world().await;
    let mut bob = world.visitor();
    world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    let idle = world.deps.settings.sign_in.session_idle * 1000;
    for _ in 0..3 {
        world.deps.hand.advance_ms(idle - 1000);
        assert_eq!(bob.get("/account").await.status, StatusCode::OK, "use keeps it alive");
    }
    world.deps.hand.advance_ms(idle);
    assert_eq!(bob.get("/account").await.status, StatusCode::SEE_OTHER);
    world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    let steps = world.deps.settings.sign_in.session_max * 1000 / (idle - 1000);
    for _ in 0..steps {
        world.deps.hand.advance_ms(idle - 1000);
        assert_eq!(bob.get("/account").await.status, StatusCode::OK);
    }
    world.deps.hand.advance_ms(idle - 1000);
    assert_eq!(bob.get("/account").await.status, StatusCode::SEE_OTHER, "not longer than the longest");
    world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    odcm::accounts::people::disable(&world.deps, &Actor::system("test"), &world.bob, "manual").await.unwrap();
    assert_eq!(bob.get("/account").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_launcher_shows_spaces_and_why_one_cannot_be_entered() {
    let world = world().await;
    let new = spaces::NewSpace {
        name: DisplayName::parse("name", "Mars").unwrap(),
        slug: Slug::parse("mars").unwrap(),
        base_url: "https://mars.example.com".into(),
        description: "Rovers".into(),
        offline_policy: odcm::storage::spaces::OfflinePolicy::Keep,
        revoke_api_keys: true,
    };
    let system = Actor::system("test");
    let space = spaces::enlist(&world.deps, &system, new).await.unwrap();
    let subject = odcm::core::directory::Subject::Person(world.bob.clone());
    let span = odcm::core::directory::Span::default();
    odcm::accounts::grants::add(&world.deps, &system, &space, &subject, span).await.unwrap();
    let mut bob = world.visitor();
    let home = world.sign_in(&mut bob, "/", "bob", PASSWORD).await;
    assert!(home.text.contains("Mars") && home.text.contains("Being prepared"), "{}", home.text);
    assert!(!home.text.contains("class=\"enter\""), "no way in before the Space acknowledged the account");
    let link = odcm::sql!(
        "INSERT INTO account_link (space_id, person_id, account_id, username, email, display_name, active, locally_disabled, updated_at) VALUES ($1, $2, 'Users-1', 'bob', 'bob@example.com', 'Bob', TRUE, FALSE, 0)"
    );
    world.deps.db.exec(link, &[&space, &world.bob]).await.unwrap();
    let home = bob.get("/").await;
    let href = "https://mars.example.com/app#/users/sign-in?iss=https%3A%2F%2Fid.example.com";
    assert!(home.text.contains(href), "{}", home.text);
    let starred = bob.submit(&home, "/star", &[("space", space.as_str()), ("starred", "true")]).await;
    assert!(starred.text.contains("Starred") && starred.text.contains("aria-pressed=\"true\""));
    assert!(bob.get("/?q=nothing").await.text.contains("No Space found"));
    assert!(bob.get("/?q=MAR").await.text.contains("Rovers"));
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_their_hash() {
    let world = world().await;
    let mut visitor = world.visitor();
    let page = visitor.open("/protocol").await;
    let url =
        page.text.split("href=\"").map(|p| p.split('"').next().unwrap().replace("&#x2f;", "/")).find(|u| u.ends_with("base.css"));
    let file = visitor.get(&url.unwrap()).await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
    assert!(file.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let old = visitor.get("/assets/000000000000/css/base.css").await;
    assert_eq!(old.headers[header::CACHE_CONTROL], "no-cache");
    for closed in ["/assets/0/templates/home.html", "/assets/0/locales/en.toml", "/assets/0/css/%2e%2e/locales/en.toml"] {
        assert_eq!(visitor.get(closed).await.status, StatusCode::NOT_FOUND, "{closed}");
    }
}

#[tokio::test]
async fn an_answer_counts_for_the_person_whom_the_page_showed() {
    let world = world().await;
    let anna = person(&world.deps, "anna", "Anna").await;
    set_password(&world.deps, &anna, PASSWORD).await;
    let mut tabs = world.visitor();
    world.sign_in(&mut tabs, "/protocol", "bob", PASSWORD).await;
    let consent = tabs.open("/protocol?consent=ask").await;
    let select = tabs.open("/protocol?select=1").await;
    assert!(consent.text.contains("Bob Specialist") && select.text.contains("Continue as Bob Specialist"));
    // another tab signs somebody else in
    world.sign_in(&mut tabs, "/protocol?login=1", "anna", PASSWORD).await;
    let again = tabs.submit(&consent, "/consent", &[("decision", "allow")]).await;
    assert!(again.text.contains("Allow Wiki?") && again.text.contains("Anna"), "{}", again.text);
    let rows = odcm::sql!("SELECT person_id FROM consent ORDER BY person_id");
    assert!(world.deps.db.all::<(String,)>(rows, &[]).await.unwrap().is_empty(), "nobody agreed to anything");
    let chosen = tabs.submit(&select, "/select", &[]).await;
    assert!(chosen.text.contains("Continue as Anna"), "{}", chosen.text);
    assert_eq!(tabs.submit(&chosen, "/select", &[]).await.text, "granted anna pwd \"xyz\"");
    assert_eq!(tabs.submit(&again, "/consent", &[("decision", "allow")]).await.text, "granted anna pwd \"xyz\"");
    // without saying whom it showed
    let page = tabs.open("/protocol?consent=always").await;
    let answer = tabs.submit(&page, "/consent", &[("decision", "allow"), ("seen", "")]).await;
    assert!(answer.text.contains("Allow Wiki?"));
}
