//! The pair of a demo, set up with the commands that an administrator would use.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use userlock_agent::{
    client::{AddressError, CallError, Clients, client_for},
    files::{Durability, FileError, make_private_dir, replace},
};
use userlock_core::agent_api::{Enrolment, InvalidEnrolment, ServerAddress};

use super::children::{self, Child};
use crate::random::{self, NoRandomness};

/// The account that signs in.
pub const ADMIN: &str = "admin";
/// How long a server may take until it is ready, or knows what the other one does.
const START_PATIENCE: Duration = Duration::from_secs(30);
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// No password or name could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A command of this program failed.
    #[error("{what} failed: {why}")]
    Command {
        /// Which.
        what: String,
        /// Why, in its own words.
        why: String,
    },
    /// A server ended, or is not ready in time.
    #[error("the {role} is not ready: {why}; see {}", log.display())]
    NotReady {
        /// Which.
        role: &'static str,
        /// Why.
        why: String,
        /// What it said.
        log: PathBuf,
    },
    /// What set-up told is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// What set-up told is no enrolment.
    #[error(transparent)]
    Enrolment(#[from] InvalidEnrolment),
}

/// A server of the demo. It is shown with its token: it is the demo's.
#[derive(Serialize)]
pub struct Running {
    /// Where it is.
    pub url: String,
    /// Its process.
    pub pid: u32,
    /// Where its state is.
    pub data_dir: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// An administrator's API token.
    pub token: String,
    /// The SHA-256 of its certificate.
    pub fingerprint: String,
}

impl Running {
    /// How it is reached and known.
    #[must_use]
    pub fn address(&self) -> ServerAddress {
        ServerAddress::new(self.url.clone(), self.fingerprint.clone())
    }
}

/// Both servers.
pub struct Pair {
    /// The Primary.
    pub primary: Running,
    /// The Backup.
    pub backup: Running,
    /// How machines are enrolled, with both addresses.
    pub enrolment: String,
    /// The password of [`ADMIN`].
    pub password: String,
}

/// The last line that `userlock setup` writes to standard output.
#[derive(Deserialize)]
struct Told {
    url: String,
    fingerprint: String,
    #[serde(default)]
    enrolment: Option<String>,
}

/// One server on its way.
struct Server<'a> {
    role: &'static str,
    program: &'a Path,
    folder: PathBuf,
    listen: SocketAddr,
}

impl Pair {
    /// Sets up both servers in `folder` and starts them. What was started is in `children`, also when it fails.
    ///
    /// # Errors
    /// [`PairError`].
    pub async fn start(
        program: &Path,
        folder: &Path,
        (primary_addr, backup_addr): (SocketAddr, SocketAddr),
        children: &mut Vec<Child>,
    ) -> Result<Self, PairError> {
        let password = random::password()?;
        let password_file = folder.join("admin-password");
        replace(&password_file, format!("{password}\n").as_bytes(), Durability::Process)?;
        let file = || password_file.clone().into_os_string();

        let server = |role, listen| Server { role, program, folder: folder.join(role), listen };
        let primary = server("primary", primary_addr);
        let told = primary.set_up(&["--zone".into(), "demo".into(), "--admin-password-file".into(), file()]).await?;
        let primary_pid = primary.start(&told, children).await?;
        let token = primary.token(&folder.join("token")).await?;

        let backup = server("backup", backup_addr);
        let joins = ["--primary", &told.url, "--account", ADMIN, "--fingerprint", &told.fingerprint, "--password-file"];
        let joins: Vec<OsString> = joins.into_iter().map(OsString::from).chain([file()]).collect();
        let told_backup = backup.set_up(&joins).await?;
        let backup_pid = backup.start(&told_backup, children).await?;
        backup.knows(&told_backup, &token).await?;

        let mut enrolment = Enrolment::from_text(told.enrolment.as_deref().unwrap_or_default())?;
        enrolment.servers = vec![told.address(), told_backup.address()];
        Ok(Self {
            primary: primary.running(told, primary_pid, &token),
            backup: backup.running(told_backup, backup_pid, &token),
            enrolment: enrolment.to_text(),
            password,
        })
    }
}

