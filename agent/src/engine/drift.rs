//! What somebody did by hand, and what the agent did about it (rules B6).

use super::Engine;
use odcm_wire::latest::{Drift, DriftAction, ReportKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Differences in one report.
const DRIFTS: usize = 100;
/// Items remembered at most.
const MOST: usize = 10_000;

/// Which items were repaired lately.
#[derive(Debug, Default)]
pub(super) struct Repairs(BTreeMap<String, VecDeque<Duration>>);

impl Repairs {
    /// Notes a repair; returns how many there were within `window`.
    pub fn add(&mut self, item: &str, now: Duration, window: Duration) -> usize {
        self.forget(now, window);
        if self.0.len() >= MOST && !self.0.contains_key(item) {
            self.0.pop_first();
        }
        let times = self.0.entry(item.to_owned()).or_default();
        times.push_back(now);
        times.len()
    }

    /// Repairs of the item within `window`.
    pub fn count(&self, item: &str, now: Duration, window: Duration) -> usize {
        self.0.get(item).map_or(0, |times| times.iter().filter(|t| now.saturating_sub(**t) < window).count())
    }

    fn forget(&mut self, now: Duration, window: Duration) {
        self.0.retain(|_, times| {
            while times.front().is_some_and(|t| now.saturating_sub(*t) >= window) {
                times.pop_front();
            }
            !times.is_empty()
        });
    }
}

impl Engine {
    /// Whether additions to the item pause.
    pub(super) fn paused(&self, item: &str) -> bool {
        self.repairs.count(item, self.mono(), self.timing.repair_window) >= self.timing.repairs
    }

    /// Reports what was noticed. `planned` are the items of the round's steps, `left` those of the steps that are still
    /// to be done. A broken round (`end` is false) reports only what it did put right.
    pub(super) fn report_drift(&mut self, planned: &BTreeSet<String>, left: &BTreeSet<String>, end: bool) {
        let mut items = Vec::new();
        let mut kept = BTreeMap::new();
        for (item, noticed) in std::mem::take(&mut self.noticed) {
            let action = if left.contains(&item) {
                if !end {
                    kept.insert(item, noticed);
                    continue;
                }
                if noticed.adds && self.paused(&item) { DriftAction::Paused } else { DriftAction::Failed }
            } else if planned.contains(&item) {
                if noticed.adds {
                    self.repaired(&item);
                }
                DriftAction::Repaired
            } else if end {
                DriftAction::Respected
            } else {
                kept.insert(item, noticed);
                continue;
            };
            let by = self.who.get(&noticed.document).cloned();
            tracing::warn!(item, found = noticed.found, ?by, ?action, "the Space was changed by hand");
            items.push(Drift { item, found: noticed.found, by, action });
        }
        self.noticed = kept;
        if end {
            self.who.clear();
        }
        for chunk in items.chunks(DRIFTS) {
            self.event(ReportKind::Drift { items: chunk.to_vec() });
        }
    }

    fn repaired(&mut self, item: &str) {
        let count = self.repairs.add(item, self.mono(), self.timing.repair_window);
        if count >= self.timing.repairs {
            let minutes = self.timing.repair_window.as_secs() / 60;
            let message = format!("{item} was put right {count} times within {minutes} minutes: additions to it pause");
            self.alarm("item_paused", message);
        }
    }
}
