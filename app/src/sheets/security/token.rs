//! The pages where a token is made and revoked.

use userlock_core::{
    api::SecuritySection,
    settings::{Role, role_title},
};

use super::{HOME, at, form, given, group, role_names, text};
use crate::{
    api::{Caller, Refused},
    ports::SharedPorts,
    present::query,
    sheet::{Cell, Field, Form, Kind, Row, Saved, Sheet, Table},
    sheets::{Outcome, cell, columns, nothing, spec::Given, titled},
};

/// Where a token is revoked.
pub fn revoked_at(name: &str) -> String {
    format!("{HOME}/tokens/{}/revoke", query::encode(name))
}

/// The page of a new one.
pub fn new_token(section: &SecuritySection, etag: &str) -> Sheet {
    let role = Field {
        name: "role".into(),
        label: "Role".into(),
        kind: Kind::Choice,
        value: Role::ReadOnly.as_str().into(),
        options: role_names(section).into_iter().map(|role| (role.clone(), role_title(&role).to_owned())).collect(),
        ..Field::default()
    };
    let days = Field {
        name: "days".into(),
        label: "Ends after".into(),
        help: "Days; empty: never.".into(),
        kind: Kind::Number,
        min: 1,
        max: 3660,
        ..Field::default()
    };
    let fields = vec![text("name", "Name", "What it is for. No two tokens have the same.", ""), role, days];
    Sheet {
        title: titled("New token"),
        note: "The token is shown once, when it is made.".into(),
        form: Some(form("security/new-token", etag, true, "Make token", vec![group("", "", fields)])),
        ..Sheet::default()
    }
}

/// The page where one is revoked.
pub fn revocation(section: &SecuritySection, name: &str, etag: &str) -> Outcome<Sheet> {
    let token = section.tokens.iter().find(|token| token.name == name).ok_or_else(nothing)?;
    let row = |name: &str, value: Cell| Row { cells: vec![cell(name), value], ..Row::default() };
    let facts = Table {
        heading: "Token".into(),
        columns: columns(&["Property", "Value"]),
        rows: vec![
            row("Role", cell(role_title(&token.role))),
            row("Made", at(token.at)),
            row("Ends", token.expires.map_or_else(|| cell("never"), at)),
        ],
        ..Table::default()
    };
    let form = form(&format!("security/tokens/{name}/revoke"), etag, true, "Revoke token", Vec::new());
    Ok(Sheet {
        title: titled(&format!("Revoke token {name}")),
        note: "It is worth nothing from then on, for good: a program that uses it is refused until it has another."
            .into(),
        form: Some(Form { danger: true, busy: "Revoking\u{2026}".into(), ..form }),
        form_last: true,
        tables: vec![facts],
        ..Sheet::default()
    })
}

/// Makes a token; it is told once.
pub async fn make_token(ports: SharedPorts, caller: Caller, form: &Given, reason: Option<String>) -> Outcome<Saved> {
    let days = match given(form, "days") {
        "" => None,
        days => {
            let days = days.parse::<u32>().ok().filter(|days| (1..=3660).contains(days));
            Some(days.ok_or_else(|| Refused::field("days", "Ends after: must be from 1 to 3660 days, or empty.").0)?)
        }
    };
    let name = given(form, "name").to_owned();
    let secret = ports.make_token(caller, name.clone(), given(form, "role").to_owned(), days, reason).await?;
    let etag = ports.section("security".to_owned()).await?.etag;
    Ok(Saved {
        etag,
        text: format!("The token {name} is made. Copy it now; it is not shown again."),
        secret: Some(secret),
        ..Saved::default()
    })
}
