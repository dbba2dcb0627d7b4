//! Protected accounts: the list of the rules, and a rule.

use userlock_core::{
    api::{Problem, ProtectedAccountView, Section},
    settings::{Limits, ProtectedAccountInput, Subject, SubjectKind},
};

use super::{Outcome, Pages, cell, columns, nothing, spec::Given};
use crate::{
    api::{Area, Caller, Refused, Right, RuleId},
    ports::SharedPorts,
    present::{number::grouped, query},
    sheet::{Field, Form, Group, Kind, Row, Saved, Sheet, Table},
};

const HOME: &str = "/protected-accounts";
/// What becomes of the sessions when a rule is deleted.
const AFTER_DELETION: &str = "Sessions that are open stay open; the next logon is decided by the rules that remain.";
/// Rules on one page of the list.
const PAGE: u32 = 100;
/// The largest limit.
const MAX_LIMIT: u32 = 100_000;

/// The limits, by field and word.
const LIMITS: [(&str, &str); 6] = [
    ("total", "In total"),
    ("workstation", "Workstation"),
    ("terminal", "Terminal"),
    ("vpn", "VPN"),
    ("wifi", "Wi-Fi"),
    ("web", "Web"),
];

fn limit_of(limits: &Limits, field: &str) -> Option<u32> {
    limits.each().find(|(name, _)| *name == field).and_then(|(_, limit)| limit)
}

/// What a limit is called, by its field.
pub(super) fn limit_name(field: &str) -> Option<&'static str> {
    LIMITS.iter().find(|(known, _)| *known == field).map(|(_, word)| *word)
}

/// How a limit reads.
pub(super) fn limit_words(limit: Option<u32>) -> String {
    match limit {
        None => "not configured".to_owned(),
        Some(0) => "none at all".to_owned(),
        Some(n) => grouped(n.into()),
    }
}

fn name_of(subject: &Subject) -> String {
    if subject.kind == SubjectKind::Everybody { "Everybody".into() } else { subject.name.clone() }
}

fn kind_text(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Everybody => "each account for itself",
        SubjectKind::User => "user",
        SubjectKind::Group => "group",
        SubjectKind::Ou => "organizational unit",
    }
}

fn no_rule() -> Problem {
    crate::api::problem(404, "not_found", "There is no such rule", "It may have been deleted.")
}

/// The list (an empty part), the page of a new rule (`new`), of one by its name, or where it is deleted (`ID/delete`).
pub async fn sheet(ports: SharedPorts, caller: Caller, part: &str) -> Outcome<Sheet> {
    let may = caller.may(Right::Write(Area::ProtectedAccounts));
    match part.split('/').collect::<Vec<_>>().as_slice() {
        [""] => list(ports, may, None).await,
        ["after", cursor] => list(ports, may, Some((*cursor).to_owned())).await,
        ["new"] => {
            let Section { read_only, .. } = ports.protected_accounts(1, None).await?;
            Ok(rule_sheet("New rule", None, may && read_only.is_none(), read_only))
        }
        [id] => {
            let id: RuleId = id.parse().map_err(|_| nothing())?;
            let Section { value, read_only, .. } = ports.protected_account(id).await?;
            Ok(rule_sheet("Protected account", Some(value), may && read_only.is_none(), read_only))
        }
        [id, "delete"] => {
            let id: RuleId = id.parse().map_err(|_| nothing())?;
            let Section { value, read_only, .. } = ports.protected_account(id).await?;
            // Where nothing can be changed there is no page to do it.
            if may && read_only.is_none() { Ok(deletion(value)) } else { Err(nothing()) }
        }
        _ => Err(nothing()),
    }
}

