//! The page of an account, where it is made, changed and deleted.

use userlock_core::{api::SecuritySection, settings::Role};

use super::{ACTION, check, form, group, hidden, role_names, text};
use crate::{
    sheet::{Action, Field, Kind, Sheet},
    sheets::{Outcome, nothing, reason_field, titled},
};

/// The page of an account, or of a new one.
pub fn account(section: &SecuritySection, name: &str, etag: &str, editable: bool) -> Outcome<Sheet> {
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
    let actions = known.filter(|_| editable).map(|account| Action {
        action: ACTION.into(),
        button: "Delete account".into(),
        note: "Its sign-ins end at once. What it has done stays in the logs under its name.".into(),
        danger: true,
        hidden: hidden(&[
            ("slug", &format!("security/accounts/{}/delete", account.name)),
            ("etag", etag),
            ("form[x]", ""),
        ]),
        field: Some(reason_field()),
    });
    Ok(Sheet {
        title: titled(&if new { "New account".to_owned() } else { format!("Account {name}") }),
        form: Some(form(
            &format!("security/accounts/{name}"),
            etag,
            editable,
            "Save account",
            vec![group("", "", fields)],
        )),
        actions: actions.into_iter().collect(),
        ..Sheet::default()
    })
}
