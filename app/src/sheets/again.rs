//! A form that is shown again: with what was typed into it, and with what came of it.
//!
//! Without JavaScript the page that follows a form is a new one. What was typed is kept for it, in memory, but no secret:
//! of one it is known only that it was typed.

use std::collections::BTreeMap;

use userlock_core::api::{Problem, TestReport};

use super::{Given, Outcome, Pages, Sent};
use crate::{
    api::Caller,
    ports::SharedPorts,
    sheet::{Again, Field, Kind, Saved, Sheet},
};

/// What was typed into a form, and what came of it.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The form: its server function, and which section or part.
    form: (String, String),
    /// The revision that it was typed over.
    etag: String,
    /// The fields, secrets left out.
    values: BTreeMap<String, String>,
    /// The secrets that were typed, by their names.
    secrets: Vec<String>,
    reason: String,
    problem: Option<Problem>,
    report: Option<TestReport>,
}

impl Typed {
    /// How much is kept, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values = self.values.iter().map(|(name, value)| name.len() + value.len());
        let problem = self.problem.iter().map(|problem| {
            let field = problem.field.as_ref().map_or(0, String::len);
            problem.code.len() + problem.title.len() + problem.detail.len() + field
        });
        let checks = self.report.iter().flat_map(|report| &report.checks);
        let checks = checks.map(|check| check.name.len() + check.detail.len());
        let secrets = self.secrets.iter().map(String::len);
        let parts = values.chain(problem).chain(checks).chain(secrets).sum::<usize>();
        self.form.0.len() + self.form.1.len() + self.etag.len() + self.reason.len() + parts
    }

    /// Whether it was typed into the form of this page.
    #[must_use]
    pub fn is_of(&self, sheet: &Sheet) -> bool {
        sheet
            .form
            .as_ref()
            .is_some_and(|form| form.editable && (&form.action, &form.slug) == (&self.form.0, &self.form.1))
    }

    /// What is worth showing again: of a form that was refused, and of a test. Only what the form asks for is kept.
    pub async fn of(
        pages: Pages,
        ports: SharedPorts,
        caller: Caller,
        sent: Sent,
        outcome: &Outcome<Saved>,
    ) -> Option<Self> {
        let (problem, report) = match outcome {
            Ok(saved) => (None, Some(saved.report.clone()?)),
            Err(problem) => (Some(told_beside(problem.clone())), None),
        };
        let sheet = super::laid_out(pages, ports, caller, &sent.slug).await.ok()?;
        let form = (pages.action().to_owned(), sent.slug.clone());
        Self { form, etag: sent.etag, reason: sent.reason, problem, report, ..Self::default() }
            .filled(sheet, sent.given)
    }

    fn filled(mut self, mut sheet: Sheet, mut given: Given) -> Option<Self> {
        if !self.is_of(&sheet) {
            return None;
        }
        for field in fields(&mut sheet) {
            match given.remove(&field.name) {
                Some(value) if field.kind == Kind::Secret => {
                    self.secrets.extend((!value.is_empty()).then(|| field.name.clone()));
                }
                // Browsers send a text's line breaks as CR and LF.
                Some(value) => _ = self.values.insert(field.name.clone(), value.replace("\r\n", "\n")),
                None => {}
            }
        }
        Some(self)
    }

    /// The `ETag` of what was read, when somebody else has changed it since.
    #[must_use]
    pub fn overtaken(&self) -> Option<&str> {
        self.problem.as_ref().is_some_and(is_stale).then_some(&self.etag)
    }

    /// Shows it in the form of this page. `read` is what the fields were when they were read, where that is known.
    pub fn show(mut self, sheet: &mut Sheet, read: Option<&Given>) {
        // Somebody else has changed the section: what it is now is told beside what was typed, and saving goes over it.
        let stale = self.overtaken().is_some();
        let mut fields: Vec<&mut Field> = fields(sheet).collect();
        for value in fields.chunk_by_mut(|_, next| is_part(next)) {
            let typed: Vec<Option<String>> = value.iter().map(|field| self.take_typed(field)).collect();
            let same = |(field, typed): (&&mut Field, &Option<String>)| {
                typed.as_deref().is_none_or(|typed| read.is_some_and(|read| typed == was(read, field)))
            };
            let left = value.iter().zip(&typed).all(same);
            for (field, typed) in value.iter_mut().zip(typed) {
                match (typed, read) {
                    (None, _) => {}
                    (Some(typed), _) if !stale => field.value = typed,
                    (Some(typed), None) => over(field, typed, "Now"),
                    // Who left it as it was has not decided on it: it is what somebody else has made of it.
                    (Some(_), Some(read)) if left => {
                        if field.value != was(read, field) {
                            add(&mut field.note, "Somebody else has changed this.");
                        }
                    }
                    (Some(typed), Some(read)) if field.value == was(read, field) => field.value = typed,
                    (Some(typed), Some(_)) => over(field, typed, "Meanwhile"),
                }
                if self.secrets.contains(&field.name) {
                    add(&mut field.note, "Type it again: what is typed here is never kept.");
                }
            }
        }
        if let Some(form) = sheet.form.as_mut().filter(|_| !stale) {
            form.etag = self.etag;
        }
        sheet.again = Again { reason: self.reason, problem: self.problem, report: self.report };
    }

    /// What was typed into a field.
    fn take_typed(&mut self, field: &Field) -> Option<String> {
        match field.kind {
            Kind::Fact | Kind::Secret => None,
            Kind::Check => Some(self.values.contains_key(&field.name).to_string()),
            Kind::Text | Kind::Number | Kind::Choice | Kind::Lines => self.values.remove(&field.name),
        }
    }
}

