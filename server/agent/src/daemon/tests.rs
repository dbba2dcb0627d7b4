//! The daemon and the hook against servers of the test, with processes that stand for programs that call PAM.

use std::{
    process::{Child, Command, Stdio},
    time::Instant,
};

use userlock_core::{
    agent_api::{Enrolment, TimedCommand},
    event::{self, CommandAction, LogonId, SessionKey, kind},
    id::{CommandId, DecisionId, Epoch},
    settings::OfflinePolicy,
};

use super::*;
use crate::{
    fake::{Fake, MACHINE, Mood},
    hook::{Answer, IGNORED_SERVICES, Note, OwnAnswer, PamCall, Phase, Request},
    pam::{self, Outcome},
    reporter::Status,
    system::{Process, random_id},
};

/// A program that calls PAM.
struct Program(Child);

impl Program {
    fn start() -> Self {
        Self(Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap())
    }

    fn process(&self) -> Process {
        Process::with_pid(self.0.id()).unwrap()
    }

    fn logon(&self) -> LogonId {
        self.process().logon_id().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn call(phase: Phase, user: &str, service: &str, program: &Program) -> PamCall {
    PamCall {
        phase,
        decision_id: DecisionId(random_id().unwrap()),
        user: user.into(),
        rhost: "10.0.0.9".into(),
        tty: "ssh".into(),
        service: service.into(),
        opener: program.process(),
    }
}

struct Setup {
    dir: tempfile::TempDir,
    one: Fake,
}

impl Setup {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let one = Fake::start();
        let enrolment = Enrolment { servers: vec![one.address.clone()], key: "the zone key".into() };
        enrol::enrol(enrolment, MACHINE, &dir.path().join("state")).await.unwrap();
        Self { dir, one }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("run/agent.sock")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Starts the daemon; dropping what it gives ends it as `kill -9` does.
    async fn daemon(&self) -> tokio::task::JoinSet<()> {
        let ignored_services = IGNORED_SERVICES.map(str::to_owned).to_vec();
        let options = Options { state_dir: self.state(), socket: self.socket(), ignored_services };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { run(options, std::future::pending()).await.unwrap() });
        self.eventually("connected", |s| self.status(s).is_some_and(|status| status.connected)).await;
        tasks
    }

    fn status(&self, (): ()) -> Option<Status> {
        let deadline = Instant::now() + Duration::from_secs(1);
        match pam::ask(&self.socket(), &Request::Status, deadline) {
            Ok(Answer::Status { agent, .. }) => Some(*agent),
            _ => None,
        }
    }

    async fn eventually(&self, what: &str, holds: impl Fn(()) -> bool + Send + Sync) {
        let started = Instant::now();
        // The hook's calls block, and the daemon runs on another thread of the test's runtime.
        while !tokio::task::block_in_place(|| holds(())) {
            assert!(started.elapsed() < Duration::from_secs(15), "{what} did not come to hold");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn hook(&self, phase: Phase, user: &str, service: &str, program: &Program) -> Outcome {
        let call = call(phase, user, service, program);
        tokio::task::block_in_place(|| pam::run(&call, &self.socket(), &self.state()))
    }

    /// Leaves a note as the hook does that nobody answered.
    fn leave(&self, call: PamCall, answer: Option<OwnAnswer>) {
        self.leave_at(wall_ms(), call, answer);
    }

    fn leave_at(&self, at: i64, call: PamCall, answer: Option<OwnAnswer>) {
        let note = Note { boot: boot_id().unwrap(), at, call, answer };
        HookFiles::new(&self.state()).leave(&note).unwrap();
    }

    /// What the server has of this kind, in the order in which it was written.
    fn events(&self, wanted: u16) -> Vec<serde_json::Value> {
        let inner = self.one.lock();
        let of_kind = inner.records.values().flat_map(|r| r.values()).filter(|(_, kind, _)| *kind == wanted);
        of_kind.map(|(.., payload)| serde_json::from_str(payload).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logon_is_asked_about_reported_and_ended() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    let program = Program::start();
    assert_eq!(setup.hook(Phase::Account, "root", "sudo", &program), Outcome { allow: true, say: None });
    assert!(setup.one.lock().decisions.is_empty(), "sudo is left alone");
    assert!(setup.hook(Phase::Account, "root", "sshd", &program).allow);
    setup.hook(Phase::OpenSession, "root", "sshd", &program);
    setup.hook(Phase::OpenSession, "root", "sshd", &program);
    setup.hook(Phase::CloseSession, "root", "sshd", &program);
    setup.eventually("the end is there", |()| setup.events(kind::LOGOFF).len() == 1).await;
    let decision = setup.one.lock().decisions[0].clone();
    assert!(decision.groups.contains(&"root".to_owned()));
    assert_eq!(decision.who.session_type, event::SessionType::Terminal);
    let logons = setup.events(kind::LOGON);
    assert_eq!(logons.len(), 1, "opened once");
    assert_eq!(logons[0]["decision_id"], decision.decision_id.to_string(), "with the decision that allowed it");
    assert_eq!(logons[0]["logon"], program.logon().as_str());
    assert_eq!(setup.events(kind::LOGOFF)[0]["logon"], program.logon().as_str());
    assert_eq!(setup.events(kind::BOOT).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_and_reported() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    setup.one.lock().allow = false;
    let program = Program::start();
    let outcome = setup.hook(Phase::Account, "alice", "sshd", &program);
    assert_eq!(outcome, Outcome { allow: false, say: Some("by the test".into()) });
    setup.eventually("it is reported", |()| setup.events(kind::DENIED).len() == 1).await;
    let denied = setup.events(kind::DENIED).remove(0);
    assert_eq!((denied["user"].as_str(), denied["reason"].as_str()), (Some("alice"), Some("by the test")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_finds_out_what_happened_meanwhile() {
    let setup = Setup::new().await;
    let daemon = setup.daemon().await;
    let (stays, goes, comes) = (Program::start(), Program::start(), Program::start());
    for program in [&stays, &goes] {
        setup.hook(Phase::OpenSession, "alice", "sshd", program);
    }
    setup.eventually("both are reported", |()| setup.events(kind::LOGON).len() == 2).await;
    drop(daemon);
    setup.eventually("the daemon is gone", |()| setup.status(()).is_none()).await;
    drop(goes);
    assert!(setup.hook(Phase::Account, "bob", "sshd", &comes).allow);
    setup.hook(Phase::OpenSession, "bob", "sshd", &comes);
    let _daemon = setup.daemon().await;
    setup.eventually("the dead one has ended", |()| setup.events(kind::LOGOFF).len() == 1).await;
    assert_eq!(setup.events(kind::LOGON).len(), 3, "none twice");
    assert_eq!(setup.events(kind::OFFLINE_DECISION)[0]["user"], "bob");
    let inventories = setup.events(kind::INVENTORY);
    let mut alive: Vec<&str> = inventories.last().unwrap()["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["logon"].as_str().unwrap())
        .collect();
    alive.sort_unstable();
    let (stays, comes) = (stays.logon(), comes.logon());
    let mut expected = [stays.as_str(), comes.as_str()];
    expected.sort_unstable();
    assert_eq!(alive, expected);
    assert_eq!(setup.events(kind::BOOT).len(), 1, "it is the same boot");
    assert_eq!(setup.one.lock().records.len(), 1, "and the same origin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_logged_off_by_command() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    let mut program = Program::start();
    setup.hook(Phase::OpenSession, "alice", "sshd", &program);
    let command = |id: u8, action, logon: LogonId| TimedCommand {
        valid_ms: 60_000,
        command: event::Command {
            command_id: CommandId([id; 16]),
            session: SessionKey { machine: MACHINE.into(), boot: boot_id().unwrap(), logon },
            action,
            text: None,
            by: "admin".into(),
            reason: "test".into(),
            epoch: Epoch { number: 1, ..Epoch::default() },
        },
    };
    setup.one.lock().commands = vec![
        command(1, CommandAction::Logoff, LogonId::new("1.1").unwrap()),
        command(2, CommandAction::Lock, program.logon()),
        command(3, CommandAction::Logoff, program.logon()),
    ];
    let logon = program.logon();
    let ended = tokio::task::block_in_place(|| program.0.wait().unwrap());
    assert!(!ended.success());
    setup.eventually("three answers", |()| setup.events(kind::COMMAND_RESULT).len() == 3).await;
    let outcomes: Vec<(String, String)> = setup
        .events(kind::COMMAND_RESULT)
        .iter()
        .map(|r| (r["command_id"].as_str().unwrap()[..2].to_owned(), r["outcome"].as_str().unwrap().to_owned()))
        .collect();
    for (id, outcome) in [("01", "no_such_session"), ("02", "unsupported"), ("03", "done")] {
        assert!(outcomes.contains(&(id.to_owned(), outcome.to_owned())), "{outcomes:?}");
    }
    setup.eventually("the session has ended", |()| setup.events(kind::LOGOFF).len() == 1).await;
    assert_eq!(setup.events(kind::LOGOFF)[0]["logon"], logon.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_offline_policy_decides_when_no_server_does_and_is_reported_later() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    setup.one.be(Mood::Broken);
    let program = Program::start();
    assert!(setup.hook(Phase::Account, "alice", "sshd", &program).allow);
    setup.hook(Phase::OpenSession, "alice", "sshd", &program);
    setup.one.be(Mood::Serving);
    setup.eventually("it is reported", |()| setup.events(kind::LOGON).len() == 1).await;
    let decided = setup.events(kind::OFFLINE_DECISION).remove(0);
    assert_eq!((decided["allow"].as_bool(), decided["policy"].as_str()), (Some(true), Some("allow")));
    assert_eq!(setup.events(kind::LOGON)[0]["decision_id"], decided["decision_id"]);
    assert_eq!(HookFiles::new(&setup.state()).settings().unwrap().offline_policy, OfflinePolicy::Allow);
    assert!(HookFiles::new(&setup.state()).seen().unwrap().last("alice").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_the_zone_need_not_be_written_again_to_start() {
    let setup = Setup::new().await;
    // Nothing can be written in its place.
    let in_the_way = setup.state().join("zone.new");
    std::fs::create_dir(&in_the_way).unwrap();
    let options =
        Options { state_dir: setup.state(), socket: setup.dir.path().join("b.sock"), ignored_services: vec![] };
    assert!(matches!(run(options, std::future::pending()).await, Err(DaemonError::File(_))), "nothing is known yet");
    std::fs::remove_dir(&in_the_way).unwrap();
    drop(setup.daemon().await);
    setup.eventually("the daemon is gone", |()| setup.status(()).is_none()).await;
    std::fs::create_dir(&in_the_way).unwrap();
    let _daemon = setup.daemon().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_is_refused() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    let options =
        Options { state_dir: setup.state(), socket: setup.dir.path().join("b.sock"), ignored_services: vec![] };
    assert!(matches!(run(options, std::future::pending()).await, Err(DaemonError::InUse(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_without_a_usable_user_tells_what_it_can_and_keeps_no_other_back() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    let (named, unnamed) = (Program::start(), Program::start());
    for program in [&named, &unnamed] {
        setup.hook(Phase::OpenSession, "alice", "sshd", program);
    }
    let answer = OwnAnswer { allow: true, policy: "allow".into(), reason: String::new(), why: "test".into() };
    setup.leave(call(Phase::Account, "", "sshd", &named), Some(answer));
    setup.leave(call(Phase::CloseSession, "", "sshd", &unnamed), None);
    setup.leave(call(Phase::CloseSession, "alice", "sshd", &named), None);
    setup.eventually("both have ended", |()| setup.events(kind::LOGOFF).len() == 2).await;
    setup.eventually("no note is left", |()| HookFiles::new(&setup.state()).notes().unwrap().is_empty()).await;
    assert!(setup.events(kind::OFFLINE_DECISION).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_daemon_wrote_down_too_late_for_the_hook_is_told_once() {
    let setup = Setup::new().await;
    let _daemon = setup.daemon().await;
    let (open, ended, noted) = (Program::start(), Program::start(), Program::start());
    let before = wall_ms() - 1;
    for program in [&open, &ended] {
        setup.hook(Phase::OpenSession, "alice", "sshd", program);
    }
    setup.hook(Phase::CloseSession, "alice", "sshd", &ended);
    for program in [&open, &ended] {
        setup.leave_at(before, call(Phase::OpenSession, "alice", "sshd", program), None);
    }
    setup.leave(call(Phase::CloseSession, "alice", "sshd", &ended), None);
    setup.leave(call(Phase::OpenSession, "bob", "sshd", &noted), None);
    setup.eventually("what only a note tells is told", |()| setup.events(kind::LOGON).len() >= 3).await;
    setup.eventually("no note is left", |()| HookFiles::new(&setup.state()).notes().unwrap().is_empty()).await;
    assert_eq!((setup.events(kind::LOGON).len(), setup.events(kind::LOGOFF).len()), (3, 1));
    assert!(HookFiles::new(&setup.state()).seen().unwrap().last("bob").is_some(), "and has been seen here");
    let late = call(Phase::OpenSession, "bob", "sshd", &noted);
    drop(noted);
    setup.eventually("it ends with its process", |()| setup.events(kind::LOGOFF).len() == 2).await;
    tokio::task::block_in_place(|| pam::run(&late, &setup.socket(), &setup.state()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(setup.events(kind::LOGON).len(), 3, "a call that was read when all was over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_names_its_decision_across_a_restart_of_the_daemon() {
    let setup = Setup::new().await;
    let daemon = setup.daemon().await;
    let (noted, told, alone) = (Program::start(), Program::start(), Program::start());
    for (user, program) in [("alice", &noted), ("bob", &told)] {
        assert!(setup.hook(Phase::Account, user, "sshd", program).allow);
    }
    drop(daemon);
    setup.eventually("the daemon is gone", |()| setup.status(()).is_none()).await;
    setup.hook(Phase::OpenSession, "alice", "sshd", &noted);
    assert!(setup.hook(Phase::Account, "carol", "sshd", &alone).allow);
    setup.hook(Phase::OpenSession, "carol", "sshd", &alone);
    let _daemon = setup.daemon().await;
    setup.hook(Phase::OpenSession, "bob", "sshd", &told);
    setup.eventually("all are reported", |()| setup.events(kind::LOGON).len() == 3).await;
    let asked = setup.one.lock().decisions.clone();
    let mut decisions: Vec<(String, String)> =
        asked.iter().map(|d| (d.who.user.clone(), d.decision_id.to_string())).collect();
    let own = setup.events(kind::OFFLINE_DECISION).remove(0)["decision_id"].as_str().unwrap().to_owned();
    decisions.push(("carol".into(), own));
    for (user, decision) in decisions {
        let logons = setup.events(kind::LOGON);
        let logon = logons.iter().find(|logon| logon["user"] == *user).unwrap();
        assert_eq!(logon["decision_id"], *decision, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_names_the_question_that_the_daemon_was_killed_over() {
    let setup = Setup::new().await;
    let daemon = setup.daemon().await;
    let program = Program::start();
    setup.one.be(Mood::Hanging);
    let call = call(Phase::Account, "alice", "sshd", &program);
    let (socket, state) = (setup.socket(), setup.state());
    let asked = call.clone();
    let hook = tokio::task::spawn_blocking(move || pam::run(&asked, &socket, &state));
    let file = setup.state().join("admitted.json");
    setup
        .eventually("it is asked", |()| std::fs::read_to_string(&file).is_ok_and(|t| t.contains("\"allowed\":false")))
        .await;
    drop(daemon);
    assert!(hook.await.unwrap().allow);
    // The hook itself was killed before it could leave a note.
    let files = HookFiles::new(&setup.state());
    files.forget(&files.notes().unwrap()).unwrap();
    setup.one.be(Mood::Serving);
    let _daemon = setup.daemon().await;
    setup.hook(Phase::OpenSession, "alice", "sshd", &program);
    setup.eventually("it is reported", |()| setup.events(kind::LOGON).len() == 1).await;
    assert_eq!(setup.events(kind::LOGON)[0]["decision_id"], call.decision_id.to_string());
}
