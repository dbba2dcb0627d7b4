//! The certificate in use and the one that will take its place, on the disk and in what serves. One is replaced without
//! a restart: connections that exist go on, new ones see the new certificate.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::CertificateDer;
use userlock_core::agent_api::ServerAddress;

use super::{FILE, Facts, Identity, NEXT_FILE, TlsError};
use crate::{
    aside,
    config::{Config, TlsFiles, host_name, host_of},
    files::{remove, sync_folder_of},
};

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
    /// A file does not answer.
    #[error(transparent)]
    Aside(#[from] aside::AsideError),
    /// The work was cut off.
    #[error("it was cut off")]
    CutOff,
    /// There is a next one already.
    #[error("there is a next certificate already")]
    NextIsThere,
    /// There is no next one.
    #[error("there is no next certificate")]
    NoNext,
    /// The file with the next one has another than was announced.
    #[error("{} has another certificate, sha256 {found}, than the next one that was announced", path.display())]
    Another {
        /// The file.
        path: PathBuf,
        /// The SHA-256 of the certificate in it.
        found: String,
    },
    /// It comes from the files that the configuration names.
    #[error("the next certificate is the one in the files that the configuration names")]
    Given,
}

/// What has come of a look at the files that the configuration names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenUp {
    /// The one that is the next from now on.
    pub next: Option<Known>,
    /// The fingerprint of the one that was the next so far, and is not any more.
    pub dropped: Option<String>,
}

#[derive(Debug)]
struct State {
    present: Known,
    /// The one in use and those that signed it, as browsers are shown them.
    chain: Vec<CertificateDer<'static>>,
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
    turn: tokio::sync::Mutex<()>,
}

