//! Taking a server out of its zone. A note in the data directory is the moment at which it has left: before it, this is the
//! server that it was; after it, whatever happens, the next start goes on with what is left to do.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
    settings::{DEFAULT_ARCHIVE, Database, DatabaseKind, OwnSettings},
};

use super::{mark_left::MarkLeft, note};
use crate::{
    archive::{self, Mark},
    clock, config,
    dir_lock::{DirLock, DirLockError},
    store::{
        own, product,
        state::{self, StateError},
    },
    tls,
};

/// The note's file.
const FILE: &str = "leaving.json";
/// How the folder's name begins.
const PREFIX: &str = "left-";

/// What the note says.
#[derive(Debug, Serialize, Deserialize)]
struct Leaving {
    /// The folder in the data directory into which everything is set aside.
    folder: String,
}

/// Whether the server of a data directory has left its zone, and not everything is set aside yet.
#[must_use]
pub fn is_leaving(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// Why a server has not left its zone.
#[derive(Debug, thiserror::Error)]
pub enum NotLeft {
    /// What the operating system said; nothing was changed.
    #[error("{0}")]
    Unwritten(io::Error),
    /// The note stands there and cannot be taken away: the next start goes by it.
    #[error("{written}; {FILE} is there and cannot be removed: {removed}")]
    Noted {
        /// Why the note cannot be relied on.
        written: io::Error,
        /// Why it stays.
        removed: io::Error,
    },
}

/// Notes that the server leaves its zone: from now on it has left, also when it ends at once.
///
/// # Errors
/// [`NotLeft`].
pub fn begin_leaving(dir: &Path, now: DateTime<Utc>) -> Result<(), NotLeft> {
    begin(dir, now, crate::files::sync_folder)
}

/// The same, with what brings a directory to the disk.
fn begin(dir: &Path, now: DateTime<Utc>, sync: impl Fn(&Path) -> io::Result<()>) -> Result<(), NotLeft> {
    let folder = free_name(dir, &now.format("left-%Y-%m-%d-%H%M%S").to_string());
    let placed = folder.and_then(|folder| note::place(dir, FILE, &Leaving { folder }));
    let Err(written) = placed.and_then(|()| sync(dir)) else { return Ok(()) };
    // It may have its name by now, and the next start would go by it.
    match note::remove(dir, FILE) {
        Err(removed) if is_leaving(dir) => Err(NotLeft::Noted { written, removed }),
        _ => Err(NotLeft::Unwritten(written)),
    }
}

/// A name that nothing has in a directory.
fn free_name(dir: &Path, name: &str) -> io::Result<String> {
    let names = std::iter::once(name.to_owned()).chain((2..100).map(|n| format!("{name}-{n}")));
    let free = names.into_iter().find(|name| !dir.join(name).exists());
    free.ok_or_else(|| io::Error::other(format!("{name} is there already")))
}

/// The folder that the note names. In the place of a note that cannot be read comes one with a folder of its own: nothing
/// that was set aside before is overwritten, and a start after this one goes on with the same folder.
fn folder_of(dir: &Path) -> io::Result<PathBuf> {
    let is_ours = |name: &String| name.starts_with(PREFIX) && !name.contains('/');
    if let Some(name) = note::read::<Leaving>(dir, FILE).map(|leaving| leaving.folder).filter(is_ours) {
        return Ok(dir.join(name));
    }
    let folder = free_name(dir, &format!("{PREFIX}unnamed"))?;
    note::write(dir, FILE, &Leaving { folder: folder.clone() })?;
    Ok(dir.join(folder))
}

/// Does what is left to do for a server that has left its zone: takes its mark out of its database, as far as that
/// answers, and sets its state aside in a folder of the data directory, which is given; nothing when it has not left. The
/// certificate stays: whoever has confirmed it needs not do so again. Nothing is deleted.
///
/// # Errors
/// The error, with the file. The next call goes on from there.
pub async fn complete_leaving(dir: &Path) -> Result<Option<PathBuf>, DirLockError> {
    if !is_leaving(dir) {
        return Ok(None);
    }
    let _lock = DirLock::acquire(dir)?;
    let folder = folder_of(dir).map_err(|source| DirLockError::File { path: dir.join(FILE), source })?;
    // With the first file that is moved the state cannot be read any more.
    if !folder.exists() {
        release_database(dir).await;
    }
    set_aside(dir, &folder)?;
    Ok(Some(folder))
}

/// Moves what is not yet in the folder, then takes the note away.
fn set_aside(dir: &Path, folder: &Path) -> Result<(), DirLockError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DirLockError::File { path, source }
    };
    if !folder.exists() {
        fs::DirBuilder::new().mode(0o700).create(folder).map_err(failed(folder))?;
    }
    for file in files() {
        let path = dir.join(&file);
        if path.exists() {
            fs::rename(&path, folder.join(file)).map_err(failed(&path))?;
        }
    }
    for changed in [folder, dir] {
        crate::files::sync_folder(changed).map_err(failed(changed))?;
    }
    note::remove(dir, FILE).map_err(failed(&dir.join(FILE)))
}

