//! The sections that belong to each server alone: as they are read, as they are changed, tested, and what they were.

use serde::{Deserialize, Serialize};

#[cfg(feature = "openapi")]
use super::secret::SecretGiven;
use super::{Check, SecretChange, SecretState, SynchronizationSection};
use crate::settings::{Database, DatabaseKind, DatabaseTls, Email, FieldError, MailTls, Secret};

/// The section `email`, as it is read. It can be written back as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailSection {
    /// The mail server's name or address; empty: not set.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The sender.
    pub from: String,
    /// The account at the mail server; empty: none.
    pub user: String,
    /// Whether its password is set.
    pub password: SecretState,
}

impl From<&Email> for EmailSection {
    fn from(email: &Email) -> Self {
        let Email { server, port, tls, from, user, password } = email.clone();
        Self { server, port, tls, from, user, password: SecretState::of(&password) }
    }
}

/// The section `email`, as it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailChange {
    /// The mail server's name or address; empty: none.
    pub server: String,
    /// Its port: 1 to 65,535.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The sender: `name@example.com` or `Name <name@example.com>`.
    pub from: String,
    /// The account at the mail server; empty: none.
    pub user: String,
    /// Its password as a text (empty: none); absent, or as it was read: it stays.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = SecretGiven, required = false))]
    pub password: SecretChange,
}

impl EmailChange {
    /// The section after the change. Without an account the password goes too.
    ///
    /// # Errors
    /// [`FieldError`]: a password that is kept is sent to the server that it was given for, as the account that it was given for,
    /// and no less protected; else it must be given again.
    pub fn applied_to(self, present: &Email) -> Result<Email, FieldError> {
        let Self { server, port, tls, from, user, password } = self;
        let kept = password == SecretChange::Keep && present.password.is_set();
        let password = if kept && user.is_empty() { Secret::default() } else { password.applied_to(&present.password) };
        let email = Email { server, port, tls, from, user, password };
        let elsewhere = (&email.server, email.port, &email.user) != (&present.server, present.port, &present.user);
        let weaker = email.tls != present.tls && email.tls != MailTls::Tls;
        if kept && email.password.is_set() && (elsewhere || weaker) {
            return Err(FieldError::new("password", TYPE_AGAIN));
        }
        Ok(email)
    }
}

/// Why a password that is kept does not go along.
const TYPE_AGAIN: &str = "must be given again, since the server, the port, the account or the protection is another: what is kept goes nowhere else";

/// `POST /api/v1/settings/email/test`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailTest {
    /// Who gets the message.
    pub to: String,
    /// The settings to test; absent: those that are kept. They are not kept by this.
    #[serde(default)]
    pub settings: Option<EmailChange>,
}

/// The section `database`, as it is read. It can be written back as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseSection {
    /// What kind it is.
    pub kind: DatabaseKind,
    /// Of SQLite: the file; a relative path begins at the data directory.
    pub file: String,
    /// Of PostgreSQL: the server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The account there.
    pub user: String,
    /// Whether its password is set.
    pub password: SecretState,
    /// How the connection is protected.
    pub tls: DatabaseTls,
    /// Days for which archived events are kept.
    pub retention_days: u32,
}

impl From<&Database> for DatabaseSection {
    fn from(database: &Database) -> Self {
        let Database { kind, file, host, port, name, user, password, tls, retention_days } = database.clone();
        Self { kind, file, host, port, name, user, password: SecretState::of(&password), tls, retention_days }
    }
}

/// The section `database`, as it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseChange {
    /// What kind it is.
    pub kind: DatabaseKind,
    /// Of SQLite: the file; a relative path begins at the data directory.
    pub file: String,
    /// Of PostgreSQL: the server's name or address.
    pub host: String,
    /// Its port: 1 to 65,535.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The account there.
    pub user: String,
    /// Its password as a text (empty: none); absent, or as it was read: it stays.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = SecretGiven, required = false))]
    pub password: SecretChange,
    /// How the connection is protected.
    pub tls: DatabaseTls,
    /// Days for which archived events are kept: 1 to 3,660.
    pub retention_days: u32,
}

impl DatabaseChange {
    /// The section after the change. Without an account the password goes too.
    ///
    /// # Errors
    /// [`FieldError`], as of [`EmailChange::applied_to`].
    pub fn applied_to(self, present: &Database) -> Result<Database, FieldError> {
        let Self { kind, file, host, port, name, user, password, tls, retention_days } = self;
        let kept = password == SecretChange::Keep && present.password.is_set();
        let password = if kept && user.is_empty() { Secret::default() } else { password.applied_to(&present.password) };
        let database = Database { kind, file, host, port, name, user, password, tls, retention_days };
        let elsewhere = (&database.host, database.port, &database.user) != (&present.host, present.port, &present.user);
        let weaker = database.tls != present.tls && database.tls != DatabaseTls::VerifyFull;
        if kept && database.password.is_set() && (elsewhere || weaker) {
            return Err(FieldError::new("password", TYPE_AGAIN));
        }
        Ok(database)
    }
}

