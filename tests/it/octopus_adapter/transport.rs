//! How the adapter reaches a server: TLS with a private authority, a proxy, its pace.

use super::hands::Hands;
use super::proxy::{Proxy, Twist};
use super::strict;
use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use axum_server::tls_rustls::RustlsConfig;
use odcm_space_plugin::conformance::Bench;
use odcm_space_plugin::octopus::{OctopusAdapter, OctopusConfig};
use odcm_space_plugin::{AdapterError, MemberChange, SpaceAdapter};
use odcm_tests::standins::octopus::{Fault, Version};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");
const STRANGER: &[u8] = include_bytes!("tls/stranger.pem");

/// The least that is an Octopus server, over TLS; answers its address.
async fn secure_server() -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (chain, key) = (include_bytes!("tls/server.pem"), include_bytes!("tls/server.key"));
    let tls = RustlsConfig::from_pem(chain.to_vec(), key.to_vec()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let root = async |request: Request| {
        assert_eq!(request.headers()["x-octopus-apikey"], "API-TEST");
        axum::Json(json!({
            "Id": "Users-1", "InstallationId": "secure", "Version": "2023.1.1", "ItemType": "x", "Items": [{"Id": "authentication-od",
            "Links": {"Values": "/api"}}], "Links": {"CurrentUser": "/api", "Configuration": "/api"},
        }))
    };
    let router = Router::new().route("/api", any(root));
    tokio::spawn(async move { axum_server::from_tcp_rustls(listener, tls).unwrap().serve(router.into_make_service()).await });
    url
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_named_and_only_then() {
    let url = secure_server().await;
    let adapter = |pem: Option<&[u8]>| {
        let mut config = OctopusConfig::new(&url, "API-TEST");
        config.ca_pem = pem.map(<[u8]>::to_vec);
        OctopusAdapter::new(config)
    };
    let described = adapter(Some(AUTHORITY)).unwrap().describe().await.unwrap();
    assert_eq!(described.installation_id, "secure");
    let error = adapter(Some(STRANGER)).unwrap().describe().await.unwrap_err();
    assert!(matches!(&error, AdapterError::Unavailable { message, .. } if message.contains("certificate")), "{error:?}");
    // A host without any certificates of its own refuses at the start, others at the first request.
    if let Ok(adapter) = adapter(None) {
        let error = adapter.describe().await.unwrap_err();
        assert!(matches!(&error, AdapterError::Unavailable { message, .. } if message.contains("certificate")), "{error:?}");
    }
}

#[tokio::test]
async fn a_proxy_is_used_when_named() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let proxy = Proxy::start(&hands, Twist::PagesOf(1000)).await;
    let adapter = hands.adapter_with(|config| config.proxy = Some(proxy.url.clone()));
    adapter.describe().await.unwrap();
    assert!(proxy.paths().contains(&"/api".to_owned()), "{:?}", proxy.paths());
    let seen = proxy.paths().len();
    hands.fresh_adapter().describe().await.unwrap();
    assert_eq!(proxy.paths().len(), seen, "and only then");
}

#[tokio::test]
async fn twenty_requests_a_second_and_removals_go_past() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let carol = hands.create_account("carol", "carol@x.example").await;
    let adapter = hands.fresh_adapter();
    adapter.describe().await.unwrap();
    let (before, started) = (hands.standin.requests(), Instant::now());
    let reads = async {
        while started.elapsed() < Duration::from_millis(2500) {
            adapter.account(&carol).await.unwrap();
        }
        hands.standin.requests() - before
    };
    let removal = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = Instant::now();
        adapter.end_sessions(&carol).await.unwrap();
        asked.elapsed()
    };
    let (reads, removal) = tokio::join!(reads, removal);
    assert!((20..=65).contains(&reads), "{reads} requests in 2.5 s");
    assert!(removal < Duration::from_millis(400), "a removal waited {removal:?} behind reads");
}

#[tokio::test]
async fn edits_of_one_team_at_the_same_time_are_not_lost() {
    let hands = Hands::start(Version::OLDEST, strict()).await;
    let team = hands.create_team("Developers", &[], "group-1").await;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(hands.create_account(&format!("p{number}"), &format!("p{number}@x.example")).await);
    }
    hands.standin.fault_on(Fault::Slow(Duration::from_millis(20)), "/api/teams", None, None);
    let join = |id: &String| MemberChange { add: [id.clone()].into(), ..MemberChange::default() };
    let changes: Vec<_> = people.iter().map(join).collect();
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|index| hands.adapter.change_members(&team, &changes[index]));
    let (a, b, c, d, e) = tokio::join!(a, b, c, d, e);
    for outcome in [a, b, c, d, e] {
        outcome.unwrap();
    }
    let mut members = hands.standin.team(&team).unwrap().members;
    members.sort();
    assert_eq!(members, people);
}
