//! Conventions of the stand-in's API: root, recognition of callers, paging, errors, sections, events, faults.

use std::time::Duration;

use odcm_tests::standins::octopus::{Fault, Version};
use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, answer, problem};

#[tokio::test]
async fn the_root_is_public_and_its_links_lead_somewhere() {
    let server = Server::start().await;
    let response = server.raw("GET", "/api").send().await.unwrap();
    let node = response.headers()["octopus-node"].to_str().unwrap().to_owned();
    assert_eq!(node, "name=OCTOPUS; version=2023.1.9626");
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    let (_, root) = answer(response).await;
    assert_eq!(root["ApiVersion"], "3.0.0");
    uuid::Uuid::parse_str(root["InstallationId"].as_str().unwrap()).unwrap();
    for (name, link) in root["Links"].as_object().unwrap() {
        let path = link.as_str().unwrap().replace("{spaceId}", "Spaces-1");
        let path = path.split('{').next().unwrap();
        // Some are for POST only, one wants a parameter, one sends to the sign-in page: somebody is there.
        let (status, body) = server.call("GET", path, None).await;
        assert!([200, 303, 400, 405].contains(&status), "{name} -> {path}: {status} {body}");
    }
    let space = server.get("/api/Spaces-1").await;
    assert_eq!((&space["Version"], &space["ApiVersion"]), (&json!(""), &json!("")));
    assert_eq!(server.call("GET", "/api/Spaces-9", None).await.0, 404);
}

#[tokio::test]
async fn callers_are_recognised_in_the_known_ways_only() {
    let server = Server::start().await;
    let key = server.standin.admin_key().to_owned();
    for header in ["X-Octopus-ApiKey", "X-NuGet-ApiKey"] {
        let response = server.raw("GET", "/api/users/me").header(header, &key).send().await.unwrap();
        assert_eq!(response.status(), 200, "{header}");
    }
    assert_eq!(server.raw("GET", &format!("/api/users/me?apikey={key}")).send().await.unwrap().status(), 200);
    assert_eq!(server.call_as("", "GET", "/api/users/me", None).await.0, 401);
    let wrong = server.call_as("API-WRONG", "GET", "/api/users/me", None).await;
    assert!(wrong.0 == 401 && problem(&wrong).starts_with("The API key you provided was not valid"), "{wrong:?}");
    let bearer = server.raw("GET", "/api/users/me").bearer_auth(&key).send().await.unwrap();
    assert_eq!(bearer.status(), 401);
    let stored = serde_json::to_string(&server.standin.snapshot()).unwrap();
    assert!(!stored.contains(&key), "keys are not kept");
}

#[tokio::test]
async fn cookie_sessions_need_the_anti_forgery_token_to_write() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    assert_eq!(server.call_with(&session, "GET", "/api/users/me", None).await.1["Username"], "admin");
    let body = json!({"Name": "Team"});
    let without = server.raw("POST", "/api/teams").header("Cookie", &session.cookie).json(&body).send().await.unwrap();
    let without = answer(without).await;
    assert_eq!((without.0, problem(&without)), (400, "A required anti-forgery token was not supplied or was invalid."));
    let foreign = server.standin.open_session("Users-1").csrf;
    let wrong = server.raw("POST", "/api/teams").header("Cookie", &session.cookie).header("X-Octopus-Csrf-Token", foreign);
    assert_eq!(wrong.json(&body).send().await.unwrap().status(), 400);
    assert_eq!(server.call_with(&session, "POST", "/api/teams", Some(body)).await.0, 201);
}

#[tokio::test]
async fn sessions_end_when_idle_too_long_or_by_sign_out() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    let alive = async || server.call_with(&session, "GET", "/api/users/me", None).await.0 == 200;
    for _ in 0..3 {
        server.tick(19 * 60_000);
        assert!(alive().await, "each use prolongs it");
    }
    server.tick(21 * 60_000);
    assert!(!alive().await);
    let other = server.standin.open_session("Users-1");
    assert_eq!(server.call_with(&other, "POST", "/api/users/logout", None).await.0, 200);
    assert_eq!(server.call_with(&other, "GET", "/api/users/me", None).await.0, 401);
    let hour = |values: &mut Value| values["MaximumSessionDurationInSeconds"] = json!(3600);
    assert_eq!(server.edit("/api/configuration/authentication/values", hour).await.0, 200);
    let third = server.standin.open_session("Users-1");
    for status in [200, 200, 200, 401] {
        server.tick(19 * 60_000);
        assert_eq!(server.call_with(&third, "GET", "/api/users/me", None).await.0, status, "in use, and not for ever");
    }
}

