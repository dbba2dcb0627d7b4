//! The pages of Properties, laid out on the server: see [`crate::sheet`].

mod certificate;
mod history;
mod notifications;
mod own;
mod rules;
mod sections;
mod security;
mod spec;

use serde_json::{Map, Value};
use userlock_core::api::{Problem, ReadOnly, SectionBody, TestReport};

pub use sections::SECTIONS;
pub use spec::Given;

use crate::{
    api::{Area, Caller, Refused, Right},
    ports::SharedPorts,
    sheet::{Action, Cell, Field, Form, Saved, Sheet},
};

/// What a call gives, or why it was refused.
type Outcome<T> = Result<T, Problem>;

/// A cell with a text.
fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), at: None }
}

/// A button that tests what is kept.
fn test(slug: &str, button: &str, field: Option<Field>) -> Action {
    Action {
        action: "/fn/test-section".into(),
        button: button.into(),
        note: "Tests what is saved.".into(),
        hidden: vec![("slug".into(), slug.into())],
        field,
        ..Action::default()
    }
}

fn to_field() -> Field {
    Field { name: "to".into(), label: "Recipient".into(), max: 254, ..Field::default() }
}

/// Tests a section as it is kept.
///
/// # Errors
/// 404, 422.
pub async fn test_section(ports: SharedPorts, slug: String, to: String) -> Outcome<TestReport> {
    match slug.as_str() {
        "email" => ports.test_email(to).await,
        "database" => ports.test_database().await,
        _ => Err(nothing()),
    }
}

/// The heads of a table's columns.
fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Asks why something is done.
fn reason_field() -> Field {
    Field { name: "reason".into(), label: "Reason".into(), max: 500, ..Field::default() }
}

/// There is no such page.
fn nothing() -> Problem {
    crate::api::problem(404, "not_found", "There is no such page", "Properties has no page of this name.")
}

/// The page of a section, or of the history.
///
/// # Errors
/// 404, and what the ports refuse.
pub async fn sheet(ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    if let Some(rest) = slug.strip_prefix("history") {
        return history::sheet(ports, caller, rest).await;
    }
    if slug == "certificate" {
        return certificate::sheet(ports, caller).await;
    }
    if slug == "role" {
        return own::role_sheet(ports, caller).await;
    }
    let spec = sections::section(slug).ok_or_else(nothing)?;
    let body = ports.section(slug.to_owned()).await?;
    let SectionBody { value, etag, read_only } = body;
    let editable = read_only.is_none() && caller.may(Right::Write(Area::Settings));
    let form = Form {
        action: "/fn/change-section".into(),
        slug: slug.into(),
        etag,
        editable,
        button: "Save".into(),
        groups: match slug {
            "notifications" => notifications::with_events(spec::groups(spec.groups, &value), &ports.events(), &value),
            _ => spec::groups(spec.groups, &value),
        },
    };
    let (actions, tables) = match slug {
        "email" => (vec![test("email", "Send a test", Some(to_field()))], Vec::new()),
        "database" => (vec![test("database", "Test the database", None)], vec![own::database_table(&ports).await?]),
        _ => (Vec::new(), Vec::new()),
    };
    let actions = if caller.may(Right::Write(Area::Settings)) { actions } else { Vec::new() };
    Ok(Sheet {
        actions,
        tables,
        title: titled(spec.title),
        note: spec.note.into(),
        read_only,
        form: Some(form),
        ..Sheet::default()
    })
}

/// The page of Security, of an account, a role or a token.
///
/// # Errors
/// 404, and what the ports refuse.
pub async fn security_sheet(ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    security::sheet(ports, caller, slug.trim_start_matches("security").trim_start_matches('/')).await
}

