//! The page of a role of the zone's own, and what each role gives, in words.

use std::collections::BTreeMap;

use userlock_core::{
    api::SecuritySection,
    settings::{Access, Area, Role},
};

use super::{ACTION, Precious, form, group, hidden, text};
use crate::{
    sheet::{Action, Field, Kind, Sheet},
    sheets::{Outcome, nothing, reason_field, titled},
};

const ACCESS: [(&str, &str); 4] =
    [("", "\u{2014}"), ("read", "read"), ("write", "read and write"), ("deny", "denied, whatever other roles give")];

fn access_name(access: Option<Access>) -> &'static str {
    match access {
        None => "",
        Some(Access::Read) => "read",
        Some(Access::Write) => "write",
        Some(Access::Deny) => "deny",
    }
}

fn area_title(area: Area) -> (&'static str, &'static str) {
    match area {
        Area::Sessions => ("Sessions", "The list and the session events. To write: log off, forget."),
        Area::Synchronization => ("Synchronization", "The runs. To write: start, cancel, test."),
        Area::ProtectedAccounts => ("Protected accounts", "The rules."),
        Area::Settings => ("Properties", "All sections but Security."),
        Area::Agents => ("Agents", "To write: revoke, release, make an enrolment key."),
        Area::Security => ("Security", "Accounts, roles, tokens, sign-ins."),
        Area::Log => ("Application log", "And the metrics."),
    }
}

/// What an area is called, by its name in the settings.
pub fn area_name(area: &str) -> Option<&'static str> {
    Area::ALL.into_iter().find(|known| known.as_str() == area).map(|area| area_title(area).0)
}

/// How an access reads, by its name in the settings.
pub fn access_words(access: &str) -> &str {
    ACCESS.iter().find(|(known, _)| *known == access).map_or(access, |(_, word)| word)
}

/// What a role gives that is always there.
pub fn built_in_text(role: Role) -> &'static str {
    match role {
        Role::ReadOnly => "reads everything",
        Role::Operator => "reads everything; writes sessions and synchronization",
        Role::Administrator => "everything",
    }
}

/// What a role of the zone's own says, in words.
pub fn rights_text(rights: &BTreeMap<Area, Access>) -> String {
    let told = rights
        .iter()
        .map(|(area, access)| format!("{}: {}", area_title(*area).0.to_lowercase(), access_name(Some(*access))));
    let told: Vec<_> = told.collect();
    if told.is_empty() { "none".into() } else { told.join(", ") }
}

/// The page of a role, or of a new one.
pub fn role(section: &SecuritySection, name: &str, etag: &str, editable: bool, precious: &Precious) -> Outcome<Sheet> {
    let known = section.roles.iter().find(|role| role.name == name);
    let new = name == "new" && known.is_none();
    // Where none can be made there is no page for a new one.
    if known.is_none() && !(new && editable) {
        return Err(nothing());
    }
    let areas = Area::ALL.into_iter().map(|area| {
        let (label, help) = area_title(area);
        let value = access_name(known.and_then(|role| role.rights.get(&area).copied()));
        Field {
            name: area.as_str().into(),
            label: label.into(),
            help: help.into(),
            kind: Kind::Choice,
            value: value.into(),
            text: ACCESS.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word).into(),
            options: ACCESS.iter().map(|(value, word)| ((*value).into(), (*word).into())).collect(),
            ..Field::default()
        }
    });
    let mut fields = Vec::new();
    if new {
        fields.push(text("name", "Name", "Lower-case letters, digits, - and _.", ""));
    }
    fields.extend(areas);
    let holders = section.accounts.iter().filter(|account| known.is_some() && account.roles.iter().any(|r| r == name));
    let holders = holders.map(|account| account.name.as_str());
    let asked = precious.asked(holders, "Needed only where rights are taken away by this role.");
    let groups = std::iter::once(group("Rights", "", fields)).chain(asked.filter(|_| editable)).collect();
    let actions = known.filter(|_| editable).map(|role| Action {
        action: ACTION.into(),
        button: "Delete role".into(),
        note: "Only a role that no account and no token has can be deleted.".into(),
        danger: true,
        hidden: hidden(&[("slug", &format!("security/roles/{}/delete", role.name)), ("etag", etag), ("form[x]", "")]),
        field: Some(reason_field()),
    });
    Ok(Sheet {
        title: titled(&if new { "New role".to_owned() } else { format!("Role {name}") }),
        form: Some(form(&format!("security/roles/{name}"), etag, editable, "Save role", groups)),
        actions: actions.into_iter().collect(),
        ..Sheet::default()
    })
}
