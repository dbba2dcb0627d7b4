//! The work of the last step. It goes on when the browser is closed, and can be tried again from where it failed.

use std::sync::Arc;

use userlock_app::pages::wizard::{TaskState, Told as TellTold};
use userlock_core::{
    agent_api::ServerAddress,
    api::{RunState, RunView, SyncKind},
};

use super::{
    START_BACKUP, START_PRIMARY, Wizard,
    draft::{Job, Joined},
    lock,
};
use crate::{
    config::{Config, Told},
    log::catalogue,
    setup::{self, Failure, NewBackup, Step},
};

/// Begins the work, unless it is going on or done.
pub(super) fn begin(wizard: &Arc<Wizard>) {
    let mut draft = wizard.draft();
    if draft.is_working() || draft.is_done() {
        return;
    }
    draft.job = Some(Job { tasks: draft.tasks(), working: true, done: None });
    (draft.trouble, draft.interrupted) = (None, None);
    drop(draft);
    let (at_work, runtime) = (Arc::clone(wizard), tokio::runtime::Handle::current());
    // On a thread of its own: what it does with the database cannot go from thread to thread.
    let work = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                () = work(&at_work) => {}
                () = at_work.closing.cancelled() => {}
            }
        });
    });
    *lock(&wizard.work) = Some(work);
}

async fn work(wizard: &Wizard) {
    let backup = wizard.draft().is_backup();
    let (config, address) = wizard.planned();
    let done = if backup {
        Box::pin(make_backup(wizard, &config, &address)).await.map(|()| None)
    } else {
        Box::pin(make_primary(wizard, &config, &address)).await.map(Some)
    };
    match done {
        Ok(enrolment) => {
            finished(wizard, address, enrolment);
            let wait = if backup { START_BACKUP } else { START_PRIMARY };
            tokio::time::sleep(wait).await;
            wizard.leave.cancel();
        }
        Err(failure) => failed(wizard, failure),
    }
}

fn finished(wizard: &Wizard, address: ServerAddress, enrolment: Option<String>) {
    let mut draft = wizard.draft();
    draft.password.clear();
    if let Some(job) = &mut draft.job {
        job.working = false;
        job.done = Some(TellTold { url: address.url, fingerprint: address.fingerprint, enrolment });
    }
    tracing::info!("the Configuration wizard has done its work");
}

fn failed(wizard: &Wizard, failure: Failure) {
    tracing::warn!(code = failure.code, "the set-up failed: {failure}");
    let mut draft = wizard.draft();
    if failure.code == "token_void" {
        // The next attempt joins anew.
        draft.joined = None;
    }
    if let Some(job) = &mut draft.job {
        job.working = false;
        if let Some(task) = job.tasks.iter_mut().find(|task| task.state != TaskState::Done) {
            task.state = TaskState::Failed;
        }
    }
    draft.trouble = Some((Step::Finish, failure));
    drop(draft);
    wizard.keep();
}

/// Marks a part of the work. When one begins or ends, it is kept how far the work is; at its end nothing is kept any more.
fn mark(wizard: &Wizard, index: usize, state: TaskState, detail: impl Into<String>) {
    let mut draft = wizard.draft();
    let Some(job) = &mut draft.job else { return };
    let Some(task) = job.tasks.get_mut(index) else { return };
    let changes = state != task.state;
    (task.state, task.detail) = (state, detail.into());
    let goes_on = job.tasks.iter().any(|task| task.state != TaskState::Done);
    drop(draft);
    if changes && goes_on {
        wizard.keep();
    }
}

/// Keeps what the configuration does not say.
fn keep_told(wizard: &Wizard, config: &Config) -> Result<(), Failure> {
    let told = Told::of(&config.name, &config.public_url, wizard.given);
    told.write(&wizard.place.dir).map_err(|error| {
        let what = format!("{} cannot be written: {error}", wizard.place.dir.join(crate::config::TOLD_FILE).display());
        Failure::of_finish("this_server", what, "Make room on the disk, or repair it; then try again.")
    })
}

async fn make_primary(wizard: &Wizard, config: &Config, address: &ServerAddress) -> Result<String, Failure> {
    mark(wizard, 0, TaskState::Working, "");
    let (zone, administrator) = {
        let draft = wizard.draft();
        (draft.zone.clone(), draft.administrator.clone())
    };
    let Some(administrator) = administrator else {
        let what = "The administrator has no password yet";
        return Err(Failure::of_finish("password_missing", what, "Go back to the protected zone."));
    };
    keep_told(wizard, config)?;
    let detail = format!("{zone}, {}", administrator.name);
    let enrolment = setup::make_primary(&wizard.place, config, address, zone, administrator).await?;
    mark(wizard, 0, TaskState::Done, detail);
    Ok(enrolment)
}