/// Writes a section as a form gives it.
///
/// # Errors
/// 404, 409, 412, 422 with the field.
pub async fn change(
    ports: SharedPorts,
    caller: Caller,
    slug: String,
    etag: String,
    given: Given,
    reason: Option<String>,
) -> Outcome<Saved> {
    let spec = sections::section(&slug).ok_or_else(nothing)?;
    let body = ports.section(slug.clone()).await?;
    // A server that refuses every change says so first, whatever the fields are.
    refuse_read_only(body.read_only.as_ref())?;
    let own = matches!(slug.as_str(), "email" | "database");
    let mut fields = spec::written(spec.groups, &given, &body.value).map_err(|refused| refused.0)?;
    if slug == "notifications" {
        fields.insert("events".to_owned(), notifications::chosen(&given));
    }
    if slug == "messages" {
        fields.retain(|_, text| text.as_str() != Some(""));
    }
    let changed = ports
        .change_section(caller, slug, etag, fields, reason)
        .await
        .map_err(|problem| labelled(spec.groups, problem))?;
    let text = if own { "Saved, for this server." } else { "Saved. The Backup has it within seconds." };
    Ok(Saved { etag: changed.etag, text: text.into(), ..Saved::default() })
}

/// The title of a page of Properties.
fn titled(title: &str) -> String {
    format!("Properties \u{b7} {title}")
}

/// # Errors
/// 409 on a Backup.
fn refuse_read_only(read_only: Option<&ReadOnly>) -> Outcome<()> {
    match read_only {
        Some(why) => Err(crate::api::problem(409, "read_only_on_backup", "This cannot be changed here", &why.reason)),
        None => Ok(()),
    }
}

/// A problem that calls its field as the form does.
fn labelled(specs: &[spec::GroupSpec], mut problem: Problem) -> Problem {
    let Some(field) = problem.field.clone() else { return problem };
    let name = field.split(['.', '[']).next().unwrap_or_default();
    let spec = specs.iter().flat_map(|group| group.fields).find(|spec| spec.name == name);
    if let Some(spec) = spec {
        if let Some(rest) = problem.detail.strip_prefix(&field).and_then(|rest| rest.strip_prefix(':')) {
            problem.detail = format!("{}:{rest}", spec.label);
        }
        problem.field = Some(name.to_owned());
    }
    problem
}

/// Changes Security: a part of it as a form gives it.
///
/// # Errors
/// 403, 404, 409, 412, 422 with the field.
pub async fn change_security(
    ports: SharedPorts,
    caller: Caller,
    slug: String,
    etag: String,
    given: Given,
    reason: Option<String>,
) -> Outcome<Saved> {
    let body = ports.section("security".to_owned()).await?;
    refuse_read_only(body.read_only.as_ref())?;
    let part = slug.trim_start_matches("security").trim_start_matches('/').to_owned();
    if part == "tokens/new" {
        return security::make_token(ports, caller, &given, reason).await;
    }
    // A button of a table does not depend on what else has changed meanwhile.
    let etag = if part == "tokens/revoke" { body.etag.clone() } else { etag };
    let mut section: Map<String, Value> = body.value.as_object().cloned().unwrap_or_default();
    let (text, to) = security::put(&part, &given, &mut section).map_err(|refused: Refused| refused.0)?;
    let changed = ports.change_section(caller, "security".to_owned(), etag, section, reason).await;
    let changed = changed.map_err(|mut problem| {
        // The form has one account or one role, and calls its fields otherwise than the list of all of them.
        for list in ["accounts", "roles", "tokens"] {
            if let Some(rest) = problem.detail.strip_prefix(&format!("{list}: ")) {
                problem.field = Some(if rest.contains("password") { "password" } else { "name" }.to_owned());
                let mut letters = rest.chars();
                problem.detail =
                    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
                break;
            }
        }
        problem
    })?;
    Ok(Saved { etag: changed.etag, text, to, secret: None })
}

pub use certificate::{discard as discard_certificate, prepare as prepare_certificate, take_up as use_certificate};
pub use history::restore;
pub use own::{leave_zone, remove_backup, restore_own};
pub use rules::{change as change_rule, sheet as rules_sheet};
