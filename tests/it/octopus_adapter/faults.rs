//! A server that is down, slow, confused, hostile or strict: each gives the right error, and nothing is half done.

use super::hands::Hands;
use super::proxy::{Proxy, Twist};
use super::{bob, strict};
use odcm_space_plugin::conformance::Bench;
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use odcm_space_plugin::{AccountChange, AdapterError, AuthenticationSetUp, MemberChange, SpaceAdapter};
use odcm_tests::standins::octopus::{Fault, Version};
use odcm_wire::latest::AuthenticationState;
use std::time::{Duration, Instant};

fn off() -> AccountChange {
    AccountChange { active: Some(false), ..AccountChange::default() }
}

fn set_up() -> AuthenticationSetUp {
    let state = AuthenticationState {
        issuer: "https://odcm.example".into(),
        client_id: "mars".into(),
        display_name: "ODCM".into(),
        secret_generation: 1,
    };
    AuthenticationSetUp { state, client_secret: Some("s3cret".into()) }
}

/// One error of every call of the adapter.
async fn errors(adapter: &OctopusAdapter) -> Vec<(&'static str, AdapterError)> {
    let add = MemberChange { add: ["Users-1".to_owned()].into(), ..MemberChange::default() };
    let backup = odcm_space_plugin::Backup { sections: vec![("authentication".into(), serde_json::json!({}))] };
    vec![
        ("describe", adapter.describe().await.unwrap_err()),
        ("provider", adapter.provider().await.unwrap_err()),
        ("authentication", adapter.authentication().await.unwrap_err()),
        ("set_authentication", adapter.set_authentication(&set_up()).await.unwrap_err()),
        ("back_up_authentication", adapter.back_up_authentication("https://odcm.example").await.unwrap_err()),
        ("restore_authentication", adapter.restore_authentication(&backup).await.unwrap_err()),
        ("probe_sign_in", adapter.probe_sign_in("code").await.unwrap_err()),
        ("accounts", adapter.accounts().await.unwrap_err()),
        ("account", adapter.account("Users-1").await.unwrap_err()),
        ("create_account", adapter.create_account(&bob()).await.unwrap_err()),
        ("change_account", adapter.change_account("Users-1", &off()).await.unwrap_err()),
        ("api_keys", adapter.api_keys("Users-1").await.unwrap_err()),
        ("delete_api_key", adapter.delete_api_key("Users-1", "apikeys-1").await.unwrap_err()),
        ("end_sessions", adapter.end_sessions("Users-1").await.unwrap_err()),
        ("created_service_accounts", adapter.created_service_accounts("Users-1").await.unwrap_err()),
        ("teams_of", adapter.teams_of("Users-1").await.unwrap_err()),
        ("teams", adapter.teams().await.unwrap_err()),
        ("team", adapter.team("Teams-1").await.unwrap_err()),
        ("change_members", adapter.change_members("Teams-1", &add).await.unwrap_err()),
        ("changes_since", adapter.changes_since(Some("1")).await.unwrap_err()),
    ]
}

#[tokio::test]
async fn every_call_names_the_trouble() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let before = hands.standin.snapshot();
    hands.standin.fault(Fault::Status(500));
    for (call, error) in errors(&hands.fresh_adapter()).await {
        assert!(matches!(error, AdapterError::Unavailable { retry_after_ms: None, .. }), "{call}: {error:?}");
    }
    hands.standin.clear_faults();
    hands.standin.fault(Fault::Garbage);
    for (call, error) in errors(&hands.fresh_adapter()).await {
        assert!(matches!(error, AdapterError::Garbage(_)), "{call}: {error:?}");
    }
    assert_eq!(hands.standin.snapshot().users, before.users);
    assert_eq!(hands.standin.snapshot().sections, before.sections);
}

#[tokio::test]
async fn answers_of_another_shape_are_garbage() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let deep = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
    for text in ["", "null", "[]", "{}", "7", r#"{"Links":{},"Version":"1","InstallationId":5}"#, deep, "\u{fffd}"] {
        let proxy = Proxy::start(&hands, Twist::Says(200, text)).await;
        let described = proxy.adapter().describe().await;
        assert!(matches!(described, Err(AdapterError::Garbage(_))), "{text:.20}: {described:?}");
    }
    // A root document whose links lead to itself: wherever it leads, no panic and no success.
    let selfish = r#"{"Version":"1","InstallationId":"x","Links":{"Users":"/api","Teams":"/api","Configuration":"/api","Events":"/api","UserRoles":"/api","CurrentUser":"/api"}}"#;
    let proxy = Proxy::start(&hands, Twist::Says(200, selfish)).await;
    let adapter = proxy.adapter();
    assert_eq!(adapter.account("Users-1").await, Ok(None), "another document is not the account");
    assert_eq!(adapter.team("Teams-1").await, Ok(None));
    for error in [
        adapter.accounts().await.unwrap_err(),
        adapter.teams().await.unwrap_err(),
        adapter.authentication().await.unwrap_err(),
        adapter.create_account(&bob()).await.unwrap_err(),
        adapter.describe().await.unwrap_err(),
    ] {
        assert!(matches!(error, AdapterError::Garbage(_)), "{error:?}");
    }
    assert!(adapter.changes_since(Some("1")).await.is_err());
}

