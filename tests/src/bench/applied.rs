//! "Applied in": from the commit of a change to the stored acknowledgement, as the server stores and shows it. Beside it what
//! cannot be avoided: a bare WebSocket round trip of the same bytes plus one commit.

use crate::http::Client;
use crate::world::World;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use odcm::core::ids::SpaceId;
use odcm::deps::Deps;
use odcm::sql;
use odcm::storage::{Db, sections};
use odcm_tests::harness::until;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Between two changes, and between two looks whether one was applied.
const PAUSE: Duration = Duration::from_millis(5);

/// In the server: answers each message with itself, after a commit. Gives the port.
pub async fn echo(deps: Deps) -> Result<u16, String> {
    async fn answer(State(deps): State<Deps>, mut socket: WebSocket) {
        while let Some(Ok(Frame::Text(text))) = socket.recv().await {
            let committed = deps.db.exec(sql!("UPDATE time_cursor SET at = at"), &[]).await;
            if committed.is_err() || socket.send(Frame::Text(text)).await.is_err() {
                return;
            }
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let door = |state: State<Deps>, upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(|socket| answer(state, socket)) };
    let router = Router::new().route("/", get(door)).with_state(deps);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

/// Milliseconds of `count` bare round trips with a commit.
pub async fn round_trips(port: u16, db: &Db, count: usize) -> Result<Vec<f64>, String> {
    let newest = sql!("SELECT payload FROM document WHERE section = 'access' AND kind = 'delta' ORDER BY revision DESC LIMIT 1");
    let payload: Option<(String,)> = db.opt(newest, &[]).await.map_err(|e| e.to_string())?;
    let (payload,) = payload.ok_or("no delta was sent")?;
    let (mut ws, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/")).await.map_err(|e| e.to_string())?;
    let mut taken = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        ws.send(Message::text(payload.clone())).await.map_err(|e| e.to_string())?;
        ws.next().await.ok_or("the echo hung up")?.map_err(|e| e.to_string())?;
        taken.push(begin.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(taken)
}

/// Puts somebody into a group and takes them out again, `count` changes in all, through the API; gives the milliseconds that
/// the server stored with each acknowledgement.
pub async fn changes(world: &World, db: &Db, count: usize) -> Result<Vec<f64>, String> {
    let made = &world.made;
    let space = SpaceId::parse(&made.space).map_err(|e| e.to_string())?;
    let bearer = format!("Bearer {}", made.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = format!("/api/v1/groups/{}/members/people/{}", made.group, made.erin);
    let mut client = Client::new(world.port).await?;
    let mut taken = Vec::new();
    for n in 0..count {
        let before = access(db, &space).await?.1;
        let (method, body) = if n % 2 == 0 { ("PUT", "{}") } else { ("DELETE", "") };
        client.send(method, &path, &headers, body).await?.expect(204)?;
        let ms = until(Duration::from_secs(20), PAUSE, || async {
            match access(db, &space).await? {
                (_, acked, Some(ms)) if acked > before => Ok(ms),
                other => Err(format!("a change was not applied: {other:?}")),
            }
        })
        .await?;
        taken.push(ms as f64);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(taken)
}

/// Revision, acknowledged revision, and in how many milliseconds it was applied.
async fn access(db: &Db, space: &SpaceId) -> Result<(i64, i64, Option<i64>), String> {
    let row = sections::find(&mut &*db, space, "access").await.map_err(|e| e.to_string())?;
    Ok(row.map_or((0, 0, None), |row| (row.revision, row.acked_revision, row.acked_ms)))
}
