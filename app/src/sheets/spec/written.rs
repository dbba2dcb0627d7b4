//! What a form gives, as the section that is written.

use serde_json::{Map, Value, json};

use super::{Given, GroupSpec, MAX_INTERVAL, Of, Spec, UNITS};
use crate::api::Refused;

/// The section as a form would have it: what the form does not have stays.
///
/// # Errors
/// [`Refused`] names the field.
pub fn written(specs: &[GroupSpec], given: &Given, section: &Value) -> Result<Map<String, Value>, Refused> {
    let mut fields = section.as_object().cloned().unwrap_or_default();
    for spec in specs.iter().flat_map(|group| group.fields) {
        match spec.value(given, section)? {
            Some(value) => _ = fields.insert(spec.name.to_owned(), value),
            None if matches!(spec.of, Of::Secret) => _ = fields.remove(spec.name),
            None => {}
        }
    }
    Ok(fields)
}

fn typed<'a>(given: &'a Given, name: &str) -> &'a str {
    given.get(name).map(String::as_str).unwrap_or_default()
}

fn listed(lines: &str) -> Vec<String> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

impl Spec {
    fn refused(&self, must: &str) -> Refused {
        Refused::field(self.name, &format!("{}: {must}", self.label))
    }

    /// The value as the section has it.
    fn value(&self, given: &Given, section: &Value) -> Result<Option<Value>, Refused> {
        let text = typed(given, self.name);
        // Browsers send a text's line breaks as CR and LF.
        let lines = text.replace("\r\n", "\n");
        Ok(Some(match self.of {
            Of::Text(_) => Value::from(text.trim()),
            Of::Lines(_) => Value::from(lines.trim()),
            Of::Number(min, max) => {
                let number = text.trim().parse::<u32>().ok().filter(|n| (min..=max).contains(n));
                number.ok_or_else(|| self.refused(&format!("must be a number from {min} to {max}.")))?.into()
            }
            Of::Check(_) => Value::from(!text.is_empty()),
            Of::Choice(known) => {
                if !known.iter().any(|(value, _)| *value == text) {
                    return Err(self.refused("choose one of the list."));
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
                    let days = typed(given, "offline_days").trim().parse::<u32>().ok();
                    let days = days.filter(|days| (1..=365).contains(days));
                    let must = "Seen in the last days: must be from 1 to 365.";
                    json!({ "allow_seen": days.ok_or_else(|| Refused::field("offline_days", must))? })
                }
                "allow" | "deny" => Value::from(text),
                _ => return Err(Refused::field(self.name, "Choose what agents answer.")),
            },
            Of::Interval => {
                let unit = UNITS.iter().find(|(unit, _)| *unit == typed(given, "unit"));
                let (_, unit) =
                    unit.ok_or_else(|| Refused::field("unit", "Unit: choose seconds, minutes or hours."))?;
                let count = text.trim().parse::<u32>().ok();
                let seconds = count.and_then(|n| n.checked_mul(*unit)).filter(|s| (1..=MAX_INTERVAL).contains(s));
                seconds.ok_or_else(|| self.refused("must be from 1 second to 24 hours."))?.into()
            }
            Of::OfflineDays | Of::IntervalUnit(_) => return Ok(None),
            Of::Fact => return Ok(section.get(self.name).cloned()),
        }))
    }
}
