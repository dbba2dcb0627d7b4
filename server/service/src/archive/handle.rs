//! The database that this server uses at this moment.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use userlock_core::{
    api::{DatabaseState, DatabaseStatus},
    settings::{Database, DatabaseKind},
};

use super::{
    ArchiveError, Backend, Mark, Measure,
    open::{close, connect, prepare, undo},
};

/// Connecting, marking and making the tables take no longer than this together, or have failed.
const OPEN_LIMIT: Duration = Duration::from_secs(25);
/// Counting takes no longer than this, or is left.
pub const COUNT_LIMIT: Duration = Duration::from_secs(10);

/// The database that this server uses, if any. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    state: Mutex<State>,
    /// One opens or changes it at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
enum State {
    Opening,
    Off,
    Open(Arc<dyn Backend>, Box<Database>),
    Failed(String),
}

/// A database that was opened, marked and brought to this version, and is not yet in use.
#[derive(Debug)]
pub struct Opened {
    backend: Arc<dyn Backend>,
    settings: Database,
    /// Whether it was marked by this.
    pub new: bool,
}

impl Opened {
    /// Where it is, in words.
    #[must_use]
    pub fn place(&self) -> String {
        self.backend.place()
    }

    /// Leaves it as it was found: the mark is taken away again if it was made by this.
    pub async fn give_up(self, me: &Mark) {
        if self.new {
            undo(&*self.backend, me).await;
        }
        close(&*self.backend).await;
    }
}

impl Archive {
    /// None yet. Files with a relative path are in this directory.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let (state, turn) = (Mutex::new(State::Opening), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { dir: dir.to_owned(), state, turn }) }
    }

    /// The data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Keeps others from opening or changing it.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.turn.lock().await
    }

    /// Opens a database for this server: marks it, and brings its tables to this version. What is in use stays.
    ///
    /// # Errors
    /// [`ArchiveError`], when it cannot be reached or belongs to another server; then nothing was changed in it.
    pub async fn open(&self, settings: &Database, me: &Mark) -> Result<Option<Opened>, ArchiveError> {
        let end = Instant::now() + OPEN_LIMIT;
        let too_long = || {
            let limit = OPEN_LIMIT.as_secs();
            ArchiveError::Reach(format!("the database did not answer within {limit} s"))
        };
        let connecting = tokio::time::timeout_at(end, connect(&self.inner.dir, settings)).await;
        let Some(backend) = connecting.unwrap_or_else(|_| Err(too_long()))? else { return Ok(None) };
        match prepare(&*backend, me, end).await {
            Some(Ok(new)) => Ok(Some(Opened { backend, settings: settings.clone(), new })),
            failed => {
                close(&*backend).await;
                Err(failed.and_then(Result::err).unwrap_or_else(too_long))
            }
        }
    }

    /// Uses what was opened from now on, or none, and closes what was in use.
    pub async fn install(&self, opened: Option<Opened>) {
        let next = opened.map_or(State::Off, |opened| State::Open(opened.backend, Box::new(opened.settings)));
        let before = std::mem::replace(&mut *self.state(), next);
        if let State::Open(backend, _) = before {
            close(&*backend).await;
        }
    }

    /// Notes why what is set cannot be used.
    pub(super) async fn fail(&self, error: &ArchiveError) {
        self.install(None).await;
        *self.state() = State::Failed(error.to_string());
    }

    /// Whether what is in use is what these settings lead to.
    #[must_use]
    pub fn is_as(&self, settings: &Database) -> bool {
        match &*self.state() {
            State::Open(_, with) => with.connects_like(settings),
            State::Off => settings.kind == DatabaseKind::Off,
            State::Opening | State::Failed(_) => false,
        }
    }

    /// The database in use.
    #[must_use]
    pub fn backend(&self) -> Option<Arc<dyn Backend>> {
        match &*self.state() {
            State::Open(backend, _) => Some(Arc::clone(backend)),
            State::Opening | State::Off | State::Failed(_) => None,
        }
    }

    /// How it is at this moment. What is archived is counted for so long at most.
    pub async fn status(&self, counts: Duration) -> DatabaseStatus {
        let of =
            |state, detail: String| DatabaseStatus { state, detail, schema_version: None, rows: None, bytes: None };
        let state = self.state().clone();
        match state {
            State::Opening => of(DatabaseState::Opening, "the database is being opened".to_owned()),
            State::Off => of(DatabaseState::Off, "no database is set".to_owned()),
            State::Failed(why) => of(DatabaseState::Failed, why),
            State::Open(backend, _) => match tokio::time::timeout(counts, figures(&*backend)).await {
                Ok(Ok((version, measure))) => DatabaseStatus {
                    schema_version: version,
                    rows: Some(measure.rows),
                    bytes: Some(measure.bytes),
                    ..of(DatabaseState::Open, backend.place())
                },
                Ok(Err(error)) => of(DatabaseState::Failed, error.to_string()),
                Err(_) => of(DatabaseState::Open, backend.place()),
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn figures(backend: &dyn Backend) -> Result<(Option<i64>, Measure), ArchiveError> {
    Ok((backend.schema_version().await?, backend.measure().await?))
}
