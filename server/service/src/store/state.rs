//! `state.sqlite`: the log, the folded state, the settings. One connection writes; others read.

use std::{path::Path, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Connection as _, QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use userlock_core::{
    id::{LogId, SettingsHash},
    record::Run,
    server::{Cursor, Row, RowKind, Segment},
    settings::ZoneDocument,
    sync::Filing,
};

/// The file in the data directory.
pub const FILE: &str = "state.sqlite";
/// Rows of one statement. SQLite takes 32,766 variables; a statement is prepared once for each number of rows.
const CHUNK: usize = 64;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// SQLite says why.
    #[error("{FILE}: {0}")]
    Sql(#[from] sqlx::Error),
    /// The file is of a later version, or damaged.
    #[error("{FILE}: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Something in it is not what it should be.
    #[error("{FILE}: {0} cannot be read")]
    Corrupt(&'static str),
    /// The file was not there, or was made but not set up.
    #[error("{FILE}: this data directory was not set up: run `userlock setup`")]
    NotSetUp,
}

/// Reads the state. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StateStore {
    pool: SqlitePool,
}

/// Writes the state. There is one.
#[derive(Debug)]
pub struct StateWriter {
    connection: SqliteConnection,
}

/// What one commit writes.
#[derive(Debug, Default)]
pub struct Commit<'a> {
    /// Added to the log.
    pub segments: &'a [Segment],
    /// Pieces of the state.
    pub rows: &'a [Row],
    /// With these all pieces know the records up to this position.
    pub rows_position: Option<u64>,
    /// Whether the pieces take the place of all others.
    pub replace_rows: bool,
    /// The settings' new revision.
    pub settings: Option<&'a ZoneDocument>,
    /// Where this server is in the other's log now.
    pub cursor: Option<Cursor>,
    /// The clock, in ms since 1970 UTC.
    pub at: i64,
}

/// Opens the file, or makes it.
///
/// # Errors
/// [`StateError`].
pub async fn open(dir: &Path) -> Result<(StateStore, StateWriter), StateError> {
    let options = SqliteConnectOptions::new()
        .filename(dir.join(FILE))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged commit is on the disk: in WAL mode only FULL syncs the log at each one.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .pragma("wal_autocheckpoint", "4000")
        .busy_timeout(Duration::from_secs(10));
    // It holds hashes and, on a Backup, a token.
    super::make_private(&dir.join(FILE)).map_err(sqlx::Error::Io)?;
    let mut connection = SqliteConnection::connect_with(&options).await?;
    MIGRATIONS.run(&mut connection).await?;
    let pool = SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options.read_only(true));
    Ok((StateStore { pool }, StateWriter { connection }))
}

impl StateWriter {
    /// Writes a commit: all of it is on the disk when this returns, or nothing is.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn commit(&mut self, commit: Commit<'_>) -> Result<(), StateError> {
        let mut transaction = self.connection.begin().await?;
        for segment in commit.segments {
            add_segment(&mut transaction, segment, commit.at).await?;
        }
        if commit.replace_rows {
            sqlx::query("delete from state").execute(&mut *transaction).await?;
        }
        put_rows(&mut transaction, commit.rows).await?;
        if let Some(position) = commit.rows_position {
            put_meta(&mut transaction, "state_position", &position).await?;
        }
        if let Some(document) = commit.settings {
            super::revisions::add(&mut transaction, document).await?;
        }
        if let Some(cursor) = commit.cursor {
            put_meta(&mut transaction, "cursor", &cursor).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Closes it, and waits until it is closed.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn close(self) -> Result<(), StateError> {
        Ok(self.connection.close().await?)
    }

    /// Writes values that are kept by name, in one transaction.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn put(&mut self, key: &str, value: &impl Serialize) -> Result<(), StateError> {
        put_meta(&mut self.connection, key, value).await
    }

