//! Why a set-up does not go on, for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    log::catalogue,
    sync::{SyncError, Told},
};

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// What is needed.
    #[default]
    Welcome,
    /// Primary or Backup, and the Primary's address.
    ServerType,
    /// The zone, and this server in it.
    Zone,
    /// The account that a Backup uses on its Primary.
    Account,
    /// It is done.
    Finish,
}

/// What was asked for and is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The server's type.
    Role,
    /// The Primary's address.
    Primary,
    /// The fingerprint of the Primary's certificate.
    Fingerprint,
    /// The zone's name.
    Zone,
    /// The server's name.
    Name,
    /// The server's public address.
    PublicUrl,
    /// The first administrator's name.
    Admin,
    /// A password.
    Password,
    /// The password again.
    Again,
    /// The service account.
    Account,
    /// Whether the Backup that the zone has is replaced.
    Replace,
}

/// What stands against going on: what happened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable.
    pub code: &'static str,
    /// The step that it belongs to.
    pub step: Step,
    /// What of that step.
    pub field: Option<Field>,
    /// The check that found it, where it was one.
    pub check: Option<&'static str>,
    /// What happened, without a full stop.
    pub what: String,
    /// What to do, in whole sentences.
    pub advice: String,
    /// The certificate that was shown, where that is what it is about.
    pub fingerprint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(check) = self.check {
            write!(f, "{check}: ")?;
        }
        f.write_str(&sentence(&self.what))?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, " {}", self.advice) }
    }
}

impl std::error::Error for Failure {}

/// A text with one full stop at its end.
#[must_use]
pub(super) fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches(['.', ' ']))
}

impl Failure {
    /// What is not right with a field.
    pub fn of_field(code: &'static str, step: Step, field: Field, what: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::of_finish(code, what, "").at(step) }
    }

    /// What went wrong when it was done.
    pub fn of_finish(code: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        let (what, advice) = (what.into(), advice.into());
        Self { code, step: Step::Finish, field: None, check: None, what, advice, fingerprint: None }
    }

    /// What a check of the Primary's address found.
    pub(super) fn of_check(
        code: &'static str,
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let failure = Self::of_finish(code, what, advice);
        Self { check: Some(check), step: Step::ServerType, field: Some(Field::Primary), ..failure }
    }

    /// The same with what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    fn at(mut self, step: Step) -> Self {
        self.step = step;
        self
    }

    /// What an answer of the Primary means, or that there was none.
    #[must_use]
    pub(super) fn of_primary(error: &SyncError, primary: &str, account: &str) -> Self {
        match error.problem {
            Told::HasABackup => {
                // The Primary names it: it has seen the account and the password.
                let told = error.message.split_once(": ").map_or("", |(_, detail)| detail);
                let named = told.split(". ").next().filter(|named| named.contains("already"));
                let what = format!("{}: a zone has one at most", named.unwrap_or("The zone has a Backup already"));
                let advice = "Remove it on the Primary first, or let this server take its place.";
                return Self {
                    field: Some(Field::Replace),
                    ..Self::of_check("has_a_backup", "free to join", what, advice)
                }
                .at(Step::Account);
            }
            Told::NotSetUp => {
                let what = format!("The server at {primary} is not set up itself");
                return Self::of_check(
                    "primary_not_set_up",
                    "is a Primary",
                    what,
                    "Finish its set-up as Primary first.",
                );
            }
            Told::TooManyAttempts => {
                let what = "The Primary takes no more attempts: too many have failed";
                return Self::of_check(
                    "too_many_attempts",
                    "authenticate",
                    what,
                    "Wait a quarter of an hour, then try again.",
                )
                .at(Step::Account);
            }
            Told::NotFound => return Self::not_a_server(primary),
            Told::Other => {}
        }
        Self::of_kind(error, primary, account)
    }

    /// Why a server did not tell what it is. One that answers in any other way than ours do is none of ours.
    pub(super) fn of_about(error: &SyncError, primary: &str) -> Self {
        let ours = error.problem == Told::NotSetUp || error.kind == catalogue::SYNC_VERSION;
        let silent = [catalogue::SYNC_TIMEOUT, catalogue::SYNC_REFUSED, catalogue::SYNC_NAME];
        if ours || silent.contains(&error.kind) {
            Self::of_primary(error, primary, "")
        } else {
            Self::not_a_server(primary)
        }
    }

    fn not_a_server(primary: &str) -> Self {
        let what = format!("The server at {primary} does not answer as a UserLock server does");
        let advice = if primary.starts_with("http://") {
            "Begin the address with https:// if that server has a certificate; else check the address and the port."
        } else {
            "Check the address and the port; an older version is upgraded first."
        };
        Self::of_check("not_a_server", "is a Primary", what, advice)
    }

    fn of_kind(error: &SyncError, primary: &str, account: &str) -> Self {
        let of_account = |code, check, field, what: String, advice: &str| {
            Self { field: Some(field), ..Self::of_check(code, check, what, advice) }.at(Step::Account)
        };
        match error.kind {
            catalogue::SYNC_AUTHENTICATION => of_account(
                "wrong_password",
                "authenticate",
                Field::Password,
                format!("The Primary does not accept the account {account} with this password"),
                "Check the account and the password.",
            ),
            catalogue::SYNC_NOT_ADMINISTRATOR => of_account(
                "not_an_administrator",
                "is an administrator",
                Field::Account,
                format!("{account} is not an administrator on the Primary, which a service account must be"),
                "Give the account the role administrator on the Primary, or use another account.",
            ),
            catalogue::SYNC_NOT_PRIMARY => Self::of_check(
                "not_a_primary",
                "is a Primary",
                format!("The server at {primary} is a Backup itself"),
                "Give the address of its Primary.",
            ),
            catalogue::SYNC_VERSION => {
                Self::of_check("other_version", "version", error.message.clone(), "Upgrade the older server.")
            }
            catalogue::SYNC_TLS => Self::of_check(
                "certificate_changed",
                "tls",
                format!("The server at {primary} has another certificate than the one that was confirmed"),
                "Compare the fingerprint with what the Primary's set-up told.",
            ),
            catalogue::SYNC_TIMEOUT => Self::of_check(
                "no_answer",
                "connect",
                format!("{primary} did not answer in time"),
                "Check that the Primary is not hung, and the firewalls between the two servers.",
            ),
            catalogue::SYNC_REFUSED | catalogue::SYNC_LOST_CONNECTION | catalogue::SYNC_NAME => Self::of_check(
                "refused",
                "connect",
                format!("{primary}: {}", error.message),
                "Check that the Primary runs and listens there.",
            ),
            catalogue::SYNC_PROTOCOL => Self::not_a_server(primary),
            _ => Self::of_check(
                "primary_failed",
                "join",
                error.message.clone(),
                "Look into the application log of the Primary.",
            ),
        }
    }
}

macro_rules! of_this_server {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of_finish("this_server", error.to_string(), "")
            }
        }
    )*};
}

of_this_server!(
    crate::zone::StartError,
    crate::store::product::ProductStoreError,
    crate::tls::TlsError,
    crate::random::NoRandomness,
    crate::auth::PasswordError,
    crate::dir_lock::DirLockError,
    userlock_core::settings::FieldError,
    tokio::task::JoinError
);
