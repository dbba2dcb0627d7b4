//! How a section's values stand in its form, and how they read.

use serde_json::{Map, Value};

use super::{GroupSpec, MAX_INTERVAL, OFFLINE, OFFLINE_DAYS, Of, Spec, UNITS};
use crate::{
    present::time,
    sheet::{Field, Group, Kind},
};

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|items| items.iter().map(plain).collect()).unwrap_or_default()
}

fn options(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect()
}

fn word(options: &[(&str, &str)], value: &str) -> String {
    options.iter().find(|(known, _)| *known == value).map_or(value, |(_, word)| word).to_owned()
}

fn seconds(value: &Value) -> u32 {
    value.as_u64().and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or_default()
}

/// The groups of a form with the values of a section.
#[must_use]
pub fn groups(specs: &[GroupSpec], section: &Value) -> Vec<Group> {
    let group = |group: &GroupSpec| Group {
        heading: group.heading.to_owned(),
        note: group.note.to_owned(),
        fields: group.fields.iter().map(|field| field.shown(section)).collect(),
    };
    specs.iter().map(group).collect()
}

impl Spec {
    /// How a value of this field reads.
    #[must_use]
    pub fn text_of(&self, value: &Value) -> String {
        self.shown(&Value::Object(Map::from_iter([(self.name.to_owned(), value.clone())]))).text
    }

    /// The field with its value.
    fn shown(&self, section: &Value) -> Field {
        let value = section.get(self.name).unwrap_or(&Value::Null);
        let is_set = value.get("set").and_then(Value::as_bool).map(|set| if set { "set" } else { "not set" });
        let mut shown = Field {
            name: self.name.to_owned(),
            label: self.label.to_owned(),
            help: self.help.to_owned(),
            note: self.note.to_owned(),
            value: plain(value),
            text: plain(value),
            ..Field::default()
        };
        match self.of {
            Of::Text(max) => shown.max = max,
            Of::Lines(max) => (shown.kind, shown.max) = (Kind::Lines, max),
            Of::Number(min, max) => {
                (shown.kind, shown.min, shown.max) = (Kind::Number, min, max);
                if !self.unit.is_empty() {
                    shown.text = format!("{} {}", shown.text, self.unit);
                }
            }
            Of::Check(meaning) => {
                shown.kind = Kind::Check;
                shown.options = vec![("true".to_owned(), meaning.to_owned())];
                shown.text = if value.as_bool() == Some(true) { meaning } else { "no" }.to_owned();
            }
            Of::Choice(known) => {
                shown.kind = Kind::Choice;
                shown.options = options(known);
                shown.text = word(known, &shown.value);
            }
            Of::List(max) => {
                (shown.kind, shown.max) = (Kind::Lines, max);
                shown.value = texts(value).join("\n");
                shown.text = texts(value).join(", ");
            }
            Of::Sets(max) => {
                (shown.kind, shown.max) = (Kind::Lines, max);
                let sets =
                    value.as_array().map(|sets| sets.iter().map(|set| texts(set).join(", ")).collect::<Vec<_>>());
                let sets = sets.unwrap_or_default();
                (shown.value, shown.text) = (sets.join("\n"), sets.join("; "));
            }
            Of::Secret => {
                shown.kind = Kind::Secret;
                (shown.value, shown.max) = (String::new(), 1024);
                shown.text = is_set.unwrap_or("not set").to_owned();
            }
            Of::OfflinePolicy => {
                shown.kind = Kind::Choice;
                shown.options = options(OFFLINE);
                let days = value.get("allow_seen").and_then(Value::as_u64);
                shown.value = if days.is_some() { "allow_seen".to_owned() } else { plain(value) };
                shown.text = word(OFFLINE, &shown.value);
                if let Some(days) = days {
                    shown.text.push_str(&format!(" in the last {days} days"));
                }
            }
            Of::OfflineDays => {
                (shown.kind, shown.min, shown.max) = (Kind::Number, 1, 365);
                let policy = section.get("offline_policy");
                let days = policy.and_then(|p| p.get("allow_seen")).and_then(Value::as_u64);
                shown.value = days.unwrap_or(OFFLINE_DAYS).to_string();
            }
            Of::Interval => {
                (shown.kind, shown.min, shown.max) = (Kind::Number, 1, MAX_INTERVAL);
                let every = seconds(value);
                (shown.value, shown.text) = (time::interval(every).0.to_string(), time::each(every));
            }
            Of::IntervalUnit(of) => {
                shown.kind = Kind::Choice;
                shown.options = UNITS.iter().map(|(unit, _)| ((*unit).to_owned(), (*unit).to_owned())).collect();
                shown.value = time::interval(seconds(section.get(of).unwrap_or(&Value::Null))).1.to_owned();
            }
            Of::Fact => {
                shown.kind = Kind::Fact;
                shown.text = is_set.map_or(shown.text, str::to_owned);
            }
        }
        match self.of {
            // As text they are part of the field that they belong to.
            Of::OfflineDays | Of::IntervalUnit(_) => shown.text = String::new(),
            _ if shown.text.is_empty() => shown.text = "none".to_owned(),
            _ => {}
        }
        shown
    }
}