async fn list(ports: SharedPorts, may: bool, cursor: Option<String>) -> Outcome<Sheet> {
    let Section { value: page, read_only, .. } = ports.protected_accounts(PAGE, cursor).await?;
    let editable = may && read_only.is_none();
    let row = |rule: ProtectedAccountView| {
        let account = rule.account;
        let limits = LIMITS.map(|(field, _)| match limit_of(&account.limits, field) {
            None => cell("\u{2014}"),
            Some(0) => cell("none"),
            Some(n) => cell(grouped(n.into())),
        });
        Row {
            href: editable.then(|| format!("{HOME}/{}", account.id)),
            cells: [cell(name_of(&account.subject)), cell(kind_text(account.subject.kind))]
                .into_iter()
                .chain(limits)
                .collect(),
            ..Row::default()
        }
    };
    let columns = ["Account", "Subject"].into_iter().chain(LIMITS.map(|(_, word)| word)).map(str::to_owned).collect();
    let total = page.total.unwrap_or_default();
    let table = Table {
        heading: if total == 0 { "No rules yet".into() } else { "Limits of simultaneous sessions".into() },
        note: if total == 0 {
            "Without a rule every user may have any number of sessions. The first rule is often one for everybody: two workstations, one VPN.".into()
        } else {
            "A user's own rule comes before a group's, and that before everybody's. \u{2014}: not configured, so no limit by this rule. none: no such session at all.".into()
        },
        add: editable.then(|| (format!("{HOME}/new"), "New rule".to_owned())),
        columns,
        rows: page.items.into_iter().map(row).collect(),
        next: page.next.map(|cursor| (format!("{HOME}/after/{}", query::encode(&cursor)), "Next page".to_owned())),
        ..Table::default()
    };
    Ok(Sheet {
        title: "Protected accounts".into(),
        count: grouped(total),
        read_only,
        tables: vec![table],
        ..Sheet::default()
    })
}

/// The page of a rule, or of a new one.
pub(super) fn rule_sheet(
    title: &str,
    rule: Option<ProtectedAccountView>,
    editable: bool,
    read_only: Option<userlock_core::api::ReadOnly>,
) -> Sheet {
    let id = rule.as_ref().map_or_else(|| "new".to_owned(), |rule| rule.account.id.to_string());
    let etag = rule.as_ref().map(|rule| rule.etag.clone()).unwrap_or_default();
    let (subject, limits) = match rule {
        Some(rule) => (rule.account.subject, rule.account.limits),
        None => (Subject { kind: SubjectKind::User, name: String::new() }, Limits::default()),
    };
    let kinds = [
        ("user", "a user", SubjectKind::User),
        ("group", "each member of a group", SubjectKind::Group),
        ("everybody", "everybody, each account for itself", SubjectKind::Everybody),
    ];
    let kind = Field {
        name: "kind".into(),
        label: "Subject".into(),
        kind: Kind::Choice,
        value: kinds.iter().find(|(_, _, kind)| *kind == subject.kind).map_or("user", |(value, ..)| value).into(),
        text: kind_text(subject.kind).into(),
        options: kinds.iter().map(|(value, word, _)| ((*value).into(), (*word).into())).collect(),
        ..Field::default()
    };
    let name = Field {
        name: "name".into(),
        label: "Name".into(),
        help:
            "As it is typed at logon; CORP\\alice and alice@corp are one where the zone maps them. Empty for everybody."
                .into(),
        value: subject.name.clone(),
        text: name_of(&subject),
        max: 256,
        ..Field::default()
    };
    let limit = |(field, word): (&str, &str)| {
        let value = limit_of(&limits, field).map(|n| n.to_string()).unwrap_or_default();
        let text = limit_words(limit_of(&limits, field));
        Field {
            name: field.into(),
            label: word.into(),
            kind: Kind::Number,
            max: MAX_LIMIT,
            value,
            text,
            ..Field::default()
        }
    };
    let groups = vec![
        Group { heading: "Whom it is about".into(), note: String::new(), fields: vec![kind, name] },
        Group {
            heading: "Simultaneous sessions".into(),
            note: "Empty: not configured. 0: none at all.".into(),
            fields: LIMITS.map(limit).into(),
        },
    ];
    // What cannot be brought back by itself has a page of its own, which says what follows.
    let delete = (editable && id != "new").then(|| Table {
        heading: "Delete".into(),
        add: Some((format!("{HOME}/{id}/delete"), "Delete rule".to_owned())),
        empty: AFTER_DELETION.into(),
        ..Table::default()
    });
    Sheet {
        title: title.into(),
        read_only,
        form: Some(form(&id, etag, editable, "Save rule", groups)),
        tables: delete.into_iter().collect(),
        ..Sheet::default()
    }
}

fn form(slug: &str, etag: String, editable: bool, button: &str, groups: Vec<Group>) -> Form {
    Form {
        action: Pages::Rules.action().into(),
        slug: slug.into(),
        etag,
        editable,
        button: button.into(),
        groups,
        ..Form::default()
    }
}

