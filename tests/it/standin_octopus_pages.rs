//! The stand-in's web pages, by plain forms.

use odcm_tests::standins::{octopus::CookieSession, op::FakeOp};
use reqwest::Response;
use serde_json::{Value, json};

use crate::standin_octopus_client::{START, Server};

async fn page(server: &Server, session: &CookieSession, path: &str) -> (u16, String) {
    let response = server.raw("GET", path).header("Cookie", &session.cookie).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn post(server: &Server, session: &CookieSession, path: &str, fields: &[(&str, &str)]) -> Response {
    let mut fields = fields.to_vec();
    fields.push(("csrf", &session.csrf));
    server.raw("POST", path).header("Cookie", &session.cookie).form(&fields).send().await.unwrap()
}

fn location(response: &Response) -> &str {
    response.headers().get("location").unwrap().to_str().unwrap()
}

#[tokio::test]
async fn nobody_is_sent_to_sign_in() {
    let server = Server::start().await;
    let root = server.raw("GET", "/").send().await.unwrap();
    assert_eq!(location(&root), "/app");
    for path in ["/app", "/app/users", "/app/teams", "/app/teams/teams-everyone"] {
        let response = server.raw("GET", path).send().await.unwrap();
        assert_eq!((response.status().as_u16(), location(&response)), (303, "/app/sign-in"), "{path}");
        let keyed = server.raw("GET", path).header("X-Octopus-ApiKey", server.standin.admin_key()).send().await.unwrap();
        assert_eq!(keyed.status(), 303, "keys open no pages");
    }
    let form = server.raw("GET", "/app/sign-in").send().await.unwrap();
    assert!(form.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(form.text().await.unwrap().contains("Sign in to Octopus"));
    for (asset, kind) in [("style.css", "text/css"), ("fragment.js", "text/javascript")] {
        let response = server.raw("GET", &format!("/app/assets/{asset}")).send().await.unwrap();
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(kind));
    }
}

#[tokio::test]
async fn a_password_signs_in_and_out() {
    let server = Server::start().await;
    let send = async |password: &str, target: &str| {
        let fields = [("username", "admin"), ("password", password), ("returnUrl", target)];
        server.raw("POST", "/app/sign-in").form(&fields).send().await.unwrap()
    };
    let wrong = send("nonsense", "/app").await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("Invalid username or password."));
    assert_eq!(location(&send("Admin-passw0rd", "//evil.example.org").await), "/app", "only to this server");
    let right = send("Admin-passw0rd", "/app/teams").await;
    assert_eq!((right.status().as_u16(), location(&right)), (303, "/app/teams"));
    let cookie = right.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().split(';').next().unwrap());
    let cookie = cookie.collect::<Vec<_>>().join("; ");
    let csrf = cookie.rsplit('=').next().unwrap().to_owned();
    let session = CookieSession { cookie, csrf };
    let (status, html) = page(&server, &session, "/app").await;
    assert!(status == 200 && html.contains("Hello, Administrator") && html.contains("/app/users"));
    let out = post(&server, &session, "/app/sign-out", &[]).await;
    assert_eq!(location(&out), "/app/sign-in?manual=1");
    assert_eq!(page(&server, &session, "/app").await.0, 303);
}

#[tokio::test]
async fn forms_need_the_anti_forgery_token() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    let forms = [
        "/app/deploy",
        "/app/sign-out",
        "/app/teams",
        "/app/teams/teams-managers",
        "/app/teams/teams-managers/groups",
        "/app/teams/teams-managers/roles",
        "/app/users/Users-2",
    ];
    for path in forms {
        let fields = [("csrf", "wrong"), ("name", "x"), ("group", "g"), ("environment", "Environments-1"), ("active", "no")];
        let response = server.raw("POST", path).header("Cookie", &session.cookie).form(&fields).send().await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
    }
    assert!(server.standin.team("x").is_none() && server.standin.user("Users-2").unwrap().is_active);
}

