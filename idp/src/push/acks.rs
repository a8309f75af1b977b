//! Acknowledgements: a revision is applied in the Space and read back. Everything about it is stored in one transaction.

use super::connection::{Connection, End, Peer};
use super::document::signed_number;
use super::{Result, receive, reports};
use crate::run_tx;
use crate::storage::sections::{self, Acked, SectionRow};
use crate::storage::{Tx, agents, documents};
use odcm_wire::latest::{Ack, Section};
use std::ops::ControlFlow;

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Stored; milliseconds since the commit of the change.
    Stored(i64),
    /// The newest one once more: what it says about items, links and the look at the Space is stored.
    Repeated,
    /// Older than the stored one.
    Older,
    /// A revision that ODCM never numbered.
    Unknown,
    /// A revision of ours with a document that is not ours.
    Fork,
    /// The connection is not the newest, or the agent is revoked.
    NotCurrent,
}

pub(super) async fn receive(c: &mut Connection, ack: Ack) -> Result<ControlFlow<Option<End>>> {
    if ack.section == Section::Unknown {
        tracing::warn!(space = %c.peer.space, "an acknowledgement of an unknown section is ignored");
        return Ok(ControlFlow::Continue(()));
    }
    let outcome = store(&c.peer, &ack).await?;
    let seen = ack.seen.map(|seen| seen.digest).filter(|_| ack.section == Section::Access);
    let (section, epoch, revision) = (ack.section.as_str(), ack.epoch, ack.revision);
    match outcome {
        Outcome::Stored(ms) => {
            tracing::info!(space = %c.peer.space, section, revision, ms, took_ms = ack.took_ms, failed = ack.items.len(), "applied");
            c.peer.deps.metrics.observe_ms("odcm_applied_ms", &[], u32::try_from(ms).map_or(f64::MAX, f64::from));
            c.peer.deps.live.ring(&c.peer.space);
            if ack.section == Section::Access {
                c.watch.applied(seen);
            }
            c.probe(ack.section == Section::Authentication).await?;
        }
        Outcome::Repeated => {
            c.peer.deps.live.ring(&c.peer.space);
            if let Some(seen) = seen {
                c.saw(seen).await?;
            }
            c.probe(false).await?;
        }
        Outcome::Older => tracing::info!(space = %c.peer.space, section, revision, "an older acknowledgement is ignored"),
        Outcome::Unknown => {
            tracing::warn!(space = %c.peer.space, section, epoch, revision, "an acknowledgement of an unknown revision is refused");
            c.peer.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "revision")]);
        }
        Outcome::Fork => {
            c.peer.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "fork")]);
            c.fork(ack.section, "an acknowledgement names another document").await?;
            return c.catch_up().await;
        }
        Outcome::NotCurrent => return receive::not_current(&c.peer),
    }
    Ok(ControlFlow::Continue(()))
}

async fn store(c: &Peer, ack: &Ack) -> Result<Outcome> {
    let (deps, space, name) = (&c.deps, &c.space, ack.section.as_str());
    let (epoch, revision, digest) = (signed_number(ack.epoch), signed_number(ack.revision), ack.doc_digest.to_string());
    run_tx!(deps.db, "push.ack", |tx| {
        if !agents::is_current(tx, &c.agent, space, c.epoch).await? {
            return Ok(Outcome::NotCurrent);
        }
        let Some(head) = sections::find(tx, space, name).await? else { return Ok(Outcome::Unknown) };
        if epoch != head.epoch || !(1..=head.revision).contains(&revision) {
            return Ok(Outcome::Unknown);
        }
        let acked = (head.acked_epoch, head.acked_revision);
        let repeated = acked == (epoch, revision) && head.acked_digest.as_deref() == Some(&*digest);
        let committed = documents::committed_at(tx, space, name, epoch, revision, &digest).await?;
        let now = deps.clock.now();
        if !repeated {
            let Some(committed_at) = committed else { return unknown_document(tx, c, name, &head, revision).await };
            if acked > (epoch, revision) {
                return Ok(Outcome::Older);
            }
            let ms = now.since(committed_at).max(0);
            let acked = Acked { section: name, epoch, revision, digest: &digest, at: now, ms };
            if !sections::acknowledge(tx, space, &acked).await? {
                return Ok(Outcome::Older);
            }
        }
        reports::replace_items(tx, c, &head, &ack.items).await?;
        reports::put_links(tx, c, &ack.links).await?;
        if let Some(seen) = ack.seen {
            reports::put_seen(tx, c, ack.section, seen).await?;
        }
        if repeated {
            return Ok(Outcome::Repeated);
        }
        let ms = committed.map_or(0, |at| now.since(at).max(0));
        Ok(Outcome::Stored(ms))
    })
}

/// A fork if ODCM still has a document of that revision, else a revision whose documents are gone.
async fn unknown_document(tx: &mut Tx, c: &Peer, name: &str, head: &SectionRow, revision: i64) -> Result<Outcome> {
    if head.revision == revision || documents::exists(tx, &c.space, name, head.epoch, revision).await? {
        return Ok(Outcome::Fork);
    }
    Ok(Outcome::Older)
}
