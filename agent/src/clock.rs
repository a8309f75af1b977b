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
#[derive(Clone, Copy, Debug, Default)]
pub struct OdcmTime {
    heard: Option<(Millis, Duration)>,
    stored: Option<Anchor>,
}

impl OdcmTime {
    /// Starts from what was stored, if anything.
    #[must_use]
    pub fn new(stored: Option<Anchor>) -> Self {
        Self { heard: None, stored }
    }

    /// ODCM said its time just now.
    pub fn heard(&mut self, odcm: Millis, clock: &dyn Clock) {
        self.heard = Some((odcm, clock.monotonic()));
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
    fn after_a_restart_the_wall_clock_counts_but_time_never_goes_back() {
        let time = OdcmTime::new(Some(Anchor { odcm: 1_000, wall: 400, valid_until: 0 }));
        assert_eq!(time.now(&Fixed(0, 450)), 1_050);
        assert_eq!(time.now(&Fixed(0, 100)), 1_000, "a wall clock set back must not revive what ended");
    }
}
