//! The page where a token is made.

use userlock_core::{api::SecuritySection, settings::Role};

use super::{form, given, group, role_names, text};
use crate::{
    api::{Caller, Refused},
    ports::SharedPorts,
    sheet::{Field, Kind, Saved, Sheet},
    sheets::{Outcome, spec::Given, titled},
};

/// The page.
pub fn new_token(section: &SecuritySection, etag: &str, editable: bool) -> Sheet {
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
