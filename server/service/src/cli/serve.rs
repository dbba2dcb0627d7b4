//! `userlock serve`.

use std::{net::TcpListener, path::Path};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, fmt};

use super::{Outcome, setup::say};
use crate::{
    config::{Config, LogFormat},
    wizard::Way,
};

/// Runs a server until SIGTERM or SIGINT; first the Configuration wizard, where none is set up yet.
pub fn serve(path: &Path) -> Outcome {
    let (config, given) = Config::load_given(path)?;
    start_tracing(&config.log.filter, config.log.format);
    allow_many_connections();
    let listener =
        TcpListener::bind(config.listen).map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stopping = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stopping.cancel();
        });
        let log = config.log.clone();
        let way_in = move |way: &Way| {
            say(&way.to_string());
            way.tell_journal(&log);
        };
        Ok(Box::pin(crate::start(config, given, listener, stop, way_in)).await?)
    })
}

/// What the program writes about itself, to standard error.
pub fn start_tracing(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second one in the same process changes nothing.
    _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Each connection is an open file: takes as many as the system lets this process have.
fn allow_many_connections() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the number of open files stays as it was");
    }
}
