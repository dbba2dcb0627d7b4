//! What belongs to a server alone: how its database is, and the changes of its own settings.

use userlock_core::api::{DatabaseState, DatabaseStatus, OwnRevision};

use super::{Outcome, cell, reason_field, titled};
use crate::{
    api::{Area, Caller, Right},
    ports::SharedPorts,
    present::number::grouped,
    sheet::{Action, Cell, Row, Saved, Sheet, Table},
};

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// How the database is.
pub async fn database_table(ports: &SharedPorts) -> Outcome<Table> {
    let DatabaseStatus { state, detail, schema_version: _, rows, bytes } = ports.database_status().await?;
    let state = match state {
        DatabaseState::Off => "off",
        DatabaseState::Opening => "being opened",
        DatabaseState::Open => "in use",
        DatabaseState::Failed => "cannot be used",
    };
    let number = |n: Option<u64>| cell(n.map_or_else(|| "\u{2014}".to_owned(), grouped));
    let row = vec![cell(state), cell(detail), number(rows), number(bytes)];
    Ok(Table {
        heading: "Now".into(),
        columns: columns(&["State", "Where, or why not", "Events", "Bytes"]),
        rows: vec![Row { cells: row, ..Row::default() }],
        ..Table::default()
    })
}

/// The last changes of this server's own settings.
pub async fn changes_table(ports: &SharedPorts) -> Outcome<Table> {
    let row = |change: OwnRevision| Row {
        href: Some(format!("/properties/history/own/{}", change.revision)),
        cells: vec![
            cell(change.revision.to_string()),
            Cell { text: String::new(), at: Some(change.at) },
            cell(change.by),
            cell(change.section),
            cell(change.changed.join(", ")),
            cell(change.reason.unwrap_or_default()),
        ],
        action: None,
    };
    Ok(Table {
        heading: "This server's own settings".into(),
        note: "Synchronization, E-mail and Database. No other server has them.".into(),
        columns: columns(&["Change", "When", "Who", "What", "Fields", "Why"]),
        rows: ports.own_revisions().await?.into_iter().map(row).collect(),
        empty: "They are as they were set up.".into(),
        ..Table::default()
    })
}

/// One change of this server's own settings.
pub async fn change_sheet(ports: SharedPorts, caller: Caller, n: u64) -> Outcome<Sheet> {
    let change = ports.own_revision(n).await?;
    let etag = ports.section("email".to_owned()).await?.etag;
    let value = |document: &serde_json::Value, field: &str| {
        let value = document.get(&change.section).and_then(|section| section.get(field));
        cell(value.map_or_else(|| "\u{2014}".to_owned(), |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
    };
    let row = |field: &String| {
        let cells = match field.as_str() {
            "password" => vec![cell(field), cell("(secret)"), cell("(secret)")],
            _ => vec![cell(field), value(&change.before, field), value(&change.after, field)],
        };
        Row { cells, ..Row::default() }
    };
    let table = Table {
        heading: format!("What changed in {}", change.section),
        columns: columns(&["Setting", "Was", "Became"]),
        rows: change.changed.iter().map(row).collect(),
        ..Table::default()
    };
    let restore = Action {
        action: "/fn/restore-own-revision".into(),
        button: format!("Bring back {} as of change {n}", change.section),
        note: "Makes a new change by which this section is what it became by this one. A password stays as it is now."
            .into(),
        hidden: vec![("n".into(), n.to_string()), ("etag".into(), etag)],
        field: Some(reason_field()),
        ..Action::default()
    };
    let reason = change.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Ok(Sheet {
        title: titled(&format!("Change {n} of this server")),
        note: format!("{} changed {}{reason}", change.by, change.section),
        tables: vec![table],
        actions: if caller.may(Right::Write(Area::Settings)) { vec![restore] } else { Vec::new() },
        ..Sheet::default()
    })
}

/// Goes back to a change of this server's own settings.
///
/// # Errors
/// 404, 412, 422.
pub async fn restore_own(
    ports: SharedPorts,
    caller: Caller,
    n: u64,
    etag: String,
    reason: Option<String>,
) -> Outcome<Saved> {
    let etag = ports.restore_own(caller, n, etag, reason).await?;
    Ok(Saved { etag, text: format!("What change {n} made is back."), to: "/properties/history".into(), secret: None })
}
