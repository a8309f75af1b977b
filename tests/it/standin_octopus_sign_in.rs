//! The relying party against a small provider.

use std::collections::BTreeMap;

use odcm_tests::standins::op::FakeOp;
use reqwest::Url;
use serde_json::{Value, json};

use crate::standin_octopus_client::{START, Server, answer, problem};

const CALLBACK: &str = "/api/users/authenticatedToken/Okta";

struct Case {
    server: Server,
    op: FakeOp,
}

/// What the browser brings back from the provider.
struct Return {
    /// Path and query for the server.
    path: String,
    /// Cookies that the server set when the sign-in began.
    cookie: String,
}

impl Case {
    async fn start() -> Self {
        let server = Server::start().await;
        let op = FakeOp::start("op.localhost", START / 1000).await.unwrap();
        op.behave(|op| op.claims = claims());
        let issuer = op.issuer();
        let set = |values: &mut Value| {
            values["IsEnabled"] = json!(true);
            values["Issuer"] = json!(issuer);
            values["ClientId"] = json!("mars");
            values["ClientSecret"] = json!({"HasValue": true, "NewValue": "s3cret"});
            values["AllowAutoUserCreation"] = json!(false);
        };
        assert_eq!(server.edit("/api/configuration/authentication-od/values", set).await.0, 200);
        let case = Self { server, op };
        case.bob().await;
        case
    }

    async fn bob(&self) {
        let identity =
            json!({"IdentityProviderName": "Okta", "Claims": {"email": {"Value": "bob@x", "IsIdentifyingClaim": true}}});
        let body = json!({"Username": "bob", "DisplayName": "Bob", "Identities": [identity]});
        assert_eq!(self.server.call("POST", "/api/users", Some(body)).await.0, 201);
    }

    fn begin_body(&self, target: &str) -> Value {
        json!({"ApiAbsUrl": format!("{}/", self.server.standin.url()), "State": {"RedirectAfterLoginTo": target, "UsingSecureConnection": false}})
    }

    /// Begins, goes to the provider, comes back with what the browser would send.
    async fn outward(&self, target: &str) -> Return {
        let response = self.server.raw("POST", "/users/authenticate/Okta").json(&self.begin_body(target)).send().await.unwrap();
        let cookie = cookies(&response);
        let (status, body) = answer(response).await;
        assert_eq!(status, 200, "{body}");
        let url = Url::parse(body["ExternalAuthenticationUrl"].as_str().unwrap()).unwrap();
        // Programs do not resolve names below localhost: ask 127.0.0.1 for the name.
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let local = url.as_str().replacen("op.localhost", "127.0.0.1", 1);
        let response = self.server.http.get(local).header("Host", host).send().await.unwrap();
        let back = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        Return { path: format!("{}?{}", back.path(), back.query().unwrap()), cookie }
    }

    async fn homeward(&self, back: &Return) -> reqwest::Response {
        self.server.raw("GET", &back.path).header("Cookie", &back.cookie).send().await.unwrap()
    }

    /// The whole way; the refusal's text when there is one.
    async fn sign_in(&self) -> Result<String, String> {
        let response = self.homeward(&self.outward("/app").await).await;
        if response.status() == 302 {
            return Ok(cookies(&response));
        }
        let answer = answer(response).await;
        assert_eq!(answer.0, 400, "{answer:?}");
        Err(problem(&answer).to_owned())
    }
}

fn claims() -> serde_json::Map<String, Value> {
    let claims = json!({"sub": "sub-bob", "email": "bob@x", "name": "Bob", "preferred_username": "bob", "groups": ["g1"]});
    claims.as_object().cloned().unwrap()
}

fn cookies(response: &reqwest::Response) -> String {
    let values = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().split(';').next().unwrap());
    values.filter(|pair| !pair.ends_with('=') || pair.starts_with("s=") && pair.len() > 2).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_pushed_person_signs_in() {
    let case = Case::start().await;
    let back = case.outward("/app#/projects").await;
    let response = case.homeward(&back).await;
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (302, "/app#/projects"));
    assert!(response.headers().contains_key("expires"));
    let set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(set.iter().any(|cookie| cookie.starts_with("s=;") && cookie.contains("Max-Age=0")), "{set:?}");
    let session = cookies(&response);
    let me = case.server.raw("GET", "/api/users/me").header("Cookie", session).send().await.unwrap();
    assert_eq!(answer(me).await.1["Username"], "bob");
    let bob = case.server.standin.user("bob").unwrap();
    assert_eq!(bob.identities[0].claim("eid"), Some("sub-bob"));
    let shown = case.server.get(&format!("/api/users/{}", bob.id)).await;
    assert!(shown["Identities"][0]["Claims"].get("eid").is_none(), "the hidden claim stays hidden");
    assert_eq!(case.server.standin.snapshot().external_groups[0].groups, ["g1"]);
}

