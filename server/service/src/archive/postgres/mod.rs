//! A database of a PostgreSQL server as the Database. All is in the schema `userlock`.

mod connect;

use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgPoolOptions};
use userlock_core::settings::Database;

use super::{ArchiveError, Backend, Claim, Mark, Measure, Pending, read_mark, role_name};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/archive/postgres/migrations");

/// The steps from one version of the tables to the next. What is done of them is noted in the same schema: what
/// `search_path` says counts nowhere.
#[must_use]
pub fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate::Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.dangerous_set_table_name("userlock.migration");
    migrations
}

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

    /// Whether it is marked, or has been. Refuses a schema that another program has filled.
    fn must_be_ours(&self, tables: &[String]) -> Result<bool, ArchiveError> {
        let ours = tables.iter().any(|table| table == "mark");
        if ours || tables.is_empty() {
            return Ok(ours);
        }
        Err(ArchiveError::Foreign(format!(
            "the schema userlock of the database {} is another program's, with the table {}: name another database",
            self.name,
            tables.first().map(String::as_str).unwrap_or_default()
        )))
    }

    async fn read_mark(&self) -> Result<Option<Mark>, ArchiveError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.explain(error))?;
        let tables = self.tables(&mut connection).await?.unwrap_or_default();
        if !self.must_be_ours(&tables)? {
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

    async fn write_mark(&self, mark: &Mark) -> Result<Claim, ArchiveError> {
        let explain = |error| self.explain(error);
        let mut transaction = self.pool.begin().await.map_err(explain)?;
        // Two that make the schema at once would fail instead of waiting for each other.
        sqlx::query("select pg_advisory_xact_lock($1)").bind(MARK_LOCK).execute(&mut *transaction).await?;
        match self.tables(&mut transaction).await? {
            None => {
                // Whoever may connect may see whose it is: a server that signs in by another account is told, too.
                for statement in ["create schema userlock", "grant usage on schema userlock to public"] {
                    sqlx::query(statement).execute(&mut *transaction).await.map_err(explain)?;
                }
                make_mark(&mut transaction).await.map_err(explain)?;
            }
            Some(tables) => {
                if !self.must_be_ours(&tables)? {
                    make_mark(&mut transaction).await.map_err(explain)?;
                }
            }
        }
        let before = self.mark_of(&mut transaction).await?;
        if let Some(before) = before.filter(|before| before.admit(mark).is_err()) {
            return Ok(Claim { mark: before, new: false });
        }
        let made: bool = sqlx::query_scalar(
            "insert into userlock.mark as present (one, zone_id, server_id, server_name, role, marked_at)
             values (1, $1, $2, $3, $4, $5)
             on conflict (one) do update set server_name = excluded.server_name, role = excluded.role
             where (present.zone_id, present.server_id) = (excluded.zone_id, excluded.server_id)
             returning xmax = 0",
        )
        .bind(mark.zone_id.to_string())
        .bind(mark.server_id.to_string())
        .bind(&mark.server_name)
        .bind(role_name(mark.role))
        .bind(mark.at)
        .fetch_one(&mut *transaction)
        .await
        .map_err(explain)?;
        let found = self.mark_of(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Claim { mark: found.ok_or(ArchiveError::Sql(sqlx::Error::RowNotFound))?, new: made })
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

async fn make_mark(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "create table userlock.mark (
             one integer primary key check (one = 1), zone_id text not null, server_id text not null,
             server_name text not null, role text not null, marked_at bigint not null)",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query("grant select on userlock.mark to public").execute(connection).await?;
    Ok(())
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
        self.write_mark(mark).boxed()
    }

    fn release<'a>(&'a self, mark: &'a Mark) -> Pending<'a, ()> {
        async {
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

    fn migrate(&self) -> Pending<'_, ()> {
        async {
            migrations().run(&self.pool).await.map_err(|error| match error {
                sqlx::migrate::MigrateError::Execute(error) => self.explain(error),
                error => ArchiveError::Version(format!("the tables of {}: {error}", self.name)),
            })
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
