//! The whole server as the command starts it: TLS from files, the management listener, a drain that lets requests finish.

use crate::push::support::until;
use odcm::config::Config;
use reqwest::{Certificate, Client, ClientBuilder};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn client() -> ClientBuilder {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configuration(folder: &Path, listen: SocketAddr, management: SocketAddr, more: &[(&str, String)]) -> Config {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut pairs = vec![
        ("ODCM__SERVER__LISTEN", listen.to_string()),
        ("ODCM__SERVER__PUBLIC_URL", format!("http://localhost:{}", listen.port())),
        ("ODCM__SERVER__DRAIN_SECONDS", "20".into()),
        ("ODCM__MANAGEMENT__LISTEN", management.to_string()),
        ("ODCM__DATABASE__URL", format!("sqlite:{}", file("odcm.db"))),
        ("ODCM__SECRETS__MASTER_KEY_PATH", file("master.key")),
    ];
    pairs.extend_from_slice(more);
    Config::load(None, pairs.into_iter().map(|(key, value)| (key.to_owned(), value))).unwrap_or_else(|e| panic!("{e}"))
}

struct Running {
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<(), String>>,
}

fn start(config: Config) -> Running {
    let (stop, stopped) = watch::channel(false);
    Running { stop, ended: tokio::spawn(odcm::server::run(config, stopped)) }
}

impl Running {
    async fn end(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(60), self.ended).await.expect("it ends").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_https_from_files_and_health_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (listen, management) = (free(), free());
    let text = |path: &Path| path.display().to_string();
    let url = format!("https://localhost:{}", listen.port());
    let more = [
        ("ODCM__SERVER__TLS_CERT_FILE", text(&cert)),
        ("ODCM__SERVER__TLS_KEY_FILE", text(&key)),
        ("ODCM__SERVER__PUBLIC_URL", url.clone()),
    ];
    let running = start(configuration(folder.path(), listen, management, &more));

    let plain = client().build().unwrap();
    let health = |path: &str| plain.get(format!("http://{management}{path}")).send();
    until("the server is ready", || async { health("/readyz").await.is_ok_and(|r| r.status() == 200) }).await;
    assert_eq!(health("/healthz").await.unwrap().text().await.unwrap(), "ok\n");
    assert_eq!(health("/login").await.unwrap().status(), 404, "nothing else is there");
    let trusting = client().add_root_certificate(Certificate::from_pem(made.cert.pem().as_bytes()).unwrap());
    let trusted = trusting.resolve("localhost", listen).build().unwrap();
    let answer = trusted.get(format!("{url}/.well-known/openid-configuration")).send().await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["issuer"], url.as_str());
    let metrics = health("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("odcm_transactions_total{name=\"deployment.open\",outcome=\"commit\"} 1"), "{metrics}");
    // who does not know the certificate, or speaks plain http, gets nothing
    let stranger = client().resolve("localhost", listen).build().unwrap();
    assert!(stranger.get(format!("{url}/login")).send().await.is_err());
    assert!(plain.get(format!("http://{listen}/login")).send().await.is_err());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (listen, management) = (free(), free());
    let running = start(configuration(folder.path(), listen, management, &[]));
    until("it listens", || async { TcpStream::connect(listen).is_ok() }).await;
    let mut slow = TcpStream::connect(listen).unwrap();
    let body = "grant_type=client_credentials";
    let head = "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded";
    write!(slow, "{head}\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..5]).unwrap();
    // the server has seen the request when it answers one that came after it on the same connection's thread pool
    client().build().unwrap().get(format!("http://{listen}/.well-known/openid-configuration")).send().await.unwrap();

    running.stop.send(true).unwrap();
    until("no new connection is taken", || async { TcpStream::connect(listen).is_err() }).await;
    assert!(!running.ended.is_finished(), "it waits for the request");
    slow.write_all(&body.as_bytes()[5..]).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        slow.read_to_string(&mut answer).map(|_| answer)
    });
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_client"), "{answer}");
    running.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for (listen, management, setting) in
        [(free(), taken.local_addr().unwrap(), "[management] listen"), (taken.local_addr().unwrap(), free(), "[server] listen")]
    {
        let ended = start(configuration(folder.path(), listen, management, &[])).ended.await.unwrap();
        let error = ended.unwrap_err();
        assert!(error.starts_with(setting) && error.contains("cannot listen"), "{error}");
    }
}
