//! What belongs to a server alone: how its database is, and the changes of its own settings.

use serde::de::DeserializeOwned;
use serde_json::Value;
use userlock_core::api::{DatabaseSection, DatabaseState, DatabaseStatus, EmailSection, OwnRevision, Problem};

use super::{Outcome, Pages, Sent, cell, changes, columns, nothing, sections::title_of, titled};
use crate::{
    api::{Area, Caller, Right},
    ports::SharedPorts,
    present::{
        number::{bytes as size, grouped},
        words,
    },
    sheet::{Cell, Field, Form, Group, Kind, Row, Saved, Sheet, Table},
};

/// How the database is.
pub async fn database_table(ports: &SharedPorts) -> Outcome<Table> {
    let DatabaseStatus { state, detail, schema_version: _, rows, bytes } = ports.database_status().await?;
    let state = match state {
        DatabaseState::Off => "off",
        DatabaseState::Opening => "being opened",
        DatabaseState::Open => "in use",
        DatabaseState::Failed => "cannot be used",
    };
    let shown = |n: Option<u64>, of: fn(u64) -> String| cell(n.map_or_else(|| "\u{2014}".to_owned(), of));
    let row = vec![cell(state), cell(detail), shown(rows, grouped), shown(bytes, size)];
    Ok(Table {
        heading: "Now".into(),
        columns: columns(&["State", "Where, or why not", "Events", "Size"]),
        rows: vec![Row { cells: row, ..Row::default() }],
        ..Table::default()
    })
}

/// The last changes of this server's own settings.
pub async fn changes_table(ports: &SharedPorts) -> Outcome<Table> {
    let fields = |change: &OwnRevision| {
        let labels: Vec<_> = change.changed.iter().map(|field| changes::label_of(&change.section, field)).collect();
        labels.join(", ")
    };
    let row = |change: OwnRevision| Row {
        href: Some(format!("/properties/history/own/{}", change.revision)),
        cells: vec![
            cell(change.revision.to_string()),
            Cell { text: String::new(), at: Some(change.at) },
            cell(&change.by),
            cell(title_of(&change.section)),
            cell(fields(&change)),
            cell(change.reason.unwrap_or_default()),
        ],
        ..Row::default()
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

/// One change of this server's own settings, with the form to go back to it.
pub async fn change_sheet(ports: SharedPorts, caller: Caller, n: u64) -> Outcome<Sheet> {
    let change = ports.own_revision(n).await?;
    let has_password = matches!(change.section.as_str(), "email" | "database");
    // All these sections have the same revision, and a Primary has no section `synchronization`.
    let present = ports.section(if has_password { change.section.clone() } else { "email".to_owned() }).await?;
    let what = title_of(&change.section);
    let (told, asked) = password_of(&change, present.value);
    let note = format!("Makes a new change by which this section is what it became by this one. {told}");
    let fields = asked.then(|| Field {
        name: "password".into(),
        label: "Password".into(),
        help: "Empty: none.".into(),
        kind: Kind::Secret,
        max: 1024,
        ..Field::default()
    });
    let form = Form {
        action: Pages::History.action().into(),
        slug: slug_of(n),
        etag: present.etag,
        editable: true,
        button: format!("Bring back {what} as of change {n}"),
        busy: "Bringing it back\u{2026}".into(),
        groups: vec![Group { heading: "Bring it back".into(), note, fields: fields.into_iter().collect() }],
        ..Form::default()
    };
    let reason = change.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Ok(Sheet {
        title: titled(&format!("Change {n} of this server")),
        note: format!("{} changed {what}{reason}", change.by),
        tables: vec![changes::own_table(&change)],
        form: caller.may(Right::Write(Area::Settings)).then_some(form),
        form_last: true,
        ..Sheet::default()
    })
}

/// The name of the form to go back to a change.
fn slug_of(n: u64) -> String {
    format!("history/own/{n}")
}

/// What becomes of the section's password when it is brought back, and whether it is asked for.
fn password_of(change: &OwnRevision, present: Value) -> (&'static str, bool) {
    let then = change.after.get(&change.section).cloned().unwrap_or_default();
    let along = match change.section.as_str() {
        "email" => both::<EmailSection>(then, present).map(|(then, now)| {
            let stays = then.takes_password_of(&now);
            (then.password, now.password, stays)
        }),
        "database" => both::<DatabaseSection>(then, present).map(|(then, now)| {
            let stays = then.takes_password_of(&now);
            (then.password, now.password, stays)
        }),
        _ => None,
    };
    match along.map(|(then, now, stays)| (then.is_set(), now.is_set(), stays)) {
        None | Some((false, false, _)) => ("", false),
        Some((false, true, _)) => ("It had no password then: the one that is kept now is removed.", false),
        Some((true, true, true)) => ("The password stays as it is now.", false),
        Some((true, true, false)) => (
            "The password that is kept now was given for another server, port, account or protection and goes nowhere else: give the one for this.",
            true,
        ),
        Some((true, false, _)) => ("No password is kept now: give the one for this.", true),
    }
}

fn both<T: DeserializeOwned>(then: Value, now: Value) -> Option<(T, T)> {
    Some((serde_json::from_value(then).ok()?, serde_json::from_value(now).ok()?))
}

/// Goes back to a change of this server's own settings, as its form says.
///
/// # Errors
/// 404, 412, 422.
pub async fn restore(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    let n = sent.slug.rsplit('/').next().and_then(|n| n.parse::<u64>().ok()).filter(|n| slug_of(*n) == sent.slug);
    let n = n.ok_or_else(nothing)?;
    let password = sent.given.get("password").cloned();
    let etag = ports.restore_own(caller, n, sent.etag, words::given(&sent.reason), password).await.map_err(labelled)?;
    Ok(Saved {
        etag,
        text: format!("What change {n} made is back."),
        to: "/properties/history".into(),
        ..Saved::default()
    })
}

/// A problem that calls the password as the form does. Other fields are not in it.
fn labelled(mut problem: Problem) -> Problem {
    if let Some(rest) = problem.detail.strip_prefix("password:") {
        problem.detail = format!("Password:{rest}");
    }
    problem
}
