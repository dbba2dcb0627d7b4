//! How a form of Security becomes the section that is written.

use serde_json::{Map, Value, json};
use userlock_core::settings::{Area, Role};

use super::{HOME, given};
use crate::{
    api::{Refused, problem},
    sheets::{nothing, spec::Given},
};

type Section = Map<String, Value>;
/// The text to tell, and the page to go to.
type Told = (String, String);

/// Changes one of the section's lists.
fn edit<R>(section: &mut Section, name: &str, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
    let mut items = match section.remove(name) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let result = change(&mut items);
    section.insert(name.to_owned(), items.into());
    result
}

fn items<'a>(section: &'a Section, name: &str) -> impl Iterator<Item = &'a Value> {
    section.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn name_of(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Puts what a form gives into the section.
///
/// # Errors
/// 404, 422.
pub fn put(part: &str, form: &Given, section: &mut Section) -> Result<Told, Refused> {
    let steps: Vec<&str> = part.split('/').collect();
    match steps.as_slice() {
        [""] => {
            let minutes = given(form, "session_minutes").parse::<u32>();
            let minutes = minutes
                .map_err(|_| Refused::field("session_minutes", "Session length: must be a number from 1 to 10080."))?;
            section.insert("session_minutes".into(), minutes.into());
            Ok(("Saved. The Backup has it within seconds.".into(), String::new()))
        }
        ["tokens", name, "revoke"] => {
            take(section, "tokens", name)?;
            Ok((format!("The token {name} is revoked."), HOME.into()))
        }
        ["accounts", name, "delete"] => {
            take(section, "accounts", name)?;
            Ok((format!("The account {name} is deleted."), HOME.into()))
        }
        ["roles", name, "delete"] => {
            if let Some(told) = holder(section, name) {
                let detail = format!("{told} Nothing was changed.");
                return Err(Refused(problem(422, "role_in_use", "The role is in use", &detail)));
            }
            take(section, "roles", name)?;
            Ok((format!("The role {name} is deleted."), HOME.into()))
        }
        ["new-account"] => put_account(section, form, None),
        ["accounts", name] => put_account(section, form, Some(name)),
        ["new-role"] => put_role(section, form, None),
        ["roles", name] => put_role(section, form, Some(name)),
        _ => Err(Refused(nothing())),
    }
}

/// Takes an item out of a list.
fn take(section: &mut Section, list: &str, name: &str) -> Result<(), Refused> {
    let before = items(section, list).count();
    edit(section, list, |items| items.retain(|item| name_of(item) != name));
    if items(section, list).count() == before { Err(Refused(nothing())) } else { Ok(()) }
}

/// Who has a role, and what to do about that.
fn holder(section: &Section, role: &str) -> Option<String> {
    let is = |value: &Value| value.as_str() == Some(role);
    let has =
        |account: &&Value| account.get("roles").and_then(Value::as_array).is_some_and(|roles| roles.iter().any(is));
    let account = items(section, "accounts").find(has).map(name_of);
    let token = items(section, "tokens").find(|token| token.get("role").is_some_and(is)).map(name_of);
    let account =
        account.map(|name| format!("The account {name} has the role {role}: give {name} another role first."));
    account.or_else(|| token.map(|name| format!("The token {name} has the role {role}: revoke the token first.")))
}

/// Puts a new account, or a known one.
fn put_account(section: &mut Section, form: &Given, known: Option<&str>) -> Result<Told, Refused> {
    let name = known.unwrap_or_else(|| given(form, "name"));
    let roles: Vec<&str> = form.keys().filter_map(|key| key.strip_prefix("role-")).collect();
    if roles.is_empty() {
        return Err(Refused::field("role-administrator", "Roles: choose one at least."));
    }
    let password = form.get("password").map(String::as_str).unwrap_or_default();
    let password = if password.is_empty() && known.is_some() { json!({ "set": true }) } else { json!(password) };
    let account =
        json!({ "name": name, "roles": roles, "disabled": form.contains_key("disabled"), "password": password });
    edit(section, "accounts", |accounts| put_item(accounts, known.is_none(), name, account))?;
    Ok((format!("The account {name} is saved."), HOME.into()))
}

/// Puts a new role, or a known one.
fn put_role(section: &mut Section, form: &Given, known: Option<&str>) -> Result<Told, Refused> {
    let name = known.unwrap_or_else(|| given(form, "name"));
    // Nobody could tell it from the one that people call so.
    if known.is_none() && Role::ALL.into_iter().any(|role| role.title() == name) {
        return Err(Refused::field("name", &format!("Name: {name} is always there and cannot be changed.")));
    }
    let rights = Area::ALL.into_iter().filter_map(|area| {
        let access = given(form, area.as_str());
        (!access.is_empty()).then(|| (area.as_str().to_owned(), Value::from(access)))
    });
    let role = json!({ "name": name, "rights": rights.collect::<Map<_, _>>() });
    edit(section, "roles", |roles| put_item(roles, known.is_none(), name, role))?;
    Ok((format!("The role {name} is saved."), HOME.into()))
}

fn put_item(items: &mut Vec<Value>, new: bool, name: &str, item: Value) -> Result<(), Refused> {
    match (items.iter_mut().find(|known| name_of(known).eq_ignore_ascii_case(name)), new) {
        (Some(_), true) => Err(Refused::field("name", &format!("Name: {name} is there already."))),
        (Some(known), false) => {
            *known = item;
            Ok(())
        }
        (None, true) => {
            items.push(item);
            Ok(())
        }
        (None, false) => Err(Refused(nothing())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_somebody_has_is_not_deleted() {
        let section = json!({
            "accounts": [{ "name": "ann", "roles": ["operator", "desk"] }],
            "tokens": [{ "name": "probe", "role": "watch" }],
            "roles": [{ "name": "desk" }, { "name": "watch" }, { "name": "free" }],
        });
        let delete = |role: &str| {
            let mut section = section.as_object().unwrap().clone();
            put(&format!("roles/{role}/delete"), &Given::new(), &mut section).map_err(|refused| refused.0.detail)
        };
        let told = delete("desk").unwrap_err();
        assert_eq!(told, "The account ann has the role desk: give ann another role first. Nothing was changed.");
        let told = delete("watch").unwrap_err();
        assert_eq!(told, "The token probe has the role watch: revoke the token first. Nothing was changed.");
        assert_eq!(delete("free").unwrap().0, "The role free is deleted.");
        assert!(delete("none").is_err(), "what is not there is not said to be deleted");
    }
}
