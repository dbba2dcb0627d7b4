//! Properties > Security: accounts, roles, tokens and sign-ins, each with a page of its own where it is changed.

use serde_json::{Map, Value, json};
use userlock_core::{
    api::{SectionBody, SecuritySection, SignInView},
    settings::{Access, Area as OfRights, Role},
};

use super::{Outcome, cell, columns, nothing, reason_field, spec::Given, titled};
use crate::{
    api::{Area, Caller, Refused, Right},
    ports::SharedPorts,
    sheet::{Action, Cell, Field, Form, Group, Kind, Row, Saved, Sheet, Table},
};

const ACTION: &str = "/fn/change-security";
const HOME: &str = "/properties/security";

fn at(at: i64) -> Cell {
    Cell { text: String::new(), at: Some(at) }
}

fn hidden(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The page of Security (an empty part), of `accounts/NAME`, `roles/NAME`, or `accounts/new` and the like.
pub async fn sheet(ports: SharedPorts, caller: Caller, part: &str) -> Outcome<Sheet> {
    let body = ports.section("security".to_owned()).await?;
    let section: SecuritySection = serde_json::from_value(body.value.clone()).map_err(|_| nothing())?;
    let editable = body.read_only.is_none() && caller.may(Right::Write(Area::Security));
    let mut sheet = match part.split_once('/') {
        None if part.is_empty() => {
            let sign_ins = ports.sign_ins(caller.clone()).await?.items;
            overview(&section, sign_ins, &body, editable, caller.may(Right::Write(Area::Security)))
        }
        Some(("accounts", name)) => account(&section, name, &body.etag, editable)?,
        Some(("roles", name)) => role(&section, name, &body.etag, editable)?,
        Some(("tokens", "new")) if editable => new_token(&section, &body.etag, editable),
        _ => return Err(nothing()),
    };
    sheet.read_only = body.read_only;
    Ok(sheet)
}

fn overview(
    section: &SecuritySection,
    sign_ins: Vec<SignInView>,
    body: &SectionBody,
    editable: bool,
    ends_sign_ins: bool,
) -> Sheet {
    let add = |to: &str, word: &str| editable.then(|| (format!("{HOME}/{to}/new"), word.to_owned()));
    let link = |kind: &str, name: &str| Some(format!("{HOME}/{kind}/{}", crate::present::query::encode(name)));
    let accounts = section.accounts.iter().map(|account| Row {
        href: link("accounts", &account.name),
        cells: vec![
            cell(&account.name),
            cell(account.roles.join(", ")),
            cell(if account.disabled { "disabled" } else { "may sign in" }),
        ],
        action: None,
    });
    let built_in = Role::ALL.into_iter().map(|role| Row {
        href: None,
        cells: vec![cell(role.as_str()), cell("always there"), cell(built_in_text(role))],
        action: None,
    });
    let own = section.roles.iter().map(|role| Row {
        href: link("roles", &role.name),
        cells: vec![cell(&role.name), cell("of this zone"), cell(rights_text(&role.rights))],
        action: None,
    });
    let tokens = section.tokens.iter().map(|token| Row {
        href: None,
        cells: vec![
            cell(&token.name),
            cell(&token.role),
            at(token.at),
            token.expires.map_or_else(|| cell("never"), at),
        ],
        action: editable.then(|| Action {
            action: ACTION.into(),
            button: "Revoke".into(),
            danger: true,
            hidden: hidden(&[
                ("slug", "security/tokens/revoke"),
                ("etag", &body.etag),
                ("form[name]", &token.name),
                ("reason", "token revoked"),
            ]),
            ..Action::default()
        }),
    });
    let sign_ins = sign_ins.into_iter().map(|sign_in| Row {
        href: None,
        cells: vec![
            cell(if sign_in.own { format!("{} (this browser)", sign_in.account) } else { sign_in.account }),
            cell(sign_in.address),
            at(sign_in.since),
            at(sign_in.last_seen),
        ],
        action: ends_sign_ins.then(|| Action {
            action: "/fn/end-sign-in".into(),
            button: "End".into(),
            danger: true,
            hidden: hidden(&[("id", &sign_in.id.to_string())]),
            ..Action::default()
        }),
    });
    let tables = vec![
        Table {
            heading: "Accounts".into(),
            note: "Who may sign in to either server, and a service account for a Backup.".into(),
            add: add("accounts", "New account"),
            columns: columns(&["Name", "Roles", "State"]),
            rows: accounts.collect(),
            ..Table::default()
        },
        Table {
            heading: "Roles".into(),
            note: "An account has the rights of all its roles. To write implies to read; what one role denies no other gives.".into(),
            add: add("roles", "New role"),
            columns: columns(&["Name", "Kind", "Rights"]),
            rows: built_in.chain(own).collect(),
            ..Table::default()
        },
        Table {
            heading: "API tokens".into(),
            note: "For programs. A token has one role, and is told once.".into(),
            add: add("tokens", "New token"),
            columns: columns(&["Name", "Role", "Made", "Ends"]),
            rows: tokens.collect(),
            empty: "No token yet. A program needs one to use the HTTP interface.".into(),
            ..Table::default()
        },
        Table {
            heading: "Sign-ins on this server".into(),
            note: "Each server has its own.".into(),
            columns: columns(&["Account", "Address", "Since", "Last used"]),
            rows: sign_ins.collect(),
            empty: "Nobody is signed in.".into(),
            ..Table::default()
        },
    ];
    let minutes = Field {
        name: "session_minutes".into(),
        label: "Session length".into(),
        help: "Minutes without activity after which a sign-in ends. After 7 days it ends in any case.".into(),
        kind: Kind::Number,
        value: section.session_minutes.to_string(),
        text: format!("{} minutes", section.session_minutes),
        min: 1,
        max: 10_080,
        ..Field::default()
    };
    Sheet {
        title: titled("Security"),
        note: "Who may do what on both servers.".into(),
        form: Some(form("security", &body.etag, editable, "Save", vec![group("Sign-ins", "", vec![minutes])])),
        tables,
        ..Sheet::default()
    }
}

fn form(slug: &str, etag: &str, editable: bool, button: &str, groups: Vec<Group>) -> Form {
    Form { action: ACTION.into(), slug: slug.into(), etag: etag.into(), editable, button: button.into(), groups }
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

fn account(section: &SecuritySection, name: &str, etag: &str, editable: bool) -> Outcome<Sheet> {
    let known = section.accounts.iter().find(|account| account.name == name);
    let new = name == "new" && known.is_none();
    // Where none can be made there is no page for a new one.
    if known.is_none() && !(new && editable) {
        return Err(nothing());
    }
    let has = |role: &str| known.is_some_and(|account| account.roles.iter().any(|r| r == role));
    let roles = role_names(section).into_iter().map(|role| {
        let label = if role == Role::Administrator.as_str() { "Roles" } else { "" };
        check(&format!("role-{role}"), label, &role, has(&role))
    });
    let password = Field {
        name: "password".into(),
        label: "Password".into(),
        help: if new { "8 characters or more." } else { "Empty: as it is. A new one ends the account's sign-ins." }
            .into(),
        kind: Kind::Secret,
        text: "set".into(),
        max: 1024,
        ..Field::default()
    };
    let mut fields = Vec::new();
    if new {
        fields.push(text("name", "Name", "Case does not count.", ""));
    }
    fields.extend(roles);
    fields.push(check(
        "disabled",
        "Disabled",
        "may not sign in for now",
        known.is_some_and(|account| account.disabled),
    ));
    fields.push(password);
    let actions = known.filter(|_| editable).map(|account| Action {
        action: ACTION.into(),
        button: "Delete account".into(),
        note: "Its sign-ins end at once. What it has done stays in the logs under its name.".into(),
        danger: true,
        hidden: hidden(&[
            ("slug", &format!("security/accounts/{}/delete", account.name)),
            ("etag", etag),
            ("form[x]", ""),
        ]),
        field: Some(reason_field()),
    });
    Ok(Sheet {
        title: titled(&if new { "New account".to_owned() } else { format!("Account {name}") }),
        form: Some(form(
            &format!("security/accounts/{name}"),
            etag,
            editable,
            "Save account",
            vec![group("", "", fields)],
        )),
        actions: actions.into_iter().collect(),
        ..Sheet::default()
    })
}

const ACCESS: [(&str, &str); 4] =
    [("", "\u{2014}"), ("read", "read"), ("write", "read and write"), ("deny", "denied, whatever other roles give")];

fn access_name(access: Option<Access>) -> &'static str {
    match access {
        None => "",
        Some(Access::Read) => "read",
        Some(Access::Write) => "write",
        Some(Access::Deny) => "deny",
    }
}

fn area_title(area: OfRights) -> (&'static str, &'static str) {
    match area {
        OfRights::Sessions => ("Sessions", "The list and the session events. To write: log off, forget."),
        OfRights::Synchronization => ("Synchronization", "The runs. To write: start, cancel, test."),
        OfRights::ProtectedAccounts => ("Protected accounts", "The rules."),
        OfRights::Settings => ("Properties", "All sections but Security."),
        OfRights::Agents => ("Agents", "To write: revoke, release, make an enrolment key."),
        OfRights::Security => ("Security", "Accounts, roles, tokens, sign-ins."),
        OfRights::Log => ("Application log", "And the metrics."),
    }
}

/// What an area is called, by its name in the settings.
pub(super) fn area_name(area: &str) -> Option<&'static str> {
    OfRights::ALL.into_iter().find(|known| known.as_str() == area).map(|area| area_title(area).0)
}