/// What is set aside.
fn files() -> Vec<String> {
    let archive = [DEFAULT_ARCHIVE.to_owned(), format!("{DEFAULT_ARCHIVE}-journal")];
    let mut files: Vec<String> =
        archive.into_iter().chain([config::TOLD_FILE.to_owned(), tls::NEXT_FILE.to_owned()]).collect();
    files.extend(super::place::with_logs(product::FILE));
    files.extend(super::place::with_logs(state::FILE));
    files
}

/// Takes this server's mark out of its database, so that another server, or this one in another zone, can use it. One that
/// does not answer keeps it, which the next server of this directory tells, and can be freed by hand.
async fn release_database(dir: &Path) {
    let (place, error) = match used_database(dir).await {
        Ok(Some((database, me))) => match archive::release(dir, &database, &me).await {
            Ok(released) => {
                if released {
                    tracing::info!("this server's mark was taken out of its database");
                }
                return MarkLeft::remove(dir);
            }
            Err(error) => (place_of(dir, &database), error.to_string()),
        },
        Ok(None) => return MarkLeft::remove(dir),
        Err(error) => (String::new(), format!("which database this server used cannot be read: {error}")),
    };
    tracing::warn!(error, "this server's mark stays in its database");
    MarkLeft { place, error, at: clock::now_ms() }.write(dir);
}

/// A database in words, as far as it is known without asking it.
fn place_of(dir: &Path, database: &Database) -> String {
    match database.kind {
        DatabaseKind::Off => String::new(),
        DatabaseKind::Sqlite => dir.join(&database.file).display().to_string(),
        DatabaseKind::Postgres => format!("{} on {}:{}", database.name, database.host, database.port),
    }
}

