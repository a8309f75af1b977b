//! Manners towards the server (rules B10): at most 4 requests at once and 20 in a second, 50 for removals, half of that
//! when its latency has doubled, nothing while it asked to be left alone.

use crate::adapter::{AdapterError, Result};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Requests at once.
pub(super) const AT_ONCE: usize = 4;
/// Of these, what is no removal may use.
const AT_ONCE_NORMAL: usize = AT_ONCE - 1;
const SECOND: Duration = Duration::from_secs(1);
/// Latency below this is never a sign of load.
const QUICK: Duration = Duration::from_millis(100);
/// The rate is changed at most this often.
const STEP: Duration = Duration::from_secs(5);
const MAX_HALVINGS: u32 = 4;
/// A server cannot keep removals away for longer than this at a time: nobody's access may outlast its end by an hour.
const LONGEST_HOLD_OF_REMOVALS: Duration = Duration::from_secs(10);
/// Latencies that make a median.
const REMEMBERED: usize = 15;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Reads and additions.
    Normal,
    /// What takes access away.
    Removal,
}

impl Lane {
    fn per_second(self) -> usize {
        match self {
            Self::Normal => 20,
            Self::Removal => 50,
        }
    }
}

/// The pace towards one server.
pub(super) struct Pace {
    all: Semaphore,
    normal: Semaphore,
    meter: Mutex<Meter>,
}

/// Permission to send one request.
pub(super) struct Slot<'a> {
    pace: &'a Pace,
    _permits: (SemaphorePermit<'a>, Option<SemaphorePermit<'a>>),
}

impl Default for Pace {
    fn default() -> Self {
        Self { all: Semaphore::new(AT_ONCE), normal: Semaphore::new(AT_ONCE_NORMAL), meter: Mutex::default() }
    }
}

impl Pace {
    /// Waits until one more request may be sent; fails while the server asked to be left alone.
    pub async fn enter(&self, lane: Lane) -> Result<Slot<'_>> {
        let closed = |_| AdapterError::Garbage("the pace is closed".into());
        // The narrow gate first: what waits there does not stand in the way of removals.
        let normal = match lane {
            Lane::Normal => Some(self.normal.acquire().await.map_err(closed)?),
            Lane::Removal => None,
        };
        loop {
            let wait = self.meter().start(Instant::now(), lane)?;
            let Some(wait) = wait else { break };
            tokio::time::sleep(wait).await;
        }
        let all = self.all.acquire().await.map_err(closed)?;
        Ok(Slot { pace: self, _permits: (all, normal) })
    }

    /// Sends nothing for this long; a removal tries again sooner, whatever the server asked for.
    pub fn hold(&self, wait: Duration) {
        let now = Instant::now();
        let mut meter = self.meter();
        let later = |held: Option<Instant>, until: Instant| Some(held.map_or(until, |before| before.max(until)));
        meter.held = later(meter.held, now + wait);
        meter.held_removals = later(meter.held_removals, now + wait.min(LONGEST_HOLD_OF_REMOVALS));
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// The answer is there after this time.
    pub fn leave(self, latency: Duration) {
        self.pace.meter().note(Instant::now(), latency);
    }
}

#[derive(Default)]
struct Meter {
    /// Starts within the last second.
    starts: VecDeque<Instant>,
    held: Option<Instant>,
    held_removals: Option<Instant>,
    /// The newest latencies, oldest first, and their usual median, in seconds.
    latencies: VecDeque<f64>,
    usual: Option<f64>,
    halvings: u32,
    stepped: Option<Instant>,
}

