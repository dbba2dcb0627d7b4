//! Opening a database, and leaving it: each with a bound in time.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::time::Instant;
use userlock_core::settings::{Database, DatabaseKind};

use super::{ArchiveError, Backend, Mark, postgres, sqlite};

/// What was begun with a database that did not answer in time is taken back within this time, or left.
const UNDO_LIMIT: Duration = Duration::from_secs(5);
/// Closing takes no longer than this: a file on a mount whose server is gone is left open.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// Taking the mark away when the server leaves its zone takes no longer than this, or is left.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// Connects to what is set, if anything is.
pub(super) async fn connect(dir: &Path, settings: &Database) -> Result<Option<Arc<dyn Backend>>, ArchiveError> {
    Ok(match settings.kind {
        DatabaseKind::Off => None,
        DatabaseKind::Sqlite => Some(Arc::new(sqlite::Sqlite::open(dir, &settings.file).await?)),
        DatabaseKind::Postgres => Some(Arc::new(postgres::Postgres::connect(settings).await?)),
    })
}

/// Marks a database for this server and brings its tables to this version. Whether the mark is new; nothing when the time
/// was up.
pub(super) async fn prepare(backend: &dyn Backend, me: &Mark, end: Instant) -> Option<Result<bool, ArchiveError>> {
    // First read only: nothing of this server's comes into a database that is not its own.
    let before = tokio::time::timeout_at(end, backend.mark()).await.ok()?;
    let unmarked = match before.and_then(|before| before.map(|mark| mark.admit(me)).transpose()) {
        Ok(mine) => mine.is_none(),
        Err(error) => return Some(Err(error)),
    };
    let claimed = tokio::time::timeout_at(end, backend.claim(me)).await;
    if claimed.is_err() && unmarked {
        // Nothing is kept of what was cut off; whether its last word was heard is not known.
        undo(backend, me).await;
    }
    Some(claimed.ok()?.and_then(|claim| claim.mark.admit(me).map(|()| claim.new)))
}

/// Takes this server's mark away from a database that is not used after all.
pub(super) async fn undo(backend: &dyn Backend, me: &Mark) {
    let why = match tokio::time::timeout(UNDO_LIMIT, backend.release(me)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it did not answer within {} s", UNDO_LIMIT.as_secs()),
    };
    tracing::warn!(error = why, "a database that is not used after all may keep this server's mark");
}

/// Closes a database, as far as that can be waited for.
pub(super) async fn close(backend: &dyn Backend) {
    if tokio::time::timeout(CLOSE_LIMIT, backend.close()).await.is_err() {
        tracing::warn!(place = backend.place(), "a database does not close; it is left");
    }
}

/// Takes this server's mark away from the database that is set, so that it can be used by another, or by this server in
/// another zone. Whether there was one; another server's mark stays.
///
/// # Errors
/// [`ArchiveError`], also when that takes too long.
pub async fn release(dir: &Path, settings: &Database, me: &Mark) -> Result<bool, ArchiveError> {
    let releasing = async {
        let there = match settings.kind {
            // None is made for that.
            DatabaseKind::Sqlite => {
                sqlite::Sqlite::look(dir, &settings.file).await?.map(|sqlite| -> Arc<dyn Backend> { Arc::new(sqlite) })
            }
            _ => connect(dir, settings).await?,
        };
        let Some(backend) = there else { return Ok(false) };
        let released = async {
            let mine = backend.mark().await?.is_some_and(|mark| mark.admit(me).is_ok());
            if mine {
                backend.release(me).await?;
            }
            Ok(mine)
        };
        let released = released.await;
        close(&*backend).await;
        released
    };
    let limit = RELEASE_LIMIT.as_secs();
    tokio::time::timeout(RELEASE_LIMIT, releasing)
        .await
        .unwrap_or_else(|_| Err(ArchiveError::Reach(format!("the database did not answer within {limit} s"))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::{FutureExt as _, future::BoxFuture};
    use userlock_core::{
        api::ServerRole,
        id::{ServerId, ZoneId},
    };

    use super::*;
    use crate::archive::{Claim, Measure, Pending};

    /// A database that does not come to an end with marking, nor with closing.
    #[derive(Debug)]
    struct Hanging {
        marked: Option<Mark>,
        released: AtomicU32,
    }

    impl Backend for Hanging {
        fn place(&self) -> String {
            "hanging".to_owned()
        }
        fn protection(&self) -> Pending<'_, String> {
            std::future::pending().boxed()
        }
        fn mark(&self) -> Pending<'_, Option<Mark>> {
            std::future::ready(Ok(self.marked.clone())).boxed()
        }
        fn claim<'a>(&'a self, _mark: &'a Mark) -> Pending<'a, Claim> {
            std::future::pending().boxed()
        }
        fn release<'a>(&'a self, _mark: &'a Mark) -> Pending<'a, ()> {
            self.released.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(())).boxed()
        }
        fn schema_version(&self) -> Pending<'_, Option<i64>> {
            std::future::pending().boxed()
        }
        fn try_tables(&self) -> Pending<'_, ()> {
            std::future::pending().boxed()
        }
        fn measure(&self) -> Pending<'_, Measure> {
            std::future::pending().boxed()
        }
        fn close(&self) -> BoxFuture<'_, ()> {
            std::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn a_mark_that_may_have_been_made_when_the_time_was_up_is_taken_back() {
        let me = Mark {
            zone_id: ZoneId([1; 16]),
            server_id: ServerId([2; 16]),
            server_name: "one".into(),
            role: ServerRole::Primary,
            at: 1,
        };
        // One that was there before stays.
        for (marked, released) in [(None, 1), (Some(me.clone()), 0)] {
            let database = Hanging { marked, released: AtomicU32::new(0) };
            let end = Instant::now() + Duration::from_millis(50);
            assert!(prepare(&database, &me, end).await.is_none());
            assert_eq!(database.released.load(Ordering::SeqCst), released);
        }
    }
    #[tokio::test]
    async fn a_database_that_does_not_close_is_left() {
        let database = Hanging { marked: None, released: AtomicU32::new(0) };
        let begun = Instant::now();
        let closed = tokio::time::timeout(CLOSE_LIMIT + Duration::from_secs(5), close(&database)).await;
        assert!(closed.is_ok() && begun.elapsed() >= CLOSE_LIMIT, "it is waited for, and not for ever");
    }
}
