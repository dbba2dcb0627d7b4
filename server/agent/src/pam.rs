//! The hook that PAM runs at each logon. It must be quick, and it must end: plain blocking calls, each with what is left of
//! one deadline, and an answer of its own when the daemon gives none.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use userlock_core::{agent::offline::decide, id::DecisionId};

use crate::{
    hook::{Answer, HookFiles, HookSettings, MAX_LINE_BYTES, Note, OwnAnswer, PamCall, Phase, Request},
    reporter::offline_text,
    system::{Process, boot_id, host_name, random_id, wall_ms},
};

/// What the hook waits longer than the daemon for the servers.
const OWN_PATIENCE: Duration = Duration::from_millis(500);
/// How long the daemon may take to write down a session's begin or end. Afterwards a note tells of it as well.
const REPORT_PATIENCE: Duration = Duration::from_millis(500);
/// The longest name that is taken over from PAM.
const MAX_ENV_BYTES: usize = 256;

/// What the hook says to PAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the logon goes on.
    pub allow: bool,
    /// What to tell the user.
    pub say: Option<String>,
}

impl Outcome {
    const PASS: Self = Self { allow: true, say: None };
}

/// What PAM tells in the environment; `None` when it calls for a phase that is none of ours.
#[must_use]
pub fn call_from_environment() -> Option<PamCall> {
    let get = |name| {
        let mut text = env::var(name).unwrap_or_default();
        text.truncate(text.floor_char_boundary(MAX_ENV_BYTES));
        text.retain(|c| !c.is_control());
        text
    };
    let phase = Phase::from_pam(&get("PAM_TYPE"))?;
    let parent = std::os::unix::process::parent_id();
    Some(PamCall {
        phase,
        decision_id: DecisionId(random_id().unwrap_or_default()),
        user: get("PAM_USER"),
        rhost: get("PAM_RHOST"),
        tty: get("PAM_TTY"),
        service: get("PAM_SERVICE"),
        opener: Process::with_pid(parent).unwrap_or(Process { pid: parent, start: 0 }),
    })
}

/// Asks the daemon, or answers by the offline policy as it was last stored. A question ends within the zone's time-out
/// and half a second, a report within half a second, whatever is dead.
#[must_use]
pub fn run(call: &PamCall, socket: &Path, state_dir: &Path) -> Outcome {
    let files = HookFiles::new(state_dir);
    // Settings that cannot be read must lock nobody out: the defaults hold then.
    let settings = files.settings().unwrap_or_default();
    if settings.ignores(&call.service) {
        return Outcome::PASS;
    }
    let patience = match call.phase {
        Phase::Account => Duration::from_millis(settings.give_up_after_ms.into()) + OWN_PATIENCE,
        Phase::OpenSession | Phase::CloseSession => REPORT_PATIENCE,
    };
    let deadline = Instant::now() + patience;
    let request = Request::Pam(call.clone());
    let why = match ask(socket, &request, deadline) {
        Ok(Answer::Verdict { allow, reason }) => return Outcome { allow, say: (!allow).then_some(reason) },
        Ok(Answer::Recorded) => return Outcome::PASS,
        Ok(Answer::Failed { error }) => error,
        Ok(other) => format!("the daemon answered something else: {other:?}"),
        Err(error) => format!("the daemon does not answer: {error}"),
    };
    alone(call, &files, &settings, why)
}

/// What the hook does by itself, and the note that it leaves.
fn alone(call: &PamCall, files: &HookFiles, settings: &HookSettings, why: String) -> Outcome {
    let at = wall_ms();
    let answer = (call.phase == Phase::Account).then(|| {
        let decision = decide(settings.offline_policy, &files.seen().unwrap_or_default(), &call.user, at);
        OwnAnswer { allow: decision.allow, policy: decision.policy, reason: decision.reason, why }
    });
    let outcome = answer.as_ref().map_or(Outcome::PASS, |answer| Outcome {
        allow: answer.allow,
        say: (!answer.allow).then(|| {
            let machine = host_name().unwrap_or_default();
            offline_text(&settings.offline_message, &answer.reason, &call.user, &machine)
        }),
    });
    if let Ok(boot) = boot_id() {
        let note = Note { boot, at, call: call.clone(), answer };
        if let Err(error) = files.leave(&note) {
            // Nobody reads this but an administrator who runs the hook by hand; the logon must not depend on it.
            let _ = writeln!(io::stderr(), "userlock-agent: {error}");
        }
    }
    outcome
}

