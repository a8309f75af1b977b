//! Who is connected to this node, and how connections are told to look, to beat and to end.

use super::allowance::{Allowance, MS_PER_HANDSHAKE, Queue, Rate};
use super::document::unsigned;
use crate::core::ids::{AgentId, SpaceId};
use crate::deps::Deps;
use axum::extract::ws::Utf8Bytes;
use odcm_wire::latest::{FromServer, Heartbeat, RefusalCode};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Connections that have not proven anything yet.
const HANDSHAKES_AT_ONCE: usize = 256;
/// Handshakes of one network at once: one busy site must not keep the others out.
const HANDSHAKES_OF_NETWORK: usize = 8;

/// The connections of this node. Cheap to clone.
#[derive(Clone)]
pub(super) struct Hub(Arc<Inner>);

pub(super) struct Inner {
    /// Name of this process in the database.
    pub node: String,
    /// Snapshots under way (rules B10).
    pub snapshots: Semaphore,
    handshakes: Mutex<BTreeMap<IpAddr, usize>>,
    connections: Mutex<BTreeMap<SpaceId, Handle>>,
    beat: watch::Sender<Utf8Bytes>,
    draining: watch::Sender<bool>,
    /// By agent, so that to connect anew brings no new allowance.
    allowances: Mutex<BTreeMap<AgentId, Allowance>>,
    rate: Rate,
    turned_away: Queue,
}

struct Handle {
    agent: AgentId,
    epoch: i64,
    signal: watch::Sender<Signal>,
}

/// What a connection is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signal {
    /// Raised when there may be something to send.
    pub news: u64,
    /// End, for this reason, and come back after so many milliseconds.
    pub end: Option<(RefusalCode, Option<u64>)>,
}

/// A place in the hub; leaving it frees the place.
pub(super) struct Seat {
    hub: Hub,
    space: SpaceId,
    agent: AgentId,
    epoch: i64,
    /// What the connection is told.
    pub signal: watch::Receiver<Signal>,
    /// The heartbeat to send, written once for all connections.
    pub beat: watch::Receiver<Utf8Bytes>,
    /// How much the agent may say, over all its connections.
    pub allowance: Allowance,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut connections = self.hub.connections();
        if connections.get(&self.space).is_some_and(|h| h.agent == self.agent && h.epoch == self.epoch) {
            connections.remove(&self.space);
        }
    }
}

/// A handshake under way.
pub(super) struct Door {
    hub: Hub,
    network: IpAddr,
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut open = self.hub.0.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.network) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.network);
            }
        }
    }
}