impl Told {
    fn address(&self) -> ServerAddress {
        ServerAddress::new(self.url.clone(), self.fingerprint.clone())
    }
}

impl Server<'_> {
    fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("userlock.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    fn running(&self, told: Told, pid: u32, token: &str) -> Running {
        Running {
            url: told.url,
            pid,
            data_dir: self.data_dir(),
            config: self.config(),
            token: token.to_owned(),
            fingerprint: told.fingerprint,
        }
    }

    fn not_ready(&self, why: impl ToString) -> PairError {
        PairError::NotReady { role: self.role, why: why.to_string(), log: self.log() }
    }

    /// `userlock setup`.
    async fn set_up(&self, more: &[OsString]) -> Result<Told, PairError> {
        make_private_dir(&self.folder)?;
        let mut args: Vec<OsString> = vec!["setup".into(), "--role".into(), self.role.into()];
        args.extend(["--dir".into(), self.data_dir().into()]);
        args.extend(["--listen".into(), self.listen.to_string().into()]);
        args.extend(["--config-out".into(), self.config().into()]);
        args.extend(["--name".into(), format!("demo-{}", self.role).into()]);
        args.extend_from_slice(more);
        let failed = |why: String| PairError::Command { what: format!("the set-up of the {}", self.role), why };
        let said = children::run(self.program, &args).await.map_err(failed)?;
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|error| failed(format!("its last line is not what it should be: {error}")))
    }

    /// `userlock serve`, until it is ready.
    async fn start(&self, told: &Told, children: &mut Vec<Child>) -> Result<u32, PairError> {
        let args = ["serve".into(), "--config".into(), self.config().into()];
        let name = if self.role == "primary" { "Primary" } else { "Backup" };
        let child = children::start(name, self.program, &args, &self.log()).map_err(|e| self.not_ready(e))?;
        let pid = child.pid;
        children.push(child);
        let server = Clients::default().server(&told.address())?;
        let end = Instant::now() + START_PATIENCE;
        loop {
            let error = match server.ready(CALL_TIMEOUT).await {
                Ok(()) => return Ok(pid),
                Err(error) => error,
            };
            if let Some(how) = children.last_mut().and_then(Child::ended) {
                return Err(self.not_ready(format!("it has ended: {how}")));
            }
            if Instant::now() > end {
                return Err(self.not_ready(error));
            }
            sleep(POLL).await;
        }
    }

    /// `userlock token`: an API token, by way of a file.
    async fn token(&self, out: &Path) -> Result<String, PairError> {
        let mut args: Vec<OsString> = vec!["token".into(), "--config".into(), self.config().into()];
        args.extend(["--name".into(), "demo".into(), "--out".into(), out.into()]);
        let failed = |why: String| PairError::Command { what: "making an API token".to_owned(), why };
        children::run(self.program, &args).await.map_err(failed)?;
        let token = std::fs::read_to_string(out).map_err(FileError::new("read", out))?;
        Ok(token.trim().to_owned())
    }

    /// Waits until this server knows a token that was made at the other one.
    async fn knows(&self, told: &Told, token: &str) -> Result<(), PairError> {
        let http = client_for(&told.address())?;
        let url = format!("{}/api/v1/server", told.url);
        let end = Instant::now() + START_PATIENCE;
        loop {
            let why = match http.get(&url).bearer_auth(token).timeout(CALL_TIMEOUT).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("it does not know the Primary's token: {}", answer.status()),
                Err(error) => CallError::Unreachable(error.without_url().to_string()).to_string(),
            };
            if Instant::now() > end {
                return Err(self.not_ready(why));
            }
            sleep(POLL).await;
        }
    }
}
