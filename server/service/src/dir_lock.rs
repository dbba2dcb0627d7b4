//! One process at a time has a data directory.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// The file that is locked.
const FILE: &str = "lock";

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DirLockError {
    /// Another process has it.
    #[error("{} is in use by a running server", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// There is no such directory.
    #[error("there is no {}: set a server up there with `userlock serve` and a browser or with `userlock setup`, or correct `dir` in the configuration file", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Holds the data directory until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the directory.
    ///
    /// # Errors
    /// [`DirLockError::InUse`] when another process has it.
    pub fn acquire(dir: &Path) -> Result<Self, DirLockError> {
        if !dir.exists() {
            return Err(DirLockError::Missing { dir: dir.to_owned() });
        }
        let path = dir.join(FILE);
        let failed = |source| DirLockError::File { path: path.clone(), source };
        let file = crate::store::make_private(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DirLockError::InUse { dir: dir.to_owned() }),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_had_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::acquire(dir.path()).unwrap();
        assert!(matches!(DirLock::acquire(dir.path()), Err(DirLockError::InUse { .. })));
        drop(first);
        assert!(DirLock::acquire(dir.path()).is_ok());
        assert!(matches!(DirLock::acquire(&dir.path().join("none")), Err(DirLockError::Missing { .. })));
    }
}
