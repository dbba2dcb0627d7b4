//! What was typed so far, and what was found. All of it that is no secret is kept in the data directory, too: after a
//! restart the passwords alone are asked for again.

use userlock_core::{agent_api::ServerAddress, api::ServerRole, sync::JoinResponse};

use crate::{
    config::{Config, Given},
    setup::{self, Administrator, Failure, Leftover, NewBackup, Reached, Step, Typed},
};
use userlock_app::pages::wizard::{Task, TaskState, Told};

/// The parts of a Backup's set-up.
const BACKUP: [&str; 5] =
    ["Check the Primary", "Join the zone", "Take over the settings", "Synchronize sessions", "Synchronize events"];
/// Of a Primary's.
const PRIMARY: [&str; 1] = ["Make the zone, its first administrator and its key"];

/// The first administrator's name, if nobody types another.
const ADMINISTRATOR: &str = "admin";

/// What was typed so far, and what was found.
pub(super) struct Draft {
    pub(super) role: Option<ServerRole>,
    /// The Primary's address, as it was typed.
    pub(super) primary: String,
    /// The address whose certificate somebody has compared, and the certificate.
    pub(super) confirmed: Option<(String, String)>,
    pub(super) reached: Option<Reached>,
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) public_url: String,
    pub(super) admin: String,
    pub(super) administrator: Option<Administrator>,
    pub(super) account: String,
    /// Of the service account; forgotten when the wizard is finished.
    pub(super) password: String,
    pub(super) replace: bool,
    pub(super) leftover: Leftover,
    /// The zone that this server has joined: as whom, and where.
    pub(super) joined: Option<Joined>,
    /// The last step that was passed.
    pub(super) passed: Step,
    /// What stands against going on, and the page that shows it.
    pub(super) trouble: Option<(Step, Failure)>,
    pub(super) job: Option<Job>,
    /// The part of the work at which it was when the program ended, until it is begun again.
    pub(super) interrupted: Option<&'static str>,
}

/// What a Primary answered when this server joined.
#[derive(Clone)]
pub(super) struct Joined {
    pub(super) primary: ServerAddress,
    pub(super) account: String,
    pub(super) answer: JoinResponse,
    /// Whether what it told is on the disk.
    pub(super) taken_up: bool,
}

/// The work of the last step.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) tasks: Vec<Task>,
    pub(super) working: bool,
    pub(super) done: Option<Told>,
}

impl Draft {
    pub(super) fn new(config: &Config, leftover: Leftover) -> Self {
        Self {
            role: None,
            primary: String::new(),
            confirmed: None,
            reached: None,
            zone: String::new(),
            name: config.name.clone(),
            public_url: config.public_url.clone(),
            admin: ADMINISTRATOR.to_owned(),
            administrator: None,
            account: String::new(),
            password: String::new(),
            replace: false,
            leftover,
            joined: None,
            passed: Step::Welcome,
            trouble: None,
            job: None,
            interrupted: None,
        }
    }

    /// What was typed before a restart. What the configuration gives counts more; where a password was typed it is asked
    /// for again.
    pub(super) fn restored(config: &Config, given: Given, leftover: Leftover, typed: Typed) -> Self {
        let Typed { role, primary, confirmed, reached, zone, name, public_url, admin, account, replace, passed, done } =
            typed;
        let mut draft =
            Self { role, primary, confirmed, reached, zone, account, replace, ..Self::new(config, leftover) };
        if !given.name && !name.is_empty() {
            draft.name = name;
        }
        if !given.public_url && !public_url.is_empty() {
            draft.public_url = public_url;
        }
        if !admin.is_empty() {
            draft.admin = admin;
        }
        draft.passed = passed.min(before(draft.asks_password()));
        if draft.is_backup() && draft.reached.is_none() {
            draft.back_to(Step::Welcome);
        }
        // The configuration may be another than it was.
        if setup::public_url(&draft.public_url, config.plain_http).is_err() {
            draft.back_to(Step::ServerType);
        }
        if let Some(done) = done {
            let mut tasks = draft.tasks();
            tasks.iter_mut().take(done).for_each(|task| task.state = TaskState::Done);
            if let Some(task) = tasks.get_mut(done) {
                (task.state, task.detail) = (TaskState::Failed, "it stopped here".to_owned());
                draft.interrupted = Some(task.name);
            }
            draft.job = Some(Job { tasks, working: false, done: None });
        }
        draft
    }

