//! Looks at files on a thread of its own: on a mount whose server is gone a look does not end.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Why there is nothing to tell of a file.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// It cannot be looked at.
    #[error("{} cannot be looked at: {why}", path.display())]
    Cannot {
        /// The file.
        path: PathBuf,
        /// What keeps it from that.
        why: String,
    },
    /// What is mounted there does not answer.
    #[error("{} did not answer within {} s: check what is mounted there", path.display(), LIMIT.as_secs())]
    TimedOut {
        /// The file.
        path: PathBuf,
    },
}

/// A look that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);
/// The most looks at once. Those that hang count until they end.
const MOST: usize = 16;

static LOOKS: LazyLock<Looks> = LazyLock::new(|| Looks::new(MOST));

/// The looks at work: one at a file at a time, so that those that hang do not become more and more.
struct Looks {
    files: Mutex<HashMap<PathBuf, Weak<Semaphore>>>,
    all: Arc<Semaphore>,
}

/// What a look holds until it ends.
type Turn = [OwnedSemaphorePermit; 2];

impl Looks {
    fn new(most: usize) -> Self {
        Self { files: Mutex::default(), all: Arc::new(Semaphore::new(most)) }
    }

    async fn turn(&self, path: &Path) -> Option<Turn> {
        let file = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.retain(|_, looks| looks.strong_count() > 0);
            files.get(path).and_then(Weak::upgrade).unwrap_or_else(|| {
                let file = Arc::new(Semaphore::new(1));
                files.insert(path.to_owned(), Arc::downgrade(&file));
                file
            })
        };
        let of_file = file.acquire_owned().await.ok()?;
        Some([of_file, Arc::clone(&self.all).acquire_owned().await.ok()?])
    }
}

/// Looks at a file, for 5 s at most. It is no task of the runtime, which would wait at its end for one that hangs.
///
/// # Errors
/// [`AsideError`].
pub async fn within<T: Send + 'static>(
    path: PathBuf,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AsideError> {
    within_of(&LOOKS, LIMIT, &path, look).await
}

async fn within_of<T: Send + 'static>(
    looks: &Looks,
    limit: Duration,
    path: &Path,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AsideError> {
    let cannot = |why: &str| AsideError::Cannot { path: path.to_owned(), why: why.to_owned() };
    let looking = async {
        let turn = looks.turn(path).await;
        let (told, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name("file".to_owned()).spawn(move || {
            // Whoever asked may wait no more.
            _ = told.send(look());
            drop(turn);
        });
        thread.map_err(|error| cannot(&error.to_string()))?;
        answer.await.map_err(|_| cannot("the look was cut off"))
    };
    let timed_out = |_| Err(AsideError::TimedOut { path: path.to_owned() });
    tokio::time::timeout(limit, looking).await.unwrap_or_else(timed_out)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_keeps_nobody_else_and_is_given_up() {
        let looks = Looks::new(2);
        let short = Duration::from_millis(100);
        let path = |n: usize| PathBuf::from(format!("/gone/{n}.sqlite"));
        let quick = async |n| within_of(&looks, short, &path(n), move || n).await;
        let mut held = Vec::new();
        for n in 0..2 {
            let (release, hang) = mpsc::channel::<()>();
            held.push(release);
            let begun = Instant::now();
            let gone = path(n);
            let look = within_of(&looks, short, &gone, move || {
                _ = hang.recv();
            });
            // The one thread of this runtime goes on meanwhile.
            let (looked, ()) = tokio::join!(look, tokio::time::sleep(Duration::from_millis(1)));
            assert!(matches!(&looked, Err(AsideError::TimedOut { path }) if path.starts_with("/gone/")), "{looked:?}");
            assert!(begun.elapsed() < Duration::from_secs(5));
            assert!(matches!(quick(n).await, Err(AsideError::TimedOut { .. })), "one at a file at a time");
            if n == 0 {
                assert_eq!(quick(7).await.unwrap(), 7, "another file can be named");
            }
        }
        assert!(matches!(quick(7).await, Err(AsideError::TimedOut { .. })), "no more of them than two");
        drop(held);
        let end = Instant::now() + Duration::from_secs(5);
        while quick(1).await.is_err() {
            assert!(Instant::now() < end, "what hung has ended");
        }
    }
}
