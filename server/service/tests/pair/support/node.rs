//! One server: a process, its folder, and its interface for administrators.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use userlock_agent::client::{Server, client_for};
use userlock_core::agent_api::ServerAddress;

use super::until;

/// The longest that any call of a test may take.
const CALL: Duration = Duration::from_secs(30);

/// One server. Its process ends with it.
pub struct Node {
    role: &'static str,
    folder: PathBuf,
    pub address: ServerAddress,
    http: reqwest::Client,
    child: Option<Child>,
}

/// An answer of the interface for administrators.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub body: Value,
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }
}

/// A port that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Our program, with nothing of this environment that would change what it does.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_userlock"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("USERLOCK_")) {
        command.env_remove(name);
    }
    command.env("USERLOCK_LOG_JOURNALD", "off").env("USERLOCK_LOG_SYSLOG", "off").stdin(Stdio::null());
    command
}

/// Runs our program to its end. What it wrote to standard output.
pub fn run(args: &[&str]) -> Result<String, String> {
    let output = program().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{args:?}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)))
    }
}

impl Node {
    /// `userlock setup` in a new folder. The server is not started.
    ///
    /// # Errors
    /// What the program said.
    pub fn set_up(role: &'static str, folder: &Path, tls: bool, more: &[&str]) -> Result<(Self, Value), String> {
        std::fs::create_dir_all(folder).unwrap();
        let (data, config) = (folder.join("data"), folder.join("userlock.toml"));
        let listen = free_address().to_string();
        let mut args = vec!["setup", "--role", role, "--dir", data.to_str().unwrap(), "--listen", &listen];
        args.extend(["--config-out", config.to_str().unwrap()]);
        args.extend(["--plain-http"].iter().filter(|_| !tls));
        args.extend_from_slice(more);
        let said = run(&args)?;
        let told: Value =
            serde_json::from_str(said.lines().last().unwrap_or_default()).map_err(|e| format!("{e}: {said}"))?;
        let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
        let address = ServerAddress::new(text("url"), text("fingerprint"));
        let http = client_for(&address).unwrap();
        Ok((Self { role, folder: folder.to_owned(), address, http, child: None }, told))
    }

    /// Puts a certificate where its configuration, from its next start on, names it. The file of the key.
    pub fn use_files(&self, certificate: &str, key: &str) -> PathBuf {
        let files = [self.folder.join("given.pem"), self.folder.join("given.key")];
        std::fs::write(&files[0], certificate).unwrap();
        std::fs::write(&files[1], key).unwrap();
        let mut config = std::fs::read_to_string(self.config()).unwrap();
        if !config.contains("[tls]") {
            config.push_str(&format!("\n[tls]\ncert = {:?}\nkey = {:?}\n", files[0], files[1]));
            std::fs::write(self.config(), config).unwrap();
        }
        let [_, key] = files;
        key
    }

    /// Calls it from now on by another certificate.
    pub fn trust(&mut self, fingerprint: &str) {
        self.address = ServerAddress::new(self.address.url.clone(), fingerprint);
        self.http = client_for(&self.address).unwrap();
    }

    /// Where its state is.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("userlock.toml")
    }

    /// A client that trusts it alone.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What it has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// `userlock serve`. It may not answer yet when this returns.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "the {} runs already", self.role);
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = program();
        command.args(["serve", "--config"]).arg(self.folder.join("userlock.toml"));
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Waits until it answers.
    pub async fn answers(&self) {
        until(&format!("the {} answers", self.role), CALL, || async {
            let answer =
                self.http.get(format!("{}/healthz", self.address.url)).timeout(Duration::from_secs(2)).send().await;
            answer.map(|_| ()).map_err(|e| format!("{e}\n{}", self.said()))
        })
        .await;
    }

    /// Starts it and waits until it answers.
    pub async fn up(&mut self) {
        self.start();
        self.answers().await;
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Makes it hang: it neither answers nor closes its connections.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`Self::hang`].
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// What calls it.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.address.url
    }

    /// As an agent calls it.
    pub fn as_agents_see_it(&self) -> Server {
        Server::new(self.address.clone(), self.http.clone())
    }

    /// Calls it as the program on its own machine does: as an administrator.
    pub async fn call(&self, method: Method, path: &str, etag: Option<&str>, body: Option<&Value>) -> Answer {
        self.try_call(method, path, etag, body).await.unwrap_or_else(|e| panic!("{path}: {e}\n{}", self.said()))
    }

    /// The same, where it may not answer.
    ///
    /// # Errors
    /// Why it did not.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let token = std::fs::read_to_string(self.data().join("local-token")).map_err(|e| e.to_string())?;
        let mut request =
            self.http.request(method, format!("{}{path}", self.address.url)).timeout(CALL).bearer_auth(token.trim());
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| format!("{e:?}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let etag = headers.get("etag").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(|e| format!("{e:?}"))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, etag, body })
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None, None).await.expect(200)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, None, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None, None).await
    }

    /// Reads a section, changes it, and writes it back. The answer to the latter.
    pub async fn change(&self, path: &str, change: impl FnOnce(&mut Value)) -> Answer {
        let read = self.call(Method::GET, path, None, None).await;
        let etag = read.etag.clone();
        let mut body = read.expect(200);
        change(&mut body);
        self.call(Method::PUT, path, etag.as_deref(), Some(&body)).await
    }

    /// `GET /api/v1/server`.
    pub async fn view(&self) -> Value {
        self.get("/api/v1/server").await
    }

    /// Every item of a list that is told in pages.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=500{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// The events of the application log with this id, the newest first.
    pub async fn logged(&self, id: u32) -> Vec<Value> {
        self.get(&format!("/api/v1/application-log?id={id}")).await["items"].as_array().unwrap().clone()
    }

    /// Waits until the application log has an event with this id that was not among `before`.
    pub async fn logs(&self, id: u32, before: usize, at_most: Duration) -> Value {
        let what = format!("the {} logs {id}", self.role);
        until(&what, at_most, || async {
            let found = self.logged(id).await;
            if found.len() > before { Ok(found[0].clone()) } else { Err(format!("{} of them", found.len())) }
        })
        .await
    }

    /// Starts a synchronization and waits for its result.
    pub async fn synchronize(&self, kind: &str) -> Value {
        self.post(&format!("/api/v1/synchronization/{kind}?wait=25"), &json!({})).await.expect(200)
    }

    /// Changes the schedule of a Backup.
    pub async fn schedule(&self, interval_seconds: u32, continuous: bool) {
        let changed = self.change("/api/v1/settings/synchronization", |section| {
            section["interval_seconds"] = interval_seconds.into();
            section["continuous"] = continuous.into();
        });
        changed.await.expect(200);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
