//! What the handlers work with.

use std::{ops::Deref, sync::Arc};

use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;

use super::{guard::Told, live::Live};
use crate::{
    archive::Archive,
    auth::{Attempts, LocalToken, Passwords, SignIns},
    figures::Figures,
    log::Journal,
    store::product::ProductStore,
    sync::Synchronizer,
    tls::Certificates,
    zone::Zone,
};

/// The server, as the handlers see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    inner: Arc<Parts>,
}

/// Its parts.
#[derive(Debug)]
pub struct Parts {
    /// The state and its writer.
    pub zone: Zone,
    /// The synchronizations; on a Backup.
    pub sync: Option<Synchronizer>,
    /// The application log, to write.
    pub journal: Journal,
    /// And to read; the sign-ins.
    pub product: ProductStore,
    /// Counters.
    pub figures: Figures,
    /// Who is signed in.
    pub sign_ins: SignIns,
    /// Checks passwords.
    pub passwords: Passwords,
    /// The attempts to sign in that failed.
    pub attempts: Arc<Attempts>,
    /// The token of the program on this machine.
    pub local_token: LocalToken,
    /// When refusals were last told.
    pub told: Told,
    /// The Database.
    pub archive: Archive,
    /// The certificates, with TLS.
    pub certificates: Option<Certificates>,
    /// The address that others use.
    pub public_url: String,
    /// Whether it speaks TLS.
    pub secure: bool,
    /// The one live stream.
    pub live: Live,
    /// What the pages' framework is told.
    pub leptos: LeptosOptions,
    /// Ends when the server stops.
    pub stop: CancellationToken,
    /// Ends when an administrator takes this server out of its zone.
    pub leaving: CancellationToken,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.inner
    }
}

impl axum::extract::FromRef<App> for LeptosOptions {
    fn from_ref(app: &App) -> Self {
        app.leptos.clone()
    }
}
