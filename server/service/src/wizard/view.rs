//! What a page of the wizard shows of what was typed and found. No password is in it.

use userlock_app::pages::wizard::{
    self as page, Account, Contents, Finish, Progress, ServerType, Trouble, WizardPage, Zone,
};
use userlock_core::api::ServerRole;

use super::{Wizard, draft::Draft};
use crate::setup::{Failure, Field, Step};

/// The page of a step.
pub(super) fn page_of(wizard: &Wizard, step: Step, opened: bool) -> WizardPage {
    let draft = wizard.draft();
    let said = draft.trouble.as_ref().filter(|(at, _)| *at == step).map(|(_, failure)| failure.clone());
    let failure = said.or_else(|| draft.interruption(step));
    let failure = failure.as_ref();
    let contents = match step {
        Step::Welcome => Contents::Welcome { opened },
        Step::ServerType => Contents::ServerType(server_type(&draft, failure)),
        Step::Zone => Contents::Zone(zone(wizard, &draft)),
        Step::Account => Contents::Account(account(&draft, failure)),
        Step::Finish => Contents::Finish(finish(&draft)),
    };
    WizardPage { trouble: failure.map(trouble), warnings: warnings(&draft), contents }
}

/// The trouble of the code, which is nobody's yet.
pub(super) fn code_refused(text: &str, code: &'static str) -> WizardPage {
    let trouble = Trouble { code: code.to_owned(), field: Some("code"), text: text.to_owned() };
    WizardPage { trouble: Some(trouble), warnings: Vec::new(), contents: Contents::Welcome { opened: false } }
}

/// The browser had the wizard open at an earlier start of this server, or was forgotten for others.
pub(super) fn code_again() -> WizardPage {
    let text = "The wizard is closed to this browser: the server was started anew. Enter the one-time code of this start; \
                it goes on where it was. What you typed is kept, but for passwords.";
    let trouble = Trouble { code: "code_again".to_owned(), field: None, text: text.to_owned() };
    WizardPage { trouble: Some(trouble), warnings: Vec::new(), contents: Contents::Welcome { opened: false } }
}

fn trouble(failure: &Failure) -> Trouble {
    // A field that is not right is kept as it is; what was done on the way to the end stays, too.
    let kept = match failure.field {
        _ if failure.step == Step::Finish => "",
        Some(Field::Password | Field::Again) => " Nothing was changed. What you typed is kept, but for the password.",
        _ => " Nothing was changed, and what you typed is kept.",
    };
    let text = Failure { check: None, ..failure.clone() }.to_string();
    Trouble { code: failure.code.to_owned(), field: failure.field.and_then(name_of), text: format!("{text}{kept}") }
}

fn name_of(field: Field) -> Option<&'static str> {
    match field {
        Field::Role => Some("role"),
        Field::Primary | Field::Fingerprint => Some("primary"),
        Field::Zone => Some("zone"),
        Field::Name => Some("name"),
        Field::PublicUrl => Some("public_url"),
        Field::Admin => Some("admin"),
        Field::Password => Some("password"),
        Field::Again => Some("again"),
        Field::Account => Some("account"),
        Field::Replace => None,
    }
}

fn warnings(draft: &Draft) -> Vec<String> {
    let apart = draft.reached.as_ref().filter(|reached| draft.is_backup() && reached.clocks_apart());
    let warning = |skew_ms: i64| {
        let seconds = skew_ms.unsigned_abs().div_ceil(1000);
        let word = if skew_ms > 0 { "ahead of" } else { "behind" };
        format!(
            "The clock of the Primary is {seconds} s {word} this server's. Nothing is decided by clocks, but times are \
             hard to compare: set both by NTP. You can go on."
        )
    };
    apart.map(|reached| warning(reached.skew_ms)).into_iter().collect()
}

fn server_type(draft: &Draft, failure: Option<&Failure>) -> ServerType {
    ServerType {
        role: draft.role,
        primary: draft.primary.clone(),
        confirm: failure.and_then(|failure| failure.fingerprint.clone()),
        confirmed: draft.reached.as_ref().map(|r| r.address.fingerprint.clone()).filter(|digits| !digits.is_empty()),
        forget: failure
            .filter(|failure| failure.code == "other_zone")
            .and(draft.leftover.zone.as_ref())
            .map(|(_, name)| name.clone()),
    }
}

fn zone(wizard: &Wizard, draft: &Draft) -> Zone {
    let about = draft.reached.as_ref().map(|reached| &reached.about);
    let backup = draft.is_backup();
    Zone {
        backup,
        zone: if backup { about.map(|a| a.zone_name.clone()).unwrap_or_default() } else { draft.zone.clone() },
        primary: about.map(|about| about.server_name.clone()).unwrap_or_default(),
        name: draft.name.clone(),
        name_given: wizard.given.name,
        public_url: draft.public_url.clone(),
        url_given: wizard.given.public_url,
        admin: draft.admin.clone(),
        has_password: draft.administrator.is_some(),
    }
}

fn account(draft: &Draft, failure: Option<&Failure>) -> Account {
    Account {
        backup: draft.is_backup(),
        primary: draft.reached.as_ref().map(|reached| reached.about.server_name.clone()).unwrap_or_default(),
        account: draft.account.clone(),
        has_password: !draft.password.is_empty(),
        offer_replace: draft.replace || failure.is_some_and(|failure| failure.code == "has_a_backup"),
        replace: draft.replace,
    }
}

fn finish(draft: &Draft) -> Finish {
    let (progress, tasks) = match &draft.job {
        None => (Progress::Ready, Vec::new()),
        Some(job) => {
            let progress = match &job.done {
                Some(told) => Progress::Done(told.clone()),
                None if job.working => Progress::Working,
                None => Progress::Failed,
            };
            (progress, job.tasks.clone())
        }
    };
    let verb = if draft.is_backup() { "Set up the Backup" } else { "Set up the Primary" };
    Finish { summary: summary(draft), verb, progress, tasks }
}

fn summary(draft: &Draft) -> Vec<(&'static str, String, page::Step)> {
    use page::Step;
    let role = draft.role.map(ServerRole::title).unwrap_or_default();
    let mut summary = vec![("Server type", role.to_owned(), Step::ServerType)];
    match draft.reached.as_ref().filter(|_| draft.is_backup()) {
        Some(reached) => {
            let primary = format!("{} ({})", reached.about.server_name, reached.address.url);
            summary.push(("Primary server", primary, Step::ServerType));
            summary.push(("Protected zone", reached.about.zone_name.clone(), Step::ServerType));
        }
        None => summary.push(("Protected zone", draft.zone.clone(), Step::Zone)),
    }
    summary.push(("Name of this server", draft.name.clone(), Step::Zone));
    summary.push(("Public address", draft.public_url.clone(), Step::Zone));
    if draft.is_backup() {
        let more = if draft.replace { ", takes the place of the present Backup" } else { "" };
        summary.push(("Service account", format!("{}{more}", draft.account), Step::Account));
    } else {
        let name = draft.administrator.as_ref().map(|a| a.name.clone()).unwrap_or_default();
        summary.push(("First administrator", name, Step::Zone));
    }
    summary
}