    /// Removes a value that is kept by name.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn remove(&mut self, key: &str) -> Result<(), StateError> {
        sqlx::query("delete from meta where key = ?").bind(key).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Forgets the folded state, which is of another version: it will be folded anew from the log.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn forget_state(&mut self) -> Result<(), StateError> {
        let mut transaction = self.connection.begin().await?;
        sqlx::query("delete from state").execute(&mut *transaction).await?;
        put_meta(&mut transaction, "state_position", &0u64).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Renames the records of an origin from `first` on as `filing` says, one by one, where they stand in the log; those
    /// that are not in `unfiled` have been filed before. The folded state is forgotten with it: it is to be written down
    /// anew, or folded from the log.
    ///
    /// # Errors
    /// [`StateError`]; then nothing has changed.
    pub async fn file_branch(&mut self, filing: &Filing, first: u64, unfiled: Option<&Run>) -> Result<(), StateError> {
        let mut transaction = self.connection.begin().await?;
        let segments: Vec<i64> = sqlx::query_scalar("select distinct segment from run where origin = ? and last >= ?")
            .bind(filing.origin().0.as_slice())
            .bind(number(first))
            .fetch_all(&mut *transaction)
            .await?;
        for segment in segments {
            let bytes: Vec<u8> = sqlx::query_scalar("select runs from segment where first_position = ?")
                .bind(segment)
                .fetch_one(&mut *transaction)
                .await?;
            let runs: Option<Vec<Vec<Run>>> =
                read_runs(&bytes)?.iter().map(|run| filing.renamed(run, unfiled)).collect();
            let runs = runs.ok_or(StateError::Corrupt("the branch of a fork"))?.concat();
            let bytes = postcard::to_allocvec(&runs).map_err(|_| StateError::Corrupt("a record"))?;
            sqlx::query("update segment set runs = ? where first_position = ?")
                .bind(bytes)
                .bind(segment)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("delete from run where segment = ?").bind(segment).execute(&mut *transaction).await?;
            add_to_index(&mut transaction, &runs, segment).await?;
        }
        sqlx::query("delete from state").execute(&mut *transaction).await?;
        put_meta(&mut transaction, "state_position", &0u64).await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn add_segment(connection: &mut SqliteConnection, segment: &Segment, at: i64) -> Result<(), StateError> {
    let bytes = postcard::to_allocvec(&segment.runs).map_err(|_| StateError::Corrupt("a record"))?;
    sqlx::query("insert into segment (first_position, count, source, at, runs) values (?, ?, ?, ?, ?)")
        .bind(number(segment.first_position))
        .bind(number(segment.count))
        .bind(segment.source.0.as_slice())
        .bind(at)
        .bind(bytes)
        .execute(&mut *connection)
        .await?;
    add_to_index(connection, &segment.runs, number(segment.first_position)).await
}

async fn add_to_index(connection: &mut SqliteConnection, runs: &[Run], segment: i64) -> Result<(), StateError> {
    for runs in runs.chunks(CHUNK) {
        let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new("insert into run (origin, first, last, segment) ");
        insert.push_values(runs, |mut row, run| {
            let origin = run.entries.first().map(|e| e.record.origin.0).unwrap_or_default();
            let (first, last) = run.span().unwrap_or_default();
            row.push_bind(origin.to_vec()).push_bind(number(first)).push_bind(number(last));
            row.push_bind(segment);
        });
        // Only whole chunks recur often enough to be worth keeping prepared.
        insert.build().persistent(runs.len() == CHUNK || runs.len() <= 2).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn put_rows(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), StateError> {
    for rows in rows.chunks(CHUNK) {
        let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new("insert or replace into state (kind, key, value) ");
        insert.push_values(rows, |mut values, row| {
            values.push_bind(row.kind as i64).push_bind(row.key.as_slice()).push_bind(row.value.as_slice());
        });
        insert.build().persistent(rows.len() == CHUNK).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn put_meta(
    connection: &mut SqliteConnection,
    key: &str,
    value: &impl Serialize,
) -> Result<(), StateError> {
    let value = serde_json::to_string(value).map_err(|_| StateError::Corrupt("a value"))?;
    sqlx::query("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}

impl StateWriter {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl StateStore {
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Closes it: nothing is read any more.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A value that is kept by name.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StateError> {
        let text: Option<String> =
            sqlx::query_scalar("select value from meta where key = ?").bind(key).fetch_optional(&self.pool).await?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| StateError::Corrupt("a value"))).transpose()
    }

    /// The present revision of the zone's settings.
    ///
    /// # Errors
    /// [`StateError::NotSetUp`] when there is none.
    pub async fn settings(&self) -> Result<ZoneDocument, StateError> {
        let text: Option<String> =
            sqlx::query_scalar("select document from zone_settings order by number desc limit 1")
                .fetch_optional(&self.pool)
                .await?;
        let text = text.ok_or(StateError::NotSetUp)?;
        serde_json::from_str(&text).map_err(|_| StateError::Corrupt("the settings"))
    }

    /// Whether this revision is one that this server has worked by.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn knows_settings(&self, hash: SettingsHash) -> Result<bool, StateError> {
        let found: i64 = sqlx::query_scalar("select count(*) from zone_settings where hash = ?")
            .bind(hash.0.as_slice())
            .fetch_one(&self.pool)
            .await?;
        Ok(found > 0)
    }

    /// Each piece of the folded state, to be put back.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn rows(&self, mut each: impl FnMut(Row) -> Result<(), StateError>) -> Result<(), StateError> {
        use futures_util::TryStreamExt as _;
        let mut rows = sqlx::query("select kind, key, value from state").fetch(&self.pool);
        while let Some(row) = rows.try_next().await? {
            let kind = RowKind::from_number(row.try_get(0)?).ok_or(StateError::Corrupt("a piece of the state"))?;
            each(Row { kind, key: row.try_get(1)?, value: row.try_get(2)? })?;
        }
        Ok(())
    }

    /// Segments with records after a position, oldest first, until they reach so many bytes; at least one if there is any.
    /// Each with the bytes of its runs, not yet read.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn segments_after(&self, position: u64, bytes: usize) -> Result<Vec<RawSegment>, StateError> {
        use futures_util::TryStreamExt as _;
        let mut rows = sqlx::query(
            "select first_position, count, source, at, runs from segment
             where first_position > (select coalesce(max(first_position), 0) from segment
                                     where first_position <= ?1 and first_position + count - 1 <= ?1)
             order by first_position",
        )
        .bind(number(position))
        .fetch(&self.pool);
        let mut size = 0;
        let mut segments = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let segment = raw_segment(&row)?;
            size += segment.runs.len();
            segments.push(segment);
            if size >= bytes {
                break;
            }
        }
        Ok(segments)
    }

    /// The segments with the last so many records before a position, the newest first. No more of them are read than have
    /// these records, nor more than `segments`, so that the answer may have fewer; it is empty when there are none.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn segments_before(
        &self,
        position: u64,
        records: u64,
        segments: u32,
    ) -> Result<Vec<RawSegment>, StateError> {
        // What they hold is read only of those that are needed: one may have thousands of records.
        let starts: Vec<i64> = sqlx::query_scalar(
            "select first_position from segment where first_position < ? order by first_position desc limit ?",
        )
        .bind(number(position))
        .bind(segments)
        .fetch_all(&self.pool)
        .await?;
        let reached = |start: &i64| position.saturating_sub(unsigned(*start)) >= records;
        let Some(oldest) = starts.iter().copied().find(reached).or(starts.last().copied()) else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query(
            "select first_position, count, source, at, runs from segment where first_position between ? and ?
             order by first_position desc",
        )
        .bind(oldest)
        .bind(number(position) - 1)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(raw_segment).collect()
    }

    /// The first position whose segment was committed at or after a time (ms since 1970 UTC), among the last so many
    /// segments; the position after the last if there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn position_since(&self, at: i64, last: u32) -> Result<Option<u64>, StateError> {
        let first: Option<i64> = sqlx::query_scalar(
            "select min(first_position) from
             (select first_position, at from segment order by first_position desc limit ?) where at >= ?",
        )
        .bind(last)
        .bind(at)
        .fetch_one(&self.pool)
        .await?;
        Ok(first.and_then(|f| u64::try_from(f).ok()))
    }

    /// The last position of the log, and the first.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn positions(&self) -> Result<(u64, u64), StateError> {
        let row = sqlx::query(
            "select coalesce(max(first_position + count - 1), 0), coalesce(min(first_position), 1) from
             (select first_position, count from segment where first_position in
              ((select max(first_position) from segment), (select min(first_position) from segment)))",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((unsigned(row.try_get(0)?), unsigned(row.try_get(1)?)))
    }

    /// The records of an origin with these numbers, as far as the log has them.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn records(&self, origin: &[u8; 16], first: u64, last: u64) -> Result<Vec<Run>, StateError> {
        Ok(self.records_within(origin, first, last, usize::MAX).await?.0)
    }

    /// The same, until they have so many bytes, by one run more at most; and whether these are all. Each segment is read
    /// once, and no more than one is in memory at a time.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn records_within(
        &self,
        origin: &[u8; 16],
        first: u64,
        last: u64,
        bytes: usize,
    ) -> Result<(Vec<Run>, bool), StateError> {
        let found: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select first, last, segment from run where origin = ?1 and first <= ?3 and last >= ?2
             and first >= (select coalesce(max(first), 0) from run where origin = ?1 and first <= ?2) order by first",
        )
        .bind(origin.as_slice())
        .bind(number(first))
        .bind(number(last))
        .fetch_all(&self.pool)
        .await?;
        let (mut records, mut size) = (Vec::new(), 0);
        let (mut at, mut runs) = (None, Vec::new());
        for (from, to, segment) in found {
            if size >= bytes {
                return Ok((records, false));
            }
            if at != Some(segment) {
                let raw: Vec<u8> = sqlx::query_scalar("select runs from segment where first_position = ?")
                    .bind(segment)
                    .fetch_one(&self.pool)
                    .await?;
                (at, runs) = (Some(segment), read_runs(&raw)?);
            }
            let (from, to) = (unsigned(from), unsigned(to));
            let of_origin = |run: &&Run| run.entries.first().is_some_and(|e| e.record.origin.0 == *origin);
            let run = runs.iter().filter(of_origin).find(|run| run.span().is_some_and(|(f, l)| f <= from && l >= to));
            let run = run.ok_or(StateError::Corrupt("the index of the log"))?;
            let part = run.slice(from.max(first), to.min(last));
            size += part.iter().flat_map(|run| &run.entries).map(|e| e.record.payload.len() + 128).sum::<usize>();
            records.extend(part);
        }
        Ok((records, true))
    }
}