#[tokio::test]
async fn people_see_what_they_may_do_and_can_try() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let team = server.standin.edit_team("Developers", |team| team.members.push(id.clone()));
    server.standin.give_role(&team, "userroles-deploymentcreator", &["Environments-1"]);
    let session = server.standin.open_session(&id);
    let (_, html) = page(&server, &session, "/app").await;
    assert_eq!((html.matches(">may deploy<").count(), html.matches("may not deploy").count()), (1, 2));
    assert!(html.contains("Developers") && !html.contains("/app/users"));
    let good = post(&server, &session, "/app/deploy", &[("environment", "Environments-1")]).await;
    assert_eq!(good.status(), 201);
    assert!(good.text().await.unwrap().contains("Deploy to Dev: done."));
    let bad = post(&server, &session, "/app/deploy", &[("environment", "Environments-3")]).await;
    assert_eq!(bad.status(), 403);
    assert!(bad.text().await.unwrap().contains("Missing permission: DeploymentCreate"));
    for path in ["/app/users", "/app/teams", "/app/teams/teams-managers"] {
        assert_eq!(page(&server, &session, path).await.0, 403, "{path}");
    }
    let put = post(&server, &session, "/app/teams/teams-administrators", &[("member", &id)]).await;
    assert_eq!(put.status(), 403);
    assert_eq!(post(&server, &session, "/app/users/Users-1", &[("active", "no")]).await.status(), 403);
}

#[tokio::test]
async fn an_administrator_edits_teams() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    let bob = server.standin.create_user("bob", None, None);
    let made = post(&server, &session, "/app/teams", &[("name", "Developers <b>")]).await;
    let place = location(&made).to_owned();
    let team = || server.standin.team("Developers <b>").unwrap();
    assert_eq!(
        post(&server, &session, &format!("{place}/groups"), &[("group", "odcm-g7"), ("name", "ODCM Developers")]).await.status(),
        303
    );
    assert_eq!((team().external_groups[0].id.as_str(), team().external_groups[0].display_id_and_name), ("odcm-g7", true));
    assert_eq!(post(&server, &session, &format!("{place}/groups"), &[("group", "odcm-g7")]).await.status(), 400, "not twice");
    assert_eq!(post(&server, &session, &format!("{place}/groups"), &[]).await.status(), 400);
    assert_eq!(post(&server, &session, &place, &[("member", &bob)]).await.status(), 303);
    assert_eq!(team().members, std::slice::from_ref(&bob));
    assert_eq!(team().external_groups.len(), 1, "the rest stays");
    let role = [("role", "userroles-deploymentcreator"), ("environment", "Environments-1"), ("environment", "Environments-2")];
    assert_eq!(post(&server, &session, &format!("{place}/roles"), &role).await.status(), 303);
    assert!(server.standin.can_deploy("bob", "Test") && !server.standin.can_deploy("bob", "Production"));
    let (_, html) = page(&server, &session, &place).await;
    assert!(html.contains("odcm-g7") && html.contains("in Dev, Test"));
    assert!(html.contains("Developers &lt;b&gt;") && !html.contains("<b>"), "names are escaped");
    assert!(page(&server, &session, "/app/teams").await.1.contains("ODCM Developers (odcm-g7)"));
    let scoped = server.standin.snapshot().scoped_roles.values().find(|scoped| scoped.team_id == team().id).unwrap().id.clone();
    assert_eq!(post(&server, &session, &format!("{place}/roles"), &[("remove", &scoped)]).await.status(), 303);
    assert!(!server.standin.can_deploy("bob", "Dev"));
    assert_eq!(post(&server, &session, &format!("{place}/groups"), &[("remove", "odcm-g7")]).await.status(), 303);
    assert!(team().external_groups.is_empty());
    assert_eq!(post(&server, &session, "/app/teams/teams-everyone", &[("member", &bob)]).await.status(), 400);
    let events = server.get("/api/events?spaces=all&includeSystem=true&documentTypes=Teams").await;
    assert_eq!(
        (&events["Items"][0]["Username"], &events["Items"][0]["IdentityEstablishedWith"]),
        (&json!("admin"), &json!("Session cookie"))
    );
}

