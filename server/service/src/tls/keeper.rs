//! The certificate in use and the one that will take its place, on the disk and in what serves. One is replaced without
//! a restart: connections that exist go on, new ones see the new certificate.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum_server::tls_rustls::RustlsConfig;

use super::{FILE, Facts, Identity, NEXT_FILE, TlsError, sync_folder_of};
use crate::config::{Config, TlsFiles, host_name};

/// A certificate, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its SHA-256 in hex.
    pub fingerprint: String,
    /// What it says of itself.
    pub facts: Facts,
    /// Since when its file is there, in ms since 1970 UTC.
    pub since: Option<i64>,
    /// Whether it is the one in the files that the configuration names.
    pub given: bool,
}

/// Why the certificates are as they were.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// A file, or what it has.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is a next one already.
    #[error("there is a next certificate already")]
    NextIsThere,
    /// There is no next one.
    #[error("there is no next certificate")]
    NoNext,
    /// It comes from the files that the configuration names.
    #[error("the next certificate is the one in the files that the configuration names")]
    Given,
}

#[derive(Debug)]
struct State {
    present: Known,
    next: Option<Known>,
    /// The fingerprint in the files that the configuration names, as they were last read.
    given: Option<String>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    files: Option<TlsFiles>,
    ip: IpAddr,
    serving: RustlsConfig,
    state: Mutex<State>,
    /// Held during a change, so that there is one at a time.
    turn: Mutex<()>,
}

/// The certificates of this server. Cheap to clone. Its methods that change something touch the disk: they are called
/// where that may block.
#[derive(Debug, Clone)]
pub struct Certificates {
    inner: Arc<Inner>,
}

impl Certificates {
    /// Takes up the certificates of a data directory; makes the first where there is none. None with plain HTTP.
    ///
    /// # Errors
    /// [`TlsError`] when there is none that can be served with.
    pub fn open(config: &Config) -> Result<Option<Self>, TlsError> {
        if config.plain_http {
            return Ok(None);
        }
        let dir = config.dir.clone();
        if !Identity::is_in(&dir) {
            // A server that was set up without TLS, or whose certificate was taken away.
            match &config.tls {
                Some(files) => Identity::load(&files.cert, &files.key)?.write_new(&dir.join(FILE))?,
                None => _ = Identity::generate(&dir, &[&host_name()], config.listen.ip())?,
            }
        }
        let present = Identity::load_from_dir(&dir)?;
        let known = known(&present, &dir.join(FILE));
        let serving = RustlsConfig::from_config(present.server_config()?);
        let next_path = dir.join(NEXT_FILE);
        // One that cannot be used was never announced by this start; it is in nobody's way, and said to be there.
        let next = next_path.exists().then(|| Identity::load(&next_path, &next_path)).and_then(|read| {
            read.map(|next| self::known(&next, &next_path))
                .inspect_err(|error| tracing::error!(%error, "the next certificate cannot be read"))
                .ok()
        });
        let next = next.filter(|next| next.fingerprint != known.fingerprint);
        let state = Mutex::new(State { present: known, next, given: None });
        let (files, ip) = (config.tls.clone(), config.listen.ip());
        let inner = Inner { dir, files, ip, serving, state, turn: Mutex::default() };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What serves with them.
    #[must_use]
    pub fn serving(&self) -> RustlsConfig {
        self.inner.serving.clone()
    }

    /// The one in use.
    #[must_use]
    pub fn present(&self) -> Known {
        let state = self.state();
        marked(&state.present, state.given.as_deref())
    }

    /// The one that will take its place.
    #[must_use]
    pub fn next(&self) -> Option<Known> {
        let state = self.state();
        state.next.as_ref().map(|next| marked(next, state.given.as_deref()))
    }

    /// Whether the configuration names files, which are looked at.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.inner.files.is_some()
    }

