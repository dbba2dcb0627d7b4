//! What every kind of database must do, with real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::sync::Arc;

use common::postgres::{PASSWORD, Postgres as Cluster};
use sqlx::{ConnectOptions as _, Connection as _};
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
    settings::{Database, DatabaseKind, Secret},
};
use userlock_service::archive::{ArchiveError, Backend, Mark, Measure, postgres::Postgres, sqlite::Sqlite};

fn mark(server: u8) -> Mark {
    Mark {
        zone_id: ZoneId([8; 16]),
        server_id: ServerId([server; 16]),
        server_name: format!("server-{server}"),
        role: ServerRole::Primary,
        at: 7,
    }
}

/// The contract. `connect` connects anew to the same database, which is empty.
async fn contract(connect: impl AsyncFn() -> Arc<dyn Backend>) {
    let database = connect().await;
    assert_eq!(database.mark().await.unwrap(), None);
    assert_eq!(database.schema_version().await.unwrap(), None);
    assert_eq!(database.measure().await.unwrap(), Measure { rows: 0, bytes: 0 });
    database.try_tables().await.unwrap();
    assert_eq!(database.mark().await.unwrap(), None, "trying leaves nothing");
    database.release(&mark(1)).await.expect("no mark is kept where none was made");

    // Many mark at once: one alone wins, and each is told who.
    let mut claims = Vec::new();
    for server in 1..=12 {
        let database = connect().await;
        claims.push(tokio::spawn(async move {
            let claim = database.claim(&mark(server)).await;
            database.close().await;
            claim.unwrap()
        }));
    }
    let mut told = Vec::new();
    for claim in claims {
        told.push(claim.await.unwrap());
    }
    assert_eq!(told.iter().filter(|claim| claim.new).count(), 1, "{told:?}");
    assert_eq!(database.schema_version().await.unwrap(), Some(1), "the tables come with the mark");
    let owner = database.mark().await.unwrap().unwrap();
    assert!(told.iter().all(|claim| claim.mark == owner), "{told:?}");
    let other = mark(99);
    assert!(matches!(owner.admit(&other), Err(ArchiveError::OtherServer(_))));
    database.release(&other).await.unwrap();
    assert_eq!(database.mark().await.unwrap(), Some(owner.clone()), "nobody takes away another's mark");

    // The owner comes again under a new name: the mark is its own, from when it was made.
    let renamed = Mark { server_name: "renamed".into(), role: ServerRole::Backup, at: 99, ..owner.clone() };
    let again = database.claim(&renamed).await.unwrap();
    assert_eq!((again.new, again.mark), (false, Mark { at: owner.at, ..renamed.clone() }));

    assert_eq!(database.schema_version().await.unwrap(), Some(1));
    let measure = database.measure().await.unwrap();
    assert!(measure.rows == 0 && measure.bytes > 0, "{measure:?}");
    database.close().await;

    let database = connect().await;
    assert_eq!(database.mark().await.unwrap().unwrap().server_name, "renamed", "it is on the disk");
    database.release(&renamed).await.unwrap();
    assert_eq!(database.mark().await.unwrap(), None);
    assert!(database.claim(&other).await.unwrap().new);
    assert!(!database.place().contains(PASSWORD));
    database.close().await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract(async || Arc::new(Sqlite::open(dir.path(), "archive.sqlite").await.unwrap()) as Arc<dyn Backend>).await;
}

/// A server that waits for the tables when its time is up. Nobody uses the database afterwards.
async fn cut_off_in_the_middle(settings: &Database, cluster: &Cluster) {
    let database = Postgres::connect(settings).await.unwrap();
    database.release(&mark(99)).await.unwrap();
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(cluster.port);
    let mut other = options.database("archive").username("admin").password(PASSWORD).connect().await.unwrap();
    let mut holding = other.begin().await.unwrap();
    sqlx::query("lock table userlock.migration").execute(&mut *holding).await.unwrap();
    let cut = tokio::time::timeout(std::time::Duration::from_secs(1), database.claim(&mark(1))).await;
    assert!(cut.is_err(), "it waits: {cut:?}");
    holding.rollback().await.unwrap();
    other.close().await.unwrap();
    assert_eq!(database.mark().await.unwrap(), None);
    database.close().await;
}

#[tokio::test]
async fn postgresql_keeps_the_contract() {
    let cluster = Cluster::start().await;
    cluster.make("alice", "archive").await;
    let settings = Database {
        kind: DatabaseKind::Postgres,
        host: "127.0.0.1".into(),
        port: cluster.port,
        name: "archive".into(),
        user: "alice".into(),
        password: Secret::new(PASSWORD),
        ..Database::default()
    };
    contract(async || Arc::new(Postgres::connect(&settings).await.unwrap()) as Arc<dyn Backend>).await;

    // What the account says of the search path hides nothing.
    cluster.sql("archive", "create schema elsewhere; alter role alice set search_path = elsewhere").await;
    let hidden = Postgres::connect(&settings).await.unwrap();
    assert_eq!(hidden.mark().await.unwrap().unwrap().server_name, "server-99");
    hidden.close().await;

    // Cut off after the mark and before the tables: nothing of it stays.
    cut_off_in_the_middle(&settings, &cluster).await;

    // A later version of the program has been here.
    let later = "insert into userlock.migration (version, description, success, checksum, execution_time)
                 values (9000, 'later', true, '\\x00', 1)";
    cluster.sql("archive", later).await;
    let database = Postgres::connect(&settings).await.unwrap();
    assert!(matches!(database.claim(&mark(1)).await, Err(ArchiveError::Version(_))));
    assert_eq!(database.mark().await.unwrap(), None, "what fails after the mark takes it back");
    database.close().await;

    // The schema is somebody else's.
    cluster.make("bob", "other").await;
    cluster.sql("other", "create schema userlock; create table userlock.books (n integer)").await;
    let other = Database { name: "other".into(), ..settings };
    let database = Postgres::connect(&other).await.unwrap();
    let refused = database.mark().await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::Foreign(text) if text.contains("books")), "{refused}");
    database.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_archive_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    let content = "these are notes, and no database at all\n".repeat(100);
    std::fs::write(&text, &content).unwrap();
    let refused = Sqlite::open(dir.path(), "notes.txt").await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Foreign(_)), "{refused}");
    assert_eq!(std::fs::read_to_string(&text).unwrap(), content);

    // The database of another program.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("books.sqlite"));
    let mut other = options.create_if_missing(true).connect().await.unwrap();
    sqlx::query("create table books (n integer)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let database = Sqlite::open(dir.path(), "books.sqlite").await.unwrap();
    let refused = database.claim(&mark(1)).await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::Foreign(text) if text.contains("another program")), "{refused}");
    database.close().await;
}
