//! What was typed so far, and what was found. It is in memory only: a restart begins anew.

use userlock_core::{agent_api::ServerAddress, api::ServerRole, sync::JoinResponse};

use crate::{
    config::Config,
    setup::{Administrator, Failure, Leftover, NewBackup, Reached, Step},
};
use userlock_app::pages::wizard::{Task, Told};

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
        }
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

/// The step behind a step.
pub(super) fn next(step: Step) -> Step {
    match step {
        Step::Welcome => Step::ServerType,
        Step::ServerType => Step::Zone,
        Step::Zone => Step::Account,
        Step::Account | Step::Finish => Step::Finish,
    }
}