/// The certificates of this server. Cheap to clone. The methods that change something touch the data directory, so they
/// are called where that may block, by whoever has the [`Self::turn`].
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
        let serving = RustlsConfig::from_config(present.server_config()?);
        let (known, chain) = (known(&present, &dir.join(FILE)), present.chain().to_vec());
        let next = next_of(&dir).filter(|next| next.fingerprint != known.fingerprint);
        let state = Mutex::new(State { present: known, chain, next, given: None });
        let (files, ip) = (config.tls.clone(), config.listen.ip());
        let inner = Inner { dir, files, ip, serving, state, turn: tokio::sync::Mutex::default() };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held during a change and until it is announced, so that there is one at a time and the last one is what is told.
    #[must_use]
    pub fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.turn
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

    /// How this server is known at `url`: by the one in use and by the next one.
    #[must_use]
    pub fn address(&self, url: &str) -> ServerAddress {
        let state = self.state();
        let next = state.next.as_ref().map(|next| next.fingerprint.clone());
        ServerAddress { next, ..ServerAddress::new(url, state.present.fingerprint.clone()) }
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

    /// Reads the files that the configuration names, where they may be on a mount that does not answer. None where it
    /// names none.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub async fn read_files(&self) -> Result<Option<Identity>, KeeperError> {
        let Some(TlsFiles { cert, key }) = self.inner.files.clone() else { return Ok(None) };
        let read = aside::within(cert.clone(), move || {
            let found = Identity::load(&cert, &key)?;
            // A pair that does not go together, perhaps half replaced, is found before anybody is told of it.
            found.server_config()?;
            Ok::<_, TlsError>(found)
        });
        Ok(Some(read.await??))
    }

    /// Takes up what the files have. The certificate that is new there, if one is, is the next one from now on; the one in
    /// use with others behind it is shown so.
    ///
    /// # Errors
    /// [`KeeperError`]; then nothing was changed.
    pub fn take_up(&self, found: &Identity) -> Result<TakenUp, KeeperError> {
        let fingerprint = found.fingerprint();
        let (present, same_chain, next) = {
            let mut state = self.state();
            state.given = Some(fingerprint.clone());
            let next = state.next.as_ref().map(|next| next.fingerprint.clone());
            (state.present.fingerprint.clone(), state.chain == found.chain(), next)
        };
        if present == fingerprint {
            if !same_chain {
                found.write(&self.inner.dir.join(FILE))?;
                self.inner.serving.reload_from_config(found.server_config()?);
                self.state().chain = found.chain().to_vec();
            }
            // Somebody put the old one back.
            if next.is_some() {
                self.forget_next()?;
            }
            return Ok(TakenUp { next: None, dropped: next });
        }
        if next.as_ref() == Some(&fingerprint) {
            return Ok(TakenUp::default());
        }
        let taken = self.keep_next(found)?;
        Ok(TakenUp { next: Some(taken), dropped: next })
    }

    fn keep_next(&self, next: &Identity) -> Result<Known, KeeperError> {
        let path = self.inner.dir.join(NEXT_FILE);
        if let Err(error) = next.write(&path) {
            // It may have its name by now, and the next start would announce what nobody was told of.
            if self.next().is_none() {
                _ = remove(&path);
            }
            return Err(error.into());
        }
        let known = known(next, &path);
        let mut state = self.state();
        state.next = Some(known.clone());
        Ok(marked(&known, state.given.as_deref()))
    }

    fn forget_next(&self) -> Result<(), TlsError> {
        let path = self.inner.dir.join(NEXT_FILE);
        remove(&path).map_err(TlsError::file(&path))?;
        // Its key may be why it is given up: it does not come back after a power cut.
        sync_folder_of(&path).map_err(TlsError::file(&path))?;
        self.state().next = None;
        Ok(())
    }

    /// Gives the next certificate up. Its fingerprint.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub fn discard(&self) -> Result<String, KeeperError> {
        let next = self.next().ok_or(KeeperError::NoNext)?;
        if next.given {
            return Err(KeeperError::Given);
        }
        self.forget_next()?;
        Ok(next.fingerprint)
    }

    /// Puts the next certificate in the place of the one in use, on the disk first, if it still is the one with this
    /// fingerprint. From then on new connections see it. The one before, and the one that is used now.
    ///
    /// # Errors
    /// [`KeeperError`]; then the one in use stays.
    pub fn replace(&self, fingerprint: &str) -> Result<[String; 2], KeeperError> {
        let next = self.next().filter(|next| next.fingerprint == fingerprint).ok_or(KeeperError::NoNext)?;
        let (from, to) = (self.inner.dir.join(NEXT_FILE), self.inner.dir.join(FILE));
        let identity = Identity::load(&from, &from)?;
        // Another one may be there whose announcement failed at the last moment: nobody has said that they know it.
        let found = identity.fingerprint();
        if found != fingerprint {
            return Err(KeeperError::Another { path: from, found });
        }
        let serving = identity.server_config()?;
        fs::rename(&from, &to).map_err(TlsError::file(&to))?;
        if let Err(error) = sync_folder_of(&to) {
            // It is replaced all the same: a power cut now would bring back the one before, with this one announced.
            tracing::error!(%error, "the disk has not confirmed that the certificate was replaced");
        }
        self.inner.serving.reload_from_config(serving);
        let mut state = self.state();
        let before = std::mem::replace(&mut state.present, next);
        (state.chain, state.next) = (identity.chain().to_vec(), None);
        Ok([before.fingerprint, state.present.fingerprint.clone()])
    }
}

/// The next certificate in a data directory. One that cannot be used is taken away: it would be in the way of every other.
fn next_of(dir: &Path) -> Option<Known> {
    let path = dir.join(NEXT_FILE);
    if !path.exists() {
        return None;
    }
    let read = Identity::load(&path, &path).and_then(|next| next.server_config().map(|_| next));
    match read {
        Ok(next) => Some(known(&next, &path)),
        Err(error) => {
            tracing::error!(%error, "the next certificate cannot be used, and is removed");
            remove(&path).err().inspect(|error| tracing::error!(%error, "it cannot be removed"));
            None
        }
    }
}

fn known(identity: &Identity, path: &Path) -> Known {
    let changed = fs::metadata(path).and_then(|about| about.modified()).ok();
    let since = changed.map(|at| chrono::DateTime::<chrono::Utc>::from(at).timestamp_millis());
    Known { fingerprint: identity.fingerprint(), facts: identity.facts(), since, given: false }
}

fn marked(known: &Known, given: Option<&str>) -> Known {
    Known { given: given == Some(known.fingerprint.as_str()), ..known.clone() }
}

#[cfg(test)]
mod tests;