/// The values of the fields of a form, as they would be sent.
pub fn values(sheet: &mut Sheet) -> Given {
    fields(sheet).map(|field| (field.name.clone(), field.value.clone())).collect()
}

/// Whether a field is of one value with the one before it: it does not read by itself.
fn is_part(field: &Field) -> bool {
    matches!(field.kind, Kind::Number | Kind::Choice) && field.text.is_empty()
}

/// What a field was when it was read. A box that was not there was not ticked.
fn was<'a>(read: &'a Given, field: &Field) -> &'a str {
    let nothing = if field.kind == Kind::Check { "false" } else { "" };
    read.get(&field.name).map_or(nothing, String::as_str)
}

fn is_stale(problem: &Problem) -> bool {
    problem.status == 412
}

/// A problem, for people who have yet to see what somebody else has made of it.
pub fn told_alone(mut problem: Problem) -> Problem {
    if is_stale(&problem) {
        problem.detail = "Somebody has changed it since you read it. Nothing was changed: load the page again to see what it is now.".to_owned();
    }
    problem
}

/// A problem, where what was typed is shown again with what somebody else has made of it.
pub fn told_beside(mut problem: Problem) -> Problem {
    if is_stale(&problem) {
        problem.detail = "Somebody has changed it since you read it. What you typed stands here; what somebody else has made of it is on this page, too. Nothing was changed: press the button again to do it as it stands here.".to_owned();
    }
    problem
}

/// The value that was typed takes the place of the one that there is, which is told.
fn over(field: &mut Field, typed: String, when: &str) {
    if field.value != typed {
        let now = if field.text.is_empty() { &field.value } else { &field.text };
        let note = format!("{when}: {now}");
        add(&mut field.note, &note);
    }
    field.value = typed;
}

fn add(note: &mut String, more: &str) {
    if !note.is_empty() {
        note.push(' ');
    }
    note.push_str(more);
}