#[tokio::test]
async fn the_request_is_built_as_the_real_server_builds_it() {
    let case = Case::start().await;
    case.outward("/app").await;
    let seen = case.op.seen();
    let (_, authorize) = seen.iter().find(|(path, _)| path == "/authorize").unwrap();
    let expected = format!("{}{CALLBACK}", case.server.standin.url());
    assert_eq!(authorize["redirect_uri"], expected);
    assert_eq!((authorize["response_type"].as_str(), authorize["scope"].as_str()), ("code", "openid profile email groups"));
    assert_eq!(authorize["code_challenge_method"], "S256");
    assert!(!authorize.contains_key("nonce") && !authorize.contains_key("response_mode"));
    let state = &authorize["state"];
    assert!(
        state.starts_with("{\"RequestId\":\"")
            && state.ends_with("\"RedirectAfterLoginTo\":\"/app\",\"UsingSecureConnection\":false}"),
        "{state}"
    );
}

#[tokio::test]
async fn the_token_request_rebuilds_the_redirect_uri_from_the_host() {
    let case = Case::start().await;
    let back = case.outward("/app").await;
    let response = case
        .server
        .raw("GET", &back.path)
        .header("Cookie", &back.cookie)
        .header("Host", "mars.localhost:8091")
        .send()
        .await
        .unwrap();
    // The provider compares: the other name does not fit, and the refusal comes as a text.
    assert_eq!(
        problem(&answer(response).await),
        "The response from the external identity provider contained an error: invalid_grant"
    );
    let seen = case.op.seen();
    let (_, form) = seen.iter().find(|(path, _)| path == "/token").unwrap();
    assert_eq!(form["redirect_uri"], format!("http://mars.localhost:8091{CALLBACK}"));
    let known = BTreeMap::from([("grant_type", "authorization_code"), ("client_id", "mars"), ("client_secret", "s3cret")]);
    assert!(known.iter().all(|(name, value)| form[*name] == *value), "{form:?}");
    assert_eq!(form["code_verifier"].len(), 43);
}

#[tokio::test]
async fn the_provider_compares_verifier_and_secret() {
    let case = Case::start().await;
    let refused = |error: &str| format!("The response from the external identity provider contained an error: {error}");
    let back = case.outward("/app").await;
    case.server.standin.edit(|state| state.logins.values_mut().for_each(|login| login.verifier = "v".repeat(43)));
    assert_eq!(problem(&answer(case.homeward(&back).await).await), refused("invalid_grant"));
    let secret = json!({"HasValue": true, "NewValue": "an older one"});
    case.server.edit("/api/configuration/authentication-od/values", |values| values["ClientSecret"] = secret).await;
    assert_eq!(case.sign_in().await, Err(refused("invalid_client")));
}

#[tokio::test]
async fn state_is_tied_to_the_browser_and_used_once() {
    let case = Case::start().await;
    let without = Return { cookie: String::new(), ..case.outward("/app").await };
    assert!(problem(&answer(case.homeward(&without).await).await).contains("Missing State Hash Cookie"));
    let (one, other) = (case.outward("/app").await, case.outward("/app").await);
    let mixed = Return { path: one.path, cookie: other.cookie };
    assert!(problem(&answer(case.homeward(&mixed).await).await).contains("Tampered State"));
    let back = case.outward("/app").await;
    assert_eq!(case.homeward(&back).await.status(), 302);
    let replay = answer(case.homeward(&back).await).await;
    assert_eq!((replay.0, problem(&replay)), (500, "Your session has expired. Please try signing in again."));
    let tokens = || case.op.seen().iter().filter(|(path, _)| path == "/token").count();
    let before = tokens();
    case.homeward(&back).await;
    assert_eq!(tokens(), before, "a replay asks the provider nothing");
}

