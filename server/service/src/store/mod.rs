//! What is on the disk of the server itself. SQL stands here, and that of the Database in `archive`.

pub mod own;
pub mod product;
mod revisions;
pub mod runs;
pub mod state;

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// Makes a file that only this user can read, if it is not there, and sees to it that it is so. SQLite gives the files
/// beside its database the mode of that.
///
/// # Errors
/// [`io::Error`].
pub fn make_private(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
