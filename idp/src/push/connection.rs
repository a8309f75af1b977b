//! One connected agent: sends what it lacks, takes what it says, ends when told to.

use super::handshake::{self, Accepted, Stop, text_of};
use super::hub::{Door, Seat, wire_epoch};
use super::{Error, Hub, Result, receive, sync::Sync};
use crate::core::ids::{AgentId, SpaceId};
use crate::deps::Deps;
use crate::storage::agents;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use odcm_wire::latest::{FromAgent, FromServer, RefusalCode};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A peer that does not take a message in this time is gone.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

/// The end of a connection: code, sentence, milliseconds until another try.
pub(super) type End = (RefusalCode, &'static str, Option<u64>);

/// Who is connected.
pub(super) struct Peer {
    pub deps: Deps,
    pub hub: Hub,
    pub agent: AgentId,
    pub space: SpaceId,
    /// Fencing number (rules B5).
    pub epoch: i64,
}

/// An accepted connection at work.
pub(super) struct Connection {
    pub peer: Peer,
    pub(super) socket: WebSocket,
    pub(super) sync: Sync,
    /// An unknown kind of message was logged; once is enough.
    pub unknown_logged: bool,
    /// How the client secret is proven.
    pub(super) probing: super::secret::Probing,
    /// The fleet key that the agent holds, or was told of; `None` when it does not follow announcements.
    pub(super) fleet_key: Option<String>,
    /// What the agent saw in the Space, held against what was seen before.
    pub(super) watch: super::seen::Watch,
    /// How much it may still say now.
    allowance: super::allowance::Allowance,
    heard: Instant,
}

/// Runs a connection from its upgrade to its end.
pub(super) async fn run(deps: Deps, hub: Hub, mut socket: WebSocket, door: Door) {
    let accepted = Box::pin(handshake::shake(&deps, &hub, &mut socket)).await;
    drop(door);
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(stop) => {
            let (code, why, retry) = match stop {
                Stop::Gone => return,
                Stop::Refused(code, why) => (code, why, None),
                Stop::Failed(error) => {
                    tracing::error!(%error, "a handshake could not be completed");
                    (RefusalCode::Busy, "ODCM cannot answer now", Some(5000))
                }
            };
            return Box::pin(farewell(&mut socket, (code, why, retry))).await;
        }
    };
    let Some(seat) = hub.seat(&accepted.space, &accepted.agent, accepted.epoch) else {
        let end = (RefusalCode::Busy, "another connection of this agent took over, or ODCM is going down", Some(1000));
        Box::pin(farewell(&mut socket, end)).await;
        return note_end(&deps, &accepted.agent, &accepted.space, accepted.epoch).await;
    };
    tracing::info!(space = %accepted.space, agent = %accepted.agent, epoch = accepted.epoch, "agent connected");
    deps.metrics.count("odcm_agent_connections_total", &[]);
    deps.live.ring(&accepted.space);
    let (agent, space, epoch) = (accepted.agent.clone(), accepted.space.clone(), accepted.epoch);
    let end = begin_and_serve(&deps, &hub, socket, accepted, seat).await;
    tracing::info!(%space, %agent, epoch, code = ?end, "agent disconnected");
    note_end(&deps, &agent, &space, epoch).await;
}

async fn begin_and_serve(deps: &Deps, hub: &Hub, socket: WebSocket, accepted: Accepted, seat: Seat) -> Option<RefusalCode> {
    let welcome = handshake::welcome(deps, &accepted);
    let mut connection = Connection {
        peer: Peer { deps: deps.clone(), hub: hub.clone(), agent: accepted.agent, space: accepted.space, epoch: accepted.epoch },
        socket,
        sync: Sync::default(),
        unknown_logged: false,
        probing: super::secret::Probing::default(),
        fleet_key: accepted.fleet_key,
        watch: super::seen::Watch::default(),
        allowance: seat.allowance.clone(),
        heard: Instant::now(),
    };
    let begun = Box::pin(async {
        connection.send(welcome?).await?;
        connection.begin(&accepted.positions).await?;
        connection.catch_up().await
    })
    .await;
    let end = match begun {
        Ok(ControlFlow::Continue(())) => connection.serve(seat).await,
        Ok(ControlFlow::Break(end)) => end,
        Err(error) => connection.failed(&error),
    };
    if let Some(end) = end {
        Box::pin(farewell(&mut connection.socket, end)).await;
    }
    end.map(|(code, ..)| code)
}

async fn note_end(deps: &Deps, agent: &AgentId, space: &SpaceId, epoch: i64) {
    if let Err(error) = agents::disconnect(&deps.db, agent, epoch, deps.clock.now()).await {
        tracing::warn!(%space, %error, "the end of a connection could not be noted");
    }
    deps.live.ring(space);
}

