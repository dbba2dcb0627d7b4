//! What a change of settings was, for people: fields by the names that the pages give them, values as they are shown there.

mod entries;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use userlock_core::api::OwnRevision;

use super::{
    cell, columns, notifications,
    sections::{self, title_of},
    spec::Spec,
};
use crate::{
    ports::Changed,
    sheet::{Row, Table},
};

/// What stands where there was nothing.
const NOTHING: &str = "\u{2014}";
/// The longest value that is shown, in characters.
const MAX_SHOWN: usize = 500;

/// An event of the product: its id, its name and what it means.
type Event = (u32, &'static str, &'static str);

/// A field or an entry that differs: what it is called, what it was and what it became.
struct Line {
    name: String,
    from: String,
    to: String,
}

/// A table for each section in which something differs. `first`: there is nothing to compare with.
pub fn tables(changes: Vec<Changed>, events: &[Event], first: bool) -> Vec<Table> {
    let mut sections: BTreeMap<String, Vec<Changed>> = BTreeMap::new();
    for mut change in changes.into_iter().filter(|change| !change.path.is_empty()) {
        let section = change.path.remove(0);
        sections.entry(section).or_default().push(change);
    }
    let table = |(section, changes): (String, Vec<Changed>)| {
        let lines = match section.as_str() {
            "security" | "protected_accounts" => entries::lines(&section, changes),
            _ => fields(&section, changes, events, first),
        };
        table(title_of(&section), lines)
    };
    sections.into_iter().map(table).collect()
}

fn table(heading: &str, lines: Vec<Line>) -> Table {
    let row = |line: Line| Row { cells: vec![cell(line.name), cell(line.from), cell(line.to)], ..Row::default() };
    Table {
        heading: heading.to_owned(),
        columns: columns(&["Setting", "Was", "Became"]),
        rows: lines.into_iter().map(row).collect(),
        ..Table::default()
    }
}

/// One change of a server's own settings.
pub fn own_table(change: &OwnRevision) -> Table {
    let value = |document: &Value, field: &str| document.get(&change.section)?.get(field).cloned();
    let line = |field: &String| {
        let (from, to) = (value(&change.before, field), value(&change.after, field));
        line_of(&change.section, field, from, to)
    };
    table(title_of(&change.section), change.changed.iter().map(line).collect())
}

/// What a field of a section is called.
pub fn label_of<'a>(section: &str, field: &'a str) -> &'a str {
    spec_of(section, field).map_or(field, |spec| spec.label)
}

fn spec_of(section: &str, field: &str) -> Option<&'static Spec> {
    // The page has the key where the settings have its hash.
    let field = if field == "zone_key_hash" { "enrolment_key" } else { field };
    sections::section(section)?.groups.iter().flat_map(|group| group.fields).find(|spec| spec.name == field)
}

/// The fields of a section that is one form.
fn fields(section: &str, changes: Vec<Changed>, events: &[Event], first: bool) -> Vec<Line> {
    let mut fields: BTreeMap<String, (Option<Value>, Option<Value>)> = BTreeMap::new();
    for Changed { path, from, to } in changes {
        let Some((field, rest)) = path.split_first() else { continue };
        // A value with a name before it is one value: `{"allow_seen": 7}`.
        let whole = |value: Value| rest.iter().rev().fold(value, |value, name| json!({ name: value }));
        let known = fields.entry(field.clone()).or_default();
        known.0 = from.map(whole).or(known.0.take());
        known.1 = to.map(whole).or(known.1.take());
    }
    let line = |(field, (from, to)): (String, (Option<Value>, Option<Value>))| {
        if (section, field.as_str()) == ("notifications", "events") {
            let names = |value: Option<Value>| value.map_or_else(|| "none".to_owned(), |ids| event_names(&ids, events));
            return Line { name: "Events".to_owned(), from: names(from), to: names(to) };
        }
        let mut line = line_of(section, &field, from, to);
        if first {
            line.from = NOTHING.to_owned();
        }
        line
    };
    fields.into_iter().map(line).collect()
}

fn line_of(section: &str, field: &str, from: Option<Value>, to: Option<Value>) -> Line {
    let secret = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text == "(secret)",
        Some(Value::Object(fields)) => fields.contains_key("set"),
        _ => false,
    };
    let spec = spec_of(section, field);
    let name = spec.map_or(field, |spec| spec.label).to_owned();
    if secret(&from) || secret(&to) {
        let (from, to) = secret_words(from.as_ref(), to.as_ref());
        return Line { name, from, to };
    }
    let words = |value: Option<Value>| match spec {
        Some(spec) => short(spec.text_of(&value.unwrap_or_default())),
        None => value.as_ref().map_or_else(|| NOTHING.to_owned(), plain),
    };
    Line { name, from: words(from), to: words(to) }
}

/// A secret is never told: whether there was one, whether there is one, and whether it is another.
fn secret_words(from: Option<&Value>, to: Option<&Value>) -> (String, String) {
    let set = |value: Option<&Value>| match value {
        Some(Value::Object(fields)) => fields.get("set").and_then(Value::as_bool).unwrap_or_default(),
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    };
    let (from, to) = match (set(from), set(to)) {
        (true, true) => ("set", "changed"),
        (true, false) => ("set", "not set"),
        (false, true) => ("not set", "set"),
        (false, false) => ("not set", "not set"),
    };
    (from.to_owned(), to.to_owned())
}

fn event_names(ids: &Value, events: &[Event]) -> String {
    let name = |id: &Value| {
        let known = events.iter().find(|(known, ..)| id.as_u64() == Some(u64::from(*known)));
        known.map_or_else(|| id.to_string(), notifications::name_of)
    };
    let names: Vec<_> = ids.as_array().into_iter().flatten().map(name).collect();
    if names.is_empty() { "none".to_owned() } else { short(names.join(", ")) }
}