/// `POST /api/v1/settings/database/test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseTest {
    /// The settings to test; absent: those that are kept. They are not kept by this.
    #[serde(default)]
    pub settings: Option<DatabaseChange>,
}

/// What the test of a database found: its checks in order; those behind one that failed were not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseReport {
    /// Whether all passed.
    pub ok: bool,
    /// `reach`, `tls`, `authenticate`, `own`, `tables`.
    pub checks: Vec<Check>,
    /// How many events are archived there; absent when they could not be counted in time.
    pub rows: Option<u64>,
    /// How much room they take, in bytes.
    pub bytes: Option<u64>,
}

/// Whether this server's database is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DatabaseState {
    /// None is set.
    Off,
    /// It is being opened for the first time.
    Opening,
    /// It is in use.
    Open,
    /// It is set and cannot be used; it is tried again every 30 s.
    Failed,
}

/// This server's database at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseStatus {
    /// Whether it is in use.
    pub state: DatabaseState,
    /// Where it is, or why it cannot be used, in words.
    pub detail: String,
    /// The version of its tables.
    pub schema_version: Option<i64>,
    /// How many events are archived; absent when they could not be counted in time.
    pub rows: Option<u64>,
    /// How much room they take, in bytes.
    pub bytes: Option<u64>,
}

/// All that belongs to a server alone, secrets left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnDocument {
    /// Section `synchronization`; on a Backup.
    pub synchronization: Option<SynchronizationSection>,
    /// Section `email`.
    pub email: EmailSection,
    /// Section `database`.
    pub database: DatabaseSection,
}

/// One change of what belongs to a server alone. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnRevision {
    /// Its number, as the `ETag` has it. Each change makes the next.
    pub revision: u64,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// Who.
    pub by: String,
    /// Which section, by its slug.
    pub section: String,
    /// Why, if told.
    pub reason: Option<String>,
    /// The fields of the section that changed, a replaced secret among them.
    pub changed: Vec<String>,
    /// All as it was: an [`OwnDocument`] as the version had it that wrote it down.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub before: serde_json::Value,
    /// All as it became.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub after: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Secret;

    #[test]
    fn what_is_read_can_be_written_back_and_has_no_secret() {
        let email =
            Email { password: Secret::new("hunter2"), server: "mail".into(), user: "me".into(), ..Email::default() };
        let read = serde_json::to_value(EmailSection::from(&email)).unwrap();
        assert_eq!(read["password"], json!({ "set": true }));
        let change: EmailChange = serde_json::from_value(read).unwrap();
        assert_eq!(change.applied_to(&email), Ok(email));
        let database = Database { password: Secret::new("hunter2"), user: "me".into(), ..Database::default() };
        let read = serde_json::to_value(DatabaseSection::from(&database)).unwrap();
        assert!(!read.to_string().contains("hunter2"));
        let change: DatabaseChange = serde_json::from_value(read).unwrap();
        assert!(!format!("{change:?}").contains("hunter2"));
        assert_eq!(change.applied_to(&database), Ok(database));
    }

    #[test]
    fn a_kept_password_goes_nowhere_else() {
        let email = Email {
            server: "mail".into(),
            user: "me".into(),
            password: Secret::new("hunter2"),
            tls: MailTls::StartTls,
            ..Email::default()
        };
        let change = |field: &str, value: serde_json::Value| {
            let mut read = serde_json::to_value(EmailSection::from(&email)).unwrap();
            read[field] = value;
            serde_json::from_value::<EmailChange>(read).unwrap().applied_to(&email)
        };
        for (field, value) in
            [("server", json!("elsewhere")), ("port", json!(25)), ("user", json!("you")), ("tls", json!("none"))]
        {
            assert_eq!(change(field, value).unwrap_err().field, "password", "{field}");
        }
        assert!(change("tls", json!("tls")).unwrap().password.is_set(), "better protected");
        assert!(change("from", json!("a@b")).unwrap().password.is_set());
        assert!(!change("user", json!("")).unwrap().password.is_set(), "without an account there is no password");
        let database =
            Database { host: "db".into(), user: "me".into(), password: Secret::new("x"), ..Database::default() };
        let mut read = serde_json::to_value(DatabaseSection::from(&database)).unwrap();
        read["host"] = json!("elsewhere");
        let change: DatabaseChange = serde_json::from_value(read).unwrap();
        assert_eq!(change.applied_to(&database).unwrap_err().field, "password");
    }
}
