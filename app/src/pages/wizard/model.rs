//! What a page of the wizard shows. Nothing of it is ever serialized, and no password is in it.

use userlock_core::api::ServerRole;

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What is needed, and the one-time code.
    Welcome,
    /// Primary or Backup.
    ServerType,
    /// The zone, and this server in it.
    Zone,
    /// The account of a Backup on its Primary.
    Account,
    /// It is done.
    Finish,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Self; 5] = [Self::Welcome, Self::ServerType, Self::Zone, Self::Account, Self::Finish];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Welcome => "Welcome",
            Self::ServerType => "Server type",
            Self::Zone => "Protected zone",
            Self::Account => "Service account",
            Self::Finish => "Finish",
        }
    }

    /// Its address.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Welcome => "/wizard",
            Self::ServerType => "/wizard/server-type",
            Self::Zone => "/wizard/zone",
            Self::Account => "/wizard/account",
            Self::Finish => "/wizard/finish",
        }
    }
}

/// A page.
#[derive(Debug, Clone)]
pub struct WizardPage {
    /// What stands against going on.
    pub trouble: Option<Trouble>,
    /// What to know before going on.
    pub warnings: Vec<String>,
    /// What is on it.
    pub contents: Contents,
}

/// What stands against going on.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Stable.
    pub code: String,
    /// The name of the field that it is about.
    pub field: Option<&'static str>,
    /// What happened, what was kept, and what to do.
    pub text: String,
}

/// What is on a page.
#[derive(Debug, Clone)]
pub enum Contents {
    /// What is needed; the form for the code where it was not given yet.
    Welcome {
        /// Whether the code was given.
        opened: bool,
    },
    /// Primary or Backup.
    ServerType(ServerType),
    /// The zone, and this server in it.
    Zone(Zone),
    /// The account of a Backup on its Primary.
    Account(Account),
    /// It is done.
    Finish(Finish),
}

impl Contents {
    /// The step that it belongs to.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Welcome { .. } => Step::Welcome,
            Self::ServerType(_) => Step::ServerType,
            Self::Zone(_) => Step::Zone,
            Self::Account(_) => Step::Account,
            Self::Finish(_) => Step::Finish,
        }
    }
}

/// Primary or Backup, and the Primary's address.
#[derive(Debug, Clone, Default)]
pub struct ServerType {
    /// What was chosen.
    pub role: Option<ServerRole>,
    /// The Primary's address, as it was typed.
    pub primary: String,
    /// A certificate that is to be compared and confirmed.
    pub confirm: Option<String>,
    /// The certificate that was confirmed.
    pub confirmed: Option<String>,
    /// The zone of an unfinished set-up, when another one was met.
    pub forget: Option<String>,
}

/// The zone, and this server in it.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    /// Whether this is the set-up of a Backup.
    pub backup: bool,
    /// The zone's name; of a Backup as its Primary has told it.
    pub zone: String,
    /// The Primary's name.
    pub primary: String,
    /// This server's name.
    pub name: String,
    /// Whether its configuration has the name.
    pub name_given: bool,
    /// Its public address.
    pub public_url: String,
    /// Whether its configuration has the address.
    pub url_given: bool,
    /// The first administrator.
    pub admin: String,
    /// Whether a password was given before.
    pub has_password: bool,
}

/// The account of a Backup on its Primary.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Whether this is the set-up of a Backup: a Primary needs none.
    pub backup: bool,
    /// The Primary's name.
    pub primary: String,
    /// The account.
    pub account: String,
    /// Whether a password was given before.
    pub has_password: bool,
    /// Whether the zone has a Backup, which this server would replace.
    pub offer_replace: bool,
    /// Whether it was chosen to replace it.
    pub replace: bool,
}

/// The summary, and how far it is.
#[derive(Debug, Clone)]
pub struct Finish {
    /// What will be made: a name, what it is, and the step at which it is changed.
    pub summary: Vec<(&'static str, String, Step)>,
    /// What the button says.
    pub verb: &'static str,
    /// How far it is.
    pub progress: Progress,
    /// What is done, and what is to be done.
    pub tasks: Vec<Task>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It was not begun.
    Ready,
    /// It is at work.
    Working,
    /// It can be tried again.
    Failed,
    /// It is done.
    Done(Told),
}

/// What is told at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where the server is reached.
    pub url: String,
    /// Its certificate; empty for plain HTTP.
    pub fingerprint: String,
    /// What machines are enrolled with; of a Primary. Shown once.
    pub enrolment: Option<String>,
}

/// A part of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What.
    pub name: &'static str,
    /// How far it is.
    pub state: TaskState,
    /// What it does, or did.
    pub detail: String,
}

/// How far a part of the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Its turn will come.
    Waiting,
    /// It is at work.
    Working,
    /// It is done.
    Done,
    /// It failed.
    Failed,
}