async fn make_backup(wizard: &Wizard, config: &Config, address: &ServerAddress) -> Result<(), Failure> {
    mark(wizard, 0, TaskState::Working, "");
    let new = wizard.draft().new_backup(address.clone());
    let Some(new) = new else {
        let what = "The Primary was not reached yet";
        return Err(Failure::of_finish("not_reached", what, "Go back to the server type."));
    };
    let confirmed = Some(new.primary.fingerprint.as_str()).filter(|digits| !digits.is_empty());
    let reached = setup::reach(&new.primary.url, confirmed, &wizard.own(), &|_: &str| {}).await?;
    mark(wizard, 0, TaskState::Done, format!("{}, version {}", reached.about.server_name, reached.about.version));
    wizard.draft().reached = Some(reached);

    mark(wizard, 1, TaskState::Working, "");
    let joined = join(wizard, &new).await?;
    mark(wizard, 1, TaskState::Done, joined.answer.zone_name.clone());

    mark(wizard, 2, TaskState::Working, "");
    take_up(wizard, &new, &joined).await?;
    keep_told(wizard, config)?;
    mark(wizard, 2, TaskState::Done, "");

    mark(wizard, 3, TaskState::Working, "");
    let result = setup::synchronize(&wizard.place, config, address, &|view| tell_run(wizard, view)).await;
    result.map_err(void_token)
}

/// Joins the zone, if that was not done before.
async fn join(wizard: &Wizard, new: &NewBackup) -> Result<Joined, Failure> {
    let known = wizard.draft().joined_as(new);
    if let Some(joined) = known {
        return Ok(joined);
    }
    let checked = setup::check(new).await?;
    let answer = setup::join(&wizard.place, new, &checked).await?;
    let joined =
        Joined { primary: new.primary.clone(), account: new.account.clone(), answer: answer.clone(), taken_up: false };
    let mut draft = wizard.draft();
    draft.leftover.zone = Some((answer.zone_id, answer.zone_name));
    draft.joined = Some(joined.clone());
    Ok(joined)
}

/// Writes down what the Primary told, if that was not done before.
async fn take_up(wizard: &Wizard, new: &NewBackup, joined: &Joined) -> Result<(), Failure> {
    if joined.taken_up {
        return Ok(());
    }
    setup::take_up(&wizard.place, new, &joined.answer).await.map_err(void_token)?;
    if let Some(joined) = &mut wizard.draft().joined {
        joined.taken_up = true;
    }
    Ok(())
}

/// The token that this server got when it joined may have become void meanwhile, with another server that took its place.
fn void_token(failure: Failure) -> Failure {
    let of_run = failure.code == "synchronization_failed" && failure.advice == catalogue::SYNC_AUTHENTICATION.advice;
    if failure.code != "wrong_password" && !of_run {
        return failure;
    }
    let what =
        "The Primary does not know this server any more: it was removed there, or another one has taken its place";
    Failure::of_finish("token_void", what, "Try again to join anew.")
}

/// How far a synchronization is.
fn tell_run(wizard: &Wizard, view: &RunView) {
    let index = if view.kind == SyncKind::Sessions { 3 } else { 4 };
    let (state, detail) = match view.state {
        RunState::Succeeded => (TaskState::Done, result(view)),
        RunState::Running => (TaskState::Working, doing(view)),
        _ => (TaskState::Failed, String::new()),
    };
    mark(wizard, index, state, detail);
}

fn doing(view: &RunView) -> String {
    match view.progress.of {
        Some(of) if of > 0 => format!("{}: {} of {of}", view.stage, view.progress.done),
        _ if view.progress.done > 0 => format!("{}: {}", view.stage, view.progress.done),
        _ => view.stage.clone(),
    }
}

fn result(view: &RunView) -> String {
    let sessions = view.sessions.as_ref().map(|s| format!("{} added, {} ms", s.added, s.duration_ms));
    let events =
        view.events.as_ref().map(|e| format!("{} applied, settings revision {}", e.applied, e.settings_revision));
    sessions.or(events).unwrap_or_default()
}
