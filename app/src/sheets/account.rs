//! One's own account: who one is, and one's password.

use userlock_core::api::Problem;

use super::{Outcome, Pages, Sent};
use crate::{
    api::{Caller, Refused, problem},
    ports::SharedPorts,
    present::words,
    sheet::{Field, Form, Group, Kind, Saved, Sheet},
};

/// The fields of the form, by the name that the interface has for them.
const FIELDS: [(&str, &str, &str); 3] = [
    ("current", "Present password", ""),
    ("new", "New password", "8 characters or more."),
    ("again", "New password again", ""),
];

fn fact(label: &str, text: &str) -> Field {
    Field { name: label.to_lowercase(), label: label.into(), kind: Kind::Fact, text: text.into(), ..Field::default() }
}

/// The page.
pub async fn account_sheet(ports: SharedPorts, caller: Caller) -> Outcome<Sheet> {
    let read_only = ports.read_only();
    let has_password = caller.sign_in.is_some();
    let editable = has_password && read_only.is_none();
    let facts = vec![fact("Name", &caller.name), fact("Roles", &caller.roles)];
    let mut groups = vec![Group { heading: "Who you are".into(), note: String::new(), fields: facts }];
    if editable {
        let secret = |(name, label, help): (&str, &str, &str)| Field {
            name: name.into(),
            label: label.into(),
            help: help.into(),
            kind: Kind::Secret,
            max: 1024,
            ..Field::default()
        };
        groups.push(Group {
            heading: "Password".into(),
            note: "It holds on both servers. Your other sign-ins end, this one stays.".into(),
            fields: FIELDS.map(secret).into(),
        });
    }
    let form = Form {
        action: Pages::Account.action().into(),
        slug: "account".into(),
        editable,
        button: "Change password".into(),
        groups,
        ..Form::default()
    };
    Ok(Sheet {
        title: "Your account".into(),
        note: if has_password { String::new() } else { "A token has no password.".into() },
        read_only,
        form: Some(form),
        ..Sheet::default()
    })
}

/// Changes the password as the form says.
///
/// # Errors
/// 403, 409, 422 with the field, 429.
pub async fn change_own_password(ports: SharedPorts, caller: Caller, sent: Sent) -> Outcome<Saved> {
    if let Some(why) = ports.read_only() {
        return Err(problem(409, "read_only_on_backup", "This cannot be changed here", &why.reason));
    }
    // Every character of a password counts, spaces too.
    let [current, new, again] = FIELDS.map(|(name, ..)| sent.given.get(name).cloned().unwrap_or_default());
    if new != again {
        return Err(Refused::field("again", "New password again: is not the same. Nothing was changed.").0);
    }
    let reason = words::given(&sent.reason);
    let cookie = ports.change_own_password(caller, current, new, reason).await.map_err(labelled)?;
    if let Some(cookie) = cookie {
        crate::api::set_cookie(&cookie);
    }
    let text = "Your password is changed. Your other sign-ins have ended.";
    Ok(Saved { text: text.into(), to: "/".into(), ..Saved::default() })
}

/// A problem that calls its field as the form does.
fn labelled(mut problem: Problem) -> Problem {
    let label = FIELDS.iter().find(|(name, ..)| problem.field.as_deref() == Some(*name));
    if let Some((name, label, _)) = label
        && let Some(rest) = problem.detail.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'))
    {
        problem.detail = format!("{label}:{rest}");
    }
    problem
}
