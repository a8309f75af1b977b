//! Guesses at enrolment codes: a few failures per address and minute, then nothing is even looked up. The codes are 256
//! random bits, so this guards the database, not the codes.

use crate::core::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures of one address within [`WINDOW_S`] seconds.
const FAILURES: u32 = 10;
const WINDOW_S: i64 = 60;
/// Addresses remembered; a crowd beyond that is refused as one.
const ADDRESSES: usize = 4096;

/// Failures by address.
#[derive(Default)]
pub(super) struct Throttle(Mutex<BTreeMap<IpAddr, (u32, Timestamp)>>);

impl Throttle {
    /// Seconds to wait, if the address has failed too often.
    pub fn wait_s(&self, address: IpAddr, now: Timestamp) -> Option<u32> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (_, since)| now < since.plus_secs(WINDOW_S));
        let left = |since: Timestamp| u32::try_from(since.plus_secs(WINDOW_S).since(now) / 1000 + 1).unwrap_or(1);
        match seen.get(&address) {
            Some((failures, since)) if *failures >= FAILURES => Some(left(*since)),
            None if seen.len() >= ADDRESSES => Some(left(now)),
            _ => None,
        }
    }

    /// Counts a failure.
    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(address).or_insert((0, now));
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
}
