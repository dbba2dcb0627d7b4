//! The pages of Properties, laid out on the server: see [`crate::sheet`].

mod account;
mod again;
mod before;
mod certificate;
mod changes;
mod enrolment;
mod history;
mod notifications;
mod own;
mod role;
mod rules;
mod sections;
mod security;
mod spec;
mod test;

use std::fmt;

use serde_json::Value;
use userlock_core::api::{Problem, SectionBody};

pub use again::{Typed, told_alone, told_beside};
pub use sections::SECTIONS;
pub use spec::Given;

use crate::{
    api::{Area, Caller, Right},
    ports::SharedPorts,
    present::words,
    sheet::{Cell, Form, Saved, Sheet},
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
    /// A revision of the zone's settings, or a change of this server's own: going back to it.
    History,
    /// The role and the certificate of this server.
    Server,
    /// Where an enrolment string is made.
    Enrolment,
    /// One's own account.
    Account,
}

impl Pages {
    /// What their forms need.
    #[must_use]
    pub fn right(self) -> Right {
        match self {
            Self::Properties | Self::History => Right::Write(Area::Settings),
            Self::Server => Right::Administer,
            Self::Enrolment => Right::Write(Area::Agents),
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
            Self::History => "/fn/restore-revision",
            Self::Server => "/fn/change-server",
            Self::Enrolment => "/fn/make-enrolment-key",
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

/// There is no such page.
fn nothing() -> Problem {
    crate::api::problem(404, "not_found", "There is no such page", "Properties has no page of this name.")
}

/// What a form was about is another one by now.
fn overtaken(what: &str) -> Problem {
    crate::api::problem(412, "stale", "Changed meanwhile", &format!("{what} Nothing was changed."))
}

/// A page, as it is; after a plain form of this page with what was typed into it.
///
/// # Errors
/// 404, and what the ports refuse.
pub async fn sheet(pages: Pages, ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    let kept = crate::api::ForPage::of_request();
    let mut sheet = laid_out(pages, SharedPorts::clone(&ports), caller.clone(), slug).await?;
    if let Some(typed) = kept.typed(&sheet) {
        let read = match typed.overtaken() {
            Some(etag) => before::values(pages, &ports, &caller, slug, etag).await,
            None => None,
        };
        typed.show(&mut sheet, read.as_ref());
    }
    // The test of the connection is of what is saved, and of no form.
    if (pages, slug) == (Pages::Properties, "synchronization") {
        sheet.again.report = kept.report();
    }
    Ok(sheet)
}

async fn laid_out(pages: Pages, ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    match pages {
        Pages::Rules => rules::sheet(ports, caller, slug).await,
        Pages::Account => account::account_sheet(ports, caller).await,
        Pages::Security => security::sheet(ports, caller, slug).await,
        Pages::Server => match slug {
            // A page's one form is called by what it does, which may have changed since the page was read.
            role::REMOVE | role::LEAVE => role::sheet(ports, caller).await,
            certificate::PREPARE | certificate::USE => certificate::sheet(ports, caller).await,
            certificate::DISCARD => certificate::discard_sheet(ports, caller).await,
            _ => Err(nothing()),
        },
        Pages::Properties | Pages::History | Pages::Enrolment => match slug {
            "role" => role::sheet(ports, caller).await,
            "certificate" => certificate::sheet(ports, caller).await,
            certificate::DISCARD => certificate::discard_sheet(ports, caller).await,
            enrolment::SLUG => enrolment::sheet(ports, caller).await,
            _ => match slug.strip_prefix("history") {
                Some(rest) => history::sheet(ports, caller, rest).await,
                None => section_sheet(ports, caller, slug).await,
            },
        },
    }
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
        "agents" if read_only.is_none() && caller.may(Pages::Enrolment.right()) => tables.push(enrolment::table()),
        _ => {}
    }
    Ok(Sheet {
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
        Pages::History => return history::restore(ports, caller, sent).await,
        Pages::Server => return change_server(ports, caller, sent).await,
        Pages::Enrolment => return enrolment::make(ports, caller, sent).await,
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
        Pages::Security => security::change(ports, caller, sent, body).await,
        Pages::Rules => {
            let reason = words::given(&sent.reason);
            rules::change(ports, caller, sent.slug, sent.etag, sent.given, reason).await
        }
        _ => change_section(ports, caller, sent, &body.value).await,
    }
}

/// Does to this server what the form of its role or of its certificate says.
async fn change_server(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    match sent.slug.as_str() {
        role::REMOVE => role::remove_backup(ports, caller, sent).await,
        role::LEAVE => role::leave_zone(ports, caller, sent.reason).await,
        certificate::PREPARE => certificate::prepare(ports, caller, sent.reason).await,
        certificate::USE => certificate::take_up(ports, caller, sent).await,
        certificate::DISCARD => certificate::discard(ports, caller, sent).await,
        _ => Err(nothing()),
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

pub use test::{is_for_test, test};