    /// What is kept of it.
    pub(super) fn typed(&self) -> Typed {
        let done = |job: &Job| job.tasks.iter().take_while(|task| task.state == TaskState::Done).count();
        Typed {
            role: self.role,
            primary: self.primary.clone(),
            confirmed: self.confirmed.clone(),
            reached: self.reached.clone(),
            zone: self.zone.clone(),
            name: self.name.clone(),
            public_url: self.public_url.clone(),
            admin: self.admin.clone(),
            account: self.account.clone(),
            replace: self.replace,
            passed: self.passed,
            done: self.job.as_ref().map(done),
        }
    }

    /// The parts of the work, all to come.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let names = if self.is_backup() { &BACKUP[..] } else { &PRIMARY[..] };
        names.iter().map(|name| Task { name, state: TaskState::Waiting, detail: String::new() }).collect()
    }

    /// The step that asks for a password.
    fn asks_password(&self) -> Step {
        if self.is_backup() { Step::Account } else { Step::Zone }
    }

    /// That the work was interrupted: where the password is asked for that it needs, and where it is begun again.
    pub(super) fn interruption(&self, step: Step) -> Option<Failure> {
        let part = self.interrupted?;
        let lacks = if self.is_backup() { self.password.is_empty() } else { self.administrator.is_none() };
        let what = format!("The set-up did not get to its end: it stopped at \u{201c}{part}\u{201d}");
        if step == Step::Finish {
            return Some(Failure::of_finish("interrupted", what, "Try again."));
        }
        let asked = lacks && step == self.asks_password();
        asked.then(|| Failure::of_finish("interrupted", what, "Give the password again, then try again."))
    }

    /// The work is another one now, or there is none: what was begun counts no more.
    pub(super) fn no_work(&mut self) {
        (self.job, self.interrupted) = (None, None);
    }

    pub(super) fn is_backup(&self) -> bool {
        self.role == Some(ServerRole::Backup)
    }

    pub(super) fn is_done(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.done.is_some())
    }

    pub(super) fn is_working(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.working)
    }

    /// The furthest step that may be opened.
    pub(super) fn open_up_to(&self) -> Step {
        if self.is_working() || self.is_done() { Step::Finish } else { next(self.passed) }
    }

    /// A step was passed. Its trouble is over.
    pub(super) fn pass(&mut self, step: Step) {
        self.passed = self.passed.max(step);
        self.trouble = None;
    }

    /// What the steps behind this one found counts no more.
    pub(super) fn back_to(&mut self, step: Step) {
        self.passed = self.passed.min(step);
    }

    /// The Backup to be, as far as it was typed.
    pub(super) fn new_backup(&self, address: ServerAddress) -> Option<NewBackup> {
        Some(NewBackup {
            leftover: self.leftover.clone(),
            name: self.name.clone(),
            address,
            primary: self.reached.as_ref()?.address.clone(),
            account: self.account.clone(),
            password: self.password.clone(),
            replace: self.replace,
        })
    }

    /// The zone that was joined at this Primary with this account, if it was.
    pub(super) fn joined_as(&self, new: &NewBackup) -> Option<Joined> {
        self.joined.clone().filter(|joined| joined.primary == new.primary && joined.account == new.account)
    }
}

/// The step before a step.
pub(super) fn before(step: Step) -> Step {
    match step {
        Step::Welcome | Step::ServerType => Step::Welcome,
        Step::Zone => Step::ServerType,
        Step::Account => Step::Zone,
        Step::Finish => Step::Account,
    }
}

/// The step behind a step.
pub(super) fn next(step: Step) -> Step {
    match step {
        Step::Welcome => Step::ServerType,
        Step::ServerType => Step::Zone,
        Step::Zone => Step::Account,
        Step::Account | Step::Finish => Step::Finish,
    }
}
