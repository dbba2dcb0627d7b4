//! The certificate of this server, the one that will take its place, and who knows it.

use userlock_core::api::{CertificateView, CertificatesView};

use super::{Outcome, Pages, Sent, cell, columns, nothing, overtaken, titled};
use crate::{
    api::Caller,
    ports::SharedPorts,
    present::number::counted,
    sheet::{Cell, Field, Form, Group, Kind, Row, Saved, Sheet, Table},
};

const HOME: &str = "/properties/certificate";
/// The form that makes the next one.
pub const PREPARE: &str = "certificate/prepare";
/// The form that uses the next one.
pub const USE: &str = "certificate/use";
/// The page where the next one is given up, and its form.
pub const DISCARD: &str = "certificate/discard";
/// The field that is ticked where not everybody knows the next one.
const AT_ONCE: &str = "at_once";

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
    let may = caller.may(Pages::Server.right());
    let mut tables = vec![facts("In use", "", &view.present)];
    if let Some(next) = &view.next {
        let note = "Announced to the other server and to the machines; they trust both until it is used.";
        let give_up = (may && !next.from_files).then(|| (format!("/properties/{DISCARD}"), "Give it up".to_owned()));
        tables.push(Table { add: give_up, ..facts("Next", note, next) });
        tables.push(spread(&view));
    }
    let note = if view.has_files {
        "How this server is known to browsers, to machines and to the other server. The certificate comes from the files that the configuration names: put another one there, and it is announced and used by itself as soon as everybody knows it."
    } else {
        "How this server is known to browsers, to machines and to the other server. To replace it, make the next one: it is announced first, and used when everybody knows it, without a restart."
    };
    Ok(Sheet {
        title: titled("Certificate"),
        note: note.into(),
        form: form_of(&view).filter(|_| may),
        form_last: true,
        tables,
        ..Sheet::default()
    })
}

/// The page where the next one is given up.
pub async fn discard_sheet(ports: SharedPorts, caller: Caller) -> Outcome<Sheet> {
    let next = ports.certificates().await?.next.filter(|next| !next.from_files && caller.may(Pages::Server.right()));
    let next = next.ok_or_else(nothing)?;
    let form = Form {
        etag: next.fingerprint.clone(),
        ..form(DISCARD, "Give the next certificate up", "Giving it up\u{2026}", Vec::new())
    };
    Ok(Sheet {
        title: titled("Give the next certificate up"),
        note: "The one in use stays, and is the only one again.".into(),
        form: Some(Form { danger: true, ..form }),
        form_last: true,
        tables: vec![facts("Next", "", &next)],
        ..Sheet::default()
    })
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
    let in_touch = match view.agents_lacking {
        0 => format!("{}: none lacks it", view.agents_in_touch),
        n => format!("{}; {} not know it yet", view.agents_in_touch, counted(n, "machine does", "machines do")),
    };
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
        rows: vec![row("Machines in touch", in_touch), row("Silent machines", silent), row("Waits for", waits)],
        ..Table::default()
    }
}

fn form(slug: &str, button: &str, busy: &str, groups: Vec<Group>) -> Form {
    Form {
        action: Pages::Server.action().into(),
        slug: slug.into(),
        editable: true,
        button: button.into(),
        busy: busy.into(),
        reason_required: true,
        groups,
        ..Form::default()
    }
}

/// What can be done: to make the next one where there is none, else to use it.
fn form_of(view: &CertificatesView) -> Option<Form> {
    let about = |note: String, fields: Vec<Field>| vec![Group { heading: "Replace it".into(), note, fields }];
    let Some(next) = &view.next else {
        let note =
            "Makes a certificate for the same names, signed by itself. The one in use stays until you use the next.";
        let make = form(PREPARE, "Make the next certificate", "Making it\u{2026}", about(note.into(), Vec::new()));
        return (!view.has_files).then_some(make);
    };
    let waits = !view.waits_for.is_empty();
    let mut fields = Vec::new();
    let note = if waits {
        fields.push(Field {
            name: AT_ONCE.into(),
            label: "At once".into(),
            help: "For a key that others have seen. Else wait until everybody knows it.".into(),
            kind: Kind::Check,
            options: vec![("true".into(), "Use it although not everybody knows it".into())],
            ..Field::default()
        });
        format!(
            "Not everybody knows it yet: {}. Who does not know it cannot reach this server any more until they learn it from the other one, or are told by hand.",
            view.waits_for.join("; ")
        )
    } else {
        "New connections see it at once, the others go on. Browsers ask again where it is self-signed.".to_owned()
    };
    let take_up = form(USE, "Use the next certificate", "Replacing it\u{2026}", about(note, fields));
    Some(Form { danger: waits, etag: next.fingerprint.clone(), ..take_up })
}

fn saved(text: &str) -> Saved {
    Saved { text: text.into(), ..Saved::default() }
}

/// Makes the next certificate.
///
/// # Errors
/// 409, 422, 503.
pub async fn prepare(ports: SharedPorts, caller: Caller, reason: String) -> Outcome<Saved> {
    ports.prepare_certificate(caller, reason).await?;
    Ok(saved("The next certificate is made and announced. Use it when everybody knows it."))
}

/// Whoever has read of another next certificate decides on that one, and on nobody else's.
async fn check_next(ports: &SharedPorts, sent: &Sent) -> Outcome<()> {
    match ports.certificates().await?.next {
        Some(next) if next.fingerprint != sent.etag => Err(overtaken("The next certificate is another one by now.")),
        // Where there is none that is said.
        _ => Ok(()),
    }
}

/// Uses the next certificate, if it is the one that the form was about.
///
/// # Errors
/// 409, also with the field that must be ticked; 412, 422, 503.
pub async fn take_up(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    check_next(&ports, &sent).await?;
    let at_once = sent.given.contains_key(AT_ONCE);
    ports.use_certificate(caller, sent.reason, at_once).await.map_err(|mut problem| {
        if problem.code == "not_known_everywhere" {
            problem.field = Some(AT_ONCE.to_owned());
        }
        problem
    })?;
    Ok(saved("The certificate is replaced. New connections see the new one."))
}

/// Gives the next certificate up, if it is the one that the form was about.
///
/// # Errors
/// 409, 412, 422, 503.
pub async fn discard(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    check_next(&ports, &sent).await?;
    ports.discard_certificate(caller, sent.reason).await?;
    Ok(Saved { to: HOME.into(), ..saved("The next certificate is given up.") })
}
