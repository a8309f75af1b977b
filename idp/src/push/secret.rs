//! The Space's client secret: made by the agent, known here by its SHA-256 only (rules B9), proven by a probe (rules B6).

use super::connection::{Connection, End, Peer};
use super::{Error, Result, events, receive};
use crate::accounts::{self, clients};
use crate::core::ids::ClientId;
use crate::core::policy::{Actor, Via};
use crate::run_tx;
use crate::storage::{agents, sections};
use odcm_wire::Digest;
use odcm_wire::latest::{FromServer, Probe, Section};
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// A proof of the secret is asked for this often.
const PROBE_EVERY: Duration = Duration::from_secs(600);

impl Connection {
    /// Stores the hash of a secret, if it is of the generation that is asked for.
    pub(super) async fn secret(&mut self, generation: u64, sha256: &Digest) -> Result<ControlFlow<Option<End>>> {
        let stored = run_tx!(self.peer.deps.db, "push.secret", |tx| {
            let peer = &self.peer;
            if !agents::is_current(tx, &peer.agent, &peer.space, peer.epoch).await? {
                return Ok::<_, accounts::Error>(Stored::NotCurrent);
            }
            let wanted = agents::space(tx, &peer.space).await?.map(|row| row.secret_generation);
            let Some(wanted) = wanted.filter(|wanted| i64::try_from(generation) == Ok(*wanted)) else {
                return Ok(Stored::OtherGeneration(wanted));
            };
            let actor = peer.actor();
            clients::store_space_secret(&peer.deps, tx, &actor, &peer.space, wanted, sha256.as_bytes()).await?;
            Ok(Stored::Yes)
        });
        match stored {
            Ok(Stored::Yes) => {}
            Ok(Stored::NotCurrent) => return receive::not_current(&self.peer),
            Ok(Stored::OtherGeneration(wanted)) => {
                tracing::warn!(space = %self.peer.space, generation, wanted, "a secret of another generation is refused");
                self.peer.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "generation")]);
                return Ok(ControlFlow::Continue(()));
            }
            Err(accounts::Error::Refused(why)) => {
                let detail = json!({ "code": "secret_refused", "message": why.message });
                events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
                return Ok(ControlFlow::Continue(()));
            }
            Err(accounts::Error::Storage(error)) => return Err(error.into()),
            Err(accounts::Error::Internal(why)) => return Err(Error::Document(why)),
        }
        self.peer.deps.live.ring(&self.peer.space);
        self.tell(&FromServer::SecretStored { generation }).await?;
        Ok(ControlFlow::Continue(()))
    }

    /// Asks for a proof of the secret: `now`, or when the last one is long ago.
    pub(super) async fn probe(&mut self, now: bool) -> Result<()> {
        if !now && self.probed.is_some_and(|at| at.elapsed() < PROBE_EVERY) {
            return Ok(());
        }
        // Only a Space whose sign-in was pointed at ODCM can prove anything.
        let Some(client) = self.peer.client_in_place().await? else { return Ok(()) };
        self.probed = Some(Instant::now());
        let code = match clients::probe_code(&self.peer.deps, &client) {
            Ok(code) => code,
            Err(error) => {
                tracing::warn!(space = %self.peer.space, %error, "no probe can be made");
                return Ok(());
            }
        };
        let id = self.peer.deps.entropy.id(self.peer.deps.clock.now()).hyphenated().to_string();
        self.tell(&FromServer::Probe(Probe { id, code })).await
    }
}

impl Peer {
    /// The client of a Space that has acknowledged section authentication.
    async fn client_in_place(&self) -> Result<Option<ClientId>> {
        let section = sections::find(&mut &self.deps.db, &self.space, Section::Authentication.as_str()).await?;
        if !section.is_some_and(|s| s.acked_revision > 0 && s.acked_epoch == s.epoch) {
            return Ok(None);
        }
        let row = agents::space(&mut &self.deps.db, &self.space).await?;
        Ok(row.and_then(|row| ClientId::parse(&row.client_id).ok()))
    }

    /// The agent in the audit.
    fn actor(&self) -> Actor {
        Actor {
            person: None,
            name: format!("agent {}", self.agent),
            via: Via::Agent,
            credential: None,
            rights: Vec::new(),
            address: None,
            request_id: None,
        }
    }
}

/// What became of a secret.
enum Stored {
    Yes,
    NotCurrent,
    OtherGeneration(Option<i64>),
}
