//! The small chart of the last hour, as paths of an SVG 6000 wide and 1200 high: fine enough to do without fractions.

use std::fmt::Write;

use userlock_core::api::Activity;

use super::number::{counted, grouped};

const WIDTH: u64 = 6000;
/// Where no logons at all are drawn.
const FLOOR: u64 = 900;
/// Where the most are.
const CEILING: u64 = 40;
/// Where the ticks stand.
const GROUND: u32 = 1180;

/// What is drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// The line of logons.
    pub line: String,
    /// What is below it.
    pub area: String,
    /// A tick for each minute with denials.
    pub denials: String,
    /// The number at the ceiling.
    pub top: u32,
    /// The same in words.
    pub summary: String,
}

/// Draws the points, the oldest first.
#[must_use]
pub fn chart(points: &[Activity]) -> Chart {
    let top = points.iter().map(|p| p.logons).max().unwrap_or(0).max(4);
    let steps = points.len().saturating_sub(1).max(1) as u64;
    let mut chart = Chart { top, ..Chart::default() };
    for (index, point) in (0..).zip(points) {
        let x = WIDTH * index / steps;
        let y = FLOOR - (FLOOR - CEILING) * u64::from(point.logons) / u64::from(top);
        // Writing to a string cannot fail.
        let _ = write!(chart.line, "{}{x} {y}", if index == 0 { "M" } else { "L" });
        if point.denied > 0 {
            let height = 60 + 30 * point.denied.min(6);
            let _ = write!(chart.denials, "M{x} {GROUND}V{}", GROUND - height);
        }
    }
    if !points.is_empty() {
        chart.area = format!("{}V{FLOOR}H0Z", chart.line);
    }
    let logons: u64 = points.iter().map(|p| u64::from(p.logons)).sum();
    let denied: u64 = points.iter().map(|p| u64::from(p.denied)).sum();
    let most = points.iter().map(|p| p.logons).max().unwrap_or(0);
    chart.summary = format!(
        "{} and {} in the last {}; at most {} logons in a minute",
        counted(logons, "logon", "logons"),
        counted(denied, "denial", "denials"),
        counted(points.len() as u64, "minute", "minutes"),
        grouped(most.into())
    );
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stays_inside_and_denials_are_ticks() {
        let drawn = chart(&[
            Activity { logons: 0, denied: 0 },
            Activity { logons: 10, denied: 2 },
            Activity { logons: 5, denied: 0 },
        ]);
        assert_eq!(drawn.line, "M0 900L3000 40L6000 470");
        assert_eq!(drawn.denials, "M3000 1180V1060");
        assert_eq!(drawn.top, 10);
        assert_eq!(drawn.summary, "15 logons and 2 denials in the last 3 minutes; at most 10 logons in a minute");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(chart(&[]).line, "");
        assert_eq!(chart(&[]).area, "");
    }
}