/// How an access reads, by its name in the settings.
pub(super) fn access_words(access: &str) -> &str {
    ACCESS.iter().find(|(known, _)| *known == access).map_or(access, |(_, word)| word)
}

fn built_in_text(role: Role) -> &'static str {
    match role {
        Role::ReadOnly => "reads everything",
        Role::Operator => "reads everything; writes sessions and synchronization",
        Role::Administrator => "everything",
    }
}

fn rights_text(rights: &std::collections::BTreeMap<OfRights, Access>) -> String {
    let told = rights
        .iter()
        .map(|(area, access)| format!("{}: {}", area_title(*area).0.to_lowercase(), access_name(Some(*access))));
    let told: Vec<_> = told.collect();
    if told.is_empty() { "none".into() } else { told.join(", ") }
}

fn role(section: &SecuritySection, name: &str, etag: &str, editable: bool) -> Outcome<Sheet> {
    let known = section.roles.iter().find(|role| role.name == name);
    let new = name == "new" && known.is_none();
    // Where none can be made there is no page for a new one.
    if known.is_none() && !(new && editable) {
        return Err(nothing());
    }
    let areas = OfRights::ALL.into_iter().map(|area| {
        let (label, help) = area_title(area);
        let value = access_name(known.and_then(|role| role.rights.get(&area).copied()));
        Field {
            name: area.as_str().into(),
            label: label.into(),
            help: help.into(),
            kind: Kind::Choice,
            value: value.into(),
            text: ACCESS.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word).into(),
            options: ACCESS.iter().map(|(value, word)| ((*value).into(), (*word).into())).collect(),
            ..Field::default()
        }
    });
    let mut fields = Vec::new();
    if new {
        fields.push(text("name", "Name", "Lower-case letters, digits, - and _.", ""));
    }
    fields.extend(areas);
    let actions = known.filter(|_| editable).map(|role| Action {
        action: ACTION.into(),
        button: "Delete role".into(),
        note: "Only a role that no account and no token has can be deleted.".into(),
        danger: true,
        hidden: hidden(&[("slug", &format!("security/roles/{}/delete", role.name)), ("etag", etag), ("form[x]", "")]),
        field: Some(reason_field()),
    });
    Ok(Sheet {
        title: titled(&if new { "New role".to_owned() } else { format!("Role {name}") }),
        form: Some(form(
            &format!("security/roles/{name}"),
            etag,
            editable,
            "Save role",
            vec![group("Rights", "", fields)],
        )),
        actions: actions.into_iter().collect(),
        ..Sheet::default()
    })
}