    /// Makes the next certificate, signed by itself, for this machine's name and the host of `url`. It is not used yet.
    ///
    /// # Errors
    /// [`KeeperError::NextIsThere`], [`KeeperError::Given`] where the configuration names files, else why it cannot be made.
    pub fn prepare(&self, url: &str) -> Result<Known, KeeperError> {
        let _turn = self.turn();
        if self.has_files() {
            return Err(KeeperError::Given);
        }
        if self.state().next.is_some() {
            return Err(KeeperError::NextIsThere);
        }
        let (machine, public) = (host_name(), host_of(url));
        let hosts: Vec<&str> = [machine.as_str()].into_iter().chain(public.as_deref()).collect();
        self.keep_next(&Identity::make(&hosts, self.inner.ip)?)
    }

    /// Looks at the files that the configuration names. The one that is new there, if one is, is the next one from now on.
    ///
    /// # Errors
    /// [`KeeperError::Tls`] when what is there cannot be used; then nothing was changed.
    pub fn look_at_files(&self) -> Result<Option<Known>, KeeperError> {
        let _turn = self.turn();
        let Some(files) = &self.inner.files else { return Ok(None) };
        let found = Identity::load(&files.cert, &files.key)?;
        let fingerprint = found.fingerprint();
        let (present, next) = {
            let mut state = self.state();
            state.given = Some(fingerprint.clone());
            (state.present.fingerprint.clone(), state.next.as_ref().map(|next| next.fingerprint.clone()))
        };
        if next.as_ref() == Some(&fingerprint) {
            return Ok(None);
        }
        if present == fingerprint {
            // Somebody put the old one back.
            if next.is_some() {
                self.forget_next()?;
            }
            return Ok(None);
        }
        // A pair that does not go together is found before anybody is told of it.
        Identity::load(&files.cert, &files.key)?.server_config()?;
        self.keep_next(&found).map(Some)
    }

    fn keep_next(&self, next: &Identity) -> Result<Known, KeeperError> {
        let path = self.inner.dir.join(NEXT_FILE);
        let made = path.with_extension("new");
        remove(&made)?;
        next.write_new(&made)?;
        fs::rename(&made, &path).and_then(|()| sync_folder_of(&path)).map_err(TlsError::file(&path))?;
        let known = known(next, &path);
        let mut state = self.state();
        state.next = Some(known.clone());
        Ok(marked(&known, state.given.as_deref()))
    }

    fn forget_next(&self) -> Result<(), TlsError> {
        remove(&self.inner.dir.join(NEXT_FILE))?;
        self.state().next = None;
        Ok(())
    }

    /// Gives the next certificate up.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub fn discard(&self) -> Result<(), KeeperError> {
        let _turn = self.turn();
        let next = self.next().ok_or(KeeperError::NoNext)?;
        if next.given {
            return Err(KeeperError::Given);
        }
        Ok(self.forget_next()?)
    }

    /// Puts the next certificate in the place of the one in use, on the disk first, if it still is the one with this
    /// fingerprint. From then on new connections see it.
    ///
    /// # Errors
    /// [`KeeperError`]; then the one in use stays.
    pub fn replace(&self, fingerprint: &str) -> Result<Known, KeeperError> {
        let _turn = self.turn();
        let next = self.next().filter(|next| next.fingerprint == fingerprint).ok_or(KeeperError::NoNext)?;
        let (from, to) = (self.inner.dir.join(NEXT_FILE), self.inner.dir.join(FILE));
        let serving = Identity::load(&from, &from)?.server_config()?;
        fs::rename(&from, &to).and_then(|()| sync_folder_of(&to)).map_err(TlsError::file(&to))?;
        self.inner.serving.reload_from_config(serving);
        let mut state = self.state();
        (state.present, state.next) = (next.clone(), None);
        Ok(next)
    }
}

/// The host of an address.
fn host_of(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

fn known(identity: &Identity, path: &Path) -> Known {
    let changed = fs::metadata(path).and_then(|about| about.modified()).ok();
    let since = changed.map(|at| chrono::DateTime::<chrono::Utc>::from(at).timestamp_millis());
    Known { fingerprint: identity.fingerprint(), facts: identity.facts(), since, given: false }
}

fn marked(known: &Known, given: Option<&str>) -> Known {
    Known { given: given == Some(known.fingerprint.as_str()), ..known.clone() }
}

fn remove(path: &Path) -> Result<(), TlsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TlsError::file(path)(error)),
        _ => Ok(()),
    }
}
