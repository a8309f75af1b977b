//! Counters and histograms. Names and labels are compile-time texts: no label ever comes from input (rules C12).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Upper bounds of the histogram buckets, in milliseconds.
const BUCKETS_MS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

type Labels = Vec<(&'static str, &'static str)>;

/// The registry; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    counters: BTreeMap<(&'static str, Labels), u64>,
    gauges: BTreeMap<(&'static str, Labels), i64>,
    histograms: BTreeMap<(&'static str, Labels), Histogram>,
}

#[derive(Clone, Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum_ms: f64,
}

impl Metrics {
    fn with<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one to a counter.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)]) {
        self.with(|r| *r.counters.entry((name, labels.to_vec())).or_default() += 1);
    }

    /// The value of a counter.
    #[must_use]
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> u64 {
        self.with(|r| r.counters.get(&(name, labels.to_vec())).copied().unwrap_or_default())
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: i64) {
        self.with(|r| r.gauges.insert((name, labels.to_vec()), value));
    }

    /// Records a duration in milliseconds.
    pub fn observe_ms(&self, name: &'static str, labels: &[(&'static str, &'static str)], ms: f64) {
        self.with(|r| {
            let histogram = r.histograms.entry((name, labels.to_vec())).or_default();
            histogram.count += 1;
            histogram.sum_ms += ms;
            for (slot, bound) in histogram.buckets.iter_mut().zip(BUCKETS_MS) {
                *slot += u64::from(ms <= bound);
            }
        });
    }

    /// The Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        self.with(|r| {
            let mut last = "";
            let mut header = |out: &mut String, name: &'static str, kind: &str| {
                if last != name {
                    let _ = writeln!(out, "# TYPE {name} {kind}");
                    last = name;
                }
            };
            for ((name, labels), value) in &r.counters {
                header(&mut out, name, "counter");
                let _ = writeln!(out, "{name}{} {value}", braces(labels, None));
            }
            for ((name, labels), value) in &r.gauges {
                header(&mut out, name, "gauge");
                let _ = writeln!(out, "{name}{} {value}", braces(labels, None));
            }
            for ((name, labels), h) in &r.histograms {
                header(&mut out, name, "histogram");
                for (slot, bound) in h.buckets.iter().zip(BUCKETS_MS) {
                    let _ = writeln!(out, "{name}_bucket{} {slot}", braces(labels, Some(&bound.to_string())));
                }
                let _ = writeln!(out, "{name}_bucket{} {}", braces(labels, Some("+Inf")), h.count);
                let _ = writeln!(out, "{name}_sum{} {}", braces(labels, None), h.sum_ms);
                let _ = writeln!(out, "{name}_count{} {}", braces(labels, None), h.count);
            }
        });
        out
    }
}

fn braces(labels: &Labels, le: Option<&str>) -> String {
    let parts: Vec<String> = labels.iter().copied().chain(le.map(|le| ("le", le))).map(|(k, v)| format!("{k}=\"{v}\"")).collect();
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn renders_the_prometheus_text_format() {
        let m = Metrics::default();
        m.count("odcm_tokens_total", &[("grant", "refresh_token")]);
        m.count("odcm_tokens_total", &[("grant", "refresh_token")]);
        m.gauge("odcm_agents", &[], 3);
        m.observe_ms("odcm_applied_ms", &[], 7.0);
        let text = m.render();
        for line in [
            "# TYPE odcm_tokens_total counter\nodcm_tokens_total{grant=\"refresh_token\"} 2\n",
            "# TYPE odcm_agents gauge\nodcm_agents 3\n",
            "odcm_applied_ms_bucket{le=\"5\"} 0\nodcm_applied_ms_bucket{le=\"10\"} 1\n",
            "odcm_applied_ms_bucket{le=\"+Inf\"} 1\nodcm_applied_ms_sum 7\nodcm_applied_ms_count 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
