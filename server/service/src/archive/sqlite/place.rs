//! Where the file may be: nowhere where the program's own files are.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::super::ArchiveError;
use crate::store::{product, state};

/// The files that the program keeps in its data directory; those of its databases begin with their names.
const OWN_DATABASES: [&str; 2] = [state::FILE, product::FILE];
/// What begins with one of these is the program's own: its keys and tokens, the notes of a set-up that is not finished and
/// of leaving the zone, what the wizard was told, and what was set aside.
const OWN_FILES: [&str; 11] = [
    "lock",
    "local-token",
    "server.",
    "next.pem",
    "next.new",
    "unfinished.json",
    "draft.json",
    "leaving.json",
    "mark-left.json",
    "left-",
    ".",
];

/// The path of the file; its folder is there, and it is none of the program's own, by whatever name.
pub(super) fn resolve(dir: &Path, file: &str) -> Result<PathBuf, ArchiveError> {
    // An absolute path takes the place of the directory.
    let path = dir.join(file);
    let folder = path.parent().unwrap_or(dir);
    let folder = folder.canonicalize().map_err(|error| {
        ArchiveError::File(format!("{}: {error}. Make the folder first, or name a file elsewhere", folder.display()))
    })?;
    let Some(name) = path.file_name() else {
        return Err(ArchiveError::File(format!("{} is no file: name one", path.display())));
    };
    let path = folder.join(name);
    if path.is_dir() {
        return Err(ArchiveError::File(format!("{} is a folder: name a file", path.display())));
    }
    let name = name.to_string_lossy();
    let here = dir.canonicalize().is_ok_and(|dir| dir == folder);
    if (here && is_own(&name)) || is_link_to_own(dir, &path) {
        let message = format!("{} is a file of the server itself: name another", path.display());
        return Err(ArchiveError::File(message));
    }
    Ok(path)
}

fn is_own(name: &str) -> bool {
    OWN_FILES.iter().any(|own| name.starts_with(own)) || OWN_DATABASES.iter().any(|own| name.starts_with(own))
}

/// Whether it is one of the program's files under another name: behind a symbolic or a hard link.
fn is_link_to_own(dir: &Path, path: &Path) -> bool {
    let Ok(asked) = fs::metadata(path) else { return false };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| is_own(&entry.file_name().to_string_lossy()))
        .any(|entry| fs::metadata(entry.path()).is_ok_and(|own| (own.dev(), own.ino()) == (asked.dev(), asked.ino())))
}

/// Whether a file could be made there.
pub(super) fn try_folder(path: &Path) -> Result<(), ArchiveError> {
    let trial = path.with_file_name(format!(".userlock-trial-{}", std::process::id()));
    let made = fs::File::options().write(true).create_new(true).open(&trial);
    made.map_err(|error| cannot_open(path, &error))?;
    fs::remove_file(&trial).map_err(|error| cannot_open(path, &error))
}

pub(super) fn cannot_open(path: &Path, error: &io::Error) -> ArchiveError {
    ArchiveError::Reach(format!(
        "{} cannot be made: {error}. Give this server's user the right to write there, or name a file elsewhere",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_files_are_refused_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("state.sqlite"), "x").unwrap();
        fs::write(at("server.key"), "x").unwrap();
        std::os::unix::fs::symlink(at("state.sqlite"), at("soft.sqlite")).unwrap();
        fs::hard_link(at("server.key"), at("hard.sqlite")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let refused = |file: &str| matches!(resolve(dir.path(), file), Err(ArchiveError::File(_)));
        let absolute = at("product.sqlite");
        for file in [
            "state.sqlite",
            "state.sqlite-wal",
            "product.sqlite",
            "./state.sqlite",
            "folder/../state.sqlite",
            "soft.sqlite",
            "hard.sqlite",
            "lock",
            "folder",
            "none/archive.sqlite",
            "..",
            absolute.to_str().unwrap(),
        ] {
            assert!(refused(file), "{file}");
        }
        for file in ["archive.sqlite", "folder/state.sqlite", "./a.sqlite"] {
            assert!(!refused(file), "{file}");
        }
        assert!(try_folder(&at("archive.sqlite")).is_ok());
        assert!(
            fs::read_dir(dir.path()).unwrap().flatten().all(|e| !e.file_name().to_string_lossy().contains("trial"))
        );
    }
}
