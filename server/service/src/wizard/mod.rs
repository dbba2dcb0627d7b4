//! The Configuration wizard: what is served before a server is set up, and nothing else. `userlock setup` is the same
//! without a browser.

mod code;
mod draft;
mod finish;
mod http;
mod steps;
mod view;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use userlock_core::agent_api::ServerAddress;

pub use code::Way;

use crate::{
    auth::Attempts,
    config::{Config, Given},
    run::{self, GRACE, RunError},
    setup::{Failure, Leftover, Own, Place, Typed},
    tls::Identity,
};
use code::{Code, Doors};
use draft::Draft;

/// When the wizard has done its work, the server starts by itself after this time at the latest: of a Primary late
/// enough to note the enrolment string, which is shown once.
const START_PRIMARY: Duration = Duration::from_secs(10 * 60);
/// Of a Backup, which shows no secret.
const START_BACKUP: Duration = Duration::from_secs(15);

/// The wizard at work.
struct Wizard {
    config: Config,
    given: Given,
    place: Place,
    fingerprint: String,
    code: Code,
    doors: Doors,
    attempts: Attempts,
    draft: Mutex<Draft>,
    /// One form at a time: a check of the Primary takes seconds.
    turn: tokio::sync::Mutex<()>,
    work: Mutex<Option<JoinHandle<()>>>,
    /// Ends when the wizard is served no more: then so does its work.
    closing: CancellationToken,
    /// Ends when the wizard has done its work and the server is to start.
    leave: CancellationToken,
}

impl Wizard {
    fn draft(&self) -> MutexGuard<'_, Draft> {
        lock(&self.draft)
    }

    fn secure(&self) -> bool {
        !self.config.plain_http
    }

    /// Keeps what was typed, as far as it is no secret, for the next start.
    fn keep(&self) {
        let typed = self.draft().typed();
        if let Err(error) = typed.write(&self.place.dir) {
            tracing::warn!(%error, "what was typed into the Configuration wizard is not kept for the next start");
        }
    }

    /// This server, which is not its own Primary.
    fn own(&self) -> Own {
        Own { listen: self.config.listen, address: self.planned().1 }
    }

    /// The configuration of the server, with what was typed.
    fn planned(&self) -> (Config, ServerAddress) {
        let draft = self.draft();
        let mut config = self.config.clone();
        config.name.clone_from(&draft.name);
        config.public_url.clone_from(&draft.public_url);
        let address = ServerAddress::new(config.public_url.clone(), self.fingerprint.clone());
        (config, address)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves the wizard until it has done its work, or `stop` is cancelled. Gives the configuration of the server that was
/// set up, if one was. `way_in` is told how the wizard is opened.
///
/// # Errors
/// [`RunError`].
pub async fn serve(
    config: Config,
    given: Given,
    listener: TcpListener,
    stop: &CancellationToken,
    way_in: &(impl Fn(&Way) + Send + Sync),
) -> Result<Option<Config>, RunError> {
    let socket = |source| RunError::Serve { address: config.listen, source };
    let mut place = Place::take(&config.dir)?;
    let identity = place.identity(&config)?;
    let fingerprint = identity.as_ref().map(Identity::fingerprint).unwrap_or_default();
    let leftover = Leftover::read(&place.dir).map_or_else(Leftover::draw, Ok)?;
    let code = Code::draw().map_err(Failure::from)?;
    way_in(&Way {
        url: config.public_url.clone(),
        dir: place.dir.clone(),
        fingerprint: fingerprint.clone(),
        code: code.shown(),
    });
    let draft = match Typed::read(&place.dir) {
        Some(typed) => Draft::restored(&config, given, leftover, typed),
        None => Draft::new(&config, leftover),
    };
    let wizard = Arc::new(Wizard {
        draft: Mutex::new(draft),
        doors: Doors::new(!config.plain_http, config.listen.port()),
        config: config.clone(),
        given,
        place,
        fingerprint,
        code,
        attempts: Attempts::default(),
        turn: tokio::sync::Mutex::default(),
        work: Mutex::default(),
        closing: CancellationToken::new(),
        leave: CancellationToken::new(),
    });
    listener.set_nonblocking(true).map_err(socket)?;
    let handle = Handle::<SocketAddr>::new();
    let stopper = tokio::spawn({
        let (handle, stop, leave) = (handle.clone(), stop.clone(), wizard.leave.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = leave.cancelled() => {}
            }
            handle.graceful_shutdown(Some(GRACE));
        }
    });
    let tls = identity.map(|identity| identity.server_config()).transpose()?.map(RustlsConfig::from_config);
    let served = run::listen(http::router(Arc::clone(&wizard)), tls, listener, handle).await;
    stopper.abort();
    let work = lock(&wizard.work).take();
    // What is unfinished is noted in the data directory, and goes on at the next start.
    wizard.closing.cancel();
    if let Some(work) = work {
        _ = work.await;
    }
    wizard.place.release();
    served.map_err(socket)?;
    let finished = wizard.leave.is_cancelled() && !stop.is_cancelled();
    Ok(finished.then(|| wizard.planned().0))
}
