//! The Database: where this server archives session events for reports. It is not the server's own state.
//!
//! One trait, one folder for each kind of database; SQL stands there alone. Each database has a mark that says which
//! server uses it, so that two servers never share one, by whatever name, path or link they come to it.

mod error;
mod handle;
mod keep;
mod marking;
mod open;
pub mod postgres;
pub mod sqlite;
mod test;

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
};

pub use error::ArchiveError;
pub use handle::{Archive, COUNT_LIMIT, Opened};
pub use keep::keep;
pub use open::release;
pub use test::test;

use crate::{clock, zone::Zone};

/// Work on a database.
pub type Pending<'a, T> = BoxFuture<'a, Result<T, ArchiveError>>;

/// Which server uses a database. It stands in the database itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its zone.
    pub zone_id: ZoneId,
    /// Its id, for its life.
    pub server_id: ServerId,
    /// Its name for people.
    pub server_name: String,
    /// Its role.
    pub role: ServerRole,
    /// When it first used the database, in ms since 1970 UTC.
    pub at: i64,
}

impl Mark {
    /// The mark of this server.
    #[must_use]
    pub fn of(zone: &Zone) -> Self {
        zone.read(|server| Self {
            zone_id: server.identity.zone_id,
            server_id: server.identity.server_id,
            server_name: server.identity.name.clone(),
            role: server.identity.role,
            at: clock::now_ms(),
        })
    }

    /// Refuses a database with this mark to any server but the one that it names.
    ///
    /// # Errors
    /// [`ArchiveError::OtherZone`], [`ArchiveError::OtherServer`].
    pub fn admit(&self, asking: &Self) -> Result<(), ArchiveError> {
        if self.zone_id != asking.zone_id {
            return Err(ArchiveError::OtherZone(Box::new(self.clone())));
        }
        if self.server_id != asking.server_id {
            return Err(ArchiveError::OtherServer(Box::new(self.clone())));
        }
        Ok(())
    }
}

/// What came of marking a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The mark that stands there now: the asking server's, or that of the server that was there before.
    pub mark: Mark,
    /// Whether it was made by this.
    pub new: bool,
}

/// How much is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Events.
    pub rows: u64,
    /// The room that they take, in bytes, with what finds them.
    pub bytes: u64,
}

/// One database. Its errors say what happened and what to do.
pub trait Backend: Debug + Send + Sync {
    /// Where it is, in words, for messages.
    fn place(&self) -> String;

    /// Whether the connection is protected, in words.
    fn protection(&self) -> Pending<'_, String>;

    /// Reads the mark. Nothing is changed.
    fn mark(&self) -> Pending<'_, Option<Mark>>;

    /// Marks the database for a server unless it is another's, and makes its tables or brings them to this program's
    /// version: in one transaction, of which nothing stays when it is cut off. Of several that mark at once one alone
    /// wins. A server's own mark gets its present name and role. A database with tables of others and no mark is refused.
    fn claim<'a>(&'a self, mark: &'a Mark) -> Pending<'a, Claim>;

    /// Takes a server's own mark away again; another's stays.
    fn release<'a>(&'a self, mark: &'a Mark) -> Pending<'a, ()>;

    /// The version of the tables; absent before they are made.
    fn schema_version(&self) -> Pending<'_, Option<i64>>;

    /// Makes a table and takes it back: whether tables may be made. Nothing is changed.
    fn try_tables(&self) -> Pending<'_, ()>;

    /// How much is archived; nothing where there are no tables yet.
    fn measure(&self) -> Pending<'_, Measure>;

    /// Closes the connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The stable name of a role, as the mark has it.
fn role_name(role: ServerRole) -> &'static str {
    match role {
        ServerRole::Primary => "primary",
        ServerRole::Backup => "backup",
    }
}

/// A mark from its row.
fn read_mark(zone_id: &str, server_id: &str, name: String, role: &str, at: i64) -> Result<Mark, ArchiveError> {
    let bad = || ArchiveError::Foreign("its mark cannot be read: it is damaged, or of a later version".to_owned());
    Ok(Mark {
        zone_id: zone_id.parse().map_err(|_| bad())?,
        server_id: server_id.parse().map_err(|_| bad())?,
        server_name: name,
        role: match role {
            "primary" => ServerRole::Primary,
            "backup" => ServerRole::Backup,
            _ => return Err(bad()),
        },
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(zone: u8, server: u8) -> Mark {
        Mark {
            zone_id: ZoneId([zone; 16]),
            server_id: ServerId([server; 16]),
            server_name: "one".into(),
            role: ServerRole::Primary,
            at: 1,
        }
    }

    #[test]
    fn a_mark_admits_its_own_server_alone() {
        assert!(mark(1, 1).admit(&Mark { server_name: "renamed".into(), ..mark(1, 1) }).is_ok());
        let other = mark(1, 1).admit(&mark(1, 2)).unwrap_err();
        assert!(matches!(&other, ArchiveError::OtherServer(mark) if mark.server_name == "one"), "{other}");
        assert!(matches!(mark(1, 1).admit(&mark(2, 1)), Err(ArchiveError::OtherZone(_))), "a copy set up anew");
    }

    #[test]
    fn both_kinds_have_the_same_versions() {
        let versions = |migrations: &sqlx::migrate::Migrator| {
            migrations.iter().map(|m| (m.version, m.description.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(versions(&sqlite::MIGRATIONS), versions(&postgres::migrations()));
    }
}
