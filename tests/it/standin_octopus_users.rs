//! Users, identities, API keys and what disabling ends.

use serde_json::{Value, json};

use crate::standin_octopus_client::{Server, plain, problem};

fn identity(provider: &str, email: &str) -> Value {
    json!({"IdentityProviderName": provider, "Claims": {
        "email": {"Value": email, "IsIdentifyingClaim": true},
        "dn": {"Value": "Somebody", "IsIdentifyingClaim": false},
    }})
}

fn body(name: &str) -> Value {
    json!({"Username": name, "DisplayName": name})
}

#[tokio::test]
async fn a_created_user_is_what_a_get_shows() {
    let server = Server::start().await;
    let mut wanted = body("bob");
    wanted["Identities"] = json!([identity("Okta", "bob@x")]);
    let (status, created) = server.call("POST", "/api/users", Some(wanted)).await;
    assert_eq!(status, 201);
    let path = created["Links"]["Self"].as_str().unwrap();
    assert_eq!(server.get(path).await, created);
    assert_eq!(plain(&created["Identities"]), json!([identity("Okta", "bob@x")]));
    assert_eq!(
        (&created["IsActive"], &created["Password"], &created["LastModifiedBy"]),
        (&json!(true), &Value::Null, &json!("odcm-agent"))
    );
    assert!(created["Links"]["RevokeSessions"].as_str().is_some());
    let listed = server.get("/api/users?filter=bob").await;
    assert!(listed["Items"][0].get("LastModifiedOn").is_none(), "lists are shorter");
    server.standin.set_switches(|switches| switches.lists_omit_last_modified = false);
    assert_eq!(server.get("/api/users?filter=bob").await["Items"][0], created);
}

