//! Which events somebody is told of: a box for each.

use serde_json::{Value, json};

use super::spec::Given;
use crate::sheet::{Field, Group, Kind};

/// What the name of a box begins with; the event's id follows.
const BOX: &str = "event-";

/// The groups with a box for each event (id, name, meaning); those of the section are ticked.
pub fn with_events(mut groups: Vec<Group>, events: &[(u32, &str, &str)], section: &Value) -> Vec<Group> {
    let chosen: Vec<u64> = section
        .get("events")
        .and_then(Value::as_array)
        .map(|ids| ids.iter().filter_map(Value::as_u64).collect())
        .unwrap_or_default();
    let field = |(id, name, meaning): &(u32, &str, &str)| {
        let on = chosen.contains(&u64::from(*id));
        Field {
            name: format!("{BOX}{id}"),
            label: format!("{id} {}", name.to_lowercase().replace('_', " ")),
            kind: Kind::Check,
            value: on.to_string(),
            text: if on { "told" } else { "not told" }.to_owned(),
            options: vec![("true".to_owned(), (*meaning).to_owned())],
            ..Field::default()
        }
    };
    groups.push(Group {
        heading: "Events".to_owned(),
        note: "Warnings and errors of the application log.".to_owned(),
        fields: events.iter().map(field).collect(),
    });
    groups
}

/// The ids of the boxes that are ticked.
pub fn chosen(given: &Given) -> Value {
    json!(given.keys().filter_map(|name| name.strip_prefix(BOX)?.parse::<u32>().ok()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_a_box_and_those_that_are_ticked_are_taken() {
        let events = [(1203, "SYNC_TIMEOUT", "No answer."), (1206, "SYNC_NOT_ADMINISTRATOR", "No right.")];
        let groups = with_events(Vec::new(), &events, &json!({ "events": [1206] }));
        let shown: Vec<_> = groups[0].fields.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
        assert_eq!(shown, [("event-1203", "false"), ("event-1206", "true")]);
        let given = Given::from([("event-1203".into(), "true".into()), ("recipients".into(), String::new())]);
        assert_eq!(chosen(&given), json!([1203]));
    }
}
