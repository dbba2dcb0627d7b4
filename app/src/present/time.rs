//! Times, durations and ages. Times are milliseconds since 1970 UTC; a zone is its offset from UTC in minutes.

use chrono::{DateTime, Datelike, Timelike};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const DASH: &str = "\u{2014}";

/// The zone in which times are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name for people: `UTC`, `UTC+1`.
    pub name: String,
    /// Minutes east of UTC.
    pub offset_minutes: i32,
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".into(), offset_minutes: 0 }
    }
}

impl Zone {
    /// The zone so many minutes east of UTC.
    #[must_use]
    pub fn east(offset_minutes: i32) -> Self {
        let (sign, minutes) = if offset_minutes < 0 { ('\u{2212}', -offset_minutes) } else { ('+', offset_minutes) };
        let name = match (minutes / 60, minutes % 60) {
            (0, 0) => "UTC".into(),
            (hours, 0) => format!("UTC{sign}{hours}"),
            (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
        };
        Self { name, offset_minutes }
    }

    fn at(&self, ms: i64) -> Option<DateTime<chrono::Utc>> {
        DateTime::from_timestamp_millis(ms.checked_add(i64::from(self.offset_minutes) * MINUTE)?)
    }

    /// `09:43:12`.
    #[must_use]
    pub fn clock(&self, ms: i64) -> String {
        let Some(t) = self.at(ms) else { return DASH.into() };
        format!("{:02}:{:02}:{:02}", t.hour(), t.minute(), t.second())
    }

    /// `09:43` today, `21 Nov 09:43` on another day of this year, `21 Nov 2025 09:43` before.
    #[must_use]
    pub fn near(&self, ms: i64, now: i64) -> String {
        let (Some(t), Some(today)) = (self.at(ms), self.at(now)) else { return DASH.into() };
        let clock = format!("{:02}:{:02}", t.hour(), t.minute());
        if t.date_naive() == today.date_naive() {
            clock
        } else if t.year() == today.year() {
            format!("{} {} {clock}", t.day(), month(t.month()))
        } else {
            format!("{} {} {} {clock}", t.day(), month(t.month()), t.year())
        }
    }

    /// `09:43:12` today, with its day before it on another one.
    #[must_use]
    pub fn exact(&self, ms: i64, now: i64) -> String {
        let (Some(t), Some(today)) = (self.at(ms), self.at(now)) else { return DASH.into() };
        let clock = self.clock(ms);
        if t.date_naive() == today.date_naive() {
            clock
        } else {
            format!("{} {} {} {clock}", t.day(), month(t.month()), t.year())
        }
    }

    /// `2026-11-22 09:43:12.345 UTC+1`.
    #[must_use]
    pub fn full(&self, ms: i64) -> String {
        let Some(t) = self.at(ms) else { return DASH.into() };
        let milliseconds = ms.rem_euclid(SECOND);
        format!("{} {}.{milliseconds:03} {}", t.date_naive(), self.clock(ms), self.name)
    }
}

/// The machine-readable form for `<time datetime>`, in UTC.
#[must_use]
pub fn iso(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .unwrap_or_default()
}

fn month(number: u32) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES.get(number.saturating_sub(1) as usize).copied().unwrap_or_default()
}

/// How long ago: `now`, `12 s ago`, `4 min ago`, `2 h ago`, `3 d ago`; `in 5 s` for what is to come.
#[must_use]
pub fn ago(ms: i64, now: i64) -> String {
    let age = now.saturating_sub(ms);
    if age <= -SECOND {
        format!("in {}", coarse(-age))
    } else if age < SECOND {
        "now".into()
    } else {
        format!("{} ago", coarse(age))
    }
}

/// One unit: `48 s`, `4 min`, `2 h`, `3 d`.
#[must_use]
pub fn coarse(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < MINUTE {
        format!("{} s", ms / SECOND)
    } else if ms < HOUR {
        format!("{} min", ms / MINUTE)
    } else if ms < 2 * DAY {
        format!("{} h", ms / HOUR)
    } else {
        format!("{} d", ms / DAY)
    }
}

/// How long a session is open: `23 min`, `1 h 41 min`, `3 d 4 h`.
#[must_use]
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < MINUTE {
        format!("{} s", ms / SECOND)
    } else if ms < HOUR {
        format!("{} min", ms / MINUTE)
    } else if ms < DAY {
        format!("{} h {} min", ms / HOUR, ms % HOUR / MINUTE)
    } else {
        format!("{} d {} h", ms / DAY, ms % DAY / HOUR)
    }
}

/// How long work took: `18 ms`, `2.0 s`, `1 min 5 s`.
#[must_use]
pub fn took(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// An interval of the schedule as its largest whole unit: `(1, "minutes")`.
#[must_use]
pub fn interval(seconds: u32) -> (u32, &'static str) {
    if seconds >= 3600 && seconds.is_multiple_of(3600) {
        (seconds / 3600, "hours")
    } else if seconds >= 60 && seconds.is_multiple_of(60) {
        (seconds / 60, "minutes")
    } else {
        (seconds, "seconds")
    }
}

/// `each minute`, `each 24 hours`.
#[must_use]
pub fn each(seconds: u32) -> String {
    match interval(seconds) {
        (1, unit) => format!("each {}", unit.trim_end_matches('s')),
        (n, unit) => format!("each {n} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 08:43:12.345 UTC.
    const T: i64 = 1_795_336_992_345;

    #[test]
    fn times_are_in_the_zone_and_name_it() {
        let zone = Zone::east(60);
        assert_eq!(zone.name, "UTC+1");
        assert_eq!(zone.clock(T), "09:43:12");
        assert_eq!(zone.full(T), "2026-11-22 09:43:12.345 UTC+1");
        assert_eq!(Zone::east(-210).name, "UTC\u{2212}3:30");
        assert_eq!(Zone::default().clock(T), "08:43:12");
        assert_eq!(iso(T), "2026-11-22T08:43:12.345Z");
    }

    #[test]
    fn another_day_is_named() {
        let zone = Zone::default();
        assert_eq!(zone.near(T, T), "08:43");
        assert_eq!(zone.near(T - DAY, T), "21 Nov 08:43");
        assert_eq!(zone.near(T - 400 * DAY, T), "18 Oct 2025 08:43");
        assert_eq!(zone.exact(T - DAY, T), "21 Nov 2026 08:43:12");
        assert_eq!(zone.clock(i64::MAX), DASH);
        assert_eq!(zone.near(i64::MIN, T), DASH);
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(ago(T, T), "now");
        assert_eq!(ago(T - 12_400, T), "12 s ago");
        assert_eq!(ago(T - 4 * MINUTE, T), "4 min ago");
        assert_eq!(ago(T + 48_000, T), "in 48 s");
        assert_eq!(ago(T - 3 * DAY, T), "3 d ago");
        assert_eq!(duration(101 * MINUTE), "1 h 41 min");
        assert_eq!(duration(-5), "0 s");
        assert_eq!(took(2_034), "2.0 s");
        assert_eq!(took(65_000), "1 min 5 s");
    }

    #[test]
    fn an_interval_is_said_in_its_largest_unit() {
        assert_eq!(each(60), "each minute");
        assert_eq!(each(86_400), "each 24 hours");
        assert_eq!(each(90), "each 90 seconds");
        assert_eq!(interval(7200), (2, "hours"));
    }
}
