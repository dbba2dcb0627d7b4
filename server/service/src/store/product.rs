//! `product.sqlite`: the application log and the sign-ins of the dashboard.

use std::{path::Path, time::Duration};

use sqlx::{
    QueryBuilder, Row as _, Sqlite, SqlitePool,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use userlock_core::api::{Level, LogEvent, LogQuery, Page};

use crate::log::SOURCE;

/// The file in the data directory.
pub const FILE: &str = "product.sqlite";
/// The most events that are kept, whatever their age.
const MAX_EVENTS: i64 = 1_000_000;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations-product");

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProductStoreError {
    /// SQLite says why.
    #[error("{FILE}: {0}")]
    Sql(#[from] sqlx::Error),
    /// The file is of a later version, or damaged.
    #[error("{FILE}: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row does not say what it should.
    #[error("{FILE}: event {number} of the application log cannot be read")]
    Row {
        /// Which.
        number: i64,
    },
}

/// The application log and the sign-ins on the disk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProductStore {
    pool: SqlitePool,
}

/// A sign-in, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSignIn {
    /// The hash of the cookie.
    pub hash: [u8; 32],
    /// The account.
    pub account: String,
    /// A hash of the account's password hash.
    pub password_mark: [u8; 16],
    /// From where.
    pub address: String,
    /// When, in ms since 1970 UTC.
    pub created_at: i64,
    /// When it was last used, in ms since 1970 UTC.
    pub last_seen: i64,
}

