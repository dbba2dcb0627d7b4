//! The section `email`, and its test message by a real mail server with TLS and an account.

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
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use common::{
    Server, client,
    mail::{MailServer, PASSWORD, USER, certificates},
    problem, token,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use userlock_core::{
    api::ServerRole,
    id::{ServerId, ZoneId},
    settings::Role,
};

const EMAIL: &str = "/api/v1/settings/email";
const TEST: &str = "/api/v1/settings/email/test";

/// A server as a program of its own, which trusts the authority of a test.
struct Program {
    url: String,
    child: Child,
    dir: TempDir,
}

impl Program {
    async fn start(authority: &Path) -> Self {
        let dir = Server::prepare(ServerRole::Backup, ZoneId([8; 16]), ServerId([6; 16]), |_| {}).await;
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!("listen = \"{listen}\"\ndir = {:?}\nname = \"spare\"\nplain_http = true\n", dir.path());
        let file = dir.path().join("userlock.toml");
        fs::write(&file, config).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_userlock"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("SSL_CERT_FILE", authority)
            .env("USERLOCK_LOG_FILTER", "trace")
            .env("USERLOCK_LOG_JOURNALD", "off")
            .env("USERLOCK_LOG_SYSLOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let program = Self { url: format!("http://{listen}"), child, dir };
        let end = Instant::now() + Duration::from_secs(20);
        while client().get(format!("{}/healthz", program.url)).send().await.is_err() {
            assert!(Instant::now() < end, "{}", program.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        program
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    async fn post(&self, body: &Value) -> reqwest::Response {
        let token = token(Role::Administrator);
        client().post(format!("{}{TEST}", self.url)).bearer_auth(token).json(body).send().await.unwrap()
    }

    /// The report of a test with these settings: whether all passed, and which check failed with what text.
    async fn test(&self, settings: Value, to: &str) -> (Vec<(String, Option<bool>)>, String) {
        let response = self.post(&json!({ "to": to, "settings": settings })).await;
        assert_eq!(response.status(), StatusCode::OK);
        let report: Value = response.json().await.unwrap();
        let checks = report["checks"].as_array().unwrap();
        let failed = checks.iter().find(|check| check["ok"] == false);
        assert_eq!(report["ok"].as_bool().unwrap(), failed.is_none(), "{report}");
        let named = checks.iter().map(|check| (check["name"].as_str().unwrap().to_owned(), check["ok"].as_bool()));
        (named.collect(), failed.map(|check| check["detail"].as_str().unwrap().to_owned()).unwrap_or_default())
    }

    /// The name of the check that fails, and its text; those before it passed, those behind it were not made.
    async fn fails(&self, settings: Value, to: &str) -> (String, String) {
        let (checks, detail) = self.test(settings, to).await;
        let at = checks.iter().position(|(_, ok)| *ok == Some(false)).unwrap_or_else(|| panic!("{checks:?}"));
        assert!(checks[..at].iter().all(|(_, ok)| *ok == Some(true)), "{checks:?}");
        assert!(checks[at + 1..].iter().all(|(_, ok)| ok.is_none()), "{checks:?}");
        (checks[at].0.clone(), detail)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn settings(port: u16, tls: &str) -> Value {
    json!({
        "server": "localhost", "port": port, "tls": tls, "from": "UserLock <userlock@example.com>",
        "user": USER, "password": PASSWORD,
    })
}

fn with(mut settings: Value, field: &str, value: impl Into<Value>) -> Value {
    settings[field] = value.into();
    settings
}

#[tokio::test]
async fn a_test_message_arrives_by_each_way_and_each_failure_has_its_step() {
    let place = tempfile::tempdir().unwrap();
    let [authority, ..] = certificates(place.path());
    let program = Program::start(&authority).await;
    for mode in ["starttls", "tls"] {
        let mail = MailServer::start(place.path(), mode);
        let good = settings(mail.port, mode);
        let (checks, detail) = program.test(good.clone(), "Ops <ops@example.com>").await;
        let names: Vec<_> = checks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["resolve", "connect", "tls", "authenticate", "accepted"]);
        assert_eq!(detail, "", "{mode}");
        let taken = mail.messages();
        assert_eq!(taken.len(), 1, "{mode}");
        let message = &taken[0];
        assert_eq!(message["to"], json!(["ops@example.com"]));
        assert_eq!((&message["tls"], &message["authenticated"]), (&json!(true), &json!(true)), "{mode}");
        assert!(message["text"].as_str().unwrap().contains("the Backup server spare"), "{message}");

        let (step, text) = program.fails(with(good.clone(), "password", "wrong-pass"), "ops@example.com").await;
        assert_eq!(step, "authenticate", "{text}");
        assert!(text.contains("535") || text.contains("redentials"), "{text}");
        let (step, text) = program.fails(good.clone(), "nobody@example.com").await;
        assert_eq!(step, "accepted", "{text}");
        assert!(text.contains("there is no nobody here"), "{text}");
        // The certificate is of another name, from an authority that is trusted.
        let (step, text) = program.fails(with(good.clone(), "server", "127.0.0.2"), "ops@example.com").await;
        assert!(["tls", "connect"].contains(&step.as_str()), "{text}");
        assert_eq!(mail.messages().len(), 1, "{mode}");
    }
    let plain = MailServer::start(place.path(), "none");
    let open = with(with(settings(plain.port, "none"), "user", ""), "password", "");
    assert_eq!(program.test(open.clone(), "ops@example.com").await.1, "");
    assert_eq!(plain.messages().len(), 1);
    let (step, text) = program.fails(settings(plain.port, "starttls"), "ops@example.com").await;
    assert_eq!(step, "tls", "{text}");
    let (step, text) = program.fails(settings(plain.port, "none"), "ops@example.com").await;
    assert_eq!(step, "authenticate", "an account where none is asked for: {text}");
    let (step, text) = program.fails(settings(plain.port, "tls"), "ops@example.com").await;
    assert_eq!(step, "tls", "{text}");
    let (step, _) = program.fails(with(open.clone(), "server", "no-such-host.invalid"), "ops@example.com").await;
    assert_eq!(step, "resolve");
    let (step, _) = program.fails(with(open.clone(), "port", 9), "ops@example.com").await;
    assert_eq!(step, "connect");
    assert_eq!(plain.messages().len(), 1);
    let log = program.log();
    // The last is the account with its password, as it is sent.
    for secret in [PASSWORD, "wrong-pass", "AHVzZXJsb2NrQGV4YW1wbGUuY29tAGNvcnJlY3QtaG9yc2UtNw=="] {
        assert!(!log.contains(secret), "the log has a password");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_and_a_silent_port_are_told() {
    let place = tempfile::tempdir().unwrap();
    certificates(place.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let [another, ..] = certificates(elsewhere.path());
    let program = Program::start(&another).await;
    for mode in ["starttls", "tls"] {
        let mail = MailServer::start(place.path(), mode);
        let (step, text) = program.fails(settings(mail.port, mode), "ops@example.com").await;
        assert_eq!(step, "tls", "{text}");
        assert!(text.contains("authority"), "{text}");
        assert!(mail.messages().is_empty());
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let began = Instant::now();
    let (step, text) = program.fails(settings(port, "starttls"), "ops@example.com").await;
    assert_eq!(step, "connect", "{text}");
    assert!(text.contains("465"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_test_that_cannot_be_is_refused_by_name() {
    let server = Server::primary().await;
    let post = async |body: Value| {
        let response = server.admin(reqwest::Method::POST, TEST).json(&body).send().await.unwrap();
        problem(response).await
    };
    assert_eq!(post(json!({ "to": "ops@example.com" })).await.1, "email_not_set");
    let field = async |body: Value| {
        let (status, _, field) = post(body).await;
        assert_eq!(status, 422);
        field.unwrap()
    };
    assert_eq!(field(json!({})).await, "to");
    assert_eq!(field(json!({ "to": "nonsense" })).await, "to");
    assert_eq!(field(json!({ "to": "a@example.com\r\nBcc: b@example.com" })).await, "to");
    let good = settings(25, "none");
    let of = |name: &str, value: Value| json!({ "to": "a@example.com", "settings": with(good.clone(), name, value) });
    assert_eq!(field(of("from", json!("nonsense"))).await, "settings.from");
    assert_eq!(field(of("server", json!("a b"))).await, "settings.server");
    assert_eq!(field(of("port", json!(0))).await, "settings.port");
    assert_eq!(field(of("port", json!(70_000))).await, "settings.port");
    assert_eq!(field(of("tls", json!("ssl"))).await, "settings.tls");
    assert_eq!(field(of("user", json!(""))).await, "settings.user");
    assert_eq!(field(of("password", json!(7))).await, "settings.password");
    assert_eq!(field(of("nonsense", json!(7))).await, "settings.nonsense");
    assert_eq!(server.get(EMAIL).await["server"], "", "nothing was kept");
}
