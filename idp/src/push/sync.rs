//! What an agent lacks: a chain of deltas from where it stands, or a snapshot when unsure (rules B1, B2).

use super::connection::{Connection, End, Peer};
use super::document::{self, signed_number};
use super::{Result, events};
use crate::accounts::keys;
use crate::storage::documents::{self, DocumentRow};
use crate::storage::sections;
use odcm_wire::latest::{FromServer, Position, Section};
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// Longest chain of deltas; beyond it a snapshot is cheaper for everybody.
const MAX_CHAIN: usize = 64;
/// Largest chain of deltas in bytes.
const MAX_CHAIN_BYTES: usize = 1024 * 1024;
/// Snapshots that an agent may ask for on one connection; an agent that refuses them all is broken or hostile.
const MAX_ASKED: u32 = 5;
/// Snapshots of a section are at least this far apart.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(1);

/// The sections this version pushes, in the order in which they are sent.
const SECTIONS: [Section; 2] = [Section::Access, Section::Authentication];

/// What was sent on a connection.
#[derive(Default)]
pub(super) struct Sync([Sent; 2]);

/// What was sent of one section.
#[derive(Clone, Copy, Default)]
struct Sent {
    /// Epoch and revision up to which the agent has, or was sent, documents.
    at: (i64, i64),
    /// The agent holds a document of `at` that ODCM knows: a delta can start there.
    base: bool,
    /// Revision of the last snapshot sent, and when.
    snapshot: Option<((i64, i64), Instant)>,
    /// Snapshots asked for.
    asked: u32,
    /// Nothing more is sent: the agent is ahead, or refuses everything.
    halted: bool,
}

fn slot(section: Section) -> Option<usize> {
    SECTIONS.iter().position(|s| *s == section)
}

impl Sync {
    fn of(&mut self, section: Section) -> Option<&mut Sent> {
        slot(section).and_then(|n| self.0.get_mut(n))
    }
}

impl Connection {
    /// Compares where the agent says it stands with what ODCM knows.
    pub(super) async fn begin(&mut self, positions: &[Position]) -> Result<()> {
        for section in SECTIONS {
            let name = section.as_str();
            let Some(head) = sections::find(&mut &self.peer.deps.db, &self.peer.space, name).await? else { continue };
            if section == Section::Access {
                self.watch.begin(head.seen_digest.as_deref());
            }
            let Some(position) = positions.iter().find(|p| p.section == section && p.revision > 0) else { continue };
            let here = (signed_number(position.epoch), signed_number(position.revision));
            let top = (head.epoch, head.revision);
            let mut sent = Sent { at: here, ..Sent::default() };
            let mut forked = false;
            if here > top {
                // ODCM lost its memory. Lowering the agent could undo removals; a new epoch is an administrator's matter.
                let detail = json!({
                    "code": "agent_ahead", "section": name,
                    "message": "The agent has applied a newer state than ODCM knows: ODCM was restored from a backup. \
                                Nothing is sent for this section until its history begins anew.",
                    "agent": { "epoch": here.0, "revision": here.1 }, "odcm": { "epoch": top.0, "revision": top.1 },
                });
                events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
                sent.halted = true;
            } else if here.0 == top.0 {
                let digest = position.doc_digest.map(|d| d.to_string()).unwrap_or_default();
                let acked = (head.acked_epoch, head.acked_revision) == here && head.acked_digest.as_deref() == Some(&*digest);
                let known = acked
                    || documents::committed_at(&mut &self.peer.deps.db, &self.peer.space, name, here.0, here.1, &digest)
                        .await?
                        .is_some();
                sent.base = known;
                forked = !known && here == top;
            }
            if let Some(slot) = self.sync.of(section) {
                *slot = sent;
            }
            if forked {
                self.fork(section, "the agent stands at this revision with another document").await?;
            }
        }
        Ok(())
    }

    /// Two documents call themselves one revision: the state goes out again under a higher one (rules B2).
    pub(super) async fn fork(&mut self, section: Section, how: &str) -> Result<()> {
        let Some(sent) = self.sync.of(section) else { return Ok(()) };
        sent.asked += 1;
        sent.halted |= sent.asked > MAX_ASKED;
        sent.base = false;
        if sent.halted {
            return Ok(());
        }
        let detail = json!({
            "code": "fork", "section": section.as_str(), "how": how,
            "message": "Agent and ODCM know different documents of one revision. The state is sent again under a higher revision.",
        });
        events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
        document::renumber(&self.peer.deps, &self.peer.space, section).await
    }

    /// The agent asks for a snapshot. If it has refused the one of this revision, it gets a higher revision.
    pub(super) async fn asked_for_snapshot(&mut self, section: Section, reason: &str) -> Result<ControlFlow<Option<End>>> {
        let Some(sent) = self.sync.of(section) else { return Ok(ControlFlow::Continue(())) };
        if sent.halted {
            return Ok(ControlFlow::Continue(()));
        }
        sent.asked += 1;
        let (asked, refused) = (sent.asked, sent.snapshot.is_some_and(|(at, _)| at == sent.at));
        sent.base = false;
        sent.at = (0, 0);
        tracing::info!(space = %self.peer.space, section = section.as_str(), reason, "the agent asks for a snapshot");
        if asked > MAX_ASKED {
            if let Some(sent) = self.sync.of(section) {
                sent.halted = true;
            }
            let detail = json!({
                "code": "snapshots_refused", "section": section.as_str(), "reason": reason,
                "message": "The agent refuses one snapshot after the other. Nothing more is sent on this connection.",
            });
            events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
            return Ok(ControlFlow::Continue(()));
        }
        if refused {
            document::renumber(&self.peer.deps, &self.peer.space, section).await?;
        }
        self.catch_up().await
    }