impl ProductStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn open(dir: &Path) -> Result<Self, ProductStoreError> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Losing the last events to a power failure is bearable here; damage is not, and does not come with WAL.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        super::make_private(&dir.join(FILE)).map_err(sqlx::Error::Io)?;
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        MIGRATIONS.run(&pool).await?;
        Ok(Self { pool })
    }

    /// Writes events, in one transaction.
    ///
    /// # Errors
    /// [`ProductStoreError`]; then none was written.
    pub async fn write_log(&self, events: &[LogEvent]) -> Result<(), ProductStoreError> {
        let mut transaction = self.pool.begin().await?;
        for event in events {
            sqlx::query("insert into application_log (id, level, at, message, details) values (?, ?, ?, ?, ?)")
                .bind(event.id)
                .bind(level_number(event.level))
                .bind(event.at)
                .bind(&event.message)
                .bind(serde_json::to_string(&event.details).unwrap_or_default())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// One page of events, the newest first. The cursor is the number of the last event of the page before.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn read_log(
        &self,
        query: &LogQuery,
        limit: u32,
        cursor: Option<u64>,
    ) -> Result<Page<LogEvent>, ProductStoreError> {
        let mut count = QueryBuilder::new("select count(*) from application_log where 1 = 1");
        filter(&mut count, query);
        let total: i64 = count.build_query_scalar().fetch_one(&self.pool).await?;
        let mut select =
            QueryBuilder::new("select number, id, level, at, message, details from application_log where 1 = 1");
        filter(&mut select, query);
        if let Some(cursor) = cursor {
            select.push(" and number < ").push_bind(i64::try_from(cursor).unwrap_or(i64::MAX));
        }
        select.push(" order by number desc limit ").push_bind(i64::from(limit) + 1);
        let rows = select.build().fetch_all(&self.pool).await?;
        let mut items = rows.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(|event| event.number.to_string()) } else { None };
        Ok(Page { total: u64::try_from(total).ok(), items, next })
    }

    /// How many warnings and errors there were since then.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn count_alerts(&self, since: i64) -> Result<u64, ProductStoreError> {
        let count: i64 = sqlx::query_scalar("select count(*) from application_log where level in (1, 2) and at >= ?")
            .bind(since)
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Removes events from before that time, and the oldest above the greatest number that is kept.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn prune_log(&self, before: i64) -> Result<(), ProductStoreError> {
        sqlx::query(
            "delete from application_log
             where at < ? or number <= (select coalesce(max(number), 0) from application_log) - ?",
        )
        .bind(before)
        .bind(MAX_EVENTS)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All sign-ins.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn sign_ins(&self) -> Result<Vec<StoredSignIn>, ProductStoreError> {
        let rows = sqlx::query("select hash, account, password_mark, address, created_at, last_seen from sign_in")
            .fetch_all(&self.pool)
            .await?;
        // A row whose hash has another length can match no cookie and is passed over.
        Ok(rows.iter().filter_map(sign_in_of).collect())
    }

    /// Keeps a sign-in.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn put_sign_in(&self, sign_in: &StoredSignIn) -> Result<(), ProductStoreError> {
        put(sign_in).execute(&self.pool).await?;
        Ok(())
    }

    /// Keeps when a sign-in was last used, in ms since 1970 UTC. One that has ended does not come back by it.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn touch_sign_in(&self, hash: &[u8; 32], last_seen: i64) -> Result<(), ProductStoreError> {
        sqlx::query("update sign_in set last_seen = ? where hash = ?")
            .bind(last_seen)
            .bind(hash.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A sign-in goes on as another one: both happen, or neither.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn replace_sign_in(&self, hash: &[u8; 32], by: &StoredSignIn) -> Result<(), ProductStoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from sign_in where hash = ?").bind(hash.as_slice()).execute(&mut *transaction).await?;
        put(by).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends a sign-in.
    ///
    /// # Errors
    /// [`ProductStoreError`].
    pub async fn delete_sign_in(&self, hash: &[u8; 32]) -> Result<(), ProductStoreError> {
        sqlx::query("delete from sign_in where hash = ?").bind(hash.as_slice()).execute(&self.pool).await?;
        Ok(())
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Keeps a sign-in.
fn put(sign_in: &StoredSignIn) -> Query<'_, Sqlite, SqliteArguments> {
    sqlx::query(
        "insert into sign_in (hash, account, password_mark, address, created_at, last_seen)
         values (?, ?, ?, ?, ?, ?)",
    )
    .bind(sign_in.hash.as_slice())
    .bind(&sign_in.account)
    .bind(sign_in.password_mark.as_slice())
    .bind(&sign_in.address)
    .bind(sign_in.created_at)
    .bind(sign_in.last_seen)
}

fn filter(sql: &mut QueryBuilder<Sqlite>, query: &LogQuery) {
    if let Some(level) = query.level {
        sql.push(" and level >= ").push_bind(level_number(level));
    }
    if let Some(id) = query.id {
        sql.push(" and id = ").push_bind(id);
    }
    if let Some(from) = query.from {
        sql.push(" and at >= ").push_bind(from);
    }
    if let Some(to) = query.to {
        sql.push(" and at < ").push_bind(to);
    }
}

fn level_number(level: Level) -> i64 {
    match level {
        Level::Information => 0,
        Level::Warning => 1,
        Level::Error => 2,
    }
}

fn event_of(row: &SqliteRow) -> Result<LogEvent, ProductStoreError> {
    let number: i64 = row.try_get(0)?;
    let bad = |_| ProductStoreError::Row { number };
    let level = match row.try_get::<i64, _>(2)? {
        0 => Level::Information,
        1 => Level::Warning,
        _ => Level::Error,
    };
    let details: String = row.try_get(5)?;
    Ok(LogEvent {
        number: u64::try_from(number).map_err(|_| ProductStoreError::Row { number })?,
        id: row.try_get(1)?,
        source: SOURCE.to_owned(),
        level,
        at: row.try_get(3)?,
        message: row.try_get(4)?,
        details: serde_json::from_str(&details).map_err(bad)?,
    })
}

fn sign_in_of(row: &SqliteRow) -> Option<StoredSignIn> {
    Some(StoredSignIn {
        hash: row.try_get::<&[u8], _>(0).ok()?.try_into().ok()?,
        account: row.try_get(1).ok()?,
        password_mark: row.try_get::<&[u8], _>(2).ok()?.try_into().ok()?,
        address: row.try_get(3).ok()?,
        created_at: row.try_get(4).ok()?,
        last_seen: row.try_get(5).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Journal, SystemLog, catalogue, details};

    #[tokio::test]
    async fn what_is_recorded_is_read_back_by_page_and_filter() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProductStore::open(dir.path()).await.unwrap();
        let (journal, _task) = Journal::start(store.clone(), SystemLog::None);
        for number in 0..5 {
            journal.record(catalogue::STARTED, format!("start {number}"), details([("n", &number)]));
        }
        journal.record(catalogue::SYNC_REFUSED, "refused", details([("address", &"a:1")]));
        journal.flush().await;

        let all = store.read_log(&LogQuery::default(), 4, None).await.unwrap();
        assert_eq!((all.total, all.items.len()), (Some(6), 4));
        assert_eq!((all.items[0].id, all.items[0].level), (1202, Level::Error));
        assert_eq!(all.items[0].details["address"], "a:1");
        let cursor = all.next.unwrap().parse().ok();
        let rest = store.read_log(&LogQuery::default(), 4, cursor).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (2, None));

        let warnings = LogQuery { level: Some(Level::Warning), ..LogQuery::default() };
        assert_eq!(store.read_log(&warnings, 50, None).await.unwrap().total, Some(1));
        assert_eq!(store.count_alerts(0).await.unwrap(), 1);
        store.prune_log(i64::MAX).await.unwrap();
        assert_eq!(store.read_log(&LogQuery::default(), 50, None).await.unwrap().total, Some(0));
    }

    #[tokio::test]
    async fn a_sign_in_is_kept_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProductStore::open(dir.path()).await.unwrap();
        let mut sign_in = StoredSignIn {
            hash: [7; 32],
            account: "admin".into(),
            password_mark: [1; 16],
            address: "192.0.2.1".into(),
            created_at: 1,
            last_seen: 1,
        };
        store.put_sign_in(&sign_in).await.unwrap();
        sign_in.last_seen = 9;
        store.touch_sign_in(&sign_in.hash, 9).await.unwrap();
        assert_eq!(store.sign_ins().await.unwrap(), [sign_in.clone()]);
        store.delete_sign_in(&sign_in.hash).await.unwrap();
        assert!(store.sign_ins().await.unwrap().is_empty());
        store.touch_sign_in(&sign_in.hash, 10).await.unwrap();
        assert!(store.sign_ins().await.unwrap().is_empty(), "what has ended stays so");
    }
}
