//! Guesses at enrolment codes: a few failures per network and minute, then nothing is even looked up. The codes are 256
//! random bits, so this guards the database, not the codes.

use super::hub::network;
use crate::core::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures of one network (an IPv4 address or an IPv6 /64) within [`WINDOW_S`] seconds.
const FAILURES: u32 = 10;
const WINDOW_S: i64 = 60;
/// Networks remembered; beyond that the oldest is forgotten, so that a crowd keeps nobody else out.
const NETWORKS: usize = 4096;

/// Failures by network.
#[derive(Default)]
pub(super) struct Throttle(Mutex<BTreeMap<IpAddr, (u32, Timestamp)>>);

impl Throttle {
    /// Seconds to wait, if the address or its neighbours have failed too often.
    pub fn wait_s(&self, address: IpAddr, now: Timestamp) -> Option<u32> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (_, since)| now < since.plus_secs(WINDOW_S));
        let left = |since: Timestamp| u32::try_from(since.plus_secs(WINDOW_S).since(now) / 1000 + 1).unwrap_or(1);
        seen.get(&network(address)).filter(|(failures, _)| *failures >= FAILURES).map(|(_, since)| left(*since))
    }

    /// Counts a failure.
    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(address);
        if seen.len() >= NETWORKS && !seen.contains_key(&network) {
            let oldest = seen.iter().min_by_key(|(_, (_, since))| *since).map(|(network, _)| *network);
            oldest.map(|oldest| seen.remove(&oldest));
        }
        let entry = seen.entry(network).or_insert((0, now));
        entry.0 = entry.0.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_failed_too_often_waits_and_the_others_do_not() {
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let throttle = Throttle::default();
        for _ in 0..FAILURES {
            assert_eq!(throttle.wait_s(a, Timestamp(0)), None);
            throttle.failed(a, Timestamp(0));
        }
        assert_eq!(throttle.wait_s(a, Timestamp(30_000)), Some(31));
        assert_eq!(throttle.wait_s(b, Timestamp(30_000)), None);
        assert_eq!(throttle.wait_s(a, Timestamp(60_000)), None, "the window is over");
    }

    #[test]
    fn a_network_counts_as_one_and_a_crowd_keeps_nobody_out() {
        let v6 = |net: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, host]);
        let throttle = Throttle::default();
        for host in 0..10 {
            throttle.failed(v6(0, host), Timestamp(0));
        }
        assert_eq!(throttle.wait_s(v6(0, 999), Timestamp(1)), Some(60));
        for net in 1..=4096 {
            throttle.failed(v6(net, 1), Timestamp(2));
        }
        assert_eq!(throttle.0.lock().unwrap().len(), NETWORKS);
        assert_eq!(throttle.wait_s(v6(9000, 1), Timestamp(3)), None, "a new address is looked at");
        assert_eq!(throttle.wait_s(v6(0, 1), Timestamp(3)), None, "the oldest was forgotten");
    }
}
