//! Files that only root reads, replaced whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// The most bytes of any of the agent's small files.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct FileError {
    /// What was to be done: "read", "write", …
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub source: io::Error,
}

impl FileError {
    /// Says what was to be done to which file.
    pub fn new(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { what, path, source }
    }
}

/// Whether a write waits until the disk has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives a loss of power.
    Disk,
    /// It survives the end of the process; that is all that is needed of what is worthless after a boot.
    Process,
}

/// Makes a folder with its parents, and lets only its owner in. The modes of parents that exist stay.
///
/// # Errors
/// [`FileError`].
pub fn make_private_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::new("create", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(FileError::new("set the mode of", path))
}

/// Opens a file to write, created readable by its owner only.
///
/// # Errors
/// [`FileError`].
pub fn create_private(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    options.open(path).map_err(FileError::new("create", path))
}

/// Makes a rename in a folder survive a loss of power.
///
/// # Errors
/// [`FileError`].
pub fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(FileError::new("sync", path))
}

/// Replaces a file at once by one with these contents.
///
/// # Errors
/// [`FileError`]; the file is as it was.
pub fn replace(path: &Path, contents: &[u8], durability: Durability) -> Result<(), FileError> {
    let new = path.with_extension("new");
    let mut file = create_private(&new)?;
    file.write_all(contents).map_err(FileError::new("write", &new))?;
    if durability == Durability::Disk {
        file.sync_all().map_err(FileError::new("sync", &new))?;
    }
    fs::rename(&new, path).map_err(FileError::new("replace", path))?;
    match path.parent() {
        Some(dir) if durability == Durability::Disk => sync_dir(dir),
        _ => Ok(()),
    }
}

/// Replaces a file by this value as JSON.
///
/// # Errors
/// [`FileError`]; the file is as it was.
pub fn replace_json(path: &Path, value: &impl Serialize, durability: Durability) -> Result<(), FileError> {
    let json = serde_json::to_vec(value).map_err(|error| FileError::new("encode", path)(error.into()))?;
    replace(path, &json, durability)
}

/// Reads a file of JSON; `None` when there is none.
///
/// # Errors
/// [`FileError`] when it cannot be read, is too large, or is not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new("open", path)(error)),
    };
    let mut json = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut json).map_err(FileError::new("read", path))?;
    serde_json::from_slice(&json).map(Some).map_err(|error| FileError::new("understand", path)(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make_private_dir(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let path = folder.join("x.json");
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), None);
        replace_json(&path, &[1, 2], Durability::Disk).unwrap();
        replace_json(&path, &[3], Durability::Process).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "{").unwrap();
        assert!(read_json::<Vec<u8>>(&path).is_err());
    }
}
