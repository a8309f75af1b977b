//! The connection to ODCM: dials out, proves the key, passes messages, dials again. Never listens.
//!
//! May use the network and the keys; talks to the engine over two channels. `handshake` is pure and decides whether the
//! other end is the ODCM of the enrolment, `session` passes messages, this file dials with back-off.
//!
//! ```no_run
//! # async fn demo(state: &odcm_agent::state::State, space: std::sync::Arc<dyn odcm_space_plugin::SpaceAdapter>,
//! #     clock: std::sync::Arc<dyn odcm_agent::clock::Clock>, entropy: std::sync::Arc<dyn odcm_agent::entropy::Entropy>,
//! # ) -> Result<(), odcm_agent::AgentError> {
//! let (to_engine, _inbox) = tokio::sync::mpsc::channel(4);
//! match odcm_agent::link::Dialler::new(&state.enrolment, space, clock, entropy)?.run(to_engine).await {}
//! # }
//! ```

mod handshake;
mod session;
#[cfg(test)]
mod tests;

pub use handshake::{Facts, HandshakeError, answer};

use crate::clock::Clock;
use crate::engine::{Input, Standing};
use crate::entropy::{Entropy, back_off};
use crate::keys::AgentKey;
use crate::state::Enrolment;
use crate::{AgentError, capability_names, net};
use odcm_space_plugin::SpaceAdapter;
use odcm_wire::latest::MAX_MESSAGE_BYTES;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::Connector;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(60);
/// A connection that held so long was a good one: the waiting times begin anew.
const STEADY: Duration = Duration::from_secs(10);
/// A server cannot send an agent away for longer than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Why a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// For the log.
    pub why: String,
    /// ODCM asked to wait.
    pub retry_after: Option<Duration>,
    /// It had been accepted.
    pub accepted: bool,
    /// ODCM does not take this agent for the Space's, with its sentence.
    pub refused: Option<String>,
}

impl Ended {
    pub(crate) fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after: None, accepted: false, refused: None }
    }
}

/// Dials ODCM, again and again.
pub struct Dialler {
    who: Enrolment,
    key: AgentKey,
    url: Url,
    /// `None` for plain http to this host, which spares reading the system's certificates.
    tls: Option<Arc<rustls::ClientConfig>>,
    adapter: Arc<dyn SpaceAdapter>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Dialler {
    /// Prepares the dialling.
    ///
    /// # Errors
    /// [`AgentError`] when the key, the URL or the certificates of the enrolment cannot be used.
    pub fn new(
        who: &Enrolment,
        adapter: Arc<dyn SpaceAdapter>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AgentError> {
        let server = net::server_url(&who.server_url)?;
        if net::origin(&server) != who.origin {
            return Err(AgentError::Corrupt {
                file: "enrolment.json".into(),
                reason: format!("{} is not at the enrolled origin {}", who.server_url, who.origin),
            });
        }
        let mut url = server.join("/agent/v1/connect").map_err(|e| AgentError::Config(e.to_string()))?;
        let scheme = if server.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| AgentError::Config(format!("{server} cannot be dialled")))?;
        Ok(Self {
            key: AgentKey::from_seed(&who.private_key)?,
            tls: (server.scheme() == "https").then(|| net::tls(who.ca_file.as_deref())).transpose()?,
            who: who.clone(),
            url,
            adapter,
            clock,
            entropy,
        })
    }

    /// Connects, passes messages, and does it again. Ends by being dropped.
    pub async fn run(self, engine: mpsc::Sender<Input>) -> Infallible {
        let mut failures = 0u32;
        loop {
            let began = self.clock.monotonic();
            let ended = match self.once(&engine).await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            if ended.accepted {
                if self.clock.monotonic().saturating_sub(began) >= STEADY {
                    failures = 0;
                }
                // The engine went first when nobody hears this.
                let _ = engine.send(Input::Disconnected).await;
            }
            if let Some(why) = ended.refused {
                let _ = engine.send(Input::Refused(why)).await;
            }
            let mut wait = back_off(&*self.entropy, failures, FIRST, MOST);
            if let Some(asked) = ended.retry_after {
                let asked = asked.min(LONGEST_RETRY_AFTER);
                // A fleet that was sent away together must not come back together.
                wait = wait.max(asked + crate::entropy::jitter(&*self.entropy, asked / 4));
            }
            failures = failures.saturating_add(1);
            tracing::warn!(server = self.who.origin, reason = ended.why, wait_ms = wait.as_millis(), "not connected");
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, engine: &mpsc::Sender<Input>) -> Result<Infallible, Ended> {
        let space = self.adapter.describe().await.map_err(|e| Ended::because(format!("the Space: {e}")))?;
        let (ask, standing) = oneshot::channel();
        let gone = || Ended::because("the agent stops");
        engine.send(Input::Standing(ask)).await.map_err(|_| gone())?;
        let Standing { positions, floor, fleet_key } = standing.await.map_err(|_| gone())?;
        let facts = Facts {
            positions,
            floor,
            fleet_key,
            installation_id: space.installation_id,
            server_version: space.version,
            capabilities: capability_names(&space.capabilities),
        };
        let stream = net::dial(&self.url, self.who.proxy.as_deref()).await.map_err(|e| Ended::because(e.to_string()))?;
        // Default buffers would cost 136 KB a connection.
        let config = WebSocketConfig::default()
            .read_buffer_size(2048)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connector = self.tls.clone().map_or(Connector::Plain, Connector::Rustls);
        let open = tokio_tungstenite::client_async_tls_with_config(self.url.as_str(), stream, Some(config), Some(connector));
        let (socket, _) = tokio::time::timeout(session::HANDSHAKE, open)
            .await
            .map_err(|_| Ended::because("the server does not answer"))?
            .map_err(|e| Ended { retry_after: retry_after(&e), ..Ended::because(e.to_string()) })?;
        session::run(self, socket, &facts, engine).await
    }
}

/// When a server that is busy wants to be asked again (RFC 9110 §10.2.3, in seconds).
fn retry_after(error: &tokio_tungstenite::tungstenite::Error) -> Option<Duration> {
    let tokio_tungstenite::tungstenite::Error::Http(response) = error else { return None };
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
