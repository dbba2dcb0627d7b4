//! How a form of Security becomes the section that is written.

use serde_json::{Map, Value, json};
use userlock_core::settings::Area;

use super::{HOME, given};
use crate::{
    api::Refused,
    sheets::{nothing, spec::Given},
};

/// Changes one of the section's lists.
fn edit<R>(section: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
    let mut items = match section.remove(name) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let result = change(&mut items);
    section.insert(name.to_owned(), items.into());
    result
}

fn is(item: &Value, name: &str) -> bool {
    item.get("name").and_then(Value::as_str) == Some(name)
}

/// Puts what a form gives into the section; the text to tell, and the page to go to.
pub fn put(part: &str, form: &Given, section: &mut Map<String, Value>) -> Result<(String, String), Refused> {
    let steps: Vec<&str> = part.split('/').collect();
    match steps.as_slice() {
        [""] => {
            let minutes = given(form, "session_minutes").parse::<u32>();
            let minutes = minutes
                .map_err(|_| Refused::field("session_minutes", "Session length: must be a number from 1 to 10080."))?;
            section.insert("session_minutes".into(), minutes.into());
            Ok(("Saved. The Backup has it within seconds.".into(), String::new()))
        }
        ["tokens", "revoke"] => {
            let name = given(form, "name");
            edit(section, "tokens", |tokens| tokens.retain(|token| !is(token, name)));
            Ok((format!("The token {name} is revoked."), HOME.into()))
        }
        [kind @ ("accounts" | "roles"), name, "delete"] => {
            edit(section, kind, |items| items.retain(|item| !is(item, name)));
            Ok((format!("{name} is deleted."), HOME.into()))
        }
        ["accounts", name] => {
            let new = *name == "new" && !edit(section, "accounts", |items| items.iter().any(|item| is(item, name)));
            let name = if new { given(form, "name").to_owned() } else { (*name).to_owned() };
            let roles: Vec<&str> = form.keys().filter_map(|key| key.strip_prefix("role-")).collect();
            if roles.is_empty() {
                return Err(Refused::field("role-administrator", "Roles: choose one at least."));
            }
            let password = form.get("password").map(String::as_str).unwrap_or_default();
            let password = if password.is_empty() && !new { json!({ "set": true }) } else { json!(password) };
            let account = json!({
                "name": name, "roles": roles, "disabled": form.contains_key("disabled"), "password": password,
            });
            edit(section, "accounts", |accounts| put_item(accounts, new, &name, account))?;
            Ok((format!("The account {name} is saved."), HOME.into()))
        }
        ["roles", name] => {
            let new = *name == "new" && !edit(section, "roles", |items| items.iter().any(|item| is(item, name)));
            let name = if new { given(form, "name").to_owned() } else { (*name).to_owned() };
            let rights = Area::ALL.into_iter().filter_map(|area| {
                let access = given(form, area.as_str());
                (!access.is_empty()).then(|| (area.as_str().to_owned(), Value::from(access)))
            });
            let role = json!({ "name": name, "rights": rights.collect::<Map<_, _>>() });
            edit(section, "roles", |roles| put_item(roles, new, &name, role))?;
            Ok((format!("The role {name} is saved."), HOME.into()))
        }
        _ => Err(Refused(nothing())),
    }
}

fn put_item(items: &mut Vec<Value>, new: bool, name: &str, item: Value) -> Result<(), Refused> {
    let same = |known: &Value| known.get("name").and_then(Value::as_str).is_some_and(|n| n.eq_ignore_ascii_case(name));
    match (items.iter_mut().find(|known| same(known)), new) {
        (Some(_), true) => Err(Refused::field("name", &format!("Name: {name} is there already."))),
        (Some(known), false) => {
            *known = item;
            Ok(())
        }
        (None, _) => {
            items.push(item);
            Ok(())
        }
    }
}