#[tokio::test]
async fn errors_have_the_known_shape() {
    let server = Server::start().await;
    let missing = server.call("GET", "/api/users/Users-99", None).await;
    assert_eq!((missing.0, problem(&missing)), (404, "The resource 'Users-99' was not found."));
    assert_eq!(missing.1["ParsedHelpLinks"], json!([]));
    assert_eq!(server.call("GET", "/api/nonsense", None).await.0, 404);
    assert_eq!(server.call("PATCH", "/api/users/Users-1", Some(json!({}))).await.0, 405);
    let broken = server.raw("POST", "/api/users").header("X-Octopus-ApiKey", server.standin.admin_key()).body("{oops");
    let broken = answer(broken.send().await.unwrap()).await;
    assert_eq!((broken.0, &broken.1["ErrorMessage"]), (400, &json!("There was a problem with your request.")));
    let id = server.standin.create_user("nobody", None, None);
    let key = server.standin.create_api_key(&id, "test");
    let refused = server.call_as(&key, "GET", "/api/users", None).await;
    assert_eq!(refused.0, 403);
    assert!(problem(&refused).ends_with("Missing permission: UserView"), "{refused:?}");
}

#[tokio::test]
async fn a_post_can_be_a_put_or_a_delete() {
    let server = Server::start().await;
    let mut user = server.user("bob").await;
    user["DisplayName"] = json!("Robert");
    let path = user["Links"]["Self"].as_str().unwrap().to_owned();
    let overridden = |method: &'static str| {
        server.raw("POST", &path).header("X-Octopus-ApiKey", server.standin.admin_key()).header("X-HTTP-Method-Override", method)
    };
    let put = answer(overridden("PUT").json(&user).send().await.unwrap()).await;
    assert_eq!((put.0, &put.1["DisplayName"]), (200, &json!("Robert")));
    assert_eq!(overridden("DELETE").send().await.unwrap().status(), 200);
    assert_eq!(server.call("GET", &path, None).await.0, 404);
}

#[tokio::test]
async fn lists_come_in_pages_with_links() {
    let server = Server::start().await;
    for number in 0..33 {
        server.standin.create_user(&format!("person{number:02}"), None, None);
    }
    let page = server.get("/api/users?filter=PERSON").await;
    assert_eq!((&page["TotalResults"], &page["ItemsPerPage"], &page["NumberOfPages"]), (&json!(33), &json!(30), &json!(2)));
    assert_eq!(page["ItemType"], "User");
    assert!(page["Links"].get("Page.Previous").is_none());
    let next = page["Links"]["Page.Next"].as_str().unwrap();
    assert!(next.contains("filter=PERSON"), "the filter goes along: {next}");
    let rest = server.get(next).await;
    assert_eq!(rest["Items"].as_array().unwrap().len(), 3);
    assert!(rest["Links"].get("Page.Next").is_none());
    assert_eq!(rest["Items"][0]["Username"], "person30", "sorted by username");
    assert_eq!(server.get("/api/users/all").await.as_array().unwrap().len(), 35);
    assert_eq!(server.call("GET", "/api/users?take=many", None).await.0, 400);
    let some = server.get("/api/users?ids=Users-1,Users-3").await;
    assert_eq!(some["TotalResults"], 2);
    let named = server.get("/api/Spaces-1/environments?partialName=prod").await;
    assert_eq!((&named["TotalResults"], &named["Items"][0]["Name"]), (&json!(1), &json!("Production")));
}