#[tokio::test]
async fn an_administrator_sees_users_and_switches_them_off() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    let user = server.user("bob").await;
    let id = user["Id"].as_str().unwrap();
    let identity = json!([{"IdentityProviderName": "Okta", "Claims": {"email": {"Value": "bob@x", "IsIdentifyingClaim": true}}}]);
    server.edit(&format!("/api/users/{id}"), |user| user["Identities"] = identity).await;
    assert!(page(&server, &session, "/app/users").await.1.contains("Okta: bob@x"));
    assert_eq!(post(&server, &session, &format!("/app/users/{id}"), &[("active", "no")]).await.status(), 303);
    assert!(!server.standin.user("bob").unwrap().is_active);
    assert_eq!(server.standin.user("bob").unwrap().identities.len(), 1, "the rest stays");
    assert_eq!(post(&server, &session, &format!("/app/users/{id}"), &[("active", "yes")]).await.status(), 303);
    assert!(server.standin.user("bob").unwrap().is_active);
}

#[tokio::test]
async fn the_way_to_the_provider_needs_no_script() {
    let server = Server::start().await;
    let op = FakeOp::start("op.localhost", START / 1000).await.unwrap();
    let issuer = op.issuer();
    let set = |values: &mut Value| {
        values["IsEnabled"] = json!(true);
        values["Issuer"] = json!(issuer);
        values["ClientId"] = json!("mars");
        values["ClientSecret"] = json!({"HasValue": true, "NewValue": "s3cret"});
    };
    server.edit("/api/configuration/authentication-od/values", set).await;
    assert!(server.raw("GET", "/app/sign-in").send().await.unwrap().text().await.unwrap().contains("Sign in with Okta"));
    let button = server.raw("POST", "/app/sign-in/Okta").form(&[("returnUrl", "/app/teams")]).send().await.unwrap();
    assert_eq!(button.status(), 303);
    let target = reqwest::Url::parse(location(&button)).unwrap();
    assert_eq!(target.path(), "/authorize");
    let field = |name: &str| target.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
    assert_eq!(field("redirect_uri"), format!("{}/api/users/authenticatedToken/Okta", server.standin.url()));
    assert!(field("state").contains("\"RedirectAfterLoginTo\":\"/app/teams\""));
    assert!(button.headers()["set-cookie"].to_str().unwrap().starts_with("s="));
    let initiated = async |issuer: &str| {
        let issuer = url::form_urlencoded::byte_serialize(issuer.as_bytes()).collect::<String>();
        server.raw("GET", &format!("/app/sign-in?iss={issuer}")).send().await.unwrap().status().as_u16()
    };
    assert_eq!((initiated(&issuer).await, initiated("https://other.example.org").await), (303, 200));
    let plain = async || server.raw("GET", "/app/sign-in").send().await.unwrap().status().as_u16();
    assert_eq!(plain().await, 200);
    server.edit("/api/configuration/authentication/values", |values| values["AutoLoginEnabled"] = json!(true)).await;
    assert_eq!(plain().await, 303, "automatic sign-in with one provider");
    assert_eq!(server.raw("GET", "/app/sign-in?manual=1").send().await.unwrap().status(), 200);
    server.edit("/api/configuration/authentication-guest/values", |values| values["IsEnabled"] = json!(true)).await;
    assert_eq!(plain().await, 200, "the guest counts as a second one");
    let broken = server
        .raw("GET", "/api/users/authenticatedToken/Okta?code=x&state=y")
        .header("Accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), 400);
    assert!(broken.text().await.unwrap().contains("User login failed"), "browsers get a page");
}
