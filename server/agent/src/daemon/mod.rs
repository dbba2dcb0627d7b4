//! The daemon of a Linux machine.

mod machine;
mod notes;
mod socket;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use userlock_core::agent::obey::Obedience;

use crate::{
    admitted::Admitted,
    client::{AddressError, Clients},
    enrol::{self, EnrolError},
    files::{FileError, create_private, make_private_dir, read_json},
    hook::HookFiles,
    reporter::{Host, Parts, Reporter, Zone},
    sessions::Sessions,
    spool::{Spool, SpoolError},
    system::{boot_id, wall_ms},
};
use machine::{Machine, Recorded};

/// How often the recorded sessions and the hook's notes are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// How the daemon is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps its files.
    pub state_dir: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// The services of PAM that are let pass and not reported.
    pub ignored_services: Vec<String>,
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A server's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The machine is not enrolled.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// Another daemon uses the state folder.
    #[error("another daemon uses {0}")]
    InUse(PathBuf),
    /// The kernel does not tell the boot.
    #[error("the boot of this machine is not known: {0}")]
    Boot(std::io::Error),
}

/// Runs the daemon until `shutdown` ends. What was reported is on the disk and is sent at the next start.
///
/// # Errors
/// [`DaemonError`] when it cannot start.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), DaemonError> {
    let dir = options.state_dir;
    make_private_dir(&dir)?;
    let _lock = lock(&dir)?;
    let identity = enrol::identity(&dir)?;
    let machine_name = identity.machine.clone();
    let written: Option<Zone> = read_json(&dir.join("zone.json"))?;
    let on_disk = written.is_some();
    let zone = match written {
        Some(zone) => zone,
        None => Zone::at_first(enrol::servers(&dir)?),
    };
    let boot = boot_id().map_err(DaemonError::Boot)?;
    let memory: Obedience = read_json(&dir.join("commands.json"))?.unwrap_or_default();
    let spool = Spool::open(&dir, &machine_name)?;
    let fresh = spool.last() == 0;
    let sessions = Sessions::load(&dir, boot, &spool)?;
    let admitted = Admitted::load(&dir, boot, wall_ms());
    let seen = HookFiles::new(&dir).seen()?;
    let machine_dir = dir.clone();
    let machine = Arc::new(Machine::new(dir, options.ignored_services, Recorded { sessions, admitted, seen }));
    match machine.zone(&zone).map_err(FileError::new("write", &machine_dir.join("zone.json"))) {
        // What it says is there already: a full disk is no reason to let nobody on.
        Err(error) if on_disk => tracing::error!(%error, "the agent goes on with what it knew of its zone"),
        written => written?,
    }
    let host = Arc::<Machine>::clone(&machine);
    let reporter = Reporter::new(Parts { identity, zone, boot, spool, memory, clients: Clients::default(), host })?;
    machine.begin(&reporter, fresh)?;
    let listener = socket::bind(&options.socket)?;
    tracing::info!(machine = machine_name, socket = %options.socket.display(), "the agent runs");
    tokio::select! {
        () = reporter.run() => {}
        () = socket::serve(listener, Arc::clone(&machine), Arc::clone(&reporter)) => {}
        () = look_around(&machine, &reporter) => {}
        () = shutdown => {}
    }
    tracing::info!(spool.waiting = reporter.waiting(), "the agent ends");
    // Without it the hook does not have to find out that nobody listens; a failure changes nothing.
    let _ = std::fs::remove_file(&options.socket);
    Ok(())
}

async fn look_around(machine: &Machine, reporter: &Reporter) {
    let mut tick = interval(LOOK_AROUND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        machine.look_around(reporter);
    }
}

/// Keeps a second daemon from the state folder for as long as the file is open.
fn lock(dir: &Path) -> Result<File, DaemonError> {
    let path = dir.join("lock");
    let file = create_private(&path)?;
    file.try_lock().map_err(|_| DaemonError::InUse(dir.to_owned()))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
