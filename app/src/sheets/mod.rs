//! The pages of Properties, laid out on the server: see [`crate::sheet`].

mod account;
mod again;
mod before;
mod certificate;
mod changes;
mod history;
mod notifications;
mod own;
mod rules;
mod sections;
mod security;
mod spec;
mod test;

use std::fmt;

use serde_json::{Map, Value};
use userlock_core::api::{Problem, SectionBody};

pub use again::{Typed, told_alone, told_beside};
pub use sections::SECTIONS;
pub use spec::Given;

use crate::{
    api::{Area, Caller, Refused, Right},
    ports::SharedPorts,
    present::words,
    sheet::{Cell, Field, Form, Saved, Sheet},
};

/// What a call gives, or why it was refused.
type Outcome<T> = Result<T, Problem>;

/// Pages with the same rights and the same server functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Properties, Security excepted.
    Properties,
    /// Properties > Security.
    Security,
    /// Protected accounts.
    Rules,
    /// A change of this server's own settings.
    OwnChange,
    /// One's own account.
    Account,
}

impl Pages {
    /// What their forms need.
    #[must_use]
    pub fn right(self) -> Right {
        match self {
            Self::Properties | Self::OwnChange => Right::Write(Area::Settings),
            Self::Security => Right::Write(Area::Security),
            Self::Rules => Right::Write(Area::ProtectedAccounts),
            Self::Account => Right::SignedIn,
        }
    }

    /// The server function that takes their forms.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Properties => "/fn/change-section",
            Self::Security => "/fn/change-security",
            Self::Rules => "/fn/change-rule",
            Self::OwnChange => "/fn/restore-own-revision",
            Self::Account => "/fn/change-own-password",
        }
    }
}

/// A form as it came. `Debug` shows the names of its fields alone: passwords are among them.
#[derive(Clone)]
pub struct Sent {
    /// Which section, or which part of one.
    pub slug: String,
    /// The revision that was read.
    pub etag: String,
    /// Its fields.
    pub given: Given,
    /// Why; empty when nothing was told.
    pub reason: String,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&String> = self.given.keys().collect();
        f.debug_struct("Sent").field("slug", &self.slug).field("given", &fields).finish_non_exhaustive()
    }
}

/// A cell with a text.
fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), at: None }
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

/// A page, as it is; after a plain form of this page with what was typed into it.
///
/// # Errors
/// 404, and what the ports refuse.
pub async fn sheet(pages: Pages, ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    let mut sheet = laid_out(pages, SharedPorts::clone(&ports), caller.clone(), slug).await?;
    if let Some(typed) = crate::api::take_typed(&sheet) {
        let read = match typed.overtaken() {
            Some(etag) => before::values(pages, &ports, &caller, slug, etag).await,
            None => None,
        };
        typed.show(&mut sheet, read.as_ref());
    }
    // The test of the connection is of what is saved, and of no form.
    if (pages, slug) == (Pages::Properties, "synchronization") {
        sheet.again.report = crate::api::take_report();
    }
    Ok(sheet)
}

async fn laid_out(pages: Pages, ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    match pages {
        Pages::Rules => rules::sheet(ports, caller, slug).await,
        Pages::Account => account::account_sheet(ports, caller).await,
        Pages::Security => security::sheet(ports, caller, part_of_security(slug)).await,
        Pages::Properties if slug == "certificate" => certificate::sheet(ports, caller).await,
        Pages::Properties if slug == "role" => own::role_sheet(ports, caller).await,
        Pages::Properties | Pages::OwnChange => match slug.strip_prefix("history") {
            Some(rest) => history::sheet(ports, caller, rest).await,
            None => section_sheet(ports, caller, slug).await,
        },
    }
}

fn part_of_security(slug: &str) -> &str {
    slug.trim_start_matches("security").trim_start_matches('/')
}

/// The page of a section.
async fn section_sheet(ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    let spec = sections::section(slug).ok_or_else(nothing)?;
    let SectionBody { value, etag, read_only } = ports.section(slug.to_owned()).await?;
    let may = caller.may(Right::Write(Area::Settings));
    let editable = read_only.is_none() && may;
    let form = Form { etag, ..form_of(&ports, spec, &value, editable) };
    let mut tables = Vec::new();
    match slug {
        "database" => tables.push(own::database_table(&ports).await?),
        "notifications" if !editable => tables = notifications::tables(&notifications::shown(&ports, &value), &value),
        _ => {}
    }
    let makes_keys = slug == "agents" && read_only.is_none() && caller.may(Right::Write(Area::Agents));
    Ok(Sheet {
        actions: if makes_keys { vec![own::new_key()] } else { Vec::new() },
        title: titled(spec.title),
        note: spec.note.into(),
        read_only,
        form: Some(form),
        test: if editable { test::of(slug) } else { None },
        tables,
        ..Sheet::default()
    })
}

