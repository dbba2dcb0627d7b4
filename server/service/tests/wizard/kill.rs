//! The program itself, killed in the middle of the last step.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Bytes, extract::State, http::request::Parts, response::IntoResponse as _};
use reqwest::StatusCode;

use crate::{
    account, backup,
    common::{self, PASSWORD, Server},
    empty::{Empty, location},
};

/// A process that is killed with the test.
struct Running(Child);

impl Running {
    fn start(dir: &Path, log: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userlock"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("USERLOCK_")) {
            command.env_remove(name);
        }
        let log = fs::File::create(dir.join(log)).unwrap();
        let serve = command.current_dir(dir).args(["serve", "--config", "userlock.toml"]);
        Self(serve.stdin(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The one-time code that a process has told.
async fn code(log: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        if let Some(code) = said.lines().find_map(|line| line.trim().strip_prefix("one-time code")) {
            return code.trim().to_owned();
        }
        assert!(Instant::now() < end, "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The way to a Primary, on which no snapshot comes through while it is closed.
#[derive(Clone)]
struct Gate {
    to: String,
    closed: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

impl Gate {
    /// Its address, and itself.
    async fn before(primary: &Server) -> (String, Self) {
        let (closed, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let gate = Self { to: primary.url.clone(), closed, asked };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(pass).with_state(gate.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, gate)
    }
}

async fn pass(State(gate): State<Gate>, parts: Parts, body: Bytes) -> axum::response::Response {
    if parts.uri.path().ends_with("/snapshot") {
        gate.asked.store(true, Ordering::SeqCst);
        if gate.closed.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
    let url = format!("{}{}", gate.to, parts.uri);
    let mut headers = parts.headers;
    headers.remove("host");
    let answer = common::client().request(parts.method, url).headers(headers).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = (status, answer.bytes().await.unwrap()).into_response();
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str() != "transfer-encoding") {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_the_last_step_it_says_where_and_goes_on() {
    let primary = Server::primary().await;
    let (way, gate) = Gate::before(&primary).await;
    let dir = tempfile::tempdir().unwrap();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "listen = \"{listen}\"\ndir = \"data\"\nplain_http = true\n[log]\njournald = \"off\"\nsyslog = \"off\"\n"
    );
    fs::write(dir.path().join("userlock.toml"), config).unwrap();
    let mut process = Running::start(dir.path(), "first");
    let server = Empty::of(format!("http://{listen}"), code(&dir.path().join("first")).await);
    let cookie = server.open().await;
    let names = [("name", "srv-b"), ("public_url", server.url.as_str())];
    server.passed("/wizard/server-type", &cookie, &backup(&way), "/wizard/zone").await;
    server.passed("/wizard/zone", &cookie, &names, "/wizard/account").await;
    server.passed("/wizard/account", &cookie, &account("administrator", PASSWORD), "/wizard/finish").await;
    server.passed("/wizard/finish", &cookie, &[], "/wizard/finish").await;
    let end = Instant::now() + Duration::from_secs(20);
    while !gate.asked.load(Ordering::SeqCst) {
        assert!(Instant::now() < end, "no snapshot was asked for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.kill();
    let draft = dir.path().join("data/draft.json");
    let kept = fs::read_to_string(&draft).unwrap();
    let secrets = [PASSWORD, "ulb_", &server.code, &server.code.replace('-', "")];
    assert!(kept.contains(&way) && secrets.iter().all(|secret| !kept.contains(secret)), "{kept}");
    assert_eq!(fs::metadata(&draft).unwrap().permissions().mode() & 0o777, 0o600);

    gate.closed.store(false, Ordering::SeqCst);
    let _process = Running::start(dir.path(), "second");
    let server = Empty::of(server.url.clone(), code(&dir.path().join("second")).await);
    let cookie = server.open_at("/wizard/account").await;
    let page = server.get("/wizard/account", &cookie).await.text().await.unwrap();
    assert!(page.contains("data-code=\"interrupted\"") && page.contains("Synchronize sessions"), "{page}");
    assert!(page.contains("value=\"administrator\""), "{page}");
    let page = server.get("/wizard/server-type", &cookie).await.text().await.unwrap();
    assert!(page.contains(&way), "{page}");
    let ahead = server.get("/wizard/finish", &cookie).await;
    assert_eq!((ahead.status(), location(&ahead)), (StatusCode::SEE_OTHER, "/wizard/account".to_owned()));
    server.refused("/wizard/account", &cookie, &account("administrator", ""), "password_missing").await;
    server.passed("/wizard/account", &cookie, &account("administrator", PASSWORD), "/wizard/finish").await;
    let page = server.get("/wizard/finish", &cookie).await.text().await.unwrap();
    assert!(page.contains("Not finished") && page.contains("it stopped here"), "{page}");
    assert!(page.contains("data-code=\"interrupted\"") && page.contains("Try again"), "{page}");
    server.passed("/wizard/finish", &cookie, &[("go", "on")], "/wizard/finish").await;
    server.says("/wizard/finish", &cookie, "Start the server and sign in").await;
    assert!(!draft.exists() && !dir.path().join("data/unfinished.json").exists());
    assert_eq!(location(&server.get("/sign-in", &cookie).await), "/sign-in");
    server.says("/readyz", "", "\"ready\":true").await;
    assert_eq!(primary.get("/api/v1/server").await["peer"]["name"], "srv-b");
}
