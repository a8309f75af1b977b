//! Settings have effects: providers, sessions and their cookies, lives of API keys.

use odcm_tests::standins::octopus::Version;
use reqwest::Response;
use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, answer, each, plain, problem};

const GENERAL: &str = "/api/configuration/authentication/values";

async fn newest() -> Server {
    Server::with(|config| config.version = Version::new(2025, 4, 100)).await
}

#[tokio::test]
async fn directories_and_octopus_id_are_there() {
    let server = newest().await;
    let sections = each(&server.get("/api/configuration").await, "Id");
    for id in ["authentication-directoryservices", "authentication-ldap", "authentication-octopusid"] {
        assert!(sections.contains(&id.to_owned()), "{id}");
        let path = format!("/api/configuration/{id}/values");
        let values = server.get(&path).await;
        assert_eq!(values["IsEnabled"], false, "{id}");
        assert_eq!(server.edit(&path, |_| {}).await, (200, values), "what was read can be written");
    }
    let metadata = server.get("/api/users/identity-metadata").await;
    let names = ["Active Directory", "LDAP", "Azure AD", "Google Apps", "Okta", "Octopus ID", "Generic OpenID Connect"];
    assert_eq!(each(&metadata["Providers"], "IdentityProviderName"), names);
    let claims = |at: usize| each(&metadata["Providers"][at]["ClaimDescriptors"], "Type");
    assert_eq!(
        (claims(0), claims(1)),
        (["email", "upn", "sam", "dn"].map(str::to_owned).to_vec(), ["email", "upn", "uan", "dn"].map(str::to_owned).to_vec())
    );
    for name in names {
        let identity = json!([{"IdentityProviderName": name, "Claims": {"email": {"Value": "a@x", "IsIdentifyingClaim": true}}}]);
        let body = json!({"Username": name.replace(' ', "-"), "DisplayName": name, "Identities": identity});
        let (status, made) = server.call("POST", "/api/users", Some(body)).await;
        assert_eq!((status, plain(&made["Identities"])), (201, identity), "{name}: {made}");
    }
    let shown = async || each(&server.get("/api/authentication").await["AuthenticationProviders"], "Name");
    assert_eq!(shown().await, ["Octopus"]);
    server.edit("/api/configuration/authentication-directoryservices/values", |values| values["IsEnabled"] = json!(true)).await;
    assert_eq!(shown().await, ["Octopus", "Active Directory"]);
}

#[tokio::test]
async fn nested_settings_are_kept_and_checked() {
    let server = newest().await;
    let values = server.get(GENERAL).await;
    assert_eq!(plain(&values["OidcConfigurationSettings"]), json!({"OidcIssuerUrl": null}));
    let set =
        server.edit(GENERAL, |values| values["OidcConfigurationSettings"]["OidcIssuerUrl"] = json!("https://o.example")).await;
    assert_eq!(set.1["OidcConfigurationSettings"]["OidcIssuerUrl"], "https://o.example");
    let wrong = server.edit(GENERAL, |values| values["OidcConfigurationSettings"] = json!("https://o.example")).await;
    assert!(wrong.0 == 400 && problem(&wrong).contains("OidcConfigurationSettings"), "{wrong:?}");
    server.standin.set_switches(|switches| switches.strict_roundtrip = ["*".to_owned()].into());
    let lost = server
        .edit(GENERAL, |values| drop(values["OidcConfigurationSettings"].as_object_mut().unwrap().remove("OidcIssuerUrl")))
        .await;
    assert!(problem(&lost).contains("OidcConfigurationSettings.OidcIssuerUrl"), "{lost:?}");
    assert_eq!(server.edit(GENERAL, |_| {}).await.0, 200);
    let metadata = server.get("/api/configuration/authentication/metadata").await;
    assert_eq!(metadata["Types"][1]["Name"], "OidcConfigurationSettings");
    assert_eq!(server.get("/api/configuration/authentication-aad/values").await["ScimEnabled"], false);
    let older = Server::start().await;
    assert!(older.get(GENERAL).await.get("OidcConfigurationSettings").is_none());
    assert!(older.get("/api/configuration/authentication-aad/values").await.get("ScimEnabled").is_none());
}

