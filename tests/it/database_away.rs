//! PostgreSQL goes away and comes back: what is asked meanwhile is refused and changes nothing, and nothing is lost.

use crate::api_support::World;
use crate::push::support::{Server, admin, until};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use odcm::accounts::{Error, memberships};
use odcm::core::directory::{Span, Subject};
use odcm::push::Push;
use odcm::storage::{self, ConnectOptions, Db};
use odcm::testing::{Folder, TestDeps, deps_over, with_keys};
use odcm_tests::harness::postgres;
use odcm_wire::latest::Section;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;

/// The road to the database, which can be cut.
struct Road(watch::Sender<bool>);

impl Road {
    async fn to(server: String) -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (server, mut is_open) = (server.clone(), is_open.clone());
                tokio::spawn(async move {
                    if !*is_open.borrow() {
                        return;
                    }
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        (Self(open), port)
    }
    fn cut(&self) {
        self.0.send(false).unwrap();
    }
    fn mend(&self) {
        self.0.send(true).unwrap();
    }
}

async fn behind_a_road() -> Option<(TestDeps, Road)> {
    let mut url = url::Url::parse(&postgres::url().await?).unwrap();
    let (road, port) = Road::to(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    let options = ConnectOptions { wait: Duration::from_secs(2), ..ConnectOptions::new(url) };
    let db = Db::connect(&options).await.unwrap();
    db.migrate().await.unwrap();
    Some((with_keys(deps_over(db, Arc::new(Folder::new()), |_| {}).await).await, road))
}

struct Plain {
    status: u16,
    retry_after: bool,
    text: String,
}

async fn ask(router: &Router, method: &str, path: &str, token: &str, body: Option<Value>) -> Plain {
    let mut request = Request::builder().method(method).uri(path).header("accept", "text/html, application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (status, retry_after) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
    let text = String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap();
    Plain { status, retry_after, text }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_refused_until_it_is_back_and_change_nothing() {
    let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_test_writer().try_init();
    let Some((deps, road)) = behind_a_road().await else { return };
    let world = World::over(deps).await;
    let management = odcm::web::management::routes().with_state(world.deps.deps.clone());
    let group = |name: &str| Some(json!({ "name": name }));
    assert_eq!(ask(&world.router, "POST", "/api/v1/groups", &world.owner, group("before")).await.status, 201);
    assert_eq!(ask(&management, "GET", "/readyz", "", None).await.status, 200);

    road.cut();
    for (method, path, token, body) in [
        ("POST", "/api/v1/groups", world.owner.as_str(), group("meanwhile")),
        ("GET", "/api/v1/people", &world.owner, None),
        ("GET", "/login", "", None),
    ] {
        let answer = ask(&world.router, method, path, token, body).await;
        assert!(answer.status == 503 && answer.retry_after, "{method} {path}: {} {}", answer.status, answer.text);
        for secret in ["postgres", "127.0.0.1", "Connection", "sqlx"] {
            assert!(!answer.text.contains(secret), "{path} tells {secret}: {}", answer.text);
        }
    }
    assert_eq!(ask(&management, "GET", "/readyz", "", None).await.status, 503);
    assert_eq!(ask(&management, "GET", "/healthz", "", None).await.status, 200);

    road.mend();
    until("the database is back", || async { ask(&management, "GET", "/readyz", "", None).await.status == 200 }).await;
    assert_eq!(ask(&world.router, "POST", "/api/v1/groups", &world.owner, group("after")).await.status, 201);
    let groups = storage::groups::page(&mut &world.deps.db, None, None, 100).await.unwrap().items;
    let names: Vec<_> = groups.iter().map(|g| g.name.as_str()).filter(|n| ["before", "meanwhile", "after"].contains(n)).collect();
    assert_eq!(names, ["after", "before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_after_it_is_back_reaches_the_space() {
    let Some((deps, road)) = behind_a_road().await else { return };
    let server = Server::over(deps, Push::start).await;
    let mars = server.mars().await;
    let erin = server.person("erin").await;
    let mut session = mars.agent.connect(&server).await;
    let first = session.document(Section::Access).await;
    session.ack(&first).await;

    road.cut();
    let joined = memberships::add(server.deps(), &admin(), &mars.group, &Subject::Person(erin.clone()), Span::default()).await;
    assert!(matches!(joined, Err(Error::Storage(storage::Error::Unavailable(_)))), "{joined:?}");
    road.mend();
    until("the database is back", || async {
        memberships::add(server.deps(), &admin(), &mars.group, &Subject::Person(erin.clone()), Span::default()).await.is_ok()
    })
    .await;
    // whether the old connection of the agent outlived it or not: a new one gets what was missed
    let mut session = mars.agent.connect(&server).await;
    loop {
        let signed = session.document(Section::Access).await;
        session.ack(&signed).await;
        if signed.payload.contains(erin.as_str()) {
            break;
        }
    }
}