/// Records as the log has them, not yet read.
#[derive(Debug, Clone)]
pub struct RawSegment {
    /// The position of the first record.
    pub first_position: u64,
    /// How many records there are.
    pub count: u64,
    /// The other server's log that they came from.
    pub source: LogId,
    /// When they were committed here, in ms since 1970 UTC.
    pub at: i64,
    /// A postcard sequence of runs.
    pub runs: Vec<u8>,
}

impl RawSegment {
    /// The position of the last record.
    #[must_use]
    pub fn last_position(&self) -> u64 {
        self.first_position + self.count.saturating_sub(1)
    }

    /// Reads the records.
    ///
    /// # Errors
    /// [`StateError::Corrupt`].
    pub fn read(&self) -> Result<Segment, StateError> {
        let runs = read_runs(&self.runs)?;
        Ok(Segment { first_position: self.first_position, count: self.count, source: self.source, runs })
    }
}

/// Reads the bytes of a segment's runs.
///
/// # Errors
/// [`StateError::Corrupt`].
pub fn read_runs(bytes: &[u8]) -> Result<Vec<Run>, StateError> {
    postcard::from_bytes(bytes).map_err(|_| StateError::Corrupt("the log"))
}

fn raw_segment(row: &sqlx::sqlite::SqliteRow) -> Result<RawSegment, StateError> {
    let source: Vec<u8> = row.try_get(2)?;
    let source = LogId(source.try_into().map_err(|_| StateError::Corrupt("the log"))?);
    Ok(RawSegment {
        first_position: unsigned(row.try_get(0)?),
        count: unsigned(row.try_get(1)?),
        source,
        at: row.try_get(3)?,
        runs: row.try_get(4)?,
    })
}

/// SQLite's integers are signed; what is counted here stays far below 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
