//! One connection: handshake, then messages both ways until somebody is silent for too long.

use super::{Dialler, Ended, Facts, answer};
use crate::engine::{Connection, Input};
use futures_util::{SinkExt as _, StreamExt as _};
use odcm_wire::latest::{FromAgent, FromServer, RefusalCode, Refused, Welcome};
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Longest wait for each step of the handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);
/// Longest time for writing one message.
const WRITE: Duration = Duration::from_secs(60);
/// A server cannot make the agent wait longer than this for the next heartbeat …
const SLOWEST_HEARTBEAT: Duration = Duration::from_secs(300);
/// … nor make it nervous.
const FASTEST_HEARTBEAT: Duration = Duration::from_millis(100);
/// Waiting time when another connection of this Space took over.
const SUPERSEDED: Duration = Duration::from_secs(30);
/// Longest sentence of ODCM that is kept.
const SENTENCE: usize = 300;
/// Heartbeats that may be missed; any message counts as one.
const MISSED: u32 = 3;

/// Works until the connection ends.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    dialler: &Dialler,
    mut socket: WebSocketStream<S>,
    facts: &Facts,
    engine: &mpsc::Sender<Input>,
) -> Result<Infallible, Ended> {
    let challenge = next_text(&mut socket, HANDSHAKE).await?;
    let (hello, proof, version) = match answer(&challenge, &dialler.who, &dialler.key, facts, &*dialler.entropy) {
        Ok(texts) => texts,
        Err(e) => return Err(refused_by(&challenge).unwrap_or_else(|| Ended::because(e.to_string()))),
    };
    write(&mut socket, hello).await?;
    write(&mut socket, proof).await?;
    let welcome = match serde_json::from_str(&next_text(&mut socket, HANDSHAKE).await?) {
        Ok(FromServer::Welcome(welcome)) if welcome.wire_version == version => welcome,
        Ok(FromServer::Refused(refused)) => return Err(refusal(&refused)),
        _ => return Err(Ended::because("the server answers neither welcome nor refusal")),
    };
    let (out, mut outbox) = mpsc::unbounded_channel();
    let connection = Connection { epoch: welcome.connection_epoch, now: welcome.now, wire_version: version, out };
    if engine.send(Input::Connected(connection)).await.is_err() {
        return Err(Ended::because("the agent stops"));
    }
    let mut ended = match pass(dialler, &mut socket, &mut outbox, &welcome, engine).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    };
    ended.accepted = true;
    Err(ended)
}

async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    dialler: &Dialler,
    socket: &mut WebSocketStream<S>,
    outbox: &mut mpsc::UnboundedReceiver<FromAgent>,
    welcome: &Welcome,
    engine: &mpsc::Sender<Input>,
) -> Result<Infallible, Ended> {
    let beat = Duration::from_millis(welcome.heartbeat_ms).clamp(FASTEST_HEARTBEAT, SLOWEST_HEARTBEAT);
    let mut heard = dialler.clock.monotonic();
    loop {
        let silent = dialler.clock.monotonic().saturating_sub(heard);
        let Some(left) = (beat * MISSED).checked_sub(silent).filter(|left| !left.is_zero()) else {
            return Err(Ended::because("no heartbeat of the server"));
        };
        tokio::select! {
            frame = socket.next() => {
                let Some(text) = text_of(frame)? else { continue };
                match serde_json::from_str::<FromServer>(&text) {
                    Ok(FromServer::Refused(refused)) => return Err(refusal(&refused)),
                    Ok(message) => {
                        heard = dialler.clock.monotonic();
                        drop(text);
                        // Waiting here is how a busy engine slows ODCM down.
                        if engine.send(Input::Message(message)).await.is_err() {
                            return Err(Ended::because("the agent stops"));
                        }
                    }
                    Err(e) => return Err(Ended::because(format!("a message cannot be understood: {e}"))),
                }
            }
            message = outbox.recv() => {
                let Some(message) = message else { return Err(Ended::because("the agent stops")) };
                let text = serde_json::to_string(&message).map_err(|e| Ended::because(e.to_string()))?;
                write(socket, text).await?;
            }
            () = tokio::time::sleep(left) => {}
        }
    }
}

async fn next_text<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    within: Duration,
) -> Result<String, Ended> {
    let read = async {
        loop {
            if let Some(text) = text_of(socket.next().await)? {
                return Ok(text);
            }
        }
    };
    tokio::time::timeout(within, read).await.unwrap_or_else(|_| Err(Ended::because("the server does not answer")))
}

/// The text of a frame; `None` for frames that carry none.
fn text_of(frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<Option<String>, Ended> {
    match frame {
        Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(Ended::because("the server sent a binary message")),
        Some(Ok(Message::Close(_))) | None => Err(Ended::because("the server closed the connection")),
        Some(Err(e)) => Err(Ended::because(e.to_string())),
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: String) -> Result<(), Ended> {
    tokio::time::timeout(WRITE, socket.send(Message::text(text)))
        .await
        .map_err(|_| Ended::because("the server does not read"))?
        .map_err(|e| Ended::because(e.to_string()))
}

/// A refusal in place of a challenge.
fn refused_by(text: &str) -> Option<Ended> {
    match serde_json::from_str(text) {
        Ok(FromServer::Refused(refused)) => Some(refusal(&refused)),
        _ => None,
    }
}

fn refusal(refused: &Refused) -> Ended {
    Ended {
        why: format!("ODCM refuses ({:?}): {}", refused.code, refused.message),
        // Two agents of one Space must not chase each other away all the time.
        retry_after: refused
            .retry_after_ms
            .map(Duration::from_millis)
            .or((refused.code == RefusalCode::Superseded).then_some(SUPERSEDED)),
        accepted: false,
        // `Busy` and `Version` say nothing about who governs the Space.
        refused: matches!(refused.code, RefusalCode::Denied | RefusalCode::Superseded | RefusalCode::OtherInstallation)
            .then(|| refused.message.chars().take(SENTENCE).collect()),
    }
}
