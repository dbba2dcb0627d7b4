//! The certificate of this server, the one that will take its place, and who knows it.

use userlock_core::api::{CertificateView, CertificatesView};

use super::{Outcome, cell, columns, reason_field, titled};
use crate::{
    api::{Caller, Right},
    ports::SharedPorts,
    present::number::counted,
    sheet::{Action, Cell, Row, Saved, Sheet, Table},
};

const HOME: &str = "/properties/certificate";

/// The page.
pub async fn sheet(ports: SharedPorts, caller: Caller) -> Outcome<Sheet> {
    let view = match ports.certificates().await {
        Ok(view) => view,
        // Without TLS there is nothing to show but that.
        Err(problem) if problem.code == "plain_http" => {
            return Ok(Sheet { title: titled("Certificate"), note: problem.detail, ..Sheet::default() });
        }
        Err(problem) => return Err(problem),
    };
    let actions = if caller.may(Right::Administer) { actions(&view) } else { Vec::new() };
    let mut tables = vec![facts("In use", "", &view.present)];
    if let Some(next) = &view.next {
        let note = "Announced to the other server and to the machines; they trust both until it is used.";
        tables.push(facts("Next", note, next));
        tables.push(spread(&view));
    }
    let note = if view.has_files {
        "How this server is known to browsers, to machines and to the other server. The certificate comes from the files that the configuration names: put another one there, and it is announced and used by itself as soon as everybody knows it."
    } else {
        "How this server is known to browsers, to machines and to the other server. To replace it, make the next one: it is announced first, and used when everybody knows it, without a restart."
    };
    Ok(Sheet { title: titled("Certificate"), note: note.into(), actions, tables, ..Sheet::default() })
}

fn facts(heading: &str, note: &str, certificate: &CertificateView) -> Table {
    let row = |name: &str, value: Cell| Row { cells: vec![cell(name), value], ..Row::default() };
    let at = |at: Option<i64>| Cell { text: String::new(), at };
    let from = if certificate.from_files { "the files that the configuration names" } else { "made by this server" };
    let signed = if certificate.self_signed { "itself".to_owned() } else { certificate.issuer.clone() };
    Table {
        heading: heading.into(),
        note: note.into(),
        columns: columns(&["Property", "Value"]),
        rows: vec![
            row("SHA-256", cell(certificate.fingerprint.as_str())),
            row("Names", cell(certificate.names.join(", "))),
            row("Signed by", cell(signed)),
            row("Good until", at(certificate.not_after)),
            row("Here since", at(certificate.since)),
            row("Comes from", cell(from)),
        ],
        ..Table::default()
    }
}

/// Who knows the next one.
fn spread(view: &CertificatesView) -> Table {
    let row = |name: &str, value: String| Row { cells: vec![cell(name), cell(value)], ..Row::default() };
    let known = view.agents_in_touch.saturating_sub(view.agents_lacking);
    let silent = match view.agents_silent {
        0 => "none".to_owned(),
        n if !view.has_peer => format!(
            "{}: there is no other server to learn it from, so they must be told by hand (userlock-agent trust)",
            counted(n, "machine", "machines")
        ),
        n => format!("{}: they learn it from the other server when they come back", counted(n, "machine", "machines")),
    };
    let waits = if view.waits_for.is_empty() { "nobody: it can be used".to_owned() } else { view.waits_for.join("; ") };
    Table {
        heading: "Who knows the next one".into(),
        note: "As of this moment. Machines say so at their next hello, within a heartbeat.".into(),
        add: (!view.waits_for.is_empty()).then(|| (HOME.into(), "Look again".into())),
        columns: columns(&["Property", "Value"]),
        rows: vec![
            row("Machines in touch", format!("{known} of {} know it", view.agents_in_touch)),
            row("Silent machines", silent),
            row("Waits for", waits),
        ],
        ..Table::default()
    }
}

fn actions(view: &CertificatesView) -> Vec<Action> {
    let action = |name: &str, button: &str, note: &str| Action {
        action: format!("/fn/{name}-certificate"),
        button: button.into(),
        note: note.into(),
        field: Some(reason_field()),
        ..Action::default()
    };
    let Some(next) = &view.next else {
        let note =
            "Makes a certificate for the same names, signed by itself. The one in use stays until you use the next.";
        let make = action("prepare", "Make the next certificate", note);
        return if view.has_files { Vec::new() } else { vec![make] };
    };
    let use_it = if view.waits_for.is_empty() {
        let note = "New connections see it at once, the others go on. Browsers ask again where it is self-signed.";
        action("use", "Use the next certificate", note)
    } else {
        let note = format!(
            "Not everybody knows it yet: {}. Who does not know it cannot reach this server any more until they learn it from the other one, or are told by hand. For a key that others have seen.",
            view.waits_for.join("; ")
        );
        let hidden = vec![("at_once".to_owned(), "true".to_owned())];
        Action { danger: true, hidden, ..action("use", "Use it at once all the same", &note) }
    };
    let give_up = action("discard", "Give the next certificate up", "The one in use stays, and is the only one again.");
    if next.from_files { vec![use_it] } else { vec![use_it, give_up] }
}

fn saved(text: &str) -> Saved {
    Saved { text: text.into(), to: HOME.into(), ..Saved::default() }
}

/// Makes the next certificate.
///
/// # Errors
/// 409, 422, 503.
pub async fn prepare(ports: SharedPorts, caller: Caller, reason: String) -> Outcome<Saved> {
    ports.prepare_certificate(caller, reason).await?;
    Ok(saved("The next certificate is made and announced. Use it when everybody knows it."))
}

/// Uses the next certificate.
///
/// # Errors
/// 409, 422, 503.
pub async fn take_up(ports: SharedPorts, caller: Caller, reason: String, at_once: bool) -> Outcome<Saved> {
    ports.use_certificate(caller, reason, at_once).await?;
    Ok(saved("The certificate is replaced. New connections see the new one."))
}

/// Gives the next certificate up.
///
/// # Errors
/// 409, 422, 503.
pub async fn discard(ports: SharedPorts, caller: Caller, reason: String) -> Outcome<Saved> {
    ports.discard_certificate(caller, reason).await?;
    Ok(saved("The next certificate is given up."))
}
