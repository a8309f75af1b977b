//! Time: the host's clock, injected, and ODCM's time as the agent knows it.

use odcm_wire::latest::Millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The clock of the host.
pub trait Clock: Send + Sync {
    /// Time since some fixed instant; never goes back.
    fn monotonic(&self) -> Duration;
    /// Unix time in milliseconds, as the host believes it.
    fn wall(&self) -> Millis;
}

/// The real clock.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// Starts counting.
    #[must_use]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the host's clock")]
    fn wall(&self) -> Millis {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX))
    }
}

/// How far ODCM's time may go back, in milliseconds.
pub const BACK: Millis = 5000;
/// A clock may run fast by one part in so many.
const DRIFT: Millis = 1000;

/// ODCM's time at some instant of the host's clock, kept over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// ODCM's time.
    pub odcm: Millis,
    /// The host's wall clock at that instant.
    pub wall: Millis,
    /// Until when ODCM's last word holds (the lease, rules B4).
    pub valid_until: Millis,
}

/// ODCM's time: the own monotonic clock plus the offset of the last heartbeat (rules B4). After a restart without ODCM the
/// wall clock takes the place of the monotonic one; it is never earlier than the last time that ODCM said.
///
/// Heartbeats are not signed, so they cannot turn time back: by [`BACK`] at most, plus what two clocks may drift apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct OdcmTime {
    heard: Option<(Millis, Duration)>,
    /// The word of ODCM that was furthest ahead.
    ahead: Option<(Millis, Duration)>,
    stored: Option<Anchor>,
}

impl OdcmTime {
    /// Starts from what was stored, if anything.
    #[must_use]
    pub fn new(stored: Option<Anchor>) -> Self {
        Self { heard: None, ahead: None, stored }
    }

    /// ODCM said its time just now. Gives `false` when that is too far back; the earliest believable time counts then.
    pub fn heard(&mut self, odcm: Millis, clock: &dyn Clock) -> bool {
        let at = clock.monotonic();
        let earliest = match (self.ahead, self.stored) {
            (Some((said, then)), _) => {
                let passed = Millis::try_from(at.saturating_sub(then).as_millis()).unwrap_or(Millis::MAX);
                if odcm >= said.saturating_add(passed) {
                    self.ahead = Some((odcm, at));
                }
                said.saturating_add(passed - passed / DRIFT)
            }
            (None, stored) => {
                let last = stored.map_or(odcm, |a| a.odcm);
                self.ahead = Some((odcm.max(last), at));
                last
            }
        };
        let earliest = earliest.saturating_sub(BACK);
        self.heard = Some((odcm.max(earliest), at));
        odcm >= earliest
    }

    /// ODCM's time now; the host's own before the first word of ODCM.
    #[must_use]
    pub fn now(&self, clock: &dyn Clock) -> Millis {
        match (self.heard, self.stored) {
            (Some((odcm, at)), _) => {
                let passed = clock.monotonic().saturating_sub(at).as_millis();
                odcm.saturating_add(Millis::try_from(passed).unwrap_or(Millis::MAX))
            }
            (None, Some(a)) => a.odcm.max(clock.wall().saturating_add(a.odcm.saturating_sub(a.wall))),
            (None, None) => clock.wall(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64, Millis);
    impl Clock for Fixed {
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0)
        }
        fn wall(&self) -> Millis {
            self.1
        }
    }

    #[test]
    fn the_last_heartbeat_sets_the_time_whatever_the_wall_clock_says() {
        let mut time = OdcmTime::new(Some(Anchor { odcm: 5, wall: 5, valid_until: 0 }));
        time.heard(1_000, &Fixed(100, 77));
        assert_eq!(time.now(&Fixed(350, -9)), 1_250);
    }

    #[test]
    fn an_unsigned_word_turns_time_back_by_seconds_at_most_however_often_it_is_said() {
        let mut time = OdcmTime::new(None);
        assert!(time.heard(100_000, &Fixed(0, 0)));
        assert!(time.heard(96_000, &Fixed(0, 0)), "clocks are set right by a little");
        assert_eq!(time.now(&Fixed(0, 0)), 96_000);
        for second in 1..=100 {
            time.heard(0, &Fixed(second * 1000, 0));
        }
        assert!(!time.heard(0, &Fixed(100_000, 0)));
        assert_eq!(time.now(&Fixed(100_000, 0)), 194_900, "neither turned back nor stopped");
        assert!(time.heard(500_000, &Fixed(100_000, 0)), "ahead is believed");
        let mut time = OdcmTime::new(Some(Anchor { odcm: 100_000, wall: 0, valid_until: 0 }));
        assert!(!time.heard(7, &Fixed(0, 0)));
        assert_eq!(time.now(&Fixed(0, 0)), 95_000, "nor by a restart");
    }

    #[test]
    fn after_a_restart_the_wall_clock_counts_but_time_never_goes_back() {
        let time = OdcmTime::new(Some(Anchor { odcm: 1_000, wall: 400, valid_until: 0 }));
        assert_eq!(time.now(&Fixed(0, 450)), 1_050);
        assert_eq!(time.now(&Fixed(0, 100)), 1_000, "a wall clock set back must not revive what ended");
    }
}
