//! How much an agent may say, and when whoever was turned away at the door may knock again (rules B10).
//!
//! Every message of an agent may cost database work. One that sends more than its allowance is not answered with an error,
//! which would only make it say everything again: it is not listened to until the allowance has grown, while documents and
//! heartbeats still go out to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that cost as much as one message.
const BYTES: usize = 64 * 1024;
/// Handshakes that are let in one after the other: milliseconds each.
pub(super) const MS_PER_HANDSHAKE: u64 = 10;
/// First wait of somebody who was turned away …
const FIRST: Duration = Duration::from_secs(2);
/// … and the longest.
const LONGEST: Duration = Duration::from_secs(120);

/// How large an allowance is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Messages at once.
    pub burst: u32,
    /// Messages a minute after that.
    pub per_minute: u32,
}

/// The allowance of one agent. Clones share it.
#[derive(Clone)]
pub(super) struct Allowance(Arc<Mutex<Bucket>>);

struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn grow(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(self.rate.per_minute) / 60.0;
        self.left = (self.left + grown).min(f64::from(self.rate.burst));
        self.at = now;
    }
}

impl Allowance {
    pub fn new(rate: Rate) -> Self {
        Self(Arc::new(Mutex::new(Bucket { rate, left: f64::from(rate.burst), at: Instant::now() })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.grow(Instant::now());
        work(&mut bucket)
    }

    /// A message of so many bytes was read; `true` when it was the last one for now.
    pub fn spend(&self, bytes: usize) -> bool {
        let more = u32::try_from(bytes / BYTES).unwrap_or(u32::MAX);
        self.with(|bucket| {
            let before = bucket.left;
            bucket.left -= 1.0 + f64::from(more);
            before >= 1.0 && bucket.left < 1.0
        })
    }

    /// How long until the next message may be read.
    pub fn wait(&self) -> Duration {
        self.with(|bucket| {
            if bucket.left >= 1.0 {
                return Duration::ZERO;
            }
            let seconds = (1.0 - bucket.left) * 60.0 / f64::from(bucket.rate.per_minute.max(1));
            Duration::from_secs_f64(seconds.clamp(0.001, 3600.0))
        })
    }

    /// Nothing of it is used.
    pub fn is_whole(&self) -> bool {
        self.with(|bucket| bucket.left >= f64::from(bucket.rate.burst))
    }
}

/// Who was turned away gets a place in time.
#[derive(Default)]
pub(super) struct Queue(Mutex<Option<Instant>>);

impl Queue {
    /// How long the next one waits.
    pub fn next(&self, now: Instant) -> Duration {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let soonest = now + FIRST;
        let place = last.map_or(soonest, |at| (at + Duration::from_millis(MS_PER_HANDSHAKE)).max(soonest)).min(now + LONGEST);
        *last = Some(place);
        place - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_allowance_is_spent_grows_again_and_counts_bytes() {
        let allowance = Allowance::new(Rate { burst: 3, per_minute: 60 });
        let (one, two) = (allowance.spend(10), allowance.spend(10));
        assert!(!one && !two && allowance.wait().is_zero());
        assert!(allowance.spend(10), "that was the last one");
        assert!(!allowance.is_whole() && !allowance.wait().is_zero());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!allowance.wait().is_zero());
        tokio::time::advance(Duration::from_millis(501)).await;
        assert!(allowance.wait().is_zero(), "one a second");
        // A long message costs more than one.
        assert!(allowance.spend(4 * 1024 * 1024));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!allowance.wait().is_zero());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(allowance.wait().is_zero() && allowance.is_whole());
    }

    #[test]
    fn a_fleet_that_is_turned_away_comes_back_one_after_the_other() {
        let (queue, now) = (Queue::default(), Instant::now());
        let waits: Vec<Duration> = (0..1000).map(|_| queue.next(now)).collect();
        assert_eq!(waits[0], Duration::from_secs(2));
        assert!(waits.windows(2).all(|w| w[1] - w[0] == Duration::from_millis(10)));
        assert_eq!(queue.next(now + Duration::from_secs(60)), Duration::from_secs(2), "an empty queue");
        let many = (0..100_000).map(|_| queue.next(now)).max();
        assert!(many <= Some(Duration::from_secs(120)));
    }
}