/// Says why and closes.
async fn farewell(socket: &mut WebSocket, (code, why, retry): End) {
    let Ok(text) = handshake::refused(code, why, retry) else { return };
    // 1008: policy violation (RFC 6455 §7.4.1); the reason is in the message before.
    let close = Message::Close(Some(CloseFrame { code: 1008, reason: Utf8Bytes::from_static("refused") }));
    let goodbye = async {
        let _ = socket.send(Message::Text(text)).await;
        let _ = socket.send(close).await;
        // Until the peer has read it: dropping the socket with unread input would reset it and lose the farewell.
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(Duration::from_secs(2), goodbye).await;
}

impl std::ops::Deref for Connection {
    type Target = Peer;
    fn deref(&self) -> &Peer {
        &self.peer
    }
}

/// What the loop of a connection wakes up for.
enum Event {
    Signal,
    Beat(Utf8Bytes),
    Message(Option<std::result::Result<Message, axum::Error>>),
}

impl Peer {
    /// The fencing number as the wire writes it.
    pub(super) fn wire_epoch(&self) -> u64 {
        wire_epoch(self.epoch)
    }
}

impl Connection {
    /// The loop. Whatever takes more than a little memory is boxed, so that an idle agent costs little.
    async fn serve(&mut self, mut seat: Seat) -> Option<End> {
        // The heartbeat that was sent before this connection began is not news.
        seat.beat.borrow_and_update();
        let silence = Duration::from_millis(self.deps.settings.push.heartbeat_ms.saturating_mul(3));
        loop {
            // An agent that says too much is not heard for a while; what it is to do still reaches it.
            let quiet = self.allowance.wait();
            let event = tokio::select! {
                biased;
                changed = seat.signal.changed() => match changed {
                    Ok(()) => Event::Signal,
                    // The seat was given to a newer connection.
                    Err(_) => return Some((RefusalCode::Superseded, "a newer connection took over", None)),
                },
                message = self.socket.recv(), if quiet.is_zero() => Event::Message(message),
                () = tokio::time::sleep(quiet), if !quiet.is_zero() => {
                    self.heard = Instant::now();
                    continue;
                }
                Ok(()) = seat.beat.changed() => Event::Beat(seat.beat.borrow_and_update().clone()),
            };
            let done = match event {
                Event::Signal => {
                    let signal = *seat.signal.borrow_and_update();
                    if let Some((code, retry)) = signal.end {
                        return Some((code, reason(code), retry));
                    }
                    Box::pin(self.catch_up()).await
                }
                Event::Beat(_) if self.allowance.wait().is_zero() && self.heard.elapsed() > silence => return None,
                Event::Beat(text) => Box::pin(self.beat(text)).await,
                Event::Message(Some(Ok(Message::Text(text)))) => {
                    self.heard = Instant::now();
                    if self.allowance.spend(text.len()) {
                        tracing::warn!(space = %self.space, agent = %self.agent, "the agent says too much at once; it waits");
                        self.deps.metrics.count("odcm_agent_messages_slowed_total", &[]);
                    }
                    Box::pin(self.take(&text)).await
                }
                Event::Message(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => Ok(ControlFlow::Continue(())),
                Event::Message(Some(Ok(Message::Binary(_)))) => {
                    return Some((RefusalCode::Protocol, "expected text messages", None));
                }
                Event::Message(Some(Err(error))) => {
                    tracing::info!(space = %self.space, %error, "the connection broke");
                    return Some((RefusalCode::Protocol, "the message is too long or malformed", None));
                }
                Event::Message(Some(Ok(Message::Close(_))) | None) => return None,
            };
            match done {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(end)) => return end,
                Err(error) => return self.failed(&error),
            }
        }
    }

    async fn beat(&mut self, text: Utf8Bytes) -> Result<ControlFlow<Option<End>>> {
        if !self.allowance.wait().is_zero() {
            // It was not listened to: its silence means nothing.
            self.heard = Instant::now();
        }
        self.send(text).await?;
        self.probe(false).await?;
        // The slow net under all signals.
        self.catch_up().await
    }

    async fn take(&mut self, text: &str) -> Result<ControlFlow<Option<End>>> {
        match serde_json::from_str::<FromAgent>(text) {
            Ok(message) => receive::receive(self, message).await,
            Err(error) => {
                tracing::warn!(space = %self.space, %error, "a message of the agent cannot be read");
                Ok(ControlFlow::Break(Some((RefusalCode::Protocol, "a message cannot be read", None))))
            }
        }
    }

    /// Sends one message, written already.
    pub(super) async fn send(&mut self, text: Utf8Bytes) -> Result<()> {
        match timeout(SEND_PATIENCE, self.socket.send(Message::Text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::Gone),
        }
    }

    /// Sends one message.
    pub(super) async fn tell(&mut self, message: &FromServer) -> Result<()> {
        self.send(text_of(message)?).await
    }

    fn failed(&self, error: &Error) -> Option<End> {
        if matches!(error, Error::Gone) {
            return None;
        }
        tracing::error!(space = %self.space, %error, "the connection ends; the agent will say everything again");
        Some((RefusalCode::Busy, "ODCM cannot answer now", Some(2000)))
    }
}

fn reason(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Superseded => "a newer connection of this Space took over",
        RefusalCode::Busy => "ODCM is going down or busy; come back later",
        _ => "this agent may not connect any more",
    }
}