/// The database that is set, and this server's mark in it.
async fn used_database(dir: &Path) -> Result<Option<(Database, Mark)>, StateError> {
    if !dir.join(state::FILE).exists() {
        return Ok(None);
    }
    let (store, writer) = state::open(dir).await?;
    let facts = async {
        let missing = || StateError::NotSetUp;
        let role: ServerRole = store.get("role").await?.ok_or_else(missing)?;
        let own: OwnSettings = store.get(own::KEY).await?.ok_or_else(missing)?;
        let me = Mark {
            zone_id: store.get::<ZoneId>("zone_id").await?.ok_or_else(missing)?,
            server_id: store.get::<ServerId>("server_id").await?.ok_or_else(missing)?,
            server_name: String::new(),
            role,
            at: clock::now_ms(),
        };
        Ok((own.database_of(role), me))
    };
    let facts = facts.await;
    store.close().await;
    writer.close().await?;
    facts.map(|(database, me)| (database.kind != DatabaseKind::Off).then_some((database, me)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::is_set_up;

    const FILES: [&str; 6] =
        ["state.sqlite", "state.sqlite-wal", "product.sqlite", "product.sqlite-shm", "archive.sqlite", "server.toml"];

    #[tokio::test]
    async fn wherever_it_is_cut_off_the_next_start_completes_it() {
        // Cut off before anything was moved (and the state, which is none here, is not read), or after so many files.
        for moved in 0..=FILES.len() {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            FILES.iter().chain(&["server.pem"]).for_each(|file| fs::write(at(file), file).unwrap());
            assert!(is_set_up(dir.path()));
            assert_eq!(complete_leaving(dir.path()).await.unwrap(), None, "it has not left");
            begin_leaving(dir.path(), DateTime::UNIX_EPOCH).unwrap();
            assert!(!is_set_up(dir.path()), "from this moment on");
            let folder = at("left-1970-01-01-000000");
            fs::create_dir(&folder).unwrap();
            let order = files().into_iter().filter(|file| FILES.contains(&file.as_str()));
            for file in order.take(moved) {
                fs::rename(at(&file), folder.join(&file)).unwrap();
            }
            assert_eq!(complete_leaving(dir.path()).await.unwrap(), Some(folder.clone()), "{moved}");
            for file in FILES {
                assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), file, "{moved}");
            }
            assert!(at("server.pem").exists() && !at(FILE).exists() && !is_set_up(dir.path()));
            assert_eq!(complete_leaving(dir.path()).await.unwrap(), None);
            // A second one in the same second has a folder of its own.
            begin_leaving(dir.path(), DateTime::UNIX_EPOCH).unwrap();
            assert_eq!(complete_leaving(dir.path()).await.unwrap(), Some(at("left-1970-01-01-000000-2")));
        }
    }

    #[tokio::test]
    async fn a_server_that_was_not_noted_to_leave_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("state.sqlite"), "of this server").unwrap();
        // The note has its name, and is not sure to keep it.
        let failed = begin(dir.path(), DateTime::UNIX_EPOCH, |dir| {
            assert!(is_leaving(dir));
            Err(io::Error::other("no more disk"))
        });
        assert!(matches!(failed, Err(NotLeft::Unwritten(error)) if error.to_string() == "no more disk"));
        assert_eq!(complete_leaving(dir.path()).await.unwrap(), None, "also at the next start");
        assert!(is_set_up(dir.path()) && at("state.sqlite").exists());

        // What cannot be taken away is told of.
        let failed = begin(dir.path(), DateTime::UNIX_EPOCH, |dir| {
            fs::remove_file(dir.join(FILE)).unwrap();
            fs::create_dir(dir.join(FILE)).unwrap();
            Err(io::Error::other("no more disk"))
        });
        assert!(matches!(failed, Err(NotLeft::Noted { .. })) && is_leaving(dir.path()));
        fs::remove_dir(at(FILE)).unwrap();
        // It is asked to leave again, and can.
        begin_leaving(dir.path(), DateTime::UNIX_EPOCH).unwrap();
        begin_leaving(dir.path(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(complete_leaving(dir.path()).await.unwrap(), Some(at("left-1970-01-01-000000")));
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_read_overwrites_nothing_that_was_set_aside_before() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let before = at("left-unnamed");
        fs::create_dir(&before).unwrap();
        fs::write(before.join("product.sqlite"), "of the server before").unwrap();
        for (number, content) in [(2, "one"), (3, "two")] {
            for file in ["product.sqlite", "server.toml"] {
                fs::write(at(file), content).unwrap();
            }
            fs::write(at(FILE), "{").unwrap();
            let folder = at(&format!("left-unnamed-{number}"));
            assert_eq!(complete_leaving(dir.path()).await.unwrap(), Some(folder.clone()));
            for file in ["product.sqlite", "server.toml"] {
                assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), content);
            }
            assert!(!is_leaving(dir.path()));
        }
        assert_eq!(fs::read_to_string(before.join("product.sqlite")).unwrap(), "of the server before");
        // Cut off after the first file: the folder that was chosen is written down, and the rest goes there too.
        fs::write(at("product.sqlite"), "three").unwrap();
        fs::write(at(FILE), r#"{"folder":"elsewhere/left"}"#).unwrap();
        let folder = at("left-unnamed-4");
        assert_eq!(folder_of(dir.path()).unwrap(), folder);
        fs::create_dir(&folder).unwrap();
        assert_eq!(complete_leaving(dir.path()).await.unwrap(), Some(folder.clone()));
        assert_eq!(fs::read_to_string(folder.join("product.sqlite")).unwrap(), "three");
    }
}
