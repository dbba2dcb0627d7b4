//! The page of an account, where it is made, changed and deleted.

use userlock_core::{api::SecuritySection, settings::Role};

use super::{HOME, Precious, check, form, group, role_names, text};
use crate::{
    present::query,
    sheet::{Field, Form, Kind, Sheet, Table},
    sheets::{Outcome, nothing, titled},
};

/// What is lost with an account, and what is not.
const AFTER_DELETION: &str = "Its sign-ins end at once. What it has done stays in the logs under its name.";

/// The page of an account, or of a new one.
pub fn account(
    section: &SecuritySection,
    name: &str,
    etag: &str,
    editable: bool,
    precious: &Precious,
) -> Outcome<Sheet> {
    let known = section.accounts.iter().find(|account| account.name == name);
    let new = name == "new" && known.is_none();
    // Where none can be made there is no page for a new one.
    if known.is_none() && !(new && editable) {
        return Err(nothing());
    }
    let has = |role: &str| known.is_some_and(|account| account.roles.iter().any(|r| r == role));
    let roles = role_names(section).into_iter().map(|role| {
        let label = if role == Role::Administrator.as_str() { "Roles" } else { "" };
        check(&format!("role-{role}"), label, &role, has(&role))
    });
    let password = Field {
        name: "password".into(),
        label: "Password".into(),
        help: if new { "8 characters or more." } else { "Empty: as it is. A new one ends the account's sign-ins." }
            .into(),
        kind: Kind::Secret,
        text: "set".into(),
        max: 1024,
        ..Field::default()
    };
    let mut fields = Vec::new();
    if new {
        fields.push(text("name", "Name", "Case does not count.", ""));
    }
    fields.extend(roles);
    fields.push(check(
        "disabled",
        "Disabled",
        "may not sign in for now",
        known.is_some_and(|account| account.disabled),
    ));
    fields.push(password);
    let changed = known.filter(|_| editable).map(|account| account.name.as_str());
    let asked = precious.asked(changed.into_iter(), "Needed only to disable it, or to take rights away from it.");
    // What cannot be brought back has a page of its own, which says what is lost.
    let deletes = changed.map(|name| Table {
        heading: "Delete".into(),
        add: Some((format!("{HOME}/accounts/{}/delete", query::encode(name)), "Delete account".to_owned())),
        empty: AFTER_DELETION.into(),
        ..Table::default()
    });
    let groups = std::iter::once(group("", "", fields)).chain(asked).collect();
    Ok(Sheet {
        title: titled(&if new { "New account".to_owned() } else { format!("Account {name}") }),
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