/// The fields of a page's form, those of its test among them.
fn fields(sheet: &mut Sheet) -> impl Iterator<Item = &mut Field> {
    let groups = sheet.form.iter_mut().flat_map(|form| &mut form.groups);
    let test = sheet.test.iter_mut().flat_map(|test| &mut test.fields);
    groups.flat_map(|group| &mut group.fields).chain(test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::{Form, Group};

    fn sheet() -> Sheet {
        let field = |name: &str, kind: Kind, value: &str| Field {
            name: name.into(),
            kind,
            value: value.into(),
            text: value.into(),
            ..Field::default()
        };
        let fields = vec![
            field("server", Kind::Text, "mail"),
            field("list", Kind::Lines, "a"),
            field("on", Kind::Check, "true"),
            field("password", Kind::Secret, ""),
        ];
        let form = Form {
            action: Pages::Properties.action().into(),
            slug: "email".into(),
            etag: "now".into(),
            editable: true,
            groups: vec![Group { fields, ..Group::default() }],
            ..Form::default()
        };
        Sheet { form: Some(form), ..Sheet::default() }
    }

    fn typed(status: u16) -> Typed {
        let given = [("server", "other"), ("list", "p\r\nq"), ("password", "hunter2"), ("unknown", "x")];
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let problem = crate::api::problem(status, "code", "Refused", "why");
        let form = (Pages::Properties.action().to_owned(), "email".to_owned());
        let typed = Typed { form, etag: "then".into(), problem: Some(problem), ..Typed::default() };
        typed.filled(sheet(), given).unwrap()
    }

    fn value(sheet: &Sheet, name: &str) -> (String, String) {
        let field = sheet.form.iter().flat_map(|form| &form.groups[0].fields).find(|field| field.name == name).unwrap();
        (field.value.clone(), field.note.clone())
    }

    #[test]
    fn what_was_typed_comes_back_and_a_secret_is_not_kept() {
        let typed = typed(422);
        assert!(!format!("{typed:?}").contains("hunter2") && !format!("{typed:?}").contains("unknown"), "{typed:?}");
        let mut shown = sheet();
        assert!(typed.is_of(&shown));
        typed.show(&mut shown, None);
        assert_eq!(value(&shown, "server"), ("other".into(), String::new()));
        assert_eq!(value(&shown, "list").0, "p\nq");
        assert_eq!(value(&shown, "on").0, "false", "a box that was not ticked");
        let (secret, note) = value(&shown, "password");
        assert!(secret.is_empty() && note.contains("again"), "{note}");
        assert_eq!(shown.form.unwrap().etag, "then");
        assert_eq!(shown.again.problem.unwrap().detail, "why");
    }

    #[test]
    fn all_that_is_kept_is_counted() {
        let long = "x".repeat(1000);
        let small = typed(422);
        let check = userlock_core::api::Check { name: "connect".into(), ok: None, detail: long.clone() };
        let grown = |grow: &dyn Fn(&mut Typed)| {
            let mut typed = typed(422);
            grow(&mut typed);
            typed.bytes() - small.bytes()
        };
        assert_eq!(grown(&|typed| typed.etag.push_str(&long)), 1000);
        assert_eq!(grown(&|typed| typed.reason.push_str(&long)), 1000);
        assert_eq!(grown(&|typed| typed.form.1.push_str(&long)), 1000);
        assert_eq!(grown(&|typed| typed.problem.as_mut().unwrap().detail.push_str(&long)), 1000);
        assert_eq!(grown(&|typed| typed.problem.as_mut().unwrap().field = Some(long.clone())), 1000);
        assert!(grown(&|typed| typed.report = Some(TestReport { ok: false, checks: vec![check.clone()] })) > 1000);
    }

    #[test]
    fn a_form_is_printed_without_what_is_in_it() {
        let given = [("password".to_owned(), "hunter2".to_owned())].into();
        let sent = Sent { slug: "email".into(), etag: "e".into(), given, reason: "why so".into() };
        let printed = format!("{sent:?} {sent:#?}");
        assert!(printed.contains("password") && printed.contains("email"), "{printed}");
        assert!(!printed.contains("hunter2") && !printed.contains("why so"), "{printed}");
    }

    #[test]
    fn what_somebody_else_has_changed_is_told_beside_it() {
        let read = |pairs: &[(&str, &str)]| -> Given {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let shown = |read: Option<Given>| {
            let mut shown = sheet();
            typed(412).show(&mut shown, read.as_ref());
            assert_eq!(shown.form.as_ref().unwrap().etag, "now", "who saves again has seen what it has become");
            ["server", "list", "on"].map(|name| value(&shown, name))
        };
        let told = |value: &str, note: &str| (value.to_owned(), note.to_owned());
        // It is not known what was read.
        assert_eq!(shown(None), [told("other", "Now: mail"), told("p\nq", "Now: a"), told("false", "Now: true")]);
        // What nobody else has changed is as it was typed, and nothing is told of it.
        let same = read(&[("server", "mail"), ("list", "a"), ("on", "true")]);
        assert_eq!(shown(Some(same)), [told("other", ""), told("p\nq", ""), told("false", "")]);
        // Both have changed it; it was left as it was, and is what the other has made of it; a box that was not there.
        let changed = read(&[("server", "before"), ("list", "p\nq")]);
        let others = "Somebody else has changed this.";
        assert_eq!(shown(Some(changed)), [told("other", "Meanwhile: mail"), told("a", others), told("true", others)]);
        // Both have made the same of it.
        let mut agreed = sheet();
        agreed.form.as_mut().unwrap().groups[0].fields[0].value = "other".into();
        typed(412).show(&mut agreed, Some(&read(&[("server", "before"), ("list", "a"), ("on", "true")])));
        assert_eq!(value(&agreed, "server"), told("other", ""));
    }

    #[test]
    fn a_value_of_two_fields_is_one() {
        let fields = |number: &str, unit: &str| {
            let of = |name: &str, kind: Kind, value: &str, text: &str| Field {
                name: name.into(),
                kind,
                value: value.into(),
                text: text.into(),
                ..Field::default()
            };
            let fields = vec![of("every", Kind::Number, number, "each 5 minutes"), of("unit", Kind::Choice, unit, "")];
            let groups = vec![Group { fields, ..Group::default() }];
            Sheet { form: Some(Form { editable: true, groups, ..Form::default() }), ..Sheet::default() }
        };
        // From each minute one makes each hour, and the other each 5 minutes: not each 5 hours.
        let problem = crate::api::problem(412, "stale", "Changed meanwhile", "why");
        let given = [("every", "1"), ("unit", "hours")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let typed = Typed { problem: Some(problem), ..Typed::default() }.filled(fields("1", "minutes"), given.into());
        let mut shown = fields("5", "minutes");
        typed.unwrap().show(&mut shown, Some(&values(&mut fields("1", "minutes"))));
        assert_eq!(value(&shown, "every"), ("1".into(), "Meanwhile: each 5 minutes".into()));
        assert_eq!(value(&shown, "unit"), ("hours".into(), String::new()));
    }

    #[test]
    fn it_belongs_to_its_form_alone() {
        for change in [
            (|form: &mut Form| form.slug = "database".into()) as fn(&mut Form),
            |form| form.action = Pages::Rules.action().into(),
            |form| form.editable = false,
        ] {
            let mut other = sheet();
            change(other.form.as_mut().unwrap());
            assert!(!typed(422).is_of(&other));
        }
    }
}