impl Meter {
    /// Counts a start now, or says how long to wait before asking again.
    fn start(&mut self, now: Instant, lane: Lane) -> Result<Option<Duration>> {
        let held = match lane {
            Lane::Normal => &mut self.held,
            Lane::Removal => &mut self.held_removals,
        };
        if let Some(left) = held.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero()) {
            let retry_after_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            return Err(AdapterError::Unavailable { message: "the server asked to be left alone".into(), retry_after_ms });
        }
        *held = None;
        while self.starts.front().is_some_and(|start| now.saturating_duration_since(*start) >= SECOND) {
            self.starts.pop_front();
        }
        let limit = (lane.per_second() >> self.halvings).max(1);
        // The start that must be a second old before one more may follow.
        let blocking = self.starts.len().checked_sub(limit).and_then(|index| self.starts.get(index));
        match blocking {
            Some(start) => Ok(Some(SECOND.saturating_sub(now.saturating_duration_since(*start)).max(Duration::from_millis(1)))),
            None => {
                self.starts.push_back(now);
                Ok(None)
            }
        }
    }

    /// Learns a latency; halves the rate when the median doubled and gives it back when it is as usual again. (A median,
    /// because a long list takes longer than a short answer without any load.)
    fn note(&mut self, now: Instant, latency: Duration) {
        if self.latencies.len() == REMEMBERED {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency.as_secs_f64());
        if self.latencies.len() < REMEMBERED {
            return;
        }
        let mut sorted: Vec<f64> = self.latencies.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let Some(median) = sorted.get(REMEMBERED / 2).copied() else { return };
        let usual = *self.usual.get_or_insert(median);
        let doubled = median > (2.0 * usual).max(QUICK.as_secs_f64());
        if !doubled {
            // Slowly, and not at all while the server suffers: else suffering would become usual.
            self.usual = Some(usual + (median - usual) * 0.02);
        }
        if self.stepped.is_some_and(|stepped| now.saturating_duration_since(stepped) < STEP) {
            return;
        }
        let before = self.halvings;
        self.halvings = if doubled { (before + 1).min(MAX_HALVINGS) } else { before.saturating_sub(1) };
        if before != self.halvings {
            self.stepped = Some(now);
            tracing::info!(halvings = self.halvings, "the pace towards the Octopus server changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(meter: &mut Meter, now: Instant, lane: Lane) -> usize {
        (0..100).take_while(|_| meter.start(now, lane).unwrap().is_none()).count()
    }

    #[test]
    fn twenty_a_second_and_fifty_for_removals() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        assert_eq!(started(&mut meter, now, Lane::Normal), 20);
        assert_eq!(started(&mut meter, now, Lane::Removal), 30, "removals go past the others");
        let wait = meter.start(now + Duration::from_millis(400), Lane::Normal).unwrap().unwrap();
        assert_eq!(wait, Duration::from_millis(600));
        assert_eq!(started(&mut meter, now + SECOND, Lane::Normal), 20);
    }

    #[test]
    fn doubled_latency_halves_the_rate_and_quiet_gives_it_back() {
        let (mut meter, mut now) = (Meter::default(), Instant::now());
        for _ in 0..50 {
            meter.note(now, Duration::from_millis(80));
        }
        assert_eq!(started(&mut meter, now, Lane::Normal), 20);
        for _ in 0..50 {
            meter.note(now, Duration::from_millis(400));
        }
        now += STEP;
        assert_eq!(started(&mut meter, now, Lane::Normal), 10, "one step in five seconds");
        for _ in 0..100 {
            now += STEP / 20;
            meter.note(now, Duration::from_millis(80));
        }
        now += SECOND;
        assert_eq!(started(&mut meter, now, Lane::Normal), 20);
    }

    #[test]
    fn noise_of_a_quick_server_is_no_load() {
        let (mut meter, now) = (Meter::default(), Instant::now());
        for latency in [1; 50].into_iter().chain([60; 50]).chain([5000, 60, 60, 60, 5000, 5000]) {
            meter.note(now, Duration::from_millis(latency));
        }
        assert_eq!(started(&mut meter, now, Lane::Normal), 20, "a few long answers are no load, either");
    }

    #[tokio::test]
    async fn nothing_is_sent_while_held_and_removals_keep_a_gate() {
        let pace = Pace::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE_NORMAL {
            held.push(pace.enter(Lane::Normal).await.unwrap());
        }
        let late = Duration::from_millis(20);
        assert!(tokio::time::timeout(late, pace.enter(Lane::Normal)).await.is_err());
        let removal = tokio::time::timeout(late, pace.enter(Lane::Removal)).await.unwrap().unwrap();
        assert!(tokio::time::timeout(late, pace.enter(Lane::Removal)).await.is_err(), "four at once");
        drop((held, removal));
        pace.hold(Duration::from_secs(5));
        let refused = pace.enter(Lane::Removal).await.err().unwrap();
        assert!(matches!(refused, AdapterError::Unavailable { retry_after_ms: Some(4000..=5000), .. }));
    }

    #[test]
    fn an_hour_of_silence_is_ten_seconds_for_removals() {
        let pace = Pace::default();
        pace.hold(Duration::from_secs(3600));
        let (soon, later) = (Instant::now(), Instant::now() + LONGEST_HOLD_OF_REMOVALS);
        assert!(pace.meter().start(soon, Lane::Removal).is_err());
        assert_eq!(pace.meter().start(later, Lane::Removal).unwrap(), None, "somebody's access ends");
        let refused = pace.meter().start(later, Lane::Normal).unwrap_err();
        assert!(matches!(refused, AdapterError::Unavailable { retry_after_ms: Some(3_580_000..), .. }), "{refused:?}");
    }
}
