//! How a database is marked: in which order, in one place for every kind of database.

use super::{ArchiveError, Claim, Mark};

/// A transaction in which a database is marked and its tables are made: nothing of it is there until it is committed, and
/// nothing stays of one that is dropped. Of several that mark at once the others wait until it has ended.
pub(super) trait Marking {
    /// The tables that are there, among them the mark's, whose name is the program's own.
    fn tables(&mut self) -> impl Future<Output = Result<Tables, ArchiveError>> + Send;

    /// Makes the mark's table, and what it stands in.
    fn make(&mut self) -> impl Future<Output = Result<(), ArchiveError>> + Send;

    /// Reads the mark. Its table is there.
    fn read(&mut self) -> impl Future<Output = Result<Option<Mark>, ArchiveError>> + Send;

    /// Writes the mark where there is none.
    fn write(&mut self, mark: &Mark) -> impl Future<Output = Result<(), ArchiveError>> + Send;

    /// Gives the mark that stands there its server's present name and role.
    fn rename(&mut self, mark: &Mark) -> impl Future<Output = Result<(), ArchiveError>> + Send;

    /// Makes the tables, or brings them to this program's version.
    fn migrate(&mut self) -> impl Future<Output = Result<(), ArchiveError>> + Send;

    /// Keeps all of it.
    fn commit(self) -> impl Future<Output = Result<(), ArchiveError>> + Send;
}

/// The tables that a database has in the place where ours would be.
pub(super) struct Tables {
    /// Where that is, in words: the subject of a message that it is another program's.
    pub place: String,
    /// What is to be named instead.
    pub instead: &'static str,
    /// Their names.
    pub names: Vec<String>,
}

impl Tables {
    /// Whether the database is marked, or has been. Refuses that of another program.
    pub fn must_be_ours(&self, mark: &str) -> Result<bool, ArchiveError> {
        let Some(first) = self.names.first() else { return Ok(false) };
        if self.names.iter().any(|name| name == mark) {
            return Ok(true);
        }
        let Self { place, instead, .. } = self;
        Err(ArchiveError::Foreign(format!("{place}, with the table {first}: name {instead}")))
    }
}

/// Marks a database for a server unless it is another's, and brings its tables to this version. Either all of it is done
/// or nothing: a server that is cut off in the middle leaves no mark behind.
pub(super) async fn claim(mut marking: impl Marking, table: &str, mark: &Mark) -> Result<Claim, ArchiveError> {
    if !marking.tables().await?.must_be_ours(table)? {
        marking.make().await?;
    }
    let before = marking.read().await?;
    match &before {
        Some(before) if before.admit(mark).is_err() => return Ok(Claim { mark: before.clone(), new: false }),
        Some(_) => marking.rename(mark).await?,
        None => marking.write(mark).await?,
    }
    marking.migrate().await?;
    let found = marking.read().await?.ok_or(ArchiveError::Sql(sqlx::Error::RowNotFound))?;
    marking.commit().await?;
    Ok(Claim { mark: found, new: before.is_none() })
}
