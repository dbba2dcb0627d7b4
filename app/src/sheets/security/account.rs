//! The page of an account, where it is made, changed and deleted.

use userlock_core::{
    api::{AccountField, SecuritySection},
    settings::{role_title, role_titles},
};

use super::{HOME, Precious, check, fact, form, group, role_names, text};
use crate::{
    present::query,
    sheet::{Field, Form, Group, Kind, Sheet, Table},
    sheets::{Outcome, nothing, titled},
};

/// What is lost with an account, and what is not.
const AFTER_DELETION: &str = "Its sign-ins end at once. What it has done stays in the logs under its name.";

fn password(help: &str) -> Field {
    Field {
        name: "password".into(),
        label: "Password".into(),
        help: help.into(),
        kind: Kind::Secret,
        text: "set".into(),
        max: 1024,
        ..Field::default()
    }
}

fn disabled(known: Option<&AccountField>) -> Field {
    check("disabled", "Disabled", "may not sign in for now", known.is_some_and(|account| account.disabled))
}

/// The roles there are, to be ticked.
fn roles(section: &SecuritySection, known: Option<&AccountField>) -> Group {
    let has = |role: &str| known.is_some_and(|account| account.roles.iter().any(|r| r == role));
    let role = |role: String| check(&format!("role-{role}"), "", role_title(&role), has(&role));
    let boxes = role_names(section).into_iter().map(role).collect();
    group("Roles", "It has the rights of all of them together.", boxes)
}

/// The page of a new account.
pub fn new_account(section: &SecuritySection, etag: &str) -> Sheet {
    let name = text("name", "Name", "Case does not count.", "");
    let own = vec![disabled(None), password("8 characters or more.")];
    let groups = vec![group("", "", vec![name]), roles(section, None), group("", "", own)];
    Sheet {
        title: titled("New account"),
        form: Some(form("security/new-account", etag, true, "Save account", groups)),
        ..Sheet::default()
    }
}

/// The page of an account.
pub fn account(
    section: &SecuritySection,
    name: &str,
    etag: &str,
    editable: bool,
    precious: &Precious,
) -> Outcome<Sheet> {
    let known = section.accounts.iter().find(|account| account.name == name).ok_or_else(nothing)?;
    let password = password("Empty: as it is. A new one ends the account's sign-ins.");
    let disabled = disabled(Some(known));
    let own = if editable {
        vec![roles(section, Some(known)), group("", "", vec![disabled, password])]
    } else {
        // Who only reads reads which roles it has, not which there are.
        vec![group("", "", vec![fact("Roles", &role_titles(&known.roles)), disabled, password])]
    };
    let asked = [name].into_iter().filter(|_| editable);
    let asked = precious.asked(asked, "Needed only to disable it, or to take rights away from it.");
    // What cannot be brought back has a page of its own, which says what is lost.
    let deletes = editable.then(|| Table {
        heading: "Delete".into(),
        add: Some((format!("{HOME}/accounts/{}/delete", query::encode(name)), "Delete account".to_owned())),
        empty: AFTER_DELETION.into(),
        ..Table::default()
    });
    let groups = own.into_iter().chain(asked).collect();
    Ok(Sheet {
        title: titled(&format!("Account {name}")),
        form: Some(form(&format!("security/accounts/{name}"), etag, editable, "Save account", groups)),
        tables: deletes.into_iter().collect(),
        ..Sheet::default()
    })
}

/// The page where an account is deleted. One that is not to be lost unawares asks for more than a click.
pub fn deletion(section: &SecuritySection, name: &str, etag: &str, precious: &Precious) -> Outcome<Sheet> {
    let known = section.accounts.iter().find(|account| account.name == name).ok_or_else(nothing)?;
    let asked = precious.asked([known.name.as_str()].into_iter(), "");
    let slug = format!("security/accounts/{name}/delete");
    let form = form(&slug, etag, true, "Delete account", asked.into_iter().collect());
    Ok(Sheet {
        title: titled(&format!("Delete account {name}")),
        note: AFTER_DELETION.into(),
        form: Some(Form { danger: true, busy: "Deleting\u{2026}".into(), ..form }),
        ..Sheet::default()
    })
}