/// The key must not follow a redirect, nor a link, to another server.
#[tokio::test]
async fn the_key_goes_to_no_other_server() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let other = Hands::start(Version::OLDEST, strict()).await;
    hands.standin.fault(Fault::Redirect(format!("{}/api", other.standin.url())));
    for (call, error) in errors(&hands.fresh_adapter()).await {
        assert!(matches!(&error, AdapterError::Garbage(text) if text.contains("redirect")), "{call}: {error:?}");
    }
    let link = format!("{}/api/users{{/id}}{{?take}}", other.standin.url());
    let root: &'static str =
        format!(r#"{{"Version":"1","InstallationId":"x","Links":{{"Users":"{link}","CurrentUser":"{link}"}}}}"#).leak();
    let proxy = Proxy::start(&hands, Twist::Says(200, root)).await;
    let followed = proxy.adapter().describe().await;
    assert!(matches!(&followed, Err(AdapterError::Garbage(text)) if text.contains("elsewhere")), "{followed:?}");
    assert_eq!(other.standin.requests(), 0);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    hands.standin.fault(Fault::Hang);
    let adapter = hands.adapter_with(|config| config.request_timeout = Duration::from_millis(200));
    let started = Instant::now();
    let error = adapter.describe().await.unwrap_err();
    assert!(matches!(error, AdapterError::Unavailable { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(error.is_temporary());

    // Many slow answers add up to no more than the time of one call.
    hands.standin.clear_faults();
    hands.standin.fault(Fault::Slow(Duration::from_millis(300)));
    let adapter = hands.adapter_with(|config| config.call_timeout = Duration::from_millis(700));
    let started = Instant::now();
    assert!(matches!(adapter.describe().await, Err(AdapterError::Unavailable { .. })));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let adapter = OctopusAdapter::new(OctopusConfig::new(&url, "API-TEST")).unwrap();
    let error = adapter.describe().await.unwrap_err();
    assert!(matches!(&error, AdapterError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains("API-TEST"));
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    for announced in [true, false] {
        let proxy = Proxy::start(&hands, Twist::Endless { announced }).await;
        let error = proxy.adapter().describe().await.unwrap_err();
        assert!(matches!(&error, AdapterError::Garbage(text) if text.contains("larger")), "{announced}: {error:?}");
    }
}

#[tokio::test]
async fn a_busy_server_is_left_alone() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let adapter = hands.fresh_adapter();
    hands.standin.fault_on(Fault::RateLimited(60), "/api", None, Some(1));
    let error = adapter.describe().await.unwrap_err();
    assert!(matches!(error, AdapterError::Unavailable { retry_after_ms: Some(60_000), .. }), "{error:?}");
    let asked = hands.standin.requests();
    let error = adapter.teams().await.unwrap_err();
    assert!(matches!(error, AdapterError::Unavailable { retry_after_ms: Some(50_000..=60_000), .. }), "{error:?}");
    // What takes access away, and the question before it, tries again sooner.
    for error in [adapter.end_sessions("Users-1").await.unwrap_err(), adapter.installation_id().await.unwrap_err()] {
        assert!(matches!(error, AdapterError::Unavailable { retry_after_ms: Some(1..=10_000), .. }), "{error:?}");
    }
    assert_eq!(hands.standin.requests(), asked, "nothing may be sent meanwhile");
    assert!(hands.fresh_adapter().describe().await.is_ok());
}

#[tokio::test]
async fn a_key_without_rights_is_denied() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let nobody = hands.create_account("nobody", "nobody@x.example").await;
    let key = hands.standin.create_api_key(&nobody, "none");
    let adapter = hands.adapter_with(|config| config.api_key = key);
    for error in [
        adapter.accounts().await.unwrap_err(),
        adapter.teams().await.unwrap_err(),
        adapter.authentication().await.unwrap_err(),
        adapter.changes_since(None).await.unwrap_err(),
        adapter.create_account(&bob()).await.unwrap_err(),
        adapter.change_account("Users-1", &off()).await.unwrap_err(),
    ] {
        assert!(matches!(&error, AdapterError::Denied(text) if text.contains("Missing permission")), "{error:?}");
        assert!(!error.is_temporary());
    }
    // It still says which server it is, and that the settings are closed to it.
    let description = adapter.describe().await.unwrap();
    assert_eq!(description.installation_id, hands.standin.snapshot().installation_id);

    hands.set_active(&nobody, false).await;
    assert!(matches!(adapter.describe().await, Err(AdapterError::Denied(_))), "a disabled account");
    let wrong = hands.adapter_with(|config| config.api_key = "API-WRONG".into());
    assert!(matches!(wrong.describe().await, Err(AdapterError::Denied(_))));
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing_and_can_be_repeated() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let account = hands.adapter.create_account(&bob()).await.unwrap();
    hands.standin.fault_on(Fault::Status(503), "/api/users", Some("PUT"), Some(1));
    let error = hands.adapter.change_account(&account.id, &off()).await.unwrap_err();
    assert!(matches!(error, AdapterError::Unavailable { .. }), "{error:?}");
    assert!(hands.standin.user("bob").unwrap().is_active);
    assert!(!hands.adapter.change_account(&account.id, &off()).await.unwrap().active);
}

#[tokio::test]
async fn an_account_whose_answer_was_lost_is_found_again() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let proxy = Proxy::start(&hands, Twist::LosesAnAnswer).await;
    let created = proxy.adapter().create_account(&bob()).await.unwrap();
    assert_eq!(created.username, "bob");
    let users = hands.standin.snapshot().users;
    assert_eq!(users.values().filter(|user| user.username == "bob").count(), 1);
    // But an account that was there before is never taken for a new one.
    hands.standin.create_user("carol", Some("carol@x.example"), None);
    let carol =
        odcm_space_plugin::NewAccount { username: "Carol".into(), email: "carol@x.example".into(), display_name: "C".into() };
    assert!(matches!(proxy.adapter().create_account(&carol).await, Err(AdapterError::Invalid(_))));
}

#[tokio::test]
async fn a_server_that_forgets_is_found_out() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let bob = hands.create_account("bob", "bob@x.example").await;
    let team = hands.create_team("Developers", &[&bob], "group-1").await;
    let proxy = Proxy::start(&hands, Twist::ForgetsPuts).await;
    let adapter = proxy.adapter();
    let remove = MemberChange { remove: [bob.clone()].into(), ..MemberChange::default() };
    for error in [
        adapter.change_account(&bob, &off()).await.unwrap_err(),
        adapter.change_members(&team, &remove).await.unwrap_err(),
        adapter.set_authentication(&set_up()).await.unwrap_err(),
    ] {
        assert!(matches!(error, AdapterError::NotHeld(_)), "{error:?}");
    }
}