#[tokio::test]
async fn the_generic_provider_may_be_called_otherwise() {
    for name in ["Generic OpenID Connect", "Company sign-in"] {
        let server = Server::with(|config| {
            config.version = Version::new(2025, 4, 100);
            config.switches.generic_name = name.into();
        })
        .await;
        let set = |values: &mut Value| {
            values["IsEnabled"] = json!(true);
            values["Issuer"] = json!("https://id.example.org");
            values["ClientId"] = json!("venus");
        };
        assert_eq!(server.edit("/api/configuration/authentication-generic-oidc/values", set).await.0, 200);
        let link = format!("Authenticate_{name}");
        assert_eq!(server.get("/api").await["Links"][link], "/users/authenticate/GenericOidc{?returnUrl}");
        assert_eq!(
            each(&server.get("/api/users/identity-metadata").await["Providers"], "IdentityProviderName").last().unwrap(),
            name
        );
        let body = |provider: &str| {
            let claims = json!({"email": {"Value": "a@x", "IsIdentifyingClaim": true}});
            Some(
                json!({"Username": "a", "DisplayName": "a", "Identities": [{"IdentityProviderName": provider, "Claims": claims}]}),
            )
        };
        assert_eq!(server.call("POST", "/api/users", body("Something else")).await.0, 400);
        assert_eq!(server.call("POST", "/api/users", body(name)).await.0, 201);
    }
}

