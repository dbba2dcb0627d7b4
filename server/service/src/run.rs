//! The running server: puts the parts together, serves, and stops in order.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsConfig};
use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;
use userlock_core::api::ServerRole;

use crate::{
    archive::{self, Archive},
    auth::{Attempts, LocalToken, LocalTokenError, PasswordError, Passwords, SignIns},
    certificates,
    config::Config,
    dir_lock::{DirLock, DirLockError},
    figures::Figures,
    http::{
        self,
        agents::PairState,
        live::{self, Live},
        pages,
        state::{App, Parts},
    },
    log::{Journal, SystemLog, SystemLogPaths, catalogue, details},
    setup,
    store::{
        product::{ProductStore, ProductStoreError},
        state::StateError,
    },
    sync::Synchronizer,
    tend,
    tls::{Certificates, Identity, TlsError},
    zone::{self, StartError, Zone},
};

/// How long requests at work may take to end when the server stops.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// The headers of a request must be there within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the server does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its state.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its application log and sign-ins.
    #[error(transparent)]
    Product(#[from] ProductStoreError),
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token of the program on this machine.
    #[error(transparent)]
    LocalToken(#[from] LocalTokenError),
    /// Passwords.
    #[error(transparent)]
    Passwords(#[from] PasswordError),
    /// Its data directory.
    #[error(transparent)]
    Dir(#[from] DirLockError),
    /// It is not set up, and cannot be.
    #[error(transparent)]
    Setup(#[from] setup::Failure),
    /// Its socket.
    #[error("cannot serve on {address}: {source}")]
    Serve {
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// How the certificate is known that a server of this configuration shows; empty with plain HTTP.
///
/// # Errors
/// [`TlsError`].
pub fn fingerprint_of(config: &Config) -> Result<String, TlsError> {
    if config.plain_http {
        return Ok(String::new());
    }
    Ok(Identity::load_from_dir(&config.dir)?.fingerprint())
}

/// Why a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// An administrator took it out of its zone.
    Left,
}

/// Serves until `stop` is cancelled. What was acknowledged is on the disk whenever it ends.
///
/// # Errors
/// [`RunError`].
pub async fn run(config: Config, listener: TcpListener, stop: CancellationToken) -> Result<(), RunError> {
    run_until_left(config, listener, stop).await.map(drop)
}

/// Serves until `stop` is cancelled or the server is taken out of its zone.
///
/// # Errors
/// [`RunError`].
pub async fn run_until_left(config: Config, listener: TcpListener, stop: CancellationToken) -> Result<Ended, RunError> {
    let _lock = DirLock::acquire(&config.dir)?;
    let socket = |source| RunError::Serve { address: config.listen, source };
    let certificates = Certificates::open(&config)?;
    let address = certificates::address(&config.public_url, certificates.as_ref());
    // What serves ends first, then what works, then what writes.
    let working = CancellationToken::new();

    let product = ProductStore::open(&config.dir).await?;
    let system = SystemLog::find(&config.log, &SystemLogPaths::default());
    let (journal, journal_task) = Journal::start(product.clone(), system);
    let opened = zone::open(&config.dir, config.name.clone(), address).await;
    let (zone, writer_task, notes) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let more = details([("dir", &config.dir.display()), ("error", &error)]);
            let corrupt = matches!(error, StartError::State(StateError::Corrupt(_) | StateError::Migrate(_)));
            let kind = if corrupt { catalogue::STORAGE_CORRUPT } else { catalogue::START_FAILED };
            journal.record(kind, format!("The server does not start: {error}"), more);
            journal.flush().await;
            return Err(error.into());
        }
    };
    journal.keep_days(zone.read(|server| server.settings.settings.retention.application_log_days));
    let sync =
        (zone.role() == ServerRole::Backup).then(|| Synchronizer::new(zone.clone(), journal.clone(), working.clone()));
    let archive = Archive::new(&config.dir);
    let parts = Assembled { zone: &zone, sync: sync.as_ref(), journal: &journal, product: &product };
    let (app, pair) = assemble(&config, parts, &archive, certificates.as_ref(), &working).await?;
    let tending = tokio::spawn(tend::run(zone.clone(), journal.clone(), notes, working.clone()));
    let broadcasting = tokio::spawn(live::broadcast(app.clone()));
    let certifying = tokio::spawn(certificates::watch(app.clone()));
    let archiving = tokio::spawn(archive::keep(archive, zone.clone(), journal.clone(), working.clone()));
    if let Some(sync) = &sync {
        sync.start();
    }
    tell_start(&journal, &zone, &config);
    setup::tell_mark_left(&config.dir, &journal).await;

    let leaving = app.leaving.clone();
    let tls = certificates.map(|certificates| certificates.serving());
    let served = serve(app, pair, tls, listener, stop).await.map_err(socket);
    working.cancel();
    if let Some(sync) = &sync {
        sync.stopped().await;
    }
    // They end by themselves when `working` is cancelled; one that panicked has ended too.
    _ = tokio::join!(tending, broadcasting, archiving, certifying);
    journal.record(catalogue::STOPPED, "The server has stopped", details([("role", &zone.role().title())]));
    journal.flush().await;
    // What was answered is on the disk; whoever is still asking now gets no answer.
    zone.stop().await;
    _ = writer_task.await;
    zone.store().close().await;
    drop((zone, sync, journal));
    journal_task.abort();
    product.close().await;
    served.map(|()| if leaving.is_cancelled() { Ended::Left } else { Ended::Stopped })
}

/// What is there before the handlers are.
pub(crate) struct Assembled<'a> {
    /// The state and its writer.
    pub zone: &'a Zone,
    /// The synchronizations; on a Backup.
    pub sync: Option<&'a Synchronizer>,
    /// The application log.
    pub journal: &'a Journal,
    /// And where it is.
    pub product: &'a ProductStore,
}

/// Puts together what the handlers work with.
pub(crate) async fn assemble(
    config: &Config,
    Assembled { zone, sync, journal, product }: Assembled<'_>,
    archive: &Archive,
    certificates: Option<&Certificates>,
    stop: &CancellationToken,
) -> Result<(App, PairState), RunError> {
    let secure = !config.plain_http;
    let passwords = Passwords::new()?;
    let attempts = Arc::new(Attempts::default());
    let figures = Figures::default();
    let leaving = CancellationToken::new();
    let pair = PairState {
        zone: zone.clone(),
        journal: journal.clone(),
        lasting: Arc::default(),
        passwords: passwords.clone(),
        attempts: Arc::clone(&attempts),
        sync: sync.cloned(),
        stop: stop.clone(),
        leaving: leaving.clone(),
        figures: figures.clone(),
    };
    let app = App::new(Parts {
        zone: zone.clone(),
        sync: sync.cloned(),
        journal: journal.clone(),
        product: product.clone(),
        figures,
        sign_ins: SignIns::load(product.clone(), secure, config.listen.port()).await?,
        passwords,
        attempts,
        local_token: LocalToken::create(&config.dir)?,
        told: Default::default(),
        archive: archive.clone(),
        certificates: certificates.cloned(),
        public_url: config.public_url.clone(),
        secure,
        live: Live::default(),
        leptos: LeptosOptions::builder().output_name("userlock").build(),
        stop: stop.clone(),
        leaving,
    });
    Ok((app, pair))
}

fn tell_start(journal: &Journal, zone: &Zone, config: &Config) {
    let phase = zone.phase();
    let role = zone.role().title();
    let message = format!("The {role} server {} has started at {}", config.name, config.public_url);
    let more = details([
        ("role", &role),
        ("address", &config.public_url),
        ("listen", &config.listen),
        ("phase", &phase.phase.title()),
        ("version", &crate::VERSION),
    ]);
    journal.record(catalogue::STARTED, message, more);
}

/// Answers until `stop` is cancelled, then lets what is at work end.
async fn serve(
    app: App,
    pair: PairState,
    tls: Option<RustlsConfig>,
    listener: TcpListener,
    stop: CancellationToken,
) -> std::io::Result<()> {
    pages::prepare();
    listener.set_nonblocking(true)?;
    let handle = Handle::new();
    let streams = app.stop.clone();
    let stopper = tokio::spawn({
        let handle = handle.clone();
        let leaving = app.leaving.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = leaving.cancelled() => {}
            }
            // Live streams and long polls would hold the server up: they end at once.
            streams.cancel();
            handle.graceful_shutdown(Some(GRACE));
        }
    });
    let result = listen(http::router(app, pair), tls, listener, handle).await;
    stopper.abort();
    result
}

/// Answers, with TLS if there is a certificate, until the handle says that it is enough.
pub(crate) async fn listen(
    router: axum::Router,
    tls: Option<RustlsConfig>,
    listener: TcpListener,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        None => {
            let mut server = axum_server::from_tcp(listener)?.handle(handle);
            limit_headers(server.http_builder());
            server.serve(service).await
        }
        Some(tls) => {
            let mut server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
            limit_headers(server.http_builder());
            server.serve(service).await
        }
    }
}

/// Does not wait for ever for a request to be said.
fn limit_headers(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).keep_alive_interval(HEADER_TIMEOUT);
}
