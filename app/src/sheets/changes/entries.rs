//! Changes of sections with lists: rules, accounts, roles and tokens, by their names.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};
use userlock_core::settings::role_title;

use super::{Line, NOTHING, line_of, plain, secret_words, short};
use crate::{
    ports::Changed,
    sheets::{rules, security},
};

/// What differs of one entry, by the path within it.
type Parts = Vec<(Vec<String>, Option<Value>, Option<Value>)>;

/// Sections with lists: an entry that came or went is one line, one that changed a line for each field.
pub fn lines(section: &str, changes: Vec<Changed>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut entries: BTreeMap<(String, String), Parts> = BTreeMap::new();
    for Changed { path, from, to } in changes {
        let mut steps = path.into_iter();
        let list = if section == "protected_accounts" { section.to_owned() } else { steps.next().unwrap_or_default() };
        match steps.next() {
            Some(name) => entries.entry((list, name)).or_default().push((steps.collect(), from, to)),
            None => lines.push(alone(section, &list, from, to)),
        }
    }
    for ((list, name), parts) in entries {
        let called = entry_name(&list, &name);
        let is_key = |path: &[String]| matches!(path, [key] if key == "id" || key == "name");
        let key = parts.iter().find(|(path, ..)| is_key(path)).map(|(_, from, to)| (from.is_some(), to.is_some()));
        let told = parts.iter().filter(|(path, ..)| !is_key(path) && path.first().is_none_or(|step| step != "subject"));
        match key {
            Some((false, true)) => {
                let what = told.filter_map(|(path, _, to)| part_and_value(&list, path, to.as_ref()?));
                lines.push(Line { name: called, from: NOTHING.to_owned(), to: with_word("added", what) });
            }
            Some((true, false)) => {
                let what = told.filter_map(|(path, from, _)| part_and_value(&list, path, from.as_ref()?));
                lines.push(Line { name: called, from: with_word("", what), to: "removed".to_owned() });
            }
            _ => lines.extend(told.map(|(path, from, to)| {
                let (from, to) = match is_secret(path) {
                    true => secret_words(from.as_ref(), to.as_ref()),
                    false => (part_value(&list, path, from.as_ref()), part_value(&list, path, to.as_ref())),
                };
                Line { name: format!("{called}: {}", part_name(&list, path)), from, to }
            })),
        }
    }
    lines
}

/// A field of the section itself.
fn alone(section: &str, field: &str, from: Option<Value>, to: Option<Value>) -> Line {
    if (section, field) == ("security", "session_minutes") {
        let words = |value: Option<Value>| value.map_or_else(|| NOTHING.to_owned(), |n| format!("{n} minutes"));
        return Line { name: "Session length".to_owned(), from: words(from), to: words(to) };
    }
    line_of(section, field, from, to)
}

/// What an entry of a list is called.
fn entry_name(list: &str, name: &str) -> String {
    match list {
        "accounts" => format!("Account {name}"),
        "roles" => format!("Role {name}"),
        "tokens" => format!("API token {name}"),
        "protected_accounts" => match name.strip_prefix("ou ") {
            Some(unit) => format!("Organizational unit {unit}"),
            None => {
                let mut letters = name.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }
        },
        _ => format!("{list}: {name}"),
    }
}

fn is_secret(path: &[String]) -> bool {
    matches!(path, [name] if name == "password_hash" || name == "hash")
}

/// What a field of an entry is called.
fn part_name(list: &str, path: &[String]) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let known = match (list, path.as_slice()) {
        ("protected_accounts", ["limits", limit]) => rules::limit_name(limit),
        ("roles", ["rights", area]) => security::area_name(area),
        (_, ["password_hash"]) => Some("Password"),
        (_, ["hash"]) => Some("Token"),
        (_, ["roles"]) => Some("Roles"),
        (_, ["role"]) => Some("Role"),
        (_, ["disabled"]) => Some("Disabled"),
        (_, ["at"]) => Some("Made"),
        (_, ["expires"]) => Some("Ends"),
        _ => None,
    };
    known.map_or_else(|| path.join("."), str::to_owned)
}

/// A value of an entry.
fn part_value(list: &str, path: &[String], value: Option<&Value>) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (list, path.as_slice(), value) {
        ("protected_accounts", ["limits", _], value) => {
            rules::limit_words(value.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()))
        }
        ("roles", ["rights", _], Some(Value::String(access))) => security::access_words(access).to_owned(),
        (_, ["role"], Some(Value::String(role))) => role_title(role).to_owned(),
        (_, ["roles"], Some(Value::Array(roles))) => {
            roles.iter().filter_map(Value::as_str).map(role_title).collect::<Vec<_>>().join(", ")
        }
        ("tokens", ["expires"], None) => "never".to_owned(),
        (_, ["at" | "expires"], Some(at)) => {
            let time = at.as_i64().and_then(DateTime::from_timestamp_millis);
            time.map_or_else(|| plain(at), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
        }
        (_, _, value) => value.map_or_else(|| NOTHING.to_owned(), plain),
    }
}

/// `In total 2`, for the line of an entry that came or went. What is not worth telling is left out.
fn part_and_value(list: &str, path: &[String], value: &Value) -> Option<String> {
    if is_secret(path) || *value == json!(false) || value.as_object().is_some_and(Map::is_empty) {
        return None;
    }
    let name = part_name(list, path);
    Some(match value {
        Value::Bool(true) => name,
        value => format!("{name}: {}", part_value(list, path, Some(value))),
    })
}

fn with_word(word: &str, what: impl Iterator<Item = String>) -> String {
    let what = what.collect::<Vec<_>>().join("; ");
    match (word.is_empty(), what.is_empty()) {
        (true, true) => "there".to_owned(),
        (true, false) => short(what),
        (false, true) => word.to_owned(),
        (false, false) => short(format!("{word}. {what}")),
    }
}