/// The form of a section with its values.
fn form_of(ports: &SharedPorts, spec: &sections::SectionSpec, value: &Value, editable: bool) -> Form {
    let mut groups = spec::groups(spec.groups, value);
    if spec.slug == "notifications" && editable {
        groups.extend(notifications::boxes(&notifications::shown(ports, value), value));
    }
    Form {
        action: Pages::Properties.action().into(),
        slug: spec.slug.into(),
        editable,
        button: "Save".into(),
        groups,
        ..Form::default()
    }
}

/// Writes what a form gives. A server that refuses every change says so first, then whoever was overtaken is told,
/// whatever the fields are.
///
/// # Errors
/// 403, 404, 409, 412, 422 with the field.
pub async fn change(pages: Pages, ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    changed(pages, ports, caller, sent).await.map_err(told_alone)
}

async fn changed(pages: Pages, ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    let section = match pages {
        Pages::Account => return account::change_own_password(ports, caller, sent).await,
        Pages::OwnChange => return own::restore(ports, caller, sent).await,
        Pages::Properties => &sent.slug,
        Pages::Security => "security",
        // The rules are read-only where the zone's other settings are.
        Pages::Rules => "general",
    };
    let body = ports.section(section.to_owned()).await?;
    if let Some(why) = &body.read_only {
        return Err(crate::api::problem(409, "read_only_on_backup", "This cannot be changed here", &why.reason));
    }
    match pages {
        Pages::Security => change_security(ports, caller, sent, body).await,
        Pages::Rules => {
            let reason = words::given(&sent.reason);
            rules::change(ports, caller, sent.slug, sent.etag, sent.given, reason).await
        }
        _ => change_section(ports, caller, sent, &body.value).await,
    }
}

/// Writes a section as a form gives it.
async fn change_section(ports: SharedPorts, caller: Caller, sent: Sent, before: &Value) -> Outcome<Saved> {
    let Sent { slug, etag, given, reason } = sent;
    let spec = sections::section(&slug).ok_or_else(nothing)?;
    ports.check_base(slug.clone(), etag.clone()).await?;
    let mut fields = spec::written(spec.groups, &given, before).map_err(|refused| refused.0)?;
    let text = match slug.as_str() {
        "email" | "database" => "Saved, for this server.",
        "synchronization" => "Saved. It holds from now on.",
        _ => "Saved. The Backup has it within seconds.",
    };
    if slug == "notifications" {
        fields.insert("events".to_owned(), notifications::chosen(&given));
    }
    if slug == "messages" {
        fields.retain(|_, text| text.as_str() != Some(""));
    }
    let changed = ports
        .change_section(caller, slug, etag, fields, words::given(&reason))
        .await
        .map_err(|problem| labelled(spec.groups, problem))?;
    Ok(Saved { etag: changed.etag, text: text.into(), ..Saved::default() })
}

/// The title of a page of Properties.
fn titled(title: &str) -> String {
    format!("Properties \u{b7} {title}")
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
async fn change_security(ports: SharedPorts, caller: Caller, sent: Sent, body: SectionBody) -> Outcome<Saved> {
    let (part, reason) = (part_of_security(&sent.slug), words::given(&sent.reason));
    if part == "tokens/new" {
        return security::make_token(ports, caller, &sent.given, reason).await;
    }
    // A button of a table does not depend on what else has changed meanwhile.
    let etag = if part == "tokens/revoke" { body.etag.clone() } else { sent.etag.clone() };
    ports.check_base("security".to_owned(), etag.clone()).await?;
    let mut section: Map<String, Value> = body.value.as_object().cloned().unwrap_or_default();
    let (text, to) = security::put(part, &sent.given, &mut section).map_err(|refused: Refused| refused.0)?;
    // Nobody is asked to confirm what is refused all the same.
    ports.check_security(caller.clone(), section.clone()).await.map_err(of_one_form)?;
    security::Precious::of(&ports, &caller).confirmed(part, &body.value, &section, &sent.given)?;
    let changed = ports.change_section(caller, "security".to_owned(), etag, section, reason).await;
    let changed = changed.map_err(of_one_form)?;
    Ok(Saved { etag: changed.etag, text, to, ..Saved::default() })
}

/// A problem of Security that calls its field as the form of one account or one role does.
fn of_one_form(mut problem: Problem) -> Problem {
    if let Some(rest) = problem.detail.strip_prefix("session_minutes:") {
        problem.detail = format!("Session length:{rest}");
    }
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
}

pub use certificate::{discard as discard_certificate, prepare as prepare_certificate, take_up as use_certificate};
pub use history::restore;
pub use own::{leave_zone, make_key, remove_backup};
pub use test::{is_for_test, test};
