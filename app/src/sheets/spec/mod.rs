//! What the fields of a section are called and how they are given. [`mod@shown`] makes a form of a section's values, and
//! [`mod@written`] the section that is written of a form.

mod shown;
mod written;

use std::collections::BTreeMap;

pub use shown::groups;
pub use written::written;

/// The fields of a form as they came.
pub type Given = BTreeMap<String, String>;

/// How a value is given.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// A text of at most so many characters.
    Text(u32),
    /// Several lines of at most so many characters.
    Lines(u32),
    /// A number from, to.
    Number(u32, u32),
    /// Yes or no, and what it means.
    Check(&'static str),
    /// One of these.
    Choice(&'static [(&'static str, &'static str)]),
    /// A list of texts, one a line.
    List(u32),
    /// Sets of texts: one set a line, with commas.
    Sets(u32),
    /// A secret.
    Secret,
    /// The offline policy, whose days are a field of their own.
    OfflinePolicy,
    /// The days of the offline policy; of that field.
    OfflineDays,
    /// A time between two runs, in seconds; its unit is a field of its own.
    Interval,
    /// The unit of the interval that is in the field of this name.
    IntervalUnit(&'static str),
    /// Not given here.
    Fact,
}

/// A field of a section.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name in the section.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// How to give it.
    pub help: &'static str,
    /// What is to be known of it, also where it is only read.
    pub note: &'static str,
    /// What a number counts.
    pub unit: &'static str,
    /// How it is given.
    pub of: Of,
}

/// Fields that belong together.
#[derive(Debug, Clone, Copy)]
pub struct GroupSpec {
    /// What they are about.
    pub heading: &'static str,
    /// More of that.
    pub note: &'static str,
    /// The fields.
    pub fields: &'static [Spec],
}

/// A field.
pub const fn field(name: &'static str, label: &'static str, help: &'static str, of: Of) -> Spec {
    Spec { name, label, help, note: "", unit: "", of }
}

const OFFLINE: &[(&str, &str)] =
    &[("allow", "allow everybody"), ("deny", "deny everybody"), ("allow_seen", "allow users seen on the machine")];
/// The days when nothing is configured.
const OFFLINE_DAYS: u64 = 30;
/// The units of an interval, with their seconds.
const UNITS: &[(&str, u32)] = &[("seconds", 1), ("minutes", 60), ("hours", 3600)];
/// The longest interval, in seconds.
const MAX_INTERVAL: u32 = 86_400;

impl Spec {
    /// Of one that is kept for a version that will act on it.
    #[must_use]
    pub const fn later(mut self) -> Self {
        self.note = "Kept and shown; nothing acts on it yet.";
        self
    }

    /// Of a number: what it counts.
    #[must_use]
    pub const fn of_unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sheet::{Group, Kind};

    const SPECS: &[GroupSpec] = &[GroupSpec {
        heading: "",
        note: "",
        fields: &[
            field("name", "Name", "", Of::Text(10)),
            field("n", "Number", "", Of::Number(1, 9)),
            field("on", "On", "", Of::Check("is on")),
            field("tls", "TLS", "", Of::Choice(&[("none", "none"), ("tls", "from the start")])),
            field("list", "List", "", Of::List(100)),
            field("realms", "Realms", "", Of::Sets(100)),
            field("password", "Password", "", Of::Secret),
            field("offline_policy", "Policy", "", Of::OfflinePolicy),
            field("offline_days", "Days", "", Of::OfflineDays),
            field("every", "Interval", "", Of::Interval),
            field("unit", "Unit", "", Of::IntervalUnit("every")),
        ],
    }];

    fn section() -> Value {
        json!({
            "name": "a", "n": 2, "on": true, "tls": "tls", "list": ["x", "y"], "realms": [["C", "c.example"]],
            "password": { "set": true }, "offline_policy": { "allow_seen": 7 }, "every": 7200, "other": 1,
        })
    }

    fn given(groups: &[Group]) -> Given {
        let fields = groups.iter().flat_map(|group| &group.fields);
        let kept = fields.filter(|f| f.kind != Kind::Check || f.value == "true");
        kept.map(|f| (f.name.clone(), f.value.clone())).collect()
    }

    #[test]
    fn a_form_that_is_sent_as_it_was_shown_changes_nothing() {
        let shown = groups(SPECS, &section());
        assert_eq!(Value::from(written(SPECS, &given(&shown), &section()).unwrap()), section());
        let text = |name: &str| shown[0].fields.iter().find(|f| f.name == name).unwrap().text.clone();
        assert_eq!(
            (text("tls"), text("on"), text("password")),
            ("from the start".into(), "is on".into(), "set".into())
        );
        assert_eq!(text("offline_policy"), "allow users seen on the machine in the last 7 days");
        assert_eq!(text("every"), "each 2 hours");
    }

    #[test]
    fn what_is_typed_is_taken_over_and_what_cannot_be_is_named() {
        let mut typed = given(&groups(SPECS, &section()));
        for (name, value) in [
            ("name", " b "),
            ("list", "p\r\n\r\n q "),
            ("realms", "a, b\r\nc,d"),
            ("password", "new"),
            ("offline_policy", "deny"),
        ] {
            typed.insert(name.into(), value.into());
        }
        typed.remove("on");
        let fields = Value::from(written(SPECS, &typed, &section()).unwrap());
        assert_eq!(fields["name"], "b");
        assert_eq!(fields["list"], json!(["p", "q"]));
        assert_eq!(fields["realms"], json!([["a", "b"], ["c", "d"]]));
        assert_eq!((&fields["password"], &fields["offline_policy"]), (&json!("new"), &json!("deny")));
        assert_eq!(fields["on"], json!(false));
        let wrong =
            [("n", "10"), ("n", "x"), ("tls", "no"), ("offline_policy", "?"), ("every", "25"), ("unit", "days")];
        for (name, value) in wrong {
            let mut wrong = typed.clone();
            wrong.insert(name.into(), value.into());
            assert_eq!(written(SPECS, &wrong, &section()).unwrap_err().0.field.as_deref(), Some(name));
        }
    }

    #[test]
    fn an_interval_has_a_unit_and_bounds() {
        let seconds = |interval: &str, unit: &str| {
            let mut typed = given(&groups(SPECS, &section()));
            typed.insert("every".into(), interval.into());
            typed.insert("unit".into(), unit.into());
            written(SPECS, &typed, &section()).ok().and_then(|fields| fields["every"].as_u64())
        };
        assert_eq!(seconds("1", "minutes"), Some(60));
        assert_eq!(seconds(" 24 ", "hours"), Some(86_400));
        for (interval, unit) in [("0", "seconds"), ("25", "hours"), ("4294967295", "hours"), ("", "minutes")] {
            assert_eq!(seconds(interval, unit), None, "{interval} {unit}");
        }
    }
}
