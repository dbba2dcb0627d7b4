//! The section `database` of a server: as it is read and written back, tested, and how the database is.

use serde::{Deserialize, Serialize};

use super::{Check, SecretField};
use crate::settings::{Database, DatabaseKind, DatabaseTls, FieldError};

/// The section `database`. What is read can be written back as it is.
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
    /// Its port: 1 to 65,535.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The account there.
    pub user: String,
    /// Its password.
    #[serde(default)]
    pub password: SecretField,
    /// How the connection is protected.
    pub tls: DatabaseTls,
    /// Days for which archived events are kept: 1 to 3,660.
    pub retention_days: u32,
}

impl From<&Database> for DatabaseSection {
    fn from(database: &Database) -> Self {
        let Database { kind, file, host, port, name, user, password, tls, retention_days } = database.clone();
        Self { kind, file, host, port, name, user, password: SecretField::of(&password), tls, retention_days }
    }
}

impl DatabaseSection {
    /// What is kept after this was written. Without an account the password goes too.
    ///
    /// # Errors
    /// [`FieldError`], as of [`EmailSection::applied_to`](super::EmailSection::applied_to).
    pub fn applied_to(self, present: &Database) -> Result<Database, FieldError> {
        let kept = self.password.is_kept() && present.password.is_set() && !self.user.is_empty();
        if kept && !self.takes_password_of(&Self::from(present)) {
            return Err(SecretField::must_be_given_again());
        }
        let Self { kind, file, host, port, name, user, password, tls, retention_days } = self;
        let password = password.applied_to(&present.password, &user);
        Ok(Database { kind, file, host, port, name, user, password, tls, retention_days })
    }

    /// Whether a password that is kept for what is present may go along, as of
    /// [`EmailSection::takes_password_of`](super::EmailSection::takes_password_of).
    #[must_use]
    pub fn takes_password_of(&self, present: &Self) -> bool {
        let same = (&self.host, self.port, &self.user) == (&present.host, present.port, &present.user);
        same && (self.tls == present.tls || self.tls == DatabaseTls::VerifyFull)
    }
}

/// `POST /api/v1/settings/database/test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseTest {
    /// The settings to test; absent: those that are kept. They are not kept by this.
    #[serde(default)]
    pub settings: Option<DatabaseSection>,
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
