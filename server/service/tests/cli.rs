//! The program itself: set-up, tokens, status, and its refusals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

mod common;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use common::{PASSWORD, Server};
use serde_json::Value;
use tempfile::TempDir;

fn userlock(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_userlock"));
    command.current_dir(dir).args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("USERLOCK_")) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// What a command wrote to standard output.
fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command wrote to standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An address that is free now.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A directory with the file of a password.
fn place() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    dir
}

fn set_up_primary(dir: &Path) -> Value {
    let listen = free_address();
    let arguments = ["setup", "--role", "primary", "--dir", "data", "--listen", &listen, "--config-out", "p.toml"];
    let output = userlock(dir, &[&arguments[..], &["--admin-password-file", "password"]].concat());
    serde_json::from_str(told(&output).lines().last().unwrap()).unwrap()
}

/// A server that is killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn serve(dir: &Path, config: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_userlock"));
    let log = fs::File::create(dir.join("log")).unwrap();
    let child =
        command.current_dir(dir).args(["serve", "--config", config]).stderr(log).stdin(Stdio::null()).spawn().unwrap();
    let running = Running(child);
    let end = Instant::now() + Duration::from_secs(20);
    while !userlock(dir, &["status", "--config", config]).status.success() {
        assert!(Instant::now() < end, "{}", fs::read_to_string(dir.join("log")).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    running
}

#[test]
fn a_primary_is_set_up_once_with_its_secrets_private() {
    let place = place();
    let about = set_up_primary(place.path());
    assert!(about["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    assert_eq!(about["fingerprint"].as_str().unwrap().len(), 64);
    assert!(about["enrolment"].as_str().unwrap().starts_with("userlock1."));
    assert_eq!(about.get("admin"), None, "the password was given");
    let mode = |path: &str| fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/server.pem")), (0o700, 0o600));

    let again = ["setup", "--role", "primary", "--listen", "127.0.0.1:1", "--config-out"];
    let same_config = userlock(place.path(), &[&again[..], &["p.toml", "--dir", "other"]].concat());
    assert!(
        !same_config.status.success() && said(&same_config).contains("p.toml is there already"),
        "{}",
        said(&same_config)
    );
    assert!(!place.path().join("other").exists());
    let same_dir = userlock(place.path(), &[&again[..], &["q.toml", "--dir", "data"]].concat());
    assert!(
        !same_dir.status.success() && said(&same_dir).contains("has a server that is set up"),
        "{}",
        said(&same_dir)
    );
    assert!(!place.path().join("q.toml").exists());
}

#[test]
fn a_password_that_is_made_is_told_once() {
    let place = place();
    let arguments =
        ["setup", "--role", "primary", "--dir", "data", "--listen", "127.0.0.1:1", "--config-out", "p.toml"];
    let about: Value = serde_json::from_str(&told(&userlock(place.path(), &arguments))).unwrap();
    assert_eq!(about["admin"]["user"], "admin");
    assert!(about["admin"]["password"].as_str().unwrap().len() >= 20);
}

#[test]
fn what_cannot_be_set_up_leaves_nothing_behind() {
    let place = place();
    let refused = |more: &[&str], expected: &str| {
        let arguments = [&["setup", "--dir", "data", "--config-out", "p.toml"], more].concat();
        let output = userlock(place.path(), &arguments);
        assert!(!output.status.success() && said(&output).contains(expected), "{}", said(&output));
        assert!(!place.path().join("data").exists() && !place.path().join("p.toml").exists(), "{more:?}");
    };
    refused(&["--role", "primary", "--listen", "0.0.0.0:1", "--plain-http"], "--plain-http is for a loopback address");
    refused(&["--role", "primary", "--listen", "127.0.0.1:0"], "--listen needs a port");
    refused(&["--role", "primary", "--listen", "127.0.0.1:1", "--account", "x"], "are for --role backup");
    refused(&["--role", "backup", "--listen", "127.0.0.1:1"], "a Backup needs --primary");
    fs::write(place.path().join("short"), "abc\n").unwrap();
    let short = ["--role", "primary", "--listen", "127.0.0.1:1", "--admin-password-file", "short"];
    refused(&short, "must have 8 to 1024 characters");
}

#[test]
fn tokens_are_made_whether_the_server_runs_or_not() {
    let place = place();
    set_up_primary(place.path());
    let before = told(&userlock(place.path(), &["token", "--config", "p.toml", "--name", "before", "--out", "before"]));
    assert_eq!(before, "", "it went to the file");
    assert_eq!(fs::metadata(place.path().join("before")).unwrap().permissions().mode() & 0o777, 0o600);
    let _running = serve(place.path(), "p.toml");
    let made = ["token", "--config", "p.toml", "--name", "running", "--role", "read_only", "--out", "running"];
    told(&userlock(place.path(), &made));
    for file in ["before", "running"] {
        let status = userlock(place.path(), &["status", "--config", "p.toml", "--json", "--token-file", file]);
        let view: Value = serde_json::from_str(&told(&status)).unwrap();
        assert_eq!((&view["role"], &view["phase"]), (&"primary".into(), &"serving".into()));
    }
    let enrolment = told(&userlock(place.path(), &["enrolment", "--config", "p.toml"]));
    assert!(enrolment.starts_with("userlock1."));
    let wrong = userlock(place.path(), &["sync", "events", "--config", "p.toml"]);
    assert!(said(&wrong).contains("This server is the Primary"), "{}", said(&wrong));
    let twice = userlock(place.path(), &["serve", "--config", "p.toml"]);
    assert!(!twice.status.success(), "one server at a time has the data directory");
}

#[test]
fn a_wrong_configuration_stops_the_start_with_its_line() {
    let place = place();
    fs::write(place.path().join("bad.toml"), "listen = \"127.0.0.1:1\"\ndri = \"data\"\n").unwrap();
    let output = userlock(place.path(), &["serve", "--config", "bad.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("bad.toml, line 2: key `dri`: unknown field `dri`"), "{}", said(&output));
}

/// `userlock setup` of a Backup of this Primary.
async fn join(place: &Path, primary: &str, account: &str, more: &[&str]) -> Output {
    let listen = free_address();
    let arguments = ["setup", "--role", "backup", "--dir", "backup", "--listen", &listen, "--config-out", "b.toml"];
    let of = ["--primary", primary, "--account", account, "--password-file", "password"];
    let arguments: Vec<String> = [&arguments[..], &of[..], more].concat().into_iter().map(str::to_owned).collect();
    let place = place.to_owned();
    let run = move || userlock(&place, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn a_backup_joins_with_an_administrator_and_nobody_else() {
    let primary = Server::primary().await;
    let place = place();
    let nothing = || !place.path().join("backup").exists() && !place.path().join("b.toml").exists();
    for account in ["operator", "read_only"] {
        let refused = join(place.path(), &primary.url, account, &[]).await;
        assert!(!refused.status.success());
        let text = said(&refused);
        assert!(text.contains("is an administrator:") && text.contains(account) && nothing(), "{text}");
    }
    let unknown = join(place.path(), &primary.url, "nobody", &[]).await;
    assert!(said(&unknown).contains("authenticate:") && nothing(), "{}", said(&unknown));
    let closed = join(place.path(), "http://127.0.0.1:9", "administrator", &[]).await;
    assert!(said(&closed).contains("connect: 127.0.0.1:9") && nothing(), "{}", said(&closed));
    let nowhere = join(place.path(), "http://localhost.invalid:9", "administrator", &[]).await;
    assert!(said(&nowhere).contains("resolve: localhost.invalid") && nothing(), "{}", said(&nowhere));

    let joined = join(place.path(), &primary.url, "administrator", &[]).await;
    let about: Value = serde_json::from_str(&told(&joined)).unwrap();
    assert!(about["url"].as_str().unwrap().starts_with("https://"), "{about}");
    let text = said(&joined);
    assert!(text.contains("Sessions synchronization:") && text.contains("Events synchronization:"), "{text}");
    for file in fs::read_dir(place.path().join("backup")).unwrap() {
        let stored = fs::read(file.unwrap().path()).unwrap();
        let kept = stored.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
        assert!(!kept, "the password is not kept");
    }
    assert_eq!(primary.get("/api/v1/application-log?id=1103").await["total"], 1);

    let path = place.path().to_owned();
    let synchronized = tokio::task::spawn_blocking(move || {
        let _running = serve(&path, "b.toml");
        (
            told(&userlock(&path, &["sync", "sessions", "--preview", "--config", "b.toml"])),
            told(&userlock(&path, &["sync", "events", "--config", "b.toml"])),
            said(&userlock(&path, &["token", "--name", "x", "--config", "b.toml"])),
        )
    });
    let (preview, events, token) = synchronized.await.unwrap();
    assert!(preview.starts_with("0 would be added"), "{preview}");
    assert!(events.contains("events applied"), "{events}");
    assert!(token.contains("read_only_on_backup"), "{token}");
}

#[tokio::test]
async fn another_certificate_than_the_confirmed_one_is_refused() {
    let place = place();
    let path = place.path().to_owned();
    let about = tokio::task::spawn_blocking(move || {
        let about = set_up_primary(&path);
        (about, serve(&path, "p.toml"))
    });
    let (about, _running) = about.await.unwrap();
    let url = about["url"].as_str().unwrap();
    let refused = join(place.path(), url, "admin", &["--fingerprint", &"ab".repeat(32)]).await;
    assert!(said(&refused).contains("tls:") && !place.path().join("backup").exists(), "{}", said(&refused));
    let joined = join(place.path(), url, "admin", &["--fingerprint", about["fingerprint"].as_str().unwrap()]).await;
    told(&joined);
}

#[test]
fn an_address_that_this_server_does_not_have_is_refused() {
    let place = place();
    let listen = free_address();
    let with = |role: &str, more: &[&str]| {
        let arguments = ["setup", "--role", role, "--dir", "data", "--listen", &listen, "--config-out", "p.toml"];
        let output = userlock(place.path(), &[&arguments[..], more].concat());
        assert!(!output.status.success() && !place.path().join("p.toml").exists());
        said(&output)
    };
    let said = with("primary", &["--public-url", "http://primary.example:8443"]);
    assert!(said.contains("--public-url: The public address must begin with https://"), "{said}");
    let said = with("primary", &["--plain-http", "--public-url", "https://primary.example:8443"]);
    assert!(said.contains("--public-url: The public address must begin with http://"), "{said}");
    let fingerprint = "ab".repeat(32);
    let of_backup = ["--account", "admin", "--password-file", "password", "--fingerprint", &fingerprint];
    for primary in [listen.as_str(), "backup.example"] {
        let more = ["--primary", primary, "--public-url", "https://backup.example:8443"];
        let said = with("backup", &[&more[..], &of_backup].concat());
        assert!(said.contains("is this server itself"), "{said}");
    }
}