impl std::ops::Deref for Hub {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Hub {
    pub fn new(node: String, snapshots: usize, rate: Rate) -> Self {
        Self(Arc::new(Inner {
            node,
            snapshots: Semaphore::new(snapshots.max(1)),
            handshakes: Mutex::default(),
            connections: Mutex::default(),
            beat: watch::Sender::default(),
            draining: watch::Sender::new(false),
            allowances: Mutex::default(),
            rate,
            turned_away: Queue::default(),
        }))
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, BTreeMap<SpaceId, Handle>> {
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a stranger begin a handshake, unless too many do or the node is going down.
    pub fn knock(&self, address: IpAddr) -> Option<Door> {
        if *self.draining.borrow() {
            return None;
        }
        let network = network(address);
        let mut open = self.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= HANDSHAKES_AT_ONCE || open.get(&network).is_some_and(|n| *n >= HANDSHAKES_OF_NETWORK) {
            return None;
        }
        *open.entry(network).or_default() += 1;
        Some(Door { hub: self.clone(), network })
    }

    /// Seats an accepted connection; an older one of the same Space ends. `None` when a newer one sits there already, or
    /// the node is going down.
    pub fn seat(&self, space: &SpaceId, agent: &AgentId, epoch: i64) -> Option<Seat> {
        let mut connections = self.connections();
        // Asked under the lock, so that a drain either sees this seat or prevents it.
        if *self.draining.borrow() || connections.get(space).is_some_and(|h| h.agent == *agent && h.epoch > epoch) {
            return None;
        }
        let (signal, listen) = watch::channel(Signal::default());
        let handle = Handle { agent: agent.clone(), epoch, signal };
        if let Some(old) = connections.insert(space.clone(), handle) {
            old.end(RefusalCode::Superseded, None);
        }
        let (agent, beat, allowance) = (agent.clone(), self.beat.subscribe(), self.allowance(agent));
        Some(Seat { hub: self.clone(), space: space.clone(), agent, epoch, signal: listen, beat, allowance })
    }

    fn allowance(&self, agent: &AgentId) -> Allowance {
        let mut known = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has used nothing of it need not be remembered.
        known.retain(|_, allowance| !allowance.is_whole());
        known.entry(agent.clone()).or_insert_with(|| Allowance::new(self.rate)).clone()
    }

    /// When somebody who was turned away may knock again: one after the other, so that a fleet does not come back at once.
    pub fn knock_again(&self) -> Duration {
        self.turned_away.next(tokio::time::Instant::now())
    }

    /// There may be something to send to the agent of a Space.
    pub fn news(&self, space: &SpaceId) {
        if let Some(handle) = self.connections().get(space) {
            handle.signal.send_modify(|s| s.news = s.news.wrapping_add(1));
        }
    }

    /// How many agents are connected here.
    pub fn count(&self) -> usize {
        self.connections().len()
    }

    /// The connections of this node, as the database should know them.
    pub fn seated(&self) -> Vec<(SpaceId, AgentId, i64)> {
        self.connections().iter().map(|(space, h)| (space.clone(), h.agent.clone(), h.epoch)).collect()
    }

    /// Ends the connections among `seated` that the database does not know: revoked, or taken over on another node.
    pub fn keep_only(&self, seated: &[(SpaceId, AgentId, i64)], known: &[(AgentId, i64)]) {
        let known: BTreeSet<_> = known.iter().collect();
        let connections = self.connections();
        for (space, agent, epoch) in seated {
            if !known.contains(&(agent.clone(), *epoch))
                && let Some(handle) = connections.get(space).filter(|h| h.agent == *agent && h.epoch == *epoch)
            {
                tracing::info!(%space, %agent, epoch, "the agent was revoked or taken over; its connection ends");
                handle.end(RefusalCode::Denied, None);
            }
        }
    }

    /// Sends a heartbeat to everybody.
    pub fn heartbeat(&self, deps: &Deps) {
        let now = deps.clock.now();
        let beat = Heartbeat { now: now.0, valid_until: now.plus_secs(deps.settings.push.lease).0 };
        match serde_json::to_string(&FromServer::Heartbeat(beat)) {
            Ok(text) => {
                self.beat.send_replace(text.into());
            }
            Err(error) => tracing::error!(%error, "a heartbeat could not be written"),
        }
    }

    /// Ends all connections with a time to come back, spread so that they do not come back at once, and waits for their end.
    pub async fn drain(&self, deps: &Deps, patience: Duration) {
        self.draining.send_replace(true);
        {
            let connections = self.connections();
            let spread = 4000.max(MS_PER_HANDSHAKE * connections.len() as u64);
            for handle in connections.values() {
                let later = u64::from(u32::from_be_bytes(deps.entropy.bytes::<4>())) % spread;
                handle.end(RefusalCode::Busy, Some(1000 + later));
            }
        }
        let gone = async {
            while self.count() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_err() {
            tracing::warn!(left = self.count(), "some agents did not leave in time");
        }
    }
}

impl Handle {
    fn end(&self, code: RefusalCode, retry_after_ms: Option<u64>) {
        self.signal.send_modify(|s| s.end = s.end.or(Some((code, retry_after_ms))));
    }
}

/// The network of an address that is counted: an IPv6 customer has a /64 at least.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The connection epoch as the wire writes it.
pub(super) fn wire_epoch(epoch: i64) -> u64 {
    unsigned(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(network: u128, host: u128) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (network << 64) | host))
    }

    #[test]
    fn one_network_takes_few_places_however_many_addresses_it_has() {
        let hub = Hub::new("node".into(), 1, Rate { burst: 10, per_minute: 10 });
        let mut doors: Vec<_> = (0..8).filter_map(|host| hub.knock(v6(1, host))).collect();
        assert_eq!(doors.len(), 8);
        assert!(hub.knock(v6(1, 99)).is_none(), "the ninth of the /64");
        // Four silent networks, and many more, keep nobody out.
        for net in 2..32 {
            doors.extend((0..8).filter_map(|host| hub.knock(v6(net, host))));
        }
        assert_eq!(doors.len(), 248);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
        doors.extend((0..8).filter_map(|_| hub.knock(mapped)));
        assert!(hub.knock(v6(77, 1)).is_none(), "all places are taken");
        doors.clear();
        assert!(hub.knock(v6(77, 1)).is_some());
    }

    #[test]
    fn a_seat_that_is_left_late_frees_no_place_of_another_agent() {
        let hub = Hub::new("node".into(), 1, Rate { burst: 10, per_minute: 10 });
        let space = SpaceId::parse("018f0000-0000-7000-8000-000000000001").unwrap();
        let agent = |n: u8| AgentId::parse(&format!("018f0000-0000-7000-8000-00000000000{n}")).unwrap();
        let old = hub.seat(&space, &agent(1), 1).unwrap();
        // Enrolled anew: the epochs of the new agent begin at one again.
        let new = hub.seat(&space, &agent(2), 1).unwrap();
        drop(old);
        assert_eq!(hub.count(), 1);
        drop(new);
        assert_eq!(hub.count(), 0);
    }
}
