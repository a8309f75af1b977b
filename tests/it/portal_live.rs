//! Streams to pages: an open page keeps no session alive, and none keeps a server from stopping.

use crate::portal_world::{World, world};
use crate::visitor::Visitor;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use odcm::accounts::{people, rights};
use odcm::config::Config;
use odcm::core::ids::SessionId;
use odcm::core::policy::{Right, Role, Scope};
use odcm::core::session::{Authentication, Method, Session};
use odcm::core::text::{DisplayName, Email, Username};
use odcm::crypto::hash::sha256;
use odcm::deps::Deps;
use odcm::storage::sessions;
use odcm::testing::{Folder, deps};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt;

/// No answer for so long means that none comes: a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

async fn stream(w: &World, visitor: &Visitor) -> (StatusCode, BodyDataStream) {
    let cookie = visitor.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
    let path = format!("/admin/spaces/{}/live", w.mars);
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let response = w.router.clone().oneshot(request).await.unwrap();
    (response.status(), response.into_body().into_data_stream())
}

async fn event(stream: &mut BodyDataStream) -> String {
    let chunk = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").expect("the stream goes on").unwrap();
    String::from_utf8(chunk.to_vec()).unwrap()
}

#[tokio::test]
async fn an_open_page_does_not_keep_a_session_alive() {
    let w = world(deps().await).await;
    let idle_ms = w.deps.settings.sign_in.session_idle * 1000;
    let mut sam = w.signed_in("sam").await;
    let (_, mut events) = stream(&w, &sam).await;
    assert!(event(&mut events).await.contains("event: html"));
    // news make the page read the session again and again, long after its use is noted at most once a minute
    w.deps.hand.advance_ms(idle_ms / 2);
    w.deps.live.ring(&w.mars);
    assert!(event(&mut events).await.contains("event: html"));
    // nor does the request for a stream count, which browsers send by themselves
    let (status, _again) = stream(&w, &sam).await;
    assert_eq!(status, StatusCode::OK);
    w.deps.hand.advance_ms(idle_ms - idle_ms / 2);
    w.deps.live.ring(&w.mars);
    assert!(event(&mut events).await.contains("event: gone"), "nobody was there for the idle time");
    assert_eq!(stream(&w, &sam).await.0, StatusCode::UNAUTHORIZED);
    assert!(sam.get("/admin").await.location().starts_with("/login?"));
    // a page that somebody opens does count
    let mut sam = w.signed_in("sam").await;
    w.deps.hand.advance_ms(idle_ms / 2);
    assert_eq!(sam.get("/admin").await.status, StatusCode::OK);
    w.deps.hand.advance_ms(idle_ms - idle_ms / 2);
    assert_eq!(sam.get("/admin").await.status, StatusCode::OK);
}

/// An owner with a session, whose cookie holds the text.
async fn owner(deps: &Deps, secret: &str) {
    let (system, now) = (odcm::core::policy::Actor::system("test"), deps.clock.now());
    let new = people::NewPerson {
        username: Username::parse("ada").unwrap(),
        display_name: DisplayName::parse("name", "Ada").unwrap(),
        email: Email::parse("ada@example.com").unwrap(),
        email_verified: true,
        reuse_former_names: false,
        password_link: false,
    };
    let id = people::create(deps, &system, new).await.unwrap().id;
    rights::give(deps, &system, &id, &Right { role: Role::Owner, scope: Scope::All }, None).await.unwrap();
    let session = Session {
        id: SessionId::from_uuid(deps.entropy.id(now)),
        person: id,
        display_name: "Ada".into(),
        username: "ada".into(),
        authentications: vec![Authentication { method: Method::Password, at: now, identity: None }],
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus_secs(3600),
    };
    let hash = sha256(secret.as_bytes());
    let origin = sessions::Origin::default();
    odcm::run_tx!(deps.db, "test.session", |tx| sessions::insert(tx, &session, &hash, &origin).await).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_at_once_although_a_page_is_open() {
    let folder = Folder::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let settings = [
        ("ODCM__SERVER__LISTEN", free.to_string()),
        ("ODCM__SERVER__PUBLIC_URL", format!("http://{free}")),
        ("ODCM__SERVER__DRAIN_SECONDS", "3600".into()),
        ("ODCM__MANAGEMENT__LISTEN", String::new()),
        ("ODCM__DATABASE__URL", format!("sqlite:{}", file("odcm.db"))),
        ("ODCM__SECRETS__MASTER_KEY_PATH", file("master.key")),
    ];
    let config = Config::load(None, settings.map(|(k, v)| (k.to_owned(), v)).into_iter()).unwrap_or_else(|e| panic!("{e}"));
    let deps = odcm::server::open(&config, odcm::server::Deployment::MayBeNew).await.unwrap();
    owner(&deps, "a-secret-for-this-test").await;
    deps.db.close().await;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(odcm::server::run(config, stopped));
    let mut page = loop {
        match TcpStream::connect(free).await {
            Ok(stream) => break stream,
            Err(_) if server.is_finished() => panic!("{:?}", server.await),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let request = format!("GET /admin/live HTTP/1.1\r\nHost: {free}\r\nCookie: odcm-session=a-secret-for-this-test\r\n\r\n");
    page.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("event: html") {
        let n = tokio::time::timeout(PATIENCE, page.read(&mut buffer)).await.expect("an answer").unwrap();
        assert!(n > 0, "the connection ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    stop.send(true).unwrap();
    tokio::time::timeout(PATIENCE, server).await.expect("it does not wait for the page").unwrap().unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, page.read_to_end(&mut rest)).await.expect("the stream ends").unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("event: gone"), "the browser shall ask again");
}