/// Taking access away depends on the users of the server, not on its settings: neither the write nor the reading back.
#[tokio::test]
async fn deactivating_needs_no_settings() {
    for fault in [Fault::Status(500), Fault::Status(404), Fault::Garbage, Fault::Hang] {
        let hands = Hands::start(Version::new(2025, 4, 100), strict()).await;
        let id = hands.create_account("carol", "carol@x.example").await;
        let adapter = hands.adapter_with(|config| config.request_timeout = Duration::from_millis(500));
        for path in ["/api/configuration", "/api/authentication", "/api/users/identity-metadata"] {
            hands.standin.fault_on(fault.clone(), path, None, None);
        }
        let off = adapter.change_account(&id, &off()).await;
        assert!(matches!(&off, Ok(account) if !account.active), "{fault:?}: {off:?}");
        assert!(!hands.standin.user("carol").unwrap().is_active);
        let seen = adapter.account(&id).await;
        assert!(matches!(&seen, Ok(Some(account)) if !account.active), "{fault:?}: {seen:?}");
        let on = AccountChange { active: Some(true), ..AccountChange::default() };
        assert!(adapter.change_account(&id, &on).await.is_err(), "{fault:?}: giving access waits");
    }
}

/// Pages that are each small enough, and too many of them.
#[tokio::test]
async fn a_collection_is_bounded_in_all() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    for n in 0..300 {
        hands.standin.create_user(&format!("user{n}"), Some(&format!("user{n}@x.example")), None);
    }
    let proxy = Proxy::start(&hands, Twist::PagesOf(10)).await;
    let adapter = |max_body| {
        let mut config = OctopusConfig::new(&proxy.url, hands.standin.admin_key());
        config.max_body = max_body;
        OctopusAdapter::new(config).unwrap()
    };
    assert!(adapter(32 * 1024 * 1024).accounts().await.unwrap().len() > 300);
    let error = adapter(48 * 1024).accounts().await.unwrap_err();
    assert!(matches!(&error, AdapterError::Garbage(text) if text.contains("in all")), "{error:?}");
}