/// A value of which nothing is known but itself.
fn plain(value: &Value) -> String {
    short(match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    })
}

fn short(text: String) -> String {
    if text.chars().count() <= MAX_SHOWN { text } else { text.chars().take(MAX_SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 1] = [(1203, "SYNC_TIMEOUT", "No answer.")];

    /// A change as `path/with/steps`, what it was and what it is; `null` is not there.
    fn changed(changes: Value) -> Vec<Changed> {
        let there = |value: &Value| (!value.is_null()).then(|| value.clone());
        let change = |change: &Value| Changed {
            path: change[0].as_str().unwrap().split('/').map(str::to_owned).collect(),
            from: there(&change[1]),
            to: there(&change[2]),
        };
        changes.as_array().unwrap().iter().map(change).collect()
    }

    fn told(changes: Value) -> Vec<String> {
        let row = |table: &Table, row: &Row| {
            let cells: Vec<_> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
            format!("{} | {}", table.heading, cells.join(" | "))
        };
        let tables = tables(changed(changes), &EVENTS, false);
        tables.iter().flat_map(|table| table.rows.iter().map(|r| row(table, r)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn fields_are_called_and_values_are_shown_as_on_their_pages() {
        let lines = told(json!([
            ["agents/heartbeat_seconds", 20, 11],
            ["agents/contact_order", "primary_first", "backup_first"],
            ["agents/zone_key_hash", "(secret)", "(secret)"],
            ["general/offline_policy", "allow", null],
            ["general/offline_policy/allow_seen", null, 7],
            ["general/log_off_disallowed", false, true],
            ["general/realms", null, [["CORP", "corp.example"], ["B", "b.example"]]],
            ["general/new_field", "x", true],
            ["notifications/events", null, [1203, 9]],
            ["notifications/recipients", ["a@example.com"], ["a@example.com", "b@example.com"]],
        ]));
        let expected = [
            "Agents | Contact order | the Primary; the Backup when it fails | the Backup; the Primary when it fails",
            "Agents | Heartbeat | 20 s | 11 s",
            "Agents | Enrolment key | set | changed",
            "General | Sessions that become disallowed | no | are logged off when a rule changes",
            "General | new_field | x | yes",
            "General | Offline policy of agents | allow everybody | allow users seen on the machine in the last 7 days",
            "General | Realms that are one | none | CORP, corp.example; B, b.example",
            "Notifications | Events | none | 1203 sync timeout, 9",
            "Notifications | Recipients | a@example.com | a@example.com, b@example.com",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn entries_of_lists_are_added_removed_or_changed_by_their_names() {
        let lines = told(json!([
            ["protected_accounts/user a.b/id", null, "1"],
            ["protected_accounts/user a.b/subject/kind", null, "user"],
            ["protected_accounts/user a.b/limits/total", null, 2],
            ["protected_accounts/user a.b/limits/vpn", null, 0],
            ["protected_accounts/group staff/id", "2", null],
            ["protected_accounts/group staff/limits/web", 3, null],
            ["protected_accounts/everybody/limits/wifi", null, 1],
            ["protected_accounts/everybody/limits/total", 5, 4],
            ["security/accounts/ann/name", null, "ann"],
            ["security/accounts/ann/password_hash", null, "(secret)"],
            ["security/accounts/ann/roles", null, ["operator", "desk"]],
            ["security/accounts/ann/disabled", null, false],
            ["security/accounts/bob/password_hash", "(secret)", "(secret)"],
            ["security/accounts/bob/disabled", false, true],
            ["security/roles/desk/rights/sessions", "read", "write"],
            ["security/tokens/t/name", "t", null],
            ["security/tokens/t/role", "operator", null],
            ["security/session_minutes", 30, 60],
        ]));
        let expected = [
            "Protected accounts | Everybody: Wi-Fi | not configured | 1",
            "Protected accounts | Everybody: In total | 5 | 4",
            "Protected accounts | Group staff | Web: 3 | removed",
            "Protected accounts | User a.b | \u{2014} | added. In total: 2; VPN: none at all",
            "Security | Session length | 30 minutes | 60 minutes",
            "Security | Account ann | \u{2014} | added. Roles: operator, desk",
            "Security | Account bob: Password | set | changed",
            "Security | Account bob: Disabled | no | yes",
            "Security | Role desk: Sessions | read | read and write",
            "Security | API token t | Role: operator | removed",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_servers_own_change_reads_as_its_page() {
        let change = OwnRevision {
            revision: 2,
            at: 0,
            by: "admin".into(),
            section: "synchronization".into(),
            reason: None,
            changed: vec!["interval_seconds".into(), "enabled".into()],
            before: json!({ "synchronization": { "interval_seconds": 60, "enabled": true } }),
            after: json!({ "synchronization": { "interval_seconds": 7200, "enabled": false } }),
        };
        let rows = own_table(&change).rows;
        let cells = |row: &Row| row.cells.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>().join(" | ");
        let lines: Vec<_> = rows.iter().map(cells).collect();
        assert_eq!(lines, ["Interval | each minute | each 2 hours", "Scheduled synchronization | enabled | no"]);
        let email = OwnRevision {
            section: "email".into(),
            changed: vec!["password".into()],
            before: json!({ "email": { "password": { "set": true } } }),
            after: json!({ "email": { "password": { "set": true } } }),
            ..change
        };
        assert_eq!(cells(&own_table(&email).rows[0]), "Password | set | changed");
    }
}