/// The page where a rule is deleted.
fn deletion(rule: ProtectedAccountView) -> Sheet {
    let ProtectedAccountView { account, etag, .. } = rule;
    let row = |(field, word): (&str, &str)| {
        let limit = limit_words(limit_of(&account.limits, field));
        Row { cells: vec![cell(word), cell(limit)], ..Row::default() }
    };
    let limits = Table {
        heading: "What it says".into(),
        columns: columns(&["Simultaneous sessions", "Limit"]),
        rows: LIMITS.map(row).into(),
        ..Table::default()
    };
    let form = form(&format!("{}/delete", account.id), etag, true, "Delete rule", Vec::new());
    Sheet {
        title: format!("Delete the rule for {}", account.subject),
        note: AFTER_DELETION.into(),
        form: Some(Form { danger: true, busy: "Deleting\u{2026}".into(), ..form }),
        form_last: true,
        tables: vec![limits],
        ..Sheet::default()
    }
}

/// The rule as a form gives it.
fn input(given: &Given, reason: Option<String>) -> Result<ProtectedAccountInput, Refused> {
    let text = |name: &str| given.get(name).map(|text| text.trim()).unwrap_or_default();
    let kind = match text("kind") {
        "everybody" => SubjectKind::Everybody,
        "user" => SubjectKind::User,
        "group" => SubjectKind::Group,
        _ => return Err(Refused::field("kind", "Subject: choose whom the rule is about.")),
    };
    let limit = |(field, word): (&str, &str)| match text(field) {
        "" => Ok(None),
        number => match number.parse::<u32>() {
            Ok(n) if n <= MAX_LIMIT => Ok(Some(n)),
            _ => Err(Refused::field(
                field,
                &format!(
                    "{word}: must be a number from 0 to {MAX_LIMIT}, or empty for \u{201c}not configured\u{201d}."
                ),
            )),
        },
    };
    let [total, workstation, terminal, vpn, wifi, web] = LIMITS.map(limit);
    let limits =
        Limits { total: total?, workstation: workstation?, terminal: terminal?, vpn: vpn?, wifi: wifi?, web: web? };
    let name = if kind == SubjectKind::Everybody { String::new() } else { text("name").to_owned() };
    Ok(ProtectedAccountInput { subject: Subject { kind, name }, limits, reason })
}

/// A problem that calls its field as the form does.
fn labelled(mut problem: Problem) -> Problem {
    let Some(field) = problem.field.clone() else { return problem };
    let name = match field.rsplit('.').next().unwrap_or_default() {
        "subject" => "name",
        name => name,
    };
    let label = match name {
        "name" => "Name",
        "kind" => "Subject",
        other => limit_name(other).unwrap_or("Reason"),
    };
    if let Some(rest) = problem.detail.strip_prefix(&field).and_then(|rest| rest.strip_prefix(':')) {
        problem.detail = format!("{label}:{rest}");
    }
    problem.field = Some(name.to_owned());
    problem
}

/// Makes, changes or deletes a rule as a form says.
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
    let saved = |text: String| Saved { text, to: HOME.into(), ..Saved::default() };
    if let Some(id) = slug.strip_suffix("/delete") {
        let id: RuleId = id.parse().map_err(|_| no_rule())?;
        ports.check_rule_base(id, etag.clone()).await?;
        ports.delete_protected_account(caller, id, etag, reason).await?;
        return Ok(saved("The rule is deleted. It holds no longer from the next logon.".into()));
    }
    let id: Option<RuleId> = match slug.as_str() {
        "new" => None,
        id => Some(id.parse().map_err(|_| no_rule())?),
    };
    if let Some(id) = id {
        ports.check_rule_base(id, etag.clone()).await?;
    }
    let input = input(&given, reason).map_err(|refused| refused.0)?;
    let view = match id {
        None => ports.create_protected_account(caller, input).await,
        Some(id) => ports.change_protected_account(caller, id, etag, input).await,
    };
    let view = view.map_err(labelled)?;
    Ok(saved(format!("The rule for {} is saved. It holds from the next logon.", view.account.subject)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_limit_is_not_configured_and_zero_forbids() {
        let given = |pairs: &[(&str, &str)]| -> Given {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let form = given(&[("kind", "user"), ("name", " alice "), ("total", ""), ("terminal", "0")]);
        let read = input(&form, None).unwrap();
        assert_eq!(read.subject.name, "alice");
        assert_eq!((read.limits.total, read.limits.terminal), (None, Some(0)));
        for (name, value) in [("vpn", "-1"), ("web", "100001"), ("kind", "nobody")] {
            let mut wrong = form.clone();
            wrong.insert(name.into(), value.into());
            assert_eq!(input(&wrong, None).unwrap_err().0.field.as_deref(), Some(name));
        }
    }
}