#[tokio::test]
async fn users_are_validated_with_the_known_texts() {
    let server = Server::start().await;
    server.user("taken").await;
    let cases = [
        (json!({"DisplayName": "x"}), "Username is required."),
        (json!({"Username": "x"}), "DisplayName is required."),
        (json!({"Username": "x".repeat(65), "DisplayName": "x"}), "Username must not be longer than 64 characters."),
        (body("TAKEN"), "A User with this name already exists. Please choose a different name."),
        (body("System"), "Username is reserved and can't be used to create new users."),
        (json!({"Username": "x", "DisplayName": "x", "Password": "weak"}), "The password was too weak."),
        (
            json!({"Username": "x", "DisplayName": "x", "IsService": true, "Password": "Str0ng-enough"}),
            "Passwords cannot be set for service user accounts.",
        ),
        (
            json!({"Username": "x", "DisplayName": "x", "Identities": [identity("Okta", "a@x"), identity("Okta", "b@x")]}),
            "You cannot add multiple logins for the same identity provider.",
        ),
        (
            json!({"Username": "x", "DisplayName": "x", "Identities": [identity("Nobody", "a@x")]}),
            "Identities: there is no identity provider 'Nobody'.",
        ),
    ];
    for (body, text) in cases {
        let answer = server.call("POST", "/api/users", Some(body.clone())).await;
        assert!(answer.0 == 400 && problem(&answer).starts_with(text), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn an_external_login_belongs_to_one_user() {
    let server = Server::start().await;
    let mut one = body("one");
    one["Identities"] = json!([identity("Okta", "same@x")]);
    assert_eq!(server.call("POST", "/api/users", Some(one)).await.0, 201);
    let mut two = body("two");
    two["Identities"] = json!([identity("Okta", "SAME@x")]);
    let refused = server.call("POST", "/api/users", Some(two)).await;
    assert_eq!(problem(&refused), "A user with a matching external login already exists.");
}

#[tokio::test]
async fn a_put_is_whole_and_may_name_less() {
    let server = Server::start().await;
    let user = server.user("bob").await;
    let path = user["Links"]["Self"].as_str().unwrap();
    for field in ["Id", "Username", "DisplayName", "IsActive"] {
        let answer = server.edit(path, |user| drop(user.as_object_mut().unwrap().remove(field))).await;
        assert!(answer.0 == 400 && problem(&answer).starts_with(field), "{field}: {answer:?}");
    }
    server.edit(path, |user| user["Identities"] = json!([identity("Okta", "bob@x")])).await;
    for (clears, left) in [(false, 1), (true, 0)] {
        server.standin.set_switches(|switches| switches.put_without_identities_clears = clears);
        let (status, after) = server.edit(path, |user| drop(user.as_object_mut().unwrap().remove("Identities"))).await;
        assert_eq!((status, after["Identities"].as_array().unwrap().len()), (200, left));
    }
    assert!(server.standin.user("bob").unwrap().password.is_none());
    server.edit(path, |user| user["Password"] = json!("Str0ng-enough")).await;
    let hash = server.standin.user("bob").unwrap().password;
    server.edit(path, |_| {}).await;
    assert!(hash.is_some() && server.standin.user("bob").unwrap().password == hash, "null keeps the password");
    assert!(!hash.unwrap().contains("Str0ng"));
}

#[tokio::test]
async fn strict_callers_must_bring_every_field_back() {
    let server = Server::start().await;
    let user = server.user("bob").await;
    let path = user["Links"]["Self"].as_str().unwrap().to_owned();
    let drop_unknown = |user: &mut Value| drop(user.as_object_mut().unwrap().remove("XFutureField"));
    assert_eq!(server.edit(&path, drop_unknown).await.0, 200, "off by default");
    let key = server.standin.admin_key().to_owned();
    server.standin.set_switches(|switches| switches.strict_roundtrip = [key].into());
    let refused = server.edit(&path, drop_unknown).await;
    assert!(refused.0 == 400 && problem(&refused).contains("XFutureField"), "{refused:?}");
    assert_eq!(server.edit(&path, |user| user["DisplayName"] = json!("Robert")).await.0, 200);
    let links = server.edit(&path, |user| drop(user["Links"].as_object_mut().unwrap().remove("Teams"))).await;
    assert!(problem(&links).contains("Links.Teams"), "{links:?}");
    // Inside of what a list holds as well: identities, their claims, external groups.
    server.edit(&path, |user| user["Identities"] = json!([identity("Okta", "bob@x")])).await;
    type Change = fn(&mut Value);
    let inside: [(&str, Change); 3] = [
        ("Identities[Okta].Claims.dn", |user| drop(user["Identities"][0]["Claims"].as_object_mut().unwrap().remove("dn"))),
        ("Identities[Okta].XFutureField", |user| drop(user["Identities"][0].as_object_mut().unwrap().remove("XFutureField"))),
        ("Identities[Okta].Claims.email.XFutureField", |user| {
            drop(user["Identities"][0]["Claims"]["email"].as_object_mut().unwrap().remove("XFutureField"));
        }),
    ];
    for (field, change) in inside {
        let refused = server.edit(&path, change).await;
        assert!(refused.0 == 400 && problem(&refused).contains(field), "{field}: {refused:?}");
    }
    let changed = |user: &mut Value| user["Identities"][0]["Claims"]["email"]["Value"] = json!("robert@x");
    assert_eq!(server.edit(&path, changed).await.0, 200, "a value may change");
    assert_eq!(server.edit(&path, |user| user["Identities"] = json!([])).await.0, 200, "an item may go");
    server
        .edit("/api/teams/teams-managers", |team| team["ExternalSecurityGroups"] = json!([{"Id": "g1", "DisplayName": "G"}]))
        .await;
    let group = |team: &mut Value| drop(team["ExternalSecurityGroups"][0].as_object_mut().unwrap().remove("XFutureField"));
    let refused = server.edit("/api/teams/teams-managers", group).await;
    assert!(problem(&refused).contains("ExternalSecurityGroups[g1].XFutureField"), "{refused:?}");
    for path in
        ["/api/teams/teams-managers", "/api/configuration/authentication-od/values", "/api/Spaces-1/environments/Environments-1"]
    {
        assert_eq!(server.edit(path, drop_unknown).await.0, 400, "{path}");
        assert_eq!(server.edit(path, |_| {}).await.0, 200, "{path}");
    }
    let other = server.standin.create_api_key("Users-2", "other");
    let mut user = server.get(&path).await;
    drop_unknown(&mut user);
    assert_eq!(server.call_as(&other, "PUT", &path, Some(user)).await.0, 200, "only the named key is held");
}

#[tokio::test]
async fn creating_inactive_users_is_an_assumption() {
    let server = Server::start().await;
    for (allowed, name) in [(false, "a"), (true, "b")] {
        server.standin.set_switches(|switches| switches.post_inactive_user_allowed = allowed);
        let mut body = body(name);
        body["IsActive"] = json!(false);
        assert_eq!(server.call("POST", "/api/users", Some(body)).await.1["IsActive"], !allowed);
    }
}

#[tokio::test]
async fn disabling_refuses_keys_and_ends_sessions() {
    let server = Server::start().await;
    let user = server.user("bob").await;
    let (id, path) = (user["Id"].as_str().unwrap().to_owned(), user["Links"]["Self"].as_str().unwrap().to_owned());
    let key = server.standin.create_api_key(&id, "mine");
    for (ends, status) in [(false, 200), (true, 401)] {
        server.standin.set_switches(|switches| switches.disable_ends_sessions = ends);
        let session = server.standin.open_session(&id);
        let set = async |active: bool| server.edit(&path, |user| user["IsActive"] = json!(active)).await.0;
        assert_eq!(set(false).await, 200);
        assert_eq!(server.call_as(&key, "GET", "/api/users/me", None).await.0, 401, "keys never work");
        assert_eq!(server.call_with(&session, "GET", "/api/users/me", None).await.0, status);
        assert_eq!(set(true).await, 200);
        assert_eq!(server.call_as(&key, "GET", "/api/users/me", None).await.0, 200, "keys work again");
        assert_eq!(server.call_with(&session, "GET", "/api/users/me", None).await.0, status, "an ended session stays ended");
    }
    let own = server.edit("/api/users/Users-2", |user| user["IsActive"] = json!(false)).await;
    assert_eq!(own.0, 400, "nobody disables their own account");
}

#[tokio::test]
async fn sessions_can_be_revoked() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let other = server.standin.open_session("Users-1");
    let session = server.standin.open_session(&id);
    let path = format!("/api/users/{id}/revoke-sessions");
    assert_eq!(server.call_with(&session, "PUT", "/api/users/Users-1/revoke-sessions", None).await.0, 403);
    assert_eq!(server.call("PUT", &path, None).await, (200, json!({})));
    assert_eq!(server.call_with(&session, "GET", "/api/users/me", None).await.0, 401);
    assert_eq!(server.call_with(&other, "GET", "/api/users/me", None).await.0, 200);
    let session = server.standin.open_session(&id);
    assert_eq!(server.call_with(&session, "PUT", &path, None).await.0, 200, "own sessions without a permission");
    assert_eq!(server.call("PUT", "/api/users/Users-99/revoke-sessions", None).await.0, 404);
}

#[tokio::test]
async fn keys_are_shown_once_and_expire() {
    let server = Server::start().await;
    let service = json!({"Username": "robot", "DisplayName": "Robot", "IsService": true});
    let id = server.call("POST", "/api/users", Some(service)).await.1["Id"].as_str().unwrap().to_owned();
    let keys = format!("/api/users/{id}/apikeys");
    let (status, made) = server.call("POST", &keys, Some(json!({"Purpose": "build"}))).await;
    assert_eq!(status, 200, "not 201");
    let key = made["ApiKey"].as_str().unwrap().to_owned();
    assert!(key.starts_with("API-") && key[4..].chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
    let listed = server.get(&keys).await;
    assert_eq!(listed["Items"][0]["ApiKey"], json!({"HasValue": true, "NewValue": null, "Hint": key[..8]}));
    assert_eq!(server.call_as(&key, "GET", "/api/users/me", None).await.1["Username"], "robot");
    server.tick(181 * 86_400_000);
    assert_eq!(server.call_as(&key, "GET", "/api/users/me", None).await.0, 401, "180 days by default");
    let past = server.call("POST", &keys, Some(json!({"Purpose": "x", "Expires": "2020-01-01T00:00:00Z"}))).await;
    assert_eq!(past.0, 400);
    let forever = server.call("POST", &keys, Some(json!({"Purpose": "x", "Expires": null}))).await.1;
    assert_eq!(forever["Expires"], Value::Null);
    let one = made["Links"]["Self"].as_str().unwrap();
    let foreign = one.replace(&id, "Users-1");
    assert_eq!(problem(&server.call("DELETE", &foreign, None).await), "This ApiKey does not belong to the specified user.");
    assert_eq!(server.call("DELETE", one, None).await, (200, json!({})));
    assert_eq!(server.call("GET", one, None).await.0, 404);
}

#[tokio::test]
async fn keys_of_people_are_their_own() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, None);
    let keys = format!("/api/users/{id}/apikeys");
    let refused = server.call("POST", &keys, Some(json!({"Purpose": "x"}))).await;
    assert_eq!(refused.0, 403, "an administrator makes no keys for people");
    let session = server.standin.open_session(&id);
    for (may, status) in [(false, 403), (true, 200)] {
        server.standin.set_switches(|switches| switches.admin_may_delete_human_keys = may);
        let made = server.call_with(&session, "POST", &keys, Some(json!({"Purpose": "mine"}))).await.1;
        assert_eq!(server.call("DELETE", made["Links"]["Self"].as_str().unwrap(), None).await.0, status);
    }
    let other = server.standin.create_api_key(&server.standin.create_user("eve", None, None), "x");
    assert_eq!(server.call_as(&other, "GET", &keys, None).await.0, 403);
}

#[tokio::test]
async fn a_newer_server_can_forbid_new_keys() {
    let server = Server::with(|config| config.version = "2023.2.1".parse().unwrap()).await;
    let id = server.standin.create_user("bob", None, None);
    let session = server.standin.open_session(&id);
    let old = server.standin.create_api_key(&id, "old");
    server.edit("/api/configuration/authentication/values", |values| values["UserApiKeysEnabled"] = json!(false)).await;
    let keys = format!("/api/users/{id}/apikeys");
    assert_eq!(server.call_with(&session, "POST", &keys, Some(json!({"Purpose": "x"}))).await.0, 400);
    assert_eq!(server.call_as(&old, "GET", "/api/users/me", None).await.0, 200, "old keys go on");
    let service = json!({"Username": "robot", "DisplayName": "Robot", "IsService": true});
    let robot = server.call("POST", "/api/users", Some(service)).await.1["Id"].as_str().unwrap().to_owned();
    let made = server.call("POST", &format!("/api/users/{robot}/apikeys"), Some(json!({"Purpose": "x"}))).await;
    assert_eq!(made.0, 200, "service accounts are not concerned");
}

#[tokio::test]
async fn deleting_takes_everything_along() {
    let server = Server::start().await;
    let user = server.user("bob").await;
    let id = user["Id"].as_str().unwrap().to_owned();
    let key = server.standin.create_api_key(&id, "x");
    server.standin.edit_team("Developers", |team| team.members.push(id.clone()));
    assert_eq!(server.call("DELETE", &format!("/api/users/{id}"), None).await, (200, json!({})));
    assert_eq!(server.call_as(&key, "GET", "/api/users/me", None).await.0, 401);
    assert!(server.standin.team("Developers").unwrap().members.is_empty());
    assert_eq!(server.call("DELETE", "/api/users/Users-2", None).await.0, 400, "not oneself");
}

#[tokio::test]
async fn only_administrators_touch_administrators() {
    let server = Server::start().await;
    let id = server.standin.create_user("manager", None, None);
    let key = server.standin.create_api_key(&id, "x");
    server.edit("/api/teams/teams-managers", |team| team["MemberUserIds"] = json!([id])).await;
    let mut admin = server.get("/api/users/Users-1").await;
    admin["Password"] = json!("Str0ng-enough");
    let refused = server.call_as(&key, "PUT", "/api/users/Users-1", Some(admin)).await;
    assert!(refused.0 == 403 && problem(&refused).contains("AdministerSystem"), "{refused:?}");
    let mut team = server.get("/api/teams/teams-administrators").await;
    team["MemberUserIds"] = json!(["Users-1", "Users-2", id]);
    assert_eq!(server.call_as(&key, "PUT", "/api/teams/teams-administrators", Some(team)).await.0, 403);
}

#[tokio::test]
async fn passwords_open_sessions() {
    let server = Server::start().await;
    server.standin.create_user("bob", Some("bob@example.org"), Some("Str0ng-enough"));
    let login = async |name: &str, password: &str| {
        server.call_as("", "POST", "/api/users/login", Some(json!({"Username": name, "Password": password}))).await
    };
    assert_eq!(login("BOB", "Str0ng-enough").await.0, 200);
    assert_eq!(login("bob@example.org", "Str0ng-enough").await.0, 200, "by an address that one account has");
    assert_eq!(problem(&login("bob", "wrong").await), "Invalid username or password.");
    server.standin.create_user("bob2", Some("bob@example.org"), None);
    assert_eq!(login("bob@example.org", "Str0ng-enough").await.0, 400, "not when two have it");
    let response = server
        .raw("POST", "/api/users/login")
        .json(&json!({"Username": "bob", "Password": "Str0ng-enough"}))
        .send()
        .await
        .unwrap();
    let cookies =
        response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>();
    let id = server.get("/api").await["InstallationId"].as_str().unwrap().to_owned();
    assert!(cookies[0].starts_with(&format!("OctopusIdentificationToken_{id}=")) && cookies[0].contains("HttpOnly"));
    assert!(cookies[1].starts_with(&format!("Octopus-Csrf-Token_{id}=")) && !cookies[1].contains("HttpOnly"));
    for _ in 0..10 {
        login("bob", "wrong").await;
    }
    assert!(problem(&login("bob", "Str0ng-enough").await).starts_with("You have had too many failed login attempts"));
    server.tick(61_000);
    assert_eq!(login("bob", "Str0ng-enough").await.0, 200);
    server.standin.edit(|state| state.users.get_mut("Users-3").unwrap().is_active = false);
    assert!(problem(&login("bob", "Str0ng-enough").await).contains("has been disabled by an Administrator"));
}

#[tokio::test]
async fn a_new_password_ends_sessions_or_not() {
    let server = Server::start().await;
    let id = server.standin.create_user("bob", None, Some("Str0ng-enough"));
    for (ends, status) in [(false, 200), (true, 401)] {
        server.standin.set_switches(|switches| switches.password_change_ends_sessions = ends);
        let session = server.standin.open_session(&id);
        server.edit(&format!("/api/users/{id}"), |user| user["Password"] = json!("An0ther-one")).await;
        assert_eq!(server.call_with(&session, "GET", "/api/users/me", None).await.0, status);
    }
}

#[tokio::test]
async fn identity_metadata_lists_all_or_enabled_providers() {
    let server = Server::start().await;
    for (only, count) in [(false, 6), (true, 0)] {
        server.standin.set_switches(|switches| switches.identity_metadata_enabled_only = only);
        let metadata = server.get("/api/users/identity-metadata").await;
        assert_eq!(metadata["Providers"].as_array().unwrap().len(), count);
    }
}