#[tokio::test]
async fn old_sign_ins_are_purged_by_newer_ones() {
    let case = Case::start().await;
    let (old, newer) = (case.outward("/app").await, case.outward("/app").await);
    case.server.tick(6 * 60_000);
    assert_eq!(case.homeward(&newer).await.status(), 302, "an own old one still works");
    assert_eq!(case.homeward(&old).await.status(), 500, "but another return purged it");
}

#[tokio::test]
async fn tokens_are_checked() {
    let case = Case::start().await;
    let now = START / 1000;
    let expect = async |field: &str, value: Value, text: &str| {
        case.op.behave(|op| drop(op.claims.insert(field.into(), value)));
        let refused = case.sign_in().await.unwrap_err();
        assert!(refused.contains(text), "{field}: {refused}");
        case.op.behave(|op| op.claims = claims());
    };
    expect("aud", json!("venus"), "audience").await;
    expect("iss", json!("http://evil.localhost"), "issuer").await;
    expect("exp", json!(now - 301), "expired").await;
    expect("exp", json!("soon"), "no exp").await;
    expect("nbf", json!(now + 301), "not valid yet").await;
    expect("sub", Value::Null, "Unable to determine username.").await;
    for (alg, text) in [("none", "RS256"), ("HS256", "RS256")] {
        case.op.behave(|op| drop(op.header.insert("alg".into(), json!(alg))));
        assert!(case.sign_in().await.unwrap_err().contains(text));
    }
    case.op.behave(|op| op.header = serde_json::Map::new());
    case.op.behave(|op| op.spoil_signature = true);
    assert!(case.sign_in().await.unwrap_err().contains("signature is wrong"));
    case.op.behave(|op| op.spoil_signature = false);
    assert!(case.sign_in().await.is_ok(), "several audiences and the rest are fine again");
    case.op.behave(|op| drop(op.claims.insert("aud".into(), json!(["x", "mars"]))));
    assert!(case.sign_in().await.is_ok());
}

#[tokio::test]
async fn keys_are_read_again_when_a_signature_does_not_fit_and_discovery_never() {
    let case = Case::start().await;
    case.sign_in().await.unwrap();
    case.sign_in().await.unwrap();
    let count = |wanted: &str| case.op.seen().iter().filter(|(path, _)| path == wanted).count();
    assert_eq!((count("/jwks"), count("/.well-known/openid-configuration")), (1, 1));
    case.op.rotate("key-2").unwrap();
    case.sign_in().await.unwrap();
    assert_eq!((count("/jwks"), count("/.well-known/openid-configuration")), (2, 1));
    case.op.rotate("key-2").unwrap();
    case.sign_in().await.unwrap();
    assert_eq!(count("/jwks"), 3, "the same kid with another key");
}

#[tokio::test]
async fn the_token_answer_must_be_flat() {
    let case = Case::start().await;
    case.op.behave(|op| drop(op.token_response.insert("scopes".into(), json!(["openid"]))));
    assert!(case.sign_in().await.unwrap_err().contains("token response cannot be read"));
    case.op.behave(|op| op.token_response = json!({"error": "invalid_grant"}).as_object().cloned().unwrap());
    assert!(case.sign_in().await.unwrap_err().contains("error_description"));
    case.op.behave(|op| op.token_response = json!({"id_token": null}).as_object().cloned().unwrap());
    assert!(case.sign_in().await.unwrap_err().contains("id_token"));
}

