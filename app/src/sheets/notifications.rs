//! Which events somebody is told of: a box for each, or where they cannot be changed those that are ticked.

use serde_json::{Value, json};

use super::{cell, columns, spec::Given};
use crate::{
    ports::SharedPorts,
    present::number::counted,
    sheet::{Field, Group, Kind, Row, Table},
};

/// What the name of a box begins with; the event's id follows.
const BOX: &str = "event-";

/// An event: its id, its name and what it means.
type Event = (u32, &'static str, &'static str);

/// What an event is called.
pub fn name_of((id, name, _): &Event) -> String {
    format!("{id} {}", name.to_lowercase().replace('_', " "))
}

/// The events that a page shows: those that somebody may want to be told of, and what the section has besides, which was
/// written by a program: a box that is not there would take it away unseen.
pub fn shown(ports: &SharedPorts, section: &Value) -> Vec<Event> {
    let mut events = ports.events();
    let chosen = section.get("events").and_then(Value::as_array).into_iter().flatten();
    for id in chosen.filter_map(|id| u32::try_from(id.as_u64()?).ok()) {
        if !events.iter().any(|(known, ..)| *known == id) {
            // One that this version does not know stays, too.
            events.push(ports.event(id).unwrap_or((id, "unknown", "An event that this version does not know.")));
        }
    }
    events.sort_by_key(|(id, ..)| *id);
    events
}

fn is_chosen(section: &Value, (id, ..): &Event) -> bool {
    let chosen = section.get("events").and_then(Value::as_array);
    chosen.is_some_and(|ids| ids.iter().any(|chosen| chosen.as_u64() == Some(u64::from(*id))))
}

/// What events are about: the ids from this one on, and the heading of their boxes.
const TOPICS: [(u32, &str); 6] = [
    (1000, "Events of this server, its settings and its certificate"),
    (1100, "Events of the two servers"),
    (1200, "Events of synchronization"),
    (1300, "Events of agents"),
    (1400, "Events of sign-ins and of who asks to join"),
    (1500, "Events of the disk and the Database"),
];

/// What an event is about, as a place among the topics.
fn topic((id, ..): &Event) -> usize {
    TOPICS.iter().rposition(|(from, _)| from <= id).unwrap_or_default()
}

/// A box for each event, by what the events are about; those of the section are ticked.
pub fn boxes(events: &[Event], section: &Value) -> Vec<Group> {
    let field = |event: &Event| Field {
        name: format!("{BOX}{}", event.0),
        label: name_of(event),
        kind: Kind::Check,
        value: is_chosen(section, event).to_string(),
        text: if is_chosen(section, event) { "told" } else { "not told" }.to_owned(),
        options: vec![("true".to_owned(), event.2.to_owned())],
        ..Field::default()
    };
    let group = |(at, (_, heading)): (usize, &(u32, &str))| {
        let fields: Vec<Field> = events.iter().filter(|event| topic(event) == at).map(field).collect();
        let ticked = fields.iter().filter(|field| field.value == "true").count();
        let note = format!("Told of {ticked} of {}.", counted(fields.len() as u64, "event", "events"));
        Group { heading: (*heading).to_owned(), note, fields }
    };
    TOPICS.iter().enumerate().map(group).filter(|group| !group.fields.is_empty()).collect()
}

/// The events of the section, and behind them the others, for who only reads it.
pub fn tables(events: &[Event], section: &Value) -> Vec<Table> {
    let (chosen, others): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|event| is_chosen(section, event));
    let row = |event: &&Event| Row { cells: vec![cell(name_of(event)), cell(event.2)], ..Row::default() };
    let told = Table {
        heading: format!("Told of {} of {}", chosen.len(), counted(events.len() as u64, "event", "events")),
        columns: columns(&["Event", "What it means"]),
        rows: chosen.iter().map(row).collect(),
        empty: "Nobody is told of any event.".into(),
        ..Table::default()
    };
    let rest = Table {
        heading: format!("Not told of {}", counted(others.len() as u64, "event", "events")),
        folded: true,
        columns: columns(&["Event", "What it means"]),
        rows: others.iter().map(row).collect(),
        empty: "All events are told of.".into(),
        ..Table::default()
    };
    vec![told, rest]
}

/// The ids of the boxes that are ticked.
pub fn chosen(given: &Given) -> Value {
    json!(given.keys().filter_map(|name| name.strip_prefix(BOX)?.parse::<u32>().ok()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 2] = [(1203, "SYNC_TIMEOUT", "No answer."), (1206, "SYNC_NOT_ADMINISTRATOR", "No right.")];

    #[test]
    fn each_event_has_a_box_and_those_that_are_ticked_are_taken() {
        let groups = boxes(&EVENTS, &json!({ "events": [1206] }));
        assert_eq!(groups.iter().map(|g| g.heading.as_str()).collect::<Vec<_>>(), ["Events of synchronization"]);
        assert_eq!(groups[0].note, "Told of 1 of 2 events.");
        let shown: Vec<_> = groups[0].fields.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
        assert_eq!(shown, [("event-1203", "false"), ("event-1206", "true")]);
        let given = Given::from([("event-1203".into(), "true".into()), ("recipients".into(), String::new())]);
        assert_eq!(chosen(&given), json!([1203]));
    }

    #[test]
    fn each_event_is_with_its_topic_and_none_is_left_out() {
        let event = |id| (id, "NAME", "Meaning.");
        let events = [999, 1000, 1013, 1105, 1299, 1500, 4000].map(event);
        let groups = boxes(&events, &json!({ "events": [] }));
        let shown: Vec<Vec<&str>> =
            groups.iter().map(|group| group.fields.iter().map(|field| field.name.as_str()).collect()).collect();
        let expected: [&[&str]; 4] = [
            &["event-999", "event-1000", "event-1013"],
            &["event-1105"],
            &["event-1299"],
            &["event-1500", "event-4000"],
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn who_only_reads_sees_what_is_ticked_and_the_rest_folded() {
        let tables = tables(&EVENTS, &json!({ "events": [1206] }));
        let shown = |table: &Table| (table.heading.clone(), table.folded, table.rows[0].cells[0].text.clone());
        assert_eq!(shown(&tables[0]), ("Told of 1 of 2 events".into(), false, "1206 sync not administrator".into()));
        assert_eq!(shown(&tables[1]), ("Not told of 1 event".into(), true, "1203 sync timeout".into()));
    }
}
