//! Small files that must survive a crash whole: what is there is what was written last, or before.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Writes one that only this user can read, from its first moment. It is on the disk when this returns, in the place of the
/// one before.
///
/// # Errors
/// It could not be written: the one before is there. Or the disk has not confirmed it: either may be there after a power
/// cut.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    place(path, contents)?;
    sync_folder_of(path)
}

/// The same, but for [`sync_folder_of`]: until then the one before may be there after a power cut.
///
/// # Errors
/// It could not be written: the one before is there.
pub fn place(path: &Path, contents: &[u8]) -> io::Result<()> {
    let new = beside(path);
    // What a crash has left of an earlier one may have any mode.
    remove(&new)?;
    let mut opened = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    opened.write_all(contents)?;
    opened.sync_all()?;
    fs::rename(&new, path)
}

/// Where a file is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut new = OsString::from(path);
    new.push(".new");
    new.into()
}

/// Removes a file, if it is there.
///
/// # Errors
/// It is still there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a change of the entries of a file's folder survive a loss of power.
///
/// # Errors
/// The disk has not confirmed it.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// What was made, moved or removed in a folder is so on the disk, too.
///
/// # Errors
/// The disk has not confirmed it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
