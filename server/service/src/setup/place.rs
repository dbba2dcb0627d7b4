//! The data directory that a server is set up in.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use userlock_core::{agent_api::ServerAddress, api::ServerRole};

use super::{Failure, Leftover, leaving::is_leaving};
use crate::{
    config::{self, Config},
    dir_lock::DirLock,
    log::{Journal, SystemLog, SystemLogPaths, catalogue, details},
    store::{product, state},
    tls::{self, Identity},
};

/// Whether a server is set up in a data directory: one whose set-up was cut off is not, nor one that has left its zone.
#[must_use]
pub fn is_set_up(dir: &Path) -> bool {
    dir.join(state::FILE).exists() && !Leftover::is_in(dir) && !is_leaving(dir)
}

pub(super) fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::of_finish("this_server", format!("{}: {error}", path.display()), "")
}

/// A data directory that is being set up: nobody else has it meanwhile.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: PathBuf,
    made_dir: bool,
    made_certificate: bool,
    /// Whether an unfinished set-up was there, under whose identity the Primary may know this server.
    begun_before: bool,
    lock: Mutex<Option<DirLock>>,
}

impl Place {
    /// Takes the directory, which is made where there is none.
    ///
    /// # Errors
    /// [`Failure`] when a server is set up there, or another process has it.
    pub fn take(dir: &Path) -> Result<Self, Failure> {
        let made_dir = !dir.exists();
        if made_dir {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(|error| failed(dir, &error))?;
        }
        let dir = dir.canonicalize().map_err(|error| failed(dir, &error))?;
        let lock = DirLock::acquire(&dir)?;
        if is_set_up(&dir) {
            let what = format!("{} has a server that is set up: nothing was changed", dir.display());
            return Err(Failure::of_finish("set_up_already", what, ""));
        }
        let begun_before = Leftover::is_in(&dir);
        Ok(Self { dir, made_dir, made_certificate: false, begun_before, lock: Mutex::new(Some(lock)) })
    }

    /// The certificate of the server: the one that its configuration names, the one that is there, or a new one. None
    /// with plain HTTP.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn identity(&mut self, config: &Config) -> Result<Option<Identity>, Failure> {
        if config.plain_http {
            return Ok(None);
        }
        if Identity::is_in(&self.dir) {
            return Ok(Some(Identity::load_from_dir(&self.dir)?));
        }
        self.made_certificate = true;
        if let Some(files) = &config.tls {
            let given = Identity::load(&files.cert, &files.key)?;
            given.write_new(&self.dir.join(tls::FILE))?;
            return Ok(Some(given));
        }
        Ok(Some(Identity::generate(&self.dir, &[&config::host_name()], config.listen.ip())?))
    }

    /// Lets another have the directory: the server that was set up here.
    pub fn release(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Removes a state that was begun.
    pub fn remove_state(&self) {
        for file in [state::FILE, product::FILE].iter().flat_map(|f| with_logs(f)) {
            // What stays behind is in the way of the next attempt, which says so.
            _ = fs::remove_file(self.dir.join(file));
        }
    }

    /// Removes everything that was made here. What an earlier attempt left stays, so that the next one goes on from it.
    pub fn remove(self) {
        if self.made_dir {
            _ = fs::remove_dir_all(&self.dir);
            return;
        }
        if !self.begun_before {
            self.remove_state();
            _ = Leftover::remove(&self.dir);
        }
        let certificate = if self.made_certificate { &[tls::FILE][..] } else { &[] };
        for file in certificate.iter().chain(&["lock"]) {
            _ = fs::remove_file(self.dir.join(file));
        }
    }

    /// Writes what has happened to the new server's application log.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn note(
        &self,
        config: &Config,
        address: &ServerAddress,
        role: ServerRole,
        more: &str,
    ) -> Result<(), Failure> {
        let store = product::ProductStore::open(&self.dir).await?;
        let system = SystemLog::find(&config.log, &SystemLogPaths::default());
        let (journal, task) = Journal::start(store.clone(), system);
        let message = format!("{} was set up as {}{more}", config.name, role.title());
        journal.record(catalogue::SET_UP, message, details([("role", &role.title()), ("address", &address.url)]));
        journal.flush().await;
        drop(journal);
        task.await?;
        store.close().await;
        Ok(())
    }
}

/// A database with the files that SQLite keeps beside it.
pub(super) fn with_logs(file: &str) -> [String; 3] {
    [file.to_owned(), format!("{file}-wal"), format!("{file}-shm")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let made = home.path().join("made");
        let place = Place::take(&made).unwrap();
        assert!(Place::take(&made).is_err(), "it is had once");
        place.remove();
        assert!(!made.exists());

        let begun = home.path().join("begun");
        fs::create_dir(&begun).unwrap();
        let leftover = Leftover::draw().unwrap();
        leftover.write(&begun).unwrap();
        Place::take(&begun).unwrap().remove();
        assert_eq!(Leftover::read(&begun), Some(leftover), "the Primary may know this server by it");

        let there = home.path().join("there");
        fs::create_dir(&there).unwrap();
        fs::write(there.join("other"), "").unwrap();
        let place = Place::take(&there).unwrap();
        Leftover::draw().unwrap().write(&place.dir).unwrap();
        fs::write(there.join(state::FILE), "").unwrap();
        assert!(!is_set_up(&there), "it is not finished");
        place.remove();
        assert_eq!(fs::read_dir(&there).unwrap().count(), 1, "what was there before");
    }
}