#[tokio::test]
async fn strangers_and_locked_out_people_do_not_enter() {
    let case = Case::start().await;
    let server = &case.server;
    let stranger = json!({"sub": "s2", "email": "eve@x", "name": "Eve", "preferred_username": "eve"});
    case.op.behave(|op| op.claims = stranger.as_object().cloned().unwrap());
    assert!(case.sign_in().await.unwrap_err().contains("auto user creation is not enabled"));
    server.edit("/api/configuration/authentication-od/values", |values| values["AllowAutoUserCreation"] = Value::Null).await;
    case.sign_in().await.unwrap();
    assert_eq!(server.standin.user("eve").unwrap().email.as_deref(), Some("eve@x"));
    case.op.behave(|op| op.claims = claims());
    let bob = server.standin.user("bob").unwrap().id;
    let set = |active: bool, service: bool| {
        server.standin.edit(|state| {
            let bob = state.users.get_mut(&bob).unwrap();
            (bob.is_active, bob.is_service) = (active, service);
        });
    };
    set(false, false);
    assert!(
        case.sign_in().await.unwrap_err().starts_with("The Octopus User Account 'bob' has been disabled by an Administrator.")
    );
    set(true, true);
    assert!(case.sign_in().await.unwrap_err().starts_with("The Octopus User Account 'bob' is a Service Account"));
    set(true, false);
    server.standin.create_user("twin", Some("bob@x"), None);
    case.op.behave(|op| drop(op.claims.insert("sub".into(), json!("other-sub"))));
    assert!(case.sign_in().await.unwrap_err().starts_with("There are multiple users with this identity."));
}

#[tokio::test]
async fn the_hidden_id_survives_a_put_or_not() {
    let case = Case::start().await;
    for (keeps, expected) in [(true, Some("sub-bob")), (false, None)] {
        case.server.standin.set_switches(|switches| switches.put_users_keeps_eid = keeps);
        case.sign_in().await.unwrap();
        let id = case.server.standin.user("bob").unwrap().id;
        assert_eq!(case.server.edit(&format!("/api/users/{id}"), |user| user["DisplayName"] = json!("Robert")).await.0, 200);
        assert_eq!(case.server.standin.user("bob").unwrap().identities[0].claim("eid"), expected);
    }
    case.sign_in().await.unwrap();
    assert_eq!(case.server.standin.user("bob").unwrap().identities.len(), 1, "it heals at the next sign-in");
}

#[tokio::test]
async fn a_second_identity_of_one_provider_blocks_later_puts() {
    let case = Case::start().await;
    case.op.behave(|op| drop(op.claims.insert("email".into(), json!("BOB@x"))));
    case.sign_in().await.unwrap();
    let bob = case.server.standin.user("bob").unwrap();
    assert_eq!(bob.identities.len(), 2);
    let refused = case.server.edit(&format!("/api/users/{}", bob.id), |user| user["DisplayName"] = json!("Robert")).await;
    assert_eq!(problem(&refused), "You cannot add multiple logins for the same identity provider.");
}

#[tokio::test]
async fn beginning_is_guarded() {
    let case = Case::start().await;
    let begin = async |body: Value| {
        answer(case.server.raw("POST", "/api/users/authenticate/Okta").json(&body).send().await.unwrap()).await
    };
    for target in ["https://evil.example.org", "//evil.example.org", "/\\evil"] {
        let refused = begin(case.begin_body(target)).await;
        assert_eq!(
            (refused.0, problem(&refused)),
            (400, "Request not allowed, due to potential Open Redirection attack"),
            "{target}"
        );
    }
    let trusted = json!(["https://good.example.org/"]);
    case.server.edit("/api/configuration/authentication/values", |values| values["TrustedRedirectUrls"] = trusted).await;
    assert_eq!(begin(case.begin_body("https://good.example.org/x")).await.0, 200);
    let values = "/api/configuration/authentication-od/values";
    let secret = |value: Value| move |values: &mut Value| values["ClientSecret"] = value;
    case.server.edit(values, secret(json!({"HasValue": false, "NewValue": null}))).await;
    assert!(problem(&begin(case.begin_body("/")).await).starts_with("Login failed."), "no hybrid flow here");
    case.server.edit(values, |values| values["IsEnabled"] = json!(false)).await;
    assert_eq!(problem(&begin(case.begin_body("/")).await), "This authentication provider is disabled.");
    assert_eq!(case.server.call_as("", "POST", "/users/authenticate/Unknown", Some(case.begin_body("/"))).await.0, 404);
}

#[tokio::test]
async fn an_unreachable_provider_gives_one_sentence() {
    let case = Case::start().await;
    case.server
        .edit("/api/configuration/authentication-od/values", |values| values["Issuer"] = json!("http://127.0.0.1:9"))
        .await;
    let refused = case.server.call_as("", "POST", "/users/authenticate/Okta", Some(case.begin_body("/"))).await;
    assert_eq!(problem(&refused), "Login failed. Please see the Octopus Server logs for more details.");
}
