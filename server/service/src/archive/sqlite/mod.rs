//! A SQLite file as the Database.

mod place;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{
    Row as _, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use crate::aside;

use super::{
    ArchiveError, Backend, Claim, Mark, Measure, Pending,
    marking::{self, Marking, Tables},
    read_mark, role_name,
};

/// The steps from one version of the tables to the next.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/archive/sqlite/migrations");

/// How long it is waited for another process that writes to the file.
const BUSY: Duration = Duration::from_secs(5);

/// The mark's table.
const MARK: &str = "userlock_mark";

/// SQLite's number for a file that is no database.
const NOT_A_DATABASE: &str = "26";

/// A file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    pool: SqlitePool,
}

impl Sqlite {
    /// Opens the file, or makes it, so that only this user can read it. A relative path begins at the data directory.
    ///
    /// # Errors
    /// [`ArchiveError`], also when it is one of the program's own files.
    pub async fn open(dir: &Path, file: &str) -> Result<Self, ArchiveError> {
        let (dir, file) = (dir.to_owned(), file.to_owned());
        let path = aside::within(dir.join(&file), move || {
            let path = place::resolve(&dir, &file)?;
            if !path.exists() {
                crate::store::make_private(&path).map_err(|error| place::cannot_open(&path, &error))?;
            }
            Ok::<_, ArchiveError>(path)
        });
        Self::connect(path.await??).await
    }

    /// Opens the file as it is, to look into it; absent when there is none. Its folder must be one where a file can be
    /// made.
    ///
    /// # Errors
    /// [`ArchiveError`], also when it is one of the program's own files.
    pub async fn look(dir: &Path, file: &str) -> Result<Option<Self>, ArchiveError> {
        let (dir, file) = (dir.to_owned(), file.to_owned());
        let found = aside::within(dir.join(&file), move || {
            let path = place::resolve(&dir, &file)?;
            if path.exists() {
                return Ok(Some(path));
            }
            place::try_folder(&path)?;
            Ok::<_, ArchiveError>(None)
        });
        match found.await?? {
            Some(path) => Self::connect(path).await.map(Some),
            None => Ok(None),
        }
    }

    async fn connect(path: PathBuf) -> Result<Self, ArchiveError> {
        // The journal's mode is left as it is, and a new file has a rollback journal. A write-ahead log has the name of
        // the path: behind a hard link of another name the mark in it would not be seen.
        let options =
            SqliteConnectOptions::new().filename(&path).synchronous(SqliteSynchronous::Full).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(BUSY).connect_lazy_with(options);
        let sqlite = Self { path, pool };
        match sqlite.tables().await {
            Ok(_) => Ok(sqlite),
            Err(error) => {
                sqlite.pool.close().await;
                Err(error)
            }
        }
    }

    /// The names of all tables.
    async fn tables(&self) -> Result<Vec<String>, ArchiveError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.explain(error))?;
        tables_of(&mut connection).await.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: sqlx::Error) -> ArchiveError {
        let path = self.path.display();
        match &error {
            sqlx::Error::Database(known) if known.code().as_deref() == Some(NOT_A_DATABASE) => {
                ArchiveError::Foreign(format!("{path} is there already and is no SQLite database: name another file"))
            }
            sqlx::Error::Database(known) if known.message().contains("readonly") => {
                ArchiveError::Tables(format!("{path} cannot be written to: give this server's user the right to"))
            }
            _ => ArchiveError::Reach(format!("{path} cannot be opened: {error}")),
        }
    }

    async fn own_tables(&self, connection: &mut SqliteConnection) -> Result<Tables, ArchiveError> {
        let place = format!("{} is the database of another program", self.path.display());
        let names = tables_of(connection).await.map_err(|error| self.explain(error))?;
        Ok(Tables { place, instead: "another file", names })
    }

    async fn read_mark(&self) -> Result<Option<Mark>, ArchiveError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.explain(error))?;
        if !self.own_tables(&mut connection).await?.must_be_ours(MARK)? {
            return Ok(None);
        }
        mark_of(&mut connection).await
    }

    async fn marking(&self) -> Result<InTransaction<'_>, ArchiveError> {
        // It takes the file's lock at once, so that what is read is still true when it is written.
        let begun = self.pool.begin_with("begin immediate").await;
        Ok(InTransaction { database: self, transaction: begun.map_err(|error| self.explain(error))? })
    }

    async fn count(&self) -> Result<Measure, ArchiveError> {
        let made = self.tables().await?.iter().any(|table| table == "archived_event");
        if !made {
            return Ok(Measure { rows: 0, bytes: 0 });
        }
        let rows: i64 = sqlx::query_scalar("select count(*) from archived_event").fetch_one(&self.pool).await?;
        let bytes: i64 = sqlx::query_scalar(
            "select (select page_count from pragma_page_count) * (select page_size from pragma_page_size)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Measure { rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    async fn version(&self) -> Result<Option<i64>, ArchiveError> {
        if !self.tables().await?.iter().any(|table| table == "_sqlx_migrations") {
            return Ok(None);
        }
        let version = sqlx::query_scalar("select max(version) from _sqlx_migrations where success");
        Ok(version.fetch_one(&self.pool).await?)
    }

    async fn make_and_take_back(&self) -> Result<(), ArchiveError> {
        let begun = self.pool.begin_with("begin immediate").await;
        let mut transaction = begun.map_err(|error| self.explain(error))?;
        let made = sqlx::query("create table userlock_trial (n integer)").execute(&mut *transaction).await;
        made.map_err(|error| self.explain(error))?;
        transaction.rollback().await?;
        Ok(())
    }
}

