//! What each form of the wizard does: it keeps what was typed, checks it, and says where to go next.

use std::collections::BTreeMap;

use userlock_core::{account::fold_case, api::ServerRole};

use super::{Wizard, draft::before};
use crate::setup::{self, Administrator, Failure, Field, Leftover, Step};

/// The fields of a form.
pub(super) type Form = BTreeMap<String, String>;

fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default()
}

/// Whether the form was sent to go back: then what was typed is kept as it is, and nothing is checked.
fn goes_back(form: &Form) -> bool {
    field(form, "go") == "back"
}

/// Takes in the form of a step. Gives the step to go to.
pub(super) async fn take(wizard: &Wizard, step: Step, form: &Form) -> Step {
    let result = match step {
        Step::Welcome => Ok(Step::ServerType),
        Step::ServerType => server_type(wizard, form).await,
        Step::Zone => zone(wizard, form).await,
        Step::Account => account(wizard, form).await,
        Step::Finish => Ok(Step::Finish),
    };
    match result {
        Ok(to) => {
            if to > step {
                wizard.draft().pass(step);
            } else {
                wizard.draft().trouble = None;
            }
            to
        }
        Err(failure) => {
            tracing::info!(code = failure.code, "a step of the Configuration wizard was not passed");
            let mut draft = wizard.draft();
            draft.back_to(before(step));
            draft.trouble = Some((step, failure));
            step
        }
    }
}

async fn server_type(wizard: &Wizard, form: &Form) -> Result<Step, Failure> {
    let role = match field(form, "role") {
        "primary" => Some(ServerRole::Primary),
        "backup" => Some(ServerRole::Backup),
        _ => None,
    };
    let typed = field(form, "primary").trim().to_owned();
    {
        let mut draft = wizard.draft();
        if draft.role != role || draft.primary != typed {
            draft.back_to(Step::Welcome);
        }
        if draft.role != role {
            draft.no_work();
        }
        (draft.role, draft.primary) = (role, typed.clone());
        if field(form, "forget") == "yes" {
            draft.no_work();
            (draft.leftover, draft.joined) = (Leftover::draw()?, None);
            wizard.place.remove_state();
            Leftover::remove(&wizard.place.dir)?;
        }
    }
    if goes_back(form) {
        return Ok(Step::Welcome);
    }
    match role {
        None => Err(Failure::of_field("no_type", Step::ServerType, Field::Role, "Choose what this server is for")),
        Some(ServerRole::Primary) => Ok(Step::Zone),
        Some(ServerRole::Backup) => reach_primary(wizard, &typed, field(form, "trust")).await,
    }
}

async fn reach_primary(wizard: &Wizard, typed: &str, trust: &str) -> Result<Step, Failure> {
    let url = setup::typed_address(typed)?;
    let confirmed = {
        let mut draft = wizard.draft();
        draft.reached = None;
        if !trust.is_empty() {
            draft.confirmed = Some((url.clone(), setup::typed_fingerprint(trust)?));
        }
        // A certificate is confirmed for one address.
        draft.confirmed.clone().filter(|(of, _)| *of == url).map(|(_, fingerprint)| fingerprint)
    };
    let reached = setup::reach(&url, confirmed.as_deref(), &wizard.own(), &|_: &str| {}).await?;
    let mut draft = wizard.draft();
    if let Some((joined, name)) = &draft.leftover.zone
        && *joined != reached.about.zone_id
    {
        return Err(setup::other_zone(name, &reached.about.zone_name));
    }
    // Two servers that were never named are often called alike.
    let untouched = draft.name == wizard.config.name && !wizard.given.name;
    if untouched && fold_case(&draft.name) == fold_case(&reached.about.server_name) {
        draft.name.push_str("-backup");
    }
    draft.reached = Some(reached);
    Ok(Step::Zone)
}

