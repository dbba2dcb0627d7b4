//! All of Security on one page.

use userlock_core::{
    api::{SectionBody, SecuritySection, SignInView},
    settings::{Role, role_title, role_titles},
};

use super::{HOME, at, form, group, role, token};
use crate::{
    present::query,
    sheet::{Action, Field, Kind, Row, Sheet, Table},
    sheets::{cell, columns, titled},
};

/// The page of the section.
pub fn overview(
    section: &SecuritySection,
    sign_ins: Vec<SignInView>,
    body: &SectionBody,
    editable: bool,
    ends_sign_ins: bool,
) -> Sheet {
    let add = |to: &str, word: &str| editable.then(|| (format!("{HOME}/{to}"), word.to_owned()));
    let link = |kind: &str, name: &str| Some(format!("{HOME}/{kind}/{}", query::encode(name)));
    let accounts = section.accounts.iter().map(|account| Row {
        href: link("accounts", &account.name),
        cells: vec![
            cell(&account.name),
            cell(role_titles(&account.roles)),
            cell(if account.disabled { "disabled" } else { "may sign in" }),
        ],
        ..Row::default()
    });
    let built_in = Role::ALL.into_iter().map(|role| Row {
        cells: vec![cell(role.title()), cell("always there"), cell(role::built_in_text(role))],
        ..Row::default()
    });
    let own = section.roles.iter().map(|role| Row {
        href: link("roles", &role.name),
        cells: vec![cell(&role.name), cell("of this zone"), cell(role::rights_text(&role.rights))],
        ..Row::default()
    });
    let tokens = section.tokens.iter().map(|token| Row {
        cells: vec![
            cell(&token.name),
            cell(role_title(&token.role)),
            at(token.at),
            token.expires.map_or_else(|| cell("never"), at),
        ],
        link: editable.then(|| (token::revoked_at(&token.name), "Revoke".to_owned())),
        ..Row::default()
    });
    let sign_ins = sign_ins.into_iter().map(|sign_in| Row {
        cells: vec![
            cell(if sign_in.own { format!("{} (this browser)", sign_in.account) } else { sign_in.account }),
            cell(sign_in.address),
            at(sign_in.since),
            at(sign_in.last_seen),
        ],
        // One's own ends by signing out.
        action: (ends_sign_ins && !sign_in.own).then(|| Action {
            action: "/fn/end-sign-in".into(),
            button: "End".into(),
            hidden: vec![("id".into(), sign_in.id.to_string())],
        }),
        ..Row::default()
    });
    let tables = vec![
        Table {
            heading: "Accounts".into(),
            note: "Who may sign in to either server, and a service account for a Backup.".into(),
            add: add("new-account", "New account"),
            columns: columns(&["Name", "Roles", "State"]),
            rows: accounts.collect(),
            ..Table::default()
        },
        Table {
            heading: "Roles".into(),
            note: "An account has the rights of all its roles. To write implies to read; what one role denies no other gives.".into(),
            add: add("new-role", "New role"),
            columns: columns(&["Name", "Kind", "Rights"]),
            rows: built_in.chain(own).collect(),
            ..Table::default()
        },
        Table {
            heading: "API tokens".into(),
            note: "For programs. A token has one role, and is told once.".into(),
            add: add("new-token", "New token"),
            columns: columns(&["Name", "Role", "Made", "Ends"]),
            rows: tokens.collect(),
            empty: "No token yet. A program needs one to use the HTTP interface.".into(),
            ..Table::default()
        },
        Table {
            heading: "Sign-ins on this server".into(),
            note: "Each server has its own.".into(),
            columns: columns(&["Account", "Address", "Since", "Last used"]),
            rows: sign_ins.collect(),
            empty: "Nobody is signed in.".into(),
            ..Table::default()
        },
    ];
    let minutes = Field {
        name: "session_minutes".into(),
        label: "Session length".into(),
        help: "Minutes without activity after which a sign-in ends. After 7 days it ends in any case.".into(),
        kind: Kind::Number,
        value: section.session_minutes.to_string(),
        text: format!("{} minutes", section.session_minutes),
        min: 1,
        max: 10_080,
        ..Field::default()
    };
    Sheet {
        title: titled("Security"),
        note: "Who may do what on both servers.".into(),
        form: Some(form("security", &body.etag, editable, "Save", vec![group("Sign-ins", "", vec![minutes])])),
        tables,
        ..Sheet::default()
    }
}