fn cookies(response: &Response) -> Vec<String> {
    let all = response.headers().get_all("set-cookie").iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

async fn login(server: &Server, body: Value) -> Response {
    let mut whole = json!({"Username": "admin", "Password": "Admin-passw0rd"});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    server.raw("POST", "/api/users/login").json(&whole).send().await.unwrap()
}

#[tokio::test]
async fn cookies_are_as_the_settings_say() {
    let server = Server::start().await;
    let remembered = cookies(&login(&server, json!({"RememberMe": true})).await);
    assert!(
        remembered.iter().all(|cookie| cookie.contains("Expires=") && !cookie.contains("Domain=") && !cookie.contains("Secure"))
    );
    let set = server
        .edit(GENERAL, |values| {
            values["RememberMeEnabled"] = json!(false);
            values["CookieDomain"] = json!("octopus.example");
        })
        .await;
    assert_eq!(set.0, 200);
    let response = login(&server, json!({"RememberMe": true, "State": {"UsingSecureConnection": true}})).await;
    let forgotten = cookies(&response);
    assert_eq!(forgotten.len(), 2);
    for cookie in &forgotten {
        assert!(
            !cookie.contains("Expires=") && cookie.contains("; Domain=octopus.example") && cookie.contains("; Secure"),
            "{cookie}"
        );
    }
    let pair = |cookie: &String| cookie.split(';').next().unwrap().to_owned();
    let session = odcm_tests::standins::octopus::CookieSession {
        cookie: forgotten.iter().map(pair).collect::<Vec<_>>().join("; "),
        csrf: pair(&forgotten[1]).split_once('=').unwrap().1.to_owned(),
    };
    let out =
        server.raw("POST", "/api/users/logout").header("Cookie", &session.cookie).header("X-Octopus-Csrf-Token", &session.csrf);
    assert!(
        cookies(&out.send().await.unwrap()).iter().all(|cookie| cookie.contains("; Domain=octopus.example")),
        "gone where they were set"
    );
    let again = login(&server, json!({"RememberMe": true})).await;
    let session = cookies(&again).iter().map(pair).collect::<Vec<_>>().join("; ");
    server.tick(21 * 60_000);
    let status = server.raw("GET", "/api/users/me").header("Cookie", session).send().await.unwrap().status();
    assert_eq!(status, 401, "not remembered");
}

#[tokio::test]
async fn who_signs_in_is_the_requestor() {
    let server = Server::start().await;
    let (_, user) = answer(login(&server, json!({})).await).await;
    assert_eq!((&user["Username"], &user["IsRequestor"]), (&json!("admin"), &json!(true)));
}

#[tokio::test]
async fn refusals_have_the_status_that_is_assumed() {
    let server = Server::start().await;
    let session = server.standin.open_session("Users-1");
    let values = json!({"IsEnabled": true, "Issuer": "https://id.example.org", "ClientId": "mars"});
    server
        .edit("/api/configuration/authentication-od/values", |all| {
            all.as_object_mut().unwrap().extend(values.as_object().unwrap().clone())
        })
        .await;
    let state = r#"{"RequestId":"gone","RedirectAfterLoginTo":"/","UsingSecureConnection":false}"#;
    let state = state.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    for (other, forged, late) in [(false, 400, 500), (true, 403, 400)] {
        server.standin.set_switches(|switches| {
            switches.csrf_refusal_is_403 = other;
            switches.expired_sign_in_is_400 = other;
        });
        let without = server.raw("POST", "/api/teams").header("Cookie", &session.cookie).json(&json!({"Name": "T"}));
        assert_eq!(without.send().await.unwrap().status(), forged);
        let back = server.raw("GET", &format!("/api/users/authenticatedToken/Okta?code=x&state={state}")).send().await.unwrap();
        let back = answer(back).await;
        assert_eq!((back.0, problem(&back)), (late, "Your session has expired. Please try signing in again."));
    }
}

#[tokio::test]
async fn a_key_makes_no_key_that_outlives_it() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let keys = format!("/api/users/{id}/apikeys");
    let session = server.standin.open_session(&id);
    // START is 2023-11-14T22:13:20Z.
    let (one, two, far) = ("2023-11-15T22:13:20.000+00:00", "2023-11-16T22:13:20.000+00:00", "2036-01-01T00:00:00Z");
    let first = server.call_with(&session, "POST", &keys, Some(json!({"Purpose": "first", "Expires": two}))).await.1;
    let key = first["ApiKey"].as_str().unwrap().to_owned();
    let make = async |body: Value| server.call_as(&key, "POST", &keys, Some(body)).await;
    let refused = make(json!({"Purpose": "x", "Expires": far})).await;
    assert!(refused.0 == 400 && problem(&refused).starts_with("Expires"), "{refused:?}");
    assert_eq!(make(json!({"Purpose": "x", "Expires": one})).await.0, 200);
    assert_eq!(make(json!({"Purpose": "x", "Expires": two})).await.0, 200, "as long is not later");
    for expires in [json!({"Purpose": "default"}), json!({"Purpose": "null", "Expires": null})] {
        assert_eq!(make(expires.clone()).await.1["Expires"], first["Expires"], "{expires}");
    }
    let free = server.call_with(&session, "POST", &keys, Some(json!({"Purpose": "x", "Expires": null}))).await.1;
    assert_eq!(free["Expires"], Value::Null, "a person is not bound");
}

#[tokio::test]
async fn newer_servers_bound_the_life_of_keys() {
    let server = newest().await;
    let id = server.standin.create_user("bob", None, None);
    let session = server.standin.open_session(&id);
    let keys = format!("/api/users/{id}/apikeys");
    server
        .edit(GENERAL, |values| {
            values["ApiKeyDefaultExpiryDays"] = json!(1);
            values["ApiKeyMaxExpiryDays"] = json!(2);
        })
        .await;
    let make = async |body: Value| server.call_with(&session, "POST", &keys, Some(body)).await;
    assert_eq!(make(json!({"Purpose": "x"})).await.1["Expires"], "2023-11-15T22:13:20.000+00:00");
    assert_eq!(make(json!({"Purpose": "x", "Expires": null})).await.1["Expires"], "2023-11-16T22:13:20.000+00:00");
    assert_eq!(make(json!({"Purpose": "x", "Expires": "2023-11-17T00:00:00Z"})).await.0, 400);
    server.edit(GENERAL, |values| values["ApiKeyMaxExpiryDays"] = json!(0)).await;
    assert_eq!(make(json!({"Purpose": "x", "Expires": null})).await.1["Expires"], Value::Null, "0 is no bound");
}
