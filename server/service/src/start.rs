//! From a data directory to a server that runs: first the Configuration wizard where no server is set up yet, then the
//! server, on the same socket and in the same process; and the wizard again when the server has left its zone.

use std::net::TcpListener;

use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Given},
    run::{Ended, RunError, run_until_left},
    setup,
    wizard::{self, Way},
};

/// Runs whatever the data directory asks for until `stop` is cancelled. `way_in` is told how the wizard is opened.
///
/// # Errors
/// [`RunError`].
pub async fn start(
    mut config: Config,
    given: Given,
    listener: TcpListener,
    stop: CancellationToken,
    way_in: impl Fn(&Way) + Send + Sync,
) -> Result<(), RunError> {
    let again =
        |config: &Config| listener.try_clone().map_err(|source| RunError::Serve { address: config.listen, source });
    loop {
        if let Some(folder) = setup::complete_leaving(&config.dir).await? {
            tracing::info!(folder = %folder.display(), "this server has left its zone; what it had was set aside");
        }
        if !setup::is_set_up(&config.dir) {
            let socket = again(&config)?;
            match Box::pin(wizard::serve(config.clone(), given, socket, &stop, &way_in)).await? {
                Some(set_up) => config = set_up,
                None => return Ok(()),
            }
        }
        match Box::pin(run_until_left(config.clone(), again(&config)?, stop.clone())).await? {
            Ended::Stopped => return Ok(()),
            Ended::Left => {}
        }
    }
}
