//! What an agent says: checked against its Space and its connection epoch (rules A10, B5), bounded, then stored.

use super::connection::{Connection, End, Peer};
use super::{Result, acks, reports};
use odcm_wire::latest::{FromAgent, RefusalCode, ReportKind};
use std::ops::ControlFlow;

/// Most entries of a list in one message.
const MAX_LIST: usize = 20_000;

type Next = Result<ControlFlow<Option<End>>>;

/// Takes one message.
pub(super) async fn receive(c: &mut Connection, message: FromAgent) -> Next {
    let go_on = Ok(ControlFlow::Continue(()));
    if let Some(epoch) = epoch_of(&message)
        && epoch != c.wire_epoch()
    {
        tracing::warn!(space = %c.space, agent = %c.agent, said = epoch, current = c.wire_epoch(),
            "a message of another connection epoch is refused");
        c.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "epoch")]);
        return go_on;
    }
    if longest_list(&message) > MAX_LIST {
        return Ok(ControlFlow::Break(Some((RefusalCode::Protocol, "a list in a message is too long", None))));
    }
    match message {
        FromAgent::Alive { .. } => go_on,
        FromAgent::Ack(ack) => acks::receive(c, ack).await,
        FromAgent::Report(report) => reports::receive(c, report).await,
        FromAgent::Secret { generation, sha256, .. } => c.secret(generation, &sha256).await,
        FromAgent::NeedSnapshot { section, reason, .. } => {
            let reason: String = reason.chars().take(300).collect();
            c.asked_for_snapshot(section, &reason).await
        }
        FromAgent::Unknown => {
            if !std::mem::replace(&mut c.unknown_logged, true) {
                tracing::warn!(space = %c.space, "the agent speaks of things that this version does not know; they are ignored");
            }
            go_on
        }
        FromAgent::Hello(_) | FromAgent::Proof(_) => {
            Ok(ControlFlow::Break(Some((RefusalCode::Protocol, "a message of the handshake outside of it", None))))
        }
    }
}

/// What to do when the connection turned out not to be the newest one, or the agent to be revoked.
pub(super) fn not_current(c: &Peer) -> Next {
    tracing::warn!(space = %c.space, agent = %c.agent, epoch = c.epoch, "a message of an older connection is refused");
    c.deps.metrics.count("odcm_agent_messages_refused_total", &[("why", "superseded")]);
    Ok(ControlFlow::Break(Some((RefusalCode::Superseded, "a newer connection took over, or the agent was revoked", None))))
}

fn epoch_of(message: &FromAgent) -> Option<u64> {
    match message {
        FromAgent::Ack(ack) => Some(ack.connection_epoch),
        FromAgent::Report(report) => Some(report.connection_epoch),
        FromAgent::Secret { connection_epoch, .. }
        | FromAgent::NeedSnapshot { connection_epoch, .. }
        | FromAgent::Alive { connection_epoch } => Some(*connection_epoch),
        FromAgent::Hello(_) | FromAgent::Proof(_) | FromAgent::Unknown => None,
    }
}

fn longest_list(message: &FromAgent) -> usize {
    match message {
        FromAgent::Ack(ack) => ack.items.len().max(ack.links.len()),
        FromAgent::Report(report) => match &report.what {
            ReportKind::Bindings { bindings } => bindings.len(),
            ReportKind::Drift { items } => items.len(),
            ReportKind::Candidates { candidates } => candidates.len(),
            ReportKind::Sweeps { sweeps } => sweeps.iter().map(|s| s.people.len()).max().unwrap_or(0).max(sweeps.len()),
            ReportKind::Links { links } => links.len(),
            ReportKind::ClosedSpaces { spaces } => spaces.len(),
            ReportKind::Items { items } => items.len(),
            ReportKind::Seen { .. } | ReportKind::Alarm(_) | ReportKind::Unknown => 0,
        },
        _ => 0,
    }
}
