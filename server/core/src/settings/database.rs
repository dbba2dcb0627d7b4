//! Section `database`: where this server archives session events for reports.

use serde::{Deserialize, Serialize};

use super::{FieldError, MAX_SECRET_BYTES, Secret, host, line};
use crate::api::ServerRole;

/// The file that a Primary archives to unless told otherwise, in its data directory.
pub const DEFAULT_ARCHIVE: &str = "archive.sqlite";
/// The most days for which archived events are kept.
pub const MAX_RETENTION_DAYS: u32 = 3660;
/// The longest path of a file, in bytes.
const MAX_PATH_BYTES: usize = 4096;
/// The longest name of a database or of an account in PostgreSQL, in bytes: it cuts off what is longer.
const MAX_POSTGRES_NAME_BYTES: usize = 63;

/// What kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DatabaseKind {
    /// None: nothing is archived.
    #[default]
    Off,
    /// A file on this machine.
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres,
}

/// How the connection to PostgreSQL is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DatabaseTls {
    /// Not at all.
    Disable,
    /// By TLS if the server has it; by whatever certificate.
    #[default]
    Prefer,
    /// By TLS in any case; by whatever certificate.
    Require,
    /// By TLS, and the certificate must be valid for the host's name and from an authority that this machine trusts.
    VerifyFull,
}

/// Section `database`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
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
    /// The account's password; none where the server asks for none.
    pub password: Secret,
    /// How the connection is protected.
    pub tls: DatabaseTls,
    /// Days for which archived events are kept: 1 to 3,660.
    pub retention_days: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            kind: DatabaseKind::Off,
            file: DEFAULT_ARCHIVE.into(),
            host: String::new(),
            port: 5432,
            name: String::new(),
            user: String::new(),
            password: Secret::default(),
            tls: DatabaseTls::default(),
            retention_days: 365,
        }
    }
}

impl Database {
    /// What a server has that was told nothing: a Primary a file in its data directory, a Backup none.
    #[must_use]
    pub fn of(role: ServerRole) -> Self {
        let kind = match role {
            ServerRole::Primary => DatabaseKind::Sqlite,
            ServerRole::Backup => DatabaseKind::Off,
        };
        Self { kind, ..Self::default() }
    }

    /// Whether both lead to a database in the same way, whatever is kept in it and for how long.
    #[must_use]
    pub fn connects_like(&self, other: &Self) -> bool {
        let Self { kind, file, host, port, name, user, password, tls, retention_days: _ } = self;
        if *kind != other.kind {
            return false;
        }
        match kind {
            DatabaseKind::Off => true,
            DatabaseKind::Sqlite => *file == other.file,
            DatabaseKind::Postgres => {
                (host, port, name, user, password, tls)
                    == (&other.host, &other.port, &other.name, &other.user, &other.password, &other.tls)
            }
        }
    }

    /// Checks every field. What another kind would need may be empty, and must be right where it is not.
    ///
    /// # Errors
    /// The first [`FieldError`].
    pub fn check(&self) -> Result<(), FieldError> {
        let needed = |field: &str, value: &str, kind: DatabaseKind, what: &str| {
            if value.is_empty() && self.kind == kind { Err(FieldError::new(field, what)) } else { Ok(()) }
        };
        line("file", &self.file, MAX_PATH_BYTES)?;
        needed("file", &self.file, DatabaseKind::Sqlite, "must be the path of a file, such as archive.sqlite")?;
        if !self.file.is_empty() && (self.file.trim() != self.file || self.file.ends_with('/')) {
            return Err(FieldError::new("file", "must be the path of a file, without spaces around it"));
        }
        needed("host", &self.host, DatabaseKind::Postgres, "must be the name or address of the PostgreSQL server")?;
        if !self.host.is_empty() {
            host("host", &self.host)?;
        }
        if self.port == 0 {
            return Err(FieldError::new("port", "must be from 1 to 65535"));
        }
        line("name", &self.name, MAX_POSTGRES_NAME_BYTES)?;
        needed("name", &self.name, DatabaseKind::Postgres, "must be the name of a database")?;
        line("user", &self.user, MAX_POSTGRES_NAME_BYTES)?;
        needed("user", &self.user, DatabaseKind::Postgres, "must be the name of an account of the PostgreSQL server")?;
        line("password", self.password.expose(), MAX_SECRET_BYTES)?;
        if !(1..=MAX_RETENTION_DAYS).contains(&self.retention_days) {
            let message = format!("must be from 1 to {MAX_RETENTION_DAYS} days, not {}", self.retention_days);
            return Err(FieldError::new("retention_days", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres() -> Database {
        Database {
            kind: DatabaseKind::Postgres,
            host: "::1".into(),
            name: "userlock".into(),
            user: "userlock".into(),
            ..Database::default()
        }
    }

    #[test]
    fn a_field_that_cannot_be_so_is_named() {
        assert_eq!(Database::of(ServerRole::Primary).check(), Ok(()));
        assert_eq!(Database::of(ServerRole::Backup).check(), Ok(()));
        assert_eq!(postgres().check(), Ok(()));
        let refused = |change: &dyn Fn(&mut Database)| {
            let mut database = postgres();
            change(&mut database);
            database.check().unwrap_err().field
        };
        assert_eq!(refused(&|d| d.host = String::new()), "host");
        assert_eq!(refused(&|d| d.host = "a b".into()), "host");
        assert_eq!(refused(&|d| d.host = "/run/postgresql".into()), "host");
        assert_eq!(refused(&|d| d.port = 0), "port");
        assert_eq!(refused(&|d| d.name = String::new()), "name");
        assert_eq!(refused(&|d| d.name = "x".repeat(64)), "name");
        assert_eq!(refused(&|d| d.user = String::new()), "user");
        assert_eq!(refused(&|d| d.user = "a\0".into()), "user");
        assert_eq!(refused(&|d| d.password = Secret::new("a\nb")), "password");
        assert_eq!(refused(&|d| d.retention_days = 0), "retention_days");
        assert_eq!(refused(&|d| d.retention_days = 3661), "retention_days");
        assert_eq!(refused(&|d| d.file = "a\0".into()), "file");
        let sqlite = |file: &str| {
            let database = Database { kind: DatabaseKind::Sqlite, file: file.into(), ..Database::default() };
            database.check().map_err(|error| error.field)
        };
        assert_eq!(sqlite("/var/lib/userlock/a b.sqlite"), Ok(()));
        for file in ["", " a", "folder/"] {
            assert_eq!(sqlite(file), Err("file".to_owned()), "{file}");
        }
    }

    #[test]
    fn only_what_leads_elsewhere_is_another_connection() {
        let (one, mut other) = (postgres(), postgres());
        other.retention_days = 1;
        other.file = "another".into();
        assert!(one.connects_like(&other));
        other.password = Secret::new("p");
        assert!(!one.connects_like(&other));
        assert!(!one.connects_like(&Database::default()));
    }
}
