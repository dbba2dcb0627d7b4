//! The tests of E-mail and Database: of what stands in the form, saved or not.

use userlock_core::api::Problem;

use super::{Outcome, Sent, labelled, nothing, sections, spec};
use crate::{
    api::Refused,
    ports::SharedPorts,
    present::words,
    sheet::{Field, Saved, Test},
};

const NOTE: &str =
    "Tests what stands above, saved or not, and saves nothing. A password that is left empty is the one that is kept.";

/// The test of a section that has one.
pub fn of(slug: &str) -> Option<Test> {
    let recipient = Field {
        name: "to".into(),
        label: "Recipient".into(),
        help: "Who gets the test message.".into(),
        max: 254,
        ..Field::default()
    };
    let (button, fields) = match slug {
        "email" => ("Send a test", vec![recipient]),
        "database" => ("Test the database", Vec::new()),
        _ => return None,
    };
    Some(Test { action: "/fn/test-section".into(), button: button.into(), note: NOTE.into(), fields })
}

/// Whether Enter in this form tests it: when something stands in a field that is the test's alone. Without JavaScript nobody
/// knows in which field Enter was pressed, and a test saves nothing.
pub fn is_for_test(sent: &Sent) -> bool {
    let fields = of(&sent.slug).map(|test| test.fields).unwrap_or_default();
    fields.iter().any(|field| sent.given.get(&field.name).is_some_and(|text| !text.trim().is_empty()))
}

/// Tests a section as a form gives it. Nothing is saved.
///
/// # Errors
/// 404, 409, 422 with the field; then nothing was tried.
pub async fn test(ports: SharedPorts, sent: &Sent) -> Outcome<Saved> {
    let spec = sections::section(&sent.slug).filter(|spec| of(spec.slug).is_some()).ok_or_else(nothing)?;
    let body = ports.section(sent.slug.clone()).await?;
    let fields = spec::written(spec.groups, &sent.given, &body.value).map_err(|refused| refused.0)?;
    let to = sent.given.get("to").map(|to| to.trim().to_owned()).unwrap_or_default();
    let report = ports.test_section(sent.slug.clone(), to, fields).await;
    let report = report.map_err(|problem| of_the_form(spec.groups, problem))?;
    let to = format!("/properties/{}#test", sent.slug);
    Ok(Saved { text: words::checks_result(&report), to, report: Some(report), ..Saved::default() })
}

/// A problem that calls its field as the form does, not as the request of the HTTP interface.
fn of_the_form(specs: &[spec::GroupSpec], mut problem: Problem) -> Problem {
    if problem.code == "email_not_set" {
        return Refused::field("server", "Server: give one to test it. Nothing was sent.").0;
    }
    if let Some(field) = problem.field.as_mut() {
        if let Some(own) = field.strip_prefix("settings.").map(str::to_owned) {
            problem.detail = problem.detail.replacen("settings.", "", 1);
            *field = own;
        }
        if field == "to"
            && let Some(rest) = problem.detail.strip_prefix("to:")
        {
            problem.detail = format!("Recipient:{rest}");
        }
    }
    labelled(specs, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(field: &str) -> (String, String) {
        let mut problem = crate::api::problem(422, "invalid_field", "A field is not right", &format!("{field}: must."));
        problem.field = Some(field.to_owned());
        let groups = sections::section("email").map(|section| section.groups).unwrap_or_default();
        let problem = of_the_form(groups, problem);
        (problem.field.unwrap_or_default(), problem.detail)
    }

    #[test]
    fn a_problem_names_the_field_as_the_form_does() {
        assert_eq!(named("settings.password"), ("password".into(), "Password: must.".into()));
        assert_eq!(named("port"), ("port".into(), "Port: must.".into()));
        assert_eq!(named("to"), ("to".into(), "Recipient: must.".into()));
    }
}
