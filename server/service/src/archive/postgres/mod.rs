//! A database of a PostgreSQL server as the Database. All is in the schema `userlock`.

mod connect;

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{PgConnection, PgPool, Row as _, Transaction, postgres::PgPoolOptions};
use userlock_core::settings::Database;

use super::{
    ArchiveError, Backend, Claim, Mark, Measure, Pending,
    marking::{self, Marking, Tables},
    read_mark, role_name,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/archive/postgres/migrations");

/// The steps from one version of the tables to the next. What is done of them is noted in the same schema: what
/// `search_path` says counts nowhere.
#[must_use]
pub fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate::Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.dangerous_set_table_name("userlock.migration");
    // The lock of the mark is held meanwhile. Another one would outlive a transaction that is cut off.
    migrations.set_locking(false);
    migrations
}

/// The mark's table, in the schema.
const MARK: &str = "mark";

/// The lock under which a database is marked; any number, the same for all.
const MARK_LOCK: i64 = 0x7573_6572_6c6f_636b;

/// A database of a PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    place: String,
    name: String,
    user: String,
    pool: PgPool,
}

impl Postgres {
    /// Connects and signs in.
    ///
    /// # Errors
    /// [`ArchiveError`] by the step that failed.
    pub async fn connect(settings: &Database) -> Result<Self, ArchiveError> {
        let options = connect::sign_in(settings).await?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(connect::STEP)
            .idle_timeout(Some(std::time::Duration::from_secs(60)))
            .connect_lazy_with(options);
        let Database { host, port, name, user, .. } = settings.clone();
        Ok(Self { place: format!("PostgreSQL: {name} at {host}:{port}"), name, user, pool })
    }

    fn explain(&self, error: sqlx::Error) -> ArchiveError {
        let Self { name, user, .. } = self;
        match &error {
            // insufficient_privilege
            sqlx::Error::Database(known) if known.code().as_deref() == Some("42501") => ArchiveError::Tables(format!(
                "{user} may not make tables in {name}: {}. As its owner: grant create on database \"{name}\" to \"{user}\"",
                known.message()
            )),
            // read_only_sql_transaction
            sqlx::Error::Database(known) if known.code().as_deref() == Some("25006") => {
                ArchiveError::Tables(format!("{name} can only be read there: name the server that it is written on"))
            }
            _ => ArchiveError::Sql(error),
        }
    }

    /// The names of all tables in the schema; absent when there is no schema.
    async fn tables(&self, connection: &mut PgConnection) -> Result<Option<Vec<String>>, ArchiveError> {
        let schema: Option<i64> =
            sqlx::query_scalar("select oid::bigint from pg_catalog.pg_namespace where nspname = 'userlock'")
                .fetch_optional(&mut *connection)
                .await
                .map_err(|error| self.explain(error))?;
        let Some(schema) = schema else { return Ok(None) };
        let tables = sqlx::query_scalar(
            "select relname::text from pg_catalog.pg_class where relnamespace = $1::oid and relkind in ('r', 'p', 'v')",
        )
        .bind(schema)
        .fetch_all(connection)
        .await
        .map_err(|error| self.explain(error))?;
        Ok(Some(tables))
    }

    async fn own_tables(&self, connection: &mut PgConnection) -> Result<(bool, Tables), ArchiveError> {
        let names = self.tables(connection).await?;
        let place = format!("the schema userlock of the database {} is another program's", self.name);
        let instead = "another database";
        Ok((names.is_some(), Tables { place, instead, names: names.unwrap_or_default() }))
    }

