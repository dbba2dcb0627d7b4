//! `userlock demo`: a Primary and a Backup, each a process of its own, and one process that plays a zone of machines.

mod children;
mod folder;
mod pair;
pub mod zone;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use userlock_agent::files::{Durability, FileError, replace_json};

pub use children::{BOUND, become_bound};
pub use folder::FolderError;
pub use pair::PairError;
pub use zone::{MAX_MACHINES, Play, PlayError, play};

use children::Child;
use folder::Folder;
use pair::Pair;

/// The arguments of `userlock demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// The folder of the demo, made anew at each start [default: ~/.local/state/userlock-demo]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where the Primary listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub primary_addr: SocketAddr,
    /// Where the Backup listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8444")]
    pub backup_addr: SocketAddr,
    /// How many machines are played
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MACHINES)))]
    pub machines: u32,
    /// How many seconds a working day takes, with its night
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(30..=86_400))]
    pub day_seconds: u32,
    /// The same seed plays the same days
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The arguments of the process that plays the zone.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoZoneArgs {
    /// The file that says what to play
    #[arg(long, value_name = "FILE")]
    pub play: PathBuf,
}

/// The arguments of a process that is bound to the demo.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoChildArgs {
    /// The process id of the demo
    #[arg(long)]
    pub parent: u32,
    /// What it becomes
    #[arg(last = true, required = true)]
    pub args: Vec<OsString>,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file in it.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody listens there already.
    #[error("cannot listen on {address}: {source}. Is a demo or a server running there? Another address: {option}")]
    Address {
        /// Where.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Both servers were given one address.
    #[error("both servers cannot listen on {0}")]
    SameAddress(SocketAddr),
    /// The pair did not come to be.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A process could not be started, or the program does not know where it is.
    #[error("cannot start {what}: {source}")]
    Start {
        /// Which.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What the first line on standard output says.
#[derive(Serialize)]
struct Announcement<'a> {
    primary: &'a pair::Running,
    backup: &'a pair::Running,
    agent: Agent<'a>,
    admin: Admin<'a>,
}

#[derive(Serialize)]
struct Agent<'a> {
    enrolment: &'a str,
}

#[derive(Serialize)]
struct Admin<'a> {
    user: &'a str,
    password: &'a str,
}

/// Runs the demo until it is interrupted, and ends all that it started. To be called on the main thread: its processes
/// are bound to it.
///
/// # Errors
/// [`DemoError`] when it does not come to run; then too nothing of it goes on.
pub async fn run(args: DemoArgs) -> Result<(), DemoError> {
    let signals = |source| DemoError::Start { what: "listening for signals", source };
    let mut ends = Ends::new().map_err(signals)?;
    let mut children = Vec::new();
    let started = tokio::select! {
        started = Box::pin(start(&args, &mut children)) => started.map(Some),
        () = ends.next() => Ok(None),
    };
    let result = match started {
        Ok(Some(folder)) => {
            watch(&mut children, &mut ends).await;
            // The folder stays locked as long as its servers run.
            drop_after(folder, children).await;
            return Ok(());
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    children::stop(children).await;
    result
}

async fn drop_after(folder: Folder, children: Vec<Child>) {
    say("Stopping …");
    children::stop(children).await;
    if let Some(dir) = folder.still_at_work() {
        say(&format!("The server that you started in {} goes on: it is yours to stop.", dir.display()));
    }
    drop(folder);
}

/// Says which process ends, until the demo is to end.
async fn watch(children: &mut Vec<Child>, ends: &mut Ends) {
    loop {
        let (child, how) = tokio::select! {
            ended = children::next_end(children) => ended,
            () = ends.next() => return,
        };
        say(&format!("The {} (pid {}) has ended: {how}", child.name, child.pid));
    }
}

async fn start(args: &DemoArgs, children: &mut Vec<Child>) -> Result<Folder, DemoError> {
    let program = std::env::current_exe().map_err(|source| DemoError::Start { what: "this program again", source })?;
    let primary_addr = free(args.primary_addr, "--primary-addr")?;
    let backup_addr = free(args.backup_addr, "--backup-addr")?;
    if primary_addr == backup_addr {
        return Err(DemoError::SameAddress(primary_addr));
    }
    let folder = Folder::take(&args.dir.clone().unwrap_or_else(folder::default_folder))?;
    say("Setting up a Primary and a Backup …");
    let pair = Pair::start(&program, folder.path(), (primary_addr, backup_addr), children).await?;
    let play = Play {
        enrolment: pair.enrolment.clone(),
        primary: pair.primary.address(),
        token: pair.primary.token.clone(),
        machines: args.machines,
        day_seconds: args.day_seconds,
        seed: args.seed,
    };
    let file = folder.path().join("play.json");
    replace_json(&file, &play, Durability::Process)?;
    let zone = ["demo-zone".into(), "--play".into(), file.into()];
    let started = children::start("zone", &program, &zone, &folder.path().join("zone.log"));
    children.push(started.map_err(|source| DemoError::Start { what: "the zone", source })?);
    announce(&pair);
    explain(args, &pair, &program, folder.path());
    Ok(folder)
}

/// The address, with a free port where none was given; an error when somebody listens there.
fn free(address: SocketAddr, option: &'static str) -> Result<SocketAddr, DemoError> {
    let bound = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    bound.map_err(|source| DemoError::Address { address, option, source })
}

/// The first line on standard output, for programs.
fn announce(pair: &Pair) {
    let line = Announcement {
        primary: &pair.primary,
        backup: &pair.backup,
        agent: Agent { enrolment: &pair.enrolment },
        admin: Admin { user: pair::ADMIN, password: &pair.password },
    };
    let mut out = io::stdout().lock();
    // Nobody may be reading; the demo goes on for those who only click.
    let _ = serde_json::to_writer(&mut out, &line)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush());
}

/// The same for people.
fn explain(args: &DemoArgs, pair: &Pair, program: &Path, folder: &Path) {
    let Pair { primary, backup, password, .. } = pair;
    let (program, config) = (program.display(), primary.config.display());
    say(&format!(
        "
UserLock: a Primary, a Backup and {machines} machines, a working day in {day} s.

  Primary   {primary_url}   process {primary_pid}
  Backup    {backup_url}   process {backup_pid}
  Sign in   {admin} / {password}

The certificates are self-signed, so the browser asks once for each address.
See the Backup take over:   kill -9 {primary_pid}
and the Primary come back:  {program} serve --config {config}
All of it is in {folder} and is made anew at each start. Ctrl-C ends it.
",
        machines = args.machines,
        day = args.day_seconds,
        primary_url = primary.url,
        primary_pid = primary.pid,
        backup_url = backup.url,
        backup_pid = backup.pid,
        admin = pair::ADMIN,
        folder = folder.display(),
    ));
}

/// Tells people; standard output is for programs.
fn say(text: &str) {
    // Nobody may be reading.
    let _ = writeln!(io::stderr(), "{text}");
}

/// The signals that end the demo.
struct Ends([Signal; 3]);

impl Ends {
    fn new() -> io::Result<Self> {
        let of = |kind| signal(kind);
        Ok(Self([of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}