async fn tables_of(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        .fetch_all(connection)
        .await
}

async fn mark_of(connection: &mut SqliteConnection) -> Result<Option<Mark>, ArchiveError> {
    let row = sqlx::query("select zone_id, server_id, server_name, role, marked_at from userlock_mark")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    read_mark(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?).map(Some)
}

/// The transaction in which it is marked: it has the file's lock.
struct InTransaction<'a> {
    database: &'a Sqlite,
    transaction: Transaction<'static, sqlx::Sqlite>,
}

impl Marking for InTransaction<'_> {
    async fn tables(&mut self) -> Result<Tables, ArchiveError> {
        self.database.own_tables(&mut self.transaction).await
    }

    async fn make(&mut self) -> Result<(), ArchiveError> {
        let made = sqlx::query(
            "create table userlock_mark (
                 one integer primary key check (one = 1), zone_id text not null, server_id text not null,
                 server_name text not null, role text not null, marked_at integer not null) strict",
        )
        .execute(&mut *self.transaction)
        .await;
        made.map(drop).map_err(|error| self.database.explain(error))
    }

    async fn read(&mut self) -> Result<Option<Mark>, ArchiveError> {
        mark_of(&mut self.transaction).await
    }

    async fn write(&mut self, mark: &Mark) -> Result<(), ArchiveError> {
        let written = sqlx::query(
            "insert into userlock_mark (one, zone_id, server_id, server_name, role, marked_at)
             values (1, ?, ?, ?, ?, ?)",
        )
        .bind(mark.zone_id.to_string())
        .bind(mark.server_id.to_string())
        .bind(&mark.server_name)
        .bind(role_name(mark.role))
        .bind(mark.at)
        .execute(&mut *self.transaction)
        .await;
        written.map(drop).map_err(|error| self.database.explain(error))
    }

    async fn rename(&mut self, mark: &Mark) -> Result<(), ArchiveError> {
        let renamed = sqlx::query("update userlock_mark set server_name = ?, role = ?")
            .bind(&mark.server_name)
            .bind(role_name(mark.role))
            .execute(&mut *self.transaction)
            .await;
        renamed.map(drop).map_err(|error| self.database.explain(error))
    }

    async fn migrate(&mut self) -> Result<(), ArchiveError> {
        let database = self.database;
        MIGRATIONS.run_direct(None, &mut *self.transaction, false).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => database.explain(error),
            error => ArchiveError::Version(format!("the tables of {}: {error}", database.path.display())),
        })
    }

    async fn commit(self) -> Result<(), ArchiveError> {
        Ok(self.transaction.commit().await?)
    }
}

impl Backend for Sqlite {
    fn place(&self) -> String {
        format!("SQLite: {}", self.path.display())
    }

    fn protection(&self) -> Pending<'_, String> {
        async { Ok("a file of this machine: nothing goes over the network".to_owned()) }.boxed()
    }

    fn mark(&self) -> Pending<'_, Option<Mark>> {
        self.read_mark().boxed()
    }

    fn claim<'a>(&'a self, mark: &'a Mark) -> Pending<'a, Claim> {
        async move { marking::claim(self.marking().await?, MARK, mark).await }.boxed()
    }

    fn release<'a>(&'a self, mark: &'a Mark) -> Pending<'a, ()> {
        async {
            // What was cut off before it was kept has made none.
            if !self.tables().await?.iter().any(|table| table == MARK) {
                return Ok(());
            }
            sqlx::query("delete from userlock_mark where zone_id = ? and server_id = ?")
                .bind(mark.zone_id.to_string())
                .bind(mark.server_id.to_string())
                .execute(&self.pool)
                .await?;
            Ok(())
        }
        .boxed()
    }

    fn schema_version(&self) -> Pending<'_, Option<i64>> {
        self.version().boxed()
    }

    fn try_tables(&self) -> Pending<'_, ()> {
        self.make_and_take_back().boxed()
    }

    fn measure(&self) -> Pending<'_, Measure> {
        self.count().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pool.close().boxed()
    }
}
