//! Why a database cannot be used, by the check that fails.

use userlock_core::settings::DatabaseKind;

use super::Mark;
use crate::{
    aside::AsideError,
    http::problem::{self, Refusal},
};

/// Why a database cannot be used. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be where it is said to be.
    #[error("{0}")]
    File(String),
    /// The server, or the file, cannot be reached.
    #[error("{0}")]
    Reach(String),
    /// The connection cannot be protected as it should.
    #[error("{0}")]
    Tls(String),
    /// The account, its password, or the database's name is not right.
    #[error("{message}")]
    Authenticate {
        /// The field that is at fault.
        field: &'static str,
        /// What happened, and what to do.
        message: String,
    },
    /// The account may not make tables, or there is no room for them.
    #[error("{0}")]
    Tables(String),
    /// It is something else than a database of this program.
    #[error("{0}")]
    Foreign(String),
    /// Another server of the zone uses it.
    #[error(
        "this is the database of the {} server {} (id {}) of this zone, and each server needs one of its own, by \
         whatever name or path it is reached: name another database; the same database server will do. One that \
         nobody uses any more has its mark taken away first",
        .0.role.title(), .0.server_name, .0.server_id
    )]
    OtherServer(Box<Mark>),
    /// A server of another zone uses it.
    #[error(
        "this is the database of the {} server {} (id {}) of another zone (id {}): name another database",
        .0.role.title(), .0.server_name, .0.server_id, .0.zone_id
    )]
    OtherZone(Box<Mark>),
    /// Its tables are of a later version of this program, or damaged.
    #[error("{0}")]
    Version(String),
    /// Anything else that the database says.
    #[error("the database says: {0}")]
    Sql(#[from] sqlx::Error),
}

impl ArchiveError {
    /// The check that it fails.
    #[must_use]
    pub fn check(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Reach(_) | Self::Sql(_) => "reach",
            Self::Tls(_) => "tls",
            Self::Authenticate { .. } => "authenticate",
            Self::Tables(_) => "tables",
            Self::Foreign(_) | Self::OtherServer(_) | Self::OtherZone(_) | Self::Version(_) => "own",
        }
    }

    /// Whose mark stands there, where it is another server's.
    #[must_use]
    pub fn mark(&self) -> Option<&Mark> {
        match self {
            Self::OtherServer(mark) | Self::OtherZone(mark) => Some(mark),
            _ => None,
        }
    }

    /// The refusal of a change to this database: 422 with the field that is at fault.
    #[must_use]
    pub fn refusal(&self, kind: DatabaseKind) -> Refusal {
        let sqlite = kind == DatabaseKind::Sqlite;
        let field = match self {
            Self::Authenticate { field, .. } => field,
            Self::Tls(_) => "tls",
            Self::OtherServer(_) | Self::OtherZone(_) => "kind",
            _ if sqlite => "file",
            Self::Tables(_) => "user",
            Self::Foreign(_) | Self::Version(_) => "name",
            Self::File(_) | Self::Reach(_) | Self::Sql(_) => "host",
        };
        let message = self.to_string();
        match self {
            Self::OtherServer(_) => problem::other_database("database_of_other_server", field, &message),
            Self::OtherZone(_) => problem::other_database("database_of_other_zone", field, &message),
            _ => problem::invalid_field(field, &message),
        }
    }
}

impl From<AsideError> for ArchiveError {
    fn from(error: AsideError) -> Self {
        match error {
            AsideError::Cannot { .. } => Self::File(error.to_string()),
            AsideError::TimedOut { .. } => Self::Reach(format!("{error}, or name a file elsewhere")),
        }
    }
}
