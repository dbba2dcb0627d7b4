//! Properties > Security: accounts, roles, tokens and sign-ins, each with a page of its own where it is changed.

mod account;
mod harm;
mod overview;
mod role;
mod token;
mod written;

use userlock_core::{
    api::{SectionBody, SecuritySection, SignInView},
    settings::Role,
};

pub use harm::Precious;
pub use role::{access_words, area_name};
pub use token::make_token;
pub use written::put;

use super::{Outcome, nothing, spec::Given};
use crate::{
    api::{Area, Caller, Right},
    ports::SharedPorts,
    sheet::{Field, Form, Group, Kind, Sheet},
};

const ACTION: &str = "/fn/change-security";
const HOME: &str = "/properties/security";

fn hidden(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The page of Security (an empty part), of `accounts/NAME`, `accounts/NAME/delete`, `roles/NAME`, or `accounts/new` and
/// the like.
pub async fn sheet(ports: SharedPorts, caller: Caller, part: &str) -> Outcome<Sheet> {
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
    Ok(match part.split_once('/') {
        None if part.is_empty() => overview::overview(&section, sign_ins, body, editable, may),
        Some(("accounts", name)) => match name.strip_suffix("/delete") {
            Some(name) if editable => account::deletion(&section, name, &body.etag, &precious)?,
            _ => account::account(&section, name, &body.etag, editable, &precious)?,
        },
        Some(("roles", name)) => role::role(&section, name, &body.etag, editable, &precious)?,
        Some(("tokens", "new")) if editable => token::new_token(&section, &body.etag, editable),
        _ => return Err(nothing()),
    })
}

fn form(slug: &str, etag: &str, editable: bool, button: &str, groups: Vec<Group>) -> Form {
    Form {
        action: ACTION.into(),
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

/// The roles there are: those that are always there, then the zone's own.
fn role_names(section: &SecuritySection) -> Vec<String> {
    let own = section.roles.iter().map(|role| role.name.clone());
    Role::ALL.into_iter().rev().map(|role| role.as_str().to_owned()).chain(own).collect()
}

fn given<'a>(form: &'a Given, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default().trim()
}
