//! What the hook and the daemon say to each other over the socket, one line of JSON each way, and what the hook leaves
//! behind when the daemon is not there.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use userlock_core::{
    agent::offline::Seen,
    agent_api::AgentSettings,
    event::{BootId, MAX_NAME_BYTES, SessionType, Who},
    id::DecisionId,
    settings::OfflinePolicy,
};

use crate::{
    files::{Durability, FileError, read_json, replace_json},
    reporter::{Status, default_settings},
    system::Process,
};

/// Where the daemon listens, unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/userlock/agent.sock";
/// Where the agent keeps its files, unless told otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/userlock-agent";
/// The most bytes of a line either way.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// The services of PAM that log nobody on: they change the user of a session that is counted already, or start jobs.
pub const IGNORED_SERVICES: [&str; 14] = [
    "sudo",
    "sudo-i",
    "su",
    "su-l",
    "runuser",
    "runuser-l",
    "cron",
    "crond",
    "atd",
    "systemd-user",
    "polkit-1",
    "pkexec",
    "doas",
    "other",
];

/// The services whose sessions come from another machine even when PAM is not told which.
const TERMINAL_SERVICES: [&str; 6] = ["sshd", "ssh", "dropbear", "xrdp-sesman", "remote", "telnet"];

/// What PAM is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// May this user log on?
    Account,
    /// A session begins.
    OpenSession,
    /// A session ends.
    CloseSession,
}

impl Phase {
    /// Reads what `pam_exec` tells in `PAM_TYPE`; `None` for a phase that is none of ours.
    #[must_use]
    pub fn from_pam(text: &str) -> Option<Self> {
        match text {
            "account" => Some(Self::Account),
            "open_session" => Some(Self::OpenSession),
            "close_session" => Some(Self::CloseSession),
            _ => None,
        }
    }
}

/// One call of the hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PamCall {
    /// What PAM is doing.
    pub phase: Phase,
    /// The name of the question, should one be asked.
    pub decision_id: DecisionId,
    /// The user, as PAM has it.
    pub user: String,
    /// The remote host; empty for none.
    pub rhost: String,
    /// The terminal; empty for none.
    pub tty: String,
    /// The service, for instance `sshd`.
    pub service: String,
    /// The process that called PAM.
    pub opener: Process,
}

impl PamCall {
    /// Who it is about. What is told besides the user stays within the bounds of a [`Who`], whatever the machine tells.
    #[must_use]
    pub fn who(&self, display_name: Option<String>) -> Who {
        let from_elsewhere = !self.rhost.trim().is_empty() || TERMINAL_SERVICES.contains(&self.service.as_str());
        let rhost = clean(&self.rhost);
        let is_address = rhost.as_deref().is_some_and(|host| host.parse::<IpAddr>().is_ok());
        let (client_name, client_address) = if is_address { (None, rhost) } else { (rhost, None) };
        Who {
            user: self.user.clone(),
            display_name: display_name.as_deref().and_then(clean),
            session_type: if from_elsewhere { SessionType::Terminal } else { SessionType::Workstation },
            client_name,
            client_address,
        }
    }
}

/// A name without its control characters; `None` when nothing is left of it, or too much.
fn clean(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    (!name.is_empty() && name.len() <= MAX_NAME_BYTES).then(|| name.to_owned())
}