#[tokio::test]
async fn secrets_of_sections_go_in_and_never_come_out() {
    let server = Server::start().await;
    let list = server.get("/api/configuration").await;
    let find = |id: &str| list["Items"].as_array().unwrap().iter().find(|item| item["Id"] == id).cloned();
    assert!(find("authentication-generic-oidc").is_none(), "not before 2025.4");
    let section = find("authentication-od").unwrap();
    let values = section["Links"]["Values"].as_str().unwrap();
    assert!(
        server.get(section["Links"]["Metadata"].as_str().unwrap()).await["Types"][0]["Properties"].as_array().unwrap().len() > 5
    );
    let secret = |server: &Server| server.standin.snapshot().sections["authentication-od"]["ClientSecret"].clone();
    let with = |value: Value| move |values: &mut Value| values["ClientSecret"] = value;
    let set = server.edit(values, with(json!({"HasValue": true, "NewValue": "hush"}))).await;
    assert_eq!(set.1["ClientSecret"], json!({"HasValue": true, "NewValue": null, "Hint": null}));
    server.edit(values, with(json!({"HasValue": true, "NewValue": null}))).await;
    assert_eq!(secret(&server), "hush", "null keeps");
    server.edit(values, with(json!({"HasValue": false, "NewValue": null}))).await;
    assert_eq!(secret(&server), Value::Null, "HasValue:false clears");
    let no_issuer = server.edit(values, |values| values["IsEnabled"] = json!(true)).await;
    assert_eq!(no_issuer.0, 400);
    let wrong_type = server.edit(values, |values| values["IsEnabled"] = json!("yes")).await;
    assert!(problem(&wrong_type).contains("IsEnabled"), "{wrong_type:?}");
    let (status, body) = server
        .edit(values, |values| {
            values["IsEnabled"] = json!(true);
            values["Issuer"] = json!("https://id.example.org");
            values["ClientId"] = json!("mars");
        })
        .await;
    assert_eq!(status, 200, "{body}");
    let root = server.get("/api").await;
    assert_eq!(root["Links"]["Authenticate_Okta"], "/users/authenticate/Okta{?returnUrl}");
    let started = json!({"EncodedQueryString": "?iss=https%3A%2F%2Fid.example.org"});
    let started = server.call_as("", "POST", "/api/authentication/checklogininitiated", Some(started)).await.1;
    assert_eq!(started, json!({"WasLoginInitiated": true, "ProviderName": "Okta"}));
}

#[tokio::test]
async fn a_put_without_the_secret_clears_it_or_not() {
    let server = Server::start().await;
    let values = "/api/configuration/authentication-od/values";
    for (clears, expected) in [(false, json!("hush")), (true, Value::Null)] {
        server.standin.set_switches(|switches| switches.put_without_secret_clears = clears);
        server.edit(values, |values| values["ClientSecret"] = json!({"HasValue": true, "NewValue": "hush"})).await;
        server.edit(values, |values| drop(values.as_object_mut().unwrap().remove("ClientSecret"))).await;
        assert_eq!(server.standin.snapshot().sections["authentication-od"]["ClientSecret"], expected);
    }
}

#[tokio::test]
async fn newer_versions_have_generic_oidc() {
    let server = Server::with(|config| config.version = Version::new(2025, 4, 100)).await;
    let values = "/api/configuration/authentication-generic-oidc/values";
    let bad = server.edit(values, |values| values["Scopes"] = json!(["openid"])).await;
    assert!(problem(&bad).contains("profile"), "{bad:?}");
    let set = |values: &mut Value| {
        values["IsEnabled"] = json!(true);
        values["Issuer"] = json!("https://id.example.org");
        values["ClientId"] = json!("venus");
    };
    assert_eq!(server.edit(values, set).await.0, 200);
    let metadata = server.get("/api/users/identity-metadata").await;
    let providers = metadata["Providers"].as_array().unwrap();
    let generic = providers.last().unwrap()["IdentityProviderName"].as_str().unwrap();
    let root = server.get("/api").await;
    assert_eq!(root["Links"][format!("Authenticate_{generic}")], "/users/authenticate/GenericOidc{?returnUrl}");
    let iss = json!({"EncodedQueryString": "?iss=https%3A%2F%2Fid.example.org"});
    for on in [true, false] {
        server.standin.set_switches(|switches| switches.generic_supports_iss = on);
        let answer = server.call("POST", "/api/authentication/checklogininitiated", Some(iss.clone())).await.1;
        assert_eq!(answer["WasLoginInitiated"], on);
    }
}