    /// Tells which keys followed the fleet key that the agent holds, before any document that they sign (rules B3).
    async fn lead_on(&mut self) -> Result<()> {
        let ring = keys::ring(&self.peer.deps).await;
        while let Some((next, signed)) = self.fleet_key.as_deref().and_then(|held| ring.succession_of(held)) {
            let (next, signed) = (next.clone(), signed.clone());
            self.tell(&FromServer::FleetKey(signed)).await?;
            self.fleet_key = Some(next);
        }
        if let Some(held) = self.fleet_key.take_if(|held| !ring.fleet_counts(held)) {
            let detail = json!({
                "code": "fleet_key", "held": held,
                "message": "The agent trusts a fleet key that is none of ODCM's: it refuses every document. Somebody announced \
                            that key to it, or ODCM was restored from before its rotation. Enrol the agent anew.",
            });
            events::alarm(&self.peer.deps, &self.peer.space, detail).await?;
        }
        Ok(())
    }

    /// Sends what the agent lacks.
    pub(super) async fn catch_up(&mut self) -> Result<ControlFlow<Option<End>>> {
        self.lead_on().await?;
        let peer = &self.peer;
        let heads = sections::heads(&mut &peer.deps.db, &peer.space, &peer.agent, peer.epoch).await?;
        for section in SECTIONS {
            let name = section.as_str();
            let Some((_, epoch, revision)) = heads.iter().find(|(s, ..)| s == name) else { continue };
            let Some(sent) = self.sync.of(section).copied() else { continue };
            let top = (*epoch, *revision);
            // `>`: another node may have numbered further than this read saw.
            if sent.halted || sent.at >= top {
                continue;
            }
            match self.peer.chain(section, sent, top).await? {
                Some(chain) => {
                    for row in chain {
                        let at = (row.epoch, row.revision);
                        self.tell(&FromServer::Document(document::signed(row))).await?;
                        self.sent(section, at, false);
                    }
                }
                None => self.snapshot(section, sent).await?,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sent(&mut self, section: Section, at: (i64, i64), snapshot: bool) {
        if let Some(sent) = self.sync.of(section) {
            sent.at = at;
            sent.base = true;
            if snapshot {
                sent.snapshot = Some((at, Instant::now()));
            }
        }
    }

    /// Sends the snapshot of the newest revision, at most K of a node at once (rules B10).
    async fn snapshot(&mut self, section: Section, sent: Sent) -> Result<()> {
        if let (Some((_, at)), true) = (sent.snapshot, sent.asked > 0) {
            tokio::time::sleep(SNAPSHOT_PAUSE.saturating_sub(at.elapsed())).await;
        }
        let hub = self.peer.hub.clone();
        let Ok(_permit) = hub.snapshots.acquire().await else { return Ok(()) };
        let Some(mut row) = document::snapshot(&self.peer.deps, &self.peer.space, section).await? else { return Ok(()) };
        if !keys::ring(&self.peer.deps).await.fleet_counts(&row.key_id) {
            // Signed by a key that was rolled away: the same state again, under a higher revision and the present key.
            document::renumber(&self.peer.deps, &self.peer.space, section).await?;
            let Some(signed) = document::snapshot(&self.peer.deps, &self.peer.space, section).await? else { return Ok(()) };
            row = signed;
        }
        let at = (row.epoch, row.revision);
        self.peer.deps.metrics.count("odcm_snapshots_total", &[]);
        self.tell(&FromServer::Document(document::signed(row))).await?;
        self.sent(section, at, true);
        Ok(())
    }
}

impl Peer {
    /// The deltas from where the agent stands to the top, if all of them are there.
    async fn chain(&self, section: Section, sent: Sent, top: (i64, i64)) -> Result<Option<Vec<DocumentRow>>> {
        if !sent.base || sent.at.0 != top.0 || section == Section::Authentication {
            return Ok(None);
        }
        let limit = i64::try_from(MAX_CHAIN).unwrap_or(i64::MAX).saturating_add(1);
        let name = section.as_str();
        let rows = documents::deltas_after(&mut &self.deps.db, &self.space, name, sent.at.0, sent.at.1, limit).await?;
        let unbroken = rows.iter().zip(sent.at.1 + 1..).all(|(row, revision)| row.revision == revision);
        let bytes: usize = rows.iter().map(|row| row.payload.len()).sum();
        let ring = keys::ring(&self.deps).await;
        let signed = rows.iter().all(|row| ring.fleet_counts(&row.key_id));
        let reaches = rows.last().is_some_and(|row| row.revision >= top.1);
        Ok((unbroken && signed && reaches && rows.len() <= MAX_CHAIN && bytes <= MAX_CHAIN_BYTES).then_some(rows))
    }
}