/// What is asked over the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The hook reports or asks.
    Pam(PamCall),
    /// Somebody wants to know how the agent is.
    Status,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Phase::Account`].
    Verdict {
        /// Whether the user may log on.
        allow: bool,
        /// Why, for the user.
        reason: String,
    },
    /// It is on the disk.
    Recorded,
    /// To [`Request::Status`].
    Status {
        /// The agent.
        agent: Box<Status>,
        /// How many sessions it has recorded as open.
        sessions: usize,
    },
    /// It could not be done.
    Failed {
        /// Why.
        error: String,
    },
}

/// What the hook must know when there is no daemon to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSettings {
    /// What to answer.
    pub offline_policy: OfflinePolicy,
    /// What to tell somebody who is refused, with its variables; empty for the reason itself.
    #[serde(default)]
    pub offline_message: String,
    /// How long the daemon may take, in ms, before the hook adds its own patience.
    pub give_up_after_ms: u32,
    /// The services that are let pass and not reported.
    pub ignored_services: Vec<String>,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self::new(&default_settings(), &IGNORED_SERVICES.map(str::to_owned))
    }
}

impl HookSettings {
    /// As the zone and the machine's administrator want it.
    #[must_use]
    pub fn new(settings: &AgentSettings, ignored_services: &[String]) -> Self {
        Self {
            offline_policy: settings.offline_policy,
            offline_message: settings.offline_message.clone(),
            give_up_after_ms: settings.give_up_after_ms,
            ignored_services: ignored_services.to_vec(),
        }
    }

    /// Whether this service logs nobody on.
    #[must_use]
    pub fn ignores(&self, service: &str) -> bool {
        self.ignored_services.iter().any(|ignored| ignored == service)
    }
}

/// The answer that the hook gave by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAnswer {
    /// Whether the user may log on.
    pub allow: bool,
    /// The policy.
    pub policy: String,
    /// What the user was told.
    pub reason: String,
    /// Why the daemon was not the one to answer.
    pub why: String,
}

/// What the hook leaves to the daemon that was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The boot in which it was.
    pub boot: BootId,
    /// When, in ms since 1970 UTC.
    pub at: i64,
    /// What PAM did.
    pub call: PamCall,
    /// The answer, for [`Phase::Account`].
    #[serde(default)]
    pub answer: Option<OwnAnswer>,
}

/// The files of the agent that the hook uses too.
#[derive(Debug, Clone)]
pub struct HookFiles {
    dir: PathBuf,
}

/// The most notes that may lie about.
const MAX_NOTES: usize = 10_000;

impl HookFiles {
    /// The files in this state folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn notes_dir(&self) -> PathBuf {
        self.dir.join("notes")
    }

    /// What the daemon last wrote for the hook; the defaults if it never did.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn settings(&self) -> Result<HookSettings, FileError> {
        Ok(read_json(&self.dir.join("hook.json"))?.unwrap_or_default())
    }

    /// Writes down what the hook must know.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn set_settings(&self, settings: &HookSettings) -> Result<(), FileError> {
        replace_json(&self.dir.join("hook.json"), settings, Durability::Disk)
    }

    /// Who logged on here.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn seen(&self) -> Result<Seen, FileError> {
        Ok(read_json(&self.dir.join("seen.json"))?.unwrap_or_default())
    }

    /// Writes down who logged on here.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn set_seen(&self, seen: &Seen) -> Result<(), FileError> {
        replace_json(&self.dir.join("seen.json"), seen, Durability::Disk)
    }

    /// Leaves a note for the daemon.
    ///
    /// # Errors
    /// [`FileError`], also when there are too many already or the agent has no state folder.
    pub fn leave(&self, note: &Note) -> Result<(), FileError> {
        let dir = self.notes_dir();
        match std::fs::create_dir(&dir) {
            Ok(()) => crate::files::make_private_dir(&dir)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(FileError::new("create", &dir)(error)),
        }
        if std::fs::read_dir(&dir).map_err(FileError::new("read", &dir))?.count() >= MAX_NOTES {
            return Err(FileError::new("write to", &dir)(std::io::Error::other("too many notes wait for the daemon")));
        }
        // Of one millisecond: a session is asked about before it begins, and begins before it ends.
        let turn = match note.call.phase {
            Phase::Account => 0,
            Phase::OpenSession => 1,
            Phase::CloseSession => 2,
        };
        let name = format!("{:020}-{turn}-{}-{}.json", note.at, std::process::id(), note.call.decision_id);
        replace_json(&dir.join(name), note, Durability::Disk)
    }

    /// The notes, oldest first, with their files. One that cannot be read is told loudly and put aside.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn notes(&self) -> Result<Vec<(PathBuf, Note)>, FileError> {
        let dir = self.notes_dir();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::new("read", &dir)(error)),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let mut notes = Vec::new();
        for path in paths {
            match read_json::<Note>(&path) {
                Ok(Some(note)) => notes.push((path, note)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a note of the hook cannot be understood and is put aside");
                    let aside = path.with_extension("unreadable");
                    std::fs::rename(&path, &aside).map_err(FileError::new("put aside", &path))?;
                }
            }
        }
        Ok(notes)
    }

    /// These notes were taken over.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn forget(&self, notes: &[(PathBuf, Note)]) -> Result<(), FileError> {
        for (path, _) in notes {
            std::fs::remove_file(path).map_err(FileError::new("remove", path))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str, rhost: &str) -> PamCall {
        PamCall {
            phase: Phase::Account,
            decision_id: DecisionId([1; 16]),
            user: "alice".into(),
            rhost: rhost.into(),
            tty: "ssh".into(),
            service: service.into(),
            opener: Process { pid: 1, start: 2 },
        }
    }

    #[test]
    fn where_a_session_comes_from_makes_its_type() {
        let kind = |service, rhost| call(service, rhost).who(None).session_type;
        assert_eq!(kind("sshd", "10.0.0.9"), SessionType::Terminal);
        assert_eq!(kind("sshd", ""), SessionType::Terminal);
        assert_eq!(kind("login", ""), SessionType::Workstation);
        assert_eq!(kind("gdm-password", ""), SessionType::Workstation);
        assert_eq!(kind("login", "elsewhere"), SessionType::Terminal);
        let who = call("sshd", "fe80::1").who(Some("x".repeat(300)));
        assert_eq!((who.client_address.as_deref(), who.client_name, who.display_name), (Some("fe80::1"), None, None));
        assert_eq!(call("sshd", "pc-7.example").who(None).client_name.as_deref(), Some("pc-7.example"));
    }

    #[test]
    fn what_is_told_besides_the_user_never_makes_a_question_unusable() {
        let who = call("sshd", "pc\u{85}-7").who(Some("Ali\u{85}ce\tLiddell\n".into()));
        assert!(who.within_bounds());
        assert_eq!((who.display_name.as_deref(), who.client_name.as_deref()), (Some("AliceLiddell"), Some("pc-7")));
        let who = call("login", "\u{1}").who(Some("\u{85} \u{7f}".into()));
        assert!(who.within_bounds() && who.session_type == SessionType::Terminal);
        assert_eq!((who.display_name, who.client_name), (None, None));
        assert!(call("sshd", &"x".repeat(300)).who(None).within_bounds());
    }

    #[test]
    fn notes_are_left_found_in_order_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let files = HookFiles::new(dir.path());
        assert_eq!(files.notes().unwrap(), []);
        let note = |at| Note { boot: BootId::NIL, at, call: call("sshd", ""), answer: None };
        files.leave(&note(20)).unwrap();
        files.leave(&note(3)).unwrap();
        std::fs::write(dir.path().join("notes/00.json"), "{").unwrap();
        let notes = files.notes().unwrap();
        files
            .leave(&Note { call: PamCall { decision_id: DecisionId([2; 16]), ..call("sshd", "") }, ..note(20) })
            .unwrap();
        assert_eq!(files.notes().unwrap().len(), 3, "two in one millisecond");
        assert_eq!(notes.iter().map(|(_, note)| note.at).collect::<Vec<_>>(), [3, 20]);
        files.forget(&files.notes().unwrap()).unwrap();
        assert_eq!(files.notes().unwrap(), []);
        let phases = [Phase::CloseSession, Phase::Account, Phase::OpenSession];
        for (id, phase) in (0..).zip(phases) {
            let call = PamCall { phase, decision_id: DecisionId([id; 16]), ..call("sshd", "") };
            files.leave(&Note { call, ..note(7) }).unwrap();
        }
        let found: Vec<Phase> = files.notes().unwrap().into_iter().map(|(_, note)| note.call.phase).collect();
        assert_eq!(found, [Phase::Account, Phase::OpenSession, Phase::CloseSession], "of one millisecond");
        files.forget(&files.notes().unwrap()).unwrap();
        assert!(HookFiles::new(&dir.path().join("none")).leave(&note(1)).is_err(), "no folder is made for it");
    }

    #[test]
    fn sudo_and_cron_are_left_alone_by_default() {
        let settings = HookFiles::new(Path::new("/nonexistent")).settings().unwrap();
        assert!(settings.ignores("sudo") && settings.ignores("cron") && !settings.ignores("sshd"));
    }
}
