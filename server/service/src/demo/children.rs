//! The processes of a demo, which do not outlive it.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures_util::future::select_all;
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::{process::Command, time::timeout};

/// The hidden subcommand that binds a process to its parent and then becomes another.
pub const BOUND: &str = "demo-child";

/// How long a process may take to end in good order.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process of the demo.
#[derive(Debug)]
pub struct Child {
    /// What it is, for people.
    pub name: &'static str,
    /// Its id.
    pub pid: u32,
    process: tokio::process::Child,
}

/// A command of this program without the variables by which a server's configuration is overruled: they would hold for
/// both servers.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("USERLOCK_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command of this program to its end.
///
/// # Errors
/// It could not be started, or failed: then with what it said.
pub async fn run(program: &Path, args: &[OsString]) -> Result<String, String> {
    let output = command(program).args(args).output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", output.status, said.trim()))
}

/// Starts a command of this program that ends when this process does. Both of its outputs go to the end of `log`.
///
/// The process is bound to the thread that starts it, so this is to be called on one that lives as long as the demo.
///
/// # Errors
/// It could not be started.
pub fn start(name: &'static str, program: &Path, args: &[OsString], log: &Path) -> io::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = command(program);
    command.arg(BOUND).arg("--parent").arg(std::process::id().to_string()).arg("--").args(args);
    command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    // Ctrl-C in a terminal reaches the demo alone, which ends the others in order.
    command.process_group(0);
    let process = command.spawn()?;
    let pid = process.id().ok_or_else(|| io::Error::other("it ended at once"))?;
    Ok(Child { name, pid, process })
}

/// Binds this process to `parent` and becomes this program with `args`. Returns only when it cannot.
#[must_use]
pub fn become_bound(parent: u32, args: &[OsString]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return error.into();
    }
    // The parent may have ended before that took effect.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if now != Some(parent) {
        return io::Error::other("the demo that this process is of has ended");
    }
    match std::env::current_exe() {
        Ok(program) => std::process::Command::new(program).args(args).exec(),
        Err(error) => error,
    }
}

impl Child {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended meanwhile; it is not collected before we do it, so the id is not another's.
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether it has ended, and how.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }
}

/// Waits until one of them ends, and takes it out; for ever when there is none.
pub async fn next_end(children: &mut Vec<Child>) -> (Child, String) {
    if children.is_empty() {
        std::future::pending::<()>().await;
    }
    let waits = children.iter_mut().map(|child| Box::pin(child.process.wait()));
    let (result, index, _) = select_all(waits).await;
    let how = result.map_or_else(|error| error.to_string(), |status| status.to_string());
    (children.swap_remove(index), how)
}

/// Ends them, one after the other: the last started first.
pub async fn stop(children: Vec<Child>) {
    for mut child in children.into_iter().rev() {
        if child.ended().is_some() {
            continue;
        }
        // One that was stopped could not end.
        child.signal(Signal::CONT);
        child.signal(Signal::TERM);
        if timeout(PATIENCE, child.process.wait()).await.is_err() {
            tracing::warn!(process = child.name, pid = child.pid, "a process does not end and is killed");
            let _ = child.process.kill().await;
        }
    }
}