#[tokio::test]
async fn events_grow_and_can_be_followed() {
    let server = Server::start().await;
    let last = |list: &Value| list["Items"][0]["Id"].as_str().unwrap()[7..].parse::<u64>().unwrap();
    server.user("ann").await;
    let all = "/api/events?spaces=all&includeSystem=true";
    let first = server.get(all).await;
    let cursor = last(&first);
    assert_eq!(
        (&first["Items"][0]["Category"], &first["Items"][0]["IdentityEstablishedWith"]),
        (&json!("Created"), &json!("API key"))
    );
    let bob = server.user("bob").await["Id"].as_str().unwrap().to_owned();
    server.standin.edit_team("Developers", |team| team.members.push(bob.clone()));
    server.standin.edit_team("Developers", |team| team.members.clear());
    for (inclusive, count) in [(true, 4), (false, 3)] {
        server.standin.set_switches(|switches| switches.events_from_auto_id_inclusive = inclusive);
        let after = server.get(&format!("{all}&fromAutoId={cursor}")).await;
        assert_eq!(after["TotalResults"], count, "inclusive {inclusive}");
    }
    let teams = server.get(&format!("{all}&documentTypes=Teams")).await;
    assert_eq!(teams["TotalResults"], 2);
    assert_eq!(teams["Items"][0]["ChangeDetails"]["Differences"], json!([{"op": "remove", "path": "/MemberUserIds/0"}]));
    assert_eq!(teams["Items"][0]["UserId"], "Users-1", "the local administrator did it");
    let short = server.get(&format!("{all}&documentTypes=Teams&excludeDifference=true")).await;
    assert_eq!(short["Items"][0]["ChangeDetails"]["Differences"], Value::Null);
    let regarding = server.get(&format!("{all}&eventCategories=Created&regarding={bob}")).await;
    assert_eq!(regarding["TotalResults"], 1);
    assert_eq!(server.get("/api/events").await["TotalResults"], 0, "system events only on request");
}

#[tokio::test]
async fn faults_come_on_demand() {
    let server = Server::start().await;
    server.standin.fault_on(Fault::Status(500), "/api/teams", Some("GET"), Some(1));
    assert_eq!(server.call("GET", "/api/users/me", None).await.0, 200);
    assert_eq!(server.call("GET", "/api/teams", None).await.0, 500);
    assert_eq!(server.call("GET", "/api/teams", None).await.0, 200, "once only");
    server.standin.fault(Fault::Garbage);
    assert!(matches!(server.call("GET", "/api", None).await, (200, Value::String(_))));
    server.standin.clear_faults();
    server.standin.fault(Fault::Redirect("https://elsewhere.example.org/".into()));
    assert_eq!(server.raw("GET", "/api").send().await.unwrap().headers()["location"], "https://elsewhere.example.org/");
    server.standin.clear_faults();
    server.standin.fault(Fault::RateLimited(7));
    assert_eq!(server.raw("GET", "/api").send().await.unwrap().headers()["retry-after"], "7");
    server.standin.clear_faults();
    server.standin.fault(Fault::Hang);
    let hanging = server.raw("GET", "/api").timeout(Duration::from_millis(100)).send().await;
    assert!(hanging.unwrap_err().is_timeout());
    server.standin.clear_faults();
    server.standin.fault(Fault::Slow(Duration::from_millis(10)));
    assert_eq!(server.call("GET", "/api", None).await.0, 200);
    assert!(server.standin.requests() >= 7);
    assert!(server.standin.seen().iter().any(|seen| seen.path == "/api/teams" && seen.status == 500));
}

#[tokio::test]
async fn state_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mars.json");
    let with_data = |config: &mut odcm_tests::standins::octopus::StandinConfig| {
        config.data = Some(data.clone());
        config.admin_key = Some("API-ADMIN1".into());
    };
    let first = Server::with(with_data).await;
    let id = first.user("ann").await["Id"].clone();
    let before = first.get("/api").await["InstallationId"].clone();
    // A connection that the client keeps open must not reach the stopped server.
    let (url, http) = (first.standin.url(), first.http.clone());
    first.standin.stop().await;
    assert!(http.get(format!("{url}/api")).send().await.is_err());
    let second = Server::with(with_data).await;
    assert_eq!(second.get("/api").await["InstallationId"], before);
    assert_eq!(second.get(&format!("/api/users/{}", id.as_str().unwrap())).await["Username"], "ann");
    assert_ne!(second.user("ben").await["Id"], id, "ids go on");
}

#[tokio::test]
async fn only_loopback_and_known_versions_are_served() {
    use odcm_tests::standins::octopus::{OctopusStandin, StandinConfig};
    let config = StandinConfig { listen: "0.0.0.0:0".parse().unwrap(), ..StandinConfig::default() };
    assert!(OctopusStandin::start(config).await.err().unwrap().to_string().contains("loopback"));
    let config = StandinConfig { admin_key: Some("secret".into()), ..StandinConfig::default() };
    assert!(OctopusStandin::start(config).await.err().unwrap().to_string().contains("API-"));
    assert!("2018.3.7".parse::<Version>().is_err() && "2023.1".parse::<Version>().is_err());
    assert_eq!("2023.1.9626".parse::<Version>().unwrap().to_string(), "2023.1.9626");
}