    async fn read_mark(&self) -> Result<Option<Mark>, ArchiveError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.explain(error))?;
        if !self.own_tables(&mut connection).await?.1.must_be_ours(MARK)? {
            return Ok(None);
        }
        self.mark_of(&mut connection).await
    }

    async fn mark_of(&self, connection: &mut PgConnection) -> Result<Option<Mark>, ArchiveError> {
        let row = sqlx::query("select zone_id, server_id, server_name, role, marked_at from userlock.mark")
            .fetch_optional(connection)
            .await
            .map_err(|error| self.explain(error))?;
        let Some(row) = row else { return Ok(None) };
        read_mark(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?).map(Some)
    }

    async fn marking(&self) -> Result<InTransaction<'_>, ArchiveError> {
        let mut transaction = self.pool.begin().await.map_err(|error| self.explain(error))?;
        // Two that make the schema at once would fail instead of waiting for each other.
        sqlx::query("select pg_advisory_xact_lock($1)").bind(MARK_LOCK).execute(&mut *transaction).await?;
        Ok(InTransaction { database: self, transaction, has_schema: false })
    }

    async fn has(&self, table: &str) -> Result<bool, ArchiveError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.explain(error))?;
        let tables = self.tables(&mut connection).await?.unwrap_or_default();
        Ok(tables.iter().any(|known| known == table))
    }

    async fn count(&self) -> Result<Measure, ArchiveError> {
        if !self.has("archived_event").await? {
            return Ok(Measure { rows: 0, bytes: 0 });
        }
        let explain = |error| self.explain(error);
        let rows: i64 = sqlx::query_scalar("select count(*) from userlock.archived_event")
            .fetch_one(&self.pool)
            .await
            .map_err(explain)?;
        let bytes: i64 = sqlx::query_scalar("select pg_total_relation_size('userlock.archived_event')")
            .fetch_one(&self.pool)
            .await
            .map_err(explain)?;
        Ok(Measure { rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    async fn version(&self) -> Result<Option<i64>, ArchiveError> {
        if !self.has("migration").await? {
            return Ok(None);
        }
        let version = sqlx::query_scalar("select max(version) from userlock.migration where success");
        version.fetch_one(&self.pool).await.map_err(|error| self.explain(error))
    }

    async fn make_and_take_back(&self) -> Result<(), ArchiveError> {
        let explain = |error| self.explain(error);
        let mut transaction = self.pool.begin().await.map_err(explain)?;
        if self.tables(&mut transaction).await?.is_none() {
            sqlx::query("create schema userlock").execute(&mut *transaction).await.map_err(explain)?;
        }
        sqlx::query("create table userlock.trial (n integer)").execute(&mut *transaction).await.map_err(explain)?;
        transaction.rollback().await?;
        Ok(())
    }
}

/// The transaction in which it is marked, under the lock of the mark.
struct InTransaction<'a> {
    database: &'a Postgres,
    transaction: Transaction<'static, sqlx::Postgres>,
    has_schema: bool,
}

impl InTransaction<'_> {
    async fn run(&mut self, statement: &'static str) -> Result<(), ArchiveError> {
        let done = sqlx::query(statement).execute(&mut *self.transaction).await;
        done.map(drop).map_err(|error| self.database.explain(error))
    }
}

impl Marking for InTransaction<'_> {
    async fn tables(&mut self) -> Result<Tables, ArchiveError> {
        let (has_schema, tables) = self.database.own_tables(&mut self.transaction).await?;
        self.has_schema = has_schema;
        Ok(tables)
    }

    async fn make(&mut self) -> Result<(), ArchiveError> {
        if !self.has_schema {
            // Whoever may connect may see whose it is: a server that signs in by another account is told, too.
            self.run("create schema userlock").await?;
            self.run("grant usage on schema userlock to public").await?;
        }
        self.run(
            "create table userlock.mark (
                 one integer primary key check (one = 1), zone_id text not null, server_id text not null,
                 server_name text not null, role text not null, marked_at bigint not null)",
        )
        .await?;
        self.run("grant select on userlock.mark to public").await
    }

    async fn read(&mut self) -> Result<Option<Mark>, ArchiveError> {
        self.database.mark_of(&mut self.transaction).await
    }

    async fn write(&mut self, mark: &Mark) -> Result<(), ArchiveError> {
        let written = sqlx::query(
            "insert into userlock.mark (one, zone_id, server_id, server_name, role, marked_at)
             values (1, $1, $2, $3, $4, $5)",
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
        let renamed = sqlx::query("update userlock.mark set server_name = $1, role = $2")
            .bind(&mark.server_name)
            .bind(role_name(mark.role))
            .execute(&mut *self.transaction)
            .await;
        renamed.map(drop).map_err(|error| self.database.explain(error))
    }

    async fn migrate(&mut self) -> Result<(), ArchiveError> {
        let database = self.database;
        migrations().run_direct(None, &mut *self.transaction, false).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => database.explain(error),
            error => ArchiveError::Version(format!("the tables of {}: {error}", database.name)),
        })
    }

    async fn commit(self) -> Result<(), ArchiveError> {
        Ok(self.transaction.commit().await?)
    }
}

impl Backend for Postgres {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn protection(&self) -> Pending<'_, String> {
        async {
            let version: Option<String> =
                sqlx::query_scalar("select version from pg_catalog.pg_stat_ssl where pid = pg_backend_pid() and ssl")
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|error| self.explain(error))?;
            Ok(version.map_or_else(
                || "not protected: what is said goes in clear".to_owned(),
                |v| format!("protected by {v}"),
            ))
        }
        .boxed()
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
            if !self.has(MARK).await? {
                return Ok(());
            }
            sqlx::query("delete from userlock.mark where zone_id = $1 and server_id = $2")
                .bind(mark.zone_id.to_string())
                .bind(mark.server_id.to_string())
                .execute(&self.pool)
                .await
                .map_err(|error| self.explain(error))?;
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
