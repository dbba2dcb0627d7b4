//! Numbers: grouped by thin spaces, with their nouns.

/// A thin space that does not break.
const THIN: char = '\u{202f}';

/// `1284` → `1 284`, with thin spaces.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * THIN.len_utf8());
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(digit);
    }
    out
}

/// `1 session`, `1 284 sessions`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A measure with one decimal below ten and none above: `1.8`, `42`.
#[must_use]
pub fn measure(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "\u{2014}".into();
    }
    // Whole numbers are written with far less code than fractions are. A cast saturates.
    let tenths = (value * 10.0).round() as u64;
    match tenths {
        0 => "0".into(),
        1..100 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => grouped(value.round() as u64),
    }
}

/// How much space something takes, from bytes: `512 bytes`, `4.2 kB`, `1.8 MB`, `42 GB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    // What would be rounded to 1 000 of a unit is 1 of the next.
    let unit = UNITS.into_iter().find(|(unit, _)| bytes >= unit - unit / 2_000);
    match unit {
        Some((unit, name)) => format!("{} {name}", measure(bytes as f64 / unit as f64)),
        None => counted(bytes, "byte", "bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1\u{202f}000");
        assert_eq!(grouped(1_902_145), "1\u{202f}902\u{202f}145");
        assert_eq!(counted(1, "session", "sessions"), "1 session");
        assert_eq!(counted(0, "session", "sessions"), "0 sessions");
    }

    #[test]
    fn a_measure_has_the_digits_that_matter() {
        assert_eq!(measure(0.0), "0");
        assert_eq!(measure(1.84), "1.8");
        assert_eq!(measure(9.96), "10");
        assert_eq!(measure(f64::NAN), "\u{2014}");
    }

    #[test]
    fn a_size_is_told_in_the_unit_that_fits() {
        for (number, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (999_499, "999 kB"),
            (999_999, "1.0 MB"),
            (1_840_000, "1.8 MB"),
            (42_300_000, "42 MB"),
            (4_200_000_000, "4.2 GB"),
            (4_200_000_000_000, "4\u{202f}200 GB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
    }
}
