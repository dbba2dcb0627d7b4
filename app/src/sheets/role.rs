//! The role of this server, and giving it up: removing the Backup from the zone, or leaving the zone.

use userlock_core::api::ServerRole;

use super::{Outcome, Pages, Sent, cell, columns, overtaken, titled};
use crate::{
    api::Caller,
    ports::SharedPorts,
    sheet::{Form, Group, Row, Saved, Sheet, Table},
};

/// The form that removes the Backup.
pub const REMOVE: &str = "role/remove-backup";
/// The form that leaves the zone.
pub const LEAVE: &str = "role/leave-zone";

/// The most characters of a name that a form has: in its place other forms have an `ETag`, which has a bound.
const MOST_OF_A_NAME: usize = 32;

/// What this server is, and how that is changed.
pub async fn sheet(ports: SharedPorts, caller: Caller) -> Outcome<Sheet> {
    let overview = ports.overview().await?;
    let (server, zone) = (overview.server, overview.zone);
    let other = server.peer.as_ref().map_or("no other server", |peer| &peer.name);
    let fact = |name: &str, what: &str| Row { cells: vec![cell(name), cell(what)], ..Row::default() };
    let table = Table {
        heading: "Role".into(),
        columns: columns(&["Property", "Value"]),
        rows: vec![
            fact("This server", &format!("{}, {} server", server.name, server.role.title())),
            fact("Zone", &zone),
            fact("The other server", other),
        ],
        ..Table::default()
    };
    let backup = server.peer.as_ref().filter(|_| server.role == ServerRole::Primary).map(|peer| &peer.name);
    let (slug, button, busy, note) = match backup {
        Some(name) => (
            REMOVE,
            "Remove the Backup",
            "Removing it\u{2026}",
            format!(
                "Takes {name} out of this zone: its token is void, agents forget it, and nothing waits for it any more. Its own data stays there. Another server can become the Backup then, and this one can leave the zone."
            ),
        ),
        None => (
            LEAVE,
            "Leave the zone",
            "Leaving\u{2026}",
            "To give this server another role, or another zone: its data is set aside in the data directory, nothing is deleted, and the Configuration wizard is served in its place. The code that opens it is printed where the server logs.".to_owned(),
        ),
    };
    let form = Form {
        action: Pages::Server.action().into(),
        slug: slug.into(),
        etag: backup.map(|name| named(name)).unwrap_or_default(),
        editable: true,
        button: button.into(),
        busy: busy.into(),
        danger: true,
        reason_required: true,
        groups: vec![Group { heading: button.into(), note, fields: Vec::new() }],
    };
    Ok(Sheet {
        title: titled("Role"),
        tables: vec![table],
        form: caller.may(Pages::Server.right()).then_some(form),
        form_last: true,
        ..Sheet::default()
    })
}

/// A name as a form has it that is about who is called so.
fn named(name: &str) -> String {
    name.chars().take(MOST_OF_A_NAME).collect()
}

/// Removes the Backup from the zone, if it is the one that the form was about.
///
/// # Errors
/// 409, 412, 422.
pub async fn remove_backup(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    let server = ports.overview().await?.server;
    let backup = server.peer.filter(|_| server.role == ServerRole::Primary);
    if let Some(backup) = backup.filter(|backup| named(&backup.name) != sent.etag) {
        return Err(overtaken(&format!("{} is the Backup of this zone by now.", backup.name)));
    }
    ports.remove_backup(caller, sent.reason).await?;
    Ok(Saved { text: "The Backup is removed from the zone.".into(), ..Saved::default() })
}

/// Takes this server out of its zone.
///
/// # Errors
/// 409, 422.
pub async fn leave_zone(ports: SharedPorts, caller: Caller, reason: String) -> Outcome<Saved> {
    ports.leave_zone(caller, reason).await?;
    Ok(Saved { text: "This server has left the zone.".into(), to: "/wizard".into(), ..Saved::default() })
}
