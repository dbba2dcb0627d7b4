//! Looks at files on a thread of its own: on a mount whose server is gone a look does not end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, oneshot};

use super::super::ArchiveError;

/// A look that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);
/// The most looks at once. Those that hang count until they end, so that they do not become more and more.
static LOOKS: Semaphore = Semaphore::const_new(4);

/// Looks at a file, for 5 s at most. It is no task of the runtime, which would wait at its end for one that hangs.
pub(super) async fn within<T: Send + 'static>(
    path: PathBuf,
    look: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    within_of(&LOOKS, LIMIT, path, look).await
}

async fn within_of<T: Send + 'static>(
    looks: &'static Semaphore,
    limit: Duration,
    path: PathBuf,
    look: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    let path = Arc::new(path);
    let hangs = |_| {
        let what = format!("{} did not answer within {} s", path.display(), limit.as_secs_f32());
        ArchiveError::Reach(format!("{what}: check what is mounted there, or name a file elsewhere"))
    };
    let looking = async {
        let turn = looks.acquire().await;
        let (told, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name("archive-file".to_owned()).spawn(move || {
            // Whoever asked may wait no more.
            _ = told.send(look());
            drop(turn);
        });
        thread.map_err(|error| ArchiveError::File(format!("{} cannot be looked at: {error}", path.display())))?;
        let ended = |_| ArchiveError::File(format!("{} cannot be looked at", path.display()));
        answer.await.map_err(ended)?
    };
    tokio::time::timeout(limit, looking).await.map_err(hangs)?
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_keeps_nobody_else_and_is_given_up() {
        static TWO: Semaphore = Semaphore::const_new(2);
        let short = Duration::from_millis(100);
        let path = || PathBuf::from("/gone/archive.sqlite");
        let mut held = Vec::new();
        for _ in 0..2 {
            let (release, hang) = mpsc::channel::<()>();
            held.push(release);
            let begun = Instant::now();
            let look = within_of(&TWO, short, path(), move || {
                _ = hang.recv();
                Ok(())
            });
            // The one thread of this runtime goes on meanwhile.
            let (looked, ()) = tokio::join!(look, tokio::time::sleep(Duration::from_millis(1)));
            assert!(matches!(&looked, Err(ArchiveError::Reach(text)) if text.contains("/gone/archive.sqlite")));
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        let third = within_of(&TWO, short, path(), || Ok(3)).await;
        assert!(matches!(third, Err(ArchiveError::Reach(_))), "no more of them than two: {third:?}");
        drop(held);
        assert_eq!(within_of(&TWO, Duration::from_secs(5), path(), || Ok(4)).await.unwrap(), 4);
    }
}
