//! The Space's client secret: made by the agent, known here by its SHA-256 only (rules B9), proven by a probe (rules B6).

use super::connection::{Connection, End, Peer};
use super::{Error, Result, events, receive};
use crate::accounts::{self, clients};
use crate::core::Timestamp;
use crate::core::ids::ClientId;
use crate::core::policy::{Actor, Via};
use crate::run_tx;
use crate::storage::{agents, clients as rows, sections};
use odcm_wire::Digest;
use odcm_wire::latest::{FromServer, Probe, Section};
use serde_json::json;
use std::ops::ControlFlow;

/// Seconds between two proofs of a secret.
const PROBE_EVERY_S: i64 = 600;
/// Seconds for a probe to come round through the Space.
const PATIENCE_S: i64 = 120;
/// Seconds until the next probe after one that went unproven.
const AGAIN_S: i64 = 60;
/// Seconds by which the clock of the node that took the proof may be behind (rules C5).
const SKEW_S: i64 = 5;

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

    /// Looks after the proof of the secret: asks for one, `now` or when the last one is long ago; and when none came in
    /// time, raises an alarm and has the secret written into the Space again (rules B6).
    pub(super) async fn probe(&mut self, now: bool) -> Result<()> {
        let time = self.peer.deps.clock.now();
        if let (Some(asked), false) = (&self.probing.asked, now) {
            if time < asked.at.plus_secs(PATIENCE_S) {
                return Ok(());
            }
            let newest = rows::secrets(&mut &self.peer.deps.db, &asked.client).await?.into_iter().next();
            let proven = newest.and_then(|secret| secret.proven_at).is_some_and(|at| at >= asked.at.plus_secs(-SKEW_S));
            self.probing.asked = None;
            if proven {
                self.probing.alarmed = false;
            } else {
                return self.unproven().await;
            }
        }
        if !now && self.probing.next.is_some_and(|next| time < next) {
            return Ok(());
        }
        // Only a Space whose sign-in was pointed at ODCM, with a secret, can prove anything.
        let Some(client) = self.peer.client_in_place().await? else { return Ok(()) };
        self.probing.next = Some(time.plus_secs(PROBE_EVERY_S));
        if rows::secrets(&mut &self.peer.deps.db, &client).await?.is_empty() {
            return Ok(());
        }
        let code = match clients::probe_code(&self.peer.deps, &client) {
            Ok(code) => code,
            Err(error) => {
                tracing::warn!(space = %self.peer.space, %error, "no probe can be made");
                return Ok(());
            }
        };
        let id = self.peer.deps.entropy.id(time).hyphenated().to_string();
        self.probing.asked = Some(Asked { client, at: time });
        self.tell(&FromServer::Probe(Probe { id, code })).await
    }

    /// The Space did not show the secret in time.
    async fn unproven(&mut self) -> Result<()> {
        let Some(row) = agents::space(&mut &self.peer.deps.db, &self.peer.space).await? else { return Ok(()) };
        let generation = u64::try_from(row.secret_generation).unwrap_or_default();
        if !std::mem::replace(&mut self.probing.alarmed, true) {
            let detail = json!({
                "code": "secret_unproven", "generation": generation,
                "message": "The Space did not prove its client secret: a probe through its own sign-in did not arrive. People \
                            may be unable to sign in there. The agent is asked to write the secret again.",
            });
            events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
        }
        self.probing.next = Some(self.peer.deps.clock.now().plus_secs(AGAIN_S));
        self.tell(&FromServer::WriteSecret { generation }).await
    }
}

/// How the proof of a secret stands on a connection.
#[derive(Default)]
pub(super) struct Probing {
    /// When the next proof is asked for.
    next: Option<Timestamp>,
    /// The probe that waits for its proof.
    asked: Option<Asked>,
    /// It went unproven, and that was told.
    alarmed: bool,
}

struct Asked {
    client: ClientId,
    at: Timestamp,
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
