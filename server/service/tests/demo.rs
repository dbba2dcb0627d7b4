//! The demo as a user runs it: it announces itself, people log on, it survives a killed server, and it leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold here is what the test finds"
)]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use userlock_agent::client::client_for;
use userlock_core::agent_api::ServerAddress;

const PATIENCE: Duration = Duration::from_secs(60);

struct Demo {
    process: Child,
    told: Value,
}

impl Demo {
    fn start(dir: &Path) -> Self {
        let any = "127.0.0.1:0";
        let mut process = Command::new(env!("CARGO_BIN_EXE_userlock"))
            .args([
                "demo",
                "--primary-addr",
                any,
                "--backup-addr",
                any,
                "--machines",
                "12",
                "--day-seconds",
                "60",
                "--dir",
            ])
            .arg(dir)
            // It is for one server's configuration, and must not reach either.
            .env("USERLOCK_LISTEN", "127.0.0.1:1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        Self { process, told: serde_json::from_str(&first).expect("the first line is JSON") }
    }

    fn pid(&self, role: &str) -> Pid {
        Pid::from_raw(i32::try_from(self.told[role]["pid"].as_i64().unwrap()).unwrap()).unwrap()
    }

    async fn get(&self, role: &str, path: &str) -> Option<Value> {
        let text = |name: &str| self.told[role][name].as_str().unwrap().to_owned();
        let address = ServerAddress::new(text("url"), text("fingerprint"));
        let request = client_for(&address).unwrap().get(format!("{}{path}", address.url)).bearer_auth(text("token"));
        let answer = request.timeout(Duration::from_secs(5)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// Waits until `is` holds of what `path` gives.
    async fn until(&self, role: &str, path: &str, is: impl Fn(&Value) -> bool) {
        let begin = Instant::now();
        let mut last = None;
        while begin.elapsed() < PATIENCE {
            last = self.get(role, path).await;
            if last.as_ref().is_some_and(&is) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{role}{path}: {last:?}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

fn gone(pids: &[Pid]) {
    let begin = Instant::now();
    while pids.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        assert!(begin.elapsed() < PATIENCE, "a process of the demo is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn people_log_on_at_both_servers_also_when_the_primary_is_killed_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo");
    let mut demo = Demo::start(&folder);
    let sessions = |value: &Value| value["items"].as_array().map_or(0, Vec::len);
    for role in ["primary", "backup"] {
        demo.until(role, "/api/v1/sessions", |page| sessions(page) > 3).await;
        demo.until(role, "/api/v1/protected-accounts", |page| page.to_string().contains("svc-backup")).await;
        assert!(Path::new(demo.told[role]["config"].as_str().unwrap()).is_file());
        assert!(Path::new(demo.told[role]["data_dir"].as_str().unwrap()).is_dir());
    }
    assert!(demo.told["agent"]["enrolment"].as_str().unwrap().starts_with("userlock1."));
    assert_eq!(demo.told["admin"]["user"], "admin");

    // Another demo in the same folder must not touch it.
    let second = Command::new(env!("CARGO_BIN_EXE_userlock"))
        .args(["demo", "--primary-addr", "127.0.0.1:0", "--backup-addr", "127.0.0.1:0", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(
        !second.status.success()
            && String::from_utf8_lossy(&second.stderr).contains("a demo or one of its servers runs in")
    );

    kill_process(demo.pid("primary"), Signal::KILL).unwrap();
    demo.until("backup", "/api/v1/server", |view| view["peer"]["state"] == "down").await;
    let position = |view: &Value| view["position"].as_u64();
    let before = demo.get("backup", "/api/v1/server").await.as_ref().and_then(position);
    demo.until("backup", "/api/v1/server", |view| position(view) > before).await;
    assert!(demo.get("primary", "/api/v1/server").await.is_none(), "a killed server stays dead");

    demo.signal(Signal::INT);
    assert!(demo.process.wait().unwrap().success(), "Ctrl-C is a good end");
    gone(&[demo.pid("backup"), demo.pid("primary")]);
}

#[tokio::test]
async fn a_killed_demo_takes_its_servers_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(&dir.path().join("demo"));
    demo.process.kill().unwrap();
    demo.process.wait().unwrap();
    gone(&[demo.pid("primary"), demo.pid("backup")]);
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis"), "x").unwrap();
    let any = "127.0.0.1:0";
    let output = Command::new(env!("CARGO_BIN_EXE_userlock"))
        .args(["demo", "--primary-addr", any, "--backup-addr", any, "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not the folder of a demo"));
    assert!(dir.path().join("thesis").is_file());
}