/// Asks over the socket.
///
/// # Errors
/// Nobody listens, or no answer came before the deadline.
pub fn ask(socket: &Path, request: &Request, deadline: Instant) -> io::Result<Answer> {
    let mut stream = dial(socket)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    let mut reader = BufReader::new(stream);
    while !answer.ends_with(b"\n") {
        reader.get_ref().set_read_timeout(Some(left(deadline)?))?;
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() || answer.len() + chunk.len() > MAX_LINE_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(chunk);
        let length = chunk.len();
        reader.consume(length);
    }
    Ok(serde_json::from_slice(&answer)?)
}

/// Connects without waiting: a daemon that does not even take connections any more must not hold a logon up.
fn dial(socket: &Path) -> io::Result<UnixStream> {
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    connect(&fd, &SocketAddrUnix::new(socket)?)?;
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use userlock_core::{agent_api::AgentSettings, settings::OfflinePolicy};

    use super::*;
    use crate::reporter::default_settings;

    fn call(phase: Phase, service: &str) -> PamCall {
        PamCall {
            phase,
            decision_id: DecisionId(random_id().unwrap()),
            user: "alice".into(),
            rhost: String::new(),
            tty: String::new(),
            service: service.into(),
            opener: Process { pid: 7, start: 8 },
        }
    }

    fn store(files: &HookFiles, offline_policy: OfflinePolicy) {
        let settings = AgentSettings { offline_policy, give_up_after_ms: 100, ..default_settings() };
        files.set_settings(&HookSettings::new(&settings, &["sudo".into()])).unwrap();
    }

    #[test]
    fn without_a_daemon_the_stored_policy_decides_and_a_note_tells_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = HookFiles::new(dir.path());
        let socket = dir.path().join("none.sock");
        store(&files, OfflinePolicy::Deny);
        let outcome = run(&call(Phase::Account, "sshd"), &socket, dir.path());
        assert!(!outcome.allow && outcome.say.unwrap().contains("refuse"));
        assert_eq!(run(&call(Phase::Account, "sudo"), &socket, dir.path()), Outcome::PASS, "left alone");
        store(&files, OfflinePolicy::Allow);
        assert_eq!(run(&call(Phase::Account, "sshd"), &socket, dir.path()), Outcome::PASS);
        assert_eq!(run(&call(Phase::OpenSession, "sshd"), &socket, dir.path()), Outcome::PASS);
        let notes = files.notes().unwrap();
        let answers: Vec<Option<bool>> = notes.iter().map(|(_, note)| note.answer.as_ref().map(|a| a.allow)).collect();
        assert_eq!(answers.len(), notes.len());
        assert!(answers.contains(&Some(false)) && answers.contains(&Some(true)) && answers.contains(&None));
    }

    #[test]
    fn a_daemon_that_hangs_is_not_waited_for_longer_than_the_time_out() {
        let dir = tempfile::tempdir().unwrap();
        let files = HookFiles::new(dir.path());
        store(&files, OfflinePolicy::Allow);
        let socket = dir.path().join("hung.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let started = Instant::now();
        let outcome = run(&call(Phase::Account, "sshd"), &socket, dir.path());
        let took = started.elapsed();
        assert!(outcome.allow && took >= Duration::from_millis(590) && took < Duration::from_millis(1000), "{took:?}");
    }

    #[test]
    fn a_daemon_that_hangs_keeps_no_session_from_its_begin_or_end_for_long_and_a_note_tells_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = HookFiles::new(dir.path());
        let socket = dir.path().join("hung.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        for phase in [Phase::OpenSession, Phase::CloseSession] {
            let started = Instant::now();
            assert_eq!(run(&call(phase, "sshd"), &socket, dir.path()), Outcome::PASS);
            assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
        }
        let phases: Vec<Phase> = files.notes().unwrap().iter().map(|(_, note)| note.call.phase).collect();
        assert_eq!(phases, [Phase::OpenSession, Phase::CloseSession]);
    }

    #[test]
    fn what_the_daemon_says_holds() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("a.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            let answer = Answer::Verdict { allow: false, reason: "1 of 1 terminal sessions".into() };
            stream.write_all(format!("{}\n", serde_json::to_string(&answer).unwrap()).as_bytes()).unwrap();
            serde_json::from_str::<Request>(&line).unwrap()
        });
        let call = call(Phase::Account, "sshd");
        let outcome = run(&call, &socket, dir.path());
        assert_eq!(outcome, Outcome { allow: false, say: Some("1 of 1 terminal sessions".into()) });
        assert_eq!(daemon.join().unwrap(), Request::Pam(call));
        assert_eq!(HookFiles::new(dir.path()).notes().unwrap(), []);
    }
}