async fn zone(wizard: &Wizard, form: &Form) -> Result<Step, Failure> {
    let backup = {
        let mut draft = wizard.draft();
        draft.zone = field(form, "zone").trim().to_owned();
        if !wizard.given.name {
            draft.name = field(form, "name").trim().to_owned();
        }
        if !wizard.given.public_url {
            draft.public_url = field(form, "public_url").trim().to_owned();
        }
        if !draft.is_backup() {
            draft.admin = field(form, "admin").trim().to_owned();
        }
        draft.is_backup()
    };
    let (password, again) = (field(form, "password"), field(form, "again"));
    if goes_back(form) {
        if !password.is_empty() && password == again {
            // One that is not good is asked for again.
            _ = set_administrator(wizard, password).await;
        }
        return Ok(Step::ServerType);
    }
    if backup {
        check_names(wizard)?;
        return Ok(Step::Account);
    }
    let zone = setup::zone_name(&wizard.draft().zone)?;
    wizard.draft().zone = zone;
    check_names(wizard)?;
    let known = wizard.draft().administrator.clone();
    match (known, password, again) {
        (Some(known), "", "") => rename_administrator(wizard, &known)?,
        _ if password != again => {
            let what = "The two passwords are not the same";
            return Err(Failure::of_field("passwords_differ", Step::Zone, Field::Again, what)
                .advise("Type the password twice."));
        }
        _ => set_administrator(wizard, password).await?,
    }
    Ok(Step::Account)
}

/// This server's name and address, alone and beside the Primary's.
fn check_names(wizard: &Wizard) -> Result<(), Failure> {
    let mut draft = wizard.draft();
    draft.name = setup::server_name(&draft.name)?;
    draft.public_url = setup::public_url(&draft.public_url, wizard.config.plain_http)?;
    let Some(reached) = draft.reached.as_ref().filter(|_| draft.is_backup()) else { return Ok(()) };
    if fold_case(&reached.about.server_name) == fold_case(&draft.name) {
        return Err(setup::name_taken(&reached.about.server_name));
    }
    if reached.address.url.eq_ignore_ascii_case(&draft.public_url) {
        let what = "The public address is that of the Primary";
        return Err(Failure::of_field("same_address", Step::Zone, Field::PublicUrl, what)
            .advise("Give the address of this server."));
    }
    Ok(())
}

/// The name alone was changed.
fn rename_administrator(wizard: &Wizard, known: &Administrator) -> Result<(), Failure> {
    let name = setup::administrator_name(&wizard.draft().admin)?;
    wizard.draft().administrator = Some(Administrator { name, ..known.clone() });
    Ok(())
}

async fn set_administrator(wizard: &Wizard, password: &str) -> Result<(), Failure> {
    let (name, password) = (wizard.draft().admin.clone(), password.to_owned());
    let hashed = tokio::task::spawn_blocking(move || setup::administrator(&name, &password)).await??;
    wizard.draft().administrator = Some(hashed);
    Ok(())
}

async fn account(wizard: &Wizard, form: &Form) -> Result<Step, Failure> {
    let backup = wizard.draft().is_backup();
    if !backup {
        return Ok(if goes_back(form) { Step::Zone } else { Step::Finish });
    }
    {
        let mut draft = wizard.draft();
        draft.account = field(form, "account").trim().to_owned();
        draft.replace = field(form, "replace") == "yes";
        if !field(form, "password").is_empty() {
            field(form, "password").clone_into(&mut draft.password);
        }
    }
    if goes_back(form) {
        return Ok(Step::Zone);
    }
    let name = setup::account_name(&wizard.draft().account)?;
    wizard.draft().account = name;
    let (_, address) = wizard.planned();
    let new = wizard.draft().new_backup(address);
    let Some(new) = new else {
        let what = "The Primary was not reached yet";
        return Err(Failure::of_finish("not_reached", what, "Go back to the server type."));
    };
    if new.password.is_empty() {
        let what = "The password is missing";
        return Err(Failure::of_field("password_missing", Step::Account, Field::Password, what));
    }
    if wizard.draft().joined_as(&new).is_some() {
        return Ok(Step::Finish);
    }
    let checked = setup::check(&new).await;
    if checked.as_ref().is_err_and(|failure| failure.code == "wrong_password") {
        // It is of no use again.
        wizard.draft().password.clear();
    }
    checked.map(|_| Step::Finish)
}
