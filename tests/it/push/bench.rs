//! A measurement, not a test: 100 agents connected, one change that touches one Space, from the return of the commit to the
//! stored acknowledgement; beside it the floor, a bare WebSocket round trip of the same bytes plus one commit.
//!
//! `cargo test --release -p odcm-tests --test it push::bench -- --ignored --nocapture`

use super::support::*;
use axum::Router;
use axum::extract::ws::{Message as Frame, WebSocketUpgrade};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use odcm::storage::sections;
use odcm_wire::latest::{FromServer, Section};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

const AGENTS: usize = 100;
const CHANGES: usize = 300;

fn quantiles(mut ms: Vec<f64>) -> (f64, f64) {
    ms.sort_by(f64::total_cmp);
    (ms[ms.len() / 2], ms[ms.len() * 99 / 100])
}

fn resident_kb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Acknowledges whatever comes; gives the size of the newest delta.
async fn acknowledge(mut session: Session) {
    while let Some(message) = session.next().await {
        match message {
            FromServer::Document(signed) => session.ack(&signed).await,
            FromServer::Heartbeat(_) => {
                let alive = odcm_wire::latest::FromAgent::Alive { connection_epoch: session.epoch };
                session.send(&alive).await;
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn applied_in() {
    let deps = odcm::testing::deps_in_real_time(|_| {}).await;
    let server = Server::over(deps, odcm::push::Push::start).await;
    let mars = server.mars().await;
    let mut agents = Vec::new();
    for n in 1..AGENTS {
        let space = server.space(&format!("S{n}")).await;
        agents.push(server.enrol(&space, &format!("installation-{n}")).await);
    }
    let before = resident_kb();
    for agent in agents.iter().chain([&mars.agent]) {
        tokio::spawn(acknowledge(agent.connect(&server).await));
    }
    let access =
        || async { sections::find(&mut &server.deps().db, &mars.space, Section::Access.as_str()).await.unwrap().unwrap() };
    until("all are quiet", || async {
        let overview = odcm::accounts::agent_status::overview(server.deps(), &admin()).await.unwrap();
        overview.values().all(|o| !o.pending)
    })
    .await;
    let per_agent = (resident_kb() - before) / AGENTS as f64;
    let erin = server.person("erin").await;
    let mut live = server.deps().live.listen();
    let mut taken = Vec::new();
    for n in 0..CHANGES {
        let wanted = access().await.revision + 1;
        if n % 2 == 0 {
            server.join(&mars.group, &erin).await
        } else {
            server.leave(&mars.group, &erin).await
        }
        let begin = Instant::now();
        while access().await.acked_revision < wanted {
            let _ = live.recv().await;
        }
        taken.push(begin.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let delta: Option<(String,)> = server
        .deps()
        .db
        .opt(
            query!("SELECT payload FROM document WHERE section = 'access' AND kind = 'delta' ORDER BY revision DESC LIMIT 1"),
            &[],
        )
        .await
        .unwrap();
    let floor = floor(&server, delta.unwrap().0).await;
    let ((p50, p99), (floor50, floor99)) = (quantiles(taken), quantiles(floor));
    println!("applied in: p50 {p50:.2} ms, p99 {p99:.2} ms; floor: p50 {floor50:.2} ms, p99 {floor99:.2} ms");
    println!("ratio: p50 {:.1}, p99 {:.1}; memory per agent, both ends: {per_agent:.0} KB", p50 / floor50, p99 / floor99);
}

/// A bare round trip of the same bytes plus one commit.
async fn floor(server: &Server, payload: String) -> Vec<f64> {
    async fn echo(upgrade: WebSocketUpgrade) -> axum::response::Response {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(Frame::Text(text))) = socket.recv().await {
                if socket.send(Frame::Text(text)).await.is_err() {
                    return;
                }
            }
        })
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(echo))).await.unwrap() });
    let (mut ws, _) = tokio_tungstenite::connect_async(format!("ws://{address}/")).await.unwrap();
    let mut taken = Vec::new();
    for _ in 0..CHANGES {
        let begin = Instant::now();
        ws.send(Message::text(payload.clone())).await.unwrap();
        ws.next().await.unwrap().unwrap();
        let rows = server.deps().db.exec(query!("UPDATE time_cursor SET at = at"), &[]).await.unwrap();
        assert!(rows > 0);
        taken.push(begin.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    serving.abort();
    taken
}
