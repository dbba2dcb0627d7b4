//! Properties > Security: accounts, roles, tokens and sign-ins, each with a page of its own where it is changed.

mod account;
mod change;
mod harm;
mod overview;
mod role;
mod token;
mod written;

use userlock_core::{
    api::{SectionBody, SecuritySection, SignInView},
    settings::Role,
};

pub use change::change;
use harm::Precious;
pub use role::{access_words, area_name};
use written::put;

use super::{Outcome, Pages, nothing, spec::Given};
use crate::{
    api::{Area, Caller, Right},
    ports::SharedPorts,
    sheet::{Cell, Field, Form, Group, Kind, Sheet},
};

const HOME: &str = "/properties/security";

/// The part of Security that a page, or a form, is of.
pub fn part_of(slug: &str) -> &str {
    slug.trim_start_matches("security").trim_start_matches('/')
}

/// The page of Security itself, of `security/new-account` and the like, of `security/accounts/NAME` and the like, or where
/// one is deleted or revoked (`…/delete`, `…/revoke`).
pub async fn sheet(ports: SharedPorts, caller: Caller, slug: &str) -> Outcome<Sheet> {
    let part = part_of(slug);
    let body = ports.section("security".to_owned()).await?;
    let sign_ins = if part.is_empty() { ports.sign_ins(caller.clone()).await?.items } else { Vec::new() };
    let mut sheet = laid_out(&ports, &caller, part, &body, sign_ins)?;
    sheet.read_only = body.read_only;
    Ok(sheet)
}

/// The page of a part, of this section.
pub fn laid_out(
    ports: &SharedPorts,
    caller: &Caller,
    part: &str,
    body: &SectionBody,
    sign_ins: Vec<SignInView>,
) -> Outcome<Sheet> {
    let section: SecuritySection = serde_json::from_value(body.value.clone()).map_err(|_| nothing())?;
    let may = caller.may(Right::Write(Area::Security));
    let editable = body.read_only.is_none() && may;
    let precious = Precious::of(ports, caller);
    let etag = &body.etag;
    Ok(match part.split('/').collect::<Vec<_>>().as_slice() {
        [""] => overview::overview(&section, sign_ins, body, editable, may),
        ["accounts", name] => account::account(&section, name, etag, editable, &precious)?,
        ["roles", name] => role::role(&section, name, etag, editable, &precious)?,
        // Where nothing can be changed there is no page to do it.
        _ if !editable => return Err(nothing()),
        ["new-account"] => account::new_account(&section, etag),
        ["accounts", name, "delete"] => account::deletion(&section, name, etag, &precious)?,
        ["new-role"] => role::new_role(etag),
        ["roles", name, "delete"] => role::deletion(&section, name, etag)?,
        ["new-token"] => token::new_token(&section, etag),
        ["tokens", name, "revoke"] => token::revocation(&section, name, etag)?,
        _ => return Err(nothing()),
    })
}

fn form(slug: &str, etag: &str, editable: bool, button: &str, groups: Vec<Group>) -> Form {
    Form {
        action: Pages::Security.action().into(),
        slug: slug.into(),
        etag: etag.into(),
        editable,
        button: button.into(),
        groups,
        ..Form::default()
    }
}

fn group(heading: &str, note: &str, fields: Vec<Field>) -> Group {
    Group { heading: heading.into(), note: note.into(), fields }
}

fn at(at: i64) -> Cell {
    Cell { text: String::new(), at: Some(at) }
}

fn text(name: &str, label: &str, help: &str, value: &str) -> Field {
    Field {
        name: name.into(),
        label: label.into(),
        help: help.into(),
        value: value.into(),
        text: value.into(),
        max: 64,
        ..Field::default()
    }
}

fn check(name: &str, label: &str, meaning: &str, on: bool) -> Field {
    Field {
        name: name.into(),
        label: label.into(),
        kind: Kind::Check,
        value: on.to_string(),
        text: if on { "yes" } else { "no" }.into(),
        options: vec![("true".into(), meaning.into())],
        ..Field::default()
    }
}

fn fact(label: &str, text: &str) -> Field {
    Field { label: label.into(), kind: Kind::Fact, text: text.into(), ..Field::default() }
}

/// The roles there are: those that are always there, then the zone's own.
fn role_names(section: &SecuritySection) -> Vec<String> {
    let own = section.roles.iter().map(|role| role.name.clone());
    Role::ALL.into_iter().rev().map(|role| role.as_str().to_owned()).chain(own).collect()
}

fn given<'a>(form: &'a Given, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default().trim()
}
