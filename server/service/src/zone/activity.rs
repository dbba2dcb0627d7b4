//! Logons and refusals, minute by minute, and how long decisions take.

use std::collections::VecDeque;

use userlock_core::api::Activity;

/// How many minutes are kept.
const MINUTES: usize = 60;
/// How many decisions the median is over.
const SAMPLES: usize = 512;

/// The last hour.
#[derive(Debug, Default)]
pub struct ActivityLog {
    minutes: VecDeque<(i64, Activity)>,
    samples: VecDeque<u32>,
}

impl ActivityLog {
    /// Counts logons and refusals at `now` (ms since 1970 UTC).
    pub fn count(&mut self, logons: u32, denied: u32, now: i64) {
        let minute = now.div_euclid(60_000);
        if self.minutes.back().is_none_or(|(last, _)| *last < minute) {
            self.minutes.push_back((minute, Activity::default()));
            while self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
        }
        if let Some((_, activity)) = self.minutes.back_mut() {
            activity.logons = activity.logons.saturating_add(logons);
            activity.denied = activity.denied.saturating_add(denied);
        }
    }

    /// Notes how long a decision took, in microseconds.
    pub fn decided_in(&mut self, micros: u32) {
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(micros);
    }

    /// The median of the last decisions, in ms.
    #[must_use]
    pub fn median_ms(&self) -> Option<f64> {
        let mut sorted: Vec<u32> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map(|micros| f64::from(*micros) / 1000.0)
    }

    /// One figure a minute, the oldest first, the last for the minute of `now`.
    #[must_use]
    pub fn hour(&self, now: i64) -> Vec<Activity> {
        let last = now.div_euclid(60_000);
        let of_minute = |minute: i64| self.minutes.iter().find(|(m, _)| *m == minute).map(|(_, a)| *a);
        (0..MINUTES as i64).rev().map(|back| of_minute(last - back).unwrap_or_default()).collect()
    }
}
