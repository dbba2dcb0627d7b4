//! Notes of the data directory, as JSON: each survives a crash whole.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::files;

/// The most bytes of one.
const MAX_BYTES: u64 = 64 * 1024;

/// Writes one that only this user can read. It is on the disk when this returns, in the place of the one before.
pub(super) fn write(dir: &Path, file: &str, value: &impl Serialize) -> io::Result<()> {
    place(dir, file, value)?;
    files::sync_folder(dir)
}

/// The same, but for the folder: until that is on the disk, too, the one before may be there after a power cut.
pub(super) fn place(dir: &Path, file: &str, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(value).map_err(io::Error::other)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("{file} would be larger than {MAX_BYTES} bytes")));
    }
    files::place(&dir.join(file), &text)
}

/// Reads one. One that cannot be read is none.
pub(super) fn read<T: DeserializeOwned>(dir: &Path, file: &str) -> Option<T> {
    let mut text = Vec::new();
    let opened = fs::File::open(dir.join(file)).ok()?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut text).ok()?;
    match serde_json::from_slice(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(%error, file, "a note of the data directory cannot be read; it counts no more");
            None
        }
    }
}

/// Removes one, if it is there. It does not come back with a power cut.
pub(super) fn remove(dir: &Path, file: &str) -> io::Result<()> {
    files::remove(&dir.join(file))?;
    files::sync_folder(dir)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_is_whole_private_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.json.new"), "left of a crash").unwrap();
        write(dir.path(), "a.json", &"one").unwrap();
        write(dir.path(), "a.json", &"two").unwrap();
        assert_eq!(read::<String>(dir.path(), "a.json").as_deref(), Some("two"));
        let mode = fs::metadata(dir.path().join("a.json")).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, fs::read_dir(dir.path()).unwrap().count()), (0o600, 1));
        assert!(write(dir.path(), "a.json", &"x".repeat(100_000)).is_err());
        assert_eq!(read::<String>(dir.path(), "a.json").as_deref(), Some("two"), "the one before stays");
        fs::write(dir.path().join("a.json"), "\"tw").unwrap();
        assert_eq!(read::<String>(dir.path(), "a.json"), None);
        remove(dir.path(), "a.json").unwrap();
        remove(dir.path(), "a.json").unwrap();
    }
}
