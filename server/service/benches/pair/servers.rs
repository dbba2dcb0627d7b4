//! Real servers as processes of their own, set up as an administrator does it.

use std::{
    fs::{self, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::sleep;
use userlock_core::{agent_api::Enrolment, api::ServerView};

use crate::failure::{During as _, Failure, Result};

const PASSWORD: &str = "only-for-measuring-1";
const PATIENCE: Duration = Duration::from_secs(180);

/// A server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    program: PathBuf,
    folder: PathBuf,
    told: Told,
    /// An administrator's token.
    pub token: String,
    process: Option<Child>,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Told {
    url: String,
    #[serde(default)]
    fingerprint: String,
    #[serde(default)]
    enrolment: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Sets up a Primary and starts it.
    pub async fn primary(program: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let password = folder.join("password");
        fs::write(&password, PASSWORD)?;
        let mut server = Self::set_up(program, folder, "primary", &["--admin-password-file", &text(&password)]).await?;
        server.start().await?;
        let out = folder.join("token");
        run(program, &["token", "--config", &text(&server.config()), "--name", "bench", "--out", &text(&out)])?;
        fs::read_to_string(&out)?.trim().clone_into(&mut server.token);
        Ok(server)
    }

    /// Sets up a Backup of it and starts it. It does nothing by itself but the heartbeat: no continuous mode, and a day
    /// between two scheduled runs.
    pub async fn backup_of(primary: &Self, folder: &Path) -> Result<Self> {
        let password = text(&primary.folder.join("password"));
        let mut more = vec!["--primary", &primary.told.url, "--account", "admin", "--password-file", &password];
        if !primary.told.fingerprint.is_empty() {
            more.extend(["--fingerprint", &primary.told.fingerprint]);
        }
        let mut server = Self::set_up(&primary.program, folder, "backup", &more).await?;
        server.token.clone_from(&primary.token);
        server.start().await?;
        server.change("settings/synchronization", json!({ "continuous": false, "interval_seconds": 86_400 })).await?;
        Ok(server)
    }

    async fn set_up(program: &Path, folder: &Path, role: &str, more: &[&str]) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.join("userlock.toml");
        let (data, listen) = (text(&folder.join("data")), address.to_string());
        let config_out = text(&config);
        let args =
            ["setup", "--role", role, "--dir", &data, "--listen", &listen, "--config-out", &config_out, "--plain-http"];
        let said = run(program, &[&args, more].concat())?;
        let told: Told = serde_json::from_str(said.lines().last().unwrap_or_default()).during("what set-up told")?;
        let http = userlock_agent::client::http_client(None)?;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Ok(Self { address, program, folder, told, token: String::new(), process: None, http })
    }

    fn config(&self) -> PathBuf {
        self.folder.join("userlock.toml")
    }

    /// The zone key.
    pub fn key(&self) -> Result<String> {
        let text = self.told.enrolment.as_deref().ok_or_else(|| Failure::new("set-up told no enrolment"))?;
        Ok(Enrolment::from_text(text)?.key)
    }

    /// The enrolment string.
    pub fn enrolment(&self) -> &str {
        self.told.enrolment.as_deref().unwrap_or_default()
    }

    /// Starts it; the time until it is ready.
    pub async fn start(&mut self) -> Result<Duration> {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let begin = Instant::now();
        let config = self.config();
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // What is written about each request would be measured too.
        command.env("USERLOCK_LOG_FILTER", "warn");
        self.process = Some(command.spawn().during("starting a server")?);
        loop {
            let answer = self.http.get(self.url("/readyz")).timeout(Duration::from_secs(5)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(begin.elapsed());
            }
            if self.process.as_mut().is_some_and(|p| !matches!(p.try_wait(), Ok(None))) || begin.elapsed() > PATIENCE {
                return Err(Failure::new(format!(
                    "a server does not get ready, see {}",
                    self.folder.join("log").display()
                )));
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends it in good order.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
            pid.map(|pid| kill_process(pid, Signal::TERM)).transpose()?;
            let begin = Instant::now();
            while process.try_wait()?.is_none() {
                if begin.elapsed() > PATIENCE {
                    process.kill()?;
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Its resident memory, in MB (10⁶ bytes).
    pub fn resident_mb(&self) -> Result<f64> {
        resident_mb(self.process.as_ref().map(Child::id).ok_or_else(|| Failure::new("it does not run"))?)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `GET /api/v1/…`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer =
            self.http.get(self.url(&format!("/api/v1/{path}"))).bearer_auth(&self.token).timeout(PATIENCE).send();
        read(answer.await?).await.during(path)
    }

    /// `POST /api/v1/…`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        let url = self.url(&format!("/api/v1/{path}"));
        let answer = self.http.post(url).bearer_auth(&self.token).json(body).timeout(PATIENCE).send();
        read(answer.await?).await.during(path)
    }

    /// Reads a section and writes it back with other fields.
    pub async fn change(&self, path: &str, fields: Value) -> Result<()> {
        let url = self.url(&format!("/api/v1/{path}"));
        let answer = self.http.get(&url).bearer_auth(&self.token).timeout(PATIENCE).send().await?;
        let tag = answer.headers().get("etag").cloned().ok_or_else(|| Failure::new("a section without an ETag"))?;
        let mut body: Value = read(answer).await.during(path)?;
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        let put = self.http.put(&url).bearer_auth(&self.token).header("If-Match", tag).json(&body).timeout(PATIENCE);
        read::<Value>(put.send().await?).await.during(path).map(|_| ())
    }

    /// What it says of itself.
    pub async fn view(&self) -> Result<ServerView> {
        self.get("server").await
    }
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T> {
    let status = answer.status();
    let body = answer.bytes().await?;
    if !status.is_success() {
        return Err(Failure::new(format!(
            "{status}: {}",
            String::from_utf8_lossy(&body).chars().take(400).collect::<String>()
        )));
    }
    serde_json::from_slice(if body.is_empty() { b"null" } else { &body }).during("an answer")
}

/// The resident memory of a process, in MB (10⁶ bytes).
#[expect(clippy::cast_precision_loss, reason = "kilobytes of memory fit")]
pub fn resident_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().during("VmRSS")?;
    Ok(kib as f64 * 1024.0 / 1e6)
}

/// Runs a command of the program to its end; what it said.
pub fn run(program: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().during(&text(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::new(format!("{} {}: {}: {said}", text(program), args.first().unwrap_or(&""), output.status)))
}

/// A path as text, as the programs are given it.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