fn new_token(section: &SecuritySection, etag: &str, editable: bool) -> Sheet {
    let role = Field {
        name: "role".into(),
        label: "Role".into(),
        kind: Kind::Choice,
        value: Role::ReadOnly.as_str().into(),
        options: role_names(section).into_iter().map(|role| (role.clone(), role)).collect(),
        ..Field::default()
    };
    let days = Field {
        name: "days".into(),
        label: "Ends after".into(),
        help: "Days; empty: never.".into(),
        kind: Kind::Number,
        min: 1,
        max: 3660,
        ..Field::default()
    };
    let fields = vec![text("name", "Name", "What it is for. Another token of this name is replaced.", ""), role, days];
    Sheet {
        title: titled("New token"),
        note: "The token is shown once, when it is made.".into(),
        form: Some(form("security/tokens/new", etag, editable, "Make token", vec![group("", "", fields)])),
        ..Sheet::default()
    }
}

fn given<'a>(form: &'a Given, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default().trim()
}

/// Changes one of the section's lists.
fn edit<R>(section: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
    let mut items = match section.remove(name) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let result = change(&mut items);
    section.insert(name.to_owned(), items.into());
    result
}

fn is(item: &Value, name: &str) -> bool {
    item.get("name").and_then(Value::as_str) == Some(name)
}

