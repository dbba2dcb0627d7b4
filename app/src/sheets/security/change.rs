//! What a form of Security does.

use serde_json::{Map, Value};
use userlock_core::api::{Problem, SectionBody};

use super::{Precious, part_of, put, token};
use crate::{
    api::{Caller, Refused},
    ports::SharedPorts,
    present::words,
    sheet::Saved,
    sheets::{Outcome, Sent},
};

/// Changes a part of Security as a form gives it.
///
/// # Errors
/// 403, 404, 412, 422 with the field.
pub async fn change(ports: SharedPorts, caller: Caller, sent: Sent, body: SectionBody) -> Outcome<Saved> {
    let Sent { slug, etag, given, reason } = sent;
    let (part, reason) = (part_of(&slug), words::given(&reason));
    if part == "new-token" {
        return token::make_token(ports, caller, &given, reason).await.map_err(of_one_form);
    }
    ports.check_base("security".to_owned(), etag.clone()).await?;
    let mut section: Map<String, Value> = body.value.as_object().cloned().unwrap_or_default();
    let (text, to) = put(part, &given, &mut section).map_err(|refused: Refused| refused.0)?;
    // Nobody is asked to confirm what is refused all the same.
    ports.check_security(caller.clone(), section.clone()).await.map_err(of_one_form)?;
    Precious::of(&ports, &caller).confirmed(&body.value, &section, &given)?;
    let changed = ports.change_section(caller, "security".to_owned(), etag, section, reason).await;
    let changed = changed.map_err(of_one_form)?;
    Ok(Saved { etag: changed.etag, text, to, ..Saved::default() })
}

/// What a form calls the fields of the interface that it has.
const LABELS: [(&str, &str); 3] = [("session_minutes", "Session length"), ("name", "Name"), ("role", "Role")];

/// A problem of Security that calls its field as the form of one account, one role or one token does.
fn of_one_form(mut problem: Problem) -> Problem {
    for (field, label) in LABELS {
        if let Some(rest) = problem.detail.strip_prefix(field).and_then(|rest| rest.strip_prefix(':')) {
            problem.detail = format!("{label}:{rest}");
            return problem;
        }
    }
    let detail = problem.detail.strip_prefix("security.").unwrap_or(&problem.detail);
    let of_list = ["accounts: ", "roles: ", "tokens: "].into_iter().find_map(|list| detail.strip_prefix(list));
    if let Some(rest) = of_list {
        problem.field = Some(if rest.contains("password") { "password" } else { "name" }.to_owned());
        let mut letters = rest.chars();
        problem.detail = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_field_as_the_form_does() {
        let named = |field: &str, message: &str| {
            let mut problem =
                crate::api::problem(422, "invalid_field", "A field is not right", &format!("{field}: {message}"));
            problem.field = Some(field.to_owned());
            let problem = of_one_form(problem);
            (problem.field.unwrap_or_default(), problem.detail)
        };
        let of = |field: &str, detail: &str| (field.to_owned(), detail.to_owned());
        assert_eq!(named("name", "must."), of("name", "Name: must."));
        assert_eq!(named("role", "there is no role x."), of("role", "Role: there is no role x."));
        assert_eq!(named("session_minutes", "must."), of("session_minutes", "Session length: must."));
        assert_eq!(named("accounts", "the account a must."), of("name", "The account a must."));
        assert_eq!(named("accounts", "the password must."), of("password", "The password must."));
        assert_eq!(named("security.tokens", "must have at most 1000."), of("name", "Must have at most 1000."));
        assert_eq!(named("reason", "must."), of("reason", "reason: must."));
    }
}
