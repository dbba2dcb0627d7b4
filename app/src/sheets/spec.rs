//! What the fields of a section are called and how they are given, and how a form becomes the section that is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    api::Refused,
    sheet::{Field, Group, Kind},
};

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

    fn is_secret(&self) -> bool {
        matches!(self.of, Of::Secret)
    }

    /// The field with its value.
    fn shown(&self, section: &Value) -> Field {
        let value = section.get(self.name).unwrap_or(&Value::Null);
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().map(|items| items.iter().map(plain).collect()).unwrap_or_default()
        };
        let is_set = value.get("set").and_then(Value::as_bool).map(|set| if set { "set" } else { "not set" });
        let options = |options: &[(&str, &str)]| -> Vec<(String, String)> {
            options.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect()
        };
        let word = |options: &[(&str, &str)], value: &str| {
            options.iter().find(|(known, _)| *known == value).map_or(value, |(_, word)| word).to_owned()
        };
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
                // As text it is part of the policy.
                shown.text = String::new();
            }
            Of::Fact => {
                shown.kind = Kind::Fact;
                shown.text = is_set.map_or(shown.text, str::to_owned);
            }
        }
        if shown.text.is_empty() && !matches!(self.of, Of::OfflineDays) {
            shown.text = "none".to_owned();
        }
        shown
    }

    /// The value as the section has it.
    fn value(&self, given: &Given, section: &Value) -> Result<Option<Value>, Refused> {
        let text = given.get(self.name).map(String::as_str).unwrap_or_default();
        let number = |name: &str, text: &str, min: u32, max: u32| {
            let number = text.trim().parse::<u32>().ok().filter(|n| (min..=max).contains(n));
            number
                .ok_or_else(|| Refused::field(name, &format!("{}: must be a number from {min} to {max}.", self.label)))
        };
        // Browsers send a text's line breaks as CR and LF.
        let lines = text.replace("\r\n", "\n");
        let listed = |lines: &str| -> Vec<String> {
            lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        Ok(Some(match self.of {
            Of::Text(_) => Value::from(text.trim()),
            Of::Lines(_) => Value::from(lines.trim()),
            Of::Number(min, max) => Value::from(number(self.name, text, min, max)?),
            Of::Check(_) => Value::from(!text.is_empty()),
            Of::Choice(known) => {
                let known = known.iter().any(|(value, _)| *value == text);
                if !known {
                    return Err(Refused::field(self.name, &format!("{}: choose one of the list.", self.label)));
                }
                Value::from(text)
            }
            Of::List(_) => json!(listed(&lines)),
            Of::Sets(_) => {
                let set = |line: String| line.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
                json!(listed(&lines).into_iter().map(set).collect::<Vec<_>>())
            }
            Of::Secret if text.is_empty() => return Ok(section.get(self.name).cloned()),
            Of::Secret => Value::from(text),
            Of::OfflinePolicy => match text {
                "allow_seen" => {
                    let days = given.get("offline_days").map(String::as_str).unwrap_or_default();
                    let days = number("offline_days", days, 1, 365).map_err(|mut refused| {
                        refused.0.detail = "Seen in the last days: must be from 1 to 365.".to_owned();
                        refused
                    })?;
                    json!({ "allow_seen": days })
                }
                "allow" | "deny" => Value::from(text),
                _ => return Err(Refused::field(self.name, "Choose what agents answer.")),
            },
            Of::OfflineDays => return Ok(None),
            Of::Fact => return Ok(section.get(self.name).cloned()),
        }))
    }
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

/// The section as a form would have it: what the form does not have stays.
///
/// # Errors
/// [`Refused`] names the field.
pub fn written(specs: &[GroupSpec], given: &Given, section: &Value) -> Result<Map<String, Value>, Refused> {
    let mut fields = section.as_object().cloned().unwrap_or_default();
    for spec in specs.iter().flat_map(|group| group.fields) {
        match spec.value(given, section)? {
            Some(value) => _ = fields.insert(spec.name.to_owned(), value),
            None if spec.is_secret() => _ = fields.remove(spec.name),
            None => {}
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ],
    }];

    fn section() -> Value {
        json!({
            "name": "a", "n": 2, "on": true, "tls": "tls", "list": ["x", "y"], "realms": [["C", "c.example"]],
            "password": { "set": true }, "offline_policy": { "allow_seen": 7 }, "other": 1,
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
        for (name, value) in [("n", "10"), ("n", "x"), ("tls", "no"), ("offline_policy", "?")] {
            let mut wrong = typed.clone();
            wrong.insert(name.into(), value.into());
            assert_eq!(written(SPECS, &wrong, &section()).unwrap_err().0.field.as_deref(), Some(name));
        }
    }
}
