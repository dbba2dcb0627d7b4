//! The page of a role of the zone's own, and what each role gives, in words.

use std::collections::BTreeMap;

use userlock_core::{
    api::{RoleField, SecuritySection},
    settings::{Access, Area, Role},
};

use super::{HOME, Precious, form, group, text, token};
use crate::{
    present::query,
    sheet::{Field, Form, Kind, Row, Sheet, Table},
    sheets::{Outcome, cell, columns, nothing, titled},
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
        Area::Sessions => ("Sessions", "The list and the session events. To write: log off, reset."),
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
    let told = rights.iter().map(|(area, access)| {
        format!("{}: {}", area_title(*area).0.to_lowercase(), access_words(access_name(Some(*access))))
    });
    let told: Vec<_> = told.collect();
    if told.is_empty() { "none".into() } else { told.join("; ") }
}

/// The fields of a role's rights; of a new one there is none yet.
fn rights(role: Option<&RoleField>) -> Vec<Field> {
    let field = |area: Area| {
        let (label, help) = area_title(area);
        let value = access_name(role.and_then(|role| role.rights.get(&area).copied()));
        Field {
            name: area.as_str().into(),
            label: label.into(),
            help: help.into(),
            kind: Kind::Choice,
            value: value.into(),
            text: access_words(value).into(),
            options: ACCESS.iter().map(|(value, word)| ((*value).into(), (*word).into())).collect(),
            ..Field::default()
        }
    };
    Area::ALL.into_iter().map(field).collect()
}

/// The page of a new role.
pub fn new_role(etag: &str) -> Sheet {
    let name = text("name", "Name", "Lower-case letters, digits, - and _.", "");
    let groups = vec![group("", "", vec![name]), group("Rights", "", rights(None))];
    Sheet {
        title: titled("New role"),
        form: Some(form("security/new-role", etag, true, "Save role", groups)),
        ..Sheet::default()
    }
}

/// The page of a role.
pub fn role(section: &SecuritySection, name: &str, etag: &str, editable: bool, precious: &Precious) -> Outcome<Sheet> {
    let known = section.roles.iter().find(|role| role.name == name).ok_or_else(nothing)?;
    let holders = section.accounts.iter().filter(|account| account.roles.iter().any(|role| role == name));
    let holders = holders.map(|account| account.name.as_str());
    let asked = precious.asked(holders, "Needed only where rights are taken away by this role.");
    let rights = group("Rights", "", rights(Some(known)));
    let groups = std::iter::once(rights).chain(asked.filter(|_| editable)).collect();
    let deletes = editable.then(|| Table {
        heading: "Delete".into(),
        add: Some((format!("{HOME}/roles/{}/delete", query::encode(name)), "Delete role".to_owned())),
        empty: "Only a role that no account and no token has can be deleted.".into(),
        ..Table::default()
    });
    Ok(Sheet {
        title: titled(&format!("Role {name}")),
        form: Some(form(&format!("security/roles/{name}"), etag, editable, "Save role", groups)),
        tables: deletes.into_iter().collect(),
        ..Sheet::default()
    })
}

/// The page where a role is deleted, or who has it.
pub fn deletion(section: &SecuritySection, name: &str, etag: &str) -> Outcome<Sheet> {
    let known = section.roles.iter().find(|role| role.name == name).ok_or_else(nothing)?;
    let row = |href: String, name: &str, what: &str| Row {
        href: Some(href),
        cells: vec![cell(name), cell(what)],
        ..Row::default()
    };
    let accounts = section.accounts.iter().filter(|account| account.roles.iter().any(|role| role == name));
    let accounts = accounts.map(|of| row(format!("{HOME}/accounts/{}", query::encode(&of.name)), &of.name, "account"));
    let tokens = section.tokens.iter().filter(|token| token.role == name);
    let tokens = tokens.map(|of| row(token::revoked_at(&of.name), &of.name, "API token"));
    let holders: Vec<Row> = accounts.chain(tokens).collect();
    let title = titled(&format!("Delete role {name}"));
    if !holders.is_empty() {
        let holders = Table {
            heading: "Who has it".into(),
            note: "Give each of these accounts another role, and revoke each of these tokens, first.".into(),
            columns: columns(&["Name", "Kind"]),
            rows: holders,
            ..Table::default()
        };
        let note = "Only a role that no account and no token has can be deleted.".into();
        return Ok(Sheet { title, note, tables: vec![holders], ..Sheet::default() });
    }
    let form = form(&format!("security/roles/{name}/delete"), etag, true, "Delete role", Vec::new());
    Ok(Sheet {
        title,
        note: format!("No account and no token has it. It gives: {}.", rights_text(&known.rights)),
        form: Some(Form { danger: true, busy: "Deleting\u{2026}".into(), ..form }),
        ..Sheet::default()
    })
}
