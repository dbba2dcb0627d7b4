//! Figures about what the server does, for Prometheus. Counting never waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds of the classes in which times of decisions are counted, in microseconds.
const BOUNDS: [u64; 14] =
    [250, 500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 25_000, 50_000, 100_000, 500_000, 2_000_000];

/// Figures since the start. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the first digit of the status: 1 to 5.
    requests: [AtomicU64; 6],
    allowed: AtomicU64,
    denied: AtomicU64,
    events: AtomicU64,
    /// The times of all decisions: one class a bound, and one above.
    times: [AtomicU64; BOUNDS.len() + 1],
    time_sum_us: AtomicU64,
}

/// Which class a time falls into.
fn class_of(time: Duration) -> usize {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    BOUNDS.partition_point(|bound| *bound < us)
}

fn add<const N: usize>(counters: &[AtomicU64; N], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Figures {
    /// A request was answered with this status.
    pub fn request(&self, status: u16) {
        add(&self.inner.requests, usize::from(status / 100));
    }

    /// A decision was made, and took so long with its commit.
    pub fn decision(&self, allow: bool, time: Duration) {
        let counter = if allow { &self.inner.allowed } else { &self.inner.denied };
        counter.fetch_add(1, Ordering::Relaxed);
        let class = class_of(time);
        add(&self.inner.times, class);
        self.inner.time_sum_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Agents' events were committed.
    pub fn events(&self, count: u64) {
        self.inner.events.fetch_add(count, Ordering::Relaxed);
    }

    /// In Prometheus' text format.
    pub fn write_prometheus(&self, out: &mut String) {
        use std::fmt::Write as _;
        let inner = &self.inner;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Writing to a String never fails.
        let mut line = |text: std::fmt::Arguments<'_>| _ = writeln!(out, "{text}");
        line(format_args!("# TYPE userlock_http_requests_total counter"));
        for (class, counter) in inner.requests.iter().enumerate().skip(1) {
            line(format_args!("userlock_http_requests_total{{status=\"{class}xx\"}} {}", load(counter)));
        }
        line(format_args!("# TYPE userlock_decisions_total counter"));
        line(format_args!("userlock_decisions_total{{answer=\"allow\"}} {}", load(&inner.allowed)));
        line(format_args!("userlock_decisions_total{{answer=\"deny\"}} {}", load(&inner.denied)));
        line(format_args!("# TYPE userlock_events_total counter\nuserlock_events_total {}", load(&inner.events)));
        line(format_args!("# TYPE userlock_decision_seconds histogram"));
        let mut sum = 0;
        for (bound, counter) in BOUNDS.iter().zip(&inner.times) {
            sum += load(counter);
            line(format_args!(
                "userlock_decision_seconds_bucket{{le=\"{}\"}} {sum}",
                Duration::from_micros(*bound).as_secs_f64()
            ));
        }
        sum += inner.times.last().map(load).unwrap_or(0);
        line(format_args!("userlock_decision_seconds_bucket{{le=\"+Inf\"}} {sum}"));
        let total = Duration::from_micros(load(&inner.time_sum_us)).as_secs_f64();
        line(format_args!("userlock_decision_seconds_sum {total}\nuserlock_decision_seconds_count {sum}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_their_classes() {
        let figures = Figures::default();
        for ms in [1, 4, 4, 4, 90] {
            figures.decision(true, Duration::from_millis(ms));
        }
        figures.decision(false, Duration::from_secs(9));
        figures.request(404);
        let mut text = String::new();
        figures.write_prometheus(&mut text);
        for line in [
            "userlock_decision_seconds_bucket{le=\"0.001\"} 1",
            "userlock_decision_seconds_bucket{le=\"0.005\"} 4",
            "userlock_decision_seconds_bucket{le=\"+Inf\"} 6",
            "userlock_decisions_total{answer=\"deny\"} 1",
            "userlock_http_requests_total{status=\"4xx\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
