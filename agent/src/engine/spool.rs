//! Reports of what happened, kept until ODCM has them: bounded, on disk while there is no connection.

use super::Engine;
use crate::AgentError;
use crate::state::Spooled;
use odcm_wire::latest::{Alarm, FromAgent, Report, ReportKind};
use std::time::Duration;

/// Reports kept.
pub(super) const ROOM: usize = 1000;
/// The same alarm is not repeated within this time.
const QUIET: Duration = Duration::from_secs(600);
/// Alarms remembered for that.
const ALARMS: usize = 256;
/// A report counts as received after so many heartbeats that came after it.
const BEATS: u64 = 2;

impl Engine {
    /// Tells of something that happened. It survives lost connections and restarts.
    pub(super) fn event(&mut self, what: ReportKind) {
        let at = self.now();
        self.make_room();
        self.state.spool.entries.push_back(Spooled { at, what });
        if self.connection.is_some() {
            self.flush_spool();
        } else {
            let result = self.keep_spool(true);
            self.stored(result);
        }
    }

    /// Raises an alarm, at most once in a while.
    pub(super) fn alarm(&mut self, code: &str, message: String) {
        let (key, now) = (format!("{code}: {message}"), self.mono());
        self.alarms.retain(|_, at| now.saturating_sub(*at) < QUIET);
        if self.alarms.contains_key(&key) {
            return;
        }
        if self.alarms.len() >= ALARMS {
            self.alarms.pop_first();
        }
        self.alarms.insert(key, now);
        tracing::error!(code, message, "alarm");
        self.event(ReportKind::Alarm(Alarm { code: code.into(), message }));
    }

    /// Throws the oldest report away that is no alarm; if all are, the oldest alarm.
    fn make_room(&mut self) {
        while self.state.spool.entries.len() >= ROOM {
            let oldest = self.state.spool.entries.iter().position(|e| !matches!(e.what, ReportKind::Alarm(_))).unwrap_or(0);
            self.state.spool.entries.remove(oldest);
            if oldest < self.spool_sent.len() {
                self.spool_sent.remove(oldest);
            }
            self.state.spool.dropped += 1;
        }
    }

    /// Sends what was not sent on this connection.
    pub(super) fn flush_spool(&mut self) {
        let Some(connection_epoch) = self.connection.as_ref().map(|c| c.epoch) else { return };
        if self.state.spool.dropped > 0 {
            let message = format!("{} reports were thrown away for want of room while offline", self.state.spool.dropped);
            let what = ReportKind::Alarm(Alarm { code: "spool_dropped".into(), message });
            self.state.spool.dropped = 0;
            let at = self.now();
            self.send(FromAgent::Report(Report { connection_epoch, at, what }));
        }
        let unsent: Vec<Spooled> = self.state.spool.entries.iter().skip(self.spool_sent.len()).cloned().collect();
        for Spooled { at, what } in unsent {
            self.spool_sent.push(self.beats);
            self.send(FromAgent::Report(Report { connection_epoch, at, what }));
        }
    }

    /// Heartbeats that came after a report show that ODCM was there to read it.
    pub(super) fn confirm_spool(&mut self) {
        let confirmed = self.spool_sent.iter().take_while(|sent| self.beats >= **sent + BEATS).count();
        if confirmed > 0 {
            self.spool_sent.drain(..confirmed);
            self.state.spool.entries.drain(..confirmed.min(self.state.spool.entries.len()));
            let result = self.keep_spool(false);
            self.stored(result);
        }
    }

    /// Writes the spool, always or only to forget what an earlier write kept.
    pub(super) fn keep_spool(&mut self, always: bool) -> Result<(), AgentError> {
        if always || self.state.spool.entries.is_empty() { self.state.save_spool() } else { Ok(()) }
    }
}
