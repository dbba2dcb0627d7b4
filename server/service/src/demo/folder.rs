//! The folder of a demo: made anew at each start, and never another folder than one of a demo.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use userlock_agent::files::{FileError, create_private, make_private_dir};

use crate::dir_lock::{DirLock, DirLockError};

/// Says that a folder is a demo's, and is locked while one runs in it.
const MARK: &str = ".userlock-demo";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has something else in it.
    #[error("{} has something in it and is not the folder of a demo: nothing was touched. Give another with --dir", .0.display())]
    NotOurs(PathBuf),
    /// A demo runs in it, or a server of one that was started by hand.
    #[error("a demo or one of its servers runs in {} already: stop it, or give another folder with --dir", .0.display())]
    InUse(PathBuf),
}

/// A folder that is empty but for its mark, and ours as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, and removes what an earlier demo left in it.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let known = path.join(MARK).exists();
        let empty = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(FileError::new("read", path)(error).into()),
        };
        if !known && !empty {
            return Err(FolderError::NotOurs(path.to_owned()));
        }
        make_private_dir(path)?;
        let path = path.canonicalize().map_err(FileError::new("resolve", path))?;
        let mark = path.join(MARK);
        let lock = create_private(&mark)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path)),
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", &mark)(error).into()),
        }
        if let Some(busy) = server_at_work(&path) {
            return Err(FolderError::InUse(busy));
        }
        for entry in fs::read_dir(&path).map_err(FileError::new("read", &path))? {
            let entry = entry.map_err(FileError::new("read", &path))?;
            if entry.file_name() == MARK {
                continue;
            }
            let old = entry.path();
            let is_dir = entry.file_type().map_err(FileError::new("look at", &old))?.is_dir();
            let removed = if is_dir { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
            removed.map_err(FileError::new("remove", &old))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The directory of a server that was started by hand and is at work in this folder.
    #[must_use]
    pub fn still_at_work(&self) -> Option<PathBuf> {
        server_at_work(&self.path)
    }

    /// Where it is, from the root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn server_at_work(path: &Path) -> Option<PathBuf> {
    let dirs = ["primary", "backup"].map(|name| path.join(name));
    dirs.into_iter().find(|dir| dir.exists() && matches!(DirLock::acquire(dir), Err(DirLockError::InUse { .. })))
}

/// Where demos are when nothing is said: `$XDG_STATE_HOME/userlock-demo`, as a rule `~/.local/state/userlock-demo`.
#[must_use]
pub fn default_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_else(std::env::temp_dir).join("userlock-demo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demos_own_folder_is_made_empty_and_only_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/demo");
        let folder = Folder::take(&path).unwrap();
        fs::create_dir(folder.path().join("primary")).unwrap();
        fs::write(folder.path().join("primary/x"), "x").unwrap();
        assert!(matches!(Folder::take(&path), Err(FolderError::InUse(_))));
        assert!(path.join("primary/x").exists());
        drop(folder);
        let server = DirLock::acquire(&path.join("primary")).unwrap();
        assert!(matches!(Folder::take(&path), Err(FolderError::InUse(_))));
        assert!(path.join("primary/x").exists(), "a server that was started by hand keeps its files");
        drop(server);
        let folder = Folder::take(&path).unwrap();
        assert!(!path.join("primary").exists());
        drop(folder);

        let precious = dir.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("thesis"), "x").unwrap();
        assert!(matches!(Folder::take(&precious), Err(FolderError::NotOurs(_))));
        assert!(precious.join("thesis").exists());
    }
}
