//! "Test" of a database: each check by name, with what was found and what to do. Nothing is changed in it.

use std::{path::Path, time::Duration};

use userlock_core::{
    api::{Check, DatabaseReport},
    settings::{Database, DatabaseKind, DatabaseTls},
};

use super::{ArchiveError, Backend, Mark, Measure, handle::COUNT_LIMIT, postgres::Postgres, sqlite::Sqlite};

/// The names of the checks, in order.
const NAMES: [&str; 5] = ["reach", "tls", "authenticate", "own", "tables"];
/// The checks take no longer than this together.
const LIMIT: Duration = Duration::from_secs(25);

/// Checks whether this server could use a database.
pub async fn test(dir: &Path, settings: &Database, me: &Mark) -> DatabaseReport {
    let mut done: Vec<Check> = Vec::new();
    let limit = LIMIT.as_secs();
    let result = match tokio::time::timeout(LIMIT, run(dir, settings, me, &mut done)).await {
        Ok(result) => result,
        Err(_) => Err(ArchiveError::Reach(format!("the database did not answer within {limit} s"))),
    };
    let measure = match result {
        Ok(measure) => measure,
        Err(error) => {
            fail(&mut done, &error);
            None
        }
    };
    for name in NAMES {
        if !done.iter().any(|check| check.name == name) {
            let detail = "not checked: one before it failed".to_owned();
            done.push(Check { name: name.to_owned(), ok: None, detail });
        }
    }
    done.sort_by_key(|check| NAMES.iter().position(|name| *name == check.name));
    DatabaseReport {
        ok: done.iter().all(|check| check.ok == Some(true)),
        checks: done,
        rows: measure.map(|m| m.rows),
        bytes: measure.map(|m| m.bytes),
    }
}

/// Notes which check an error belongs to; those before it passed.
fn fail(done: &mut Vec<Check>, error: &ArchiveError) {
    // What takes too long is the fault of the first check that was not made.
    let reached = done.iter().any(|check| check.name == "reach");
    let failed = match error {
        ArchiveError::Reach(_) | ArchiveError::Sql(_) if reached => {
            NAMES.into_iter().find(|name| !done.iter().any(|check| check.name == *name)).unwrap_or("own")
        }
        error => error.check(),
    };
    for name in NAMES.into_iter().take_while(|name| *name != failed) {
        if !done.iter().any(|check| check.name == name) {
            done.push(Check { name: name.to_owned(), ok: Some(true), detail: "as it should be".to_owned() });
        }
    }
    done.retain(|check| check.name != failed);
    done.push(Check { name: failed.to_owned(), ok: Some(false), detail: error.to_string() });
}

async fn run(
    dir: &Path,
    settings: &Database,
    me: &Mark,
    done: &mut Vec<Check>,
) -> Result<Option<Measure>, ArchiveError> {
    let empty = Measure { rows: 0, bytes: 0 };
    let mut pass = |name: &str, detail: &str| {
        done.push(Check { name: name.to_owned(), ok: Some(true), detail: detail.to_owned() });
    };
    match settings.kind {
        DatabaseKind::Off => {
            NAMES.into_iter().for_each(|name| pass(name, "no database is set"));
            Ok(None)
        }
        DatabaseKind::Sqlite => match Sqlite::look(dir, &settings.file).await? {
            Some(sqlite) => {
                pass("authenticate", "a file asks for no account");
                closing(&sqlite, me, done, DatabaseTls::Disable).await
            }
            None => {
                pass("reach", "there is no such file yet; it can be made");
                pass("tls", "a file of this machine: nothing goes over the network");
                pass("authenticate", "a file asks for no account");
                pass("tables", "the file is made when it is set");
                pass("own", "no server uses it yet");
                Ok(Some(empty))
            }
        },
        DatabaseKind::Postgres => {
            let postgres = Postgres::connect(settings).await?;
            pass("authenticate", &format!("{} is signed in", settings.user));
            closing(&postgres, me, done, settings.tls).await
        }
    }
}

/// Checks what is open, and closes it in any case.
async fn closing(
    backend: &dyn Backend,
    me: &Mark,
    done: &mut Vec<Check>,
    tls: DatabaseTls,
) -> Result<Option<Measure>, ArchiveError> {
    let result = check(backend, me, done, tls).await;
    super::open::close(backend).await;
    result
}

async fn check(
    backend: &dyn Backend,
    me: &Mark,
    done: &mut Vec<Check>,
    tls: DatabaseTls,
) -> Result<Option<Measure>, ArchiveError> {
    let mut pass = |name: &str, detail: String| done.push(Check { name: name.to_owned(), ok: Some(true), detail });
    pass("reach", backend.place());
    let verified = if tls == DatabaseTls::VerifyFull { ", and the certificate is valid" } else { "" };
    pass("tls", format!("{}{verified}", backend.protection().await?));
    // Whose it is comes first: nothing is tried in the database of another.
    let mark = backend.mark().await?;
    if let Some(mark) = &mark {
        mark.admit(me)?;
    }
    pass("own", mark.map_or("no server uses it yet", |_| "this server uses it").to_owned());
    backend.try_tables().await?;
    pass("tables", "tables may be made".to_owned());
    tokio::time::timeout(COUNT_LIMIT, backend.measure()).await.ok().transpose()
}