/// Puts what a form gives into the section; the text to tell, and the page to go to.
pub fn put(part: &str, form: &Given, section: &mut Map<String, Value>) -> Result<(String, String), Refused> {
    let steps: Vec<&str> = part.split('/').collect();
    match steps.as_slice() {
        [""] => {
            let minutes = given(form, "session_minutes").parse::<u32>();
            let minutes = minutes
                .map_err(|_| Refused::field("session_minutes", "Session length: must be a number from 1 to 10080."))?;
            section.insert("session_minutes".into(), minutes.into());
            Ok(("Saved. The Backup has it within seconds.".into(), String::new()))
        }
        ["tokens", "revoke"] => {
            let name = given(form, "name");
            edit(section, "tokens", |tokens| tokens.retain(|token| !is(token, name)));
            Ok((format!("The token {name} is revoked."), HOME.into()))
        }
        [kind @ ("accounts" | "roles"), name, "delete"] => {
            edit(section, kind, |items| items.retain(|item| !is(item, name)));
            Ok((format!("{name} is deleted."), HOME.into()))
        }
        ["accounts", name] => {
            let new = *name == "new" && !edit(section, "accounts", |items| items.iter().any(|item| is(item, name)));
            let name = if new { given(form, "name").to_owned() } else { (*name).to_owned() };
            let roles: Vec<&str> = form.keys().filter_map(|key| key.strip_prefix("role-")).collect();
            if roles.is_empty() {
                return Err(Refused::field("role-administrator", "Roles: choose one at least."));
            }
            let password = form.get("password").map(String::as_str).unwrap_or_default();
            let password = if password.is_empty() && !new { json!({ "set": true }) } else { json!(password) };
            let account = json!({
                "name": name, "roles": roles, "disabled": form.contains_key("disabled"), "password": password,
            });
            edit(section, "accounts", |accounts| put_item(accounts, new, &name, account))?;
            Ok((format!("The account {name} is saved."), HOME.into()))
        }
        ["roles", name] => {
            let new = *name == "new" && !edit(section, "roles", |items| items.iter().any(|item| is(item, name)));
            let name = if new { given(form, "name").to_owned() } else { (*name).to_owned() };
            let rights = OfRights::ALL.into_iter().filter_map(|area| {
                let access = given(form, area.as_str());
                (!access.is_empty()).then(|| (area.as_str().to_owned(), Value::from(access)))
            });
            let role = json!({ "name": name, "rights": rights.collect::<Map<_, _>>() });
            edit(section, "roles", |roles| put_item(roles, new, &name, role))?;
            Ok((format!("The role {name} is saved."), HOME.into()))
        }
        _ => Err(Refused(nothing())),
    }
}

fn put_item(items: &mut Vec<Value>, new: bool, name: &str, item: Value) -> Result<(), Refused> {
    let same = |known: &Value| known.get("name").and_then(Value::as_str).is_some_and(|n| n.eq_ignore_ascii_case(name));
    match (items.iter_mut().find(|known| same(known)), new) {
        (Some(_), true) => Err(Refused::field("name", &format!("Name: {name} is there already."))),
        (Some(known), false) => {
            *known = item;
            Ok(())
        }
        (None, _) => {
            items.push(item);
            Ok(())
        }
    }
}

/// Makes a token; it is told once.
pub async fn make_token(ports: SharedPorts, caller: Caller, form: &Given, reason: Option<String>) -> Outcome<Saved> {
    let days = match given(form, "days") {
        "" => None,
        days => {
            let days = days.parse::<u32>().ok().filter(|days| (1..=3660).contains(days));
            Some(days.ok_or_else(|| Refused::field("days", "Ends after: must be from 1 to 3660 days, or empty.").0)?)
        }
    };
    let name = given(form, "name").to_owned();
    let secret = ports.make_token(caller, name.clone(), given(form, "role").to_owned(), days, reason).await?;
    let etag = ports.section("security".to_owned()).await?.etag;
    Ok(Saved {
        etag,
        text: format!("The token {name} is made. Copy it now; it is not shown again."),
        secret: Some(secret),
        ..Saved::default()
    })
}
